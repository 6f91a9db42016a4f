//! The fleet's own rules for nodes, and who else has a say about them.

use std::collections::{BTreeMap, BTreeSet};

use super::Line;
use super::subjects::Chosen;
use super::words::{count, some};
use crate::model::{Cluster, Text, Tone, Truth};

/// How much of one pool a plan takes out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Share {
    pool: Text,
    percent: usize,
    taken: usize,
    out: usize,
    of: usize,
}

impl Share {
    /// Whether it is within the rule: what is taken and what is out already is no more than
    /// its percentage of the pool, or is a single node.
    pub(super) fn holds(&self) -> bool {
        self.is_one() || self.is_share()
    }

    fn is_one(&self) -> bool {
        self.taken <= 1 && self.out == 0
    }

    fn is_share(&self) -> bool {
        (self.taken + self.out) * 100 <= self.of * self.percent
    }

    /// The rule as a line; broken, it has this tone.
    pub(super) fn line(&self, broken: Tone) -> Line {
        Line::new("rules", self.sentence()).toned(if self.holds() { Tone::Ok } else { broken })
    }

    /// `10 % of pool std: 1 of 46 nodes`.
    pub(super) fn sentence(&self) -> String {
        let pool = if self.pool.is_empty() {
            "nodes without a pool".to_owned()
        } else {
            format!("pool {}", self.pool)
        };
        let out = match self.out {
            0 => String::new(),
            out => format!(", {out} out already"),
        };
        // A small pool would else never lose a node.
        let one = if self.is_one() && !self.is_share() { ", one always may" } else { "" };
        format!("{} % of {pool}: {} of {}{out}{one}", self.percent, self.taken, count(self.of, "node"))
    }
}

/// How much of each pool the chosen nodes are, of which at most this percentage may be out at
/// once; one node always may.
pub(super) fn pool_share(chosen: &[Chosen<'_>], percent: usize) -> Vec<Share> {
    let mut pools = BTreeMap::new();
    for c in chosen {
        let key = (c.cluster.id, c.node.identity.pool.clone());
        let taken = pools.entry(key).or_insert((c.cluster, BTreeSet::new()));
        taken.1.insert(c.key.name.clone());
    }
    pools.into_iter().map(|((_, pool), (cluster, taken))| share(cluster, pool, percent, &taken)).collect()
}

fn share(cluster: &Cluster, pool: Text, percent: usize, taken: &BTreeSet<Text>) -> Share {
    let all: Vec<_> = cluster.nodes().filter(|n| n.identity.pool == pool).collect();
    let out = |n: &&&crate::model::Node| {
        !taken.contains(&n.meta.name) && (n.unschedulable || n.ready != Truth::True)
    };
    Share { percent, taken: taken.len(), out: all.iter().filter(out).count(), of: all.len(), pool }
}

/// The zones of the chosen nodes, by cluster and name, each once; without those that name none.
pub(super) fn zones(chosen: &[Chosen<'_>]) -> Vec<Text> {
    let zones = chosen.iter().map(|c| (c.cluster.id, c.node.identity.zone.clone()));
    let named: BTreeSet<_> = zones.filter(|(_, zone)| !zone.is_empty()).collect();
    named.into_iter().map(|(_, zone)| zone).collect()
}

/// Who owns these nodes, for the `owner` line: what is said first, then who may remove a node.
pub(super) fn node_owner(chosen: &[Chosen<'_>], first: &str) -> String {
    let managers: BTreeSet<String> = chosen
        .iter()
        .filter_map(|c| c.node.meta.manager.as_ref())
        .map(|m| format!("{} {}", m.system, m.name))
        .collect();
    let karpenter = chosen.iter().any(|c| c.node.meta.labels.get("karpenter.sh/nodepool").is_some());
    let remover = if karpenter { "Karpenter" } else { "a cluster autoscaler, if there is one," };
    let mut text = format!("{first}; {remover} may remove a node once it is empty");
    if !managers.is_empty() {
        let managers: Vec<String> = managers.into_iter().collect();
        text = format!("{} keeps this node: it may undo the change; {text}", some(&managers, 2));
    }
    text
}
