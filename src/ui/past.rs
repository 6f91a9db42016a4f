//! The past: states of the fleet that were on screen, for going back to.
//!
//! Snapshots share what did not change between them, so one that is kept costs only what changed
//! since: the last state of every ten seconds for ten minutes, then of every minute for an hour.
//! A restless fleet costs more; what is kept has a budget, and the oldest goes first.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{Cluster, Fleet, Record, Sample, Span, Symptom, Text, Time, Uid, Used};
use crate::views::Snapshot;

/// How far apart states are at first.
const FINE: Span = Span::from_seconds(10);

/// How soon a state that was just kept is weighed again at the earliest.
const SOON: Span = Span::from_millis(500);

/// For how long they are that close.
const FINE_FOR: Span = Span::from_seconds(10 * 60);

/// How far apart they are after that.
const COARSE: Span = Span::from_seconds(60);

/// For how long anything is kept.
const KEPT_FOR: Span = Span::from_seconds(60 * 60);

/// Bytes that states of the past may hold beside what the newest one holds anyway, by estimate: what a storm may cost
/// (the design's G10) less what tables on screen hold of it.
const BUDGET: usize = 16 << 20;

/// What a record holds on the heap beside itself: its name and containers, its place in a row; labels,
/// images and owners are shared. The bench's `--only store` measures it with the record and the indexes.
const RECORD_HEAP: usize = 200;

/// What a name holds on the heap.
const NAME: usize = 48;

/// A chunk of rows: 64 pointers and its own head.
const CHUNK: usize = 64 * size_of::<usize>() + 40;

/// A state that is kept.
struct Moment {
    snapshot: Arc<Snapshot>,
    /// What it alone holds, against the next newer one.
    weight: usize,
}

/// States of the past, oldest first. The newest one is not among them.
#[derive(Default)]
pub(super) struct Past {
    moments: VecDeque<Moment>,
    /// When the newest of them is weighed again.
    weigh_at: Option<Time>,
    /// What one of them comes to weigh until the next is kept, by the last one.
    growth: usize,
}

impl Past {
    /// Takes the state that `newer` follows, if it is the last of its ten seconds, and lets go of
    /// what is too old or too much.
    pub(super) fn keep(&mut self, state: &Arc<Snapshot>, newer: &Snapshot) {
        self.keep_within(state, newer, BUDGET);
    }

    fn keep_within(&mut self, state: &Arc<Snapshot>, newer: &Snapshot, budget: usize) {
        if bucket(state.at, FINE) == bucket(newer.at, FINE) {
            return self.weigh(newer, budget);
        }
        match self.moments.back_mut() {
            // It held what the state after it did not; now it holds what this one does not, ten seconds on.
            Some(last) => {
                last.weight = weight(&last.snapshot, state);
                self.growth = last.weight;
            }
            None => self.growth /= 2,
        }
        let weight = weight(state, newer);
        let expected = self.growth.max(weight);
        if expected > budget {
            self.lighten(budget);
            // It would be let go before the next one is kept. After a while it is tried again.
            return;
        }
        self.lighten(budget - expected);
        self.moments.push_back(Moment { snapshot: Arc::new(bare(state, newer)), weight });
        self.thin(newer.at);
        self.weigh_at = Some(newer.at + SOON);
    }

    /// Weighs the newest of them, which shares less with every change: a storm must not wait until it is too much.
    fn weigh(&mut self, newer: &Snapshot, budget: usize) {
        let due = self.weigh_at.is_none_or(|at| at <= newer.at);
        let Some(last) = self.moments.back_mut().filter(|_| due) else { return };
        last.weight = weight(&last.snapshot, newer);
        let millis = |span: Span| usize::try_from(span.millis()).unwrap_or_default();
        let (weight, took) = (last.weight.max(1), last.snapshot.at.age(newer.at).max(SOON));
        self.growth = weight.saturating_mul(millis(FINE)) / millis(took);
        let room = budget.saturating_sub(self.lighten(budget));
        let until_full = millis(took).saturating_mul(room) / weight;
        let until_full = Span::from_millis(i64::try_from(until_full).unwrap_or(i64::MAX));
        self.weigh_at = Some(newer.at + until_full.clamp(SOON, FINE));
    }

    /// Lets the oldest go until they weigh no more than this; gives what they weigh.
    fn lighten(&mut self, budget: usize) -> usize {
        let mut held: usize = self.moments.iter().map(|moment| moment.weight).sum();
        while held > budget
            && let Some(oldest) = self.moments.pop_front()
        {
            held -= oldest.weight;
        }
        held
    }

