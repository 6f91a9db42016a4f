use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::{Change, ClusterId, ClusterInfo, Delta, Meta, Namespace, Price};
use crate::store::Store;

const KIND: Kind = Kind::Namespace;

fn at() -> Time {
    Time::from_seconds(1_700_000_000)
}

fn uid(n: u64) -> Uid {
    Uid::parse(&format!("{n:08x}-0000-4000-8000-000000000000"))
}

fn record(n: u64, version: u64) -> Record {
    let meta =
        Meta { uid: uid(n), version: Version(version), name: format!("o{n}").into(), ..Meta::default() };
    Record::Namespace(Namespace { meta, ..Namespace::default() })
}

/// What happens on the way between server and store.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// An object is made, or changed if it is there.
    Change(u64),
    Delete(u64),
    /// The next event arrives.
    Deliver,
    /// The next event is lost, and nobody notices.
    Lose,
    /// An object vanishes from the store.
    Forget(u64),
    Bookmark,
    /// The next step of an audit.
    Audit,
    /// The watch is listed anew.
    Relist,
}

fn sound() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..12u64).prop_map(Happening::Change),
        2 => (0..12u64).prop_map(Happening::Delete),
        6 => Just(Happening::Deliver),
        1 => Just(Happening::Bookmark),
        6 => Just(Happening::Audit),
    ]
}

fn unsound() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => sound(),
        1 => Just(Happening::Lose),
        1 => (0..40u64).prop_map(Happening::Forget),
        1 => Just(Happening::Relist),
    ]
}

/// A server, a watch that lags behind it, and the store.
struct World {
    store: Store,
    /// By uid, the version.
    server: BTreeMap<u64, u64>,
    version: u64,
    /// Version, uid, whether it is gone.
    events: Vec<(u64, u64, bool)>,
    delivered: usize,
    /// Which uid an object has now: a new one each time it is made.
    uids: BTreeMap<u64, u64>,
    next_uid: u64,
    /// The pages of an audit still to come, and its version.
    pages: Option<(Vec<(u64, u64)>, u64)>,
}

impl World {
    fn new() -> World {
        let derive = Derive {
            rules: Vec::new(),
            observers: Vec::new(),
            price: std::sync::Arc::new(|_, _| Price::default()),
            extras: std::sync::Arc::new(|_| crate::model::Extras::default()),
        };
        let store = Store::new([Arc::new(ClusterInfo::default())], at(), derive);
        let mut world = World {
            store,
            server: BTreeMap::new(),
            version: 100,
            events: Vec::new(),
            delivered: 0,
            uids: BTreeMap::new(),
            next_uid: 0,
            pages: None,
        };
        (0..8).for_each(|n| world.happen(Happening::Change(n)));
        world.happen(Happening::Relist);
        world
    }

