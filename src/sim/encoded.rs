//! Changes as bytes: encoded once in each wire format, however many watches send them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;

/// Documents that are kept: those of one look at the clock, so that watches that wake together
/// find what the first of them wrote.
const KEPT: usize = 512;

/// A document: the version of its object, which is unique in an age of a cluster, that age, and
/// its form. A cluster that was restored or replaced gives versions out again: it is another age.
pub(crate) type Key = (u64, u64, u8);

/// The documents of one cluster's newest changes.
#[derive(Debug, Default)]
pub(crate) struct Encoded(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    order: VecDeque<Key>,
    documents: HashMap<Key, Arc<OnceLock<Bytes>>>,
}

impl Encoded {
    /// The document, written if it is not there.
    pub(crate) fn get(&self, key: Key, write: impl FnOnce() -> Vec<u8>) -> Bytes {
        let document = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match kept.documents.get(&key) {
                Some(known) => known.clone(),
                None => kept.add(key),
            }
        };
        // outside of the lock: who comes second waits for this document only
        document.get_or_init(|| Bytes::from(write())).clone()
    }
}

impl Kept {
    fn add(&mut self, key: Key) -> Arc<OnceLock<Bytes>> {
        if self.order.len() >= KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.documents.remove(&oldest);
        }
        self.order.push_back(key);
        self.documents.entry(key).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_written_once_and_old_ones_go() {
        let encoded = Encoded::default();
        let mut writes = 0;
        for _ in 0..3 {
            let bytes = encoded.get((7, 0, 0), || {
                writes += 1;
                vec![1, 2]
            });
            assert_eq!(&bytes[..], [1, 2]);
        }
        assert_eq!(writes, 1);
        assert_eq!(&encoded.get((7, 0, 1), || vec![3])[..], [3], "another form is another document");
        assert_eq!(&encoded.get((7, 1, 0), || vec![4])[..], [4], "and so is another age");
        for version in 8..8 + KEPT as u64 {
            encoded.get((version, 0, 0), Vec::new);
        }
        assert_eq!(&encoded.get((7, 0, 0), || vec![9])[..], [9], "forgotten, so written anew");
    }
}
