//! The laws of the reducer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::totals::recount;
use super::*;
use crate::model::{
    Basis, Capacity, Cluster, Event, Extras, Identity, Kind, Link, Meta, Money, Node, Phase, Pod, Price,
    Provider, Record, Resources, Signal, Symptom, SymptomCause, Text, Tone, Truth, Uid, Version,
};

mod first_list;
mod news;
mod same;
mod symptoms;

fn at(second: i64) -> Time {
    Time::from_seconds(1_700_000_000 + second)
}

fn uid(n: u32) -> Uid {
    Uid::parse(&format!("{n:08x}-0000-4000-8000-000000000000"))
}

fn meta(n: u32, version: u64) -> Meta {
    Meta { uid: uid(n), version: Version(version), name: format!("o{n}").into(), ..Meta::default() }
}

/// An object whose every counted field follows from a seed.
fn record(kind: Kind, n: u32, version: u64, seed: u8) -> Record {
    let bit = |i: u8| seed >> i & 1 == 1;
    if kind == Kind::Node {
        let region = if bit(0) { "eu" } else { "us" };
        let capacity = if bit(1) { Capacity::Spot } else { Capacity::OnDemand };
        let provider = if bit(4) { Provider::Gke } else { Provider::Eks };
        let size = Resources { cpu: 1000 * i64::from(seed), memory: 1 << 30, gpus: 0, pods: 110 };
        return Record::from(Node {
            meta: meta(n, version),
            identity: Identity { provider, region: region.into(), capacity, ..Identity::default() },
            ready: if bit(2) { Truth::True } else { Truth::False },
            unschedulable: bit(3),
            capacity: size,
            allocatable: size,
            ..Node::default()
        });
    }
    Record::Pod(Pod {
        meta: meta(n, version),
        node: if bit(0) { "node".into() } else { Text::EMPTY },
        phase: if bit(1) {
            Phase::Succeeded
        } else if bit(0) {
            Phase::Running
        } else {
            Phase::Pending
        },
        ready: bit(2),
        requests: Resources { cpu: i64::from(seed), memory: 7, gpus: 1, pods: 1 },
        ..Pod::default()
    })
}

/// A price that is sometimes unknown and sometimes estimated.
fn price() -> PriceOf {
    Arc::new(|_, node| {
        let cores = node.capacity.cpu / 1000;
        let basis = if cores % 3 == 0 { Basis::Estimated } else { Basis::List };
        let rate = (cores % 5 != 0).then(|| Money::from_micros(cores * 50_000));
        Price { rate, basis, capacity: node.identity.capacity }
    })
}

struct NotReady;

impl Rule for NotReady {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        record.pod().filter(|p| !p.ready).map(|_| Symptom {
            object: record.key(cluster.id),
            cause: SymptomCause { reason: "NotReady".into(), subject: Text::EMPTY },
            tone: Tone::Warn,
            since: at,
            since_sure: true,
            counts_from: at,
            evidence: Text::EMPTY,
            workload: None,
        })
    }
}

/// Notes what it is told: uid, version before, version after.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Heard>>>);

type Heard = (Uid, Option<u64>, Option<u64>);

impl Observer for Told {
    fn observe(
        &self,
        c: &Cluster,
        before: Option<&Record>,
        after: Option<&Record>,
        _: Time,
        _: &mut Vec<Signal>,
    ) {
        let version = |r: &Record| r.meta().version.0;
        let either = after.or(before).unwrap();
        // The cluster is as it was before the change.
        let there = c.records(either.kind()).find(|r| r.meta().uid == either.meta().uid);
        assert_eq!(there.map(|r| &**r), before);
        self.0.lock().unwrap().push((either.meta().uid, before.map(version), after.map(version)));
    }
}

fn store() -> (Store, Told) {
    let told = Told::default();
    let derive = Derive {
        rules: vec![Box::new(NotReady)],
        observers: vec![Box::new(told.clone())],
        price: price(),
        extras: Arc::new(|_| Extras::default()),
    };
    (Store::new([Arc::default(), Arc::default()], at(0), derive), told)
}

fn send(store: &mut Store, change: Change) {
    store.apply(Delta { cluster: ClusterId(0), at: at(1), change });
}

fn list(store: &mut Store, kind: Kind, records: Vec<Record>, version: u64) {
    send(store, Change::Begin(kind));
    for page in records.chunks(3) {
        send(store, Change::Page(kind, page.to_vec()));
    }
    send(store, Change::Synced(kind, Version(version)));
}

