//! The scheduler: which node a pod goes to, or why none takes it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::pods;
use crate::model::{Resources, Span};
use crate::sim::cache::NodeView;
use crate::sim::fields::{self, controller, deleting, list, list_mut, map, place, set, set_condition, text};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "default-scheduler";

/// How long a pod that found no node waits when nothing changes (the unschedulable queue is
/// flushed after five minutes).
const RETRY: Span = Span::from_seconds(300);

/// Binds a pod to a node, or says why it cannot be.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(pod) = world.pod(id) else { return };
    if !text(&pod, "spec.nodeName").is_empty() || deleting(&pod) {
        return;
    }
    let now = world.now;
    match choose(world, &pod) {
        Ok(node) => {
            world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
                set(p, "spec.nodeName", node.clone());
                fields::unset(p, "status.nominatedNodeName");
                set_condition(p, "PodScheduled", "True", "", "", now);
            });
            let message = format!("Successfully assigned {}/{} to {node}", id.namespace, id.name);
            record(world, &pod, &Said::normal(COMPONENT, "Scheduled", message));
        }
        Err(message) => {
            world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
                set_condition(p, "PodScheduled", "False", "Unschedulable", &message, now);
            });
            record(world, &pod, &Said::warning(COMPONENT, "FailedScheduling", message));
            world.queue.add(Work::Schedule(id.clone()), now + RETRY);
        }
    }
}

/// Why a pod does not fit a node, in the scheduler's words; `None` when it fits.
pub(super) fn misfit(pod: &Value, asks: Resources, node: &NodeView) -> Option<String> {
    misfit_in(pod, asks, node, node.free())
}

/// The same when so much of the node is free.
pub(super) fn misfit_in(pod: &Value, asks: Resources, node: &NodeView, free: Resources) -> Option<String> {
    if node.unschedulable
        && !pods::tolerates(
            pod,
            &json!({ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" }),
        )
    {
        return Some("node(s) were unschedulable".into());
    }
    let taint = node.taints.iter().find(|t| {
        let ours = text(t, "key") == "node.kubernetes.io/unschedulable";
        !ours && text(t, "effect") != "PreferNoSchedule" && !pods::tolerates(pod, t)
    });
    if let Some(taint) = taint {
        return Some(format!(
            "node(s) had untolerated taint {{{}: {}}}",
            text(taint, "key"),
            text(taint, "value")
        ));
    }
    if !map(pod, "spec.nodeSelector").iter().all(|(k, v)| v == node.label(k)) || !affine(pod, node) {
        return Some("node(s) didn't match Pod's node affinity/selector".into());
    }
    let short = match () {
        () if asks.pods > free.pods => "Too many pods",
        () if asks.cpu > free.cpu => "Insufficient cpu",
        () if asks.memory > free.memory => "Insufficient memory",
        () if asks.gpus > free.gpus => "Insufficient nvidia.com/gpu",
        () => return None,
    };
    Some(short.into())
}

/// Whether the required node affinity holds: one of its terms must.
fn affine(pod: &Value, node: &NodeView) -> bool {
    let path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    let terms = list(pod, path);
    let holds = |term: &Value| {
        list(term, "matchExpressions").iter().all(|e| {
            let key = text(e, "key");
            let has = node.labels.contains_key(key);
            let listed = list(e, "values").iter().any(|v| v == node.label(key));
            match text(e, "operator") {
                "In" => has && listed,
                "NotIn" => !has || !listed,
                "Exists" => has,
                "DoesNotExist" => !has,
                _ => false,
            }
        })
    };
    terms.is_empty() || terms.iter().any(holds)
}

/// The node for a pod, or the message of a failure.
pub(super) fn choose(world: &World, pod: &Value) -> Result<String, String> {
    let asks = fields::pod_requests(pod);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut fitting: Vec<(&String, &NodeView)> = Vec::new();
    for (name, node) in &world.cache.nodes {
        match misfit(pod, asks, node) {
            None => fitting.push((name, node)),
            Some(reason) => *reasons.entry(reason).or_default() += 1,
        }
    }
    if fitting.is_empty() {
        return Err(failure(&reasons, world.cache.nodes.len()));
    }
    let siblings = siblings(world, pod);
    let score = |(name, node): &(&String, &NodeView)| {
        let zone = node.label("topology.kubernetes.io/zone");
        let on_node = siblings.iter().filter(|(n, _)| n == *name).count();
        let in_zone = siblings.iter().filter(|(_, z)| z == zone).count();
        let free = node.free();
        let cpu = free.cpu * 100 / node.allocatable.cpu.max(1);
        let memory = free.memory * 100 / node.allocatable.memory.max(1);
        // spread over zones, then nodes; then the emptiest
        (Reverse(in_zone), Reverse(on_node), cpu + memory, Reverse((*name).clone()))
    };
    fitting.iter().max_by_key(|n| score(n)).map(|(name, _)| (*name).clone()).ok_or_else(String::new)
}

/// Node and zone of the other pods of the same owner.
fn siblings(world: &World, pod: &Value) -> Vec<(String, String)> {
    let Some(owner) = controller(pod) else { return Vec::new() };
    // enough to see how they are spread
    let ids = world.cache.children(text(owner, "uid"), Res::Pods);
    ids.iter()
        .take(64)
        .filter_map(|id| world.store.get(Res::Pods, &id.namespace, &id.name))
        .map(|p| text(p, "spec.nodeName"))
        .filter_map(|n| {
            world
                .cache
                .nodes
                .get(n)
                .map(|v| (n.to_owned(), v.label("topology.kubernetes.io/zone").to_owned()))
        })
        .collect()
}

/// The message of a failure (`framework.FitError`).
fn failure(reasons: &BTreeMap<String, usize>, nodes: usize) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".into();
    }
    let parts: Vec<String> = reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    let short: usize = reasons
        .iter()
        .filter(|(r, _)| r.starts_with("Insufficient") || *r == "Too many pods")
        .map(|(_, n)| n)
        .sum();
    let mut preemption = Vec::new();
    if short > 0 {
        preemption.push(format!("{short} No preemption victims found for incoming pod"));
    }
    if nodes > short {
        preemption.push(format!("{} Preemption is not helpful for scheduling", nodes - short));
    }
    format!(
        "0/{nodes} nodes are available: {}. no new claims to deallocate, preemption: 0/{nodes} nodes are available: {}.",
        parts.join(", "),
        preemption.join(", ")
    )
}

/// Adds a toleration to a pod.
pub(crate) fn tolerate(pod: &mut Value, key: &str, value: &str, effect: &str) {
    list_mut(place(pod, "spec.tolerations"))
        .push(json!({ "key": key, "operator": "Equal", "value": value, "effect": effect }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_said_as_the_scheduler_says_them() {
        let reasons = BTreeMap::from([
            ("Insufficient cpu".to_owned(), 3),
            ("node(s) had untolerated taint {gpu: true}".to_owned(), 2),
        ]);
        assert_eq!(
            failure(&reasons, 5),
            "0/5 nodes are available: 3 Insufficient cpu, 2 node(s) had untolerated taint {gpu: true}. \
             no new claims to deallocate, preemption: 0/5 nodes are available: 3 No preemption victims found \
             for incoming pod, 2 Preemption is not helpful for scheduling."
        );
    }
}
