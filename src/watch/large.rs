//! How much all answers together may hold of objects that are coming in.
//!
//! Each answer is bounded by itself ([`LARGEST`](crate::kinds::wire::LARGEST)), but two hundred clusters
//! with sixteen watches each, all of them with an object that does not end, would be sixty gigabytes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::kinds::wire::LONG;

/// For how long an answer may hold more than [`LONG`] bytes.
const LIMIT: Duration = Duration::from_secs(60);

/// What is above [`LONG`] bytes in all answers of the process.
static ROOM: Room = Room::new(48 << 20);

#[derive(Debug)]
struct Room {
    taken: AtomicUsize,
    size: usize,
}

impl Room {
    const fn new(size: usize) -> Room {
        Room { taken: AtomicUsize::new(0), size }
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let fits = taken + bytes <= self.size;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one answer has of the room.
#[derive(Debug)]
pub(super) struct Place {
    room: &'static Room,
    taken: usize,
    until: Option<Instant>,
}

impl Default for Place {
    fn default() -> Place {
        Place { room: &ROOM, taken: 0, until: None }
    }
}

impl Place {
    /// The answer holds so many bytes now; false when there is no room for them. Nobody waits for
    /// room: what is silent meanwhile would be taken for a watch in which nothing happens.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let above = bytes.saturating_sub(LONG);
        if above > self.taken && !self.room.take(above - self.taken) {
            return false;
        }
        self.room.give_back(self.taken.saturating_sub(above));
        self.taken = above;
        self.until = (above > 0).then(|| self.until.unwrap_or_else(|| Instant::now() + LIMIT));
        true
    }

    /// Until when it may hold what it does, if that is much.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.give_back(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_all_hold_together_is_bounded() {
        let room: &'static Room = Box::leak(Box::new(Room::new(1000)));
        let place = || Place { room, taken: 0, until: None };
        let (mut one, mut two, mut three) = (place(), place(), place());
        assert!(one.hold(LONG) && one.until().is_none(), "that much every answer may hold");
        assert!(one.hold(LONG + 600));
        let until = one.until();
        assert_eq!(until, Some(Instant::now() + LIMIT));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(one.hold(LONG + 700) && one.until() == until, "it has held much since then");
        assert!(!two.hold(LONG + 400) && two.until().is_none());
        assert!(two.hold(LONG + 300) && !three.hold(LONG + 1));
        assert!(one.hold(10) && one.until().is_none());
        assert!(three.hold(LONG + 700) && !one.hold(LONG + 1));
        drop(three);
        assert!(one.hold(LONG + 700), "what is gone holds nothing");
        drop((one, two));
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
