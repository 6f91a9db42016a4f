//! A cluster of a scenario, made: it has run for days when the curtain rises.

use crate::sim::json::{Map, json};

use super::base::{base, priority};
use super::file::{ClusterFile, ProviderFile, ScenarioFile, WorkloadFile, WorkloadKind};
use super::manifests;
use crate::model::{Span, Time};
use crate::sim::admission;
use crate::sim::controllers::{self, Pool};
use crate::sim::machines;
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// How old a cluster is at least.
const OLDEST: Span = Span::from_seconds(40 * 86_400);

/// How old a workload is that does not say.
const USUAL_AGE: Span = Span::from_seconds(6 * 86_400);

/// How long a workload may take to settle before the next one is made.
const SETTLE: Span = Span::from_seconds(30);

/// Work items between two workloads; more would mean a controller that never comes to rest.
const MOST_WORK: usize = 1_000_000;

/// Makes a cluster as it is at `now`.
pub(crate) fn build(file: &ScenarioFile, cluster: &ClusterFile, now: Time) -> World {
    let ages = file.workloads.iter().filter_map(|w| w.age.map(|a| a.0));
    let born = now - ages.max().unwrap_or(OLDEST).max(OLDEST) - SETTLE;
    let mut world = World::new(&cluster.name, &full_version(cluster), file.seed, born);
    world.provider = cluster.provider.into();
    world.region.clone_from(&cluster.region);
    world.timing = file.pace.timing();
    world.instant = true;
    base(&mut world, cluster);
    pools(&mut world, cluster);
    let mut workloads: Vec<WorkloadFile> = system(cluster.provider);
    workloads.extend(file.workloads.iter().filter(|w| w.replicas_of(&cluster.name).is_some()).cloned());
    workloads.sort_by_key(|w| std::cmp::Reverse(w.age.map_or(USUAL_AGE, |a| a.0)));
    for workload in &workloads {
        let made = now - workload.age.map_or(USUAL_AGE, |a| a.0) - SETTLE;
        world.run_until(made, MOST_WORK);
        let replicas = workload.replicas_of(&cluster.name).unwrap_or(1);
        if let Some(value) = workload.priority {
            priority(&mut world, &manifests::class(value), value, "");
        }
        for (res, object) in manifests::of(&world, cluster, workload, replicas) {
            create(&mut world, res, object);
        }
        scaled(&mut world, workload);
        if let Some(load) = workload.load {
            world.loads.insert(Id::new(&workload.namespace, &workload.name), load.into());
        }
        let settled = world.now + SETTLE;
        world.run_until(settled, MOST_WORK);
    }
    quotas(&mut world, file, cluster);
    world.run_until(now, MOST_WORK);
    raise(&mut world, file, cluster, now);
    world
}

/// The curtain rises: time runs, nothing is made by magic any more.
fn raise(world: &mut World, file: &ScenarioFile, cluster: &ClusterFile, now: Time) {
    world.now = now;
    world.instant = false;
    world.store.compact();
    world.incidents = file.incidents.iter().filter_map(|i| i.in_cluster(&cluster.name)).collect();
    controllers::start(world);
    controllers::begin_all(world, now);
}

/// Lets KEDA scale a workload, if it is to.
fn scaled(world: &mut World, workload: &WorkloadFile) {
    let Some(object) = manifests::scaled_object(workload) else { return };
    if controllers::scaled_slot(world).is_none() {
        create(world, Res::Definitions, controllers::scaled_objects());
    }
    if let Some(slot) = controllers::scaled_slot(world) {
        // two workloads of one name are one: the first
        let _ = world.store.create(slot, object, world.now);
        world.absorb();
    }
}

/// Makes an object of the scenario as a client would.
pub(super) fn create(world: &mut World, res: Res, mut object: crate::sim::json::Value) {
    if res == Res::Pods {
        controllers::place_pod(world, object);
        return;
    }
    admission::admit(world, res, &mut object);
    // two workloads of one name are one: the first
    let _ = world.store.create(res, object, world.now);
    world.absorb();
}

/// `v1.36.3` in the spelling of its provider.
fn full_version(cluster: &ClusterFile) -> String {
    let patch = if cluster.version.matches('.').count() == 1 { ".3" } else { "" };
    let suffix = match cluster.provider {
        ProviderFile::Eks => "-eks-7c9b1d4",
        ProviderFile::Gke => "-gke.1200",
        ProviderFile::Edge => "+k3s1",
        ProviderFile::Aks | ProviderFile::Private => "",
    };
    format!("v{}{patch}{suffix}", cluster.version)
}

