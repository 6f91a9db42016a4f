//! Capacity: what is free where, and what would fit.
//!
//! The fit is coarse by intention: cores, memory, GPUs and pod slots of open nodes, each demand
//! placed on the fullest node that takes it. Affinity, spread, volumes' zones and taints beyond
//! open or not are left to the scheduler, so a yes is a likely yes and a no is a no.

use rustc_hash::FxHashMap;

use crate::model::{Cluster, Resources, Text};

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

/// What would fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fit {
    /// Demands that find room.
    pub fits: usize,
    /// All demands.
    pub of: usize,
    /// Of those that do not: how many lack GPUs, …
    pub lack_gpus: usize,
    /// … cores, …
    pub lack_cpu: usize,
    /// … memory, or pod slots.
    pub lack_memory: usize,
}

/// The free room of every open node: ready, not cordoned, not tainted against new pods.
#[must_use]
pub fn room(cluster: &Cluster) -> Vec<Room> {
    let mut asked: FxHashMap<&Text, Resources> = FxHashMap::default();
    for pod in cluster.pods().filter(|p| !p.node.is_empty() && !p.finished()) {
        *asked.entry(&pod.node).or_default() += Resources { pods: 1, ..pod.requests };
    }
    cluster
        .nodes()
        .filter(|node| node.open())
        .map(|node| Room {
            node: node.meta.name.clone(),
            pool: node.identity.pool.clone(),
            zone: node.identity.zone.clone(),
            free: node.allocatable - asked.get(&node.meta.name).copied().unwrap_or_default(),
        })
        .collect()
}

/// Places demands, the largest first, each on the node that it fills most.
#[must_use]
pub fn fit(demands: &[Resources], room: &[Room]) -> Fit {
    let mut free: Vec<Resources> = room.iter().map(|r| r.free).collect();
    let mut sorted: Vec<Resources> = demands.iter().map(|d| Resources { pods: 1, ..*d }).collect();
    sorted.sort_by_key(|d| std::cmp::Reverse((d.gpus, d.cpu, d.memory)));
    let mut fit = Fit { of: demands.len(), ..Fit::default() };
    for demand in sorted {
        let tightest = free.iter_mut().filter(|f| demand.fits(**f)).min_by_key(|f| (f.gpus, f.cpu, f.memory));
        if let Some(node) = tightest {
            *node -= demand;
            fit.fits += 1;
        } else if demand.gpus > 0 && !free.iter().any(|f| demand.gpus <= f.gpus) {
            fit.lack_gpus += 1;
        } else if free.iter().any(|f| demand.cpu <= f.cpu) {
            fit.lack_memory += 1;
        } else {
            fit.lack_cpu += 1;
        }
    }
    fit
}

/// `31 of 38 pods fit, 7 not: GPU 5, cpu 2`.
impl std::fmt::Display for Fit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} pods fit", self.fits, self.of)?;
        if self.fits == self.of {
            return Ok(());
        }
        let lacks = [("GPU", self.lack_gpus), ("cpu", self.lack_cpu), ("memory", self.lack_memory)];
        let lacks: Vec<String> =
            lacks.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{what} {n}")).collect();
        write!(f, ", {} not: {}", self.of - self.fits, lacks.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room_of(cpu: i64, gpus: i64) -> Room {
        Room {
            node: Text::EMPTY,
            pool: Text::EMPTY,
            zone: Text::EMPTY,
            free: Resources { cpu, memory: 8 << 30, gpus, pods: 10 },
        }
    }

    #[test]
    fn what_fits_is_counted_and_what_lacks_is_named() {
        let demand = |cpu, gpus| Resources { cpu, memory: 1 << 30, gpus, pods: 1 };
        let room = [room_of(4000, 0), room_of(2000, 1)];
        let fit =
            fit(&[demand(2000, 0), demand(2000, 0), demand(1000, 1), demand(5000, 0), demand(100, 2)], &room);
        assert_eq!((fit.fits, fit.of), (3, 5));
        assert_eq!(fit.to_string(), "3 of 5 pods fit, 2 not: GPU 1, cpu 1");
        assert_eq!(super::fit(&[demand(1, 0)], &room).to_string(), "1 of 1 pods fit");
    }
}
