//! Where moved pods could go, coarsely: what they ask for against what open nodes have free.
//!
//! Affinity, topology, volumes and ports are not looked at: the scheduler has the last word, and
//! every sentence says `by requests`.

use rustc_hash::FxHashMap;

use crate::model::quantity::{Bytes, Cpu};
use crate::model::{Cluster, Kind, Node, Resources, Taint, Text, Truth};
use crate::views::health::counted;

/// Why nobody can say what is free in a cluster; `None` where that is known. Without its pods every
/// node looks empty, without its nodes there is no room at all.
pub(super) fn unknown(cluster: &Cluster) -> Option<String> {
    let kind = [Kind::Node, Kind::Pod].into_iter().find(|kind| !counted(cluster, *kind))?;
    Some(format!("is not known: the {} of {} are not", kind.names().plural, cluster.info.name))
}

/// Room on one node.
#[derive(Clone, Debug)]
pub(super) struct Room<'a> {
    pub(super) node: &'a Node,
    pub(super) free: Resources,
}

/// The room on every node that takes new pods and that `wanted` accepts. A taint closes a node
/// unless it is among `tolerated`: the pods to be moved live with those already.
pub(super) fn rooms<'a>(
    cluster: &'a Cluster,
    tolerated: &[Taint],
    wanted: impl Fn(&Node) -> bool,
) -> Vec<Room<'a>> {
    let mut used: FxHashMap<&Text, Resources> = FxHashMap::default();
    for pod in cluster.pods().filter(|p| !p.finished() && !p.node.is_empty()) {
        *used.entry(&pod.node).or_default() += Resources { pods: 1, ..pod.requests };
    }
    let open = |node: &&Node| {
        let bears = |t: &Taint| {
            t.effect == "PreferNoSchedule" || tolerated.iter().any(|o| o.key == t.key && o.effect == t.effect)
        };
        node.ready == Truth::True
            && !node.unschedulable
            && node.meta.deleting.is_none()
            && node.taints.iter().all(bears)
    };
    let free = |node: &'a Node| {
        let used = used.get(&node.meta.name).copied().unwrap_or_default();
        Room { node, free: node.allocatable - used }
    };
    cluster.nodes().filter(open).filter(|n| wanted(n)).map(free).collect()
}

/// Puts each demand into the first room that has it free, largest first; says how many found one
/// and leaves the others in `demands`.
pub(super) fn place(rooms: &mut [Room<'_>], demands: &mut Vec<Resources>) -> usize {
    demands.sort_by_key(|d| std::cmp::Reverse((d.gpus, d.cpu, d.memory)));
    let before = demands.len();
    demands.retain(|demand| {
        let demand = Resources { pods: 1, ..*demand };
        match rooms.iter_mut().find(|room| demand.fits(room.free)) {
            Some(room) => {
                room.free -= demand;
                false
            }
            None => true,
        }
    });
    before - demands.len()
}

/// What is free in all, as people say it: `31 cpu and 118 GiB`.
pub(super) fn free(rooms: &[Room<'_>]) -> String {
    let zero = Resources::ZERO;
    let sum = rooms.iter().fold(zero, |sum, room| sum + room.free.max(zero));
    format!("{} cpu and {}", Cpu(sum.cpu), Bytes(sum.memory))
}
