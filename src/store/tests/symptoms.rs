//! Since when something is wrong.

use super::*;

#[test]
fn a_symptom_that_stays_keeps_its_beginning() {
    let (mut store, _) = listed_empty();
    let say = |store: &mut Store, second, version, seed| {
        let change = Change::Upsert(Box::new(record(Kind::Pod, 1, version, seed)));
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
        let change = Change::Upsert(Box::new(record(Kind::Pod, 1, version, seed)));
        store.apply(Delta { cluster: ClusterId(0), at: at(second), change });
        look(&mut store).symptoms.get(&uid(1)).map(|symptom| symptom.since)
    };
    assert_eq!(put(2, 10, ready), None);
    assert_eq!(put(60, 20, looping), Some(Time::from_seconds(5)));
    assert_eq!(put(70, 30, ready), None);
    // It ran for longer than a crash loop is remembered.
    assert_eq!(put(700, 40, looping), Some(Time::from_seconds(40)));
}