    fn tell(&mut self, change: Change) {
        self.store.apply(Delta { cluster: ClusterId(0), at: at(), change });
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Change(n) => {
                let next = &mut self.next_uid;
                let uid = *self.uids.entry(n).or_insert_with(|| {
                    *next += 1;
                    *next
                });
                self.version += 2;
                self.server.insert(uid, self.version);
                self.events.push((self.version, uid, false));
            }
            Happening::Delete(n) => {
                if let Some(uid) = self.uids.remove(&n) {
                    self.version += 2;
                    self.server.remove(&uid);
                    self.events.push((self.version, uid, true));
                }
            }
            Happening::Deliver => {
                if let Some((version, n, gone)) = self.events.get(self.delivered).copied() {
                    self.delivered += 1;
                    self.tell(match gone {
                        true => Change::Gone(KIND, uid(n), Version(version)),
                        false => Change::Upsert(Arc::new(record(n, version))),
                    });
                }
            }
            Happening::Lose => self.delivered = self.events.len().min(self.delivered + 1),
            Happening::Forget(n) => {
                let state = &mut self.store.clusters[0];
                state.remove(&self.store.derive, KIND, uid(n), at());
            }
            // A bookmark says that everything before it was sent.
            Happening::Bookmark if self.delivered == self.events.len() => {
                self.tell(Change::Bookmark(KIND, Version(self.version)));
            }
            Happening::Bookmark => {}
            Happening::Audit => self.audit(),
            Happening::Relist => {
                let all = self.server.iter().map(|(n, v)| record(*n, *v)).collect();
                self.delivered = self.events.len();
                self.tell(Change::Begin(KIND));
                self.tell(Change::Page(KIND, all));
                self.tell(Change::Synced(KIND, Version(self.version)));
            }
        }
    }

    /// Begins an audit, sends its next page of two, or ends it.
    fn audit(&mut self) {
        let step = match self.pages.take() {
            None => {
                self.pages = Some((self.server.iter().map(|(n, v)| (*n, *v)).collect(), self.version));
                Audit::Begin
            }
            Some((mut left, version)) if !left.is_empty() => {
                let page = left.drain(..left.len().min(2)).map(|(n, v)| record(n, v)).collect();
                self.pages = Some((left, version));
                Audit::Page(page)
            }
            Some((_, version)) => Audit::End(Version(version)),
        };
        self.tell(Change::Audit(KIND, step));
    }

    fn settle(&mut self) {
        while self.delivered < self.events.len() {
            self.happen(Happening::Deliver);
        }
        self.happen(Happening::Bookmark);
    }

    fn whole_audit(&mut self) {
        while self.pages.is_some() {
            self.audit();
        }
        self.audit();
        while self.pages.is_some() {
            self.audit();
        }
    }

    fn shown(&self) -> BTreeMap<Uid, u64> {
        let rows = self.store.clusters[0].cluster().records(KIND);
        rows.map(|r| (r.meta().uid, r.meta().version.0)).collect()
    }

    fn repaired(&self) -> u64 {
        self.store.clusters[0].cluster().table(KIND).repaired
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_is_right_is_left_alone(happenings in prop::collection::vec(sound(), 0..80)) {
        let mut world = World::new();
        for happening in happenings {
            world.happen(happening);
            prop_assert_eq!(world.repaired(), 0);
        }
        world.settle();
        world.whole_audit();
        prop_assert_eq!(world.repaired(), 0);
    }

    #[test]
    fn what_was_lost_is_found_and_put_right(happenings in prop::collection::vec(unsound(), 0..80)) {
        let mut world = World::new();
        happenings.into_iter().for_each(|happening| world.happen(happening));
        world.settle();
        let wrong = world.shown() != world.server.iter().map(|(n, v)| (uid(*n), *v)).collect();
        let before = world.repaired();
        world.whole_audit();
        let wanted: BTreeMap<Uid, u64> = world.server.iter().map(|(n, v)| (uid(*n), *v)).collect();
        prop_assert_eq!(world.shown(), wanted);
        prop_assert!(!wrong || world.repaired() > before, "what is put right is counted");
    }
}

#[test]
fn it_waits_until_the_watch_has_passed_the_list() {
    let mut world = World::new();
    world.happen(Happening::Change(3));
    world.happen(Happening::Delete(4));
    world.whole_audit();
    let audited = |world: &World| world.store.clusters[0].cluster().table(KIND).audited;
    assert_eq!(audited(&world), None);
    world.settle();
    assert_eq!((audited(&world), world.repaired()), (Some(at()), 0));
}

#[test]
fn a_list_from_before_it_began_brings_nothing_back() {
    let mut world = World::new();
    let old: Vec<Record> = world.server.iter().map(|(n, v)| record(*n, *v)).collect();
    let version = world.version;
    world.happen(Happening::Delete(4));
    world.settle();
    let steps = [Audit::Begin, Audit::Page(old), Audit::End(Version(version))];
    steps.into_iter().for_each(|step| world.tell(Change::Audit(KIND, step)));
    assert!(!world.shown().contains_key(&uid(5)));
    assert_eq!(world.repaired(), 0);
}

#[test]
fn a_watch_without_bookmarks_reaches_the_list_by_a_comparison() {
    let mut world = World::new();
    world.happen(Happening::Change(3));
    world.settle();
    // What happens elsewhere moves the version of lists on, and this kind's watch says nothing of it.
    let listed: Vec<Record> =
        world.server.iter().filter(|(n, _)| **n != 5).map(|(n, v)| record(*n, *v)).collect();
    let version = Version(world.version + 50);
    let steps = [Audit::Begin, Audit::Page(listed), Audit::End(version)];
    steps.into_iter().for_each(|step| world.tell(Change::Audit(KIND, step)));
    let audited = |world: &World| world.store.clusters[0].cluster().table(KIND).audited;
    assert_eq!(audited(&world), None);
    world.tell(Change::Audit(KIND, Audit::Reached(Version(version.0 - 1))));
    assert_eq!(audited(&world), None);
    world.tell(Change::Audit(KIND, Audit::Reached(version)));
    assert_eq!((audited(&world), world.repaired()), (Some(at()), 1));
    assert!(!world.shown().contains_key(&uid(5)));
    // It says nothing of single objects: one that is new since is taken, whatever its version.
    world.tell(Change::Upsert(Arc::new(record(99, version.0 - 10))));
    assert!(world.shown().contains_key(&uid(99)));
}
