//! Rows of one kind, in chunks behind reference counts, so that a snapshot copies only what
//! changed since the last one.

use std::sync::Arc;

use super::Record;

/// Rows in a chunk. A publish copies whole chunks of pointers; 64 keeps that under a microsecond.
const CHUNK: usize = 64;

/// A row's place: stable until the row is removed or the table is compacted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place(u32);

type Chunk = Vec<Option<Arc<Record>>>;

/// What is held at a place.
pub type Held<'a> = Option<&'a Arc<Record>>;

/// The records of one kind in one cluster. Cloning shares every chunk.
#[derive(Clone, Default)]
pub struct Rows {
    chunks: Vec<Arc<Chunk>>,
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

    /// Where a record is not the one that `other` has there: the place, ours and theirs. Only chunks that are not
    /// shared are looked at.
    pub fn unlike<'a>(&'a self, other: &'a Rows) -> impl Iterator<Item = (Place, Held<'a>, Held<'a>)> {
        let chunks = 0..self.chunks.len().max(other.chunks.len());
        let pairs = chunks.map(|at| (at, self.chunks.get(at), other.chunks.get(at)));
        let unshared = pairs.filter(|(_, mine, theirs)| !shared(*mine, *theirs));
        unshared.flat_map(|(at, mine, theirs)| {
            let slots = (0..CHUNK).map(move |slot| {
                let held = |chunk: Option<&'a Arc<Chunk>>| chunk.and_then(|chunk| chunk.get(slot)?.as_ref());
                let place = Place(u32::try_from(at * CHUNK + slot).unwrap_or(u32::MAX));
                (place, held(mine), held(theirs))
            });
            slots.filter(|(_, mine, theirs)| !shared(*mine, *theirs))
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
        let chunks = self.chunks.iter().enumerate();
        let own = chunks.filter(|(at, mine)| !shared(Some(*mine), other.chunks.get(*at))).count();
        (own, self.unlike(other).filter(|(_, mine, _)| mine.is_some()).count())
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

/// Whether both are the same allocation, or neither is there.
fn shared<T>(mine: Option<&Arc<T>>, theirs: Option<&Arc<T>>) -> bool {
    match (mine, theirs) {
        (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
        (mine, theirs) => mine.is_none() && theirs.is_none(),
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
        let names = |held: Held<'_>| held.map(|record| record.meta().name.to_string());
        let unlike = rows.unlike(&before).map(|(place, mine, theirs)| (place, names(mine), names(theirs)));
        let pair = |mine: &str, theirs: &str| (Some(mine.to_owned()), Some(theirs.to_owned()));
        let wanted = [(places[7], pair("again", "7")), (places[8], pair("new", "8"))];
        assert_eq!(unlike.map(|(place, mine, theirs)| (place, (mine, theirs))).collect::<Vec<_>>(), wanted);
        let mut newer = before.clone();
        newer.replace(places[9], record("9"));
        assert!(!Arc::ptr_eq(&newer.chunks[0], &before.chunks[0]));
        let more = newer.insert(record("200"));
        assert_eq!(newer.unlike(&before).map(|(place, ..)| place).collect::<Vec<_>>(), [places[9], more]);
        // Only the touched chunk was copied.
        assert!(Arc::ptr_eq(&before.chunks[2], &rows.chunks[2]));
        assert!(!Arc::ptr_eq(&before.chunks[0], &rows.chunks[0]));
    }
}
