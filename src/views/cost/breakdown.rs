//! The cost of one cluster, split over namespaces, workloads and pools.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::{
    Basis, Capacity, Cluster, CostTotals, Kind, Money, Node, Pod, Price, Record, Resources, Service, Text,
    Used, Volume,
};
use crate::views::Scope;
use crate::views::health::counted;
use crate::views::prices::{CORE, GIB, gpu_weight};

/// The cost of one cluster, or of the part of it in scope. Namespaces, what belongs to none, idle,
/// what is not known of and the reserve sum to [`Breakdown::whole`] exactly.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Breakdown {
    /// What its nodes cost.
    pub nodes: CostTotals,
    /// All of it, as far as it is in scope.
    pub whole: CostTotals,
    /// By namespace.
    pub namespaces: FxHashMap<Text, Share>,
    /// By workload: namespace, kind, name. Pods of their own are under their own names, and so are
    /// load balancers and the claims that no pod mounts.
    pub workloads: FxHashMap<(Text, Kind, Text), Share>,
    /// By node pool.
    pub pools: FxHashMap<Text, Share>,
    /// The control plane, and costs that the settings name.
    pub control_plane: Share,
    /// Persistent volumes.
    pub volumes: Share,
    /// Load balancers.
    pub balancers: Share,
    /// Volumes of no claim: they belong to no namespace.
    pub unclaimed: Share,
    /// Volumes that no pod mounts, those of no claim among them.
    pub unused: Share,
    /// What no pod asks for or uses, the system's reserve left out.
    pub idle: Money,
    /// What nodes cost whose pods are not known: nobody can say how much of it is idle.
    pub blind: Money,
    /// What the kubelet and the system keep for themselves: it cannot be won back.
    pub reserved: Money,
    /// What pods ask for and do not use.
    pub waste: Money,
    /// Whether use is known anywhere; without it, waste is unknown and not zero.
    pub measured: bool,
    /// Whether use is not known somewhere: waste is too low by an unknown amount.
    pub unmeasured: bool,
    /// Whether nodes are not known somewhere: all of it is too low by an unknown amount.
    pub unread: bool,
}

/// What somebody costs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Share {
    /// Dollars an hour.
    pub rate: Money,
    /// The part of it on spot nodes.
    pub spot: Money,
    /// Idle, where this is a pool.
    pub idle: Money,
    /// The part of a pool whose pods are not known.
    pub blind: Money,
    /// Asked for and not used.
    pub waste: Money,
    /// Nodes of a pool, pods of a workload or namespace, else things.
    pub count: u32,
    /// The weakest basis of any price in it.
    pub basis: Basis,
    /// Things in it without a price.
    pub unknown: u32,
    /// What pods ask for whose use is known.
    pub asked: Resources,
    /// What these use.
    pub used: Used,
}

/// A node's price, split.
struct SplitNode {
    spot: bool,
    basis: Basis,
    capacity: Resources,
    /// For all its cores, memory and GPUs.
    cpu: Money,
    memory: Money,
    gpus: Money,
    pool: Text,
    /// The part of it that the system keeps.
    reserve: Money,
    /// Its pods with what they take; of those that are not in scope only the amount counts.
    guests: Vec<Guest>,
}

/// What a pod takes of its node.
struct Guest {
    rate: Money,
    /// Namespace and workload, and all but the rate.
    owner: Option<((Text, Kind, Text), Share)>,
}

/// Splits the cost of what is in scope of a cluster. Of a whole cluster that is done once for each
/// generation.
#[must_use]
pub fn breakdown(cluster: &Cluster, scope: &Scope) -> Arc<Breakdown> {
    match scope {
        Scope::All | Scope::Group(_) | Scope::Clusters(_) => cluster.derived(|| split(cluster, &Scope::All)),
        Scope::Namespace(..) | Scope::NamespaceEverywhere(_) | Scope::Pool(..) => {
            Arc::new(split(cluster, scope))
        }
    }
}

fn split(cluster: &Cluster, scope: &Scope) -> Breakdown {
    let unread = !counted(cluster, Kind::Node);
    let measured = cluster.usage_at.is_some() && counted(cluster, Kind::Pod) && !unread;
    let mut out = Breakdown { measured, unmeasured: !measured, unread, ..Breakdown::default() };
    let mut nodes: FxHashMap<Text, SplitNode> = FxHashMap::default();
    for node in cluster.nodes().filter(|node| scope.holds_node(node)) {
        add_node(&mut out, &mut nodes, node, cluster.price(node));
    }
    let usage = &cluster.usage.pods;
    for pod in cluster.pods().filter(|pod| !pod.finished() && !pod.node.is_empty()) {
        let Some(node) = nodes.get_mut(&pod.node) else { continue };
        let used = usage.get(&pod.meta.namespace, &pod.meta.name);
        let guest = guest(node, pod, used.as_ref(), scope.holds_namespace(&pod.meta.namespace));
        node.guests.push(guest);
    }
    for node in nodes.into_values() {
        settle(&mut out, node);
    }
    if !counted(cluster, Kind::Pod) {
        out.blind = std::mem::take(&mut out.idle);
        for pool in out.pools.values_mut() {
            pool.blind = std::mem::take(&mut pool.idle);
        }
    }
    if !matches!(scope, Scope::Pool(..)) {
        add_volumes(&mut out, cluster, scope);
        add_balancers(&mut out, cluster, scope);
    }
    sum(&mut out, cluster, scope);
    out
}

