//! The deployment controller: replica sets, rolling updates, progress.

use std::sync::Arc;

use crate::sim::json::{Map, Value, json};

use super::events::{Said, record};
use super::{generation, pods};
use crate::model::{Span, Time};
use crate::sim::eviction::portion;
use crate::sim::fields::{
    annotate, annotation, at, condition, deleting, drop_condition, flag, int, map, maybe_int, name,
    namespace, owner_reference, set, set_condition, text, time, uid, unset,
};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "deployment-controller";
const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

/// Brings a deployment one step nearer to its spec.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(deployment) = world.store.get(Res::Deployments, &id.namespace, &id.name).cloned() else {
        return;
    };
    if !deleting(&deployment) {
        let kind = ("apps/v1", "Deployment");
        let sets = pods::claim(world, &deployment, kind, Res::ReplicaSets, |_| true);
        let newest = newest(world, &deployment, &sets);
        if let Some(newest) = newest {
            roll(world, &deployment, &newest);
        }
        tidy(world, &deployment);
    }
    status(world, id);
}

fn replica_sets(world: &World, deployment: &Value) -> Vec<Arc<Value>> {
    pods::controlled(world, deployment, Res::ReplicaSets)
}

/// The set of a deployment's present template, the oldest if there are several
/// (`FindNewReplicaSet`).
fn current<'a>(deployment: &Value, sets: &'a [Arc<Value>]) -> Option<&'a Arc<Value>> {
    let wanted = at(deployment, "spec.template");
    let same = |s: &&Arc<Value>| pods::same_template(at(s, "spec.template"), wanted, HASH);
    sets.iter().filter(same).min_by_key(|s| text(s, "metadata.creationTimestamp"))
}

fn revision(set: &Value) -> i64 {
    annotation(set, REVISION).parse().unwrap_or(0)
}

fn desired(object: &Value) -> i64 {
    maybe_int(object, "spec.replicas").unwrap_or(1)
}

/// The replica set of the present template; it is made if there is none. A paused deployment
/// makes none.
fn newest(world: &mut World, deployment: &Value, sets: &[Arc<Value>]) -> Option<Arc<Value>> {
    let highest = sets.iter().map(|s| revision(s)).max().unwrap_or(0);
    if let Some(found) = current(deployment, sets) {
        follow(world, deployment, found);
        if revision(found) == highest {
            return world.store.get(Res::ReplicaSets, namespace(found), name(found)).cloned();
        }
        // an older template is back: it becomes the newest revision
        let next = (highest + 1).to_string();
        let found = world
            .store
            .update(Res::ReplicaSets, namespace(found), name(found), |s| annotate(s, REVISION, &next));
        annotate_deployment(world, deployment, &next);
        world.absorb();
        return found;
    }
    if flag(deployment, "spec.paused") {
        return sets.iter().max_by_key(|s| revision(s)).cloned();
    }
    let next = (highest + 1).to_string();
    let hash = pods::template_hash(at(deployment, "spec.template"), 10);
    let mut template = at(deployment, "spec.template").clone();
    pods::label(&mut template, HASH, &hash);
    let mut selector = at(deployment, "spec.selector").clone();
    set(&mut selector, "matchLabels.pod-template-hash", hash.clone());
    let mut fresh = json!({
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)), "namespace": namespace(deployment),
            "labels": at(&template, "metadata.labels"),
            "ownerReferences": [owner_reference("apps/v1", "Deployment", deployment)],
        },
        "spec": { "replicas": 0, "selector": selector, "template": template },
        "status": { "replicas": 0 },
    });
    for (key, value) in handed_down(deployment) {
        annotate(&mut fresh, &key, value.as_str().unwrap_or_default());
    }
    annotate(&mut fresh, REVISION, &next);
    let least = at(deployment, "spec.minReadySeconds");
    if !least.is_null() {
        set(&mut fresh, "spec.minReadySeconds", least.clone());
    }
    let made = world.store.create(Res::ReplicaSets, fresh, world.now).ok();
    annotate_deployment(world, deployment, &next);
    world.absorb();
    made
}

/// The annotations of a deployment that its newest set has as well, such as the cause of the change
/// (`skipCopyAnnotation`).
fn handed_down(deployment: &Value) -> Map {
    let own = ["kubectl.kubernetes.io/last-applied-configuration", REVISION];
    let mut annotations = map(deployment, "metadata.annotations").clone();
    annotations.retain(|key, _| !own.contains(&key.as_str()));
    annotations
}

/// What the newest set has from its deployment beside the template.
fn follow(world: &mut World, deployment: &Value, replica_set: &Value) {
    let least = at(deployment, "spec.minReadySeconds");
    let annotations = handed_down(deployment);
    let has = |key: &str, value: &Value| map(replica_set, "metadata.annotations").get(key) == Some(value);
    if annotations.iter().all(|(k, v)| has(k, v)) && at(replica_set, "spec.minReadySeconds") == least {
        return;
    }
    world.store.update(Res::ReplicaSets, namespace(replica_set), name(replica_set), |s| {
        for (key, value) in &annotations {
            annotate(s, key, value.as_str().unwrap_or_default());
        }
        match least {
            Value::Null => unset(s, "spec.minReadySeconds"),
            least => set(s, "spec.minReadySeconds", least.clone()),
        }
    });
    world.absorb();
}

