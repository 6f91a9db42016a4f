//! The one clock of a fleet: real time, faster time, or time that a test moves by hand.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Span, Time};

/// How time passes in a fleet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// With the world, this many times as fast: 1 is real time.
    Running(f64),
    /// Only when [`Fleet::advance`](super::Fleet::advance) is called.
    Manual,
}

/// The clock of a fleet.
#[derive(Debug)]
pub(crate) struct Clock {
    pace: Pace,
    began: Instant,
    origin: Time,
    /// Milliseconds that were added by hand.
    moved: AtomicI64,
}

impl Clock {
    /// A clock that begins at the world's time, or at a fixed night if it is moved by hand.
    pub(crate) fn new(pace: Pace) -> Clock {
        let origin = match pace {
            Pace::Manual => Time::from_seconds(1_795_226_400), // 2026-11-21T02:00:00Z
            Pace::Running(_) => {
                let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
                Time::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
            }
        };
        Clock { pace, began: Instant::now(), origin, moved: AtomicI64::new(0) }
    }

    /// When the clock began.
    pub(crate) fn origin(&self) -> Time {
        self.origin
    }

    /// Now, in the fleet.
    pub(crate) fn now(&self) -> Time {
        let passed = match self.pace {
            Pace::Manual => 0,
            Pace::Running(speed) => (self.began.elapsed().as_secs_f64() * 1000.0 * speed) as i64,
        };
        self.origin + Span::from_millis(passed + self.moved.load(Ordering::Acquire))
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, by: Span) {
        self.moved.fetch_add(by.millis().max(0), Ordering::AcqRel);
    }
}
