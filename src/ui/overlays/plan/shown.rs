//! A line of a plan as it is shown, and how it is cut to the width of the screen.

use super::LABEL;
use crate::model::Tone;
use crate::operations::Line;
use crate::theme::Role;

/// A line of the plan.
#[derive(Default)]
pub(super) struct Shown {
    pieces: Vec<(String, Role)>,
    /// Which of the plan's choices it is.
    pub(super) choice: Option<usize>,
}

impl Shown {
    pub(super) fn of(pieces: &[(&str, Role)]) -> Shown {
        Shown {
            pieces: pieces.iter().map(|(text, role)| ((*text).to_owned(), *role)).collect(),
            choice: None,
        }
    }

    pub(super) fn pieces(&self) -> Vec<(&str, Role)> {
        self.pieces.iter().map(|(text, role)| (text.as_str(), *role)).collect()
    }

    /// The same in lines of so many cells, cut between words; later lines begin under the first
    /// piece's end. A word that is longer than a line is cut where the line ends.
    pub(super) fn wrapped(&self, width: usize) -> Vec<Shown> {
        let indent = self.pieces.first().map_or(0, |(text, _)| text.chars().count()).min(width / 2);
        let mut lines = vec![Shown { choice: self.choice, ..Shown::default() }];
        let mut x = 0;
        for (text, role) in &self.pieces {
            for word in text.split_inclusive(' ') {
                let mut rest: Vec<char> = word.chars().collect();
                if x > indent && x + word.trim_end().chars().count() > width {
                    lines.push(Shown::of(&[(&" ".repeat(indent), Role::Text)]));
                    x = indent;
                }
                // The space behind a word may stand where the line ends.
                while x + seen(&rest) > width {
                    let left = rest.split_off(width.saturating_sub(x).clamp(1, rest.len()));
                    x += rest.len();
                    if let Some(line) = lines.last_mut() {
                        line.pieces.push((rest.iter().collect(), *role));
                    }
                    rest = left;
                    if seen(&rest) == 0 {
                        break;
                    }
                    lines.push(Shown::of(&[(&" ".repeat(indent), Role::Text)]));
                    x = indent;
                }
                x += rest.len();
                if let Some(line) = lines.last_mut() {
                    line.pieces.push((rest.into_iter().collect(), *role));
                }
            }
        }
        lines
    }

    pub(super) fn line(line: &Line) -> Shown {
        let count = line.count.map_or_else(String::new, |count| count.to_string());
        let label = format!("{:<width$} {count:>3}  ", line.label, width = LABEL - 5);
        let role = crate::theme::tone_role(line.tone);
        let glyph = if line.tone == Tone::Ok {
            String::new()
        } else {
            format!("{} ", crate::theme::tone_glyph(line.tone))
        };
        Shown::of(&[(&label, Role::TextDim), (&glyph, role), (&line.text, Role::Text)])
    }
}

/// How much of a word is seen: all but the spaces at its end.
fn seen(word: &[char]) -> usize {
    word.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &Shown) -> String {
        line.pieces.iter().map(|(text, _)| text.as_str()).collect()
    }

    #[test]
    fn lines_are_cut_between_words_and_nothing_is_lost() {
        let line = Shown::of(&[("label  ", Role::TextDim), ("46 wait for a new node", Role::Text)]);
        let lines: Vec<String> = line.wrapped(20).iter().map(text).collect();
        assert_eq!(lines, ["label  46 wait for a ", "       new node"]);
        let long = Shown::of(&[("  ", Role::Text), ("abcdefghijklmnop", Role::Text)]);
        let lines: Vec<String> = long.wrapped(10).iter().map(text).collect();
        assert_eq!(lines, ["  abcdefgh", "  ijklmnop"]);
        assert_eq!(Shown::default().wrapped(10).len(), 1);
        let words =
            Shown::of(&[("its own strategy says how many at a time, as last seen 49s ago", Role::Text)]);
        for width in 20..70 {
            let lines: Vec<String> = words.wrapped(width).iter().map(text).collect();
            assert!(lines.iter().all(|line| line.trim_end().chars().count() <= width), "{width}: {lines:?}");
            let back: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
            assert_eq!(back.join(" "), words.pieces[0].0, "{width}");
        }
    }
}
