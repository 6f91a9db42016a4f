//! What is wrong with a node.

use super::{Found, reason};
use crate::model::{Cluster, Node, Record, Span, Symptom, Time, Tone, Truth};
use crate::views::Rule;

/// The rule of nodes.
pub(super) struct Nodes;

/// For how long a new node may take to become ready.
const BOOT: Span = Span::from_seconds(300);

/// Taints of nodes that an autoscaler is taking away: not ready is then what it wants
/// (cluster-autoscaler `utils/taints`, karpenter `pkg/apis/v1/taints.go`).
const LEAVING: [&str; 3] =
    ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"];

impl Rule for Nodes {
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom> {
        Some(found(record.node()?, at)?.symptom(cluster, record))
    }
}

/// Whether an autoscaler or somebody else takes this node away.
#[must_use]
pub(in crate::views) fn leaving(node: &Node) -> bool {
    node.meta.deleting.is_some() || LEAVING.iter().any(|taint| node.tainted(taint))
}

fn found(node: &Node, at: Time) -> Option<Found> {
    if node.ready != Truth::True && !leaving(node) {
        let since = node.ready_since.unwrap_or(at);
        let born = node.meta.created.unwrap_or(since);
        // Only a node that has not been up yet gets time; for one that was, since is later.
        let boots = since.age(born + Span::from_seconds(30)) >= Span::ZERO;
        let patience = if boots { BOOT } else { Span::ZERO };
        let why = if node.ready_reason.is_empty() { "no reason given" } else { node.ready_reason.as_str() };
        let found = Found::since(reason::NODE_NOT_READY, place(node), Tone::Crit, node.ready_since, at);
        return Some(found.after(patience).evidence(why));
    }
    let trouble = node.troubles.iter().min_by_key(|t| t.since)?;
    let found = Found::since(&trouble.kind, place(node), Tone::Warn, trouble.since, at);
    Some(found.evidence(trouble.reason.clone()))
}

/// What nodes fold by: `pool gpu-a, zone europe-west1-b`.
#[must_use]
pub(in crate::views) fn place(node: &Node) -> String {
    let identity = &node.identity;
    match (identity.pool.is_empty(), identity.zone.is_empty()) {
        (false, false) => format!("pool {}, zone {}", identity.pool, identity.zone),
        (false, true) => format!("pool {}", identity.pool),
        (true, false) => format!("zone {}", identity.zone),
        (true, true) => String::new(),
    }
}
