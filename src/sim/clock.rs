//! The one clock of a fleet: real time, faster time, standing time, or time that a test moves by
//! hand.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Span, Time};

/// How time passes in a fleet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// With the world, this many times as fast: 1 is real time, 0 stands still.
    Running(f64),
    /// Only when [`Fleet::advance`](super::Fleet::advance) is called.
    Manual,
}

/// The clock of a fleet.
#[derive(Debug)]
pub(crate) struct Clock {
    beat: Mutex<Beat>,
    origin: Time,
    /// Milliseconds that were added by hand.
    moved: AtomicI64,
}

/// How the clock runs now.
#[derive(Clone, Copy, Debug)]
struct Beat {
    /// Times as fast as the world.
    speed: f64,
    since: Instant,
    /// Milliseconds that had passed then.
    before: f64,
}

impl Beat {
    fn passed(&self) -> f64 {
        self.before + self.since.elapsed().as_secs_f64() * 1000.0 * self.speed
    }
}

impl Clock {
    /// A clock that begins at the world's time, or at a fixed night if it is moved by hand.
    pub(crate) fn new(pace: Pace) -> Clock {
        let (origin, speed) = match pace {
            Pace::Manual => (Time::from_seconds(1_795_226_400), 0.0), // 2026-11-21T02:00:00Z
            Pace::Running(speed) => {
                let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
                (Time::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)), speed.max(0.0))
            }
        };
        let beat = Beat { speed, since: Instant::now(), before: 0.0 };
        Clock { beat: Mutex::new(beat), origin, moved: AtomicI64::new(0) }
    }

    /// When the clock began.
    pub(crate) fn origin(&self) -> Time {
        self.origin
    }

    /// Now, in the fleet.
    pub(crate) fn now(&self) -> Time {
        let passed = self.beat().passed() as i64;
        self.origin + Span::from_millis(passed + self.moved.load(Ordering::Acquire))
    }

    /// How fast time passes.
    pub(crate) fn speed(&self) -> f64 {
        self.beat().speed
    }

    /// Time passes so fast from now on; it never jumps.
    pub(crate) fn set_speed(&self, speed: f64) {
        let mut beat = self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        *beat = Beat { speed: speed.max(0.0), since: Instant::now(), before: beat.passed() };
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, by: Span) {
        self.moved.fetch_add(by.millis().max(0), Ordering::AcqRel);
    }

    fn beat(&self) -> Beat {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_and_does_not_jump_when_its_pace_changes() {
        let clock = Clock::new(Pace::Running(0.0));
        let start = clock.now();
        assert_eq!(clock.now(), start);
        clock.advance(Span::from_seconds(30));
        assert_eq!(clock.now(), start + Span::from_seconds(30));
        clock.set_speed(1_000_000.0);
        while clock.now() < start + Span::from_seconds(60) {
            std::hint::spin_loop();
        }
        clock.set_speed(0.0);
        let stopped = clock.now();
        assert_eq!((clock.now(), clock.speed()), (stopped, 0.0));
        assert!(stopped >= start + Span::from_seconds(60));
    }
}
