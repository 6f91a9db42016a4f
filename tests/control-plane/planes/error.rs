//! The one error of the harness: a sentence that says what failed and what the component said.

use std::fmt;

/// What went wrong, for a person who reads the output of a test.
#[derive(Debug, Clone)]
pub struct Error(String);

/// Result of the harness.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that says `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Turns any error into one that begins with what was being done.
    pub(crate) fn on<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self(format!("{what}: {error}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
