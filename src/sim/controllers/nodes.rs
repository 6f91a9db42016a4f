//! Nodes: their kubelets' heartbeats, and the controller that notices when those stop.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::{NOTICE, karpenter, pods};
use crate::model::{Span, Time};
use crate::sim::cache::takes_room;
use crate::sim::fields::{
    condition, deleting, flag, holds, list, list_mut, micro, name, namespace, place, set, set_condition,
    text, time, uid,
};
use crate::sim::objects::{Deletion, Touched};
use crate::sim::queue::{Id, Work};
use crate::sim::random;
use crate::sim::resources::Res;
use crate::sim::world::World;

const CONTROLLER: &str = "node-controller";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const CORDON: &str = "node.kubernetes.io/unschedulable";
/// Conditions of shortage and their taints.
const PRESSURES: [(&str, &str); 3] = [
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
];
const LEASES: &str = "kube-node-lease";

/// How often a kubelet writes that nothing has changed.
const REPORT: Span = Span::from_seconds(300);

/// How long a new machine's kubelet takes until it is ready.
const BOOT: Span = Span::from_seconds(8);

/// What a changed node sets in motion.
pub(super) fn changed(world: &mut World, touched: &Touched, node: &Value) {
    let soon = world.now + NOTICE;
    let own = name(node).to_owned();
    world.queue.add(Work::Node(own.clone()), soon);
    if touched.before.is_none() && !world.instant {
        let at = world.now + if holds(node, "Ready") { world.timing.heartbeat } else { BOOT };
        world.queue.add(Work::Heartbeat(own.clone()), at);
    }
    if let (Some(before), Some(after)) = (&touched.before, &touched.after) {
        let closed = |n: &Value| flag(n, "spec.unschedulable");
        if closed(before) != closed(after) {
            let reason = if closed(after) { "NodeNotSchedulable" } else { "NodeSchedulable" };
            let message = format!("Node {own} status is now: {reason}");
            record(world, after, &Said::normal("kubelet", reason, message));
        }
        if deleting(after) && !deleting(before) {
            karpenter::node_is_to_go(world, after);
        }
    }
    let sets: Vec<Id> = world.store.list(Res::DaemonSets, None).map(|d| Id::of(d)).collect();
    let shape = |o: &Option<Arc<Value>>| {
        o.as_ref().map(|o| (o["spec"].clone(), o["metadata"]["labels"].clone(), holds(o, "Ready")))
    };
    if shape(&touched.before) != shape(&touched.after) {
        for id in sets {
            world.queue.add(Work::DaemonSet(id), soon + NOTICE);
        }
        pods::retry_waiting(world);
    }
}

/// A kubelet says that it lives, and takes its node back when it had been given up.
pub(super) fn heartbeat(world: &mut World, own: &str) {
    let Some(node) = world.store.get(Res::Nodes, "", own).cloned() else {
        if let Some(lease) = world.store.get(Res::Leases, LEASES, own).cloned() {
            world.store.remove(Res::Leases, &lease);
        }
        return;
    };
    let now = world.now;
    world.queue.add(Work::Heartbeat(own.to_owned()), now + world.timing.heartbeat);
    if world.dead.contains(own) {
        return;
    }
    renew(world, &node, now);
    report(world, &node, now);
    if !holds(&node, "Ready") {
        make_ready(world, own, now);
        record(
            world,
            &node,
            &Said::normal("kubelet", "NodeReady", format!("Node {own} status is now: NodeReady")),
        );
        // its pods were marked as not ready; the kubelet knows better
        for id in world.cache.pods_on(own) {
            world.queue.add(Work::Pod(id), now + NOTICE);
        }
    }
}

fn renew(world: &mut World, node: &Value, now: Time) {
    let own = name(node);
    let renewed = world.store.update(Res::Leases, LEASES, own, |l| set(l, "spec.renewTime", micro(now)));
    if renewed.is_none() {
        let lease = json!({
            "metadata": {
                "name": own, "namespace": LEASES,
                "ownerReferences": [{ "apiVersion": "v1", "kind": "Node", "name": own, "uid": uid(node) }],
            },
            "spec": { "holderIdentity": own, "leaseDurationSeconds": 40, "renewTime": micro(now) },
        });
        let _ = world.store.create(Res::Leases, lease, now);
    }
}

/// Says in the node's conditions that its kubelet lives, every five minutes
/// (`nodeStatusReportFrequency`); each node at a time of its own.
pub(super) fn report(world: &mut World, node: &Value, now: Time) {
    let last = condition(node, "Ready").and_then(|c| time(c, "lastHeartbeatTime"));
    if last.is_none_or(|at| at.age(now) < REPORT) {
        return;
    }
    let apart = (random::hash(name(node)) % REPORT.seconds().unsigned_abs()) as i64;
    // one that was silent for long begins somewhere within the five minutes
    let long = last.is_some_and(|at| at.age(now).seconds() > 2 * REPORT.seconds());
    let said = if long { now - Span::from_seconds(apart) } else { now };
    world.store.update(Res::Nodes, "", name(node), |n| {
        for c in list_mut(place(n, "status.conditions")) {
            if !text(c, "lastHeartbeatTime").is_empty() {
                set(c, "lastHeartbeatTime", said.rfc3339());
            }
        }
    });
}

