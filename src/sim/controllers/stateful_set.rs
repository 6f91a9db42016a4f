//! The stateful set controller: one pod after the other.

mod retention;

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::revisions::{self, Revision};
use super::{generation, pods};
use crate::model::{Span, Time};
use crate::sim::fields::{
    count, deleting, int, label, list, list_mut, maybe_int, name, namespace, place, set, text,
};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "statefulset-controller";
/// After how long a set tries again that was refused a pod.
const AGAIN: Span = Span::from_seconds(15);

const REVISION: &str = "controller-revision-hash";

/// Most pods made in one look, and after how long the next ones follow.
const BURST: i64 = 500;
const MORE: Span = Span::from_seconds(1);

const KIND: (&str, &str) = ("apps/v1", "StatefulSet");

/// The revisions of a set: the one that its pods had, and the one that they get.
struct Revisions {
    current: Revision,
    update: Revision,
}

impl Revisions {
    fn of(world: &mut World, owner: &Value) -> Revisions {
        let update = revisions::ensure(world, owner, KIND);
        let known = Revision::named(world, owner, text(owner, "status.currentRevision"));
        Revisions { current: known.unwrap_or_else(|| update.clone()), update }
    }

    /// The revision of a new pod: below the partition of a rolling update it is the one that was
    /// (`isCurrentRevisionNeeded`).
    fn of_new(&self, owner: &Value, ordinal: i64) -> &Revision {
        let old = rolls(owner) && ordinal < first(owner) + partition(owner);
        if old { &self.current } else { &self.update }
    }
}

fn rolls(owner: &Value) -> bool {
    text(owner, "spec.updateStrategy.type") != "OnDelete"
}

fn partition(owner: &Value) -> i64 {
    int(owner, "spec.updateStrategy.rollingUpdate.partition").max(0)
}

/// The first ordinal.
fn first(owner: &Value) -> i64 {
    int(owner, "spec.ordinals.start").max(0)
}

/// The ordinals that a set has.
fn ordinals(owner: &Value) -> std::ops::Range<i64> {
    let first = first(owner);
    first..first + maybe_int(owner, "spec.replicas").unwrap_or(1).max(0)
}

/// Makes one step: the next pod is made, replaced or deleted.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(owner) = world.store.get(Res::StatefulSets, &id.namespace, &id.name).cloned() else { return };
    if deleting(&owner) {
        return;
    }
    let mine = |p: &Value| {
        name(p).rsplit_once('-').is_some_and(|(set, n)| set == name(&owner) && n.parse::<i64>().is_ok())
    };
    pods::claim(world, &owner, KIND, Res::Pods, mine);
    let revisions = Revisions::of(world, &owner);
    if !list(&owner, "spec.volumeClaimTemplates").is_empty() {
        let ordinals = ordinals(&owner);
        for pod in pods::controlled(world, &owner, Res::Pods) {
            retention::assign(world, &owner, &pod, ordinals.contains(&ordinal(&pod)));
        }
    }
    // before the curtain rises nothing waits for anything
    while step(world, &owner, &revisions) && world.instant {}
    status(world, id, &owner, &revisions);
    let pods = pods::controlled(world, &owner, Res::Pods);
    revisions::tidy(world, &owner, |r| {
        let on_pod = pods.iter().any(|p| label(p, REVISION) == r.name);
        on_pod || r.name == revisions.update.name || r.name == revisions.current.name
    });
}

/// Does one thing; says whether a pod was made.
fn step(world: &mut World, owner: &Value, revisions: &Revisions) -> bool {
    let ordinals = ordinals(owner);
    let parallel = text(owner, "spec.podManagementPolicy") == "Parallel";
    let mut made = 0;
    for i in ordinals.clone() {
        match pod_at(world, owner, i) {
            None if retention::stale(world, owner, &format!("{}-{i}", name(owner))) => {
                world.queue.add(Work::StatefulSet(Id::of(owner)), world.now + MORE);
                return false;
            }
            None => {
                make(world, owner, revisions.of_new(owner, i), i);
                if !parallel {
                    return true;
                }
                made += 1;
                if made == BURST {
                    world.queue.add(Work::StatefulSet(Id::of(owner)), world.now + MORE);
                    return false;
                }
            }
            Some(pod) if !pods::active(&pod) && !deleting(&pod) => {
                // one that ended is made again under its name
                let state = text(&pod, "status.phase").to_lowercase();
                let message = format!(
                    "StatefulSet {}/{} is recreating {state} Pod {}",
                    namespace(owner),
                    name(owner),
                    name(&pod)
                );
                let said = match state.as_str() {
                    "failed" => Said::warning(COMPONENT, "RecreatingFailedPod", message),
                    _ => Said::normal(COMPONENT, "RecreatingTerminatedPod", message),
                };
                record(world, owner, &said);
                delete(world, owner, &pod);
                return false;
            }
            Some(pod) if !parallel && !serves(owner, &pod, world.now) => return false,
            Some(_) => {}
        }
    }
    let mut surplus: Vec<Arc<Value>> = pods::controlled(world, owner, Res::Pods)
        .into_iter()
        .filter(|p| !ordinals.contains(&ordinal(p)))
        .collect();
    surplus.sort_by_key(|p| ordinal(p));
    // the last one first; in parallel all of them
    let go = if parallel { surplus.len() } else { 1 };
    for pod in surplus.iter().rev().take(go).filter(|p| !deleting(p)) {
        delete(world, owner, pod);
    }
    if surplus.is_empty() && rolls(owner) {
        roll(world, owner, &revisions.update);
    }
    false
}

