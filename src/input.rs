//! Input: key notation, the command table, and keymaps from files.
//!
//! Rank 1: it imports `model` only. A key press becomes a [`Key`]; a [`Keymap`] turns keys into
//! [`Command`]s, depending on the [`Mode`]s that are on; what a command does is the screen's
//! business. Help, the command line and the checks of keymap files all follow from the command
//! table.

mod command;
mod file;
mod key;
mod keymap;
mod reference;
mod terminal;

pub use command::{Command, CommandRow, Mode, Operation};
pub use file::{KEYMAPS, load};
pub use key::{Code, Key};
pub use keymap::{Keymap, Resolved};
pub use reference::reference;
