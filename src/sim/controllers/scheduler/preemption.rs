//! Preemption: pods of lower priority go where that makes room for one of higher priority
//! (`pkg/scheduler/framework/preemption`).

use std::cmp::Reverse;
use std::sync::Arc;

use super::failure::Failure;
use super::{COMPONENT, Wish};
use crate::sim::cache::{NodeView, takes_room};
use crate::sim::controllers::events::{Said, record};
use crate::sim::eviction;
use crate::sim::fields::{deleting, int, name, namespace, set_condition, text, uid};
use crate::sim::json::Value;
use crate::sim::objects::Deletion;
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::room::Room;
use crate::sim::world::World;

fn priority(pod: &Value) -> i64 {
    int(pod, "spec.priority")
}

/// What pods were promised of a node that this pod may not take from them.
pub(super) fn promised(world: &World, pod: &Value, node: &str) -> Room {
    let own = Id::of(pod);
    let others = world.nominated.iter().filter(|(id, n)| **n == node && **id != own);
    others
        .filter_map(|(id, _)| world.pod(id))
        .filter(|p| priority(p) >= priority(pod) && text(p, "spec.nodeName").is_empty() && !deleting(p))
        .fold(Room::default(), |mut all, p| {
            all.add(&Room::of(&p));
            all
        })
}

/// Who would have to go from a node.
struct Victims {
    node: String,
    pods: Vec<Arc<Value>>,
    /// Those whose budget does not allow it.
    violations: usize,
}

/// Lets pods go so that there is room for this one; says on which node.
pub(super) fn make_room(world: &mut World, pod: &Value, failure: &Failure) -> Option<String> {
    if priority(pod) <= world.cache.lowest_priority() || text(pod, "spec.preemptionPolicy") == "Never" {
        return None;
    }
    // victims of an earlier look are still leaving: there will be room
    if let Some(node) = world.nominated.get(&Id::of(pod)) {
        let leaves = |p: Arc<Value>| deleting(&p) && priority(&p) < priority(pod);
        if world.cache.pods_on(node).iter().filter_map(|id| world.pod(id)).any(leaves) {
            return Some(node.clone());
        }
    }
    let candidates: Vec<Victims> = failure.crowded.iter().filter_map(|n| victims(world, pod, n)).collect();
    let best = candidates.into_iter().min_by_key(|v| {
        let highest = v.pods.iter().map(|p| priority(p)).max().unwrap_or(0);
        let sum: i64 = v.pods.iter().map(|p| priority(p)).sum();
        (v.violations, highest, sum, v.pods.len(), v.node.clone())
    })?;
    for victim in &best.pods {
        preempt(world, pod, victim, &best.node);
    }
    Some(best.node)
}

/// The pods that must go from a node, as few as possible; `None` when it does not help.
fn victims(world: &World, pod: &Value, node: &str) -> Option<Victims> {
    let view = world.cache.nodes.get(node)?;
    let mut lower: Vec<Arc<Value>> = world
        .cache
        .pods_on(node)
        .iter()
        .filter_map(|id| world.pod(id))
        .filter(|p| takes_room(p) && priority(p) < priority(pod))
        .collect();
    if lower.is_empty() {
        return None;
    }
    // those that stay are chosen first: guarded by a budget, then important, then old
    lower.sort_by_key(|p| {
        let started = text(p, "status.startTime").to_owned();
        (eviction::allowed(world, p), Reverse(priority(p)), started)
    });
    let mut gone = lower.clone();
    if !fits(world, pod, view, node, &gone) {
        return None;
    }
    for candidate in &lower {
        let without: Vec<Arc<Value>> = gone.iter().filter(|p| uid(p) != uid(candidate)).cloned().collect();
        if fits(world, pod, view, node, &without) {
            gone = without;
        }
    }
    let violations = gone.iter().filter(|p| !eviction::allowed(world, p)).count();
    Some(Victims { node: node.to_owned(), pods: gone, violations })
}

/// Whether the pod would fit if these were gone. Neighbours are looked at as they are: who wants
/// to be far from one of them is not helped.
fn fits(world: &World, pod: &Value, view: &NodeView, node: &str, gone: &[Arc<Value>]) -> bool {
    let mut taken = view.used.clone();
    gone.iter().for_each(|p| taken.sub(&Room::of(p)));
    taken.add(&promised(world, pod, node));
    Wish::of(world, pod).misfits(view, &taken).is_empty()
}

fn preempt(world: &mut World, pod: &Value, victim: &Arc<Value>, node: &str) {
    if deleting(victim) {
        return;
    }
    let now = world.now;
    let message = format!("Preempted by pod {} on node {node}", uid(pod));
    record(world, victim, &Said::normal(COMPONENT, "Preempted", message));
    let marked = world.store.update(Res::Pods, namespace(victim), name(victim), |p| {
        let message = format!("{COMPONENT}: preempting to accommodate a higher priority pod");
        set_condition(p, "DisruptionTarget", "True", "PreemptionByScheduler", &message, now);
    });
    if let Some(victim) = marked {
        world.store.delete(Res::Pods, &victim, Deletion::default(), now);
    }
}
