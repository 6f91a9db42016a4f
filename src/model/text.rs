//! Text that came from a cluster, made harmless once, where it enters.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use arcstr::ArcStr;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Longest text kept of one field, in bytes; what is cut shows as `…`.
pub const LONGEST: usize = 4096;

/// A shared, immutable string that can never drive a terminal.
///
/// It is made only by [`Text::clean`], so every string of a record went through the same filter:
/// control characters, bidirectional controls, zero-width characters and Unicode tags are replaced
/// or dropped. Cloning is one reference count; the store shares equal texts of a cluster.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
pub struct Text(ArcStr);

impl Text {
    /// The empty text; it allocates nothing.
    pub const EMPTY: Text = Text(arcstr::literal!(""));

    /// A text from anywhere, sanitised and bounded to [`LONGEST`].
    #[must_use]
    pub fn clean(raw: &str) -> Text {
        if raw.is_empty() {
            return Text::EMPTY;
        }
        Text(ArcStr::from(sanitised(raw).as_ref()))
    }

    /// The text as a string slice.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many holders share this text; the store's sweep drops texts that only it holds.
    #[must_use]
    pub fn holders(&self) -> usize {
        ArcStr::strong_count(&self.0).unwrap_or(usize::MAX)
    }

    /// The name cut in the middle to at most `width` cells: `orders-api-6c9f…9k2vt`.
    #[must_use]
    pub fn middle_cut(&self, width: usize) -> String {
        middle_cut(self, width)
    }
}

/// `text` cut in the middle to at most `width` cells.
#[must_use]
pub fn middle_cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width <= 1 {
        return "…".repeat(width);
    }
    let tail_width = (width - 1) / 2;
    let head_width = width - 1 - tail_width;
    let head = take_width(text.graphemes(true), head_width);
    let tail: String = take_width(text.graphemes(true).rev(), tail_width).graphemes(true).rev().collect();
    format!("{head}…{tail}")
}

fn take_width<'a>(graphemes: impl Iterator<Item = &'a str>, width: usize) -> String {
    let mut used = 0;
    graphemes
        .take_while(|g| {
            used += g.width();
            used <= width
        })
        .collect()
}

/// `raw` with everything that could drive or deceive a terminal replaced, bounded to [`LONGEST`].
#[must_use]
pub fn sanitised(raw: &str) -> Cow<'_, str> {
    if raw.len() <= LONGEST && raw.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len().min(LONGEST));
    let mut marks = 0;
    for c in raw.chars() {
        if out.len() + c.len_utf8() > LONGEST {
            out.push('…');
            break;
        }
        // What is dropped must not begin a new count: marks would pile up around it.
        if is_deceptive(c) {
            continue;
        }
        marks = if is_combining(c) { marks + 1 } else { 0 };
        match c {
            '\n' | '\t' | '\r' | '\u{2028}' | '\u{2029}' => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c if c.is_control() => out.push('␛'),
            _ if marks > 2 => {}
            c => out.push(c),
        }
    }
    if out == raw { Cow::Borrowed(raw) } else { Cow::Owned(out) }
}

/// Characters that reorder, hide or tag text: bidirectional controls, zero-width, BOM, tags.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_combining(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Whether a name matches a glob of `*` and `?`, as kubeconfig contexts and settings use it.
#[must_use]
pub fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star was, and how much of the name it took so far.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(raw: &str) -> Text {
        Text::clean(raw)
    }
}

impl From<String> for Text {
    fn from(raw: String) -> Text {
        Text::clean(&raw)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_made_harmless() {
        let raw = "a\u{1b}[2Jb\u{9b}c\u{202e}d\u{200b}e\u{e0041}f\ng\r\nh\u{feff}";
        assert_eq!(Text::clean(raw), *"a␛[2Jb␛cdef g h");
        assert!(matches!(sanitised("plain text"), Cow::Borrowed(_)));
        assert!(matches!(sanitised("größe ✖"), Cow::Borrowed(_)));
    }

    #[test]
    fn combining_marks_and_length_are_bounded() {
        let zalgo = format!("a{}", "\u{0301}".repeat(50));
        assert_eq!(Text::clean(&zalgo).chars().count(), 3);
        let around = format!("a{}", "\u{0301}\u{200b}".repeat(50));
        assert_eq!(Text::clean(&around).chars().count(), 3, "what is dropped begins no new count");
        assert!(Text::clean(&"x".repeat(10_000)).len() <= LONGEST + '…'.len_utf8());
    }

    #[test]
    fn globs_match_whole_names() {
        for (pattern, name) in
            [("*", "a"), ("eks-*", "eks-use1"), ("*-use?", "eks-use1"), ("a*b*c", "aXbYbZc"), ("", "")]
        {
            assert!(glob(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("eks", "eks-use1"), ("?", ""), ("a*b", "abc"), ("*x", "eks")] {
            assert!(!glob(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn names_are_cut_in_the_middle() {
        assert_eq!(middle_cut("orders-api-6c9f77-9k2vt", 15), "orders-…7-9k2vt");
        assert_eq!(middle_cut("short", 15), "short");
        assert_eq!(middle_cut("abcdef", 1), "…");
        assert_eq!(middle_cut("abcdef", 0), "");
    }
}
