//! The daemon set controller: one pod on every node that it fits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::{generation, pods, revisions, scheduler};
use crate::sim::admission;
use crate::sim::cache::NodeView;
use crate::sim::eviction::portion;
use crate::sim::fields::{at, count, deleting, holds, label, list, list_mut, name, place, set, text};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "daemonset-controller";
const REVISION: &str = "controller-revision-hash";
const GENERATION: &str = "pod-template-generation";

/// Taints that every daemon pod tolerates (`AddOrUpdateDaemonPodTolerations`).
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

const KIND: (&str, &str) = ("apps/v1", "DaemonSet");

const REQUIRED: &str =
    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";

/// The node of a daemon pod: that which it is on, or the only one that it may go to
/// (`GetTargetNodeName`).
fn node_of(pod: &Value) -> &str {
    match text(pod, "spec.nodeName") {
        "" => scheduler::named(pod).and_then(|n| n.first().copied()).unwrap_or_default(),
        node => node,
    }
}

/// Makes and deletes pods so that every node it fits has one.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(owner) = world.store.get(Res::DaemonSets, &id.namespace, &id.name).cloned() else { return };
    if deleting(&owner) {
        return;
    }
    let revision = revisions::ensure(world, &owner, KIND);
    pods::claim(world, &owner, KIND, Res::Pods, |_| true);
    place_pods(world, &owner, &revision.hash);
    status(world, id, &owner, &revision.hash);
    let pods = pods::controlled(world, &owner, Res::Pods);
    revisions::tidy(world, &owner, |r| {
        r.name == revision.name || pods.iter().any(|p| label(p, REVISION) == r.hash)
    });
}

fn template(owner: &Value, revision: &str) -> Value {
    let mut pod = pods::from_template(owner, KIND, at(owner, "spec.template"));
    pods::label(&mut pod, REVISION, revision);
    if let Some(generation) = admission::template_generation(owner) {
        pods::label(&mut pod, GENERATION, &generation.to_string());
    }
    for (key, effect) in TOLERATED {
        list_mut(place(&mut pod, "spec.tolerations"))
            .push(json!({ "key": key, "operator": "Exists", "effect": effect }));
    }
    pod
}

/// Whether a pod that is on the node may stay: only a taint that drives pods away keeps it from that.
fn may_stay(pod: &Value, node: &NodeView) -> bool {
    let drives = |t: &Value| text(t, "effect") == "NoExecute" && !pods::tolerates(pod, t);
    scheduler::eligible(pod, node) && !node.taints.iter().any(drives)
}

/// Whether the pod belongs on the node.
fn belongs(pod: &Value, node: &NodeView) -> bool {
    scheduler::eligible(pod, node)
        && node.taints.iter().all(|t| {
            let silent = text(t, "key") == "node.kubernetes.io/unreachable"
                || text(t, "key") == "node.kubernetes.io/not-ready";
            text(t, "effect") == "PreferNoSchedule" || silent || pods::tolerates(pod, t)
        })
}

fn place_pods(world: &mut World, owner: &Value, revision: &str) {
    let sample = template(owner, revision);
    let wanted: BTreeSet<String> =
        world.cache.nodes.iter().filter(|(_, n)| belongs(&sample, n)).map(|(n, _)| n.clone()).collect();
    let mut by_node: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
    for pod in pods::controlled(world, owner, Res::Pods) {
        by_node.entry(node_of(&pod).to_owned()).or_default().push(pod);
    }
    for (node, pods) in &by_node {
        // one that waits for a node that is gone is collected here, the others by the pod collector
        let waits = pods.iter().all(|p| text(p, "spec.nodeName").is_empty());
        let view = world.cache.nodes.get(node);
        let stays = view.map_or(!waits, |view| may_stay(&sample, view));
        // what ended is made again when it is gone; what does not belong goes
        for pod in pods.iter().filter(|p| !deleting(p) && (!stays || !pods::active(p))) {
            delete(world, owner, pod);
        }
    }
    for node in wanted.iter().filter(|n| !by_node.contains_key(*n)) {
        create_on(world, owner, &sample, node);
    }
    if text(owner, "spec.updateStrategy.type") != "OnDelete" {
        by_node.retain(|node, _| wanted.contains(node));
        roll(world, owner, &sample, revision, &by_node);
    }
}

fn create_on(world: &mut World, owner: &Value, sample: &Value, node: &str) {
    let mut pod = sample.clone();
    // the scheduler finds no other place for it (`ReplaceDaemonSetPodNodeNameNodeAffinity`)
    let term = json!({ "matchFields": [{ "key": "metadata.name", "operator": "In", "values": [node] }] });
    set(&mut pod, REQUIRED, json!([term]));
    // a refusal is said by an event; the next look tries again
    let _ = pods::create_for(world, owner, COMPONENT, pod);
}

