//! What became critical while the screen was open, until somebody has seen it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::screen::Ui;
use crate::model::{Cluster, ClusterId, Kind, Symptom, SymptomCause, Text, Time, Tone, Uid};
use crate::views::{RowId, Scope, Snapshot, health};

/// The pane whose rows are findings.
const FINDINGS: &str = "health";

/// The critical causes that are known, and those that nobody has seen yet.
#[derive(Default)]
pub(super) struct Alarms {
    known: BTreeMap<ClusterId, Known>,
    /// The newest last.
    unseen: Vec<Alarm>,
}

struct Known {
    symptoms: Arc<FxHashMap<Uid, Symptom>>,
    /// When the first of them begins to count that did not count yet.
    next: Option<Time>,
    causes: BTreeSet<SymptomCause>,
}

/// A finding that became critical.
#[derive(Clone)]
pub(super) struct Alarm {
    pub(super) cause: SymptomCause,
    pub(super) at: Time,
    pub(super) text: Text,
}

impl Alarms {
    /// Looks at what changed. What a cluster has when it is first seen whole is not news.
    fn look(&mut self, snapshot: &Snapshot, now: Time) {
        let mut news = Vec::new();
        for cluster in snapshot.fleet.clusters.iter().filter(|cluster| whole(cluster)) {
            let known = self.known.get(&cluster.id);
            let same = |known: &Known| {
                Arc::ptr_eq(&known.symptoms, &cluster.symptoms) && known.next.is_none_or(|at| now < at)
            };
            if known.is_some_and(same) {
                continue;
            }
            let first = known.is_none();
            let critical = || cluster.symptoms.values().filter(|symptom| symptom.tone == Tone::Crit);
            let next = critical().map(|symptom| symptom.counts_from).filter(|at| *at > now).min();
            let counting = critical().filter(|symptom| first || symptom.counts_from <= now);
            let causes: BTreeSet<SymptomCause> = counting.map(|symptom| symptom.cause.clone()).collect();
            if !first {
                news.extend(causes.iter().filter(|cause| !self.knows(cause)).cloned());
            }
            let symptoms = Arc::clone(&cluster.symptoms);
            self.known.insert(cluster.id, Known { symptoms, next, causes });
        }
        if !news.is_empty() {
            let findings = health::findings(snapshot, &Scope::All, now);
            self.unseen.extend(findings.into_iter().filter(|f| news.contains(&f.cause)).map(|f| Alarm {
                text: Text::from(format!("{}: {}", f.place, f.what)),
                cause: f.cause,
                at: now,
            }));
        }
        // What ended by itself needs nobody any more.
        let known = &self.known;
        let goes_on = |alarm: &Alarm| known.values().any(|known| known.causes.contains(&alarm.cause));
        self.unseen.retain(goes_on);
    }

    fn knows(&self, cause: &SymptomCause) -> bool {
        self.known.values().any(|known| known.causes.contains(cause))
    }

    /// The newest that nobody has seen, and how many more there are.
    pub(super) fn newest(&self) -> Option<(&Alarm, usize)> {
        self.unseen.last().map(|alarm| (alarm, self.unseen.len() - 1))
    }
}

/// Whether everything is known of a cluster that symptoms come from.
fn whole(cluster: &Cluster) -> bool {
    [Kind::Node, Kind::Pod, Kind::Deployment].into_iter().all(|kind| cluster.table(kind).synced.is_some())
}

impl Ui {
    /// Looks for what became critical; what is held still is no news.
    pub(super) fn look_for_alarms(&mut self, now: Time) {
        if let Some(newest) = self.newest.clone() {
            self.alarms.look(&newest, now);
        }
    }

    /// Somebody is there, and what was on screen was seen.
    pub(super) fn saw_alarms(&mut self) {
        if self.pane_name() != FINDINGS || !self.overlays.is_empty() || self.alarms.unseen.is_empty() {
            return;
        }
        let Some(table) = self.tables.get(self.active) else { return };
        let on_screen = table.shown().skip(table.top).take(table.page);
        let shown: Vec<SymptomCause> = on_screen
            .filter_map(|row| match &row.id {
                RowId::Finding(cause) => Some(cause.clone()),
                _ => None,
            })
            .collect();
        self.alarms.unseen.retain(|alarm| !shown.contains(&alarm.cause));
    }

    /// Shows the newest finding that nobody has seen.
    pub(super) fn show_alarm(&mut self) {
        let Some(alarm) = self.alarms.unseen.pop() else { return };
        let Some(pane) = self.panes.iter().position(|pane| pane.name == FINDINGS) else { return };
        self.frozen = None;
        self.set_scope(Scope::All);
        self.show(pane);
        self.focus = super::screen::Focus::Table;
        if let Some(table) = self.table() {
            table.filter = super::table::Filter::default();
            table.lens = 0;
            table.sort = None;
            table.release = true;
            table.seek(RowId::Finding(alarm.cause));
        }
    }
}
