//! Several contexts of one cluster.

use super::*;
use crate::model::{Cause, Fault, LinkState, SameAs, Tier};

fn two(servers: [&str; 2]) -> Store {
    let derive = store().0.derive;
    let info = |(name, server): (&str, &str)| {
        let (name, server) = (name.into(), server.into());
        Arc::new(ClusterInfo { name, server, tier: Tier::Dev, ..ClusterInfo::default() })
    };
    Store::new(["reader", "admin"].into_iter().zip(servers).map(info), at(0), derive)
}

fn say(store: &mut Store, cluster: u16, change: Change) {
    store.apply(Delta { cluster: ClusterId(cluster), at: at(1), change });
}

/// It answers, and is the cluster of this number; unknown which for 0.
fn answers(store: &mut Store, cluster: u16, number: u32) {
    let live = Link { state: LinkState::Live, heard: Some(at(1)), ..Link::waiting(at(1)) };
    let identity = (number > 0).then(|| uid(number));
    say(store, cluster, Change::Link(live));
    let (served, badges) = (Box::default(), Vec::new());
    say(store, cluster, Change::Server { version: "v1.36.3".into(), identity, served, badges });
}

/// By whom each is counted, if not by itself.
fn counted(store: &mut Store) -> [Option<u16>; 2] {
    let snapshot = store.snapshot(at(2));
    let by = |cluster: &Arc<Cluster>| cluster.same_as.as_ref().map(|SameAs { id, .. }| id.0);
    [by(&snapshot.fleet.clusters[0]), by(&snapshot.fleet.clusters[1])]
}

#[test]
fn a_cluster_with_two_contexts_is_counted_by_the_first() {
    let mut store = two(["https://one", "https://one"]);
    answers(&mut store, 0, 7);
    assert_eq!(counted(&mut store), [None, None]);
    answers(&mut store, 1, 7);
    assert_eq!(counted(&mut store), [None, Some(0)]);
    // One of them turns out to be another cluster.
    say(&mut store, 0, Change::Reset);
    assert_eq!(counted(&mut store), [None, None]);
    answers(&mut store, 0, 8);
    assert_eq!(counted(&mut store), [None, None]);
}

#[test]
fn only_what_is_certainly_the_same_is() {
    // A cluster that was made from a backup of another.
    let mut store = two(["https://one", "https://other"]);
    [0, 1].into_iter().for_each(|cluster| answers(&mut store, cluster, 7));
    assert_eq!(counted(&mut store), [None, None]);
    // Neither may say which it is.
    let mut store = two(["https://one", "https://one"]);
    [0, 1].into_iter().for_each(|cluster| answers(&mut store, cluster, 0));
    assert_eq!(counted(&mut store), [None, None]);
}

#[test]
fn who_answers_and_who_sees_more_is_counted() {
    let mut store = two(["https://one", "https://one"]);
    [0, 1].into_iter().for_each(|cluster| answers(&mut store, cluster, 7));
    let denied = Link { state: LinkState::Denied, ..Link::waiting(at(1)) };
    say(&mut store, 0, Change::KindLink(Kind::Node, denied));
    assert_eq!(counted(&mut store), [Some(1), None]);
    let fault = Some(Fault::new(Cause::Unauthorized, "401", ""));
    let out = Link { state: LinkState::Denied, fault, ..Link::waiting(at(1)) };
    say(&mut store, 1, Change::Link(out));
    assert_eq!(counted(&mut store), [None, Some(0)]);
}

#[test]
fn who_may_read_only_later_which_cluster_it_is_is_counted_once_from_then_on() {
    let mut store = two(["https://one", "https://one"]);
    answers(&mut store, 0, 7);
    answers(&mut store, 1, 0);
    assert_eq!(counted(&mut store), [None, None]);
    let own = Record::Namespace(crate::model::Namespace {
        meta: Meta { name: "kube-system".into(), ..meta(7, 3) },
        ..crate::model::Namespace::default()
    });
    say(&mut store, 1, Change::Begin(Kind::Namespace));
    say(&mut store, 1, Change::Page(Kind::Namespace, vec![own]));
    say(&mut store, 1, Change::Synced(Kind::Namespace, Version(9)));
    assert_eq!(counted(&mut store), [None, Some(0)]);
    answers(&mut store, 1, 0);
    assert_eq!(counted(&mut store), [None, Some(0)]);
}

