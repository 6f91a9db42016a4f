//! What crashes costs itself only.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static SPARING: Cell<usize> = const { Cell::new(0) };
}

/// What this makes; nothing where it crashes. For what reads what clusters say, one object or one pane
/// at a time: a mistake there costs what it would have said, and nobody else. What it changed of
/// anything else until then stays changed.
pub fn spared<T>(make: impl FnOnce() -> T) -> Option<T> {
    SPARING.set(SPARING.get() + 1);
    let made = catch_unwind(AssertUnwindSafe(make)).ok();
    SPARING.set(SPARING.get() - 1);
    made
}

/// Whether a crash of this thread now would be [`spared`]: for panic hooks.
#[must_use]
pub fn sparing() -> bool {
    SPARING.get() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_nothing_and_what_follows_is_as_before() {
        assert_eq!(spared(|| spared(|| assert!(!sparing(), "by order"))), Some(None));
        assert!(!sparing());
        assert_eq!(spared(sparing), Some(true));
    }
}