/// Replaces the last pod that is not of the newest revision, when all behind it serve.
fn roll(world: &mut World, owner: &Value, update: &Revision) {
    let ordinals = ordinals(owner);
    for i in (ordinals.start + partition(owner)..ordinals.end).rev() {
        let Some(pod) = pod_at(world, owner, i) else { return };
        if label(&pod, REVISION) != update.name && !deleting(&pod) {
            return delete(world, owner, &pod);
        }
        if !serves(owner, &pod, world.now) {
            return;
        }
    }
}

fn pod_at(world: &World, owner: &Value, ordinal: i64) -> Option<Arc<Value>> {
    world.pod(&Id::new(namespace(owner), &format!("{}-{ordinal}", name(owner))))
}

/// Whether a pod is available, so that its neighbour may be next.
fn serves(owner: &Value, pod: &Value, now: Time) -> bool {
    !deleting(pod) && pods::available_at(owner, pod).is_some_and(|at| at <= now)
}

fn ordinal(pod: &Value) -> i64 {
    name(pod).rsplit_once('-').and_then(|(_, n)| n.parse().ok()).unwrap_or(0)
}

fn make(world: &mut World, owner: &Value, revision: &Revision, i: i64) {
    let mut pod = pods::from_template(owner, KIND, &revision.template);
    let own = format!("{}-{i}", name(owner));
    pods::label(&mut pod, REVISION, &revision.name);
    pods::label(&mut pod, "statefulset.kubernetes.io/pod-name", &own);
    pods::label(&mut pod, "apps.kubernetes.io/pod-index", &i.to_string());
    set(&mut pod, "metadata.name", own.clone());
    set(&mut pod, "spec.hostname", own.clone());
    set(&mut pod, "spec.subdomain", text(owner, "spec.serviceName"));
    for template in list(owner, "spec.volumeClaimTemplates") {
        retention::make(world, owner, template, &own);
        let claim = retention::named(template, &own);
        list_mut(place(&mut pod, "spec.volumes"))
            .push(json!({ "name": name(template), "persistentVolumeClaim": { "claimName": claim } }));
    }
    match pods::create(world, pod) {
        Ok(_) => {
            let message = format!("create Pod {own} in StatefulSet {} successful", name(owner));
            record(world, owner, &Said::normal(COMPONENT, "SuccessfulCreate", message));
        }
        Err(refusal) => {
            let set = name(owner);
            let message = format!("create Pod {own} in StatefulSet {set} failed error: {}", refusal.message);
            record(world, owner, &Said::warning(COMPONENT, "FailedCreate", message));
            world.queue.add(Work::StatefulSet(Id::of(owner)), world.now + AGAIN);
        }
    }
}

fn delete(world: &mut World, owner: &Value, pod: &Arc<Value>) {
    let now = world.now;
    world.store.delete(Res::Pods, pod, Deletion::default(), now);
    let message = format!("delete Pod {} in StatefulSet {} successful", name(pod), name(owner));
    record(world, owner, &Said::normal(COMPONENT, "SuccessfulDelete", message));
    world.absorb();
}

fn status(world: &mut World, id: &Id, owner: &Value, revisions: &Revisions) {
    let now = world.now;
    let all = pods::controlled(world, owner, Res::Pods);
    let counted = pods::Counted::of(owner, &all, now);
    let of = |revision: &Revision| {
        all.iter().filter(|p| pods::active(p) && label(p, REVISION) == revision.name).count()
    };
    let (current, updated) = (of(&revisions.current), of(&revisions.update));
    let wanted = ordinals(owner).count();
    let complete = rolls(owner) && [updated, counted.ready, counted.active].iter().all(|n| *n == wanted);
    let observed = generation(owner);
    world.store.update(Res::StatefulSets, &id.namespace, &id.name, |s| {
        set(s, "status.replicas", counted.active);
        count(s, "status.readyReplicas", counted.ready);
        set(s, "status.availableReplicas", counted.available);
        count(s, "status.updatedReplicas", updated);
        set(s, "status.updateRevision", revisions.update.name.clone());
        count(s, "status.observedGeneration", observed);
        set(s, "status.collisionCount", 0);
        // a rolling update that is complete: what was new is what is (`completeRollingUpdate`)
        let (revision, of_it) =
            if complete { (&revisions.update, updated) } else { (&revisions.current, current) };
        set(s, "status.currentRevision", revision.name.clone());
        count(s, "status.currentReplicas", of_it);
    });
    if let Some(next) = counted.next {
        world.queue.add(Work::StatefulSet(id.clone()), next);
    }
}