/// It has these nodes.
fn lists(store: &mut Store, cluster: u16, numbers: &[u32]) {
    let node = |number: &u32| {
        Record::from(crate::model::Node { meta: meta(*number, 3), ..crate::model::Node::default() })
    };
    has(store, cluster, numbers.iter().map(node).collect());
}

/// It has these objects of one kind.
fn has(store: &mut Store, cluster: u16, records: Vec<Record>) {
    let kind = records[0].kind();
    say(store, cluster, Change::Begin(kind));
    say(store, cluster, Change::Page(kind, records));
    say(store, cluster, Change::Synced(kind, Version(9)));
}

#[test]
fn who_may_never_read_which_cluster_it_is_is_known_by_its_objects() {
    for identities in [[0, 7], [7, 0], [0, 0]] {
        let mut store = two(["https://one", "https://one"]);
        (0..).zip(identities).for_each(|(cluster, number)| answers(&mut store, cluster, number));
        lists(&mut store, 0, &[1, 2]);
        assert_eq!(counted(&mut store), [None, None]);
        lists(&mut store, 1, &[2, 3]);
        assert_eq!(counted(&mut store), [None, Some(0)], "{identities:?}");
    }
    // A proxy that leads to two clusters by one address, and one made from a backup.
    for (servers, nodes) in [(["https://one"; 2], [3, 4]), (["https://one", "https://other"], [1, 2])] {
        let mut store = two(servers);
        (0..2).for_each(|cluster| answers(&mut store, cluster, 0));
        lists(&mut store, 0, &[1, 2]);
        lists(&mut store, 1, &nodes);
        assert_eq!(counted(&mut store), [None, None]);
    }
    let mut store = two(["https://one"; 2]);
    (0..).zip([7, 8]).for_each(|(cluster, number)| answers(&mut store, cluster, number));
    (0..2).for_each(|cluster| lists(&mut store, cluster, &[1]));
    assert_eq!(counted(&mut store), [None, None], "what is known to differ is never one");
}

#[test]
fn one_kind_that_both_have_is_enough_and_so_is_a_third_who_has_something_of_both() {
    let volume = |number: u32| {
        Record::Volume(crate::model::Volume { meta: meta(number, 3), ..crate::model::Volume::default() })
    };
    let claim = |number: u32| {
        Record::Claim(crate::model::Claim { meta: meta(number, 3), ..crate::model::Claim::default() })
    };
    // The nodes of one are of yesterday.
    let mut store = two(["https://one"; 2]);
    answers(&mut store, 0, 7);
    answers(&mut store, 1, 0);
    lists(&mut store, 0, &[1, 2]);
    lists(&mut store, 1, &[3, 4]);
    assert_eq!(counted(&mut store), [None, None]);
    [0, 1].into_iter().for_each(|cluster| has(&mut store, cluster, vec![volume(9)]));
    assert_eq!(counted(&mut store), [None, Some(0)]);
    // The first has nothing of what the last, who is known, may read.
    let derive = self::store().0.derive;
    let info = |name: &str| {
        Arc::new(ClusterInfo { name: name.into(), server: "https://one".into(), ..ClusterInfo::default() })
    };
    let mut store = Store::new(["pods", "both", "known"].map(info), at(0), derive);
    (0..3).zip([0, 0, 7]).for_each(|(cluster, number)| answers(&mut store, cluster, number));
    has(&mut store, 0, vec![claim(1)]);
    has(&mut store, 1, vec![claim(1)]);
    lists(&mut store, 1, &[2]);
    lists(&mut store, 2, &[2]);
    let snapshot = store.snapshot(at(2));
    let by: Vec<Option<u16>> =
        snapshot.fleet.clusters.iter().map(|c| c.same_as.as_ref().map(|same| same.id.0)).collect();
    assert_eq!(by, [None, Some(0), Some(0)]);
}
