//! A list that is coming in, kept aside until it is complete.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Derive, State};
use crate::model::{Kind, Record, Time, Uid, Version};

/// What came of a list so far, and what changed beside it since it began.
#[derive(Default)]
pub(super) struct List {
    records: Vec<Arc<Record>>,
    came: FxHashSet<Uid>,
    gone: FxHashMap<Uid, Version>,
}

impl List {
    pub(super) fn add(&mut self, record: Arc<Record>) {
        self.records.push(record);
    }

    pub(super) fn came(&mut self, uid: Uid) {
        self.gone.remove(&uid);
        self.came.insert(uid);
    }

    pub(super) fn gone(&mut self, uid: Uid, version: Version) {
        self.came.remove(&uid);
        self.gone.insert(uid, version);
    }
}

impl State {
    /// Puts a complete list in place of what was there, as the changes between the two: rows that
    /// did not change keep their place, and nothing is told of them.
    pub(super) fn swap(&mut self, derive: &Derive, kind: Kind, version: Version, at: Time) {
        if let Some(mut list) = self.list(kind).take() {
            if kind == Kind::Event {
                self.table(kind).bounded = self.events().bound(&mut list.records);
            }
            if kind == Kind::Node {
                // The young ones of a first list are told of, and each counts those that were there before it.
                list.records.sort_by_key(|record| record.meta().created);
            }
            // A list older than what is known (another apiserver's cache) brings back nothing: what
            // it has and we do not may have gone since.
            let known_to = self.version(kind);
            let behind = known_to.newer_than(version);
            // What is gone goes first, so that what came takes its places.
            let listed: FxHashSet<Uid> = list.records.iter().map(|r| r.meta().uid).collect();
            for uid in self.uids(kind) {
                let newer = || self.known(kind, uid).is_some_and(|k| k.meta().version.newer_than(version));
                if !listed.contains(&uid) && !list.came.contains(&uid) && !newer() {
                    self.remove(derive, kind, uid, at);
                }
            }
            let mut refused = 0;
            for record in list.records {
                let meta = record.meta();
                let left = list.gone.get(&meta.uid).is_some_and(|gone| !meta.version.newer_than(*gone));
                match self.known(kind, meta.uid) {
                    None if left || (behind && !meta.version.newer_than(known_to)) => refused += 1,
                    // The list has everything up to its own version. What is here at an older one than
                    // that, and there at an older one still, the server does not have any more: it was
                    // restored, and counts on from a higher version.
                    Some(known) if known.meta().version.newer_than(version) => refused += 1,
                    Some(known) if **known == *record => {}
                    _ => self.put(derive, record, at),
                }
            }
            self.table(kind).refused += refused;
            self.sweep();
        }
        self.bookmark(kind, version);
        self.table(kind).synced = Some(at);
    }
}

/// Comparing versions of which one may be unknown.
pub(super) trait Newer {
    /// Whether this is surely newer than `other`: both are known and this is the larger.
    fn newer_than(self, other: Version) -> bool;
}

impl Newer for Version {
    fn newer_than(self, other: Version) -> bool {
        other.0 != 0 && self > other
    }
}