/// The whole of what is in scope. Of a namespace that is its share; nodes, idle and the control
/// plane are the cluster's.
fn sum(out: &mut Breakdown, cluster: &Cluster, scope: &Scope) {
    match scope {
        Scope::Namespace(..) | Scope::NamespaceEverywhere(_) => {
            let parts: Vec<Share> = out.namespaces.values().cloned().collect();
            (out.idle, out.blind, out.reserved) = (Money::ZERO, Money::ZERO, Money::ZERO);
            for part in parts {
                out.whole.rate += part.rate;
                out.whole.spot += part.spot;
                out.whole.unknown += part.unknown;
                if part.basis.approximate() {
                    out.whole.estimated += part.rate;
                    out.whole.guessed += 1;
                } else {
                    out.whole.priced += 1;
                    out.whole.user += u32::from(part.basis == Basis::User);
                }
            }
        }
        Scope::Pool(..) => out.whole = out.nodes.clone(),
        Scope::All | Scope::Group(_) | Scope::Clusters(_) => {
            let extras = &cluster.extras;
            if let Some(fee) = extras.control_plane {
                out.control_plane.add(&Share::of(fee));
            }
            for (_, rate) in &extras.fixed {
                out.control_plane.add(&Share {
                    rate: *rate,
                    count: 1,
                    basis: Basis::User,
                    ..Share::default()
                });
            }
            out.whole = out.nodes.clone();
            out.whole.merge(&extras.total);
        }
    }
}

fn add_node(out: &mut Breakdown, nodes: &mut FxHashMap<Text, SplitNode>, node: &Node, price: Price) {
    out.nodes.add(price);
    let pool = out.pools.entry(node.identity.pool.clone()).or_default();
    pool.count += 1;
    pool.basis = if pool.count == 1 { price.basis } else { pool.basis.max(price.basis) };
    let Some(rate) = price.rate else {
        pool.unknown += 1;
        return;
    };
    let spot = price.capacity == Capacity::Spot;
    pool.rate += rate;
    if spot {
        pool.spot += rate;
    }
    let capacity = node.capacity;
    let weight =
        |amount: i64, weight: i64| u64::try_from(i128::from(amount) * i128::from(weight)).unwrap_or(0);
    let parts = rate.split(&[
        weight(capacity.cpu, CORE),
        weight(capacity.memory >> 20, GIB * 1000 / 1024),
        weight(capacity.gpus * 1000, gpu_weight(&node.gpu_model)),
    ]);
    let [cpu, memory, gpus] = parts[..] else { return };
    let reserve = capacity - node.allocatable;
    let split = SplitNode {
        spot,
        basis: price.basis,
        capacity,
        cpu,
        memory,
        gpus,
        pool: node.identity.pool.clone(),
        reserve: cpu.scaled(reserve.cpu.max(0), capacity.cpu)
            + memory.scaled(reserve.memory.max(0), capacity.memory),
        guests: Vec::new(),
    };
    nodes.insert(node.meta.name.clone(), split);
}

fn guest(node: &SplitNode, pod: &Pod, used: Option<&Used>, in_scope: bool) -> Guest {
    let asked = pod.requests;
    let (cpu_used, memory_used) = used.map_or((0, 0), |used| (used.cpu, used.memory));
    let capacity = node.capacity;
    let rate = node.cpu.scaled(asked.cpu.max(cpu_used), capacity.cpu)
        + node.memory.scaled(asked.memory.max(memory_used), capacity.memory)
        + node.gpus.scaled(asked.gpus, capacity.gpus);
    if !in_scope {
        return Guest { rate, owner: None };
    }
    let waste = if used.is_some() {
        node.cpu.scaled((asked.cpu - cpu_used).max(0), capacity.cpu)
            + node.memory.scaled((asked.memory - memory_used).max(0), capacity.memory)
    } else {
        Money::ZERO
    };
    let (kind, name) = pod.workload().unwrap_or_else(|| (Kind::Pod, pod.meta.name.clone()));
    let share = Share {
        waste,
        count: 1,
        basis: node.basis,
        asked: if used.is_some() { asked } else { Resources::default() },
        used: used.copied().unwrap_or_default(),
        ..Share::default()
    };
    Guest { rate, owner: Some(((pod.meta.namespace.clone(), kind, name), share)) }
}

