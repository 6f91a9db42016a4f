//! The line discipline of a terminal: keys come in one by one, are shown, and become lines.

/// What a key made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Typed {
    /// A line, ended with Enter.
    Line(String),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
}

/// A line that is being typed.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    /// The lines before it, and which of them is shown.
    history: Vec<String>,
    back: usize,
    /// An escape sequence that has begun.
    escape: Option<String>,
}

/// To the beginning of the line, and away with what is right of it.
const RUB_OUT: &str = "\u{8} \u{8}";

impl Line {
    /// Takes a key; says what is to be shown, and what it made.
    pub(super) fn key(&mut self, key: char) -> (String, Option<Typed>) {
        if let Some(mut sequence) = self.escape.take() {
            sequence.push(key);
            return self.sequence(sequence);
        }
        match key {
            '\r' | '\n' => {
                let line = std::mem::take(&mut self.text);
                if !line.trim().is_empty() && self.history.last() != Some(&line) {
                    self.history.push(line.clone());
                }
                self.back = 0;
                ("\r\n".to_owned(), Some(Typed::Line(line)))
            }
            '\u{3}' => {
                self.text.clear();
                ("^C\r\n".to_owned(), Some(Typed::Interrupt))
            }
            '\u{4}' if self.text.is_empty() => (String::new(), Some(Typed::End)),
            '\u{7f}' | '\u{8}' => {
                let rubbed = self.text.pop().is_some();
                (if rubbed { RUB_OUT.to_owned() } else { String::new() }, None)
            }
            '\u{15}' => (self.erase(usize::MAX), None),
            '\u{17}' => {
                let kept = self.text.trim_end().rfind(' ').map_or(0, |space| space + 1);
                (self.erase(self.text[kept..].chars().count()), None)
            }
            '\u{1b}' => {
                self.escape = Some(String::new());
                (String::new(), None)
            }
            key if key.is_control() => (String::new(), None),
            key => {
                self.text.push(key);
                (key.to_string(), None)
            }
        }
    }

    /// Takes so many letters away from the end.
    fn erase(&mut self, most: usize) -> String {
        let gone = self.text.chars().count().min(most);
        for _ in 0..gone {
            self.text.pop();
        }
        RUB_OUT.repeat(gone)
    }

    /// A key that is sent as several: the arrows up and down go through the lines before.
    fn sequence(&mut self, sequence: String) -> (String, Option<Typed>) {
        let over = sequence.len() > 1 && sequence.ends_with(|c: char| c.is_ascii_alphabetic() || c == '~');
        if !over && sequence.len() < 8 {
            self.escape = Some(sequence);
            return (String::new(), None);
        }
        let back = match sequence.as_str() {
            "[A" | "OA" => (self.back + 1).min(self.history.len()),
            "[B" | "OB" => self.back.saturating_sub(1),
            _ => return (String::new(), None),
        };
        self.back = back;
        let mut shown = self.erase(usize::MAX);
        if back > 0 {
            self.text.clone_from(&self.history[self.history.len() - back]);
            shown.push_str(&self.text);
        }
        (shown, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &mut Line, keys: &str) -> (String, Vec<Typed>) {
        let mut shown = String::new();
        let mut made = Vec::new();
        for key in keys.chars() {
            let (text, typed) = line.key(key);
            shown.push_str(&text);
            made.extend(typed);
        }
        (shown, made)
    }

    #[test]
    fn keys_become_lines() {
        let mut line = Line::default();
        assert_eq!(typed(&mut line, "exit\r"), ("exit\r\n".into(), vec![Typed::Line("exit".into())]));
        let (shown, made) = typed(&mut line, "lx\u{7f}s\r");
        assert_eq!((shown.as_str(), made), ("lx\u{8} \u{8}s\r\n", vec![Typed::Line("ls".into())]));
        assert_eq!(typed(&mut line, "abc\u{3}").1, [Typed::Interrupt]);
        assert_eq!(typed(&mut line, "\u{4}").1, [Typed::End]);
        assert_eq!(typed(&mut line, "a\u{4}\u{15}b c d\u{17}\r").1, [Typed::Line("b c ".into())]);
        assert_eq!(typed(&mut line, "\u{7f}").0, "", "nothing is left to rub out");
    }

    #[test]
    fn arrows_bring_lines_back() {
        let mut line = Line::default();
        typed(&mut line, "one\rtwo\r");
        assert_eq!(typed(&mut line, "\u{1b}[A\u{1b}[A\r").1, [Typed::Line("one".into())]);
        assert_eq!(typed(&mut line, "\u{1b}[A\u{1b}[B\u{1b}[Cx\r").1, [Typed::Line("x".into())]);
    }
}
