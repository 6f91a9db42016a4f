//! The application: puts the rooms together and runs effects.
//!
//! Rank 5, the composition root: the only room that knows all others.

pub mod cli;
mod clock;
mod opened;
mod output;
mod read;
mod terminal;
