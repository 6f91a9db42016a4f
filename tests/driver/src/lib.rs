//! Drives Quarterdeck from outside: the built binary on a pseudo-terminal, and an embedded fleet by
//! its control endpoint. Tests, the bench, the plugs and the pictures of the README share it.

#![allow(clippy::unwrap_used, reason = "a terminal that cannot be opened ends the test")]

mod control;
mod fleet;
mod http;
mod kubeconfig;
pub mod process;
mod session;

pub use control::Control;
pub use fleet::Fleet;
pub use http::ask;
pub use kubeconfig::redirected;
pub use session::Session;
