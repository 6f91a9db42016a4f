//! Timers that end together: many connections with nothing to say send their pings in the same
//! moment, so that a thread wakes once for all of them.

use std::pin::Pin;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;

/// How much later than asked for a timer ends at most.
const SLACK: Duration = Duration::from_millis(250);

/// Tokio's timer, whose moments are whole multiples of [`SLACK`] since the first of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Together(TokioTimer);

impl Timer for Together {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.sleep_until(self.late(deadline))
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        self.0.reset(sleep, self.late(deadline));
    }
}

impl Together {
    fn late(&self, deadline: Instant) -> Instant {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        rounded(*FIRST.get_or_init(|| self.now()), deadline)
    }
}

fn rounded(first: Instant, deadline: Instant) -> Instant {
    let steps = deadline.saturating_duration_since(first).as_nanos().div_ceil(SLACK.as_nanos());
    first + SLACK * u32::try_from(steps).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn moments_are_rounded_up() {
        let first = Instant::now();
        let millis = |of: Instant| of.duration_since(first).as_millis();
        for (asked, is) in [(0, 0), (1, 250), (249, 250), (250, 250), (7_001, 7_250)] {
            assert_eq!(millis(rounded(first, first + Duration::from_millis(asked))), is);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn timers_of_many_end_together() {
        let timer = Together::default();
        let began = timer.now();
        let mut ends = Vec::new();
        for apart in 0..100 {
            let asked = Duration::from_millis(7_000 + 10 * apart);
            let mut sleep = timer.sleep(Duration::ZERO);
            timer.reset(&mut sleep, began + asked);
            ends.push(async move {
                sleep.await;
                let end = Together::default().now().duration_since(began);
                assert!(
                    end >= asked && end <= asked + SLACK + Duration::from_millis(1),
                    "{end:?} for {asked:?}"
                );
                end
            });
        }
        let ends: BTreeSet<_> = futures::future::join_all(ends).await.into_iter().collect();
        assert!(ends.len() <= 5, "{ends:?}");
    }
}
