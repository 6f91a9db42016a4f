//! What row 1, the tree and the glyph line show of the fleet, computed once for each snapshot.

use crate::model::{Cluster, ClusterId, Span, Text, Time, Tone};
use crate::views::fleet::{self, Header};
use crate::views::{Snapshot, grouping, health};

/// The fleet in a few numbers, and a line for each of its clusters.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) at: Option<Time>,
    /// The totals of row 1.
    pub(super) header: Header,
    /// Worst first.
    pub(super) clusters: Vec<ClusterLine>,
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
    /// Whether it is a further context of a cluster that another one counts.
    pub(super) further: bool,
}

impl Summary {
    /// The numbers of a fleet.
    pub(super) fn of(snapshot: &Snapshot, now: Time) -> Summary {
        let header = fleet::header(snapshot, now);
        let mut clusters: Vec<ClusterLine> =
            snapshot.fleet.clusters.iter().map(|cluster| ClusterLine::of(cluster, now)).collect();
        clusters.sort_unstable_by(|a, b| b.tone.cmp(&a.tone).then_with(|| a.name.cmp(&b.name)));
        Summary { at: Some(now), header, clusters }
    }

    /// How many clusters have not answered yet.
    pub(super) fn connecting(&self) -> usize {
        self.clusters.iter().filter(|cluster| cluster.tone == Tone::Connecting).count()
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
            further: cluster.same_as.is_some(),
        }
    }
}
