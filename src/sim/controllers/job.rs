//! The job controller (`kubernetes/kubernetes:pkg/controller/job/job_controller.go`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::{garbage, pods};
use crate::model::{Span, Time};
use crate::sim::fields::{
    at, condition, deleting, flag, holds, int, list, maybe_int, set, set_condition, text, time, uid, unset,
};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "job-controller";
const KIND: (&str, &str) = ("batch/v1", "Job");

/// Most pods made in one look (`MaxPodCreateDeletePerSync`), and after how long the next follow.
const BURST: i64 = 500;
const MORE: Span = Span::from_seconds(1);

/// After how long a job tries again that was refused a pod.
const AGAIN: Span = Span::from_seconds(15);

/// How long a job waits after its first failed pod; twice as long after each further one
/// (`DefaultJobPodFailureBackOff`, `MaxJobPodFailureBackOff`).
const BACKOFF: i64 = 10;
const LONGEST_BACKOFF: i64 = 600;

/// The pods of a job that ended, by their uids: pods that are gone still count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    job: String,
    succeeded: BTreeSet<String>,
    failed: BTreeSet<String>,
}

/// How far a job is.
struct State {
    active: Vec<Arc<Value>>,
    succeeded: i64,
    failed: i64,
    /// How many have to succeed; none in a job whose pods share a queue of work.
    wanted: Option<i64>,
    /// Why it failed: reason and message.
    broken: Option<(&'static str, &'static str)>,
    suspended: bool,
}

impl State {
    fn complete(&self) -> bool {
        match self.wanted {
            Some(wanted) => self.succeeded >= wanted,
            None => self.succeeded > 0 && self.active.is_empty(),
        }
    }

    /// How many pods should be there now.
    fn want(&self, job: &Value) -> i64 {
        let parallel = maybe_int(job, "spec.parallelism").unwrap_or(1).max(0);
        match self.wanted {
            _ if self.suspended || self.broken.is_some() => 0,
            Some(wanted) => parallel.min(wanted - self.succeeded).max(0),
            // one that succeeded says that the queue is empty
            None if self.succeeded > 0 => self.active.len() as i64,
            None => parallel,
        }
    }
}

/// Makes pods until enough have succeeded, or too many failed.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(job) = world.store.get(Res::Jobs, &id.namespace, &id.name).cloned() else {
        world.ended.remove(id);
        return;
    };
    if deleting(&job) {
        return;
    }
    if ended(&job) {
        return expire(world, id, &job);
    }
    let all = pods::claim(world, &job, KIND, Res::Pods, |_| true);
    let state = look(world, id, &job, &all);
    let want = state.want(&job);
    let missing = want - state.active.len() as i64;
    if missing > 0 && !state.complete() {
        match next_try(&all).filter(|at| *at > world.now) {
            Some(at) => world.queue.add(Work::Job(id.clone()), at),
            None => make(world, id, &job, missing),
        }
    }
    let surplus = usize::try_from(-missing).unwrap_or(0);
    for pod in state.active.iter().rev().take(surplus) {
        let now = world.now;
        world.store.delete(Res::Pods, pod, Deletion::default(), now);
    }
    world.absorb();
    status(world, id, &job, &state);
}

/// Counts the pods of a job, those that are gone included.
fn look(world: &mut World, id: &Id, job: &Value, all: &[Arc<Value>]) -> State {
    let now = world.now;
    let known = world.ended.entry(id.clone()).or_default();
    if known.job != uid(job) {
        *known = Ended { job: uid(job).to_owned(), ..Ended::default() };
    }
    for pod in all {
        match text(pod, "status.phase") {
            "Succeeded" => known.succeeded.insert(uid(pod).to_owned()),
            "Failed" => known.failed.insert(uid(pod).to_owned()),
            _ => false,
        };
    }
    // one that was known before this fleet looked, such as of a restored cluster, counts as well
    let succeeded = (known.succeeded.len() as i64).max(int(job, "status.succeeded"));
    let failed = (known.failed.len() as i64).max(int(job, "status.failed"));
    let limit = maybe_int(job, "spec.backoffLimit").unwrap_or(6);
    let suspended = flag(job, "spec.suspend");
    let late = deadline(job).is_some_and(|at| at <= now) && !suspended;
    let broken = if late {
        Some(("DeadlineExceeded", "Job was active longer than specified deadline"))
    } else if failed > limit {
        Some(("BackoffLimitExceeded", "Job has reached the specified backoff limit"))
    } else {
        None
    };
    let active = all.iter().filter(|p| pods::active(p)).cloned().collect();
    State { active, succeeded, failed, wanted: maybe_int(job, "spec.completions"), broken, suspended }
}

/// When a job has been active for too long.
fn deadline(job: &Value) -> Option<Time> {
    let seconds = maybe_int(job, "spec.activeDeadlineSeconds")?;
    Some(time(job, "status.startTime")? + Span::from_seconds(seconds))
}

