//! The replica set controller.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::sim::json::Value;

use super::events::{Said, record};
use super::{generation, pods};
use crate::sim::fields::{at, deleting, holds, maybe_int, name, set, text, uid};
use crate::sim::objects::Deletion;
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "replicaset-controller";

/// Most pods made or deleted in one look (`BurstReplicas`).
const BURST: usize = 500;

/// Makes or deletes pods until there are as many as wanted.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(set) = world.store.get(Res::ReplicaSets, &id.namespace, &id.name).cloned() else { return };
    let all: Vec<Arc<Value>> =
        pods::of_owner(world, uid(&set)).into_iter().filter(|p| pods::active(p)).collect();
    let wanted = usize::try_from(maybe_int(&set, "spec.replicas").unwrap_or(1)).unwrap_or(0);
    if !deleting(&set) {
        if all.len() < wanted {
            grow(world, &set, (wanted - all.len()).min(BURST));
        } else if all.len() > wanted {
            shrink(world, &set, &all, (all.len() - wanted).min(BURST));
        }
    }
    status(world, id, &set);
}

fn grow(world: &mut World, set: &Value, count: usize) {
    for _ in 0..count {
        let pod = pods::from_template(set, ("apps/v1", "ReplicaSet"), at(set, "spec.template"));
        if let Some(pod) = pods::create(world, pod) {
            let said = Said::normal(COMPONENT, "SuccessfulCreate", format!("Created pod: {}", name(&pod)));
            record(world, set, &said);
        }
    }
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

fn status(world: &mut World, id: &Id, set: &Value) {
    let pods = pods::of_owner(world, uid(set));
    let active: Vec<_> = pods.iter().filter(|p| pods::active(p)).collect();
    let ready = active.iter().filter(|p| holds(p, "Ready")).count();
    let observed = generation(set);
    world.store.update(Res::ReplicaSets, &id.namespace, &id.name, |s| {
        set_status(s, active.len(), ready, observed);
    });
}

fn set_status(s: &mut Value, replicas: usize, ready: usize, observed: i64) {
    set(s, "status.replicas", replicas);
    set(s, "status.fullyLabeledReplicas", replicas);
    set(s, "status.readyReplicas", ready);
    set(s, "status.availableReplicas", ready);
    set(s, "status.observedGeneration", observed);
}