/// What can be seen of a cluster, without counters and order.
#[derive(PartialEq, Debug)]
struct Seen {
    rows: BTreeMap<(Kind, Uid), Record>,
    totals: crate::model::Totals,
    symptoms: BTreeMap<Uid, Symptom>,
    place: (Provider, Text),
}

fn seen(cluster: &Cluster) -> Seen {
    let rows = cluster.tables.iter().flat_map(|t| t.rows.iter());
    Seen {
        rows: rows.map(|r| ((r.kind(), r.meta().uid), Record::clone(r))).collect(),
        totals: cluster.totals.clone(),
        symptoms: cluster.symptoms.iter().map(|(u, s)| (*u, Symptom::clone(s))).collect(),
        place: (cluster.provider, cluster.region.clone()),
    }
}

fn look(store: &mut Store) -> Seen {
    seen(&store.snapshot(at(1)).fleet.clusters[0])
}

/// What a server did, one step a version: an object set to a seed, or removed.
type History = Vec<(Kind, u32, Option<u8>)>;

fn history() -> impl Strategy<Value = History> {
    let kind = prop_oneof![Just(Kind::Node), Just(Kind::Pod)];
    prop::collection::vec((kind, 0_u32..12, prop::option::weighted(0.8, any::<u8>())), 1..60)
}

/// The deltas of a history, and what the server has at its end.
fn deltas(history: &History) -> (Vec<Change>, BTreeMap<(Kind, u32), Record>) {
    let mut there = BTreeMap::new();
    let mut born = BTreeMap::new();
    let mut changes = Vec::new();
    for (i, (kind, n, seed)) in history.iter().enumerate() {
        let version = i as u64 + 10;
        let key = (*kind, *n);
        // A removed object never comes back under its uid.
        let life = *born.get(&key).unwrap_or(&0);
        let number = *n + 100 * life + if *kind == Kind::Node { 50 } else { 0 };
        match seed {
            Some(seed) => {
                let record = record(*kind, number, version, *seed);
                changes.push(Change::Upsert(Arc::new(record.clone())));
                there.insert(key, record);
            }
            None if there.remove(&key).is_some() => {
                changes.push(Change::Gone(*kind, uid(number), Version(version)));
                born.insert(key, life + 1);
            }
            None => changes.push(Change::Bookmark(*kind, Version(version))),
        }
    }
    (changes, there)
}

fn of(there: &BTreeMap<(Kind, u32), Record>, kind: Kind) -> Vec<Record> {
    there.iter().filter(|((k, _), _)| *k == kind).map(|(_, r)| r.clone()).collect()
}

const KINDS: [Kind; 2] = [Kind::Node, Kind::Pod];

