//! Who may hold much of one object that is coming in: a few answers in the whole process.
//!
//! Each answer is bounded by itself ([`LARGEST`](crate::kinds::wire::LARGEST)), but two hundred clusters
//! with sixteen watches each, all of them with an object that does not end, would be sixty gigabytes.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// What every answer may hold. etcd's largest object is six times as much, and those of the built-in
/// kinds are a tenth of it.
const SMALL: usize = 256 << 10;

/// How many answers may hold more.
const PLACES: usize = 3;

/// How long one of them may.
const LIMIT: Duration = Duration::from_secs(60);

static ROOM: Semaphore = Semaphore::const_new(PLACES);

/// The place of one answer, which it has while it holds more than others may.
#[derive(Default)]
pub(super) struct Place(Option<(SemaphorePermit<'static>, Instant)>);

impl Place {
    /// Waits until an answer that holds so many bytes may read on. It may be dropped at any time.
    pub(super) async fn to_hold(&mut self, bytes: usize) {
        if bytes <= SMALL {
            self.0 = None;
        } else if self.0.is_none()
            && let Ok(permit) = ROOM.acquire().await
        {
            self.0 = Some((permit, Instant::now() + LIMIT));
        }
    }

    /// What comes of `next`, or nothing when the place was held for too long: others wait for it.
    pub(super) async fn within<T>(&self, next: impl Future<Output = T>) -> Option<T> {
        match &self.0 {
            Some((_, until)) => timeout_at(*until, next).await.ok(),
            None => Some(next.await),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_may_hold_much_and_not_for_ever() {
        let mut places: Vec<Place> = (0..=PLACES).map(|_| Place::default()).collect();
        for place in &mut places {
            place.to_hold(SMALL).await;
        }
        let (last, first) = places.split_last_mut().unwrap();
        for place in first.iter_mut() {
            place.to_hold(SMALL + 1).await;
        }
        assert!(last.to_hold(SMALL + 1).now_or_never().is_none(), "there is no place");
        assert!(last.within(std::future::ready(())).await.is_some(), "it holds none");
        let began = Instant::now();
        assert_eq!(first[0].within(std::future::pending::<()>()).await, None);
        assert_eq!(began.elapsed(), LIMIT);
        first[0].to_hold(0).await;
        last.to_hold(20 * SMALL).now_or_never().unwrap();
        assert!(first[0].to_hold(SMALL + 1).now_or_never().is_none(), "another has it");
    }
}
