//! The order of turns, purely.

use rustc_hash::FxHashMap;

use crate::model::{ClusterId, Kind};

/// Who waits, and who has a turn. `T` is how a waiting one is told.
#[derive(Debug)]
pub(super) struct Queue<T> {
    fleet: usize,
    per_cluster: usize,
    running: usize,
    of_cluster: FxHashMap<ClusterId, usize>,
    focus: Vec<ClusterId>,
    waiting: Vec<Waiting<T>>,
    asked: u64,
}

/// What a turn is for; the lesser comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::watch) enum Rank {
    /// A list that somebody waits for.
    List,
    /// The same, when lists of it failed: those that never had their turn come first.
    Again,
    /// A page of an audit: only when nobody else wants a turn.
    Audit,
}

#[derive(Debug)]
struct Waiting<T> {
    rank: Rank,
    cluster: ClusterId,
    kind: Kind,
    order: u64,
    tell: T,
}

impl<T> Queue<T> {
    pub(super) fn new(fleet: usize, per_cluster: usize) -> Queue<T> {
        Queue {
            fleet: fleet.max(1),
            per_cluster: per_cluster.max(1),
            running: 0,
            of_cluster: FxHashMap::default(),
            focus: Vec::new(),
            waiting: Vec::new(),
            asked: 0,
        }
    }

    pub(super) fn ask(&mut self, rank: Rank, cluster: ClusterId, kind: Kind, tell: T) {
        self.asked += 1;
        self.waiting.push(Waiting { rank, cluster, kind, order: self.asked, tell });
    }

    /// One that has a turn crawls: it no longer counts in the fleet, only in its cluster.
    pub(super) fn crawls(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// A turn is given back, with its place in the fleet unless it crawled.
    pub(super) fn back(&mut self, cluster: ClusterId, in_fleet: bool) {
        self.running = self.running.saturating_sub(usize::from(in_fleet));
        if let Some(count) = self.of_cluster.get_mut(&cluster) {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn focus(&mut self, clusters: Vec<ClusterId>) {
        self.focus = clusters;
    }

    /// Gives the next turn: to lists before those that failed before audits, to clusters on screen first, then by kind (what the first screen
    /// needs comes first, everywhere), then by who came first. Those who left are forgotten.
    ///
    /// Events get a turn only where nothing else is listed: they are the longest list but that of the pods, and beside
    /// it they cost the server and this machine the time in which the first screen could be complete.
    pub(super) fn next(&mut self, still: impl Fn(&T) -> bool) -> Option<(ClusterId, T)> {
        self.waiting.retain(|w| still(&w.tell));
        if self.running >= self.fleet {
            return None;
        }
        let free = |w: &Waiting<T>| {
            let running = self.of_cluster.get(&w.cluster).copied().unwrap_or(0);
            running < if w.kind == Kind::Event { 1 } else { self.per_cluster }
        };
        let rank = |w: &Waiting<T>| {
            let focus = self.focus.iter().position(|c| *c == w.cluster).unwrap_or(usize::MAX);
            (w.rank, focus, w.kind.index(), w.order)
        };
        let best = (0..self.waiting.len())
            .filter(|i| free(&self.waiting[*i]))
            .min_by_key(|i| rank(&self.waiting[*i]))?;
        let Waiting { cluster, tell, .. } = self.waiting.swap_remove(best);
        self.running += 1;
        *self.of_cluster.entry(cluster).or_default() += 1;
        Some((cluster, tell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(clusters: u16) -> Queue<(u16, Kind)> {
        let mut queue = Queue::new(16, 2);
        for cluster in 0..clusters {
            for kind in Kind::ALL {
                queue.ask(Rank::List, ClusterId(cluster), kind, (cluster, kind));
            }
        }
        queue
    }

    #[test]
    fn limits_hold_and_everybody_gets_a_turn() {
        let mut queue = fleet(40);
        let (mut running, mut served) = (Vec::new(), 0);
        while let Some((cluster, _)) = queue.next(|_| true).or_else(|| {
            let cluster: ClusterId = (!running.is_empty()).then(|| running.remove(0))?;
            queue.back(cluster, true);
            queue.next(|_| true)
        }) {
            running.push(cluster);
            served += 1;
            assert!(running.len() <= 16);
            assert!(running.iter().filter(|c| **c == cluster).count() <= 2);
        }
        assert_eq!(served, 40 * Kind::COUNT);
    }

    #[test]
    fn clusters_on_screen_come_first_then_what_the_first_screen_needs() {
        let mut queue = fleet(3);
        queue.focus(vec![ClusterId(2), ClusterId(1)]);
        let firsts: Vec<_> = std::iter::from_fn(|| queue.next(|_| true).map(|(_, t)| t)).collect();
        let wanted = [2, 2, 1, 1, 0, 0].into_iter().zip([Kind::Node, Kind::Namespace].into_iter().cycle());
        assert!(firsts.into_iter().eq(wanted));
    }

    #[test]
    fn lists_that_failed_come_behind_those_that_never_had_their_turn() {
        let mut queue = Queue::new(1, 1);
        queue.focus(vec![ClusterId(0)]);
        queue.ask(Rank::Audit, ClusterId(0), Kind::Node, "audit");
        queue.ask(Rank::Again, ClusterId(0), Kind::Node, "again");
        queue.ask(Rank::List, ClusterId(1), Kind::Pod, "first");
        let order = std::iter::from_fn(|| {
            let (cluster, tell) = queue.next(|_| true)?;
            queue.back(cluster, true);
            Some(tell)
        });
        assert_eq!(order.collect::<Vec<_>>(), ["first", "again", "audit"]);
    }

    #[test]
    fn audits_come_last_even_on_screen() {
        let mut queue = Queue::new(1, 1);
        queue.focus(vec![ClusterId(0)]);
        queue.ask(Rank::Audit, ClusterId(0), Kind::Node, "audit");
        queue.ask(Rank::List, ClusterId(1), Kind::Event, "list");
        let first = queue.next(|_| true).map(|(_, tell)| tell);
        assert_eq!(first, Some("list"));
        queue.back(ClusterId(1), true);
        assert_eq!(queue.next(|_| true).map(|(_, tell)| tell), Some("audit"));
    }

    #[test]
    fn events_wait_until_their_cluster_lists_nothing_else() {
        let mut queue = Queue::new(16, 2);
        queue.ask(Rank::List, ClusterId(0), Kind::Event, "events");
        queue.ask(Rank::List, ClusterId(0), Kind::Pod, "pods");
        queue.ask(Rank::List, ClusterId(1), Kind::Event, "events elsewhere");
        let firsts: Vec<_> = std::iter::from_fn(|| queue.next(|_| true).map(|(_, t)| t)).collect();
        assert_eq!(firsts, ["pods", "events elsewhere"]);
        queue.back(ClusterId(0), true);
        assert_eq!(queue.next(|_| true).map(|(_, tell)| tell), Some("events"));
    }

    #[test]
    fn those_who_left_are_passed_over() {
        let mut queue = fleet(1);
        let (_, turn) = queue.next(|(_, kind)| *kind == Kind::Event).unwrap();
        assert_eq!(turn.1, Kind::Event);
        assert!(queue.next(|_| true).is_none());
    }
}