/// Makes the quotas of a scenario: what is there already counts, and nothing is refused for it.
fn quotas(world: &mut World, file: &ScenarioFile, cluster: &ClusterFile) {
    for quota in file.quotas.iter().filter(|q| q.concerns(&cluster.name)) {
        let meta = json!({ "name": quota.name, "namespace": quota.namespace });
        world.create_aside(Res::Quotas, json!({ "metadata": meta, "spec": { "hard": quota.hard } }));
        let limits =
            [("default", &quota.default), ("defaultRequest", &quota.default_request), ("max", &quota.most)];
        let mut range = json!({ "type": "Container" });
        for (key, amounts) in limits.iter().filter(|(_, amounts)| !amounts.is_empty()) {
            crate::sim::fields::set(&mut range, key, json!(amounts));
        }
        if limits.iter().any(|(_, amounts)| !amounts.is_empty()) {
            let mut object = json!({ "metadata": meta, "spec": { "limits": [range] } });
            admission::complete(world, Res::LimitRanges, &mut object);
            world.create_aside(Res::LimitRanges, object);
        }
    }
    world.absorb();
}

fn pools(world: &mut World, cluster: &ClusterFile) {
    for file in &cluster.pools {
        let machines: Vec<_> = file.machines.iter().filter_map(|m| machines::find(m.get_ref())).collect();
        let Some(usual) = machines.first().copied() else { continue };
        let taint = file.taint.as_ref().and_then(|t| t.get_ref().split_once('='));
        let pool = Pool {
            name: file.name.clone(),
            machines,
            zones: file.zones.clone().unwrap_or_else(|| cluster.zones.clone()),
            min: file.min,
            max: file.max.unwrap_or(file.count),
            spot: file.spot,
            manner: file.autoscaler,
            labels: Map::new(),
            taint: taint.map(|(k, v)| (k.to_owned(), v.to_owned())),
            made: 0,
        };
        let karpenter = pool.manner == controllers::Manner::Karpenter;
        if karpenter {
            create(world, Res::NodePools, manifests::node_pool(&pool));
        }
        world.pools.push(pool);
        let index = world.pools.len() - 1;
        for _ in 0..file.count {
            if let Some(order) = controllers::order(world, index, usual, None) {
                controllers::pool_usable(world, &order);
            }
        }
    }
}

fn system(provider: ProviderFile) -> Vec<WorkloadFile> {
    let network = match provider {
        ProviderFile::Eks => {
            ("aws-node", "602401143452.dkr.ecr.us-east-1.amazonaws.com/amazon-k8s-cni:v1.20.1")
        }
        ProviderFile::Gke => ("anetd", "gke.gcr.io/cilium/cilium:v1.17.4"),
        ProviderFile::Aks => ("azure-cns", "mcr.microsoft.com/containernetworking/azure-cns:v1.6.29"),
        _ => ("cilium", "quay.io/cilium/cilium:v1.17.4"),
    };
    let one = |name: &str, image: &str, kind, replicas| WorkloadFile {
        namespace: "kube-system".to_owned(),
        name: name.to_owned(),
        kind,
        image: image.to_owned(),
        cpu: Some("50m".to_owned()),
        memory: Some("64Mi".to_owned()),
        replicas: Some(replicas),
        age: Some(super::file::Length(OLDEST)),
        ..WorkloadFile::default()
    };
    vec![
        one(network.0, network.1, WorkloadKind::DaemonSet, 0),
        one("kube-proxy", "registry.k8s.io/kube-proxy:v1.36.3", WorkloadKind::DaemonSet, 0),
        one("coredns", "registry.k8s.io/coredns/coredns:v1.12.1", WorkloadKind::Deployment, 2),
    ]
}

/// Pods that every cluster of so many nodes runs for itself.
pub(super) fn system_pods(nodes: usize) -> usize {
    2 * nodes + 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Scenario;
    use crate::sim::fields::holds;

    #[test]
    fn a_sized_fleet_has_its_size_and_every_pod_serves() {
        let scenario = Scenario::sized(2, 6, 100);
        let now = Time::from_seconds(1_795_226_400);
        let worlds: Vec<World> =
            scenario.file.clusters.iter().map(|c| build(&scenario.file, c, now)).collect();
        let sum = |res: Res| worlds.iter().map(|w| w.store.list(res, None).count()).sum::<usize>();
        assert_eq!((sum(Res::Nodes), sum(Res::Pods)), (6, 100));
        let pods = worlds.iter().flat_map(|w| w.store.list(Res::Pods, None));
        assert!(pods.into_iter().all(|p| holds(p, "Ready")));
    }

    #[test]
    fn the_same_seed_makes_the_same_cluster() {
        let scenario = Scenario::small().unwrap();
        let now = Time::from_seconds(1_795_226_400);
        let list = || {
            let world = build(&scenario.file, &scenario.file.clusters[0], now);
            world.store.list(Res::Pods, None).map(|p| p.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(list(), list());
    }
}
