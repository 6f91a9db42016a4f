//! The cost of one cluster, split over namespaces, workloads and pools.

use rustc_hash::FxHashMap;

use crate::model::{Basis, Capacity, Cluster, CostTotals, Kind, Money, Node, Pod, Resources, Text, Used};
use crate::views::Scope;
use crate::views::prices::gpu_weight;

/// What OpenCost weighs a core and a GiB by, in micro-dollars: only their ratio matters.
const CPU_WEIGHT: i64 = 31_611;
const GIB_WEIGHT: i64 = 4_237;

/// The cost of one cluster, or of the part of it in scope.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Breakdown {
    /// What its nodes cost.
    pub nodes: CostTotals,
    /// By namespace.
    pub namespaces: FxHashMap<Text, Share>,
    /// By workload: namespace, kind, name. Pods of their own are under their own names.
    pub workloads: FxHashMap<(Text, Kind, Text), Share>,
    /// By node pool.
    pub pools: FxHashMap<Text, Share>,
    /// What no pod asks for or uses, the system's reserve left out.
    pub idle: Money,
    /// What the kubelet and the system keep for themselves: it cannot be won back.
    pub reserved: Money,
    /// What pods ask for and do not use.
    pub waste: Money,
    /// Whether use is known at all; without it, waste is unknown and not zero.
    pub measured: bool,
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
    /// Asked for and not used.
    pub waste: Money,
    /// Nodes of a pool, pods of anything else.
    pub count: u32,
    /// The weakest basis of any price in it.
    pub basis: Basis,
    /// Nodes in it without a price.
    pub unknown: u32,
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
    /// What pods took.
    taken: Money,
}

/// Splits the cost of a cluster's nodes in scope over the pods in scope.
#[must_use]
pub fn breakdown(cluster: &Cluster, scope: &Scope) -> Breakdown {
    let mut out = Breakdown { measured: cluster.usage_at.is_some(), ..Breakdown::default() };
    let mut nodes: FxHashMap<Text, SplitNode> = FxHashMap::default();
    for node in cluster.nodes().filter(|node| scope.holds_node(node)) {
        add_node(&mut out, &mut nodes, node, cluster.price(node));
    }
    let usage = &cluster.usage.pods;
    for pod in cluster.pods().filter(|pod| !pod.finished() && !pod.node.is_empty()) {
        let Some(node) = nodes.get_mut(&pod.node) else { continue };
        let used = usage.get(&(pod.meta.namespace.clone(), pod.meta.name.clone()));
        add_pod(&mut out, node, pod, used, scope.holds_namespace(&pod.meta.namespace));
    }
    for node in nodes.values() {
        let whole = node.cpu + node.memory + node.gpus;
        let idle = Money::from_nanos((whole - node.taken).nanos().max(0));
        out.idle += idle;
        if let Some(pool) = out.pools.get_mut(&node.pool) {
            pool.idle += idle;
        }
    }
    out.idle -= out.reserved.min(out.idle);
    out
}

fn add_node(
    out: &mut Breakdown,
    nodes: &mut FxHashMap<Text, SplitNode>,
    node: &Node,
    price: crate::model::Price,
) {
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
        weight(capacity.cpu, CPU_WEIGHT),
        weight(capacity.memory >> 20, GIB_WEIGHT * 1000 / 1024),
        weight(capacity.gpus * 1000, gpu_weight(&node.gpu_model)),
    ]);
    let [cpu, memory, gpus] = parts[..] else { return };
    let reserve = capacity - node.allocatable;
    out.reserved +=
        cpu.scaled(reserve.cpu.max(0), capacity.cpu) + memory.scaled(reserve.memory.max(0), capacity.memory);
    let split = SplitNode {
        spot,
        basis: price.basis,
        capacity,
        cpu,
        memory,
        gpus,
        pool: node.identity.pool.clone(),
        taken: Money::ZERO,
    };
    nodes.insert(node.meta.name.clone(), split);
}

fn add_pod(out: &mut Breakdown, node: &mut SplitNode, pod: &Pod, used: Option<&Used>, in_scope: bool) {
    let asked = pod.requests;
    let (cpu_used, memory_used) = used.map_or((0, 0), |used| (used.cpu, used.memory));
    let capacity = node.capacity;
    let rate = node.cpu.scaled(asked.cpu.max(cpu_used), capacity.cpu)
        + node.memory.scaled(asked.memory.max(memory_used), capacity.memory)
        + node.gpus.scaled(asked.gpus, capacity.gpus);
    node.taken += rate;
    if !in_scope {
        return;
    }
    let waste = if used.is_some() {
        node.cpu.scaled((asked.cpu - cpu_used).max(0), capacity.cpu)
            + node.memory.scaled((asked.memory - memory_used).max(0), capacity.memory)
    } else {
        Money::ZERO
    };
    out.waste += waste;
    let spot = if node.spot { rate } else { Money::ZERO };
    let (kind, name) = pod.workload().unwrap_or_else(|| (Kind::Pod, pod.meta.name.clone()));
    let namespace = pod.meta.namespace.clone();
    let share = Share { rate, spot, waste, count: 1, basis: node.basis, ..Share::default() };
    out.namespaces.entry(namespace.clone()).or_insert_with(Share::nothing).add(&share);
    out.workloads.entry((namespace, kind, name)).or_insert_with(Share::nothing).add(&share);
}

