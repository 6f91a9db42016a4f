//! Clusters: who they are (kubeconfig), who we are to them (credentials), one connection to each
//! (transport), and what they serve and allow (discovery, access).
//!
//! | module | what |
//! |---|---|
//! | `request`, `response`, `session` | what other rooms use: a request in, an answer out |
//!
//! Nothing here retries, but for the one repetition after a 401 with fresh credentials: when to
//! try again is the caller's business, who knows what is on the screen.

mod credentials;
mod faults;
pub mod kubeconfig;
mod proxy;
mod request;
mod response;
mod session;
mod target;
#[cfg(test)]
mod test_server;
mod tier;
mod transport;

pub use credentials::Plugins;
pub use kubeconfig::{Found, Looked, Sources, find_clusters};
pub use request::Request;
pub use response::{Body, Response, StatusMessage};
pub use session::Session;
pub use target::{ClusterTarget, Connection};
pub use tier::tier_by_name;
