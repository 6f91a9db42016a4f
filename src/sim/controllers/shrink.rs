//! Node autoscalers: nodes of little use are drained and go.

use std::sync::Arc;

use crate::sim::json::Value;

use super::events::{Said, record};
use super::pools::{self, Manner};
use super::{daemon_set, karpenter, nodes, scheduler};
use crate::model::{Resources, Span};
use crate::sim::cache::NodeView;
use crate::sim::eviction;
use crate::sim::fields::{annotation, controller, deleting, name, pod_requests};
use crate::sim::objects::Deletion;
use crate::sim::queue::Work;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// A node is of little use below this many percent
/// (`--scale-down-utilization-threshold` is 0.5).
const LITTLE: i64 = 50;

/// Looks for a node that is not needed; of those that were not for long enough, one goes.
pub(super) fn look(world: &mut World) {
    let now = world.now;
    let candidates: Vec<(usize, String)> = (0..world.pools.len())
        .filter(|i| world.pools[*i].manner != Manner::None)
        .filter(|i| !world.orders.values().any(|o| o.pool == *i))
        .flat_map(|i| {
            let members = pools::members(world, i);
            let spare = members.len() > world.pools[i].min;
            members.into_iter().filter(move |_| spare).map(move |n| (i, n))
        })
        .filter(|(_, n)| spare(world, n))
        .collect();
    world.unneeded.retain(|n, _| candidates.iter().any(|(_, c)| c == n));
    for (_, node) in &candidates {
        world.unneeded.entry(node.clone()).or_insert(now);
    }
    let long =
        |n: &String| world.unneeded.get(n).is_some_and(|since| since.age(now) >= world.timing.unneeded);
    let leaving = world.cache.nodes.values().any(|v| v.taints.iter().any(leaves));
    let chosen = candidates.into_iter().find(|(_, n)| long(n)).filter(|_| !leaving);
    if let Some((pool, node)) = chosen {
        begin(world, pool, &node);
    }
}

fn leaves(taint: &Value) -> bool {
    ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"]
        .contains(&taint["key"].as_str().unwrap_or_default())
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

/// Whether a node is of little use and its pods find room elsewhere.
fn spare(world: &World, node: &str) -> bool {
    let Some(view) = world.cache.nodes.get(node) else { return false };
    if !view.ready
        || view.unschedulable
        || view.taints.iter().any(leaves)
        || utilisation(world, node, view) >= LITTLE
    {
        return false;
    }
    let movers = movers(world, node);
    let held = |p: &Arc<Value>| {
        controller(p).is_none()
            || annotation(p, "cluster-autoscaler.kubernetes.io/safe-to-evict") == "false"
            || annotation(p, "karpenter.sh/do-not-disrupt") == "true"
    };
    if movers.iter().any(held) {
        return false;
    }
    let others = world.cache.nodes.iter().filter(|(n, v)| *n != node && v.ready);
    let mut others: Vec<(&NodeView, Resources)> = others.map(|(_, v)| (v, v.free())).collect();
    movers.iter().all(|pod| {
        let asks = pod_requests(pod);
        let ties = scheduler::Ties::of(world, pod);
        let fits = |v: &NodeView, free: Resources| {
            scheduler::misfit_in(pod, asks, v, free).is_none() && ties.allow(v)
        };
        let place = others.iter_mut().find(|(v, free)| fits(v, *free));
        place.map(|(_, free)| *free -= asks).is_some()
    })
}

fn begin(world: &mut World, pool: usize, node: &str) {
    let Some(object) = world.store.get(Res::Nodes, "", node).cloned() else { return };
    let view = world.cache.nodes.get(node).cloned().unwrap_or_default();
    let empty = movers(world, node).is_empty();
    if world.pools[pool].karpenter() {
        let why = if empty { "Empty" } else { "Underutilized" };
        let message = format!("Disrupting Node: {why}");
        record(world, &object, &Said::normal(karpenter::COMPONENT, "DisruptionTerminating", message.clone()));
        if let Some(claim) = karpenter::of_node(world, node) {
            record(
                world,
                &claim,
                &Said::normal(
                    karpenter::COMPONENT,
                    "DisruptionTerminating",
                    message.replace("Node:", "NodeClaim:"),
                ),
            );
        }
        nodes::add_taint(world, node, "karpenter.sh/disrupted", "NoSchedule");
    } else {
        let percent = utilisation(world, node, &view);
        let message = match empty {
            true => format!("Scale-down: removing empty node {node:?}"),
            false => format!(
                "Scale-down: removing node {node}, utilization: {{{percent}% cpu}}, pods to reschedule: {}",
                movers(world, node).iter().map(|p| name(p)).collect::<Vec<_>>().join(",")
            ),
        };
        pools::say(world, if empty { "ScaleDownEmpty" } else { "ScaleDown" }, message);
        record(
            world,
            &object,
            &Said::normal(pools::COMPONENT, "ScaleDown", "marked the node as toBeDeleted/unschedulable"),
        );
        nodes::add_taint(world, node, "ToBeDeletedByClusterAutoscaler", "NoSchedule");
    }
    world.unneeded.remove(node);
    world.queue.add(Work::Leave(node.to_owned()), world.now + Span::from_millis(500));
}

/// Drains a leaving node, respecting budgets, and removes it when it is empty. A machine that
/// its provider takes back does not wait beyond its end.
pub(super) fn leave(world: &mut World, node: &str) {
    let Some(object) = world.store.get(Res::Nodes, "", node).cloned() else { return };
    let now = world.now;
    let over = world.doomed.get(node).is_some_and(|end| *end <= now);
    let movers = movers(world, node);
    if movers.is_empty() || over {
        if world.pools.iter().any(|p| p.manner == Manner::ClusterAutoscaler) && !over {
            record(
                world,
                &object,
                &Said::normal(pools::COMPONENT, "ScaleDown", "nodes removed by cluster autoscaler"),
            );
        }
        let message = format!("Deleting node {node} because it does not exist in the cloud provider");
        record(world, &object, &Said::normal("cloud-node-lifecycle-controller", "DeletingNode", message));
        world.store.remove(Res::Nodes, &object);
        world.absorb();
        karpenter::release(world, node);
        world.doomed.remove(node);
        return;
    }
    for pod in movers.iter().filter(|p| !deleting(p)) {
        // a budget that is spent opens again when the moved pods serve
        let _ = eviction::evict(world, pod, Deletion::default(), false);
        world.absorb();
    }
    let again = world
        .doomed
        .get(node)
        .map_or(now + Span::from_seconds(1), |end| (now + Span::from_seconds(1)).min(*end));
    world.queue.add(Work::Leave(node.to_owned()), again);
}
