//! Events are many and soon forgotten: of each cluster the newest are kept, and all clusters share
//! what they may take.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Record, Time, Uid};

/// How many events of a cluster are kept at most, and at least.
const EACH: (usize, usize) = (5000, 250);

/// How many events of all clusters are kept, where that leaves each its least. One takes about as much
/// as a pod.
const ALL: usize = 20_000;

/// How many events are kept of each of so many clusters.
pub(super) fn room(clusters: usize) -> usize {
    let (most, least) = EACH;
    (ALL / clusters.max(1)).clamp(least, most)
}

/// The events of a cluster by time.
pub(super) struct Newest {
    room: usize,
    by_time: BTreeSet<(Time, Uid)>,
}

impl Newest {
    pub(super) fn new(room: usize) -> Newest {
        Newest { room, by_time: BTreeSet::new() }
    }

    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// There are more clusters to share with.
    pub(super) fn share(&mut self, room: usize) {
        self.room = room;
    }

    /// Of a list too long for the room only the newest stay, or they would push each other out one by
    /// one. Says whether any had to go.
    pub(super) fn bound(&self, records: &mut Vec<Arc<Record>>) -> bool {
        let over = records.len() > self.room;
        if over {
            records.sort_by_key(|record| Reverse(time(record)));
            records.truncate(self.room);
        }
        over
    }

    pub(super) fn replace(&mut self, before: Option<&Record>, after: Option<&Record>) {
        let key = |record: &Record| (time(record), record.meta().uid);
        if let Some(before) = before {
            self.by_time.remove(&key(before));
        }
        self.by_time.extend(after.map(key));
    }

    /// The oldest, if there are more than there is room for.
    pub(super) fn overflow(&mut self) -> Option<Uid> {
        if self.by_time.len() <= self.room {
            return None;
        }
        self.by_time.pop_first().map(|(_, uid)| uid)
    }
}

/// When an event last happened, as far as it says.
fn time(record: &Record) -> Time {
    let said = record.event().and_then(|e| e.last.or(e.first));
    said.or(record.meta().created).unwrap_or(Time::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_clusters_share_what_events_may_take() {
        assert_eq!([0, 1, 4, 20, 80, 3000].map(room), [5000, 5000, 5000, 1000, 250, 250]);
    }
}
