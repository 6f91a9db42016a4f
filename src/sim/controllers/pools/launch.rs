//! Machines are ordered, and arrive or do not.

use super::{COMPONENT, Coming, capacity, node_of, order, size};
use crate::model::Span;
use crate::sim::controllers::events::{Said, record};
use crate::sim::controllers::karpenter;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

/// How soon a provider says that it has no machine.
const REFUSED: Span = Span::from_seconds(3);

/// Orders what is to come.
pub(super) fn launch(world: &mut World, new: Vec<Coming>) {
    for i in 0..world.pools.len() {
        let group: Vec<&Coming> = new.iter().filter(|c| c.pool == i).collect();
        if group.is_empty() {
            continue;
        }
        let before = size(world, i);
        for node in &group {
            place(world, i, node);
        }
        if !world.pools[i].karpenter() {
            grew(world, i, before, &group);
        }
    }
}

/// Orders one machine.
fn place(world: &mut World, pool: usize, node: &Coming) {
    let Some(mut order) = order(world, pool, node.machine, Some(&node.zone)) else { return };
    order.pods = node.pods.iter().map(|p| Id::of(p)).collect();
    if world.pools[pool].karpenter() {
        karpenter::claim(world, &mut order, &node.pods);
    }
    let number = world.store.random().next();
    let delay = world.timing.launch.millis();
    let delay = Span::from_millis(delay + world.store.random().below(delay.max(1) as u64 / 3 + 1) as i64);
    let delay = if capacity::short(world, pool, &order.zone) { REFUSED } else { delay };
    world.orders.insert(number, order);
    world.queue.add(Work::Machine(number), world.now + delay);
}

/// Cluster Autoscaler says that a group grows, and for which pods.
fn grew(world: &mut World, pool: usize, before: usize, group: &[&Coming]) {
    let (name, max, after) = (world.pools[pool].name.clone(), world.pools[pool].max, before + group.len());
    for message in [
        format!("Scale-up: setting group {name} size to {after} instead of {before} (max: {max})"),
        format!("Scale-up: group {name} size set to {after} instead of {before} (max: {max})"),
    ] {
        say(world, "ScaledUpGroup", message);
    }
    for pod in group.iter().flat_map(|c| &c.pods) {
        let message = format!("pod triggered scale-up: [{{{name} {before}->{after} (max: {max})}}]");
        record(world, pod, &Said::normal(COMPONENT, "TriggeredScaleUp", message));
    }
}

/// An event on the status of the cluster autoscaler.
pub(in crate::sim::controllers) fn say(world: &mut World, reason: &str, message: String) {
    tell(world, false, reason, message);
}

/// The same; it may be a warning.
pub(super) fn tell(world: &mut World, warning: bool, reason: &str, message: String) {
    let map = world.store.get(Res::ConfigMaps, "kube-system", "cluster-autoscaler-status").cloned();
    if let Some(map) = map {
        record(world, &map, &Said { component: COMPONENT, warning, reason, message });
    }
}

/// A machine arrives: its node registers and boots. Where there is none, whoever asked is told.
pub(in crate::sim::controllers) fn arrive(world: &mut World, number: u64) {
    let Some(order) = world.orders.remove(&number) else { return };
    if capacity::short(world, order.pool, &order.zone) {
        return capacity::fail(world, &order);
    }
    let Some(node) = node_of(world, &order, false) else { return };
    let Ok(node) = world.store.create(Res::Nodes, node, world.now) else { return };
    let message = format!("Node {} event: Registered Node {} in Controller", order.node, order.node);
    record(world, &node, &Said::normal("node-controller", "RegisteredNode", message));
    karpenter::registered(world, &order);
}
