//! The one place of the headless commands that prints.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use super::Stop;

/// A result. Whoever reads may go away in the middle, as `head` does: that is no failure.
pub(super) fn out(text: &str) -> Result<(), Stop> {
    with(|out| out.write_all(text.as_bytes()))
}

/// A result that is written piece by piece.
pub(super) fn with(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Stop> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Stop::usage(format!("the result cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// A line beside the result: progress, a doubt, an error. That nobody reads it changes nothing.
pub(super) fn err(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