fn listed_empty() -> (Store, Told) {
    let (mut store, told) = store();
    for kind in KINDS {
        list(&mut store, kind, Vec::new(), 1);
    }
    (store, told)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Folding deltas one by one gives what the server has, and totals equal a recount each time.
    #[test]
    fn a_fold_is_what_the_server_has(history in history()) {
        let (changes, there) = deltas(&history);
        let (mut store, _) = listed_empty();
        for change in changes {
            send(&mut store, change);
            let snapshot = store.snapshot(at(1));
            let cluster = &snapshot.fleet.clusters[0];
            let rows: Vec<&Record> = cluster.tables.iter().flat_map(|t| t.rows.iter()).map(|r| &**r).collect();
            prop_assert_eq!(&cluster.totals, &recount(&cluster.info, &rows, &price()));
            let hurt = cluster.pods().filter(|p| !p.ready).count();
            prop_assert_eq!(cluster.symptoms.len(), hurt);
        }
        let have: Vec<Record> = look(&mut store).rows.into_values().collect();
        let mut want: Vec<Record> = there.into_values().collect();
        want.sort_by_key(|r| (r.kind(), r.meta().uid));
        prop_assert_eq!(have, want);
    }

    /// Twice is once, a replay from anywhere and a relist change nothing and tell nobody.
    #[test]
    fn replays_and_relists_change_nothing(history in history(), from in 0_usize..60, stale in 0_usize..60) {
        let (changes, there) = deltas(&history);
        let (mut store, told) = listed_empty();
        for change in &changes {
            send(&mut store, change.clone());
            send(&mut store, change.clone());
        }
        let direct = look(&mut store);
        let heard = told.0.lock().unwrap().len();
        for change in changes.iter().skip(from) {
            send(&mut store, change.clone());
        }
        prop_assert_eq!(&look(&mut store), &direct);
        for kind in KINDS {
            list(&mut store, kind, of(&there, kind), changes.len() as u64 + 20);
        }
        prop_assert_eq!(&look(&mut store), &direct);
        // A list from an apiserver that is behind takes nothing back either.
        let (_, earlier) = deltas(&history[..stale.min(history.len())].to_vec());
        for kind in KINDS {
            list(&mut store, kind, of(&earlier, kind), stale.min(history.len()) as u64 + 9);
        }
        prop_assert_eq!(&look(&mut store), &direct);
        prop_assert_eq!(told.0.lock().unwrap().len(), heard);
    }

    /// Part of the history by watch, the rest by relist: the same as all of it by watch.
    #[test]
    fn a_relist_brings_what_was_missed(history in history(), cut in 0_usize..60) {
        let (changes, there) = deltas(&history);
        let (mut direct, _) = listed_empty();
        let (mut missed, told) = listed_empty();
        for (i, change) in changes.iter().enumerate() {
            send(&mut direct, change.clone());
            if i < cut {
                send(&mut missed, change.clone());
            }
        }
        told.0.lock().unwrap().clear();
        let before = look(&mut missed);
        for kind in KINDS {
            list(&mut missed, kind, of(&there, kind), changes.len() as u64 + 20);
        }
        let after = look(&mut missed);
        prop_assert_eq!(&after, &look(&mut direct));
        // Observers were told of each difference, and of nothing else.
        let version = |seen: &Seen, uid: &Uid| {
            seen.rows.iter().find(|((_, u), _)| u == uid).map(|(_, r)| r.meta().version.0)
        };
        let heard = told.0.lock().unwrap().clone();
        for (uid, was, is) in &heard {
            prop_assert_eq!((*was, *is), (version(&before, uid), version(&after, uid)));
            prop_assert_ne!(was, is);
        }
        let keys: BTreeSet<_> = before.rows.keys().chain(after.rows.keys()).collect();
        let differ = keys.iter().filter(|k| before.rows.get(k) != after.rows.get(k)).count();
        prop_assert_eq!(heard.len(), differ);
    }

    /// What was handed out never changes, and a cluster that did not change is shared.
    #[test]
    fn snapshots_keep_what_they_showed(history in history()) {
        let (changes, _) = deltas(&history);
        let (mut store, _) = listed_empty();
        let mut shown: Vec<(Snapshot, Seen)> = Vec::new();
        for change in changes {
            send(&mut store, change);
            let snapshot = store.snapshot(at(1));
            let saw = seen(&snapshot.fleet.clusters[0]);
            if let Some((last, _)) = shown.last() {
                prop_assert!(Arc::ptr_eq(&last.fleet.clusters[1], &snapshot.fleet.clusters[1]));
                prop_assert!(last.fleet.clusters[0].generation <= snapshot.fleet.clusters[0].generation);
            }
            shown.push((snapshot, saw));
        }
        for (snapshot, saw) in shown {
            prop_assert_eq!(seen(&snapshot.fleet.clusters[0]), saw);
        }
    }
}

#[test]
fn nobody_sees_half_a_list() {
    let (mut store, told) = store();
    send(&mut store, Change::Begin(Kind::Pod));
    send(&mut store, Change::Page(Kind::Pod, vec![record(Kind::Pod, 1, 5, 5)]));
    assert_eq!(look(&mut store).rows.len(), 0);
    send(&mut store, Change::Page(Kind::Pod, vec![record(Kind::Pod, 2, 6, 5)]));
    // What the watch says meanwhile is not undone by the older page.
    send(&mut store, Change::Upsert(Arc::new(record(Kind::Pod, 1, 9, 1))));
    send(&mut store, Change::Gone(Kind::Pod, uid(2), Version(10)));
    send(&mut store, Change::Synced(Kind::Pod, Version(7)));
    let rows = look(&mut store).rows;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[&(Kind::Pod, uid(1))].meta().version, Version(9));
    assert!(told.0.lock().unwrap().is_empty(), "a first list is not news");
}

