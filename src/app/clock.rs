//! The clock: the one place where time is read.

use crate::model::Time;

/// The time now.
#[must_use]
pub(super) fn now() -> Time {
    Time::from_millis(jiff::Timestamp::now().as_millisecond())
}
