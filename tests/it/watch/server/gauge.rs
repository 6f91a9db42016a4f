//! How many lists are being answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many lists are being answered, and how many were at the same time at most.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    pub(super) fn enter(self: &Arc<Gauge>) -> Under {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        Under(self.clone())
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

/// A list that is being answered, or whose asker left.
pub(super) struct Under(Arc<Gauge>);

impl Drop for Under {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}
