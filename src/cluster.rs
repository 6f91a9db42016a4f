//! Clusters: who they are (kubeconfig), who we are to them (credentials), one connection to each
//! (transport), and what they serve and allow (discovery, access).
//!
//! | module | what |
//! |---|---|
//! | `kubeconfig`, `tier` | files to targets: which clusters there are and how to reach each |
//! | `proxy` | which proxy leads to a server, and `NO_PROXY` |
//! | `credentials` | tokens, token files, plugins: who we are to a server |
//! | `transport` | TCP, proxy, TLS, HTTP/2 or HTTP/1.1: one connection to a server |
//! | `request`, `response`, `session` | what other rooms use: a request in, an answer out |
//! | `faults` | errors of the network and of servers in words |
//! | `discovery`, `access` | what a server serves, what it lets us do |
//!
//! The way in: [`find_clusters`] gives [`ClusterTarget`]s, [`Session::new`] makes a session of
//! each with the one [`Plugins`] of the fleet, [`discover`] says what the server is, and
//! [`Session::send`] does everything else.
//!
//! Nothing here retries, but for the one repetition after a 401 with fresh credentials: when to
//! try again is the caller's business, who knows what is on the screen.

mod access;
mod credentials;
mod discovery;
mod faults;
pub mod kubeconfig;
#[cfg(test)]
#[path = "../tests/fuzz/mutate.rs"]
#[allow(clippy::print_stderr, reason = "a case that fails says how to run it alone")]
pub(crate) mod mutate;
mod proxy;
mod request;
mod response;
mod session;
mod target;
#[cfg(test)]
mod test_server;
mod tier;
mod transport;

pub use access::{Access, Action, may};
pub use credentials::Plugins;
pub use discovery::{ALIVE_LIMIT, Declared, Discovery, discover, identity, version, version_within};
pub use kubeconfig::{Found, Looked, Sources, find_clusters, rewritten};
pub use request::Request;
pub use response::{Body, Response, StatusMessage};
pub use session::Session;
pub use target::{ClusterTarget, Connection, Names};
pub use tier::tier_by_name;
pub use transport::towards_anybody;
