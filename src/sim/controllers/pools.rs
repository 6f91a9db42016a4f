//! Node autoscalers: pods that find no node get one, in the manner of Cluster Autoscaler or of
//! Karpenter.

mod capacity;
mod launch;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sim::json::{Map, Value};

use super::events::{Said, record};
use super::{daemon_set, karpenter, scheduler, shrink};
use crate::model::Span;
use crate::sim::cache::NodeView;
use crate::sim::fields::{deleting, holds, name, namespace, resources, time};
use crate::sim::machines::{self, Machine, Plan};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::room::{self, Room};
use crate::sim::world::World;

pub(crate) use capacity::{Backoff, Shortage};
pub(super) use launch::{arrive, say};

pub(super) const COMPONENT: &str = "cluster-autoscaler";

/// How long a machine may take from when its node registers until that is ready.
const BOOTS: Span = Span::from_seconds(300);

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
    /// The pods that it is for.
    pub(crate) pods: Vec<Id>,
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
    Some(Order { pool, machine, zone, node, claim: None, pods: Vec::new() })
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
        storage: room::storage(&machine.allocatable()),
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
        self.view.used.add(&pending.asks);
        self.pods.push(pending.pod.clone());
        true
    }
}

/// A pod that found no node.
struct Pending {
    pod: Arc<Value>,
    asks: Room,
    ties: scheduler::Ties,
}

impl Pending {
    fn of(world: &World, pod: Arc<Value>) -> Pending {
        Pending { asks: Room::of(&pod), ties: scheduler::Ties::of(world, &pod), pod }
    }

    fn fits(&self, view: &NodeView) -> bool {
        self.misfit(view).is_none()
    }

