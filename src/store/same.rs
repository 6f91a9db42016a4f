//! Contexts that lead to one cluster: it is counted once.
//!
//! Contexts of the same server and user are aliases of one entry already. Several users of one server,
//! as an administrator's and a reader's, are several entries, for they may see and do different things;
//! but nodes, pods and money must not count twice.

use std::collections::HashMap;

use super::state::State;
use crate::model::{Cluster, ClusterId, Kind, LinkState, Record, SameAs, Text, Uid};

/// Settles for each cluster whether it is counted by another entry, and by which.
pub(super) fn settle(clusters: &mut [State]) {
    let mut counted: HashMap<(Uid, Text), (Rank, SameAs)> = HashMap::new();
    for cluster in clusters.iter().map(State::cluster) {
        let Some(key) = cluster.identified() else { continue };
        let this = (rank(cluster), SameAs { id: cluster.id, info: cluster.info.clone() });
        let best = counted.entry(key).or_insert_with(|| this.clone());
        if this.0 < best.0 {
            *best = this;
        }
    }
    for state in clusters {
        let cluster = state.cluster();
        let best = cluster.identified().and_then(|key| counted.get(&key)).map(|(_, same)| same);
        let other = best.filter(|best| best.id != cluster.id).cloned();
        state.same_as(other);
    }
}

impl State {
    /// Notes by which context this cluster is counted when not by this one.
    pub(super) fn same_as(&mut self, other: Option<SameAs>) {
        let id = |same: &Option<SameAs>| same.as_ref().map(|same| same.id);
        if id(&self.cluster().same_as) != id(&other) {
            self.cluster_mut().same_as = other;
            self.changed();
        }
    }

    /// Learns which cluster it is: who may not read that at first says nothing of it when connecting.
    pub(super) fn identify(&mut self, record: &Record) {
        if record.kind() == Kind::Namespace && record.meta().name == "kube-system" {
            self.cluster_mut().identity = Some(record.meta().uid);
        }
    }
}

/// The least is counted: who answers, who may read most, who comes first.
type Rank = (bool, usize, ClusterId);

fn rank(cluster: &Cluster) -> Rank {
    let refused = cluster.tables.iter().filter(|table| table.link.state == LinkState::Denied).count();
    (!cluster.link.live(), refused, cluster.id)
}