fn annotate_deployment(world: &mut World, deployment: &Value, revision: &str) {
    world.store.update(Res::Deployments, namespace(deployment), name(deployment), |d| {
        annotate(d, REVISION, revision);
    });
}

/// Moves replicas from old sets to the newest.
fn roll(world: &mut World, deployment: &Value, newest: &Value) {
    let wanted = desired(deployment);
    let old: Vec<Arc<Value>> =
        replica_sets(world, deployment).into_iter().filter(|s| uid(s) != uid(newest)).collect();
    let old_total: i64 = old.iter().map(|s| desired(s)).sum();
    let now_new = desired(newest);
    if flag(deployment, "spec.paused") || old_total == 0 {
        // only as many as wanted; a pause stops rollouts, not scaling
        let to = (wanted - if flag(deployment, "spec.paused") { old_total } else { 0 }).max(0);
        return scale(world, deployment, newest, to);
    }
    if text(deployment, "spec.strategy.type") == "Recreate" {
        for set in &old {
            scale(world, deployment, set, 0);
        }
        let left = old.iter().any(|s| !pods::of_owner(world, uid(s)).is_empty());
        if !left {
            scale(world, deployment, newest, wanted);
        }
        return;
    }
    let (surge, unavailable) = bounds(deployment, wanted);
    let total = old_total + now_new;
    let grown = (now_new + (wanted + surge - total).max(0)).min(wanted);
    scale(world, deployment, newest, grown.max(now_new.min(wanted)));
    // as many old ones may go as are not needed to serve
    let available = |s: &Value| int(s, "status.availableReplicas");
    let unready_new = grown - available(newest).min(grown);
    let mut room = old_total + grown - (wanted - unavailable) - unready_new;
    let mut sets = old;
    sets.sort_by_key(|s| revision(s));
    // those that do not serve go first
    for set in &sets {
        let idle = (desired(set) - available(set)).max(0).min(room.max(0));
        if idle > 0 {
            room -= idle;
            scale(world, deployment, set, desired(set) - idle);
        }
    }
    for set in sets {
        let Some(set) = world.store.get(Res::ReplicaSets, namespace(&set), name(&set)).cloned() else {
            continue;
        };
        let serving: i64 = available(newest)
            + replica_sets(world, deployment)
                .iter()
                .filter(|s| uid(s) != uid(newest))
                .map(|s| available(s).min(desired(s)))
                .sum::<i64>();
        let spare = (serving - (wanted - unavailable)).max(0).min(desired(&set));
        if spare > 0 {
            scale(world, deployment, &set, desired(&set) - spare);
        }
    }
}

/// Replicas above and below the wanted number during a rollout; both zero would never end.
fn bounds(deployment: &Value, wanted: i64) -> (i64, i64) {
    let part = |field: &str| at(deployment, &format!("spec.strategy.rollingUpdate.{field}")).clone();
    let surge = portion(&part("maxSurge"), wanted);
    // this one rounds down
    let unavailable = match part("maxUnavailable") {
        Value::String(t) if t.ends_with('%') => {
            t.trim_end_matches('%').parse::<i64>().unwrap_or(0) * wanted / 100
        }
        other => portion(&other, wanted),
    };
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable.min(wanted)) }
}

fn scale(world: &mut World, deployment: &Value, target: &Value, to: i64) {
    let from = desired(target);
    if from == to {
        return;
    }
    world.store.update(Res::ReplicaSets, namespace(target), name(target), |s| set(s, "spec.replicas", to));
    let way = if to > from { "up" } else { "down" };
    let message = format!("Scaled {way} replica set {} from {from} to {to}", name(target));
    record(world, deployment, &Said::normal(COMPONENT, "ScalingReplicaSet", message));
    world.absorb();
}

/// Removes old replica sets past the history limit.
fn tidy(world: &mut World, deployment: &Value) {
    let limit =
        usize::try_from(maybe_int(deployment, "spec.revisionHistoryLimit").unwrap_or(10)).unwrap_or(0);
    let mut empty: Vec<Arc<Value>> = replica_sets(world, deployment)
        .into_iter()
        .filter(|s| desired(s) == 0 && int(s, "status.replicas") == 0)
        .collect();
    let newest = current(deployment, &replica_sets(world, deployment)).map(|s| uid(s).to_owned());
    empty.retain(|s| Some(uid(s)) != newest.as_deref());
    empty.sort_by_key(|s| revision(s));
    for set in empty.iter().take(empty.len().saturating_sub(limit)) {
        world.store.remove(Res::ReplicaSets, set);
    }
}

