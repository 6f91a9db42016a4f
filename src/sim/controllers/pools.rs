//! Node autoscalers: pods that find no node get one, in the manner of Cluster Autoscaler or of
//! Karpenter.

use std::sync::Arc;

use crate::sim::json::{Map, Value, json};

use super::events::{Said, record};
use super::{karpenter, scheduler, shrink};
use crate::model::Resources;
use crate::sim::cache::NodeView;
use crate::sim::fields::{deleting, holds, pod_requests, resources, set};
use crate::sim::machines::{self, Machine, Plan};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

pub(super) const COMPONENT: &str = "cluster-autoscaler";

/// Who adds and removes the nodes of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Manner {
    /// Nobody.
    #[default]
    None,
    /// Groups of equal machines, one size up or down.
    ClusterAutoscaler,
    /// The cheapest machine that takes the pods.
    Karpenter,
}

/// A pool of nodes.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) name: String,
    /// Types that it may have; a group of Cluster Autoscaler has one.
    pub(crate) machines: Vec<&'static Machine>,
    pub(crate) zones: Vec<String>,
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) spot: bool,
    pub(crate) manner: Manner,
    pub(crate) labels: Map,
    pub(crate) taint: Option<(String, String)>,
    /// Machines made so far: their names and zones follow from it.
    pub(crate) made: u64,
}

/// A machine on its way.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) pool: usize,
    pub(crate) machine: &'static Machine,
    pub(crate) zone: String,
    pub(crate) node: String,
    /// The node claim that asked for it.
    pub(crate) claim: Option<String>,
}

impl Pool {
    pub(super) fn karpenter(&self) -> bool {
        self.manner == Manner::Karpenter
    }

    fn plan<'a>(&'a self, name: &'a str, machine: &'static Machine, zone: &'a str) -> Plan<'a> {
        Plan {
            name,
            pool: &self.name,
            machine,
            zone,
            spot: self.spot,
            karpenter: self.karpenter(),
            labels: &self.labels,
            taint: self.taint.as_ref().map(|(k, v)| (k.as_str(), v.as_str())),
        }
    }
}

/// The names of a pool's nodes.
pub(super) fn members(world: &World, pool: usize) -> Vec<String> {
    let Some(pool) = world.pools.get(pool) else { return Vec::new() };
    let key = pool_label(world, pool);
    world.cache.nodes.iter().filter(|(_, n)| n.label(key) == pool.name).map(|(n, _)| n.clone()).collect()
}

fn pool_label(world: &World, pool: &Pool) -> &'static str {
    use crate::model::Provider;
    match world.provider {
        _ if pool.karpenter() => "karpenter.sh/nodepool",
        Provider::Eks => "eks.amazonaws.com/nodegroup",
        Provider::Gke => "cloud.google.com/gke-nodepool",
        Provider::Aks => "kubernetes.azure.com/agentpool",
        _ => "nodepool",
    }
}

fn size(world: &World, pool: usize) -> usize {
    members(world, pool).len() + world.orders.values().filter(|o| o.pool == pool).count()
}

/// Names the next machine of a pool; without a wish its zones take turns.
pub(crate) fn order(
    world: &mut World,
    pool: usize,
    machine: &'static Machine,
    zone: Option<&str>,
) -> Option<Order> {
    let suffix = world.store.random().suffix(5);
    let cluster = world.name.clone();
    let provider = world.provider;
    let entry = world.pools.get_mut(pool)?;
    let zone = match (zone, entry.zones.len()) {
        (Some(zone), _) => zone.to_owned(),
        (None, 0) => String::new(),
        (None, n) => entry.zones[entry.made as usize % n].clone(),
    };
    entry.made += 1;
    use crate::model::Provider;
    let number = entry.made;
    let node = match provider {
        Provider::Eks => {
            let h = crate::sim::random::hash(&format!("{cluster}{}{suffix}", entry.name));
            format!("ip-10-{}-{}-{}.ec2.internal", h % 16, h >> 8 & 255, 1 + (h >> 16) % 254)
        }
        Provider::Gke => format!("{cluster}-{}-{}", entry.name, suffix),
        Provider::Aks => format!("aks-{}-vmss{number:06}", entry.name),
        _ => format!("{cluster}-{}-{number:02}", entry.name),
    };
    Some(Order { pool, machine, zone, node, claim: None })
}

/// The node object of an order.
pub(super) fn node_of(world: &World, order: &Order, ready: bool) -> Option<Value> {
    let pool = world.pools.get(order.pool)?;
    Some(machines::node(world, &pool.plan(&order.node, order.machine, &order.zone), ready, world.now))
}

/// Makes the node of an order that is there from the start.
pub(crate) fn pool_usable(world: &mut World, order: &Order) -> Option<Arc<Value>> {
    let node = node_of(world, order, true)?;
    let made = world.store.create(Res::Nodes, node, world.now).ok();
    if world.pools.get(order.pool).is_some_and(Pool::karpenter) {
        karpenter::claim_of_node(world, order);
    }
    world.absorb();
    made
}

