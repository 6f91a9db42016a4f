//! Since when something is wrong.

use super::*;

#[test]
fn a_symptom_that_stays_keeps_its_beginning() {
    let (mut store, _) = listed_empty();
    let say = |store: &mut Store, second, version, seed| {
        let change = Change::Upsert(Arc::new(record(Kind::Pod, 1, version, seed)));
        store.apply(Delta { cluster: ClusterId(0), at: at(second), change });
    };
    say(&mut store, 10, 20, 1);
    say(&mut store, 50, 21, 9);
    assert_eq!(look(&mut store).symptoms[&uid(1)].since, at(10));
    say(&mut store, 60, 22, 5);
    assert!(look(&mut store).symptoms.is_empty());
    say(&mut store, 70, 23, 1);
    assert_eq!(look(&mut store).symptoms[&uid(1)].since, at(70));
}

/// Finds pods that are not ready critical, as of when their versions say.
struct Loops;

impl Rule for Loops {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        let found = NotReady.symptom(cluster, record, at)?;
        let since = Time::from_seconds(i64::try_from(record.meta().version.0).unwrap_or(0));
        Some(Symptom { tone: Tone::Crit, since, ..found })
    }
}

#[test]
fn a_symptom_that_comes_back_lately_began_when_it_first_did() {
    let (mut store, _) = store();
    store.derive.rules = vec![Box::new(Loops)];
    list(&mut store, Kind::Pod, vec![record(Kind::Pod, 1, 5, 0)], 7);
    let (ready, looping) = (4, 0);
    let mut put = |second: i64, version: u64, seed: u8| {
        let change = Change::Upsert(Arc::new(record(Kind::Pod, 1, version, seed)));
        store.apply(Delta { cluster: ClusterId(0), at: at(second), change });
        look(&mut store).symptoms.get(&uid(1)).map(|symptom| symptom.since)
    };
    assert_eq!(put(2, 10, ready), None);
    assert_eq!(put(60, 20, looping), Some(Time::from_seconds(5)));
    assert_eq!(put(70, 30, ready), None);
    // It ran for longer than a crash loop is remembered.
    assert_eq!(put(700, 40, looping), Some(Time::from_seconds(40)));
}

/// Crashes on one pod.
struct Stumbles;

impl Rule for Stumbles {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        assert!(record.meta().uid != uid(1), "a rule crashes, by order");
        NotReady.symptom(cluster, record, at)
    }
}

impl Observer for Stumbles {
    fn observe(&self, _: &Cluster, _: Option<&Record>, after: Option<&Record>, _: Time, _: &mut Vec<Signal>) {
        assert!(after.is_none_or(|record| record.meta().uid != uid(1)), "an observer crashes, by order");
    }
}

#[test]
fn what_crashes_on_an_object_costs_what_it_says_of_that_object() {
    let (mut store, _) = store();
    let clumsy = Derive {
        rules: vec![Box::new(Stumbles)],
        observers: vec![Box::new(Stumbles)],
        price: Arc::new(|_, node| panic!("a price crashes, by order: {}", node.meta.name)),
        extras: Arc::new(|_| panic!("extras crash, by order")),
    };
    store.derive = clumsy;
    list(&mut store, Kind::Node, vec![record(Kind::Node, 3, 4, 4)], 7);
    list(&mut store, Kind::Pod, Vec::new(), 7);
    for (n, version) in [(1, 8), (2, 9)] {
        send(&mut store, Change::Upsert(Arc::new(record(Kind::Pod, n, version, 0))));
    }
    let cluster = look(&mut store);
    assert_eq!((cluster.totals.pods, cluster.totals.nodes, cluster.totals.cost.unknown), (2, 1, 1));
    assert_eq!(cluster.symptoms.keys().collect::<Vec<_>>(), [&uid(2)]);
}
