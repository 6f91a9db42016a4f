//! What became critical while the screen was open, until somebody has seen it.
//!
//! Findings are folded over the whole fleet, which takes a while for a large one: that is done
//! beside the sheet, away from the keys, and only when what is wrong with anything changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::screen::{Focus, Ui};
use super::table::Filter;
use crate::model::{Cluster, ClusterId, Kind, Span, Symptom, SymptomCause, Text, Time, Tone, Uid};
use crate::views::{RowId, Scope, Snapshot, health};

/// The pane whose rows are findings.
const FINDINGS: &str = "health";

/// How often it is looked for at most.
const LOOK: Span = Span::from_seconds(2);

/// How often it is looked for by time alone: symptoms begin to count by themselves.
const LOOK_AGAIN: Span = Span::from_seconds(30);

type Symptoms = Arc<FxHashMap<Uid, Arc<Symptom>>>;

/// The critical findings that are known, and those that nobody has seen yet.
#[derive(Default)]
pub(super) struct Alarms {
    looked: Option<Time>,
    looked_at: Vec<Symptoms>,
    /// Clusters that were known whole at the last look: what they come with is no news.
    whole: BTreeSet<ClusterId>,
    known: BTreeSet<SymptomCause>,
    /// The newest last.
    unseen: Vec<Alarm>,
}

/// A finding that became critical.
#[derive(Clone)]
pub(super) struct Alarm {
    cause: SymptomCause,
    pub(super) at: Time,
    pub(super) text: Text,
}

/// What is critical in a state of the fleet.
pub(super) struct Critical {
    findings: Vec<(SymptomCause, BTreeSet<ClusterId>, Text)>,
    whole: BTreeSet<ClusterId>,
}

/// Looks for what is critical.
pub(super) fn critical(snapshot: &Snapshot, now: Time) -> Critical {
    let findings = health::findings(snapshot, &Scope::All, now);
    let findings = findings.into_iter().filter(|finding| finding.tone == Tone::Crit).map(|finding| {
        let where_critical = finding.clusters.iter().filter(|hurt| hurt.tone == Tone::Crit);
        let places = where_critical.map(|hurt| hurt.cluster).collect();
        (finding.cause, places, Text::from(format!("{}: {}", finding.place, finding.what)))
    });
    let whole = snapshot.fleet.clusters.iter().filter(|cluster| whole(cluster)).map(|c| c.id).collect();
    Critical { findings: findings.collect(), whole }
}

/// Whether everything is known of a cluster that symptoms come from.
fn whole(cluster: &Cluster) -> bool {
    [Kind::Node, Kind::Pod, Kind::Deployment].into_iter().all(|kind| cluster.table(kind).synced.is_some())
}

impl Alarms {
    /// When it is to be looked for what is critical.
    pub(super) fn due(&self, snapshot: &Snapshot, now: Time) -> Time {
        let Some(looked) = self.looked else { return now };
        let clusters = &snapshot.fleet.clusters;
        let same = clusters.len() == self.looked_at.len()
            && clusters.iter().zip(&self.looked_at).all(|(c, seen)| Arc::ptr_eq(&c.symptoms, seen));
        looked + if same { LOOK_AGAIN } else { LOOK }
    }

    /// It is being looked for in this state.
    pub(super) fn looking(&mut self, snapshot: &Snapshot, now: Time) {
        self.looked = Some(now);
        self.looked_at = snapshot.fleet.clusters.iter().map(|c| Arc::clone(&c.symptoms)).collect();
    }

    /// Takes what was found; gives what ended by itself before anybody saw it, which needs nobody any more.
    pub(super) fn take(&mut self, critical: Critical, now: Time) -> Vec<Alarm> {
        let causes: BTreeSet<SymptomCause> = critical.findings.iter().map(|(c, ..)| c.clone()).collect();
        let ended = self.unseen.extract_if(.., |alarm| !causes.contains(&alarm.cause)).collect();
        for (cause, places, text) in critical.findings {
            let news = !self.known.contains(&cause) && !places.is_disjoint(&self.whole);
            if news {
                self.unseen.push(Alarm { cause, at: now, text });
            }
        }
        self.known = causes;
        self.whole = critical.whole;
        ended
    }

    /// The newest that nobody has seen, and how many more there are.
    pub(super) fn newest(&self) -> Option<(&Alarm, usize)> {
        self.unseen.last().map(|alarm| (alarm, self.unseen.len() - 1))
    }
}

impl Ui {
    /// Somebody is there, and what was on screen was seen.
    pub(super) fn saw_alarms(&mut self) {
        let covered = self.overlays.iter().any(super::overlays::Overlay::covers);
        if self.pane_name() != FINDINGS || covered || self.frozen.is_some() || self.alarms.unseen.is_empty() {
            return;
        }
        let Some(table) = self.tables.get(self.active) else { return };
        let on_screen = (table.top..table.top + table.page).filter_map(|at| table.at_slot(at));
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
        self.focus = Focus::Table;
        if let Some(table) = self.table() {
            table.pass.filter = Filter::default();
            table.lens = 0;
            table.sort = None;
            table.release = true;
            table.seek(RowId::Finding(alarm.cause));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(reason: &str) -> SymptomCause {
        SymptomCause { reason: Text::clean(reason), subject: "web".into() }
    }

    fn found(causes: &[(&str, u16)], whole: &[u16]) -> Critical {
        let ids = |ids: &[u16]| ids.iter().map(|id| ClusterId(*id)).collect();
        let findings = causes.iter().map(|(reason, id)| (cause(reason), ids(&[*id]), Text::clean(reason)));
        Critical { findings: findings.collect(), whole: ids(whole) }
    }

    #[test]
    fn what_a_cluster_comes_with_is_no_news_and_what_it_gets_is() {
        let now = Time::from_seconds(1_795_227_247);
        let mut alarms = Alarms::default();
        let newest = |alarms: &Alarms| alarms.newest().map(|(a, more)| (a.text.to_string(), more));
        alarms.take(found(&[("Old", 0)], &[0]), now);
        assert_eq!(newest(&alarms), None);
        // Another cluster comes in with what was wrong in it already.
        alarms.take(found(&[("Old", 0), ("Theirs", 1)], &[0, 1]), now);
        assert_eq!(newest(&alarms), None);
        alarms.take(found(&[("Old", 0), ("Theirs", 1), ("New", 1)], &[0, 1]), now);
        assert_eq!(newest(&alarms), Some(("New".to_owned(), 0)));
        alarms.take(found(&[("Newer", 0), ("New", 1)], &[0, 1]), now);
        assert_eq!(newest(&alarms), Some(("Newer".to_owned(), 1)));
        // It spreads: that is the same finding.
        let ended = alarms.take(found(&[("Newer", 0), ("Newer", 1)], &[0, 1]), now);
        assert_eq!(ended.iter().map(|alarm| alarm.text.as_str()).collect::<Vec<_>>(), ["New"]);
        assert_eq!(newest(&alarms), Some(("Newer".to_owned(), 0)), "what ended needs nobody");
        alarms.take(found(&[], &[0, 1]), now);
        assert_eq!(newest(&alarms), None);
        alarms.take(found(&[("Newer", 0)], &[0, 1]), now);
        assert_eq!(newest(&alarms), Some(("Newer".to_owned(), 0)), "back again is news again");
    }
}