/// The empty node that a pool would add, as the scheduler would see it.
fn fresh_view(world: &World, pool: &Pool, machine: &'static Machine, zone: &str) -> NodeView {
    let plan = pool.plan("new", machine, zone);
    let node = machines::node(world, &plan, true, world.now);
    NodeView {
        labels: machines::labels(world, &plan),
        taints: crate::sim::fields::list(&node, "spec.taints").to_vec(),
        ready: true,
        allocatable: resources(&machine.allocatable()),
        ..NodeView::default()
    }
}

/// A node that is ordered or will be, with the pods it is for.
struct Coming {
    pool: usize,
    machine: &'static Machine,
    zone: String,
    view: NodeView,
    pods: Vec<Arc<Value>>,
    new: bool,
}

impl Coming {
    fn new(world: &World, pool: usize, machine: &'static Machine, zone: &str) -> Coming {
        let view = fresh_view(world, &world.pools[pool], machine, zone);
        Coming { pool, machine, zone: zone.to_owned(), view, pods: Vec::new(), new: true }
    }

    fn take(&mut self, pending: &Pending) -> bool {
        if !pending.fits(&self.view) {
            return false;
        }
        self.view.used += pending.asks;
        self.pods.push(pending.pod.clone());
        true
    }
}

/// A pod that found no node.
struct Pending {
    pod: Arc<Value>,
    asks: Resources,
    ties: scheduler::Ties,
}

impl Pending {
    fn of(world: &World, pod: Arc<Value>) -> Pending {
        Pending { asks: pod_requests(&pod), ties: scheduler::Ties::of(world, &pod), pod }
    }

    fn fits(&self, view: &NodeView) -> bool {
        scheduler::misfit(&self.pod, self.asks, view).is_none() && self.ties.allow(view)
    }
}

/// The zones of a pool, that of its next machine first when so many are about to be ordered.
fn zones(pool: &Pool, ordered: usize) -> Vec<String> {
    let mut zones = if pool.zones.is_empty() { vec![String::new()] } else { pool.zones.clone() };
    let next = (pool.made as usize + ordered) % zones.len();
    zones.rotate_left(next);
    zones
}

/// Looks at all pools: what is missing, what is too much.
pub(super) fn reconcile(world: &mut World) {
    let now = world.now;
    world.queue.add(Work::Pools, now + world.timing.scan);
    if world.pools.iter().all(|p| p.manner == Manner::None) {
        return;
    }
    let pending: Vec<Pending> = world
        .cache
        .waiting
        .iter()
        .filter_map(|id| world.pod(id))
        .filter(|p| {
            !deleting(p)
                && crate::sim::fields::condition(p, "PodScheduled").is_some()
                && !holds(p, "PodScheduled")
                && scheduler::wants_room(world, p)
        })
        .map(|p| Pending::of(world, p))
        .collect();
    let mut coming: Vec<Coming> = world
        .orders
        .values()
        .filter(|o| o.pool < world.pools.len())
        .map(|o| Coming { new: false, ..Coming::new(world, o.pool, o.machine, &o.zone) })
        .collect();
    for (i, pod) in pending.iter().enumerate() {
        if coming.iter_mut().any(|c| c.take(pod)) {
            continue;
        }
        match best(world, pod, &pending[i..], &coming) {
            Some((pool, machine, zone)) => {
                let mut node = Coming::new(world, pool, machine, &zone);
                node.take(pod);
                coming.push(node);
            }
            None => refuse(world, pod),
        }
    }
    launch(world, coming.into_iter().filter(|c| c.new).collect());
    shrink::look(world);
    write_status(world);
}

