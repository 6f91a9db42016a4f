//! What is news and what is not, and what a list makes void.

use super::*;
use crate::model::Audit;

#[test]
fn what_a_restored_server_does_not_have_any_more_goes_with_its_first_list() {
    // `etcdutl snapshot restore --bump-revision --mark-compacted`: versions go on from a billion
    // later, objects keep the ones that they had.
    let (mut store, _) = listed_empty();
    for (n, version) in [(1, 900), (2, 990), (3, 950)] {
        send(&mut store, Change::Upsert(Arc::new(record(Kind::Pod, n, version, 5))));
    }
    let restored = vec![record(Kind::Pod, 1, 900, 5), record(Kind::Pod, 2, 890, 1)];
    list(&mut store, Kind::Pod, restored.clone(), 1_000_000_900);
    let rows: Vec<Record> = look(&mut store).rows.into_values().collect();
    assert_eq!(rows, restored);
}

#[test]
fn what_nobody_could_see_raises_no_generation_and_keeps_what_was_derived() {
    let (mut store, _) = listed_empty();
    send(&mut store, Change::Upsert(Arc::new(record(Kind::Node, 60, 20, 7))));
    // The sample of this minute.
    store.tick(at(1));
    let cluster = |store: &mut Store| store.snapshot(at(1)).fleet.clusters[0].clone();
    let before = cluster(&mut store);
    let derived = before.derived(|| Text::clean("once"));
    send(&mut store, Change::Bookmark(Kind::Node, Version(25)));
    send(&mut store, Change::Bookmark(Kind::Pod, Version(25)));
    assert!(Arc::ptr_eq(&before, &cluster(&mut store)), "a bookmark copies nothing");
    // A heartbeat, and a server that answers faster.
    send(&mut store, Change::Upsert(Arc::new(record(Kind::Node, 60, 30, 7))));
    send(&mut store, Change::Latency(Span::from_millis(7)));
    assert!(!store.changed());
    store.tick(at(1));
    assert!(store.changed(), "it is handed out with the next tick");
    let after = cluster(&mut store);
    assert_eq!((after.generation, after.api_p95), (before.generation, Some(Span::from_millis(7))));
    assert_eq!(after.records(Kind::Node).next().map(|r| r.meta().version), Some(Version(30)));
    assert_eq!(after.table(Kind::Node).version, Version(30));
    // An audit that finds all as it was.
    for step in [Audit::Begin, Audit::Page(vec![record(Kind::Node, 60, 30, 7)]), Audit::End(Version(30))] {
        send(&mut store, Change::Audit(Kind::Node, step));
    }
    assert!(!store.changed());
    store.tick(at(1));
    assert!(store.changed(), "it is handed out with the next tick");
    let audited = cluster(&mut store);
    assert_eq!((audited.generation, audited.table(Kind::Node).audited), (after.generation, Some(at(1))));
    assert!(Arc::ptr_eq(&derived, &after.derived(|| Text::clean("twice"))));
    // An older reading is refused all the same, and news is news.
    send(&mut store, Change::Upsert(Arc::new(record(Kind::Node, 60, 29, 6))));
    send(&mut store, Change::Upsert(Arc::new(record(Kind::Node, 60, 31, 6))));
    let news = cluster(&mut store);
    assert_eq!(news.table(Kind::Node).refused, 1);
    assert!(news.generation > after.generation);
    assert_eq!(*news.derived(|| Text::clean("twice")), "twice");
}

#[test]
fn a_void_list_leaves_nothing_behind() {
    let (mut store, _) = listed_empty();
    send(&mut store, Change::Begin(Kind::Pod));
    send(&mut store, Change::Page(Kind::Pod, vec![record(Kind::Pod, 1, 5, 5)]));
    send(&mut store, Change::Void(Kind::Pod));
    assert!(store.clusters[0].list(Kind::Pod).is_none());
    send(&mut store, Change::Synced(Kind::Pod, Version(7)));
    assert!(look(&mut store).rows.is_empty());
}
