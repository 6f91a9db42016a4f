//! Capacity: what is free where, by what pods ask for.

use rustc_hash::FxHashMap;

use crate::model::{Cluster, Node, Resources, Text};

/// The free room of one node.
#[derive(Clone, PartialEq, Debug)]
pub struct Room {
    /// The node.
    pub node: Text,
    /// Its pool.
    pub pool: Text,
    /// Its zone.
    pub zone: Text,
    /// Allocatable less what its pods ask for.
    pub free: Resources,
}

/// The free room of every node that `takes` is true of. Without the cluster's pods all of it looks
/// free: ask whether they are counted first.
#[must_use]
pub fn room(cluster: &Cluster, takes: impl Fn(&Node) -> bool) -> Vec<Room> {
    let mut asked: FxHashMap<&Text, Resources> = FxHashMap::default();
    for pod in cluster.pods().filter(|p| !p.node.is_empty() && !p.finished()) {
        *asked.entry(&pod.node).or_default() += Resources { pods: 1, ..pod.requests };
    }
    cluster
        .nodes()
        .filter(|node| takes(node))
        .map(|node| Room {
            node: node.meta.name.clone(),
            pool: node.identity.pool.clone(),
            zone: node.identity.zone.clone(),
            free: node.allocatable - asked.get(&node.meta.name).copied().unwrap_or_default(),
        })
        .collect()
}
