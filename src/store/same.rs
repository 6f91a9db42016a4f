//! Contexts that lead to one cluster: it is counted once.
//!
//! Contexts of the same server and user are aliases of one entry already. Several users of one server,
//! as an administrator's and a reader's, are several entries, for they may see and do different things;
//! but nodes, pods and money must not count twice.

use std::collections::HashMap;

use super::state::State;
use crate::model::{Cluster, ClusterId, Kind, LinkState, Record, SameAs, Text, Uid};

/// How many contexts of one address are compared with each other at most: each is with each.
const COMPARED: usize = 24;

/// How many objects of a kind are looked for in another entry's: the newest may not have come there yet.
const LOOKED_FOR: usize = 8;

/// What tells a cluster from every other one, as [`Cluster::identified`].
type Key = (Uid, Text);

/// Settles for each cluster whether it is counted by another entry, and by which.
pub(super) fn settle(clusters: &mut [State]) {
    let keys = keys(clusters);
    let mut counted: HashMap<&Key, (Rank, SameAs)> = HashMap::new();
    for (cluster, key) in clusters.iter().map(State::cluster).zip(&keys) {
        let Some(key) = key else { continue };
        let this = (rank(cluster), SameAs { id: cluster.id, info: cluster.info.clone() });
        let best = counted.entry(key).or_insert_with(|| this.clone());
        if this.0 < best.0 {
            *best = this;
        }
    }
    for (state, key) in clusters.iter_mut().zip(&keys) {
        let best = key.as_ref().and_then(|key| counted.get(key)).map(|(_, same)| same);
        let other = best.filter(|best| best.id != state.cluster().id).cloned();
        state.same_as(other);
    }
}

/// Which cluster each is, as far as that is known. Who may not read that is the cluster at the same address that
/// has the same objects: the address alone does not tell, for some proxies lead to many clusters by one,
/// and choose by who asks.
fn keys(clusters: &[State]) -> Vec<Option<Key>> {
    let mut keys: Vec<Option<Key>> = clusters.iter().map(|state| state.cluster().identified()).collect();
    let mut at: HashMap<&Text, Vec<usize>> = HashMap::new();
    let addressed = clusters.iter().enumerate().filter(|(_, state)| !state.cluster().info.server.is_empty());
    for (place, state) in addressed {
        at.entry(&state.cluster().info.server).or_default().push(place);
    }
    for places in at.into_values().filter(|places| (2..=COMPARED).contains(&places.len())) {
        join(clusters, &places, &mut keys);
        // What is left is known by none: the first of those that are the same stands for them.
        for place in places.iter().copied() {
            if keys[place].is_none() {
                keys[place] = first_object(&clusters[place])
                    .map(|uid| (uid, clusters[place].cluster().info.server.clone()));
                join(clusters, &places, &mut keys);
            }
        }
    }
    keys
}

/// Gives those that are not known the key of one that has the same objects, until nothing changes.
fn join(clusters: &[State], places: &[usize], keys: &mut [Option<Key>]) {
    let unknown = |keys: &[Option<Key>]| {
        let (known, unknown): (Vec<usize>, Vec<usize>) =
            places.iter().partition(|place| keys[**place].is_some());
        let mut pairs = unknown.iter().flat_map(|one| known.iter().map(move |other| (*one, *other)));
        pairs.find(|(one, other)| share(&clusters[*one], &clusters[*other]))
    };
    while let Some((one, other)) = unknown(keys) {
        keys[one] = keys[other].clone();
    }
}

fn first_object(state: &State) -> Option<Uid> {
    Kind::ALL.into_iter().find_map(|kind| objects(state, kind).next())
}

fn objects(state: &State, kind: Kind) -> impl Iterator<Item = Uid> {
    let listed = state.cluster().records(kind).filter(move |_| kind != Kind::Event);
    listed.map(|record| record.meta().uid).filter(|uid| !uid.is_none())
}

/// Whether both have an object: no two clusters have one of the same uid, unless one was made from a backup of the
/// other, and that has another address.
fn share(one: &State, other: &State) -> bool {
    let both = |kind: Kind| objects(one, kind).take(LOOKED_FOR).any(|uid| other.known(kind, uid).is_some());
    Kind::ALL.into_iter().any(both)
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
