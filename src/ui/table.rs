//! The table of a pane: cursor, filter, order. It holds on to identities; where they are in the
//! list is found again with every sheet.

mod columns;
mod draw;
mod filter;
mod job;
mod listed;
mod motion;
mod widths;

pub(super) use columns::fit;
pub(super) use draw::{Look, draw};
pub(super) use filter::{Filter, completions, contains, find};
pub(super) use job::{Computed, JobKey};
pub use job::{SheetDone, SheetJob};
pub(super) use listed::{Pass, STEP};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Span, Text, Time};
use crate::views::{RowId, SheetRow};
use listed::Rest;

/// For how long rows do not move after the cursor did.
pub(super) const HOLD: Span = Span::from_seconds(5);

/// What stands on a line of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Slot {
    /// This row of the sheet.
    Row(u32),
    /// The row that is gone.
    Ghost,
}

/// A row that is gone while the cursor is on it.
#[derive(Clone, Debug)]
pub(super) struct Ghost {
    pub(super) row: SheetRow,
    pub(super) since: Time,
}

/// The state of one pane's table.
#[derive(Default)]
pub(super) struct TableState {
    pub(super) computed: Option<Arc<Computed>>,
    pub(super) slots: Vec<Slot>,
    pub(super) cursor: Option<RowId>,
    /// The row that keys are meant for: the one that was under the cursor when the screen was drawn
    /// last, or to which keys moved it since. `None` while the screen shows no cursor.
    pub(super) drawn: Option<RowId>,
    /// The rows that were drawn last, line by line: clicks are meant for them.
    pub(super) lines: Vec<RowId>,
    /// Where the cursor is in `slots`.
    pub(super) at: usize,
    /// The first slot on screen.
    pub(super) top: usize,
    /// How many rows the screen showed last.
    pub(super) page: usize,
    /// Whether the cursor was ever moved: until then it stays on the first row.
    pub(super) touched: bool,
    pub(super) held_until: Option<Time>,
    pub(super) ghost: Option<Ghost>,
    pub(super) anchor: Option<RowId>,
    /// What rows must be like to be listed.
    pub(super) pass: Pass,
    /// Rows that were not looked at yet.
    rest: Option<Rest>,
    /// What is wrong with the filter here.
    pub(super) filter_problem: Option<Text>,
    /// The title of the column that rows are sorted by, and whether backwards. A sheet without such
    /// a column comes in its own order.
    pub(super) sort: Option<(Text, bool)>,
    pub(super) lens: usize,
    /// Columns scrolled away on the left, after the first.
    pub(super) shift: usize,
    pub(super) wide: bool,
    /// The widest cell of each column that was met.
    pub(super) widest: Vec<u16>,
    pub(super) in_flight: Option<JobKey>,
    /// What the cursor's row says in a cell that is too narrow for it.
    pub(super) cut: Option<Text>,
    /// New rows were asked for: the next sheet comes in its own order.
    pub(super) release: bool,
    /// Rows that are not shown until then; they still count.
    pub(super) muted: BTreeMap<RowId, Time>,
}

