//! Node autoscalers: nodes of little use are drained and go.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sim::json::Value;

use super::events::{Said, once, record};
use super::pools::{self, Manner};
use super::{daemon_set, karpenter, nodes, scheduler};
use crate::model::Span;
use crate::sim::cache::NodeView;
use crate::sim::eviction;
use crate::sim::fields::{annotation, at, controller, deleting, list, name, namespace, pod_requests};
use crate::sim::objects::Deletion;
use crate::sim::queue::Work;
use crate::sim::resources::Res;
use crate::sim::room::Room;
use crate::sim::world::World;

/// A node is of little use below this many percent
/// (`--scale-down-utilization-threshold` is 0.5).
const LITTLE: i64 = 50;

/// How long Cluster Autoscaler tries to evict the pods of a node (`--max-pod-eviction-time`).
const EVICTING: Span = Span::from_seconds(120);

/// The taints of nodes that leave.
const LEAVES: &str = "ToBeDeletedByClusterAutoscaler";
const DISRUPTED: &str = "karpenter.sh/disrupted";

/// Looks for a node that is not needed; of those that were not for long enough, one goes.
pub(super) fn look(world: &mut World) {
    let now = world.now;
    if !world.cache.nodes.values().any(|v| v.taints.iter().any(leaves)) && replace_drifted(world) {
        return;
    }
    let members: Vec<(usize, String)> = (0..world.pools.len())
        .filter(|i| world.pools[*i].manner != Manner::None)
        .filter(|i| !world.orders.values().any(|o| o.pool == *i))
        .flat_map(|i| {
            let members = pools::members(world, i);
            let spare = members.len() > world.pools[i].min;
            members.into_iter().filter(move |_| spare).map(move |n| (i, n))
        })
        .collect();
    let idle: Vec<(usize, String)> = members.into_iter().filter(|(_, n)| little_used(world, n)).collect();
    let mut candidates = Vec::new();
    for (pool, node) in idle {
        match held(world, pool, &node) {
            Some(why) => blocked(world, pool, &node, &why),
            None if fits_elsewhere(world, &node) => candidates.push((pool, node)),
            None => {}
        }
    }
    world.unneeded.retain(|n, _| candidates.iter().any(|(_, c)| c == n));
    for (_, node) in &candidates {
        world.unneeded.entry(node.clone()).or_insert(now);
    }
    let long = |world: &World, n: &String| {
        world.unneeded.get(n).is_some_and(|since| since.age(now) >= world.timing.unneeded)
    };
    if world.cache.nodes.values().any(|v| v.taints.iter().any(leaves)) {
        return;
    }
    for (pool, node) in candidates {
        if long(world, &node) && may_go(world, pool, &node) {
            return begin(world, pool, &node);
        }
    }
}

/// Replaces one machine that is not what its pool asks for any more: what its pods need is there before they have
/// to go (`pkg/controllers/disruption/drift.go`). Says whether one is being replaced.
fn replace_drifted(world: &mut World) -> bool {
    let drifted = karpenter::drifted(world);
    if drifted.is_empty() {
        return false;
    }
    let karpenters: Vec<usize> = (0..world.pools.len()).filter(|i| world.pools[*i].karpenter()).collect();
    for pool in karpenters {
        let own = pools::members(world, pool).into_iter().filter(|n| drifted.contains(n));
        // those without pods go first
        let (empty, used): (Vec<_>, Vec<_>) = own.partition(|n| movers(world, n).is_empty());
        for node in empty.into_iter().chain(used) {
            if let Some(why) = held(world, pool, &node) {
                blocked(world, pool, &node, &why);
            } else if !may_go(world, pool, &node) {
                break;
            } else if fits_elsewhere(world, &node) {
                begin(world, pool, &node);
                return true;
            } else if pools::awaits(world, pool) {
                return true;
            } else if let Some(left) = pools::replace(world, pool, &movers(world, &node)) {
                blocked(world, pool, &node, &format!("Not all pods would schedule, {left}"));
            } else {
                launching(world, &node);
                return true;
            }
        }
    }
    false
}

/// Says that a machine comes in the place of another.
fn launching(world: &mut World, node: &str) {
    let object = world.store.get(Res::Nodes, "", node).cloned();
    for about in object.into_iter().chain(karpenter::of_node(world, node)) {
        let said = Said::normal(karpenter::COMPONENT, "DisruptionLaunching", "Launching NodeClaim: Drifted");
        record(world, &about, &said);
    }
}

fn leaves(taint: &Value) -> bool {
    [LEAVES, DISRUPTED].contains(&taint["key"].as_str().unwrap_or_default())
}

