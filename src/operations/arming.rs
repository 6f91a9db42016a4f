//! Arming: read-only until somebody says otherwise, for one cluster and a short time.

use std::collections::BTreeMap;

use super::Plan;
use crate::model::{ClusterId, Span, Time};

/// How long arming lasts.
pub const ARMED_FOR: Span = Span::from_seconds(15 * 60);

/// The clusters that may be changed, and until when.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Arming {
    until: BTreeMap<ClusterId, Time>,
}

/// Leave for one plan to write to clusters. The runner checks it again before each write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permit {
    /// The hash of the plan that was confirmed.
    pub plan: String,
    /// The clusters that may be written to.
    pub clusters: Vec<ClusterId>,
    /// What somebody typed.
    pub approval: Approval,
}

/// What somebody typed so that a plan runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Approval {
    /// The plan's word of confirmation, under the plan on screen.
    Word(String),
    /// The plan's hash or its first digits, on a command line.
    Hash(String),
}

/// Digits of a hash that are enough to name a plan.
pub const HASH_DIGITS: usize = 8;

impl Approval {
    /// Whether it approves this plan.
    #[must_use]
    pub fn fits(&self, plan: &Plan) -> bool {
        match self {
            Approval::Word(word) => *word == *plan.confirmation.word,
            Approval::Hash(digits) => digits.len() >= HASH_DIGITS && plan.hash().starts_with(digits),
        }
    }

    /// What was typed, for the journal: `gke-euw1`, `--yes 7c1e00d1`.
    #[must_use]
    pub fn said(&self) -> String {
        match self {
            Approval::Word(word) => word.clone(),
            Approval::Hash(digits) => format!("--yes {digits}"),
        }
    }
}

impl Arming {
    /// Arms a cluster from now on.
    pub fn arm(&mut self, cluster: ClusterId, now: Time) {
        self.until.insert(cluster, now + ARMED_FOR);
    }

    /// Disarms a cluster.
    pub fn disarm(&mut self, cluster: ClusterId) {
        self.until.remove(&cluster);
    }

    /// Disarms everything.
    pub fn clear(&mut self) {
        self.until.clear();
    }

    /// How long a cluster is still armed; `None` when it is not.
    #[must_use]
    pub fn left(&self, cluster: ClusterId, now: Time) -> Option<Span> {
        let left = now.age(*self.until.get(&cluster)?);
        (left > Span::ZERO).then_some(left)
    }

    /// The clusters that are armed now, and how long each still is.
    #[must_use]
    pub fn armed(&self, now: Time) -> Vec<(ClusterId, Span)> {
        self.until.keys().filter_map(|id| self.left(*id, now).map(|left| (*id, left))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arming_ends_by_itself() {
        let (now, id) = (Time::from_seconds(1_000_000), ClusterId(3));
        let mut arming = Arming::default();
        assert_eq!(arming.left(id, now), None);
        arming.arm(id, now);
        assert_eq!(arming.left(id, now + Span::from_seconds(60)), Some(Span::from_seconds(14 * 60)));
        assert_eq!(arming.left(id, now + ARMED_FOR), None);
        assert_eq!(arming.armed(now).len(), 1);
        arming.disarm(id);
        assert!(arming.armed(now).is_empty());
    }
}
