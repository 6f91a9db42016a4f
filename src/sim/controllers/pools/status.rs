//! The status map of Cluster Autoscaler
//! (`kubernetes/autoscaler:cluster-autoscaler/clusterstate/api/types.go`).

use super::{Manner, capacity, members, size};
use crate::sim::fields::{annotate, set};
use crate::sim::json::json;
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// More than this many percent of a group's nodes that are not ready, and at least three of them,
/// are a group that is not healthy (`--max-total-unready-percentage`, `--ok-total-unready-count`).
const UNREADY: usize = 45;
const FEW: usize = 3;

/// Keeps the status map.
pub(super) fn write(world: &mut World) {
    let now = world.now;
    let groups: Vec<usize> =
        (0..world.pools.len()).filter(|i| world.pools[*i].manner == Manner::ClusterAutoscaler).collect();
    if groups.is_empty() {
        return;
    }
    let stamp = now.rfc3339();
    let mut status = format!("time: {stamp}\nautoscalerStatus: Running\nnodeGroups:\n");
    groups.iter().for_each(|i| status.push_str(&group(world, *i)));
    let body = json!({ "status": status });
    let id = Id::new("kube-system", "cluster-autoscaler-status");
    let done = world.store.update(Res::ConfigMaps, &id.namespace, &id.name, |m| {
        set(m, "data", body.clone());
        annotate(
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

fn group(world: &World, index: usize) -> String {
    let pool = &world.pools[index];
    let nodes = members(world, index);
    let is_ready = |n: &&String| world.cache.nodes.get(*n).is_some_and(|v| v.ready);
    let (total, ready) = (nodes.len(), nodes.iter().filter(is_ready).count());
    let (unready, target) = (total - ready, size(world, index));
    let healthy = unready < FEW || unready * 100 <= total * UNREADY;
    let health = if healthy { "Healthy" } else { "Unhealthy" };
    let leaves = nodes.iter().any(|n| world.unneeded.contains_key(n));
    let down = if leaves { "CandidatesPresent" } else { "NoCandidates" };
    let up = match capacity::of_group(world, index) {
        Some((code, why)) => format!(
            "    status: Backoff\n    backoffInfo:\n      errorCode: {code}\n      errorMessage: {:?}\n",
            why
        ),
        None if target > total => "    status: InProgress\n".to_owned(),
        None => "    status: NoActivity\n".to_owned(),
    };
    format!(
        "- name: {}\n  health:\n    status: {health}\n    nodeCounts:\n      registered:\n        total: {total}\n        ready: {ready}\n        unready:\n          total: {unready}\n          resourceUnready: 0\n        notStarted: 0\n      longUnregistered: 0\n      unregistered: 0\n    cloudProviderTarget: {target}\n    minSize: {}\n    maxSize: {}\n  scaleUp:\n{up}  scaleDown:\n    status: {down}\n",
        pool.name, pool.min, pool.max
    )
}