/// What a deployment's replica sets come to.
struct Sum {
    wanted: i64,
    total: i64,
    updated: i64,
    ready: i64,
    available: i64,
    unavailable: i64,
}

impl Sum {
    fn of(deployment: &Value, sets: &[Arc<Value>]) -> Sum {
        let sum = |field: &str| -> i64 { sets.iter().map(|s| int(s, &format!("status.{field}"))).sum() };
        let asked: i64 = sets.iter().map(|s| desired(s)).sum();
        let available = sum("availableReplicas");
        Sum {
            wanted: desired(deployment),
            total: sum("replicas"),
            updated: current(deployment, sets).map_or(0, |s| int(s, "status.replicas")),
            ready: sum("readyReplicas"),
            available,
            // of all that was asked for, old sets and new
            unavailable: (asked - available).max(0),
        }
    }

    fn complete(&self) -> bool {
        self.updated == self.wanted && self.total == self.wanted && self.available >= self.wanted
    }

    /// Whether something went on since the status was written.
    fn moved(&self, deployment: &Value) -> bool {
        int(deployment, "status.updatedReplicas") != self.updated
            || int(deployment, "status.readyReplicas") < self.ready
            || int(deployment, "status.availableReplicas") < self.available
            || int(deployment, "status.replicas") > self.total
            || int(deployment, "status.observedGeneration") != generation(deployment)
    }

    fn write(&self, deployment: &mut Value) {
        let observed = generation(deployment);
        for (field, value) in [
            ("replicas", self.total),
            ("updatedReplicas", self.updated),
            ("readyReplicas", self.ready),
            ("availableReplicas", self.available),
            ("unavailableReplicas", self.unavailable),
            ("observedGeneration", observed),
        ] {
            set(deployment, &format!("status.{field}"), value);
        }
    }
}

fn status(world: &mut World, id: &Id) {
    let Some(deployment) = world.store.get(Res::Deployments, &id.namespace, &id.name).cloned() else {
        return;
    };
    let sets = replica_sets(world, &deployment);
    let sum = Sum::of(&deployment, &sets);
    let now = world.now;
    let (complete, moved) = (sum.complete(), sum.moved(&deployment));
    // a rollout that was complete stays so, whatever becomes of its pods
    // (`pkg/controller/deployment/progress.go` `syncRolloutStatus`)
    let settled = sum.total == sum.updated
        && condition(&deployment, "Progressing")
            .is_some_and(|c| text(c, "reason") == "NewReplicaSetAvailable");
    let deadline = Span::from_seconds(maybe_int(&deployment, "spec.progressDeadlineSeconds").unwrap_or(600));
    let since = condition(&deployment, "Progressing").and_then(|c| time(c, "lastUpdateTime")).unwrap_or(now);
    let late = !complete && !settled && !moved && since.age(now) >= deadline;
    let failure = sets.iter().find_map(|s| condition(s, "ReplicaFailure")).cloned();
    let newest = current(&deployment, &sets).map_or("", |s| name(s)).to_owned();
    world.store.update(Res::Deployments, &id.namespace, &id.name, |d| {
        sum.write(d);
        availability(d, &sum, now);
        match &failure {
            Some(c) => {
                set_condition(d, "ReplicaFailure", "True", text(c, "reason"), text(c, "message"), now);
            }
            None => drop_condition(d, "ReplicaFailure"),
        }
        if complete || !settled {
            progress(d, &newest, (complete, late, moved), now);
        }
    });
    if !complete && !settled && !late {
        // one second more than the deadline: times on objects are whole seconds
        world.queue.add(Work::Deployment(id.clone()), now + deadline + Span::from_seconds(1));
    }
}

fn availability(deployment: &mut Value, sum: &Sum, now: Time) {
    let (_, unavailable) = bounds(deployment, sum.wanted);
    let (status, reason, message) = if sum.available >= sum.wanted - unavailable {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    set_condition(deployment, "Available", status, reason, message, now);
}

/// How the rollout goes: whether it is complete, late, or moved since it was last looked at.
fn progress(d: &mut Value, newest: &str, (complete, late, moved): (bool, bool, bool), now: Time) {
    let (status, reason, message) = if complete {
        ("True", "NewReplicaSetAvailable", format!("ReplicaSet {newest:?} has successfully progressed."))
    } else if late {
        ("False", "ProgressDeadlineExceeded", format!("ReplicaSet {newest:?} has timed out progressing."))
    } else if condition(d, "Progressing").is_some_and(|c| text(c, "status") == "False") && !moved {
        return;
    } else {
        ("True", "ReplicaSetUpdated", format!("ReplicaSet {newest:?} is progressing."))
    };
    set_condition(d, "Progressing", status, reason, &message, now);
    if let Some(c) = d["status"]["conditions"].as_array_mut()
        && let Some(c) = c.iter_mut().find(|c| c["type"] == "Progressing")
        && (moved || at(c, "lastUpdateTime").is_null())
    {
        set(c, "lastUpdateTime", now.rfc3339());
    }
}
