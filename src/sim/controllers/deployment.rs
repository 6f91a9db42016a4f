//! The deployment controller: replica sets of each template, and which of them is the present one
//! (`kubernetes/kubernetes:pkg/controller/deployment/deployment_controller.go` `syncDeployment`).

mod rollout;
mod status;

use std::sync::Arc;

use crate::sim::json::{Map, Value, json};

use super::pods;
use crate::sim::fields::{
    annotate, annotation, at, deleting, flag, int, map, maybe_int, name, namespace, owner_reference, set,
    text, uid, unset,
};
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "deployment-controller";
const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

/// The revisions that a replica set had before its template came back.
const HISTORY: &str = "deployment.kubernetes.io/revision-history";

/// Brings a deployment one step nearer to its spec.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(deployment) = world.store.get(Res::Deployments, &id.namespace, &id.name).cloned() else {
        return;
    };
    if deleting(&deployment) {
        return status::write(world, id, false);
    }
    let sets = pods::claim(world, &deployment, ("apps/v1", "Deployment"), Res::ReplicaSets, |_| true);
    let paused = flag(&deployment, "spec.paused");
    if paused || rollout::resized(&deployment, &sets) {
        // a pause stops rollouts, not scaling; and a new size is shared out before a rollout goes on
        if let Some(found) = current(&deployment, &sets) {
            follow(world, &deployment, found);
        }
        rollout::resize(world, &deployment);
    } else {
        rollout::step(world, &deployment, &sets);
    }
    tidy(world, &deployment);
    status::write(world, id, !paused);
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

/// The replica set of the present template; it is made if there is none.
fn newest(world: &mut World, deployment: &Value, sets: &[Arc<Value>]) -> Option<Arc<Value>> {
    let highest = sets.iter().map(|s| revision(s)).max().unwrap_or(0);
    let Some(found) = current(deployment, sets) else { return make(world, deployment, sets, highest + 1) };
    follow(world, deployment, found);
    if revision(found) == highest {
        return world.store.get(Res::ReplicaSets, namespace(found), name(found)).cloned();
    }
    // an older template is back: it becomes the newest revision
    let next = (highest + 1).to_string();
    let found = world.store.update(Res::ReplicaSets, namespace(found), name(found), |s| {
        let was = revision(s).to_string();
        let history = match annotation(s, HISTORY) {
            "" => was,
            before => format!("{before},{was}"),
        };
        annotate(s, HISTORY, &history);
        annotate(s, REVISION, &next);
    });
    annotate_deployment(world, deployment, &next);
    world.absorb();
    found
}

/// Makes the replica set of the present template, with as many replicas as there is room for.
fn make(world: &mut World, deployment: &Value, sets: &[Arc<Value>], revision: i64) -> Option<Arc<Value>> {
    let hash = pods::template_hash(at(deployment, "spec.template"), 10);
    let mut template = at(deployment, "spec.template").clone();
    pods::label(&mut template, HASH, &hash);
    let mut selector = at(deployment, "spec.selector").clone();
    set(&mut selector, "matchLabels.pod-template-hash", hash.clone());
    let replicas = rollout::room(deployment, sets, 0);
    let mut fresh = json!({
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)), "namespace": namespace(deployment),
            "labels": at(&template, "metadata.labels"),
            "ownerReferences": [owner_reference("apps/v1", "Deployment", deployment)],
        },
        "spec": { "replicas": replicas, "selector": selector, "template": template },
        "status": { "replicas": 0 },
    });
    for (key, value) in handed_down(deployment) {
        annotate(&mut fresh, &key, value.as_str().unwrap_or_default());
    }
    let next = revision.to_string();
    annotate(&mut fresh, REVISION, &next);
    rollout::note_size(deployment, &mut fresh);
    let least = at(deployment, "spec.minReadySeconds");
    if !least.is_null() {
        set(&mut fresh, "spec.minReadySeconds", least.clone());
    }
    let made = world.store.create(Res::ReplicaSets, fresh, world.now).ok();
    if let Some(made) = made.as_ref().filter(|_| replicas > 0) {
        rollout::say(world, deployment, made, 0, replicas);
    }
    annotate_deployment(world, deployment, &next);
    world.absorb();
    made
}

/// The annotations of a deployment that its newest set has as well, such as the cause of the change
/// (`skipCopyAnnotation`).
fn handed_down(deployment: &Value) -> Map {
    let own = ["kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY];
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
