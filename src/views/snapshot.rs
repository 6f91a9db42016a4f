//! The snapshot, and the traits by which rules and observers take part in the fold.

use std::sync::Arc;

use crate::model::{Cluster, ClusterInfo, Extras, Fleet, Node, Price, Record, Signal, Symptom, Time};

/// What a node of a cluster costs. The store folds by it and observers price events with it, so
/// both always agree.
pub type PriceOf = Arc<dyn Fn(&ClusterInfo, &Node) -> Price + Send + Sync>;

/// What a cluster pays for beside its nodes.
pub type ExtrasOf = Arc<dyn Fn(&Cluster) -> Extras + Send + Sync>;

/// The fleet at one moment, immutable and cheap to clone behind an `Arc`.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was published.
    pub at: Time,
    /// Grows with every snapshot.
    pub sequence: u64,
    /// Everything known.
    pub fleet: Fleet,
}

impl Snapshot {
    /// A snapshot of a fleet.
    #[must_use]
    pub fn new(at: Time, sequence: u64, fleet: Fleet) -> Snapshot {
        Snapshot { at, sequence, fleet }
    }
}

/// Says what is wrong with one object. The store asks each rule about every record that changed.
pub trait Rule: Send + Sync {
    /// The symptom of this record, if it has one. `cluster` is as it was before this change.
    fn symptom(&self, cluster: &Cluster, record: &Record, at: Time) -> Option<Symptom>;
}

/// Says what happened when one object changed. The store tells each observer about every change
/// after a kind's first list; of events it tells from the first list on, because an event speaks
/// of its own time. A signal that is already in the ring is not added again.
pub trait Observer: Send + Sync {
    /// Appends what happened; `before` is `None` for a new object, `after` for one that is gone.
    /// `cluster` is as it was before this change.
    fn observe(
        &self,
        cluster: &Cluster,
        before: Option<&Record>,
        after: Option<&Record>,
        at: Time,
        signals: &mut Vec<Signal>,
    );
}