impl TableState {
    /// The row under the cursor; a ghost when it is gone.
    pub(super) fn current(&self) -> Option<Cow<'_, SheetRow>> {
        self.at_slot(self.at)
    }

    /// The row of a slot.
    pub(super) fn at_slot(&self, at: usize) -> Option<Cow<'_, SheetRow>> {
        match self.slots.get(at)? {
            Slot::Ghost => self.ghost.as_ref().map(|g| Cow::Borrowed(&g.row)),
            Slot::Row(index) => self.row(*index),
        }
    }

    /// Whether the cursor is on a row that is gone.
    pub(super) fn on_ghost(&self) -> bool {
        self.slots.get(self.at) == Some(&Slot::Ghost)
    }

    pub(super) fn row(&self, index: u32) -> Option<Cow<'_, SheetRow>> {
        self.computed.as_ref()?.sheet.rows.get(index as usize)
    }

    /// The rows that are shown, in their order, without a ghost.
    pub(super) fn shown(&self) -> impl Iterator<Item = Cow<'_, SheetRow>> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Row(index) => self.row(*index),
            Slot::Ghost => None,
        })
    }

    /// How many rows there are before the filter.
    pub(super) fn total(&self) -> usize {
        self.computed.as_ref().map_or(0, |c| c.total)
    }

    /// How many rows wait because the order is held.
    pub(super) fn withheld(&self) -> usize {
        self.computed.as_ref().map_or(0, |c| c.withheld)
    }

    pub(super) fn held(&self, now: Time) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    /// Lets the cursor follow the first row again, whatever that is.
    pub(super) fn follow_first(&mut self) {
        self.touched = false;
        self.drawn = None;
    }

    /// Forgets what was drawn: what is not on screen any more, no key can mean.
    pub(super) fn hide(&mut self) {
        self.drawn = None;
        self.lines.clear();
    }

    /// Puts the cursor on the row that was under it when the screen was drawn, and keeps it there:
    /// a newer sheet may have come since. Says whether that row is still there.
    pub(super) fn aim(&mut self, now: Time) -> bool {
        self.held_until = Some(now + HOLD);
        self.touched = true;
        let Some(id) = self.drawn.clone() else { return false };
        if self.current().is_some_and(|row| row.id == id) {
            self.cursor = Some(id);
            return true;
        }
        let found = self.find(&id);
        if let Some(at) = found {
            self.at = at;
            self.cursor = Some(id);
            self.scroll();
        }
        found.is_some()
    }

    /// Takes a newer sheet: the cursor's row keeps its place on the screen.
    pub(super) fn take(&mut self, computed: Arc<Computed>, now: Time) {
        let before = self.current().map(Cow::into_owned);
        self.muted.retain(|_, until| now < *until);
        let gone_since = self.ghost.as_ref().map(|ghost| ghost.since);
        let same = self.computed.as_ref().is_some_and(|before| before.key.same_view(&computed.key));
        self.computed = Some(computed);
        self.take_widths(same);
        let Some(id) = self.cursor.clone().filter(|_| self.touched) else {
            self.ghost = None;
            self.list();
            self.at = 0;
            self.cursor = self.current().map(|row| row.id.clone());
            return;
        };
        let on_screen = self.at.saturating_sub(self.top);
        self.ghost = None;
        self.list();
        if let Some(at) = self.find(&id) {
            self.at = at;
        } else if let Some(index) = self.index_of(&id).filter(|_| same) {
            // The filter leaves it out now, but it is not gone: it stays until the cursor leaves it.
            self.at = self.at.min(self.slots.len());
            self.slots.insert(self.at, Slot::Row(index));
        } else if let Some(row) = before.filter(|row| same && row.id == id) {
            self.ghost = Some(Ghost { row, since: gone_since.unwrap_or(now) });
            self.at = self.at.min(self.slots.len());
            self.slots.insert(self.at, Slot::Ghost);
        } else {
            self.at = self.at.min(self.slots.len().saturating_sub(1));
        }
        self.top = self.at.saturating_sub(on_screen);
    }

    /// Puts the cursor on this row, now or when it comes.
    pub(super) fn seek(&mut self, id: RowId) {
        self.cursor = Some(id);
        self.touched = true;
        self.relist_to_cursor();
    }

    /// Lists again; the cursor stays on what it wants even when that is not there yet.
    fn relist_to_cursor(&mut self) {
        let wanted = self.cursor.clone();
        self.relist();
        self.look_through();
        self.cursor = wanted;
    }

    /// Sorts the other way round; by the first column where no column was chosen.
    pub(super) fn sort_back(&mut self) {
        let columns = self.computed.as_ref().map_or(&[][..], |computed| &computed.sheet.columns);
        let first = columns.iter().find(|column| !column.title.is_empty());
        let first = first.map(|column| (column.title.clone(), false));
        self.sort = self.sort.take().or(first).map(|(column, back)| (column, !back));
    }

    /// Leaves the row under the cursor out until then; the cursor goes to the one that takes its place.
    pub(super) fn mute(&mut self, until: Time, now: Time) {
        let Some(id) = self.current().map(|row| row.id.clone()) else { return };
        let at = self.at;
        self.muted.insert(id, until);
        self.relist();
        self.look_through();
        self.go(at, now);
    }

    pub(super) fn find(&self, id: &RowId) -> Option<usize> {
        let index = self.index_of(id)?;
        self.slots.iter().position(|slot| *slot == Slot::Row(index))
    }

    /// Where a row is in the sheet, listed or not.
    fn index_of(&self, id: &RowId) -> Option<u32> {
        self.computed.as_ref()?.sheet.rows.find(id).and_then(|index| u32::try_from(index).ok())
    }
}
