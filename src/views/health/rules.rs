//! The rules of health for the kinds that every cluster has: one file a subject.

mod nodes;
mod pods;
mod storage;
mod workloads;

use crate::model::{Cluster, Kind, Record, Span, Symptom, SymptomCause, Text, Time, Tone};
use crate::views::Rule;

pub(in crate::views) use nodes::{leaving, place as nodes_place};
pub use pods::first_constraint;
pub(in crate::views) use pods::workload as pod_workload;
pub(in crate::views) use workloads::worst_metric;

/// The reasons that symptoms fold by; events and statuses bring more.
pub mod reason {
    #![allow(missing_docs, reason = "each is the word that stands in it")]
    pub const IMAGE_PULL: &str = "ImagePullBackOff";
    pub const CRASH_LOOP: &str = "CrashLoopBackOff";
    pub const OOM: &str = "OOMKilled";
    pub const UNSCHEDULABLE: &str = "Unschedulable";
    pub const NOT_READY: &str = "NotReady";
    pub const EVICTED: &str = "Evicted";
    pub const POD_FAILED: &str = "PodFailed";
    pub const TERMINATING: &str = "StuckTerminating";
    pub const NODE_NOT_READY: &str = "NodeNotReady";
    pub const DEADLINE: &str = "ProgressDeadlineExceeded";
    pub const UNAVAILABLE: &str = "Unavailable";
    pub const JOB_FAILED: &str = "JobFailed";
    pub const CEILING: &str = "AtCeiling";
    pub const SCALER_BLIND: &str = "ScalingInactive";
    pub const SCALER_UNABLE: &str = "UnableToScale";
    pub const BUDGET: &str = "BudgetUnhealthy";
    pub const CLAIM_PENDING: &str = "ClaimPending";
    pub const CLAIM_LOST: &str = "ClaimLost";
    pub const VOLUME_FAILED: &str = "VolumeFailed";
    pub const NAMESPACE: &str = "NamespaceTerminating";
    pub const FLAPPING: &str = "Flapping";
    pub const NO_ANSWER: &str = "NoAnswer";
    pub const DENIED: &str = "Denied";
    pub const NOT_UPDATED: &str = "NotUpdated";
    pub const LOGIN: &str = "LoginWanted";
}

/// After how long what should pass by itself is worth a look.
pub(super) const PATIENCE: Span = Span::from_seconds(60);

/// The rules, for the store.
#[must_use]
pub fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(pods::Pods),
        Box::new(nodes::Nodes),
        Box::new(workloads::Workloads),
        Box::new(workloads::Jobs),
        Box::new(workloads::Autoscalers),
        Box::new(workloads::Budgets),
        Box::new(storage::Storage),
        Box::new(storage::Namespaces),
    ]
}

/// What a rule found wrong, before it is tied to its object.
struct Found {
    reason: Text,
    subject: Text,
    tone: Tone,
    since: Time,
    /// Whether the object itself says since when.
    told: bool,
    /// How long after `since` it counts.
    patience: Span,
    evidence: Text,
    workload: Option<(Kind, Text)>,
}

impl Found {
    fn new(reason: &str, subject: impl Into<Text>, tone: Tone, since: Time) -> Found {
        Found {
            reason: reason.into(),
            subject: subject.into(),
            tone,
            since,
            told: true,
            patience: Span::ZERO,
            evidence: Text::EMPTY,
            workload: None,
        }
    }

    /// The same of an object that says since when, or that was seen to become so `at`.
    fn since(reason: &str, subject: impl Into<Text>, tone: Tone, told: Option<Time>, at: Time) -> Found {
        Found { told: told.is_some(), ..Found::new(reason, subject, tone, told.unwrap_or(at)) }
    }

    fn evidence(self, evidence: impl Into<Text>) -> Found {
        Found { evidence: evidence.into(), ..self }
    }

    fn after(self, patience: Span) -> Found {
        Found { patience, ..self }
    }

    fn of(self, workload: Option<(Kind, Text)>) -> Found {
        Found { workload, ..self }
    }

    fn symptom(self, cluster: &Cluster, record: &Record) -> Symptom {
        let since_sure = self.told || watched(cluster, record.kind());
        // What was so when it was first looked at is not waited for: it may have been so for days.
        let wait = if since_sure || self.patience > PATIENCE { self.patience } else { Span::ZERO };
        Symptom {
            object: record.key(cluster.id),
            cause: SymptomCause { reason: self.reason, subject: self.subject },
            tone: self.tone,
            since: self.since,
            since_sure,
            counts_from: self.since + wait,
            evidence: self.evidence,
            workload: self.workload,
        }
    }
}

/// Whether changes of a kind are seen as they happen; while it is listed they are found.
fn watched(cluster: &Cluster, kind: Kind) -> bool {
    let table = cluster.table(kind);
    table.synced.is_some() && table.link.live()
}

/// `namespace/name`, or the name alone.
fn path(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}
