//! The ring of a cluster's signals: by time, bounded, each once.

use std::sync::Arc;

use super::SIGNALS;
use crate::model::Signal;

/// Puts a signal where its time says. One that is already there, or older than a full ring
/// reaches, is dropped: watches replay events, and a replay must not tell twice.
pub(super) fn add(ring: &mut Arc<Vec<Arc<Signal>>>, signal: Signal) -> bool {
    let end = ring.partition_point(|s| s.at <= signal.at);
    if end == 0 && ring.len() >= SIGNALS {
        return false;
    }
    if ring[..end].iter().rev().take_while(|s| s.at == signal.at).any(|s| same(s, &signal)) {
        return false;
    }
    let ring = Arc::make_mut(ring);
    ring.insert(end, Arc::new(signal));
    if ring.len() > SIGNALS {
        ring.remove(0);
    }
    true
}

/// Whether both tell of the same thing; prices may have changed between two readings.
fn same(a: &Signal, b: &Signal) -> bool {
    a.happening == b.happening
        && a.object == b.object
        && a.what == b.what
        && a.cause == b.cause
        && (a.from, a.to) == (b.from, b.to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClusterId, Direction, Happening, Text, Time, Tone};

    fn signal(second: i64, what: &str) -> Signal {
        Signal {
            at: Time::from_seconds(second),
            cluster: ClusterId(0),
            happening: Happening::Replicas,
            direction: Direction::More,
            tone: Tone::Ok,
            what: what.into(),
            object: None,
            namespace: Text::EMPTY,
            from: None,
            to: None,
            cause: Text::EMPTY,
            cost: None,
            lead: None,
        }
    }

    #[test]
    fn signals_stand_by_time_and_once() {
        let mut ring = Arc::default();
        for (second, what) in [(5, "a"), (3, "b"), (5, "c"), (5, "a"), (4, "d"), (3, "b")] {
            add(&mut ring, signal(second, what));
        }
        let told: Vec<&str> = ring.iter().map(|s| s.what.as_str()).collect();
        assert_eq!(told, ["b", "d", "a", "c"]);
    }

    #[test]
    fn a_full_ring_drops_the_oldest_and_takes_nothing_older() {
        let mut ring = Arc::default();
        for second in 0..SIGNALS as i64 + 10 {
            assert!(add(&mut ring, signal(second + 100, "x")));
        }
        assert_eq!(ring.len(), SIGNALS);
        assert_eq!(ring[0].at, Time::from_seconds(110));
        assert!(!add(&mut ring, signal(50, "old")));
    }
}
