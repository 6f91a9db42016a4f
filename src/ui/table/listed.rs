//! Which rows are listed: those that pass the filter. A long table is looked through in steps, so that no key waits for
//! it: what passes among its first rows is on screen at once, the others follow.

use super::{Computed, Filter, Slot, TableState};
use crate::model::{Text, Tone, grouped};
use crate::views::{RowId, RowView};

/// Rows that are looked at in one step: some milliseconds of work where none of them is in the processor's caches.
pub(in crate::ui) const STEP: usize = 10_000;

/// Rows that are still to be looked at.
pub(super) struct Rest {
    among: Vec<u32>,
    from: usize,
    /// Where the cursor is to be when its row is found.
    cursor: Option<RowId>,
}

/// What rows must be like to be listed.
#[derive(Clone, PartialEq, Default)]
pub(in crate::ui) struct Pass {
    pub(in crate::ui) filter: Filter,
    pub(in crate::ui) only_bad: bool,
}

impl Pass {
    /// Whether every row passes.
    pub(in crate::ui) fn all(&self) -> bool {
        self.filter.is_empty() && !self.only_bad
    }

    /// Those of these rows that pass, and what is wrong with the filter here.
    pub(super) fn among(&self, computed: &Computed, among: &[u32]) -> (Vec<u32>, Option<Text>) {
        let filter = self.filter.bind(&computed.sheet, &computed.places, computed.shown_at);
        let rows = &computed.sheet.rows;
        let bad = |row: &RowView<'_>| !self.only_bad || row.tone() > Tone::Paused;
        let mut spare = String::new();
        let mut passes = |index: u32| {
            let mut fits = |row: RowView<'_>| bad(&row) && filter.passes(&row, &mut spare);
            self.all() || rows.look(index as usize).is_some_and(&mut fits)
        };
        let passing = among.iter().copied().filter(|index| passes(*index)).collect();
        (passing, filter.problem.clone())
    }
}

impl TableState {
    /// How many of all rows are listed: `12 of 1,306`, and `12+ of 1,306` while the rest is looked through.
    pub(in crate::ui) fn listed_of_all(&self) -> String {
        let listed = self.slots.len() - usize::from(self.ghost.is_some());
        let more = if self.looking() { "+" } else { "" };
        format!("{}{more} of {}", grouped(listed as u64), grouped(self.total() as u64))
    }

    /// Whether there are rows that are still to be looked at.
    pub(in crate::ui) fn looking(&self) -> bool {
        self.rest.is_some()
    }

    /// Whether a sheet's rows were looked through for what is wanted now.
    pub(in crate::ui) fn listed_by(&self, computed: &Computed) -> bool {
        self.pass.all() || computed.listed.as_ref().is_some_and(|(pass, ..)| *pass == self.pass)
    }

    /// Lists all rows that pass.
    pub(super) fn list(&mut self) {
        let Some(computed) = self.computed.clone() else { return };
        self.rest = None;
        match &computed.listed {
            _ if self.pass.all() => {
                self.slots.clear();
                self.filter_problem = None;
                self.add(&computed, &computed.order);
            }
            Some((pass, rows, problem)) if *pass == self.pass => {
                self.slots.clear();
                self.filter_problem.clone_from(problem);
                self.add(&computed, rows);
            }
            _ => {
                self.begin(computed.order.clone(), None);
                self.look_through();
            }
        }
    }

    fn begin(&mut self, among: Vec<u32>, cursor: Option<RowId>) {
        self.slots.clear();
        self.rest = Some(Rest { among, from: 0, cursor });
    }

    /// Looks through some more rows.
    pub(in crate::ui) fn look_on(&mut self) {
        let (Some(mut rest), Some(computed)) = (self.rest.take(), self.computed.clone()) else { return };
        let left = rest.among.get(rest.from..).unwrap_or_default();
        let step = left.get(..STEP).unwrap_or(left);
        let (rows, problem) = self.pass.among(&computed, step);
        rest.from += step.len();
        self.filter_problem = problem;
        self.add(&computed, &rows);
        if rest.from < rest.among.len() {
            self.rest = Some(rest);
        } else if let Some(at) = rest.cursor.and_then(|id| self.find(&id)) {
            self.put(at);
        }
    }

    /// Looks through all rows that are left.
    pub(in crate::ui) fn look_through(&mut self) {
        while self.looking() {
            self.look_on();
        }
    }

    fn add(&mut self, computed: &Computed, rows: &[u32]) {
        let muted: Vec<usize> = self.muted.keys().filter_map(|id| computed.sheet.rows.find(id)).collect();
        let shown = rows.iter().filter(|index| !muted.contains(&(**index as usize)));
        self.slots.extend(shown.map(|index| Slot::Row(*index)));
    }

    /// Puts another filter on. Where it only says more than the one before, the rows that this left
    /// out are not looked at again: a long table follows the typing.
    pub(in crate::ui) fn refilter(&mut self, filter: Filter) {
        let narrower = filter.narrows(&self.pass.filter);
        self.pass.filter = filter;
        if !narrower {
            return self.relist();
        }
        let listed = self.slots.iter().filter_map(|slot| match slot {
            Slot::Row(index) => Some(*index),
            Slot::Ghost => None,
        });
        let rest = self.rest.iter().flat_map(|rest| rest.among.get(rest.from..).unwrap_or_default());
        let among = listed.chain(rest.copied()).collect();
        self.relist_among(among);
    }

    /// Lists again after the filter changed; the cursor stays on its row if that still passes.
    pub(in crate::ui) fn relist(&mut self) {
        let all = self.computed.as_ref().map_or_else(Vec::new, |computed| computed.order.clone());
        self.relist_among(all);
    }

    fn relist_among(&mut self, among: Vec<u32>) {
        self.ghost = None;
        let cursor = self.rest.take().map_or_else(|| self.cursor.clone(), |rest| rest.cursor);
        self.begin(among, cursor.clone());
        self.look_on();
        let at = cursor.and_then(|id| self.find(&id)).unwrap_or(0);
        self.put(at);
    }

    fn put(&mut self, at: usize) {
        self.at = at;
        self.cursor = self.current().map(|row| row.id.clone());
        self.drawn.clone_from(&self.cursor);
        self.top = self.top.min(self.at);
    }
}
