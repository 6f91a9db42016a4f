//! What is split is the whole, and what is not known says so.

use super::*;
use crate::model::{
    ClusterId, ClusterInfo, Identity, Labels, Meta, Owner, Provider, Record, Time, Uid, Usage,
};
use crate::views::prices::{Overrides, Prices};

const GIB: i64 = 1 << 30;

fn cluster() -> Cluster {
    let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), Time::from_seconds(1));
    for kind in [Kind::Node, Kind::Pod] {
        cluster.tables[kind.index()].synced = Some(Time::from_seconds(1));
    }
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
    cluster.tables[Kind::Node.index()].rows.insert(Arc::new(Record::from(node)));
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
fn what_runs_on_nodes_whose_pods_may_not_be_read_is_not_idle() {
    let mut cluster = cluster();
    let table = &mut cluster.tables[Kind::Pod.index()];
    table.rows = crate::model::Rows::default();
    table.link.state = crate::model::LinkState::Denied;
    let cost = breakdown(&cluster, &Scope::All);
    assert_eq!((cost.idle, cost.pools["general"].idle), (Money::ZERO, Money::ZERO));
    assert_eq!(cost.blind + cost.reserved, cost.nodes.rate);
}

#[test]
fn use_above_the_request_counts_and_use_below_it_is_waste() {
    let mut cluster = cluster();
    let pods = [
        (("shop", "web-5d9-a"), Used { cpu: 500, memory: 4 * GIB }),
        (("shop", "web-5d9-b"), Used { cpu: 3000, memory: 4 * GIB }),
    ]
    .into_iter()
    .collect();
    let usage = Usage { pods, ..Usage::default() };
    let before = breakdown(&cluster, &Scope::All);
    cluster.usage = Arc::new(usage);
    cluster.usage_at = Some(Time::from_seconds(2));
    cluster.generation += 1;
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

#[test]
fn a_whole_cluster_is_split_once_for_each_generation() {
    let mut cluster = cluster();
    let first = breakdown(&cluster, &Scope::All);
    assert!(Arc::ptr_eq(&first, &breakdown(&cluster, &Scope::Clusters(vec![ClusterId(0)]))));
    cluster.generation += 1;
    assert!(!Arc::ptr_eq(&first, &breakdown(&cluster, &Scope::All)));
}

#[test]
fn what_is_used_beyond_the_node_still_sums_to_its_price() {
    let mut cluster = cluster();
    let pods = [
        (("shop", "web-5d9-a"), Used { cpu: 9000, memory: 30 * GIB }),
        (("shop", "web-5d9-b"), Used { cpu: 7000, memory: 31 * GIB }),
    ]
    .into_iter()
    .collect();
    cluster.usage = Arc::new(Usage { pods, ..Usage::default() });
    let cost = breakdown(&cluster, &Scope::All);
    assert_eq!(cost.namespaces["shop"].rate, cost.nodes.rate);
    assert_eq!((cost.idle, cost.reserved), (Money::ZERO, Money::ZERO));
}

#[test]
fn what_is_beside_nodes_goes_to_whom_it_belongs() {
    let mut cluster = cluster();
    let volume = |name: &str, namespace: &str, claim: &str| Volume {
        meta: Meta { name: name.into(), uid: Uid::parse(name), ..Meta::default() },
        claim_namespace: namespace.into(),
        claim: claim.into(),
        ..Volume::default()
    };
    for volume in [volume("v1", "shop", "data"), volume("v2", "shop", "old"), volume("v3", "", "")] {
        cluster.tables[Kind::Volume.index()].rows.insert(Arc::new(Record::Volume(volume)));
    }
    let service = Service {
        meta: Meta { name: "front".into(), namespace: "web".into(), uid: Uid::parse("s"), ..Meta::default() },
        ..Service::default()
    };
    cluster.tables[Kind::Service.index()].rows.insert(Arc::new(Record::Service(service)));
    let pod = Pod {
        meta: Meta { name: "p".into(), namespace: "shop".into(), uid: Uid::parse("p"), ..Meta::default() },
        claims: Box::new(["data".into()]),
        ..Pod::default()
    };
    cluster.tables[Kind::Pod.index()].rows.insert(Arc::new(Record::Pod(pod)));
    let price =
        |micros| Price { rate: Some(Money::from_micros(micros)), basis: Basis::List, ..Price::default() };
    let extras = crate::model::Extras {
        control_plane: Some(price(100_000)),
        volumes: ["v1", "v2", "v3"].into_iter().map(|v| (Uid::parse(v), price(10_000))).collect(),
        balancers: [(Uid::parse("s"), price(25_000))].into_iter().collect(),
        ..Default::default()
    };
    cluster.extras = Arc::new(extras.summed());
    let cost = breakdown(&cluster, &Scope::All);
    let micros = Money::from_micros;
    assert_eq!(cost.workloads[&("shop".into(), Kind::Pod, "p".into())].rate, micros(10_000));
    assert_eq!(cost.workloads[&("shop".into(), Kind::Claim, "old".into())].rate, micros(10_000));
    assert_eq!(cost.namespaces["web"].rate, micros(25_000));
    assert_eq!((cost.unclaimed.rate, cost.unused.rate), (micros(10_000), micros(20_000)));
    let namespaces: Money = cost.namespaces.values().map(|share| share.rate).sum();
    let rest = cost.control_plane.rate + cost.unclaimed.rate + cost.idle + cost.reserved;
    assert_eq!(namespaces + rest, cost.whole.rate);
    assert_eq!(cost.whole, cluster_cost(&cluster));
    let web = breakdown(&cluster, &Scope::Namespace(ClusterId(0), "web".into()));
    assert_eq!(web.whole.rate, micros(25_000), "a namespace pays for what is its own");
}

fn cluster_cost(cluster: &Cluster) -> CostTotals {
    let mut cost = breakdown(cluster, &Scope::All).nodes.clone();
    cost.merge(&cluster.extras.total);
    cost
}
