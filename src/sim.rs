//! The embedded fleet: simulated clusters in this process, reached over HTTPS on loopback.
//!
//! Each cluster has an API server (discovery, lists in pages, tables, watches, patches, scale,
//! eviction, access reviews, metrics) and controllers that make what is asked for happen, so that
//! drains, scalings, failovers and outages really play out. It is what `quarterdeck demo` shows,
//! what other clients can be pointed at, and the ground of the tests. It shares nothing with the
//! rest of the program but the kinds' declarations: everything goes over the wire.
//!
//! | part | what |
//! |---|---|
//! | [`Scenario`] | a text file: which clusters, what runs, what goes wrong |
//! | [`Fleet`], [`Control`] | the running fleet, and handles to disturb it |
//! | `server`, `gate`, `tls` | a listener per cluster, and the way to it, which faults make slow, silent or broken |
//! | `faults`, `endpoint` | what can be switched on to go wrong, by scenarios and over HTTP while it runs |
//! | [`Workstation`] | the machine of whoever looks at the fleet: its kubeconfig, its login, what fails there |
//! | `api`, `encoded` | the protocol, one file per concern; changes are encoded once for all watches |
//! | `objects`, `patch`, `selector`, `refusal` | what a server keeps and how it refuses |
//! | `layout`, `managed`, `validation`, `admission`, `quota`, `limits` | what clients' writes are merged, owned, checked, filled in and limited by |
//! | `shell` | what containers run when somebody talks to them |
//! | `resources`, `schema`, `custom`, `json_path` | what is served: built-in kinds, their fields, and what clients define |
//! | `world`, `queue`, `cache`, `load` | a cluster's state, and what is due when |
//! | `controllers` | what moves it, one file each |
//!
//! Time is logical: with [`Pace::Manual`] a test moves it by hand, and everything random follows
//! from the scenario's seed.

mod admission;
mod api;
mod cache;
mod clock;
mod cluster;
mod control;
mod controllers;
mod custom;
mod encoded;
mod endpoint;
mod eviction;
mod faults;
mod fields;
mod fleet;
mod gate;
mod json;
mod json_path;
mod layout;
mod limits;
mod load;
mod machines;
mod managed;
mod objects;
mod patch;
mod queue;
mod quota;
mod random;
mod refusal;
mod resources;
mod room;
mod scenario;
mod schema;
mod selector;
mod server;
mod shell;
mod timing;
mod tls;
mod validation;
mod workstation;
mod world;

pub use api::Role;
pub use clock::Pace;
pub use control::Control;
pub use faults::{Local, Signal};
pub use fleet::{Fleet, FleetError, Options};
pub use scenario::{About, Scenario, ScenarioError};
pub use workstation::{Files, Workstation};

#[cfg(test)]
mod tests;
