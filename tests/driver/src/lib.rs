//! Drives Quarterdeck from outside: the built binary on a pseudo-terminal, and an embedded fleet by
//! its control endpoint. Tests, the bench and the pictures of the README share it.

#![allow(clippy::unwrap_used, reason = "a terminal that cannot be opened ends the test")]

mod control;
mod session;

pub use control::Control;
pub use session::Session;
