//! The replica set controller.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::sim::json::Value;

use super::events::{Said, record};
use super::{generation, pods};
use crate::model::Span;
use crate::sim::fields::{at, deleting, drop_condition, holds, maybe_int, name, set, set_condition, text};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::refusal::Refusal;
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "replicaset-controller";

/// After how long a set tries again that was refused a pod.
const AGAIN: Span = Span::from_seconds(15);

/// Most pods made or deleted in one look (`BurstReplicas`).
const BURST: usize = 500;

/// After how long the next ones follow.
const MORE: Span = Span::from_seconds(1);

/// Makes or deletes pods until there are as many as wanted.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(set) = world.store.get(Res::ReplicaSets, &id.namespace, &id.name).cloned() else { return };
    let owned = pods::claim(world, &set, ("apps/v1", "ReplicaSet"), Res::Pods, pods::active);
    let all: Vec<Arc<Value>> = owned.into_iter().filter(|p| pods::active(p)).collect();
    let wanted = usize::try_from(maybe_int(&set, "spec.replicas").unwrap_or(1)).unwrap_or(0);
    let mut refused = None;
    if !deleting(&set) {
        if all.len() < wanted {
            refused = grow(world, &set, (wanted - all.len()).min(BURST)).err();
            if wanted - all.len() > BURST {
                world.queue.add(Work::ReplicaSet(id.clone()), world.now + MORE);
            }
        } else if all.len() > wanted {
            shrink(world, &set, &all, (all.len() - wanted).min(BURST));
        }
    }
    status(world, id, &set, refused.as_ref());
    if refused.is_some() {
        world.absorb();
        world.queue.drop_work(&Work::ReplicaSet(id.clone()));
        world.queue.add(Work::ReplicaSet(id.clone()), world.now + AGAIN);
    }
}

/// Makes pods; the first that is refused is the last that is tried.
fn grow(world: &mut World, set: &Value, count: usize) -> Result<(), Refusal> {
    for _ in 0..count {
        let pod = pods::from_template(set, ("apps/v1", "ReplicaSet"), at(set, "spec.template"));
        pods::create_for(world, set, COMPONENT, pod)?;
    }
    Ok(())
}

fn shrink(world: &mut World, set: &Value, all: &[Arc<Value>], count: usize) {
    let mut order: Vec<&Arc<Value>> = all.iter().collect();
    // who goes first (`ActivePods`): without a node, not running, not ready, youngest
    order.sort_by_key(|p| {
        (
            !text(p, "spec.nodeName").is_empty(),
            text(p, "status.phase") == "Running",
            holds(p, "Ready"),
            Reverse(text(p, "metadata.creationTimestamp").to_owned()),
        )
    });
    let now = world.now;
    for pod in order.into_iter().take(count) {
        world.store.delete(Res::Pods, pod, Deletion::default(), now);
        let said = Said::normal(COMPONENT, "SuccessfulDelete", format!("Deleted pod: {}", name(pod)));
        record(world, set, &said);
    }
    world.absorb();
}

fn status(world: &mut World, id: &Id, set: &Value, refused: Option<&Refusal>) {
    let now = world.now;
    let counted = pods::Counted::of(set, &pods::controlled(world, set, Res::Pods), now);
    let observed = generation(set);
    world.store.update(Res::ReplicaSets, &id.namespace, &id.name, |s| {
        set_status(s, &counted, observed);
        match refused {
            Some(why) => set_condition(s, "ReplicaFailure", "True", "FailedCreate", &why.message, now),
            None => drop_condition(s, "ReplicaFailure"),
        }
    });
    if let Some(next) = counted.next {
        world.queue.add(Work::ReplicaSet(id.clone()), next);
    }
}

fn set_status(s: &mut Value, counted: &pods::Counted, observed: i64) {
    set(s, "status.replicas", counted.active);
    set(s, "status.fullyLabeledReplicas", counted.active);
    set(s, "status.readyReplicas", counted.ready);
    set(s, "status.availableReplicas", counted.available);
    set(s, "status.observedGeneration", observed);
}
