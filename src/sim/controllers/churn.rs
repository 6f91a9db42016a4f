//! Churn: a steady number of changes of pods, for measuring who watches them.
//!
//! What changes is what changes in real clusters: most are containers that ended and were started
//! again, some are probes that fail and recover, and one in forty is a pod that is deleted and
//! made anew by its controller. Whatever else happens to pods counts as well, so that a rate is
//! what watches see, not what is added to it.

use super::events::{Said, record};
use super::kubelet;
use crate::model::{Span, Time};
use crate::sim::fields::{controller, deleting, holds, text};
use crate::sim::json::Value;
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

/// Between two looks while many changes are due.
const LOOK: Span = Span::from_millis(50);

/// How long a probe fails.
const UNREADY: Span = Span::from_seconds(1);

/// Most seconds of changes that are made up for: after a standstill there is no flood.
const CATCH_UP: f64 = 5.0;

/// Pods that are passed over before a look gives up: in a cluster of pods that cannot change
/// nothing is to be found.
const PASSED_OVER: usize = 1_000;

/// The changes of one cluster's pods.
#[derive(Clone, Debug)]
pub(crate) struct Churn {
    /// Changes a second; zero for none.
    rate: f64,
    /// Changes that are due.
    owed: f64,
    /// When that was last reckoned up.
    reckoned: Time,
    /// Changes of pods, whoever made them, that are not reckoned up yet.
    seen: u64,
    /// Changes of pods, whoever made them, since the cluster began.
    total: u64,
    /// The place of the last pod that was changed.
    place: String,
    turn: u64,
}

impl Default for Churn {
    fn default() -> Churn {
        let reckoned = Time::from_millis(0);
        Churn { rate: 0.0, owed: 0.0, reckoned, seen: 0, total: 0, place: String::new(), turn: 0 }
    }
}

impl Churn {
    /// Changes a second.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Takes note of a change of a pod.
    pub(crate) fn see(&mut self) {
        self.seen += 1;
        self.total += 1;
    }

    /// Changes of pods since the cluster began, whoever made them.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

/// Changes so many pods a second from now on.
pub(crate) fn churn(world: &mut World, rate: f64) {
    world.churn =
        Churn { rate: rate.max(0.0), owed: 0.0, reckoned: world.now, seen: 0, ..world.churn.clone() };
    if world.churn.rate > 0.0 {
        world.queue.add(Work::Churn, world.now);
    }
}

/// Makes the changes that are due.
pub(super) fn turn(world: &mut World) {
    let now = world.now;
    let churn = &mut world.churn;
    if churn.rate <= 0.0 {
        return;
    }
    let passed = churn.reckoned.age(now).millis() as f64 / 1000.0;
    churn.owed += churn.rate * passed - std::mem::take(&mut churn.seen) as f64;
    churn.owed = churn.owed.clamp(-churn.rate * CATCH_UP, churn.rate * CATCH_UP);
    churn.reckoned = now;
    let mut due = churn.owed;
    while due >= 1.0 {
        let Some(made) = change(world) else { break };
        due -= made;
    }
    let next = Span::from_millis((1000.0 / world.churn.rate) as i64).max(LOOK);
    world.queue.add(Work::Churn, now + next);
}

/// Changes the next pod that can be changed; says how many changes that makes at once.
fn change(world: &mut World) -> Option<f64> {
    let id = next(world)?;
    let pod = world.pod(&id)?;
    let now = world.now;
    world.churn.turn += 1;
    match world.churn.turn % 40 {
        0 if controller(&pod).is_some() => {
            world.store.delete(Res::Pods, &pod, Deletion::default(), now);
        }
        5 | 15 | 25 | 35 => {
            let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
            record(world, &pod, &Said::warning("kubelet", "Unhealthy", message));
            kubelet::set_ready(world, &id, false, now);
            // the kubelet looks again when its probe does, and not at once
            world.absorb();
            world.queue.drop_work(&Work::Pod(id.clone()));
            world.queue.add(Work::Pod(id), now + UNREADY);
        }
        _ => kubelet::start_again(world, &id),
    }
    Some(1.0)
}

/// The next pod, in the order of lists, that runs well.
fn next(world: &mut World) -> Option<Id> {
    for _ in 0..PASSED_OVER {
        let (place, pod) = world.store.after(Res::Pods, &world.churn.place)?;
        let found = changeable(pod).then(|| Id::of(pod));
        world.churn.place = place.to_owned();
        if found.is_some() {
            return found;
        }
    }
    None
}

fn changeable(pod: &Value) -> bool {
    !deleting(pod) && holds(pod, "Ready") && text(pod, "spec.restartPolicy") == "Always"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Scenario, scenario};

    fn world() -> World {
        let scenario = Scenario::sized(1, 4, 120);
        scenario::build(&scenario.file, &scenario.file.clusters[0], Time::from_seconds(1_795_226_400))
    }

    fn changes(world: &mut World, seconds: i64) -> usize {
        let from = world.store.version();
        let until = world.now + Span::from_seconds(seconds);
        world.run_until(until, usize::MAX);
        world.store.since(Res::Pods, from).map_or(usize::MAX, Iterator::count)
    }

    #[test]
    fn pods_change_at_the_rate_that_was_asked_for_and_come_back() {
        let mut world = world();
        assert_eq!(changes(&mut world, 10), 0, "quiet by itself");
        churn(&mut world, 40.0);
        let made = changes(&mut world, 20);
        assert!((720..=880).contains(&made), "{made}");
        let restarted = |p: &&std::sync::Arc<Value>| {
            p["status"]["containerStatuses"][0]["restartCount"].as_i64() > Some(0)
        };
        assert!(world.store.list(Res::Pods, None).filter(restarted).count() > 50);
        churn(&mut world, 0.0);
        changes(&mut world, 20);
        assert_eq!(changes(&mut world, 20), 0, "quiet again");
        assert_eq!(world.store.list(Res::Pods, None).filter(|p| holds(p, "Ready")).count(), 120);
    }

    #[test]
    fn the_same_seed_makes_the_same_changes() {
        let run = || {
            let mut world = world();
            churn(&mut world, 25.0);
            changes(&mut world, 10);
            world.store.list(Res::Pods, None).map(|p| p.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }
}