#[test]
fn older_versions_are_refused_and_counted_except_after_a_reset() {
    let (mut store, _) = listed_empty();
    send(&mut store, Change::Upsert(Arc::new(record(Kind::Pod, 1, 20, 5))));
    send(&mut store, Change::Upsert(Arc::new(record(Kind::Pod, 1, 19, 7))));
    send(&mut store, Change::Gone(Kind::Pod, uid(1), Version(18)));
    // Another object that was made and removed before what is known.
    send(&mut store, Change::Upsert(Arc::new(record(Kind::Pod, 2, 15, 7))));
    let snapshot = store.snapshot(at(1));
    let table = snapshot.fleet.clusters[0].table(Kind::Pod);
    assert_eq!((table.rows.len(), table.refused, table.version), (1, 3, Version(20)));
    send(&mut store, Change::Reset);
    let void = look(&mut store);
    assert!(void.rows.is_empty() && void.symptoms.is_empty());
    assert_eq!(void.totals, crate::model::Totals::default());
    send(&mut store, Change::Upsert(Arc::new(record(Kind::Pod, 1, 3, 5))));
    assert_eq!(look(&mut store).rows[&(Kind::Pod, uid(1))].meta().version, Version(3));
    assert!(store.snapshot(at(1)).fleet.clusters[0].generation > snapshot.fleet.clusters[0].generation);
}

#[test]
fn a_name_is_one_objects() {
    let (mut store, told) = store();
    list(&mut store, Kind::Pod, vec![record(Kind::Pod, 1, 5, 5), record(Kind::Pod, 2, 6, 5)], 7);
    let mut other = record(Kind::Pod, 3, 9, 5);
    other.meta_mut().name = "o1".into();
    send(&mut store, Change::Upsert(Arc::new(other)));
    let seen = look(&mut store);
    assert_eq!(seen.rows.keys().map(|(_, uid)| *uid).collect::<Vec<_>>(), [uid(2), uid(3)]);
    assert_eq!(*told.0.lock().unwrap(), [(uid(1), Some(5), None), (uid(3), None, Some(9))]);
    // Elsewhere, or without a name, it takes nobody's place.
    for (n, namespace, name) in [(4, "else", "o1"), (5, "", ""), (6, "", "")] {
        let mut record = record(Kind::Pod, n, u64::from(n) * 10, 5);
        (record.meta_mut().namespace, record.meta_mut().name) = (namespace.into(), name.into());
        send(&mut store, Change::Upsert(Arc::new(record)));
    }
    assert_eq!(look(&mut store).rows.len(), 5);
}

#[test]
fn unchanged_rows_keep_their_place() {
    let (mut store, _) = listed_empty();
    let pods = |range: std::ops::Range<u32>| range.map(|n| record(Kind::Pod, n, 5, 5)).collect::<Vec<_>>();
    list(&mut store, Kind::Pod, pods(0..200), 300);
    let before = store.snapshot(at(1)).fleet.clusters[0].clone();
    list(&mut store, Kind::Pod, pods(1..201).into_iter().rev().collect(), 400);
    let after = store.snapshot(at(1)).fleet.clusters[0].clone();
    let same = before.records(Kind::Pod).zip(after.records(Kind::Pod));
    // The one that went made room for the one that came; all others are where they were.
    assert_eq!(same.filter(|(a, b)| Arc::ptr_eq(a, b)).count(), 199);
    assert_eq!(after.pods().count(), 200);
}

#[test]
fn events_are_bounded_to_the_newest_and_replays_of_dropped_ones_stay_out() {
    let (mut store, told) = store();
    let event = |n: u32| {
        Record::Event(Event {
            meta: meta(n, u64::from(n) + 10),
            last: Some(at(i64::from(n))),
            ..Event::default()
        })
    };
    let kept = newest::room(1);
    let all = kept as u32 + 50;
    list(&mut store, Kind::Event, (0..all).map(event).collect(), u64::from(all) + 10);
    // Events speak of their own time, so the first list of them is told.
    assert_eq!(told.0.lock().unwrap().len(), kept);
    for n in all..all + 5 {
        send(
            &mut store,
            Change::Upsert(Arc::new(Record::Event(Event {
                meta: meta(n, u64::from(n) + 11),
                last: Some(at(i64::from(n))),
                ..Event::default()
            }))),
        );
    }
    send(&mut store, Change::Upsert(Arc::new(event(0))));
    let snapshot = store.snapshot(at(1));
    let table = snapshot.fleet.clusters[0].table(Kind::Event);
    assert_eq!((table.rows.len(), table.refused), (kept, 1));
    let oldest = table.rows.iter().filter_map(|r| r.event()?.last).min();
    assert_eq!((oldest, table.bounded), (Some(at(55)), true));
    // Events go when they are an hour old: those that were left out went before this one.
    send(&mut store, Change::Gone(Kind::Event, uid(55), Version(u64::from(all) + 20)));
    assert!(!store.snapshot(at(1)).fleet.clusters[0].table(Kind::Event).bounded);
}

