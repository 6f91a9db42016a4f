//! Where each object of one kind is, by its uid.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::model::{Place, Rows, Uid};

/// The places of rows, found by the uids of the rows themselves: a uid is not kept twice.
#[derive(Default)]
pub(super) struct Index(HashTable<Place>);

impl Index {
    /// Where the object of this uid is.
    pub(super) fn find(&self, rows: &Rows, uid: Uid) -> Option<Place> {
        self.0.find(hash(uid), |place| is_at(rows, *place, uid)).copied()
    }

    /// Notes where a new row is, which must be there already.
    pub(super) fn add(&mut self, rows: &Rows, uid: Uid, place: Place) {
        let of = |place: &Place| rows.get(*place).map_or(0, |record| hash(record.meta().uid));
        self.0.insert_unique(hash(uid), place, of);
    }

    /// Forgets where an object is, whose row must be there still.
    pub(super) fn take(&mut self, rows: &Rows, uid: Uid) -> Option<Place> {
        let entry = self.0.find_entry(hash(uid), |place| is_at(rows, *place, uid)).ok()?;
        Some(entry.remove().0)
    }
}

fn is_at(rows: &Rows, place: Place, uid: Uid) -> bool {
    rows.get(place).is_some_and(|record| record.meta().uid == uid)
}

fn hash(uid: Uid) -> u64 {
    FxBuildHasher.hash_one(uid)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Meta, Namespace, Record};

    #[test]
    fn objects_are_found_where_their_rows_are() {
        let (mut rows, mut index) = (Rows::default(), Index::default());
        let uid = |n: u32| Uid::parse(&format!("{n:08x}-0000-4000-8000-000000000000"));
        for n in 0..1000 {
            let meta = Meta { uid: uid(n), ..Meta::default() };
            let place = rows.insert(Arc::new(Record::Namespace(Namespace { meta, ..Namespace::default() })));
            index.add(&rows, uid(n), place);
        }
        for n in (0..1000).step_by(3) {
            let place = index.take(&rows, uid(n)).unwrap();
            rows.remove(place);
        }
        for n in 0..1000 {
            let found = index.find(&rows, uid(n)).and_then(|place| rows.get(place));
            assert_eq!(found.map(|record| record.meta().uid), (n % 3 != 0).then(|| uid(n)));
        }
        assert!(index.take(&rows, uid(0)).is_none());
    }
}