/// Hands a node's price out: its pods, the system, idle. Pods that use more than there is share
/// what there is, so that the parts always sum to the price.
fn settle(out: &mut Breakdown, node: SplitNode) {
    let whole = node.cpu + node.memory + node.gpus;
    let asked: Money = node.guests.iter().map(|guest| guest.rate).sum();
    let rates: Vec<Money> = if asked > whole {
        let weights: Vec<u64> =
            node.guests.iter().map(|guest| u64::try_from(guest.rate.nanos()).unwrap_or(0)).collect();
        whole.split(&weights)
    } else {
        node.guests.iter().map(|guest| guest.rate).collect()
    };
    let left = whole - rates.iter().copied().sum();
    let reserved = node.reserve.min(left);
    out.reserved += reserved;
    out.idle += left - reserved;
    if let Some(pool) = out.pools.get_mut(&node.pool) {
        pool.idle += left - reserved;
    }
    for (guest, rate) in node.guests.into_iter().zip(rates) {
        let Some((key, share)) = guest.owner else { continue };
        let spot = if node.spot { rate } else { Money::ZERO };
        let share = Share { rate, spot, waste: share.waste.min(rate), ..share };
        out.waste += share.waste;
        out.give(key, &share);
    }
}

/// Who mounts a claim, by namespace and name: workloads, with how many of their pods do.
type Mounts<'a> = FxHashMap<(&'a Text, &'a Text), Vec<((Kind, Text), u64)>>;

/// Volumes go to the namespace of their claim, and to the workloads whose pods mount it, by their
/// pods.
fn add_volumes(out: &mut Breakdown, cluster: &Cluster, scope: &Scope) {
    if cluster.extras.volumes.is_empty() {
        return;
    }
    let mut mounts = Mounts::default();
    for pod in cluster.pods().filter(|pod| !pod.finished()) {
        for claim in &pod.claims {
            let owner = pod.workload().unwrap_or_else(|| (Kind::Pod, pod.meta.name.clone()));
            let owners = mounts.entry((&pod.meta.namespace, claim)).or_default();
            match owners.iter_mut().find(|(known, _)| *known == owner) {
                Some((_, pods)) => *pods += 1,
                None => owners.push((owner, 1)),
            }
        }
    }
    for volume in volumes(cluster) {
        let Some(price) = cluster.extras.volumes.get(&volume.meta.uid) else { continue };
        if !scope.holds_namespace(&volume.claim_namespace) {
            continue;
        }
        let share = Share::of(*price);
        out.volumes.add(&share);
        let owners = mounts.get(&(&volume.claim_namespace, &volume.claim));
        if owners.is_none() && counted(cluster, Kind::Pod) {
            out.unused.add(&share);
        }
        if volume.claim.is_empty() {
            out.unclaimed.add(&share);
            continue;
        }
        let namespace = volume.claim_namespace.clone();
        let Some(owners) = owners else {
            out.give((namespace, Kind::Claim, volume.claim.clone()), &share.uncounted());
            continue;
        };
        let weights: Vec<u64> = owners.iter().map(|(_, pods)| *pods).collect();
        for (((kind, name), _), rate) in owners.iter().zip(share.rate.split(&weights)) {
            let part = Share { rate, ..share.uncounted() };
            out.give((namespace.clone(), *kind, name.clone()), &part);
        }
    }
}

fn add_balancers(out: &mut Breakdown, cluster: &Cluster, scope: &Scope) {
    for service in services(cluster).filter(|service| scope.holds_namespace(&service.meta.namespace)) {
        let Some(price) = cluster.extras.balancers.get(&service.meta.uid) else { continue };
        let share = Share::of(*price);
        out.balancers.add(&share);
        let key = (service.meta.namespace.clone(), Kind::Service, service.meta.name.clone());
        out.give(key, &share.uncounted());
    }
}

fn volumes(cluster: &Cluster) -> impl Iterator<Item = &Volume> {
    cluster.records(Kind::Volume).filter_map(|record| match &**record {
        Record::Volume(volume) => Some(volume),
        _ => None,
    })
}

fn services(cluster: &Cluster) -> impl Iterator<Item = &Service> {
    cluster.records(Kind::Service).filter_map(|record| match &**record {
        Record::Service(service) => Some(service),
        _ => None,
    })
}

impl Breakdown {
    /// Gives a share to a workload and its namespace.
    fn give(&mut self, key: (Text, Kind, Text), share: &Share) {
        self.namespaces.entry(key.0.clone()).or_default().add(share);
        self.workloads.entry(key).or_default().add(share);
    }
}

impl Share {
    /// What one thing costs.
    fn of(price: Price) -> Share {
        let unknown = u32::from(price.rate.is_none());
        Share {
            rate: price.rate.unwrap_or_default(),
            count: 1,
            basis: price.basis,
            unknown,
            ..Share::default()
        }
    }

    /// The same as a part of something that counts pods.
    fn uncounted(&self) -> Share {
        Share { count: 0, ..self.clone() }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Share::default()
    }

    /// Adds what another costs.
    pub(super) fn add(&mut self, other: &Share) {
        self.basis = if self.is_empty() { other.basis } else { self.basis.max(other.basis) };
        self.rate += other.rate;
        self.spot += other.spot;
        self.idle += other.idle;
        self.blind += other.blind;
        self.waste += other.waste;
        self.count += other.count;
        self.unknown += other.unknown;
        self.asked += other.asked;
        self.used.cpu += other.used.cpu;
        self.used.memory += other.used.memory;
    }
}
#[cfg(test)]
mod tests;
