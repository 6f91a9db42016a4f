//! The job controller (`kubernetes/kubernetes:pkg/controller/job/job_controller.go`).

mod tally;

use std::sync::Arc;

use crate::sim::json::{Value, json};

use self::tally::{INDEX, State, TRACKING, deadline, look};
use super::events::{Said, record};
use super::{garbage, pods};
use crate::model::{Span, Time};
use crate::sim::fields::{
    annotate, at, condition, count, deleting, holds, list, list_mut, maybe_int, name, place, set,
    set_condition, text, time, unset,
};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

pub(crate) use tally::Ended;

const COMPONENT: &str = "job-controller";
const KIND: (&str, &str) = ("batch/v1", "Job");

/// Most pods made in one look (`MaxPodCreateDeletePerSync`), and after how long the next follow.
const BURST: i64 = 500;
const MORE: Span = Span::from_seconds(1);

/// Why a job is complete.
const REACHED: (&str, &str) = ("CompletionsReached", "Reached expected number of succeeded pods");

/// After how long a job tries again that was refused a pod.
const AGAIN: Span = Span::from_seconds(15);

/// How long a job waits after its first failed pod; twice as long after each further one
/// (`DefaultJobPodFailureBackOff`, `MaxJobPodFailureBackOff`).
const BACKOFF: i64 = 10;
const LONGEST_BACKOFF: i64 = 600;

/// Makes pods until enough have succeeded, or too many failed.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(job) = world.store.get(Res::Jobs, &id.namespace, &id.name).cloned() else {
        world.ended.remove(id);
        let pods = tally::left_behind(world, id);
        return tally::let_go(world, &pods);
    };
    if deleting(&job) || ended(&job) {
        let pods = pods::controlled(world, &job, Res::Pods);
        tally::let_go(world, &pods);
        return if ended(&job) && !deleting(&job) {
            expire(world, id, &job)
        };
    }
    let all = pods::claim(world, &job, KIND, Res::Pods, |_| true);
    let state = look(world, id, &job, &all);
    let want = state.want(&job);
    let missing = want - state.active.len() as i64;
    if missing > 0 && !state.complete() {
        match next_try(&all).filter(|at| *at > world.now) {
            Some(at) => world.queue.add(Work::Job(id.clone()), at),
            None => make(world, id, &job, &state, missing),
        }
    }
    status(world, id, &job, &state);
    let surplus = usize::try_from(-missing).unwrap_or(0);
    for pod in state.active.iter().rev().take(surplus) {
        let now = world.now;
        world.store.delete(Res::Pods, pod, Deletion::default(), now);
        record(
            world,
            &job,
            &Said::normal(COMPONENT, "SuccessfulDelete", format!("Deleted pod: {}", name(pod))),
        );
    }
    tally::let_go(world, &all);
    world.absorb();
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

fn make(world: &mut World, id: &Id, job: &Value, state: &State, missing: i64) {
    let mut indexes: Vec<i64> = state.missing_indexes().take(BURST as usize).collect();
    indexes.reverse();
    for _ in 0..missing.min(BURST) {
        let mut pod = pods::from_template(job, KIND, at(job, "spec.template"));
        if at(&pod, "spec.restartPolicy").is_null() {
            set(&mut pod, "spec.restartPolicy", "Never");
        }
        set(&mut pod, "metadata.finalizers", json!([TRACKING]));
        if state.indexed {
            let Some(index) = indexes.pop() else { return };
            number(job, &mut pod, index);
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

/// Tells the pod of an indexed job which part it does.
fn number(job: &Value, pod: &mut Value, index: i64) {
    annotate(pod, INDEX, &index.to_string());
    pods::label(pod, INDEX, &index.to_string());
    set(pod, "metadata.generateName", format!("{}-{index}-", name(job)));
    if text(pod, "spec.hostname").is_empty() {
        set(pod, "spec.hostname", format!("{}-{index}", name(job)));
    }
    let field = format!("metadata.labels['{INDEX}']");
    let own = json!({
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": field } },
    });
    for container in list_mut(place(pod, "spec.containers")) {
        let variables = list_mut(place(container, "env"));
        if !variables.iter().any(|v| text(v, "name") == "JOB_COMPLETION_INDEX") {
            variables.push(own.clone());
        }
    }
}

/// Writes how far a job is. One that has come to its end says so at once, and is over when its last
/// pod has ended (`SuccessCriteriaMet`, `FailureTarget`).
fn status(world: &mut World, id: &Id, job: &Value, state: &State) {
    let now = world.now;
    let all = pods::controlled(world, job, Res::Pods);
    let active: Vec<_> = all.iter().filter(|p| pods::active(p)).collect();
    let ready = active.iter().filter(|p| holds(p, "Ready")).count();
    let complete = state.complete();
    let ending = match state.broken {
        _ if complete => Some(("SuccessCriteriaMet", "Complete", REACHED)),
        Some(why) => Some(("FailureTarget", "Failed", why)),
        None => None,
    };
    let over = active.is_empty() && state.terminating == 0;
    let was = holds(job, "Suspended");
    let written = world.store.update(Res::Jobs, &id.namespace, &id.name, |j| {
        count(j, "status.active", active.len());
        set(j, "status.ready", ready);
        set(j, "status.terminating", state.terminating);
        count(j, "status.succeeded", state.succeeded);
        count(j, "status.failed", state.failed);
        set(j, "status.uncountedTerminatedPods", json!({}));
        if state.indexed && !state.indexes.is_empty() {
            set(j, "status.completedIndexes", tally::spans(&state.indexes));
        }
        suspend(j, state.suspended, now);
        if let Some((first, last, (reason, message))) = ending {
            say(j, first, "True", reason, message, now);
            if over {
                say(j, last, "True", reason, message, now);
            }
            if over && complete {
                set(j, "status.completionTime", now.rfc3339());
            }
        }
    });
    if was != state.suspended && (was || state.suspended) {
        let (reason, message) = if was { ("Resumed", "Job resumed") } else { ("Suspended", "Job suspended") };
        record(world, job, &Said::normal(COMPONENT, reason, message));
    }
    match ending.filter(|_| over) {
        Some(_) if complete => record(world, job, &Said::normal(COMPONENT, "Completed", "Job completed")),
        Some((_, _, (reason, message))) => record(world, job, &Said::warning(COMPONENT, reason, message)),
        None => {
            let deadline = written.and_then(|j| deadline(&j)).filter(|at| *at > now);
            deadline.into_iter().for_each(|at| world.queue.add(Work::Job(id.clone()), at));
        }
    }
}

/// Sets a condition of a job, which says when it was looked at, too.
fn say(job: &mut Value, kind: &str, status: &str, reason: &str, message: &str, now: Time) {
    set_condition(job, kind, status, reason, message, now);
    let conditions = list_mut(place(job, "status.conditions"));
    for condition in conditions.iter_mut().filter(|c| text(c, "type") == kind) {
        set(condition, "lastProbeTime", now.rfc3339());
    }
}

/// Says whether a job is suspended; its time counts from when it goes on.
fn suspend(job: &mut Value, suspended: bool, now: Time) {
    let was = holds(job, "Suspended");
    if suspended && !was {
        unset(job, "status.startTime");
        say(job, "Suspended", "True", "JobSuspended", "Job suspended", now);
    } else if was && !suspended {
        say(job, "Suspended", "False", "JobResumed", "Job resumed", now);
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
    let held = garbage::hold(world, Res::Jobs.into(), job, garbage::FOREGROUND);
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