fn make_ready(world: &mut World, own: &str, now: Time) {
    world.store.update(Res::Nodes, "", own, |n| {
        for (kind, reason, message) in [
            ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ] {
            set_condition(n, kind, "False", reason, message, now);
        }
        set_condition(n, "Ready", "True", "KubeletReady", "kubelet is posting ready status", now);
    });
}

/// The node controller looks at a node: its heartbeats, its taints, the pods that may not stay.
pub(super) fn reconcile(world: &mut World, own: &str) {
    let Some(node) = world.store.get(Res::Nodes, "", own).cloned() else { return collect(world, own) };
    let now = world.now;
    let last = world
        .store
        .get(Res::Leases, LEASES, own)
        .and_then(|l| time(l, "spec.renewTime"))
        .or_else(|| time(&node, "metadata.creationTimestamp"))
        .unwrap_or(now);
    let given_up = condition(&node, "Ready").is_some_and(|c| text(c, "status") == "Unknown");
    // only a silent kubelet's time can run out, so only then is there something to wait for
    if world.dead.contains(own) && !given_up {
        if last.age(now) > world.timing.node_grace {
            give_up(world, &node, now);
        } else {
            world
                .queue
                .add(Work::Node(own.to_owned()), last + world.timing.node_grace + Span::from_millis(200));
        }
    }
    world.absorb();
    taint(world, own, now);
    world.absorb();
    evict(world, own, now);
}

/// Heartbeats stopped: nothing is known of the node any more.
fn give_up(world: &mut World, node: &Value, now: Time) {
    let own = name(node).to_owned();
    world.store.update(Res::Nodes, "", &own, |n| {
        for kind in ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"] {
            let message = "Kubelet stopped posting node status.";
            set_condition(n, kind, "Unknown", "NodeStatusUnknown", message, now);
        }
    });
    record(
        world,
        node,
        &Said::normal(CONTROLLER, "NodeNotReady", format!("Node {own} status is now: NodeNotReady")),
    );
    for id in world.cache.pods_on(&own) {
        let changed = world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
            if holds(p, "Ready") {
                set_condition(p, "Ready", "False", "", "", now);
            }
        });
        if let Some(pod) = changed {
            record(world, &pod, &Said::warning(CONTROLLER, "NodeNotReady", "Node is not ready"));
        }
    }
}

/// Keeps the taints that follow from a node's state.
fn taint(world: &mut World, own: &str, now: Time) {
    let Some(node) = world.store.get(Res::Nodes, "", own) else { return };
    let status = condition(node, "Ready").map_or("False", |c| text(c, "status"));
    let short = PRESSURES.map(|(condition, key)| (key, "NoSchedule", holds(node, condition)));
    let wanted: Vec<(&str, &str)> = [
        (UNREACHABLE, "NoSchedule", status == "Unknown"),
        (UNREACHABLE, "NoExecute", status == "Unknown"),
        (NOT_READY, "NoSchedule", status == "False"),
        (NOT_READY, "NoExecute", status == "False"),
        (CORDON, "NoSchedule", flag(node, "spec.unschedulable")),
    ]
    .into_iter()
    .chain(short)
    .filter(|(_, _, wanted)| *wanted)
    .map(|(key, effect, _)| (key, effect))
    .collect();
    world.store.update(Res::Nodes, "", own, |n| {
        let ours = |t: &Value| {
            let key = text(t, "key");
            [UNREACHABLE, NOT_READY, CORDON].contains(&key) || PRESSURES.iter().any(|(_, p)| *p == key)
        };
        let is = |t: &Value, w: &(&str, &str)| (text(t, "key"), text(t, "effect")) == *w;
        let before = list(n, "spec.taints").to_vec();
        let mut taints: Vec<Value> =
            before.iter().filter(|t| !ours(t) || wanted.iter().any(|w| is(t, w))).cloned().collect();
        for w in &wanted {
            if !taints.iter().any(|t| is(t, w)) {
                taints.push(json!({ "key": w.0, "effect": w.1, "timeAdded": now.rfc3339() }));
            }
        }
        if taints.is_empty() {
            crate::sim::fields::unset(n, "spec.taints");
        } else if taints != before {
            set(n, "spec.taints", taints);
        }
    });
}

/// How a taint is told from others of its node.
fn key_of(taint: &Value) -> String {
    format!("{}={}", text(taint, "key"), text(taint, "value"))
}

