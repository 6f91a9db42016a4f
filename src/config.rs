//! Settings and directories.
//!
//! Rank 2. A mistake in a settings file is a [`Problem`](crate::model::Problem) with its line;
//! what the file says rightly beside it still holds, and the program starts.

mod dirs;
mod rules;
mod settings;

pub use dirs::Dirs;
pub use settings::{ClusterRule, Loaded, Settings, load, parse, with_theme_of};
