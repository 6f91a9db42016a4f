//! What row 1, the tree and the glyph line show of the fleet, computed once for each snapshot.

use std::collections::BTreeMap;

use crate::model::{Cluster, ClusterId, Money, Span, Text, Time, Tone};
use crate::views::{Scope, Snapshot, grouping, health};

/// The fleet in a few numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) at: Option<Time>,
    pub(super) clusters: Vec<ClusterLine>,
    pub(super) nodes: u64,
    pub(super) pods: u64,
    pub(super) rate: Money,
    /// Whether a part of the sums is estimated or as last seen.
    pub(super) approximate: bool,
    /// Whether a part of the sums is not known at all.
    pub(super) partial: bool,
    /// The oldest data, and whose it is.
    pub(super) oldest: Option<(Span, Text)>,
    pub(super) connecting: usize,
}

/// A cluster in a line.
#[derive(Clone, Debug)]
pub(super) struct ClusterLine {
    pub(super) id: ClusterId,
    pub(super) name: Text,
    pub(super) groups: Vec<Text>,
    pub(super) tone: Tone,
    pub(super) age: Option<Span>,
    pub(super) nodes: u32,
    pub(super) ready: u32,
    pub(super) login: bool,
}

impl Summary {
    /// The numbers of the clusters in scope, worst first.
    pub(super) fn of(snapshot: &Snapshot, scope: &Scope, now: Time) -> Summary {
        let mut summary = Summary { at: Some(now), ..Summary::default() };
        for cluster in snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)) {
            summary.add(cluster, now);
        }
        summary.clusters.sort_by(|a, b| b.tone.cmp(&a.tone).then_with(|| a.name.cmp(&b.name)));
        summary
    }

    fn add(&mut self, cluster: &Cluster, now: Time) {
        let line = ClusterLine::of(cluster, now);
        let totals = &cluster.totals;
        self.nodes += u64::from(totals.nodes);
        self.pods += u64::from(totals.pods);
        let cost = cluster.cost();
        self.rate += cost.rate;
        self.approximate |= cost.estimated != Money::ZERO || (!cluster.link.live() && cluster.seen());
        self.partial |= cost.unknown > 0 || !cluster.seen();
        self.connecting += usize::from(line.tone == Tone::Connecting);
        if let Some(age) = line.age
            && self.oldest.as_ref().is_none_or(|(oldest, _)| age > *oldest)
        {
            self.oldest = Some((age, line.name.clone()));
        }
        self.clusters.push(line);
    }

    /// How many clusters there are of each tone, worst first.
    pub(super) fn counts(&self) -> Vec<(Tone, usize)> {
        let mut counts: BTreeMap<Tone, usize> = BTreeMap::new();
        for cluster in &self.clusters {
            *counts.entry(cluster.tone).or_default() += 1;
        }
        counts.into_iter().rev().collect()
    }
}

impl ClusterLine {
    fn of(cluster: &Cluster, now: Time) -> ClusterLine {
        ClusterLine {
            id: cluster.id,
            name: cluster.info.name.clone(),
            groups: grouping(cluster),
            tone: health::tone(cluster, now),
            age: health::age(cluster, now),
            nodes: cluster.totals.nodes,
            ready: cluster.totals.nodes_ready,
            login: health::login_wanted(cluster),
        }
    }
}
