//! The cron job controller.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::schedule::Schedule;
use super::{job, pods};
use crate::model::{Span, Time};
use crate::sim::admission;
use crate::sim::fields::{deleting, flag, list, maybe_int, name, set, text, time, uid, unset};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "cronjob-controller";

/// Starts a job when its time has come, and removes old ones
/// (`pkg/controller/cronjob/cronjob_controllerv2.go` `syncCronJob`).
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(cron) = world.store.get(Res::CronJobs, &id.namespace, &id.name).cloned() else { return };
    if world.instant || deleting(&cron) {
        return;
    }
    let schedule = match Schedule::parse(text(&cron, "spec.schedule"), text(&cron, "spec.timeZone")) {
        Ok(schedule) => schedule,
        Err(why) => {
            let zone = why.contains("time zone");
            let reason = if zone { "UnknownTimeZone" } else { "UnparseableSchedule" };
            let message = format!("invalid schedule: {:?} : {why}", text(&cron, "spec.schedule"));
            record(world, &cron, &Said::warning(COMPONENT, reason, message));
            return tidy(world, &cron);
        }
    };
    let now = world.now;
    let created = time(&cron, "metadata.creationTimestamp").unwrap_or(now);
    let last = time(&cron, "status.lastScheduleTime").unwrap_or(created);
    if !flag(&cron, "spec.suspend")
        && let Some(due) = schedule.after(last)
        && due <= now
    {
        // of several missed times only the newest is made up for
        start(world, &cron, schedule.newest(due, now));
    }
    tidy(world, &cron);
    if let Some(next) = schedule.after(now) {
        world.queue.add(Work::CronJob(id.clone()), next);
    }
}

/// Starts the job of a time, unless it is too late for it or another one runs that it must not
/// run beside.
fn start(world: &mut World, cron: &Value, due: Time) {
    let late = maybe_int(cron, "spec.startingDeadlineSeconds").map(|s| due + Span::from_seconds(s));
    if late.is_some_and(|late| late < world.now) {
        let message = format!("Missed scheduled time to start a job: {}", due.rfc3339());
        return record(world, cron, &Said::warning(COMPONENT, "MissSchedule", message));
    }
    let running: Vec<Arc<Value>> =
        pods::controlled(world, cron, Res::Jobs).into_iter().filter(|j| !job::ended(j)).collect();
    match text(cron, "spec.concurrencyPolicy") {
        "Forbid" if !running.is_empty() => {
            let message =
                "Not starting job because prior execution is running and concurrency policy is Forbid";
            return record(world, cron, &Said::normal(COMPONENT, "JobAlreadyActive", message));
        }
        "Replace" => {
            for old in &running {
                let now = world.now;
                world.store.delete(Res::Jobs, old, Deletion::default(), now);
                let message = format!("Deleted job {}", name(old));
                record(world, cron, &Said::normal(COMPONENT, "SuccessfulDelete", message));
            }
        }
        _ => {}
    }
    let own = format!("{}-{}", name(cron), due.millis() / 60_000);
    let mut fresh = job::from_template(cron, &own);
    admission::admit(world, Res::Jobs, &mut fresh);
    if let Ok(made) = world.store.create(Res::Jobs, fresh, world.now) {
        let message = format!("Created job {}", name(&made));
        record(world, cron, &Said::normal(COMPONENT, "SuccessfulCreate", message));
    }
    let id = Id::of(cron);
    world.store.update(Res::CronJobs, &id.namespace, &id.name, |c| {
        set(c, "status.lastScheduleTime", due.rfc3339());
    });
    world.absorb();
}

/// Removes ended jobs past the history limits and writes what runs into the status.
fn tidy(world: &mut World, cron: &Value) {
    let mut jobs = pods::controlled(world, cron, Res::Jobs);
    jobs.sort_by_key(|j| text(j, "metadata.creationTimestamp").to_owned());
    for (good, field, usual) in
        [(true, "successfulJobsHistoryLimit", 3), (false, "failedJobsHistoryLimit", 1)]
    {
        let kept = maybe_int(cron, &format!("spec.{field}")).unwrap_or(usual).max(0) as usize;
        let ended: Vec<_> =
            jobs.iter().filter(|j| job::ended(j) && job::succeeded(j) == good).cloned().collect();
        for old in ended.iter().take(ended.len().saturating_sub(kept)) {
            world.store.remove(Res::Jobs, old);
        }
    }
    let running: Vec<Value> = jobs
        .iter()
        .filter(|j| !job::ended(j))
        .map(|j| json!({ "apiVersion": "batch/v1", "kind": "Job", "name": name(j), "namespace": j["metadata"]["namespace"], "uid": uid(j) }))
        .collect();
    let last_good =
        jobs.iter().filter(|j| job::succeeded(j)).map(|j| text(j, "status.completionTime").to_owned()).max();
    let id = Id::of(cron);
    for done in jobs.iter().filter(|j| job::ended(j)) {
        // only what ran when this was last looked at
        if list(cron, "status.active").iter().any(|a| text(a, "uid") == uid(done)) {
            let how = if job::succeeded(done) { "Complete" } else { "Failed" };
            let message = format!("Saw completed job: {}, condition: {how}", name(done));
            record(world, cron, &Said::normal(COMPONENT, "SawCompletedJob", message));
        }
    }
    world.store.update(Res::CronJobs, &id.namespace, &id.name, |c| {
        if running.is_empty() {
            unset(c, "status.active");
        } else {
            set(c, "status.active", running);
        }
        if let Some(at) = last_good.filter(|t| !t.is_empty()) {
            set(c, "status.lastSuccessfulTime", at);
        }
    });
}