    /// Past ten minutes only the last state of every minute stays, past an hour none.
    fn thin(&mut self, now: Time) {
        while self.moments.front().is_some_and(|oldest| oldest.snapshot.at.age(now) > KEPT_FOR) {
            self.moments.pop_front();
        }
        let mut at = 0;
        while at + 1 < self.moments.len() {
            let (this, next) = (&self.moments[at].snapshot, &self.moments[at + 1].snapshot);
            if next.at.age(now) <= FINE_FOR {
                break;
            }
            if bucket(this.at, COARSE) == bucket(next.at, COARSE) {
                self.moments.remove(at);
                // What the one before shared with the one that went may be its own now.
                if let Some(before) = at.checked_sub(1) {
                    let alone = weight(&self.moments[before].snapshot, &self.moments[at].snapshot);
                    self.moments[before].weight = alone;
                }
            } else {
                at += 1;
            }
        }
    }

    /// When the oldest state that is kept was published.
    pub(super) fn begins(&self) -> Option<Time> {
        self.moments.front().map(|moment| moment.snapshot.at)
    }

    /// The state before this one.
    pub(super) fn before(&self, snapshot: &Snapshot) -> Option<&Arc<Snapshot>> {
        let earlier = |moment: &&Moment| moment.snapshot.sequence < snapshot.sequence;
        self.moments.iter().rev().find(earlier).map(|moment| &moment.snapshot)
    }

    /// The state after this one; `None` when only the newest is.
    pub(super) fn after(&self, snapshot: &Snapshot) -> Option<&Arc<Snapshot>> {
        let later = |moment: &&Moment| moment.snapshot.sequence > snapshot.sequence;
        self.moments.iter().find(later).map(|moment| &moment.snapshot)
    }

    /// The state that was shown at a moment: the last one published by then.
    pub(super) fn at(&self, moment: Time) -> Option<&Arc<Snapshot>> {
        self.moments.iter().rev().map(|m| &m.snapshot).find(|snapshot| snapshot.at <= moment)
    }
}

fn bucket(at: Time, length: Span) -> i64 {
    at.millis().div_euclid(length.millis())
}

/// A state without what was derived from clusters that changed since: that is made again when somebody goes back.
fn bare(state: &Snapshot, newer: &Snapshot) -> Snapshot {
    let bare = |old: &Arc<Cluster>| match newer.fleet.cluster(old.id) {
        Some(new) if Arc::ptr_eq(old, new) => Arc::clone(old),
        _ => Arc::new(Cluster::clone(old)),
    };
    let clusters = state.fleet.clusters.iter().map(bare).collect();
    Snapshot::new(state.at, state.sequence, Fleet { clusters })
}

/// What a state holds that the next newer one does not, in bytes, by estimate.
fn weight(state: &Snapshot, newer: &Snapshot) -> usize {
    let pairs = state.fleet.clusters.iter().zip(&newer.fleet.clusters);
    pairs.filter(|(old, new)| !Arc::ptr_eq(old, new)).map(|(old, new)| alone(old, new)).sum()
}

