//! How far a job is: its pods that ended, those that are gone included
//! (`pkg/controller/job/{job_controller,indexed_job_utils}.go`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Span, Time};
use crate::sim::controllers::pods;
use crate::sim::fields::{
    annotation, deleting, drop_finalizer, flag, int, list, maybe_int, name, namespace, text, time, uid,
};
use crate::sim::json::Value;
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// Keeps an ended pod until it is counted.
pub(super) const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// Which of the parts of an indexed job a pod does.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The pods of a job that ended, by their uids: pods that are gone still count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    job: String,
    succeeded: BTreeSet<String>,
    failed: BTreeSet<String>,
    /// The parts of an indexed job that are done.
    indexes: BTreeSet<i64>,
}

/// How far a job is.
pub(super) struct State {
    pub(super) active: Vec<Arc<Value>>,
    /// Pods that are leaving and have not ended.
    pub(super) terminating: i64,
    pub(super) succeeded: i64,
    pub(super) failed: i64,
    pub(super) indexed: bool,
    /// The parts that are done.
    pub(super) indexes: BTreeSet<i64>,
    /// How many have to succeed; none in a job whose pods share a queue of work.
    wanted: Option<i64>,
    /// Why it failed: reason and message.
    pub(super) broken: Option<(&'static str, &'static str)>,
    pub(super) suspended: bool,
}

impl State {
    pub(super) fn complete(&self) -> bool {
        match self.wanted {
            Some(wanted) => self.succeeded >= wanted,
            None => self.succeeded > 0 && self.active.is_empty(),
        }
    }

    /// How many pods should be there now.
    pub(super) fn want(&self, job: &Value) -> i64 {
        let parallel = maybe_int(job, "spec.parallelism").unwrap_or(1).max(0);
        match self.wanted {
            _ if self.suspended || self.broken.is_some() => 0,
            Some(wanted) => (parallel.min(wanted - self.succeeded) - self.held(job)).max(0),
            // one that succeeded says that the queue is empty
            None if self.succeeded > 0 => self.active.len() as i64,
            None => (parallel - self.held(job)).max(0),
        }
    }

    /// The pods that are leaving and are replaced only when they have failed (`onlyReplaceFailedPods`).
    fn held(&self, job: &Value) -> i64 {
        if text(job, "spec.podReplacementPolicy") == "Failed" { self.terminating } else { 0 }
    }

    /// The parts that nobody does, first ones first.
    pub(super) fn missing_indexes(&self) -> impl Iterator<Item = i64> + '_ {
        let taken: BTreeSet<i64> = self.active.iter().filter_map(|p| index(p)).collect();
        (0..self.wanted.unwrap_or(0)).filter(move |i| !self.indexes.contains(i) && !taken.contains(i))
    }
}

/// The part of an indexed job that a pod does.
fn index(pod: &Value) -> Option<i64> {
    annotation(pod, INDEX).parse().ok()
}

/// The parts that are done, as a job says it: `0,2-4`.
pub(super) fn spans(indexes: &BTreeSet<i64>) -> String {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for i in indexes {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == *i => *last = *i,
            _ => spans.push((*i, *i)),
        }
    }
    let said = spans.iter().map(|(from, to)| match to - from {
        0 => from.to_string(),
        1 => format!("{from},{to}"),
        _ => format!("{from}-{to}"),
    });
    said.collect::<Vec<_>>().join(",")
}

/// Whether a pod counts as failed: it did, or it leaves before it could end (`isPodFailed`).
fn fails(pod: &Value) -> bool {
    let phase = text(pod, "status.phase");
    phase == "Failed" || deleting(pod) && phase != "Succeeded"
}

/// Counts the pods of a job, those that are gone included.
pub(super) fn look(world: &mut World, id: &Id, job: &Value, all: &[Arc<Value>]) -> State {
    let now = world.now;
    let known = world.ended.entry(id.clone()).or_default();
    if known.job != uid(job) {
        *known = Ended { job: uid(job).to_owned(), ..Ended::default() };
    }
    let closing = ["SuccessCriteriaMet", "FailureTarget"];
    let closed = closing.iter().any(|kind| crate::sim::fields::holds(job, kind));
    let suspended = flag(job, "spec.suspend");
    for pod in all {
        if text(pod, "status.phase") == "Succeeded" {
            known.succeeded.insert(uid(pod).to_owned());
            known.indexes.extend(index(pod));
        } else if text(pod, "status.phase") == "Failed" || fails(pod) && !suspended && !closed {
            // those that the job itself sends away have not failed
            known.failed.insert(uid(pod).to_owned());
        }
    }
    let indexed = text(job, "spec.completionMode") == "Indexed";
    let done = if indexed { known.indexes.len() } else { known.succeeded.len() };
    // one that was known before this fleet looked, such as of a restored cluster, counts as well
    let succeeded = (done as i64).max(int(job, "status.succeeded"));
    let failed = (known.failed.len() as i64).max(int(job, "status.failed"));
    let indexes = known.indexes.clone();
    let limit = maybe_int(job, "spec.backoffLimit").unwrap_or(6);
    let late = deadline(job).is_some_and(|at| at <= now) && !suspended;
    let broken = if late {
        Some(("DeadlineExceeded", "Job was active longer than specified deadline"))
    } else if failed > limit {
        Some(("BackoffLimitExceeded", "Job has reached the specified backoff limit"))
    } else {
        None
    };
    let leaves = |p: &&Arc<Value>| deleting(p) && crate::sim::cache::takes_room(p);
    State {
        active: all.iter().filter(|p| pods::active(p)).cloned().collect(),
        terminating: all.iter().filter(leaves).count() as i64,
        succeeded,
        failed,
        indexed,
        indexes,
        wanted: maybe_int(job, "spec.completions"),
        broken,
        suspended,
    }
}

/// When a job has been active for too long.
pub(super) fn deadline(job: &Value) -> Option<Time> {
    let seconds = maybe_int(job, "spec.activeDeadlineSeconds")?;
    Some(time(job, "status.startTime")? + Span::from_seconds(seconds))
}

/// Lets go of pods that ended or are leaving and are counted, or whose job is gone.
pub(super) fn let_go(world: &mut World, pods: &[Arc<Value>]) {
    for pod in pods.iter().filter(|p| deleting(p) || !crate::sim::cache::takes_room(p)) {
        if list(pod, "metadata.finalizers").iter().any(|f| f == TRACKING) {
            world.store.update(Res::Pods, namespace(pod), name(pod), |p| {
                drop_finalizer(p, TRACKING);
            });
        }
    }
}

/// The pods of a job that is gone.
pub(super) fn left_behind(world: &World, id: &Id) -> Vec<Arc<Value>> {
    let of = |p: &&Arc<Value>| {
        let owner = crate::sim::fields::controller(p);
        owner.is_some_and(|o| text(o, "kind") == "Job" && text(o, "name") == id.name)
    };
    world.store.list(Res::Pods, Some(&id.namespace)).filter(of).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_said_in_spans() {
        let said = |indexes: &[i64]| spans(&indexes.iter().copied().collect());
        assert_eq!(said(&[]), "");
        assert_eq!(said(&[3]), "3");
        assert_eq!(said(&[0, 1, 4, 5, 6, 9]), "0,1,4-6,9");
    }
}
