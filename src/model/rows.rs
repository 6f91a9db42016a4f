//! Rows of one kind, in chunks behind reference counts, so that a snapshot copies only what
//! changed since the last one.

use std::sync::Arc;

use super::Record;

/// Rows in a chunk. A publish copies whole chunks of pointers; 64 keeps that under a microsecond.
const CHUNK: usize = 64;

/// A row's place: stable until the row is removed or the table is compacted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(u32);

/// The records of one kind in one cluster. Cloning shares every chunk.
#[derive(Clone, Default)]
pub struct Rows {
    chunks: Vec<Arc<Vec<Option<Arc<Record>>>>>,
    free: Arc<Vec<u32>>,
    len: usize,
}

impl Rows {
    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All records, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).flatten()
    }

    /// All records and where they are.
    pub fn places(&self) -> impl Iterator<Item = (Place, &Arc<Record>)> {
        let places = (0..).map(Place);
        let slots = self.chunks.iter().flat_map(|chunk| chunk.iter());
        places.zip(slots).filter_map(|(place, record)| Some((place, record.as_ref()?)))
    }

    /// Whether `other` has the same objects at the same places, whatever their versions. Only
    /// chunks that are not shared are looked at.
    #[must_use]
    pub fn same_objects(&self, other: &Rows) -> bool {
        let uid = |record: &Option<Arc<Record>>| record.as_ref().map(|record| record.meta().uid);
        self.len == other.len
            && self.chunks.len() == other.chunks.len()
            && self.chunks.iter().zip(&other.chunks).all(|(mine, theirs)| {
                Arc::ptr_eq(mine, theirs) || mine.iter().map(uid).eq(theirs.iter().map(uid))
            })
    }

    /// The record at a place.
    #[must_use]
    pub fn get(&self, place: Place) -> Option<&Arc<Record>> {
        let index = place.0 as usize;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)?.as_ref()
    }

    /// What of this is not shared with `other`: chunks, and records in them.
    #[must_use]
    pub fn beyond(&self, other: &Rows) -> (usize, usize) {
        let (mut chunks, mut records) = (0, 0);
        for (at, chunk) in self.chunks.iter().enumerate() {
            let theirs = other.chunks.get(at);
            if theirs.is_some_and(|theirs| Arc::ptr_eq(chunk, theirs)) {
                continue;
            }
            chunks += 1;
            records += chunk
                .iter()
                .enumerate()
                .filter(|(slot, record)| {
                    let twin = theirs.and_then(|theirs| theirs.get(*slot)).and_then(Option::as_ref);
                    record.as_ref().is_some_and(|mine| twin.is_none_or(|twin| !Arc::ptr_eq(mine, twin)))
                })
                .count();
        }
        (chunks, records)
    }

    /// Adds a record and says where.
    pub fn insert(&mut self, record: Arc<Record>) -> Place {
        self.len += 1;
        if let Some(index) = Arc::make_mut(&mut self.free).pop() {
            self.set(index, Some(record));
            return Place(index);
        }
        let full = self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK);
        if full {
            self.chunks.push(Arc::new(Vec::with_capacity(CHUNK)));
        }
        let last = self.chunks.len() - 1;
        let chunk = Arc::make_mut(&mut self.chunks[last]);
        chunk.push(Some(record));
        Place(u32::try_from(last * CHUNK + chunk.len() - 1).unwrap_or(u32::MAX))
    }

    /// Puts a newer record in place of the old one, which it returns.
    pub fn replace(&mut self, place: Place, record: Arc<Record>) -> Option<Arc<Record>> {
        self.set(place.0, Some(record))
    }

    /// Removes a record and returns it.
    pub fn remove(&mut self, place: Place) -> Option<Arc<Record>> {
        let old = self.set(place.0, None);
        if old.is_some() {
            self.len -= 1;
            Arc::make_mut(&mut self.free).push(place.0);
        }
        old
    }

    fn set(&mut self, index: u32, record: Option<Arc<Record>>) -> Option<Arc<Record>> {
        let index = index as usize;
        let slot = Arc::make_mut(self.chunks.get_mut(index / CHUNK)?).get_mut(index % CHUNK)?;
        std::mem::replace(slot, record)
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Namespace, Text, Uid};

    fn record(name: &str) -> Arc<Record> {
        let mut namespace = Namespace::default();
        namespace.meta.name = Text::clean(name);
        namespace.meta.uid = Uid::parse(name);
        Arc::new(Record::Namespace(namespace))
    }

    #[test]
    fn rows_come_and_go_and_clones_keep_what_they_saw() {
        let mut rows = Rows::default();
        let places: Vec<Place> = (0..200).map(|i| rows.insert(record(&i.to_string()))).collect();
        let before = rows.clone();
        rows.remove(places[7]);
        rows.replace(places[8], record("new"));
        assert_eq!((before.len(), rows.len()), (200, 199));
        assert_eq!(before.get(places[7]).unwrap().meta().name, "7");
        assert!(rows.get(places[7]).is_none());
        assert_eq!(rows.insert(record("again")), places[7]);
        assert_eq!(rows.iter().count(), 200);
        assert_eq!(before.beyond(&rows), (1, 2), "one was removed, one replaced");
        assert_eq!(before.beyond(&before.clone()), (0, 0));
        assert!(before.places().all(|(place, record)| before.get(place) == Some(record)));
        assert!(!before.same_objects(&rows), "one went and another came in its place");
        let mut newer = before.clone();
        newer.replace(places[9], record("9"));
        assert!(newer.same_objects(&before) && !Arc::ptr_eq(&newer.chunks[0], &before.chunks[0]));
        // Only the touched chunk was copied.
        assert!(Arc::ptr_eq(&before.chunks[2], &rows.chunks[2]));
        assert!(!Arc::ptr_eq(&before.chunks[0], &rows.chunks[0]));
    }
}