fn alone(old: &Cluster, new: &Cluster) -> usize {
    let mut bytes = size_of::<Cluster>();
    for (old, new) in old.tables.iter().zip(&new.tables) {
        let (chunks, records) = old.rows.beyond(&new.rows);
        bytes += size_of_val(old) + old.rows.len().div_ceil(64) * size_of::<usize>();
        bytes += chunks * CHUNK + records * (size_of::<Record>() + RECORD_HEAP);
    }
    // A hash table holds an eighth to a half more than its entries.
    let map = |entries: usize, entry: usize| entries * entry * 3 / 2;
    if !Arc::ptr_eq(&old.usage, &new.usage) {
        bytes += old.usage.pods.weight();
        bytes += map(old.usage.nodes.len(), size_of::<(Text, Used)>() + NAME);
    }
    if !Arc::ptr_eq(&old.prices, &new.prices) {
        bytes += map(old.prices.len(), 48);
    }
    if !Arc::ptr_eq(&old.symptoms, &new.symptoms) {
        let kept = |uid, symptom| new.symptoms.get(uid).is_some_and(|new| Arc::ptr_eq(new, symptom));
        let alone = old.symptoms.iter().filter(|(uid, symptom)| !kept(uid, symptom)).count();
        bytes += map(old.symptoms.len(), size_of::<(Uid, Arc<Symptom>)>());
        bytes += alone * (size_of::<Symptom>() + NAME);
    }
    if !Arc::ptr_eq(&old.signals, &new.signals) {
        bytes += old.signals.len() * size_of::<usize>();
    }
    if !Arc::ptr_eq(&old.series, &new.series) {
        bytes += old.series.samples.len() * size_of::<Sample>();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClusterId, ClusterInfo, Kind, Namespace};

    const BEGAN: Time = Time::from_seconds(1_795_227_000);

    /// A state at a second, in which one record is new.
    fn state(second: i64) -> Arc<Snapshot> {
        let at = BEGAN + Span::from_seconds(second);
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), at);
        let record = Arc::new(Record::Namespace(Namespace::default()));
        cluster.tables[Kind::Namespace.index()].rows.insert(record);
        let sequence = u64::try_from(second).unwrap();
        Arc::new(Snapshot::new(at, sequence, Fleet { clusters: vec![Arc::new(cluster)] }))
    }

    fn filled(until: i64, every: usize, budget: usize) -> Past {
        let mut past = Past::default();
        let mut last = state(0);
        for second in (1..=until).step_by(every) {
            let next = state(second);
            past.keep_within(&last, &next, budget);
            last = next;
        }
        past
    }

    fn seconds(past: &Past) -> Vec<u64> {
        past.moments.iter().map(|m| m.snapshot.sequence).collect()
    }

    #[test]
    fn the_last_state_of_ten_seconds_stays_and_later_that_of_a_minute() {
        let past = filled(4000, 1, usize::MAX);
        let kept = seconds(&past);
        assert!(kept.iter().rev().take(60).eq((0..60).map(|n| 3999 - n * 10).collect::<Vec<_>>().iter()));
        let coarse: Vec<u64> = kept.iter().copied().filter(|s| *s < 3380).collect();
        assert!(coarse.windows(2).all(|pair| pair[1] - pair[0] == 60), "{coarse:?}");
        assert!((48..=52).contains(&coarse.len()), "{coarse:?}");
        assert!(kept[0] >= 400 && kept[0] < 460, "{kept:?}");
        assert_eq!(past.begins(), Some(BEGAN + Span::from_seconds(i64::try_from(kept[0]).unwrap())));
    }

    #[test]
    fn a_budget_lets_the_oldest_go() {
        let one = weight(&state(0), &state(1));
        let past = filled(300, 1, one * 5);
        assert_eq!(seconds(&past), [259, 269, 279, 289, 299]);
    }

    #[test]
    fn a_storm_is_weighed_before_ten_seconds_are_over() {
        let one = weight(&state(0), &state(1));
        let mut past = Past::default();
        let mut last = state(9);
        // Each is as different from that of the tenth second as the one before was, and it is alone: nothing to let go.
        for second in 10..15 {
            let next = state(second);
            past.keep_within(&last, &next, one);
            last = next;
        }
        assert_eq!(seconds(&past), [9]);
        // More than there is room for.
        past.keep_within(&last, &state(16), one - 1);
        assert!(past.moments.is_empty());
        // Nothing is kept until the next ten seconds are over.
        past.keep_within(&state(16), &state(17), one);
        assert!(past.moments.is_empty());
        past.keep_within(&state(19), &state(20), one);
        assert_eq!(seconds(&past), [19]);
    }

    #[test]
    fn what_is_kept_weighs_what_changed_until_the_next_that_is_kept() {
        let record = || Arc::new(Record::Namespace(Namespace::default()));
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), BEGAN);
        let places: Vec<_> =
            (0..20).map(|_| cluster.tables[Kind::Namespace.index()].rows.insert(record())).collect();
        let mut state = |second: i64| {
            let place = places[usize::try_from(second).unwrap() % places.len()];
            cluster.tables[Kind::Namespace.index()].rows.replace(place, record());
            let fleet = Fleet { clusters: vec![Arc::new(cluster.clone())] };
            Arc::new(Snapshot::new(BEGAN + Span::from_seconds(second), 0, fleet))
        };
        let (mut past, mut last) = (Past::default(), state(0));
        for second in 1..21 {
            let next = state(second);
            past.keep_within(&last, &next, usize::MAX);
            last = next;
        }
        let [first, second] = [0, 1].map(|at| &past.moments[at]);
        let nine_more = 9 * (size_of::<Record>() + RECORD_HEAP);
        assert_eq!(first.weight, weight(&first.snapshot, &second.snapshot));
        assert_eq!(first.weight, second.weight + nine_more);
    }

    #[test]
    fn what_is_shared_weighs_nothing() {
        let old = state(0);
        let new = Snapshot::new(old.at, 1, old.fleet.clone());
        assert_eq!(weight(&old, &new), 0);
    }

    #[test]
    fn a_quiet_fleet_was_as_its_last_state_said() {
        let past = filled(100, 49, usize::MAX);
        assert_eq!(seconds(&past), [1, 50]);
        let at = |second| past.at(BEGAN + Span::from_seconds(second)).map(|s| s.sequence);
        assert_eq!((at(49), at(50), at(98), at(-1)), (Some(1), Some(50), Some(50), None));
        let middle = state(50);
        assert_eq!(past.before(&middle).map(|s| s.sequence), Some(1));
        assert!(past.after(&middle).is_none());
        assert_eq!(past.after(&state(0)).map(|s| s.sequence), Some(1));
    }
}
