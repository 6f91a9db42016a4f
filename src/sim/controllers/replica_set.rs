//! The replica set controller.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::sim::json::Value;

use super::events::{Said, record};
use super::{generation, pods};
use crate::model::{Span, Time};
use crate::sim::fields::{
    annotation, at, condition, controller, count, deleting, drop_condition, int, list, maybe_int, name, set,
    set_condition, text, time, uid,
};
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

/// The minor since which pods that are leaving are counted (`DeploymentReplicaSetTerminatingReplicas`).
const TERMINATING: u32 = 35;

/// What deleting a pod costs, by whoever says so.
const COST: &str = "controller.kubernetes.io/pod-deletion-cost";

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

/// Deletes pods, those first that are the least loss.
fn shrink(world: &mut World, set: &Value, all: &[Arc<Value>], surplus: usize) {
    let mut order: Vec<&Arc<Value>> = all.iter().collect();
    order.sort_by_cached_key(|p| loss(p, crowd(world, set, p), world.now));
    let now = world.now;
    for pod in order.into_iter().take(surplus) {
        world.store.delete(Res::Pods, pod, Deletion::default(), now);
        let said = Said::normal(COMPONENT, "SuccessfulDelete", format!("Deleted pod: {}", name(pod)));
        record(world, set, &said);
    }
    world.absorb();
}

/// How much a pod would be missed (`ActivePodsWithRanks`): those without a node, that do not run or
/// are not ready go first, then the cheaper by their annotation, those with many others beside them,
/// those that became ready last, that restarted most, the youngest. Ages that are of one magnitude
/// are the same (`LogarithmicScaleDown`).
fn loss(pod: &Value, crowd: usize, now: Time) -> impl Ord + use<> {
    let magnitude = |since: Option<Time>| since.map_or(-1, |t| t.age(now).seconds().max(1).ilog2() as i64);
    let ready = condition(pod, "Ready").filter(|c| text(c, "status") == "True");
    let phase = ["Pending", "Unknown", "Running"].iter().position(|p| *p == text(pod, "status.phase"));
    let restarts = list(pod, "status.containerStatuses").iter().map(|s| int(s, "restartCount")).max();
    (
        !text(pod, "spec.nodeName").is_empty(),
        phase,
        ready.is_some(),
        annotation(pod, COST).parse::<i64>().unwrap_or(0),
        Reverse(crowd),
        magnitude(ready.and_then(|c| time(c, "lastTransitionTime"))),
        Reverse(restarts),
        magnitude(time(pod, "metadata.creationTimestamp")),
        name(pod).to_owned(),
    )
}

/// How many pods of the same deployment are on a pod's node (`getIndirectlyRelatedPods`).
fn crowd(world: &World, set: &Value, pod: &Value) -> usize {
    let node = text(pod, "spec.nodeName");
    let family = |owner: &Value| {
        controller(owner).map_or_else(|| uid(owner).to_owned(), |o| text(o, "uid").to_owned())
    };
    let own = family(set);
    let related = |id: &Id| {
        let other = world.pod(id).filter(|p| pods::active(p))?;
        let above = controller(&other)?;
        let owner = world.store.get(Res::ReplicaSets, &id.namespace, text(above, "name"))?;
        (uid(owner) == text(above, "uid") && family(owner) == own).then_some(())
    };
    world.cache.pods_on(node).iter().filter_map(related).count()
}

fn status(world: &mut World, id: &Id, set: &Value, refused: Option<&Refusal>) {
    let now = world.now;
    let counted = pods::Counted::of(set, &pods::controlled(world, set, Res::Pods), now);
    let observed = generation(set);
    let leaving = world.since_minor(TERMINATING).then_some(counted.terminating);
    world.store.update(Res::ReplicaSets, &id.namespace, &id.name, |s| {
        set_status(s, &counted, observed);
        if let Some(leaving) = leaving {
            self::set(s, "status.terminatingReplicas", leaving);
        }
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
    count(s, "status.fullyLabeledReplicas", counted.active);
    count(s, "status.readyReplicas", counted.ready);
    count(s, "status.availableReplicas", counted.available);
    count(s, "status.observedGeneration", observed);
}
