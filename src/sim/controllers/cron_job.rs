//! The cron job controller.

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::job;
use crate::model::Time;
use crate::sim::admission;
use crate::sim::fields::{flag, maybe_int, name, set, text, time, uid};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "cronjob-controller";
const MINUTE: i64 = 60;

/// Starts a job when its time has come, and removes old ones.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(cron) = world.store.get(Res::CronJobs, &id.namespace, &id.name).cloned() else { return };
    if world.instant {
        return;
    }
    let schedule = Schedule::parse(text(&cron, "spec.schedule"));
    let now = world.now;
    let created = time(&cron, "metadata.creationTimestamp").unwrap_or(now);
    let last = time(&cron, "status.lastScheduleTime").unwrap_or(created);
    if let Some(schedule) = &schedule
        && !flag(&cron, "spec.suspend")
        && let Some(due) = schedule.after(last)
        && due <= now
    {
        // of several missed times only the newest is made up for
        let due = schedule.newest(due, now);
        start(world, &cron, due);
    }
    tidy(world, &cron);
    if let Some(next) = schedule.and_then(|s| s.after(now)) {
        world.queue.add(Work::CronJob(id.clone()), next);
    }
}

fn start(world: &mut World, cron: &Value, due: Time) {
    let own = format!("{}-{}", name(cron), due.millis() / 60_000);
    let mut fresh = job::from_template(cron, &own);
    admission::admit(world, Res::Jobs, &mut fresh);
    if let Ok(made) = world.store.create(Res::Jobs, fresh, world.now) {
        record(
            world,
            cron,
            &Said::normal(COMPONENT, "SuccessfulCreate", format!("Created job {}", name(&made))),
        );
    }
    let id = Id::of(cron);
    world.store.update(Res::CronJobs, &id.namespace, &id.name, |c| {
        set(c, "status.lastScheduleTime", due.rfc3339());
    });
    world.absorb();
}

/// Removes ended jobs past the history limits and writes what runs into the status.
fn tidy(world: &mut World, cron: &Value) {
    let ids = world.cache.children(uid(cron), Res::Jobs);
    let mut jobs: Vec<_> =
        ids.iter().filter_map(|i| world.store.get(Res::Jobs, &i.namespace, &i.name).cloned()).collect();
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
    world.store.update(Res::CronJobs, &id.namespace, &id.name, |c| {
        set(c, "status.active", running);
        if let Some(at) = last_good.filter(|t| !t.is_empty()) {
            set(c, "status.lastSuccessfulTime", at);
        }
    });
}

/// Minutes and hours of a cron schedule; days of months and weeks are taken as any.
#[derive(Debug)]
struct Schedule {
    minutes: Vec<bool>,
    hours: Vec<bool>,
}

impl Schedule {
    fn parse(text: &str) -> Option<Schedule> {
        let text = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            other => other,
        };
        let mut fields = text.split_whitespace();
        let minutes = Self::field(fields.next()?, 60)?;
        let hours = Self::field(fields.next()?, 24)?;
        Some(Schedule { minutes, hours })
    }

    fn field(text: &str, size: usize) -> Option<Vec<bool>> {
        let mut out = vec![false; size];
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, step.parse().ok().filter(|s| *s > 0)?),
                None => (part, 1),
            };
            let (from, to) = match range.split_once('-') {
                Some((a, b)) => (a.parse().ok()?, b.parse().ok()?),
                None if range == "*" => (0, size - 1),
                None => {
                    let n = range.parse().ok()?;
                    (n, if step > 1 { size - 1 } else { n })
                }
            };
            for i in (from..=to).step_by(step) {
                *out.get_mut(i)? = true;
            }
        }
        Some(out)
    }

    /// The first matching minute after a time, within two days.
    fn after(&self, time: Time) -> Option<Time> {
        let start = time.millis().div_euclid(1000 * MINUTE) + 1;
        let at = |m: i64| Time::from_seconds(m * MINUTE);
        (start..start + 2880).find(|m| self.matches(*m)).map(at)
    }

    fn matches(&self, minute: i64) -> bool {
        self.minutes[minute.rem_euclid(60) as usize]
            && self.hours[minute.div_euclid(60).rem_euclid(24) as usize]
    }

    /// The last matching minute from `due` to `now`.
    fn newest(&self, due: Time, now: Time) -> Time {
        let last = now.millis().div_euclid(1000 * MINUTE);
        let first = (due.millis() / 1000 / MINUTE).max(last - 1440);
        (first..=last).rev().find(|m| self.matches(*m)).map_or(due, |m| Time::from_seconds(m * MINUTE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_find_their_next_minute() {
        let from = Time::parse("2026-11-21T02:14:07Z").unwrap();
        let wait = |s| Schedule::parse(s)?.after(from).map(|at| from.age(at).seconds());
        assert_eq!(wait("*/5 * * * *"), Some(53));
        assert_eq!(wait("0 3 * * *"), Some(45 * 60 + 53));
        assert_eq!(wait("10,20 2-4 * * *"), Some(5 * 60 + 53));
        assert_eq!(wait("@hourly"), Some(45 * 60 + 53));
        assert_eq!(wait("99 * * * *"), None);
        assert_eq!(wait("*/0 * * * *"), None);
    }
}