impl Share {
    /// Nothing yet: the basis of what is added first becomes its own.
    pub(super) fn nothing() -> Share {
        Share { basis: Basis::List, ..Share::default() }
    }

    /// Adds what another costs.
    pub(super) fn add(&mut self, other: &Share) {
        self.rate += other.rate;
        self.spot += other.spot;
        self.idle += other.idle;
        self.waste += other.waste;
        self.count += other.count;
        self.unknown += other.unknown;
        self.basis = self.basis.max(other.basis);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{
        ClusterId, ClusterInfo, Identity, Labels, Meta, Owner, Provider, Record, Time, Uid, Usage,
    };
    use crate::views::prices::{Overrides, Prices};

    const GIB: i64 = 1 << 30;

    fn cluster() -> Cluster {
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), Time::from_seconds(1));
        let node = Node {
            meta: Meta { name: "n1".into(), uid: Uid::parse("n1"), ..Meta::default() },
            identity: Identity {
                provider: Provider::Eks,
                region: "us-east-1".into(),
                instance_type: "m6i.2xlarge".into(),
                capacity: Capacity::OnDemand,
                pool: "general".into(),
                ..Identity::default()
            },
            capacity: Resources { cpu: 8000, memory: 32 * GIB, gpus: 0, pods: 58 },
            allocatable: Resources { cpu: 7900, memory: 31 * GIB, gpus: 0, pods: 58 },
            ..Node::default()
        };
        let price = Prices::new(Overrides::default()).price(&cluster.info, &node);
        cluster.prices = Arc::new([(node.meta.uid, price)].into_iter().collect());
        cluster.tables[Kind::Node.index()].rows.insert(Arc::new(Record::Node(node)));
        for (name, cpu) in [("web-5d9-a", 2000), ("web-5d9-b", 1000)] {
            let owner = Owner {
                api: "apps/v1".into(),
                kind: "ReplicaSet".into(),
                name: "web-5d9".into(),
                uid: Uid::parse("r"),
            };
            let pod = Pod {
                meta: Meta {
                    name: name.into(),
                    namespace: "shop".into(),
                    uid: Uid::parse(name),
                    labels: Labels::new(vec![("pod-template-hash".into(), "5d9".into())]),
                    owner: Some(Arc::new(owner)),
                    ..Meta::default()
                },
                node: "n1".into(),
                phase: crate::model::Phase::Running,
                requests: Resources { cpu, memory: 4 * GIB, gpus: 0, pods: 1 },
                ..Pod::default()
            };
            cluster.tables[Kind::Pod.index()].rows.insert(Arc::new(Record::Pod(pod)));
        }
        cluster
    }

    #[test]
    fn the_parts_sum_to_what_the_nodes_cost() {
        let cost = breakdown(&cluster(), &Scope::All);
        let pods: Money = cost.namespaces.values().map(|s| s.rate).sum();
        assert_eq!(cost.nodes.rate, Money::from_micros(384_000));
        assert_eq!(pods + cost.idle + cost.reserved, cost.nodes.rate);
        let key = ("shop".into(), Kind::Deployment, "web".into());
        assert_eq!(cost.workloads[&key].rate, pods);
        assert_eq!(cost.workloads[&key].count, 2);
        assert_eq!(cost.pools["general"].rate, cost.nodes.rate);
        assert!(!cost.measured);
    }

    #[test]
    fn use_above_the_request_counts_and_use_below_it_is_waste() {
        let mut cluster = cluster();
        let mut usage = Usage::default();
        usage.pods.insert(("shop".into(), "web-5d9-a".into()), Used { cpu: 500, memory: 4 * GIB });
        usage.pods.insert(("shop".into(), "web-5d9-b".into()), Used { cpu: 3000, memory: 4 * GIB });
        let before = breakdown(&cluster, &Scope::All);
        cluster.usage = Arc::new(usage);
        cluster.usage_at = Some(Time::from_seconds(2));
        let after = breakdown(&cluster, &Scope::All);
        assert!(after.namespaces["shop"].rate > before.namespaces["shop"].rate);
        assert!(after.waste > Money::ZERO && after.waste < after.namespaces["shop"].rate);
        assert!(after.measured);
    }

    #[test]
    fn a_namespace_in_scope_leaves_the_others_out() {
        let scope = Scope::Namespace(ClusterId(0), "other".into());
        let cost = breakdown(&cluster(), &scope);
        assert!(cost.namespaces.is_empty());
        assert!(cost.idle < cost.nodes.rate);
    }
}
