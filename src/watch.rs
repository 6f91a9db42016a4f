//! Watches: every kind of every cluster, kept up to date or honestly marked as not.
//!
//! A cluster has one task that connects, discovers and notices when the connection is dead, and
//! under it one task per kind. What a kind's task does is decided by a pure [`machine::Machine`];
//! the task only carries it out over a session and sends what is learnt as
//! [`Delta`](crate::model::Delta)s. [`Supervisor::start`] begins it all.
//!
//! | module | what |
//! |---|---|
//! | `supervisor` | starts the fleet; focus, retry, shutdown |
//! | `keeper` | one cluster: connection, discovery, outages |
//! | `task` | one kind: carries out what its machine decides |
//! | [`machine`] | what to do next, purely |
//! | `exchange`, `answer`, `inflate` | one request; from bytes to what the machine is told |
//! | `large` | how much answers may hold of objects that are coming in |
//! | `admission` | whose turn it is to list |
//! | `audit` | compares what is known with what servers list, slowly |
//! | `metrics` | what nodes and pods use, polled |
//! | `pulse` | how long servers take to answer, when that is news |
//! | `clock` | time, and the notice of sleep |

mod admission;
mod answer;
mod audit;
mod clock;
mod discover;
mod exchange;
mod inflate;
mod keeper;
mod large;
pub mod machine;
mod metrics;
mod pulse;
mod supervisor;
mod task;

pub use clock::Clock;
pub use supervisor::{Handle, Options, Supervisor};
