//! Where each object of one kind is, by its uid and by its name.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::model::{Meta, Place, Rows, Uid};

/// The places of rows, found by what the rows themselves say: no uid and no name is kept twice.
#[derive(Default)]
pub(super) struct Index {
    uids: HashTable<Place>,
    names: HashTable<Place>,
}

impl Index {
    /// Where the object of this uid is.
    pub(super) fn find(&self, rows: &Rows, uid: Uid) -> Option<Place> {
        self.uids.find(hash(uid), |place| has_uid(rows, *place, uid)).copied()
    }

    /// The object that has this one's namespace and name.
    pub(super) fn namesake(&self, rows: &Rows, of: &Meta) -> Option<Uid> {
        let place = self.names.find(hash_name(of), |place| has_name(rows, *place, of))?;
        rows.get(*place).map(|record| record.meta().uid)
    }

    /// Notes where a new row is, which must be there already.
    pub(super) fn add(&mut self, rows: &Rows, place: Place) {
        let Some(meta) = meta(rows, place) else { return };
        let by_uid = |place: &Place| meta_hash(rows, *place, |meta| hash(meta.uid));
        self.uids.insert_unique(hash(meta.uid), place, by_uid);
        let by_name = |place: &Place| meta_hash(rows, *place, hash_name);
        self.names.insert_unique(hash_name(meta), place, by_name);
    }

    /// Forgets where an object is, whose row must be there still.
    pub(super) fn take(&mut self, rows: &Rows, uid: Uid) -> Option<Place> {
        let entry = self.uids.find_entry(hash(uid), |place| has_uid(rows, *place, uid)).ok()?;
        let place = entry.remove().0;
        let name = hash_name(meta(rows, place)?);
        if let Ok(entry) = self.names.find_entry(name, |other| *other == place) {
            entry.remove();
        }
        Some(place)
    }
}

fn meta(rows: &Rows, place: Place) -> Option<&Meta> {
    rows.get(place).map(|record| record.meta())
}

fn meta_hash(rows: &Rows, place: Place, of: impl Fn(&Meta) -> u64) -> u64 {
    meta(rows, place).map_or(0, of)
}

fn has_uid(rows: &Rows, place: Place, uid: Uid) -> bool {
    meta(rows, place).is_some_and(|meta| meta.uid == uid)
}

fn has_name(rows: &Rows, place: Place, of: &Meta) -> bool {
    meta(rows, place).is_some_and(|meta| meta.name == of.name && meta.namespace == of.namespace)
}

fn hash(uid: Uid) -> u64 {
    FxBuildHasher.hash_one(uid)
}

fn hash_name(meta: &Meta) -> u64 {
    FxBuildHasher.hash_one((&*meta.namespace, &*meta.name))
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
        let of = |n: u32| Meta { uid: uid(n), name: format!("n{n}").as_str().into(), ..Meta::default() };
        for n in 0..1000 {
            let place =
                rows.insert(Arc::new(Record::Namespace(Namespace { meta: of(n), ..Namespace::default() })));
            index.add(&rows, place);
        }
        for n in (0..1000).step_by(3) {
            let place = index.take(&rows, uid(n)).unwrap();
            rows.remove(place);
        }
        for n in 0..1000 {
            assert_eq!(index.namesake(&rows, &of(n)), (n % 3 != 0).then(|| uid(n)));
            let found = index.find(&rows, uid(n)).and_then(|place| rows.get(place));
            assert_eq!(found.map(|record| record.meta().uid), (n % 3 != 0).then(|| uid(n)));
        }
        assert!(index.take(&rows, uid(0)).is_none());
    }
}
