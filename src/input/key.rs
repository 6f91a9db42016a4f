//! Keys and how they are written: `ctrl-d`, `C`, `space`, `f5`; a sequence is `g g`.

use std::fmt;

/// One key press. Shift is part of the character: `C` is shift and c.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// Which key.
    pub code: Code,
    /// Held with control.
    pub ctrl: bool,
    /// Held with alt (or after escape).
    pub alt: bool,
}

/// A key without its modifiers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "each is the key of that name")]
pub enum Code {
    Char(char),
    F(u8),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Insert,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
}

const NAMES: [(&str, Code); 17] = [
    ("space", Code::Char(' ')),
    ("enter", Code::Enter),
    ("esc", Code::Esc),
    ("tab", Code::Tab),
    ("shift-tab", Code::BackTab),
    ("backspace", Code::Backspace),
    ("del", Code::Delete),
    ("ins", Code::Insert),
    ("up", Code::Up),
    ("down", Code::Down),
    ("left", Code::Left),
    ("right", Code::Right),
    ("home", Code::Home),
    ("end", Code::End),
    ("pgup", Code::PageUp),
    ("pgdn", Code::PageDown),
    ("minus", Code::Char('-')),
];

impl Key {
    /// A key without modifiers.
    #[must_use]
    pub const fn plain(code: Code) -> Key {
        Key { code, ctrl: false, alt: false }
    }

    /// A typed character.
    #[must_use]
    pub const fn char(c: char) -> Key {
        Key::plain(Code::Char(c))
    }

    /// The character that this key types into a field, if it does.
    #[must_use]
    pub fn typed(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }

    /// A key from its notation.
    ///
    /// # Errors
    /// Says what a key looks like when this is none.
    pub fn parse(text: &str) -> Result<Key, String> {
        let (mut rest, mut ctrl, mut alt) = (text, false, false);
        loop {
            if let Some(tail) = rest.strip_prefix("ctrl-").filter(|t| !t.is_empty()) {
                (rest, ctrl) = (tail, true);
            } else if let Some(tail) = rest.strip_prefix("alt-").filter(|t| !t.is_empty()) {
                (rest, alt) = (tail, true);
            } else {
                break;
            }
        }
        let code = Key::code(rest).ok_or_else(|| {
            format!("{text:?} is no key; expected like \"j\", \"C\", \"ctrl-d\", \"alt-x\", \"space\", \"f5\", \"shift-tab\"")
        })?;
        // Terminals send no difference between ctrl-d and ctrl-D.
        let code = match code {
            Code::Char(c) if ctrl => Code::Char(c.to_ascii_lowercase()),
            other => other,
        };
        Ok(Key { code, ctrl, alt })
    }

    fn code(name: &str) -> Option<Code> {
        let mut chars = name.chars();
        if let (Some(c), None) = (chars.next(), chars.next()) {
            return (!c.is_control() && !c.is_whitespace()).then_some(Code::Char(c));
        }
        if let Some((_, code)) = NAMES.iter().find(|(n, _)| *n == name) {
            return Some(*code);
        }
        let number: u8 = name.strip_prefix('f')?.parse().ok()?;
        (1..=24).contains(&number).then_some(Code::F(number))
    }

    /// Keys from a sequence: `g g`.
    ///
    /// # Errors
    /// Says which part is no key.
    pub fn sequence(text: &str) -> Result<Vec<Key>, String> {
        let keys: Vec<Key> = text.split_whitespace().map(Key::parse).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err("an empty text is no key".to_owned()) } else { Ok(keys) }
    }

    /// Whether tmux, screen or flow control commonly keep this key for themselves.
    #[must_use]
    pub fn often_eaten(self) -> bool {
        self.ctrl && matches!(self.code, Code::Char('a' | 'b' | 's' | 'q'))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        match self.code {
            Code::F(number) => write!(f, "f{number}"),
            Code::Char(c) if c != ' ' => write!(f, "{c}"),
            code => f.write_str(NAMES.iter().find(|(_, c)| *c == code).map_or("?", |(name, _)| name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn notation_goes_both_ways() {
        for text in ["j", "C", "ctrl-d", "space", "f5", "shift-tab", "alt-enter", "ctrl-alt-x", "-", "ctrl--"]
        {
            assert_eq!(Key::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Key::parse("ctrl-D"), Key::parse("ctrl-d"));
        assert_eq!(Key::parse("minus"), Key::parse("-"));
        assert_eq!(Key::sequence("g g").unwrap(), vec![Key::char('g'); 2]);
        assert!(Key::parse("ctrl-").unwrap_err().contains("expected like"));
        assert!(Key::parse("f25").is_err());
        assert!(Key::sequence(" ").is_err());
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,12}") {
            if let Ok(key) = Key::parse(&text) {
                prop_assert_eq!(Key::parse(&key.to_string()), Ok(key));
            }
        }
    }
}
