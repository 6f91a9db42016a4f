//! The rows of one cluster in a listing: their order, and what they are. Both follow from those of the listing before:
//! of a large table that is computed again and again, only what changed since is looked at.

use std::ops::{Add, Sub};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::tones;
use crate::model::{Cluster, Held, Kind, ObjectKey, Place, Pod, Record, Rows, Time, Tone};
use crate::views::Scope;

/// Where the records of a cluster are, in the order of their rows, by namespace and name; and what they are.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) cluster: Arc<Cluster>,
    /// As of when.
    now: Time,
    /// The same allocation as before when no object came or went since.
    pub(super) order: Arc<[Place]>,
    pub(super) tally: Tally,
}

/// What rows are, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    /// Rows of tone warn or worse, and workloads that are short of pods however fine they move.
    pub(super) troubled: usize,
    /// Pods that ended.
    pub(super) finished: usize,
}

impl Part {
    pub(super) fn of(cluster: &Arc<Cluster>, scope: &Scope, kind: Kind, now: Time) -> Part {
        let rows = &cluster.table(kind).rows;
        let mut order: Vec<Place> =
            rows.places().filter(|(_, record)| in_scope(scope, record)).map(|(place, _)| place).collect();
        sort(rows, &mut order);
        Part::counted(cluster, kind, now, order.into())
    }

    fn counted(cluster: &Arc<Cluster>, kind: Kind, now: Time, order: Arc<[Place]>) -> Part {
        let rows = &cluster.table(kind).rows;
        let records = order.iter().filter_map(|place| rows.get(*place));
        let tally = records.map(|record| Tally::of(cluster, record, now)).sum();
        Part { cluster: Arc::clone(cluster), now, order, tally }
    }

    /// The same of a newer state of the cluster, in the same scope.
    pub(super) fn follow(&self, cluster: &Arc<Cluster>, scope: &Scope, kind: Kind, now: Time) -> Part {
        if kind == Kind::Node {
            // Whether a node is in a scope can change with the node.
            return Part::of(cluster, scope, kind, now);
        }
        let (rows, old) = (&cluster.table(kind).rows, &self.cluster.table(kind).rows);
        let (mut gone, mut came) = (FxHashSet::default(), Vec::new());
        let (mut tally, mut done) = (self.tally, FxHashSet::default());
        let mut recount = |before: Held<'_>, after: Held<'_>| {
            let of = |cluster, record: Held<'_>, now| {
                record.map_or_else(Tally::default, |record| Tally::of(cluster, record, now))
            };
            tally = tally + of(cluster, after, now) - of(&self.cluster, before, self.now);
        };
        for (place, mine, theirs) in rows.unlike(old) {
            let mine = mine.filter(|record| in_scope(scope, record));
            let theirs = theirs.filter(|record| in_scope(scope, record));
            recount(theirs, mine);
            let uid = |record: &Arc<Record>| record.meta().uid;
            done.extend([mine, theirs].into_iter().flatten().map(uid));
            if mine.map(uid) != theirs.map(uid) {
                gone.extend(theirs.map(|_| place));
                came.extend(mine.map(|_| place));
            }
        }
        let order = if gone.is_empty() && came.is_empty() {
            Arc::clone(&self.order)
        } else {
            sort(rows, &mut came);
            let kept: Vec<Place> = self.order.iter().copied().filter(|place| !gone.contains(place)).collect();
            merged(rows, &kept, &came)
        };
        for object in self.judged_otherwise(cluster, kind, now).filter(|object| done.insert(object.uid)) {
            let record = find(rows, &order, object).and_then(|at| rows.get(*order.get(at)?));
            recount(record, record);
        }
        Part { cluster: Arc::clone(cluster), now, order, tally }
    }

    /// Objects that may be something else to the newer state though they did not change: what is wrong with them did,
    /// or counts since.
    fn judged_otherwise<'a>(
        &'a self,
        newer: &'a Cluster,
        kind: Kind,
        now: Time,
    ) -> impl Iterator<Item = &'a ObjectKey> {
        let (old, new) = (&self.cluster.symptoms, &newer.symptoms);
        let counts_since = move |at: Time| self.now < at && at <= now;
        let same = Arc::ptr_eq(old, new);
        let came = new.iter().filter(move |(uid, symptom)| {
            let known = || same || old.get(uid).is_some_and(|old| Arc::ptr_eq(old, symptom));
            counts_since(symptom.counts_from) || !known()
        });
        let went = old.iter().filter(move |(uid, _)| !same && !new.contains_key(uid));
        came.chain(went).map(|(_, symptom)| &symptom.object).filter(move |object| object.kind == kind)
    }
}

