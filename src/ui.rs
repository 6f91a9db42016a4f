//! The screen: panes, overlays, widgets. It sees snapshots, a theme and the time, and returns
//! effects; it never does anything itself.
//!
//! Rank 3: it names no client, no runtime, no file and no clock.

mod effect;

pub use effect::{Detail, Effect, Inbound, Reading};
