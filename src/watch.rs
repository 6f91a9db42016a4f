//! Watches: every kind of every cluster, kept up to date or honestly marked as not.
//!
//! A cluster has one task that connects, discovers and notices when the connection is dead, and
//! under it one task per kind. What a kind's task does is decided by a pure [`machine::Machine`];
//! the task only carries it out over a session and sends what is learnt as
//! [`Delta`](crate::model::Delta)s.

mod admission;
mod answer;
mod clock;
mod inflate;
pub mod machine;

pub use clock::Clock;