/// The cheapest way to a node for this pod, counting the pods behind it that would share it.
fn best(
    world: &World,
    pod: &Pending,
    rest: &[Pending],
    coming: &[Coming],
) -> Option<(usize, &'static Machine, String)> {
    let mut found: Option<(i64, usize, &'static Machine, String)> = None;
    for (i, pool) in world.pools.iter().enumerate() {
        let new = coming.iter().filter(|c| c.new && c.pool == i).count();
        if pool.manner == Manner::None || size(world, i) + new >= pool.max {
            continue;
        }
        for machine in &pool.machines {
            let trials = zones(pool, new).into_iter().map(|zone| Coming::new(world, i, machine, &zone));
            let Some(mut trial) = trials.into_iter().find(|t| pod.fits(&t.view)) else { continue };
            trial.take(pod);
            for other in rest.iter().skip(1).take(100) {
                trial.take(other);
            }
            let price = machine.price(pool.spot) * 1000 / i64::try_from(trial.pods.len()).unwrap_or(1).max(1);
            if found.as_ref().is_none_or(|(best, ..)| price < *best) {
                found = Some((price, i, machine, trial.zone));
            }
        }
    }
    found.map(|(_, pool, machine, zone)| (pool, machine, zone))
}

/// Says why a pod gets no node.
fn refuse(world: &mut World, pending: &Pending) {
    let pod = &pending.pod;
    let (mut full, mut unfit) = (0, 0);
    let mut limited = None;
    for (i, pool) in world.pools.iter().enumerate().filter(|(_, p)| p.manner != Manner::None) {
        let fits = pool
            .machines
            .iter()
            .any(|m| zones(pool, 0).iter().any(|zone| pending.fits(&fresh_view(world, pool, m, zone))));
        match fits && size(world, i) >= pool.max {
            true => {
                full += 1;
                limited = limited.or_else(|| pool.karpenter().then(|| pool.name.clone()));
            }
            false => unfit += 1,
        }
    }
    if let Some(pool) = limited {
        let message = format!(
            "Failed to schedule pod, all available instance types exceed limits for nodepool: {pool:?}"
        );
        return record(world, pod, &Said::warning("karpenter", "FailedScheduling", message));
    }
    let mut parts = Vec::new();
    if full > 0 {
        parts.push(format!("{full} max node group size reached"));
    }
    if unfit > 0 {
        parts.push(format!("{unfit} node(s) didn't match Pod's node affinity/selector"));
    }
    let message = format!("pod didn't trigger scale-up: {}", parts.join(", "));
    record(world, pod, &Said::normal(COMPONENT, "NotTriggerScaleUp", message));
}

/// Orders what is to come.
fn launch(world: &mut World, new: Vec<Coming>) {
    for i in 0..world.pools.len() {
        let group: Vec<&Coming> = new.iter().filter(|c| c.pool == i).collect();
        if group.is_empty() {
            continue;
        }
        let before = size(world, i);
        let (name, max, by_karpenter) =
            (world.pools[i].name.clone(), world.pools[i].max, world.pools[i].karpenter());
        for node in &group {
            let Some(mut order) = order(world, i, node.machine, Some(&node.zone)) else { continue };
            if by_karpenter {
                karpenter::claim(world, &mut order, &node.pods);
            }
            let number = world.store.random().next();
            let delay = world.timing.launch.millis();
            let delay = delay + world.store.random().below(delay.max(1) as u64 / 3 + 1) as i64;
            world.orders.insert(number, order);
            world.queue.add(Work::Machine(number), world.now + crate::model::Span::from_millis(delay));
        }
        if !by_karpenter {
            let after = before + group.len();
            say(
                world,
                "ScaledUpGroup",
                format!("Scale-up: setting group {name} size to {after} instead of {before} (max: {max})"),
            );
            say(
                world,
                "ScaledUpGroup",
                format!("Scale-up: group {name} size set to {after} instead of {before} (max: {max})"),
            );
            for pod in group.iter().flat_map(|c| &c.pods) {
                let message = format!("pod triggered scale-up: [{{{name} {before}->{after} (max: {max})}}]");
                record(world, pod, &Said::normal(COMPONENT, "TriggeredScaleUp", message));
            }
        }
    }
}

/// An event on the status of the cluster autoscaler.
pub(super) fn say(world: &mut World, reason: &str, message: String) {
    let Some(map) = world.store.get(Res::ConfigMaps, "kube-system", "cluster-autoscaler-status").cloned()
    else {
        return;
    };
    record(world, &map, &Said::normal(COMPONENT, reason, message));
}

/// A machine arrives: its node registers and boots.
pub(super) fn arrive(world: &mut World, number: u64) {
    let Some(order) = world.orders.remove(&number) else { return };
    let Some(node) = node_of(world, &order, false) else { return };
    let Ok(node) = world.store.create(Res::Nodes, node, world.now) else { return };
    let message = format!("Node {} event: Registered Node {} in Controller", order.node, order.node);
    record(world, &node, &Said::normal("node-controller", "RegisteredNode", message));
    karpenter::registered(world, &order);
}

/// Keeps the status map of the cluster autoscaler.
fn write_status(world: &mut World) {
    let now = world.now;
    let groups: Vec<usize> =
        (0..world.pools.len()).filter(|i| world.pools[*i].manner == Manner::ClusterAutoscaler).collect();
    if groups.is_empty() {
        return;
    }
    let stamp = now.rfc3339();
    let mut status = format!("time: {stamp}\nautoscalerStatus: Running\nnodeGroups:\n");
    for i in groups {
        let (pool, ready) = (&world.pools[i], members(world, i).len());
        let target = size(world, i);
        let up = if target > ready { "InProgress" } else { "NoActivity" };
        status.push_str(&format!(
            "- name: {}\n  health:\n    status: Healthy\n    nodeCounts:\n      registered:\n        total: {ready}\n        ready: {ready}\n    cloudProviderTarget: {target}\n    minSize: {}\n    maxSize: {}\n  scaleUp:\n    status: {up}\n",
            pool.name, pool.min, pool.max
        ));
    }
    let body = json!({ "status": status });
    let id = Id::new("kube-system", "cluster-autoscaler-status");
    let done = world.store.update(Res::ConfigMaps, &id.namespace, &id.name, |m| {
        set(m, "data", body.clone());
        crate::sim::fields::annotate(
            m,
            "cluster-autoscaler.kubernetes.io/last-updated",
            &format!("{} +0000 UTC", stamp.replace('T', " ").replace('Z', "")),
        );
    });
    if done.is_none() {
        let map = json!({ "metadata": { "name": id.name, "namespace": id.namespace }, "data": body });
        let _ = world.store.create(Res::ConfigMaps, map, now);
    }
}