impl Tally {
    fn of(cluster: &Cluster, record: &Record, now: Time) -> Tally {
        let short = record.workload().is_some_and(|workload| workload.ready < workload.desired);
        Tally {
            troubled: usize::from(short || tones::of(cluster, record, now) >= Tone::Warn),
            finished: usize::from(record.pod().is_some_and(Pod::finished)),
        }
    }
}

impl Add for Tally {
    type Output = Tally;

    fn add(self, other: Tally) -> Tally {
        Tally { troubled: self.troubled + other.troubled, finished: self.finished + other.finished }
    }
}

impl Sub for Tally {
    type Output = Tally;

    fn sub(self, other: Tally) -> Tally {
        Tally {
            troubled: self.troubled.saturating_sub(other.troubled),
            finished: self.finished.saturating_sub(other.finished),
        }
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Tally {
        tallies.fold(Tally::default(), Add::add)
    }
}

/// What rows are ordered by.
fn key(rows: &Rows, place: Place) -> Option<(&str, &str)> {
    let meta = rows.get(place)?.meta();
    Some((meta.namespace.as_str(), meta.name.as_str()))
}

/// Where an object is in an order.
pub(super) fn find(rows: &Rows, order: &[Place], object: &ObjectKey) -> Option<usize> {
    let wanted = Some((object.namespace.as_str(), object.name.as_str()));
    let from = order.partition_point(|place| key(rows, *place) < wanted);
    // One object of a name can be followed by its successor while both are there.
    let twins = order.get(from..)?.iter().take_while(|place| key(rows, **place) == wanted);
    let uid = |place: &Place| rows.get(*place).map(|record| record.meta().uid);
    twins.map(uid).position(|uid| uid == Some(object.uid)).map(|at| from + at)
}

fn sort(rows: &Rows, order: &mut [Place]) {
    order.sort_by_cached_key(|place| key(rows, *place));
}

/// Two orders as one.
fn merged(rows: &Rows, kept: &[Place], came: &[Place]) -> Arc<[Place]> {
    let mut order = Vec::with_capacity(kept.len() + came.len());
    let mut from = 0;
    for place in came {
        let wanted = key(rows, *place);
        let rest = kept.get(from..).unwrap_or_default();
        let before = rest.partition_point(|other| key(rows, *other) <= wanted);
        order.extend_from_slice(rest.get(..before).unwrap_or_default());
        order.push(*place);
        from += before;
    }
    order.extend_from_slice(kept.get(from..).unwrap_or_default());
    order.into()
}

fn in_scope(scope: &Scope, record: &Record) -> bool {
    match record {
        Record::Node(node) => scope.holds_node(node),
        _ if record.kind().names().namespaced => scope.holds_namespace(&record.meta().namespace),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ClusterId, ClusterInfo, Phase, Span, Symptom, SymptomCause, Text, Uid};
    use crate::views::scenes;

    /// What happens to a pod of this number: it comes or changes to this phase, goes, is found to be in trouble from so
    /// many seconds on, or well again.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Put(u8, Phase),
        Remove(u8),
        Trouble(u8, i64),
        Well(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
        let phase = prop_oneof![Just(Phase::Running), Just(Phase::Failed), Just(Phase::Succeeded)];
        let step = prop_oneof![
            (0..24_u8, phase).prop_map(|(n, phase)| Step::Put(n, phase)),
            (0..24_u8).prop_map(Step::Remove),
            (0..24_u8, 0..50_i64).prop_map(|(n, after)| Step::Trouble(n, after)),
            (0..24_u8).prop_map(Step::Well),
        ];
        prop::collection::vec(prop::collection::vec(step, 0..40), 1..6)
    }

    fn uid(n: u8, life: usize) -> Uid {
        Uid::parse(&format!("00000000-0000-4000-{life:04x}-0000000000{n:02x}"))
    }

    fn pod(n: u8, phase: Phase, life: usize) -> Record {
        let mut pod = Pod { phase, ready: phase == Phase::Running, ..Pod::default() };
        pod.meta.uid = uid(n, life);
        pod.meta.name = format!("pod-{}", n.wrapping_mul(37)).into();
        pod.meta.namespace = format!("ns-{}", n % 2).into();
        Record::Pod(pod)
    }

    fn symptom(object: ObjectKey, counts_from: Time) -> Symptom {
        let cause = SymptomCause { reason: "test".into(), subject: Text::EMPTY };
        let (tone, since, evidence) = (Tone::Crit, counts_from, Text::EMPTY);
        Symptom { object, cause, tone, since, since_sure: true, counts_from, evidence, workload: None }
    }

    proptest! {
        #[test]
        fn what_follows_is_what_is_counted_anew(rounds in steps()) {
            let kind = Kind::Pod;
            let scope = Scope::NamespaceEverywhere("ns-0".into());
            let start = scenes::now();
            let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), start);
            let mut part = Part::of(&Arc::new(cluster.clone()), &scope, kind, start);
            for (round, steps) in rounds.into_iter().enumerate() {
                for step in steps {
                    let rows = &mut cluster.tables[kind.index()].rows;
                    let at = |n: u8| {
                        let name = pod(n, Phase::Running, 0).meta().name.clone();
                        rows.places().find(|(_, r)| r.meta().name == name).map(|(place, r)| (place, r.meta().uid))
                    };
                    match step {
                        Step::Put(n, phase) => match at(n) {
                            // Every fourth is made anew under its name.
                            Some((place, _)) if n % 4 == 0 => {
                                rows.remove(place);
                                rows.insert(Arc::new(pod(n, phase, round + 1)));
                            }
                            Some((place, known)) => {
                                let mut record = pod(n, phase, 0);
                                record.meta_mut().uid = known;
                                rows.replace(place, Arc::new(record));
                            }
                            None => drop(rows.insert(Arc::new(pod(n, phase, 0)))),
                        },
                        Step::Remove(n) => drop(at(n).and_then(|(place, _)| rows.remove(place))),
                        Step::Well(n) => {
                            let found = at(n).map(|(_, uid)| uid);
                            let symptoms = Arc::make_mut(&mut cluster.symptoms);
                            symptoms.retain(|uid, _| Some(*uid) != found);
                        }
                        Step::Trouble(n, after) => {
                            let found = at(n).and_then(|(place, _)| rows.get(place)).map(|r| r.key(ClusterId(0)));
                            let symptom = |object| symptom(object, start + Span::from_seconds(after));
                            let symptoms = Arc::make_mut(&mut cluster.symptoms);
                            symptoms.extend(found.map(|object| (object.uid, Arc::new(symptom(object)))));
                        }
                    }
                }
                let now = start + Span::from_seconds(10 * i64::try_from(round).unwrap());
                let state = Arc::new(cluster.clone());
                part = part.follow(&state, &scope, kind, now);
                let anew = Part::of(&state, &scope, kind, now);
                let keys = |part: &Part| -> Vec<(String, String)> {
                    let rows = &part.cluster.table(kind).rows;
                    let pair = |place: &Place| key(rows, *place).map(|(ns, name)| (ns.to_owned(), name.to_owned()));
                    part.order.iter().filter_map(pair).collect()
                };
                prop_assert_eq!(part.tally, anew.tally);
                prop_assert_eq!(keys(&part), keys(&anew));
                prop_assert_eq!(part.order.len(), anew.order.len());
            }
        }
    }
}
