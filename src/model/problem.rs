//! What is wrong with a file that a person wrote: settings, keymaps, themes, plans.

use std::fmt;

use super::Text;

/// The text of a file, read by somebody else, and what to call it in messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The file, as the person would name it.
    pub file: String,
    /// What it says.
    pub text: String,
}

/// Something wrong in a file: where, what was expected, and never the end of the program.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Problem {
    /// The file.
    pub file: Text,
    /// The line in it, counted from one, where it is known.
    pub line: Option<usize>,
    /// What is wrong and what was expected.
    pub what: Text,
}

impl Problem {
    /// A problem at a byte of a source.
    #[must_use]
    pub fn at(source: &Source, byte: usize, what: impl AsRef<str>) -> Problem {
        let before = source.text.as_bytes().iter().take(byte);
        let line = before.filter(|b| **b == b'\n').count() + 1;
        Problem { line: Some(line), ..Problem::of(&source.file, what) }
    }

    /// A problem of a whole file.
    #[must_use]
    pub fn of(file: &str, what: impl AsRef<str>) -> Problem {
        Problem { file: Text::clean(file), line: None, what: Text::clean(what.as_ref()) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

impl std::error::Error for Problem {}