    /// Why it does not fit a node, in the scheduler's words.
    fn misfit(&self, view: &NodeView) -> Option<String> {
        let further = || self.ties.misfit(view).map(str::to_owned);
        scheduler::misfit(&self.pod, &self.asks, view).or_else(further)
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
                && !daemon_set::owns(p)
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
    launch::launch(world, coming.into_iter().filter(|c| c.new).collect());
    shrink::look(world);
    status::write(world);
    karpenter::write_status(world);
}

/// Whether a machine of a pool is on its way, or has come and is not ready yet.
pub(super) fn awaits(world: &World, pool: usize) -> bool {
    let young = |n: &String| {
        let object = world.store.get(Res::Nodes, "", n);
        let made = object.and_then(|o| time(o, "metadata.creationTimestamp"));
        made.is_some_and(|made| made.age(world.now) < BOOTS)
    };
    let booting = |n: &String| world.cache.nodes.get(n).is_some_and(|v| !v.ready) && young(n);
    world.orders.values().any(|o| o.pool == pool) || members(world, pool).iter().any(booting)
}

/// Orders machines of a pool for pods that are to move there; says which pod none of them would take, and why.
pub(super) fn replace(world: &mut World, pool: usize, pods: &[Arc<Value>]) -> Option<String> {
    let mut coming: Vec<Coming> = Vec::new();
    for pod in pods {
        let pending = Pending::of(world, pod.clone());
        if coming.iter_mut().any(|c| c.take(&pending)) {
            continue;
        }
        let types = world.pools[pool].machines.iter().filter(|m| open(world, pool, m, &coming));
        let mut types: Vec<&'static Machine> = types.copied().collect();
        types.sort_by_key(|m| m.price(world.pools[pool].spot));
        let places = types
            .into_iter()
            .flat_map(|m| zones(&world.pools[pool], coming.len()).into_iter().map(move |z| (m, z)));
        let fresh = places.map(|(machine, zone)| Coming::new(world, pool, machine, &zone));
        match fresh.into_iter().find(|c| pending.fits(&c.view)) {
            Some(mut fresh) => {
                fresh.take(&pending);
                coming.push(fresh);
            }
            None => {
                let why = WhyNot::pools(&[(
                    world.pools[pool].name.clone(),
                    why_not(world, pool, &world.pools[pool], &pending),
                )]);
                return Some(format!("{}/{} => {why}", namespace(pod), name(pod)));
            }
        }
    }
    launch::launch(world, coming);
    None
}

/// Whether a pool may have one more machine of a type, beside those that are about to be ordered.
fn open(world: &World, index: usize, machine: &'static Machine, coming: &[Coming]) -> bool {
    let pool = &world.pools[index];
    let new: Vec<&'static Machine> =
        coming.iter().filter(|c| c.new && c.pool == index).map(|c| c.machine).collect();
    match pool.manner {
        Manner::None => false,
        Manner::ClusterAutoscaler => size(world, index) + new.len() < pool.max,
        Manner::Karpenter => karpenter::within_limits(world, index, machine, &new),
    }
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
        for machine in pool.machines.iter().filter(|m| open(world, i, m, coming)) {
            let zones = zones(pool, new).into_iter().filter(|z| !capacity::held_back(world, i, machine, z));
            let trials = zones.map(|zone| Coming::new(world, i, machine, &zone));
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
    let managed = |p: &Pool| p.manner != Manner::None;
    let mut by_karpenter = Vec::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for (i, pool) in world.pools.iter().enumerate().filter(|(_, p)| managed(p)) {
        let why = why_not(world, i, pool, pending);
        if pool.karpenter() {
            by_karpenter.push((pool.name.clone(), why));
        } else {
            *reasons.entry(why.group()).or_default() += 1;
        }
    }
    if !by_karpenter.is_empty() {
        let message = format!("Failed to schedule pod, {}", WhyNot::pools(&by_karpenter));
        record(world, &pending.pod, &Said::warning("karpenter", "FailedScheduling", message));
    }
    if !reasons.is_empty() {
        let parts: Vec<String> = reasons.iter().map(|(why, n)| format!("{n} {why}")).collect();
        let message = format!("pod didn't trigger scale-up: {}", parts.join(", "));
        record(world, &pending.pod, &Said::normal(COMPONENT, "NotTriggerScaleUp", message));
    }
}

/// Why a pool brings no node for a pod.
enum WhyNot {
    /// It has as many as it may.
    Full,
    /// Its provider had none a while ago.
    NoCapacity,
    /// A node of it would not do.
    Misfit(String),
}

fn why_not(world: &World, index: usize, pool: &Pool, pending: &Pending) -> WhyNot {
    let (mut first, mut held) = (None, false);
    for machine in &pool.machines {
        for zone in zones(pool, 0) {
            match pending.misfit(&fresh_view(world, pool, machine, &zone)) {
                Some(why) => first = first.or(Some(why)),
                None if capacity::held_back(world, index, machine, &zone) => held = true,
                // it would do, and yet none comes
                None => return WhyNot::Full,
            }
        }
    }
    match first {
        _ if held => WhyNot::NoCapacity,
        Some(why) => WhyNot::Misfit(why),
        None => WhyNot::Misfit("no instance type met all requirements".to_owned()),
    }
}

impl WhyNot {
    /// In the words of Cluster Autoscaler.
    fn group(&self) -> String {
        match self {
            WhyNot::Full => "max node group size reached".into(),
            WhyNot::NoCapacity => "in backoff after failed scale-up".into(),
            WhyNot::Misfit(why) => why.clone(),
        }
    }

    /// In the words of Karpenter, of all its pools.
    fn pools(all: &[(String, WhyNot)]) -> String {
        let one = |(pool, why): &(String, WhyNot)| match why {
            WhyNot::Full => format!("all available instance types exceed limits for nodepool: {pool:?}"),
            WhyNot::NoCapacity => {
                format!("incompatible with nodepool {pool:?}, no instance type has the required offering")
            }
            WhyNot::Misfit(why) => format!("incompatible with nodepool {pool:?}, {why}"),
        };
        all.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}