/// Replaces outdated pods, as many at a time as the strategy allows
/// (`pkg/controller/daemon/update.go` `rollingUpdate`).
fn roll(
    world: &mut World,
    owner: &Value,
    sample: &Value,
    revision: &str,
    by_node: &BTreeMap<String, Vec<Arc<Value>>>,
) {
    let now = world.now;
    let available = |p: &Arc<Value>| pods::available_at(owner, p).is_some_and(|at| at <= now);
    let most = |field: &str, usual: i64| {
        let given = at(owner, &format!("spec.updateStrategy.rollingUpdate.{field}"));
        usize::try_from(if given.is_null() { usual } else { portion(given, by_node.len() as i64) })
            .unwrap_or(0)
    };
    let surge = most("maxSurge", 0);
    let (mut replace, mut wait, mut out) = (Vec::new(), Vec::new(), 0);
    for (node, pods) in by_node {
        let mut there = pods.iter().filter(|p| pods::active(p));
        let (new, old): (Vec<_>, Vec<_>) = there.by_ref().partition(|p| label(p, REVISION) == revision);
        match (new.first(), old.first()) {
            // the old one stays until the new one serves
            (Some(new), Some(old)) if surge > 0 => {
                if available(new) {
                    delete(world, owner, old);
                } else {
                    out += 1;
                }
            }
            (Some(new), _) => out += usize::from(!available(new)),
            (None, Some(old)) if !available(old) => {
                // nothing is lost with one that does not serve
                replace.push((node, *old));
            }
            (None, Some(old)) => wait.push((node, *old)),
            (None, None) => out += usize::from(surge == 0),
        }
    }
    let most = if surge > 0 { surge } else { most("maxUnavailable", 1).max(1) };
    replace.extend(wait.into_iter().take(most.saturating_sub(out)));
    for (node, pod) in replace {
        if surge > 0 {
            create_on(world, owner, sample, node);
        } else {
            delete(world, owner, pod);
        }
    }
}

fn delete(world: &mut World, owner: &Value, pod: &Arc<Value>) {
    let now = world.now;
    world.store.delete(Res::Pods, pod, Deletion::default(), now);
    record(world, owner, &Said::normal(COMPONENT, "SuccessfulDelete", format!("Deleted pod: {}", name(pod))));
    world.absorb();
}

fn status(world: &mut World, id: &Id, owner: &Value, revision: &str) {
    let now = world.now;
    let sample = template(owner, revision);
    let (mut wanted, mut current, mut misplaced, mut updated) = (0, 0, 0, 0);
    let all = pods::controlled(world, owner, Res::Pods);
    let mut by_node: BTreeMap<&str, Vec<&Arc<Value>>> = BTreeMap::new();
    for pod in all.iter().filter(|p| pods::active(p)) {
        by_node.entry(node_of(pod)).or_default().push(pod);
    }
    // of each node one pod counts: one that serves, else the first
    let mut counted: Vec<&Arc<Value>> = Vec::new();
    for (node, view) in &world.cache.nodes {
        let here = by_node.remove(node.as_str()).unwrap_or_default();
        let belongs = belongs(&sample, view);
        wanted += usize::from(belongs);
        misplaced += usize::from(!belongs && !here.is_empty());
        let Some(first) = here.first().filter(|_| belongs) else { continue };
        current += 1;
        // with a surge the newer one is what the node is updated to
        updated += usize::from(here.iter().any(|p| label(p, REVISION) == revision));
        let serving = here.iter().find(|p| holds(p, "Ready"));
        counted.push(serving.unwrap_or(first));
    }
    let sum = pods::Counted::of(owner, counted, now);
    let observed = generation(owner);
    world.store.update(Res::DaemonSets, &id.namespace, &id.name, |s| {
        for (field, value) in [
            ("desiredNumberScheduled", wanted),
            ("currentNumberScheduled", current),
            ("numberReady", sum.ready),
            ("numberMisscheduled", misplaced),
        ] {
            set(s, &format!("status.{field}"), value);
        }
        count(s, "status.numberAvailable", sum.available);
        count(s, "status.numberUnavailable", wanted.saturating_sub(sum.available));
        count(s, "status.updatedNumberScheduled", updated);
        count(s, "status.observedGeneration", observed);
    });
    if let Some(next) = sum.next {
        world.queue.add(Work::DaemonSet(id.clone()), next);
    }
}

/// Whether a pod belongs to a daemon set.
pub(super) fn owns(pod: &Value) -> bool {
    list(pod, "metadata.ownerReferences").iter().any(|o| text(o, "kind") == "DaemonSet")
}