#[test]
fn samples_are_a_minute_apart_and_only_of_clusters_that_answer() {
    let (mut store, _) = listed_empty();
    let link = Link { state: LinkState::Live, heard: Some(at(0)), ..Link::waiting(at(0)) };
    send(&mut store, Change::Link(link.clone()));
    for second in 0..300 {
        store.tick(at(second));
    }
    let taken = |store: &mut Store| store.snapshot(at(1)).fleet.clusters[0].series.samples.len();
    assert!((5..=6).contains(&taken(&mut store)));
    let was = taken(&mut store);
    send(&mut store, Change::Link(Link { state: LinkState::Broken, ..link }));
    store.tick(at(600));
    assert_eq!(taken(&mut store), was);
    assert!(!store.changed());
}

#[test]
fn a_listed_pod_is_small_and_shares_what_repeats() {
    let (mut store, _) = store();
    assert_eq!(load::list_pods(&mut store, ClusterId(0), 700, at(1)), 700);
    let snapshot = store.snapshot(at(1));
    let pods: Vec<&Pod> = snapshot.fleet.clusters[0].pods().collect();
    assert!(pods.iter().all(|p| p.meta.labels.holders() == 8), "7 replicas and the pool");
    // With its share of containers, name and index a pod stays under 600 bytes.
    assert!(size_of::<Record>() <= 256, "{}", size_of::<Record>());
    assert_eq!(load::churn(&mut store, ClusterId(0), 700, 5000, 300, at(2)), 300);
    let missing = ClusterId(9);
    assert_eq!(load::list_pods(&mut store, missing, 10, at(1)), 0);
}

/// With the real rules and observers: what a watch replays after a cut is told once, and events of
/// before the start stand with their own time.
#[test]
fn replayed_events_are_told_once_and_with_their_own_time() {
    let price = price();
    let derive = Derive {
        rules: crate::views::health::rules(),
        observers: crate::views::scaling::observers(&price),
        price,
        extras: Arc::new(|_| Extras::default()),
    };
    let mut store = Store::new([Arc::default()], at(0), derive);
    let rescale = |n: u32, version: u64, count: u32, second: i64, size: u32| {
        Record::Event(Event {
            meta: meta(n, version),
            reason: "SuccessfulRescale".into(),
            component: "horizontal-pod-autoscaler".into(),
            message: format!("New size: {size}; reason: cpu above target").into(),
            regarding: crate::model::Regarding {
                kind: "HorizontalPodAutoscaler".into(),
                namespace: "shop".into(),
                name: "checkout".into(),
                uid: uid(900),
            },
            last: Some(at(second)),
            count,
            ..Event::default()
        })
    };
    let told = |store: &mut Store| {
        let snapshot = store.snapshot(at(1));
        snapshot.fleet.clusters[0].signals.iter().map(|s| (s.at, s.to)).collect::<Vec<_>>()
    };
    list(&mut store, Kind::Event, vec![rescale(1, 10, 1, -600, 8), rescale(2, 11, 1, -300, 12)], 20);
    let first = [(at(-600), Some(8)), (at(-300), Some(12))];
    assert_eq!(told(&mut store), first);
    send(&mut store, Change::Upsert(Arc::new(rescale(2, 11, 1, -300, 12))));
    list(&mut store, Kind::Event, vec![rescale(2, 11, 1, -300, 12)], 30);
    // It expired in one list and a later replay brings it back.
    list(&mut store, Kind::Event, vec![rescale(1, 10, 1, -600, 8), rescale(2, 11, 1, -300, 12)], 40);
    assert_eq!(told(&mut store), first);
    // The same event counted higher happened again.
    send(&mut store, Change::Upsert(Arc::new(rescale(2, 50, 2, 100, 12))));
    assert_eq!(told(&mut store).last(), Some(&(at(100), Some(12))));
    assert_eq!(told(&mut store).len(), 3);
}