/// Pods that do not tolerate a `NoExecute` taint go, each when its time is over: it counts from when
/// pod and taint came together, whoever tainted the node.
fn evict(world: &mut World, own: &str, now: Time) {
    let Some(node) = world.store.get(Res::Nodes, "", own).cloned() else { return };
    let taints: Vec<&Value> =
        list(&node, "spec.taints").iter().filter(|t| text(t, "effect") == "NoExecute").collect();
    world.tainted.retain(|(node, taint), _| node != own || taints.iter().any(|t| key_of(t) == *taint));
    for taint in &taints {
        world.tainted.entry((own.to_owned(), key_of(taint))).or_insert(now);
    }
    if taints.is_empty() {
        return;
    }
    for id in world.cache.pods_on(own) {
        let Some(pod) = world.pod(&id).filter(|p| !deleting(p)) else { continue };
        let since = |t: &Value| {
            let tainted = world.tainted.get(&(own.to_owned(), key_of(t))).copied().unwrap_or(now);
            time(t, "timeAdded").unwrap_or(tainted).max(time(&pod, "status.startTime").unwrap_or(tainted))
        };
        let due = taints.iter().filter_map(|t| leaves_at(&pod, t, since(t), now)).min();
        match due {
            Some(due) if due <= now => {
                let message = format!("Marking for deletion Pod {}/{}", namespace(&pod), name(&pod));
                record(
                    world,
                    &pod,
                    &Said::normal("taint-eviction-controller", "TaintManagerEviction", message),
                );
                let message = "Taint manager: deleting due to NoExecute taint";
                let marked = world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
                    set_condition(p, "DisruptionTarget", "True", "DeletionByTaintManager", message, now);
                });
                if let Some(pod) = marked {
                    world.store.delete(Res::Pods, &pod, Deletion::default(), now);
                }
            }
            Some(due) => world.queue.add(Work::Node(own.to_owned()), due),
            None => {}
        }
    }
}

/// When a taint that has been there since then drives a pod away; never if it tolerates it for ever.
fn leaves_at(pod: &Value, taint: &Value, since: Time, now: Time) -> Option<Time> {
    let fitting: Vec<&Value> = list(pod, "spec.tolerations")
        .iter()
        .filter(|t| pods::tolerates(&json!({ "spec": { "tolerations": [t] } }), taint))
        .collect();
    if fitting.is_empty() {
        return Some(now);
    }
    let limits: Option<Vec<i64>> = fitting.iter().map(|t| t["tolerationSeconds"].as_i64()).collect();
    // one second more: times on objects are whole seconds
    limits?.into_iter().min().map(|s| since + Span::from_seconds(s + 1))
}

/// A node is gone: what was on it is collected.
fn collect(world: &mut World, own: &str) {
    for id in world.cache.pods_on(own) {
        collect_pod(world, &id);
    }
    world.dead.remove(own);
    world.unneeded.remove(own);
    world.leaving.remove(own);
    world.tainted.retain(|(node, _), _| node != own);
    karpenter::release(world, own);
}

/// A pod whose node is gone goes as well (`pkg/controller/podgc` `gcOrphaned`).
pub(super) fn collect_pod(world: &mut World, id: &Id) {
    let now = world.now;
    let marked = world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        if takes_room(p) {
            set(p, "status.phase", "Failed");
            let message = "PodGC: node no longer exists";
            set_condition(p, "DisruptionTarget", "True", "DeletionByPodGC", message, now);
        }
    });
    if let Some(pod) = marked {
        world.store.delete(Res::Pods, &pod, Deletion { grace: Some(0) }, now);
    }
}

/// Takes a taint from a node.
pub(super) fn remove_taint(world: &mut World, own: &str, key: &str) {
    world.store.update(Res::Nodes, "", own, |n| {
        let left: Vec<Value> =
            list(n, "spec.taints").iter().filter(|t| text(t, "key") != key).cloned().collect();
        match left.is_empty() {
            true => crate::sim::fields::unset(n, "spec.taints"),
            false => set(n, "spec.taints", left),
        }
    });
}

/// Taints whose value is when they were added.
const STAMPED: [&str; 2] = ["ToBeDeletedByClusterAutoscaler", "aws-node-termination-handler/spot-itn"];

/// Adds a taint to a node.
pub(super) fn add_taint(world: &mut World, own: &str, key: &str, effect: &str) {
    let now = world.now;
    world.store.update(Res::Nodes, "", own, |n| {
        let taints = list_mut(place(n, "spec.taints"));
        if !taints.iter().any(|t| text(t, "key") == key) {
            let mut taint = json!({ "key": key, "effect": effect });
            if STAMPED.contains(&key) {
                set(&mut taint, "value", now.millis().div_euclid(1000).to_string());
            }
            taints.push(taint);
        }
    });
}
