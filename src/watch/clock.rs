//! The clock of this room, and the notice that the machine slept.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Span, Time};

/// Says what time it is, and how long the machine slept.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Time + Send + Sync>,
    slept: Arc<dyn Fn() -> Span + Send + Sync>,
}

impl Clock {
    /// A clock that asks these functions: for the time, and for how long the machine slept since
    /// some moment of the past. Of the latter only the growth counts.
    pub fn new(
        now: impl Fn() -> Time + Send + Sync + 'static,
        slept: impl Fn() -> Span + Send + Sync + 'static,
    ) -> Clock {
        Clock { now: Arc::new(now), slept: Arc::new(slept) }
    }

    /// The clock of the machine.
    #[must_use]
    pub fn system() -> Clock {
        Clock::new(|| Time::from_millis(jiff::Timestamp::now().as_millisecond()), slept_so_far)
    }

    /// The same clock of a machine that slept for so long besides.
    #[must_use]
    pub fn and_slept(self, more: impl Fn() -> Span + Send + Sync + 'static) -> Clock {
        let Clock { now, slept } = self;
        let slept = move || Span::from_millis(slept().millis().saturating_add(more().millis()));
        Clock { now, slept: Arc::new(slept) }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Time {
        (self.now)()
    }

    /// How long the machine slept since some moment of the past.
    pub(super) fn slept(&self) -> Span {
        (self.slept)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}

/// A machine that was asleep for longer than this has dead connections, and old data.
const NAP: Span = Span::from_seconds(5);

/// Notices sleep: the clock that counts it runs ahead of the one that does not. A process that is
/// stopped (ctrl-z, SIGSTOP, a freezer of containers) sleeps alone; then it was not called in time.
#[derive(Debug, Default)]
pub(super) struct Sleeper {
    ahead: Option<Span>,
}

impl Sleeper {
    /// Takes how far the one clock is ahead of the other, and how much later than it was due this
    /// call comes; says for how long the machine or this process slept since the last call, if one did.
    pub(super) fn look(&mut self, ahead: Span, late: Span) -> Option<Span> {
        let before = self.ahead.replace(ahead)?;
        let slept = Span::from_millis(ahead.millis().saturating_sub(before.millis()));
        Some(slept.max(late)).filter(|slept| *slept > NAP)
    }
}

/// How far the clock that counts sleep is ahead of the one that does not.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn slept_so_far() -> Span {
    use rustix::time::{ClockId, clock_gettime};
    let millis = |id| {
        let now = clock_gettime(id);
        now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000)
    };
    Span::from_millis(millis(ClockId::Boottime).saturating_sub(millis(ClockId::Monotonic)))
}

/// Elsewhere the wall clock is compared with the one that stands still during sleep; it is also
/// ahead when somebody sets it, which costs one needless reconnect.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn slept_so_far() -> Span {
    use std::sync::OnceLock;
    use std::time::{Instant, SystemTime};
    static START: OnceLock<(Instant, SystemTime)> = OnceLock::new();
    let (monotonic, wall) = START.get_or_init(|| (Instant::now(), SystemTime::now()));
    let wall = SystemTime::now().duration_since(*wall).unwrap_or_default();
    let ahead = wall.saturating_sub(monotonic.elapsed());
    Span::from_millis(i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX))
}

/// A span as a duration; negative ones are none.
pub(super) fn duration(span: Span) -> Duration {
    Duration::from_millis(u64::try_from(span.millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_noticed_once() {
        let mut sleeper = Sleeper::default();
        let look = |s: &mut Sleeper, millis| s.look(Span::from_millis(millis), Span::ZERO);
        assert_eq!(look(&mut sleeper, 7_000_000), None, "sleep before the start does not count");
        assert_eq!(look(&mut sleeper, 7_000_010), None);
        assert_eq!(look(&mut sleeper, 7_600_010), Some(Span::from_seconds(600)));
        assert_eq!(look(&mut sleeper, 7_600_011), None);
        assert_eq!(look(&mut sleeper, 1), None, "a clock that goes back is no sleep");
        let stopped = |s: &mut Sleeper, seconds| s.look(Span::from_millis(1), Span::from_seconds(seconds));
        assert_eq!(stopped(&mut sleeper, 5), None, "a busy machine is late, too");
        assert_eq!(stopped(&mut sleeper, 6), Some(Span::from_seconds(6)), "a process that was stopped slept");
        assert!(slept_so_far() >= Span::ZERO);
    }
}
