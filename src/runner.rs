//! The runner: carries plans out against clusters and tells what becomes of them.
pub mod journal;
