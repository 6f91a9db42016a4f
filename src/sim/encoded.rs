//! Changes as bytes: encoded once in each wire format, however many watches send them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;

/// Documents that are kept, and their bytes: enough that watches that wake together find what the
/// first of them wrote.
const KEPT: usize = 512;
const BYTES: usize = 256 << 10;

/// A document: the version of its object, which is unique in an age of a cluster, that age, and
/// its form. A cluster that was restored or replaced gives versions out again: it is another age.
pub(crate) type Key = (u64, u64, u8);

/// The documents of one cluster's newest changes.
#[derive(Debug, Default)]
pub(crate) struct Encoded(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    order: VecDeque<Key>,
    bytes: usize,
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
        let mut fresh = 0;
        let bytes = document.get_or_init(|| {
            let bytes = Bytes::from(write());
            fresh = bytes.len();
            bytes
        });
        if fresh > 0 {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).grow(&key, fresh);
        }
        bytes.clone()
    }
}

impl Kept {
    fn add(&mut self, key: Key) -> Arc<OnceLock<Bytes>> {
        if self.order.len() >= KEPT {
            self.forget();
        }
        self.order.push_back(key);
        self.documents.entry(key).or_default().clone()
    }

    /// A document was written; older ones make room for it.
    fn grow(&mut self, key: &Key, bytes: usize) {
        if !self.documents.contains_key(key) {
            return;
        }
        self.bytes += bytes;
        while self.bytes > BYTES && self.order.len() > 1 {
            self.forget();
        }
    }

    fn forget(&mut self) {
        let Some(oldest) = self.order.pop_front() else { return };
        let gone = self.documents.remove(&oldest);
        self.bytes = self.bytes.saturating_sub(gone.and_then(|d| Some(d.get()?.len())).unwrap_or(0));
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
        for version in 1000..1020 {
            encoded.get((version, 0, 0), || vec![0; BYTES / 4]);
        }
        let kept = encoded.0.lock().unwrap();
        assert!(kept.bytes <= BYTES && kept.order.len() == 4, "{} in {}", kept.bytes, kept.order.len());
    }
}
