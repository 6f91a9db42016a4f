//! Quarterdeck.
pub mod model;