/// When a pod ended.
fn finished(pod: &Value) -> Option<Time> {
    let ends = list(pod, "status.containerStatuses").iter();
    ends.filter_map(|s| time(s, "state.terminated.finishedAt")).max()
}

/// When the next pod may be made after some have failed in a row.
fn next_try(all: &[Arc<Value>]) -> Option<Time> {
    let of = |phase: &'static str| {
        all.iter().filter(move |p| text(p, "status.phase") == phase).filter_map(|p| finished(p))
    };
    let good = of("Succeeded").max();
    let failures: Vec<Time> = of("Failed").filter(|at| good.is_none_or(|good| *at > good)).collect();
    let last = *failures.iter().max()?;
    let wait = BACKOFF << (failures.len() - 1).min(6);
    Some(last + Span::from_seconds(wait.min(LONGEST_BACKOFF)))
}

fn make(world: &mut World, id: &Id, job: &Value, missing: i64) {
    for _ in 0..missing.min(BURST) {
        let mut pod = pods::from_template(job, KIND, at(job, "spec.template"));
        if at(&pod, "spec.restartPolicy").is_null() {
            set(&mut pod, "spec.restartPolicy", "Never");
        }
        // a refusal is said by an event
        if pods::create_for(world, job, COMPONENT, pod).is_err() {
            world.queue.add(Work::Job(id.clone()), world.now + AGAIN);
            return;
        }
    }
    if missing > BURST {
        world.queue.add(Work::Job(id.clone()), world.now + MORE);
    }
}

fn status(world: &mut World, id: &Id, job: &Value, state: &State) {
    let now = world.now;
    let all = pods::controlled(world, job, Res::Pods);
    let active: Vec<_> = all.iter().filter(|p| pods::active(p)).collect();
    let ready = active.iter().filter(|p| holds(p, "Ready")).count();
    let complete = state.complete();
    let written = world.store.update(Res::Jobs, &id.namespace, &id.name, |j| {
        set(j, "status.active", active.len());
        set(j, "status.ready", ready);
        set(j, "status.succeeded", state.succeeded);
        set(j, "status.failed", state.failed);
        suspend(j, state.suspended, now);
        if complete {
            let message = "Reached expected number of succeeded pods";
            set(j, "status.completionTime", now.rfc3339());
            set_condition(j, "Complete", "True", "CompletionsReached", message, now);
        } else if let Some((reason, message)) = state.broken {
            set_condition(j, "Failed", "True", reason, message, now);
        }
    });
    if complete {
        record(world, job, &Said::normal(COMPONENT, "Completed", "Job completed"));
    } else if let Some((reason, message)) = state.broken {
        record(world, job, &Said::warning(COMPONENT, reason, message));
    } else if let Some(at) = written.and_then(|j| deadline(&j)) {
        world.queue.add(Work::Job(id.clone()), at);
    }
}

/// Says whether a job is suspended; its time counts from when it goes on.
fn suspend(job: &mut Value, suspended: bool, now: Time) {
    let was = holds(job, "Suspended");
    if suspended && !was {
        unset(job, "status.startTime");
        set_condition(job, "Suspended", "True", "JobSuspended", "Job suspended", now);
    } else if was && !suspended {
        set_condition(job, "Suspended", "False", "JobResumed", "Job resumed", now);
    }
    if !suspended && time(job, "status.startTime").is_none() {
        set(job, "status.startTime", now.rfc3339());
    }
}

/// A job that has ended goes when it has been there for as long as it wants
/// (`pkg/controller/ttlafterfinished`), its pods with it.
fn expire(world: &mut World, id: &Id, job: &Arc<Value>) {
    let Some(seconds) = maybe_int(job, "spec.ttlSecondsAfterFinished") else { return };
    let done = ["Complete", "Failed"].into_iter().find_map(|c| condition(job, c));
    let Some(done) = done.and_then(|c| time(c, "lastTransitionTime")) else { return };
    let due = done + Span::from_seconds(seconds);
    if world.now < due {
        return world.queue.add(Work::Job(id.clone()), due);
    }
    let now = world.now;
    let held = garbage::hold(world, Res::Jobs.into(), job);
    world.store.delete(Res::Jobs, &held, Deletion::default(), now);
}

/// A job of a cron job's template.
pub(super) fn from_template(owner: &Value, own: &str) -> Value {
    let template = at(owner, "spec.jobTemplate");
    let mut job = json!({
        "metadata": {
            "name": own, "namespace": at(owner, "metadata.namespace"),
            "ownerReferences": [crate::sim::fields::owner_reference("batch/v1", "CronJob", owner)],
        },
        "spec": at(template, "spec"),
    });
    for field in ["labels", "annotations"] {
        let given = at(template, &format!("metadata.{field}"));
        if !given.is_null() {
            set(&mut job["metadata"], field, given.clone());
        }
    }
    job
}

/// Whether a job has ended.
pub(super) fn ended(job: &Value) -> bool {
    ["Complete", "Failed"].iter().any(|c| holds(job, c))
}

/// Whether a job ended well.
pub(super) fn succeeded(job: &Value) -> bool {
    holds(job, "Complete")
}