/// The pods of a node that would have to move.
fn movers(world: &World, node: &str) -> Vec<Arc<Value>> {
    let pods = world.cache.pods_on(node).into_iter().filter_map(|id| world.pod(&id));
    pods.filter(|p| !daemon_set::owns(p) && crate::sim::cache::takes_room(p)).collect()
}

fn utilisation(world: &World, node: &str, view: &NodeView) -> i64 {
    let (cpu, memory) = movers(world, node)
        .iter()
        .map(|p| pod_requests(p))
        .fold((0, 0), |a, r| (a.0 + r.cpu, a.1 + r.memory));
    let percent = |used: i64, of: i64| used * 100 / of.max(1);
    percent(cpu, view.allocatable.cpu).max(percent(memory, view.allocatable.memory))
}

/// Whether a node is of little use.
fn little_used(world: &World, node: &str) -> bool {
    let Some(view) = world.cache.nodes.get(node) else { return false };
    let stays = !view.ready || view.unschedulable || view.taints.iter().any(leaves);
    !stays && utilisation(world, node, view) < LITTLE
}

/// What keeps a node from being drained, in the autoscaler's words.
fn held(world: &World, pool: usize, node: &str) -> Option<String> {
    let by_karpenter = world.pools[pool].karpenter();
    let movers = movers(world, node);
    for pod in &movers {
        let own = format!("{}/{}", namespace(pod), name(pod));
        if by_karpenter && annotation(pod, "karpenter.sh/do-not-disrupt") == "true" {
            return Some(format!("Pod has \"karpenter.sh/do-not-disrupt\" annotation (Pod={own})"));
        }
        if by_karpenter {
            continue;
        }
        match annotation(pod, "cluster-autoscaler.kubernetes.io/safe-to-evict") {
            "false" => return Some(format!("pod {own} is not safe to evict")),
            "true" => {}
            _ if controller(pod).is_none() => return Some(format!("pod {own} is not replicated")),
            _ if keeps_files(pod) => return Some(format!("pod {own} has local storage")),
            _ => {}
        }
    }
    // Cluster Autoscaler wants room for all of them, Karpenter for one at a time
    let mut needed: BTreeMap<String, i64> = BTreeMap::new();
    movers.iter().find_map(|pod| {
        eviction::room(world, pod).into_iter().find_map(|(budget, room)| {
            let used = needed.entry(budget.clone()).or_default();
            *used += 1;
            let short = if by_karpenter { room < 1 } else { room < *used };
            short.then(|| format!("Pdb prevents pod evictions (PodDisruptionBudget=[{budget}])"))
        })
    })
}

/// Whether a pod has files on its node (`--skip-nodes-with-local-storage`).
fn keeps_files(pod: &Value) -> bool {
    let volumes = list(pod, "spec.volumes").iter();
    volumes.into_iter().any(|v| !at(v, "emptyDir").is_null() || !at(v, "hostPath").is_null())
}

/// Karpenter says what keeps a node that it would like to go.
fn blocked(world: &mut World, pool: usize, node: &str, why: &str) {
    if !world.pools[pool].karpenter() {
        return;
    }
    let object = world.store.get(Res::Nodes, "", node).cloned();
    for about in object.into_iter().chain(karpenter::of_node(world, node)) {
        once(world, &about, &Said::normal(karpenter::COMPONENT, "DisruptionBlocked", why));
    }
}

/// Whether the pods of a node find room on others.
fn fits_elsewhere(world: &World, node: &str) -> bool {
    let others = world.cache.nodes.iter().filter(|(n, v)| *n != node && v.ready);
    let mut others: Vec<(&NodeView, Room)> = others.map(|(_, v)| (v, v.used.clone())).collect();
    movers(world, node).iter().all(|pod| {
        let asks = Room::of(pod);
        let ties = scheduler::Ties::of(world, pod);
        let fits = |v: &NodeView, taken: &Room| {
            scheduler::misfit_in(pod, &asks, v, taken).is_none() && ties.misfit(v).is_none()
        };
        let place = others.iter_mut().find(|(v, taken)| fits(v, taken));
        place.map(|(_, taken)| taken.add(&asks)).is_some()
    })
}

fn reason(world: &World, node: &str) -> &'static str {
    if karpenter::drifted(world).contains(node) {
        return "Drifted";
    }
    if movers(world, node).is_empty() { "Empty" } else { "Underutilized" }
}

/// Whether the pool of a node lets it go now.
fn may_go(world: &mut World, pool: usize, node: &str) -> bool {
    let why = reason(world, node);
    !world.pools[pool].karpenter() || karpenter::may_disrupt(world, pool, why)
}

