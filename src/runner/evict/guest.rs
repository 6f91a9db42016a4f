//! A pod that is to leave, and how far it is.

use tokio::time::Instant;

use crate::model::{Text, Time};
use crate::operations::{EvictPod, PodState};
use crate::runner::context::Recorded;

/// How far a pod is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// It is asked for from then on, when its turn comes.
    Ask(Instant),
    /// A request for it is in flight.
    Asking,
    /// It is looked whether it is gone, from then on.
    Look(Instant),
    /// That look is in flight.
    Looking,
    /// It is gone.
    Gone,
    /// The server refuses for good.
    Failed(Text),
}

/// A budget's refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) budget: Text,
    pub(super) at: Instant,
    /// The server said when to come back.
    pub(super) bound: bool,
}

/// A pod that is to leave.
pub(super) struct Guest {
    pub(super) pod: EvictPod,
    pub(super) stage: Stage,
    pub(super) refusal: Option<Refusal>,
    /// The intent in the journal.
    pub(super) recorded: Option<Recorded>,
    /// How often it was asked for.
    pub(super) asked: u32,
    /// How often the server answered with 500 in a row.
    pub(super) errors: u32,
    /// Whether the server accepted; otherwise a pod that is still there is asked for again.
    pub(super) accepted: bool,
    pub(super) told: Option<(PodState, Text, Option<Time>)>,
}

impl Guest {
    pub(super) fn new(pod: EvictPod, now: Instant) -> Guest {
        Guest {
            pod,
            stage: Stage::Ask(now),
            refusal: None,
            recorded: None,
            asked: 0,
            errors: 0,
            accepted: false,
            told: None,
        }
    }

    pub(super) fn over(&self) -> bool {
        matches!(self.stage, Stage::Gone | Stage::Failed(_))
    }

    pub(super) fn is_asked_for(&self) -> bool {
        matches!(self.stage, Stage::Ask(_) | Stage::Asking)
    }

    /// Whether one budget guards both. A pod that is deleted passes every budget.
    pub(super) fn shares_budget(&self, other: &Guest) -> bool {
        self.pod.namespace == other.pod.namespace
            && !self.pod.delete
            && !other.pod.delete
            && self.pod.budgets.iter().any(|budget| other.pod.budgets.contains(budget))
    }

    /// `shop/cart-1 (budget cart)`, for what is left.
    pub(super) fn says(&self) -> String {
        let path = format!("{}/{}", self.pod.namespace, self.pod.name);
        match (&self.stage, &self.refusal) {
            (Stage::Failed(why), _) => format!("{path}: {why}"),
            (Stage::Look(_) | Stage::Looking, _) => format!("{path} (leaving)"),
            (_, Some(refusal)) => format!("{path} (budget {})", refusal.budget),
            _ => format!("{path} (not asked for yet)"),
        }
    }
}
