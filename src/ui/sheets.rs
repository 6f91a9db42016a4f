//! Sheets: when the one on screen is computed, taken, and looked through for the filter.

use std::sync::Arc;

use super::screen::Ui;
use super::table::{Computed, JobKey, STEP, SheetDone, SheetJob, TableState};
use crate::model::{Span, Time};

/// How often a sheet without rows is computed at most while the fleet is still connecting.
const FIRST: Span = Span::from_millis(50);

/// How often a sheet is computed at most while the fleet changes.
pub(super) const REFRESH: Span = Span::from_millis(500);

/// Of its time a core computes sheets for one part in so many at most, while that makes nothing
/// older than [`SLOWEST`].
const SHARE: i64 = 20;

/// How far apart large sheets are computed at most.
const SLOWEST: Span = Span::from_seconds(2);

/// How often a sheet is computed for its ages alone.
const AGES: Span = Span::from_seconds(10);

impl Ui {
    fn job_key(&self, now: Time) -> Option<JobKey> {
        let table = self.tables.get(self.active)?;
        Some(JobKey {
            pane: self.active,
            sequence: self.snapshot()?.sequence,
            scope: self.scope.clone(),
            lens: table.lens,
            kind: self.kind,
            unit: self.unit,
            sort: table.sort.clone(),
            labels: table.pass.filter.labels.clone(),
            runs: self.runs_version,
            frozen: self.frozen.as_ref().map(|held| held.sequence),
            face: self.face.clone(),
            held: table.held(now) || !self.marks.is_empty() || !self.overlays.is_empty(),
        })
    }

    /// When the sheet on screen is to be computed again; `None` while that is under way.
    pub(super) fn job_due(&self, now: Time) -> Option<Time> {
        let sheet = self.sheet_due(now);
        let table = self.tables.get(self.active)?;
        if table.in_flight.is_some() {
            return sheet;
        }
        let alarms = self.newest.as_ref().map(|newest| self.alarms.due(newest, now));
        [sheet, alarms].into_iter().flatten().min()
    }

    /// When its rows are.
    fn sheet_due(&self, now: Time) -> Option<Time> {
        let table = self.tables.get(self.active)?;
        let wanted = self.job_key(now)?;
        if table.in_flight.as_ref().is_some_and(|key| key.same_view(&wanted)) {
            return None;
        }
        let Some(computed) = &table.computed else { return Some(now) };
        let had = &computed.key;
        if table.release
            || !had.same_view(&wanted)
            || had.sort != wanted.sort
            || (had.held && !wanted.held && computed.withheld > 0)
        {
            return Some(now);
        }
        let changed = had.sequence != wanted.sequence || had.runs != wanted.runs;
        if !changed && wanted.frozen.is_some() && !self.shows_runs() {
            return None;
        }
        // Whoever just started waits for the first rows.
        let least = if computed.total == 0 && self.connecting() { FIRST } else { REFRESH };
        Some(computed.at + if changed { refresh(computed.took, least) } else { self.ages(now) })
    }

    fn ages(&self, now: Time) -> Span {
        if self.counting(now) { Span::from_seconds(1) } else { AGES }
    }

    /// The sheet that has to be computed now, if one has. Run it wherever there is time, and hand
    /// the result to [`Ui::sheet`]; keys work meanwhile.
    pub fn job(&mut self, now: Time) -> Option<SheetJob> {
        if self.job_due(now)? > now {
            return None;
        }
        let key = self.job_key(now)?;
        let pane = *self.panes.get(self.active)?;
        let snapshot = Arc::clone(self.snapshot()?);
        let runs = Arc::clone(&self.runs);
        let table = self.tables.get_mut(self.active)?;
        table.in_flight = Some(key.clone());
        let same = |computed: &&Arc<Computed>| {
            computed.key.same_view(&key) && computed.key.sort == key.sort && table.touched
        };
        let hold = table.computed.as_ref().filter(|_| key.held && !table.release).filter(same).cloned();
        table.release = false;
        let before = table.computed.as_ref().filter(|computed| computed.key.same_view(&key)).cloned();
        let pass = table.pass.clone();
        let recoveries = Arc::clone(&self.settings.recoveries);
        let told = Arc::clone(&self.told);
        let newest = self.newest.clone().filter(|newest| self.alarms.due(newest, now) <= now);
        if let Some(newest) = &newest {
            self.alarms.looking(newest, now);
        }
        let shown_at = self.pane_time(now);
        let alarms = newest;
        Some(SheetJob {
            key,
            pane,
            snapshot,
            runs,
            recoveries,
            told,
            alarms,
            before,
            hold,
            pass,
            shown_at,
            now,
        })
    }

    /// Takes a computed sheet.
    pub fn sheet(&mut self, done: SheetDone, now: Time) {
        if let Some(critical) = done.critical {
            for ended in self.alarms.take(critical, now) {
                let since = self.face.column(ended.at, now);
                self.notice(now, format!("{}: critical at {since}, ended before anybody looked", ended.text));
            }
        }
        let Some(table) = self.tables.get_mut(done.key.pane) else { return };
        if table.in_flight.as_ref() == Some(&done.key) {
            table.in_flight = None;
        }
        let long = done.computed.order.len() > STEP;
        let older = table.computed.as_ref().is_some_and(|before| before.key.same_view(&done.key));
        if long && older && !table.listed_by(&done.computed) {
            // Its rows would have to be looked through again, for what was typed meanwhile: the next one is.
            table.release |= table.withheld() > done.computed.withheld;
            return;
        }
        let took = done.computed.at.age(now);
        table.take(Arc::new(Computed { took, ..done.computed }), now);
    }

    /// Computes here and now whatever is due: for tests and for small fleets.
    pub fn settle(&mut self, now: Time) {
        while let Some(job) = self.job(now) {
            self.sheet(job.run(), now);
        }
        self.look_through();
    }

    /// Whether rows of a long table are still to be looked through for the filter.
    #[must_use]
    pub fn looking(&self) -> bool {
        self.tables.get(self.active).is_some_and(TableState::looking)
    }

    /// Looks through some more of them, for some milliseconds.
    pub fn look_on(&mut self) {
        if let Some(table) = self.tables.get_mut(self.active) {
            table.look_on();
        }
    }

    /// Looks through all of them: what is to be done next is about all rows.
    pub(super) fn look_through(&mut self) {
        if let Some(table) = self.tables.get_mut(self.active) {
            table.look_through();
        }
    }
}

/// How long a sheet that took so long to compute is shown at least.
fn refresh(took: Span, least: Span) -> Span {
    Span::from_millis(took.millis().saturating_mul(SHARE)).clamp(least, SLOWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheets_that_take_long_are_computed_less_often() {
        let shown = |took| refresh(Span::from_millis(took), REFRESH).millis();
        assert_eq!([0, 25, 40, 100, 5_000, -3].map(shown), [500, 500, 800, 2_000, 2_000, 500]);
    }
}
