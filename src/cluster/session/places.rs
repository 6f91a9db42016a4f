//! How many requests at once a server takes of us.
//!
//! One that is too busy for what we ask (429) is asked one thing at a time, or our own requests would
//! refuse each other for ever: a server with `--max-requests-inflight=1` has room for one of them. Then,
//! as its answers come, for more at a time again.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::model::Span;

/// Requests under way at the same time that are no streams.
const AT_ONCE: usize = 8;

/// After how many answers in a row one more request at a time is tried.
const TRUST: u32 = 8;

/// The places for requests to one server.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    mood: Mutex<Mood>,
}

/// How the server took the last requests.
#[derive(Debug)]
struct Mood {
    /// How many places there are.
    places: usize,
    /// Places that are no more once who has them leaves.
    owed: usize,
    /// Answers since it last refused, or since there is a place more.
    answered: u32,
    /// Until when it wants to be left in peace.
    until: Option<Instant>,
}

/// Whoever has it has a place, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    of: Arc<Places>,
    place: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new() -> Arc<Places> {
        let mood = Mood { places: AT_ONCE, owed: 0, answered: 0, until: None };
        Arc::new(Places { free: Arc::new(Semaphore::new(AT_ONCE)), mood: Mutex::new(mood) })
    }

    /// Waits for a place.
    pub(super) async fn take(self: &Arc<Places>) -> Permit {
        // The semaphore is never closed.
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        Permit { of: Arc::clone(self), place }
    }

    /// The server is too busy, and may have said for how long.
    pub(super) fn refused(&self, retry_after: Option<Span>) {
        let mut mood = self.mood();
        let surplus = mood.places.saturating_sub(1);
        let gone = self.free.forget_permits(surplus);
        mood.owed += surplus - gone;
        mood.places -= surplus;
        mood.answered = 0;
        let pause = retry_after.map(|pause| u64::try_from(pause.millis()).unwrap_or(0));
        mood.until = pause.map(|pause| Instant::now() + std::time::Duration::from_millis(pause));
    }

    /// The server answered.
    pub(super) fn answered(&self) {
        let mut mood = self.mood();
        if mood.places == AT_ONCE {
            return;
        }
        mood.answered += 1;
        if mood.answered >= TRUST {
            mood.answered = 0;
            mood.places += 1;
            match mood.owed.checked_sub(1) {
                Some(owed) => mood.owed = owed,
                None => self.free.add_permits(1),
            }
        }
    }

    /// For how long the server still wants to be left in peace.
    pub(super) fn peace(&self) -> Option<Span> {
        let left = self.mood().until?.checked_duration_since(Instant::now())?;
        Some(Span::from_millis(i64::try_from(left.as_millis()).unwrap_or(i64::MAX)))
    }

    fn mood(&self) -> std::sync::MutexGuard<'_, Mood> {
        self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut mood = self.of.mood();
        if let (Some(owed), Some(place)) = (mood.owed.checked_sub(1), self.place.take()) {
            mood.owed = owed;
            place.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    /// How many places can be had now.
    fn free(places: &Arc<Places>) -> usize {
        let taken: Vec<Permit> = std::iter::from_fn(|| places.take().now_or_never()).collect();
        taken.len()
    }

    #[test]
    fn a_busy_server_is_asked_one_thing_at_a_time_until_it_answers_for_a_while() {
        let places = Places::new();
        let running: Vec<Permit> = (0..3).filter_map(|_| places.take().now_or_never()).collect();
        assert_eq!((running.len(), free(&places)), (3, AT_ONCE - 3));
        places.refused(None);
        places.refused(None);
        assert_eq!(free(&places), 0, "those that run must end first");
        drop(running);
        assert_eq!(free(&places), 1);
        for more in 1..AT_ONCE {
            (0..TRUST).for_each(|_| places.answered());
            assert_eq!(free(&places), 1 + more);
        }
        (0..100).for_each(|_| places.answered());
        assert_eq!(free(&places), AT_ONCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_is_left_in_peace_for_as_long_as_it_asks() {
        let places = Places::new();
        assert_eq!(places.peace(), None);
        places.refused(Some(Span::from_seconds(5)));
        tokio::time::advance(std::time::Duration::from_secs(2)).await;
        assert_eq!(places.peace(), Some(Span::from_seconds(3)));
        tokio::time::advance(std::time::Duration::from_secs(4)).await;
        assert_eq!(places.peace(), None);
    }
}
