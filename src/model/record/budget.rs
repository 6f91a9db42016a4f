//! The record of a pod disruption budget.

use super::Pool;
use crate::model::{Meta, Selector, Text};

/// A pod disruption budget (`policy/v1`).
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Budget {
    /// What every object has.
    pub meta: Meta,
    /// Which pods it guards.
    pub selector: Selector,
    /// `spec.minAvailable` as written, else empty.
    pub min_available: Text,
    /// `spec.maxUnavailable` as written, else empty.
    pub max_unavailable: Text,
    /// Evictions that it would allow now.
    pub allowed: u32,
    /// Healthy pods now.
    pub healthy: u32,
    /// Healthy pods that it needs.
    pub needed: u32,
    /// Pods that it counts.
    pub expected: u32,
    /// What it says of pods that are not ready.
    pub unhealthy: UnhealthyPolicy,
    /// The generation of the spec.
    pub generation: i64,
    /// The generation that the status speaks of; behind means the arithmetic is not done.
    pub observed: i64,
}

/// Whether pods that are not ready may go although the budget is spent
/// (`spec.unhealthyPodEvictionPolicy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[allow(missing_docs, reason = "the words of policy/v1")]
pub enum UnhealthyPolicy {
    #[default]
    IfHealthyBudget,
    AlwaysAllow,
}

impl Budget {
    pub(super) fn share(&mut self, pool: &mut dyn Pool) {
        pool.labels(&mut self.selector.labels);
        pool.text(&mut self.min_available);
        pool.text(&mut self.max_unavailable);
    }
}
