//! The screen: panes, overlays, widgets. It sees snapshots, a theme and the time, and returns
//! effects; it never does anything itself.
//!
//! Rank 3: it names no client, no runtime, no file and no clock.
//!
//! [`Ui`] takes keys ([`Ui::key`]) and news ([`Ui::inbound`]) and returns [`Effect`]s; it is drawn
//! with [`Ui::draw`]. What a pane shows is computed apart from keys: [`Ui::job`] hands out what is
//! due, [`SheetJob::run`] computes it wherever there is time, [`Ui::sheet`] takes the result.
//! [`Ui::next_change`] says when to draw again though nothing came in.

mod alarm;
mod canvas;
mod draw;
mod effect;
mod field;
mod first_run;
mod frame;
mod keys;
mod overlays;
mod pane;
pub mod panes;
mod past;
mod proposal;
mod rows;
mod runs;
mod screen;
mod sheets;
mod summary;
mod table;
mod text_view;
mod told;
mod travel;
mod tree;
mod unfinished;
mod verbs;

pub use effect::{Detail, Effect, Inbound, LogNews, Opening, Reading};
pub use pane::{Enter, PaneDecl, PaneInput, no_evidence, open_objects};
pub use screen::{Settings, Ui};
pub use table::{SheetDone, SheetJob};
pub use told::{JournalLine, JournalPage, Told};