fn begin(world: &mut World, pool: usize, node: &str) {
    let Some(object) = world.store.get(Res::Nodes, "", node).cloned() else { return };
    if world.pools[pool].karpenter() {
        disrupt(world, node, &object);
    } else {
        scale_down(world, node, &object);
    }
    world.unneeded.remove(node);
    world.leaving.insert(node.to_owned(), world.now);
    world.queue.add(Work::Leave(node.to_owned()), world.now + Span::from_millis(500));
}

fn disrupt(world: &mut World, node: &str, object: &Value) {
    let message = format!("Disrupting Node: {}", reason(world, node));
    record(world, object, &Said::normal(karpenter::COMPONENT, "DisruptionTerminating", message.clone()));
    if let Some(claim) = karpenter::of_node(world, node) {
        let message = message.replace("Node:", "NodeClaim:");
        record(world, &claim, &Said::normal(karpenter::COMPONENT, "DisruptionTerminating", message));
    }
    nodes::add_taint(world, node, DISRUPTED, "NoSchedule");
}

fn scale_down(world: &mut World, node: &str, object: &Value) {
    let view = world.cache.nodes.get(node).cloned().unwrap_or_default();
    let percent = utilisation(world, node, &view);
    let movers = movers(world, node);
    let message = match movers.is_empty() {
        true => format!("Scale-down: removing empty node {node:?}"),
        false => format!(
            "Scale-down: removing node {node}, utilization: {{{percent}% cpu}}, pods to reschedule: {}",
            movers.iter().map(|p| name(p)).collect::<Vec<_>>().join(",")
        ),
    };
    pools::say(world, if movers.is_empty() { "ScaleDownEmpty" } else { "ScaleDown" }, message);
    let marked = "marked the node as toBeDeleted/unschedulable";
    record(world, object, &Said::normal(pools::COMPONENT, "ScaleDown", marked));
    nodes::add_taint(world, node, LEAVES, "NoSchedule");
}

/// Drains a leaving node, respecting budgets, and removes it when it is empty. A machine that
/// its provider takes back does not wait beyond its end.
pub(super) fn leave(world: &mut World, node: &str) {
    let Some(object) = world.store.get(Res::Nodes, "", node).cloned() else { return };
    let now = world.now;
    let over = world.doomed.get(node).is_some_and(|end| *end <= now);
    let movers = movers(world, node);
    if movers.is_empty() || over {
        return remove(world, node, &object, over);
    }
    for pod in movers.iter().filter(|p| !deleting(p)) {
        // a budget that is spent opens again when the moved pods serve
        let _ = eviction::evict(world, pod, Deletion::default(), false);
        world.absorb();
    }
    let by_karpenter = list(&object, "spec.taints").iter().any(|t| t["key"] == DISRUPTED);
    let late = world.leaving.get(node).is_some_and(|since| since.age(now) >= EVICTING);
    if late && !by_karpenter && !world.doomed.contains_key(node) {
        return stay(world, node, &object, movers.len());
    }
    if late && by_karpenter {
        let message = format!("Failed to drain node, {} pods are waiting to be evicted", movers.len());
        once(world, &object, &Said::warning(karpenter::COMPONENT, "FailedDraining", message));
    }
    let again = now + Span::from_seconds(1);
    let again = world.doomed.get(node).map_or(again, |end| again.min(*end));
    world.queue.add(Work::Leave(node.to_owned()), again);
}

/// A node is empty, or its time is over.
fn remove(world: &mut World, node: &str, object: &Arc<Value>, over: bool) {
    if world.pools.iter().any(|p| p.manner == Manner::ClusterAutoscaler) && !over {
        let message = "nodes removed by cluster autoscaler";
        record(world, object, &Said::normal(pools::COMPONENT, "ScaleDown", message));
    }
    let message = format!("Deleting node {node} because it does not exist in the cloud provider");
    record(world, object, &Said::normal("cloud-node-lifecycle-controller", "DeletingNode", message));
    world.store.remove(Res::Nodes, object);
    world.absorb();
    karpenter::release(world, node);
    world.doomed.remove(node);
    world.leaving.remove(node);
}

/// Cluster Autoscaler gives up a node whose pods cannot be evicted: it takes pods again.
fn stay(world: &mut World, node: &str, object: &Value, left: usize) {
    let message =
        format!("failed to drain the node: {left} pods could not be evicted within {}s", EVICTING.seconds());
    record(world, object, &Said::warning(pools::COMPONENT, "ScaleDownFailed", message));
    nodes::remove_taint(world, node, LEAVES);
    world.leaving.remove(node);
    world.unneeded.remove(node);
}
