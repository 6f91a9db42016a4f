//! Views: pure derivations from the fleet, and what the store derives with every delta.
//!
//! Rank 1: it imports `model` only. A view is a function of a [`Snapshot`], a [`Scope`] and the
//! time; whoever shows it remembers it by the generation of the clusters it looked at. What a
//! pane shows is a [`Sheet`], which the screen draws and `quarterdeck get` prints.

pub mod capacity;
pub mod cost;
pub mod fleet;
pub mod health;
pub mod objects;
pub mod placement;
pub mod prices;
pub mod scaling;
#[cfg(test)]
pub(crate) mod scenes;
mod scope;
mod sheet;
mod snapshot;

pub use scope::{Scope, grouping};
pub use sheet::{Chart, Evidence, EvidenceLine, Hint, RowId, RowView, Sheet, SheetRow, SheetRows};
pub use snapshot::{ExtrasOf, Observer, PriceOf, Rule, Snapshot};
