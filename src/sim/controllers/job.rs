//! The job controller.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::pods;
use crate::model::Span;
use crate::sim::fields::{
    at, condition, deleting, flag, holds, int, maybe_int, name, set, set_condition, text, time, uid,
};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "job-controller";

/// After how long a job tries again that was refused a pod.
const AGAIN: Span = Span::from_seconds(15);

/// Makes pods until enough have succeeded, or too many failed.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(job) = world.store.get(Res::Jobs, &id.namespace, &id.name).cloned() else { return };
    let all = pods::of_owner(world, uid(&job));
    let in_phase = |phase: &str| all.iter().filter(|p| text(p, "status.phase") == phase).count() as i64;
    let active: Vec<Arc<Value>> = all.iter().filter(|p| pods::active(p)).cloned().collect();
    let (succeeded, failed) = (in_phase("Succeeded"), in_phase("Failed"));
    let wanted = maybe_int(&job, "spec.completions").unwrap_or(1);
    let done = ["Complete", "Failed"].iter().any(|c| holds(&job, c));
    let suspended = flag(&job, "spec.suspend");
    let broken = failed > maybe_int(&job, "spec.backoffLimit").unwrap_or(6);
    if !done && !deleting(&job) {
        let parallel = maybe_int(&job, "spec.parallelism").unwrap_or(1);
        let want = if suspended || broken { 0 } else { parallel.min(wanted - succeeded).max(0) };
        for _ in (active.len() as i64)..want {
            let mut pod = pods::from_template(&job, ("batch/v1", "Job"), at(&job, "spec.template"));
            pods::label(&mut pod, "job-name", name(&job));
            pods::label(&mut pod, "batch.kubernetes.io/job-name", name(&job));
            if at(&pod, "spec.restartPolicy").is_null() {
                set(&mut pod, "spec.restartPolicy", "Never");
            }
            // a refusal is said by an event
            if pods::create_for(world, &job, COMPONENT, pod).is_err() {
                world.queue.add(Work::Job(id.clone()), world.now + AGAIN);
                break;
            }
        }
        let surplus = (active.len() as i64 - want).max(0) as usize;
        for pod in active.iter().rev().take(surplus) {
            let now = world.now;
            world.store.delete(Res::Pods, pod, Deletion::default(), now);
        }
    }
    world.absorb();
    status(world, id, &job, (succeeded, failed), wanted, broken);
}

fn status(world: &mut World, id: &Id, job: &Value, ended: (i64, i64), wanted: i64, broken: bool) {
    let active = pods::of_owner(world, uid(job)).iter().filter(|p| pods::active(p)).count();
    let now = world.now;
    let complete = ended.0 >= wanted;
    let was = condition(job, "Complete").or_else(|| condition(job, "Failed")).is_some();
    world.store.update(Res::Jobs, &id.namespace, &id.name, |j| {
        set(j, "status.active", active);
        set(j, "status.succeeded", ended.0);
        set(j, "status.failed", ended.1);
        if time(j, "status.startTime").is_none() {
            set(j, "status.startTime", now.rfc3339());
        }
        if complete && !was {
            set(j, "status.completionTime", now.rfc3339());
            set_condition(
                j,
                "Complete",
                "True",
                "CompletionsReached",
                "Reached expected number of succeeded pods",
                now,
            );
        } else if broken && !was {
            let message = "Job has reached the specified backoff limit";
            set_condition(j, "Failed", "True", "BackoffLimitExceeded", message, now);
        }
    });
    if complete && !was {
        record(world, job, &Said::normal(COMPONENT, "Completed", "Job completed"));
    } else if broken && !was {
        let said =
            Said::warning(COMPONENT, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        record(world, job, &said);
    }
}

/// A job of a cron job's template.
pub(super) fn from_template(owner: &Value, own: &str) -> Value {
    let template = at(owner, "spec.jobTemplate");
    let mut job = json!({
        "metadata": {
            "name": own, "namespace": at(owner, "metadata.namespace"), "labels": at(template, "metadata.labels"),
            "ownerReferences": [crate::sim::fields::owner_reference("batch/v1", "CronJob", owner)],
        },
        "spec": at(template, "spec"),
    });
    if job["metadata"]["labels"].is_null() {
        crate::sim::fields::unset(&mut job, "metadata.labels");
    }
    job
}

/// Whether a job has ended.
pub(super) fn ended(job: &Value) -> bool {
    ["Complete", "Failed"].iter().any(|c| holds(job, c))
}

/// Pods that succeeded, by the status.
pub(super) fn succeeded(job: &Value) -> bool {
    int(job, "status.succeeded") > 0
}
