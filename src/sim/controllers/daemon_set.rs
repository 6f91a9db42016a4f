//! The daemon set controller: one pod on every node that it fits.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::{generation, pods};
use crate::sim::cache::NodeView;
use crate::sim::fields::{at, deleting, holds, label, list, list_mut, map, name, place, set, text, uid};
use crate::sim::objects::Deletion;
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "daemonset-controller";
const REVISION: &str = "controller-revision-hash";

/// Taints that every daemon pod tolerates (`AddOrUpdateDaemonPodTolerations`).
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// Makes and deletes pods so that every node it fits has one.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(owner) = world.store.get(Res::DaemonSets, &id.namespace, &id.name).cloned() else { return };
    let revision = pods::template_hash(at(&owner, "spec.template"), 9);
    if !deleting(&owner) {
        place_pods(world, &owner, &revision);
    }
    status(world, id, &owner, &revision);
}

fn template(owner: &Value, revision: &str) -> Value {
    let mut pod = pods::from_template(owner, ("apps/v1", "DaemonSet"), at(owner, "spec.template"));
    pods::label(&mut pod, REVISION, revision);
    for (key, effect) in TOLERATED {
        list_mut(place(&mut pod, "spec.tolerations"))
            .push(json!({ "key": key, "operator": "Exists", "effect": effect }));
    }
    pod
}

/// Whether the pod belongs on the node.
fn belongs(pod: &Value, node: &NodeView) -> bool {
    let selected = map(pod, "spec.nodeSelector").iter().all(|(k, v)| v == node.label(k));
    selected
        && node.taints.iter().all(|t| {
            let cordon = text(t, "key") == "node.kubernetes.io/unreachable"
                || text(t, "key") == "node.kubernetes.io/not-ready";
            text(t, "effect") == "PreferNoSchedule" || cordon || pods::tolerates(pod, t)
        })
}

fn place_pods(world: &mut World, owner: &Value, revision: &str) {
    let sample = template(owner, revision);
    let mut by_node: BTreeMap<String, Arc<Value>> = BTreeMap::new();
    for pod in pods::of_owner(world, uid(owner)) {
        if !pods::active(&pod) && !deleting(&pod) {
            delete(world, owner, &pod);
            continue;
        }
        by_node.insert(text(&pod, "spec.nodeName").to_owned(), pod);
    }
    let wanted: Vec<String> =
        world.cache.nodes.iter().filter(|(_, n)| belongs(&sample, n)).map(|(n, _)| n.clone()).collect();
    for (node, pod) in &by_node {
        if !wanted.contains(node) && !deleting(pod) && world.cache.nodes.contains_key(node) {
            delete(world, owner, pod);
        }
    }
    let missing: Vec<&String> = wanted.iter().filter(|n| !by_node.contains_key(*n)).collect();
    for node in missing {
        let mut pod = sample.clone();
        // the scheduler would find no other place for it
        set(&mut pod, "spec.nodeName", node.clone());
        // a refusal is said by an event; the next look tries again
        let _ = pods::create_for(world, owner, COMPONENT, pod);
    }
    let all_serve = by_node.values().all(|p| holds(p, "Ready") && !deleting(p));
    let outdated = by_node.values().find(|p| label(p, REVISION) != revision && !deleting(p));
    if let Some(pod) = outdated.filter(|p| all_serve || !holds(p, "Ready"))
        && text(owner, "spec.updateStrategy.type") != "OnDelete"
    {
        delete(world, owner, pod);
    }
}

fn delete(world: &mut World, owner: &Value, pod: &Arc<Value>) {
    let now = world.now;
    world.store.delete(Res::Pods, pod, Deletion::default(), now);
    record(world, owner, &Said::normal(COMPONENT, "SuccessfulDelete", format!("Deleted pod: {}", name(pod))));
    world.absorb();
}

fn status(world: &mut World, id: &Id, owner: &Value, revision: &str) {
    let sample = template(owner, revision);
    let wanted = world.cache.nodes.values().filter(|n| belongs(&sample, n)).count();
    let all = pods::of_owner(world, uid(owner));
    let active: Vec<_> = all.iter().filter(|p| pods::active(p)).collect();
    let ready = active.iter().filter(|p| holds(p, "Ready")).count();
    let updated = active.iter().filter(|p| label(p, REVISION) == revision).count();
    let observed = generation(owner);
    world.store.update(Res::DaemonSets, &id.namespace, &id.name, |s| {
        for (field, value) in [
            ("desiredNumberScheduled", wanted),
            ("currentNumberScheduled", active.len()),
            ("numberReady", ready),
            ("numberAvailable", ready),
            ("numberUnavailable", wanted.saturating_sub(ready)),
            ("updatedNumberScheduled", updated),
            ("numberMisscheduled", 0),
        ] {
            set(s, &format!("status.{field}"), value);
        }
        set(s, "status.observedGeneration", observed);
    });
}

/// Whether a pod belongs to a daemon set.
pub(super) fn owns(pod: &Value) -> bool {
    list(pod, "metadata.ownerReferences").iter().any(|o| text(o, "kind") == "DaemonSet")
}
