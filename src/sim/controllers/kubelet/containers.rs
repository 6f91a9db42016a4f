//! The containers of a pod, each on its way: it waits, starts, runs, ends and starts again.

use std::sync::Arc;

use super::{COMPONENT, RUNS, again, config, full_name, images, jitter, memory, probes, status};
use crate::model::{Span, Time};
use crate::sim::controllers::NOTICE;
use crate::sim::controllers::events::{Said, record};
use crate::sim::controllers::programs::{Course, course};
use crate::sim::fields::{annotation, at, controller, holds, int, list, set, text, time, uid};
use crate::sim::json::{Value, json};
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::world::{FaultKind, World};

/// How long a container that will fail runs first.
const CRASH_AFTER: Span = Span::from_seconds(6);

/// How long the container of a job runs when nothing says it.
const JOB_RUNS: Span = Span::from_seconds(20);

/// How long an init container runs when its command does not say it.
const INIT_RUNS: Span = Span::from_seconds(2);

/// How long a container is seen to have ended before something is done about it.
const SHOWN: Span = Span::from_seconds(1);

/// The first back-off of a container, and the longest: it doubles each time, up to 80 s where real
/// kubelets go on to five minutes, so that things come back while one watches.
const BACKOFF: i64 = 10;
const LONGEST_BACKOFF: i64 = 80;

/// A container that ran for so long begins anew with its back-offs.
const GOOD: Span = Span::from_seconds(600);

/// How long a failed pull is shown before the kubelet backs off, how long that lasts, and how long
/// until it looks again for what a container is configured by.
const PULL_FAILED: Span = Span::from_seconds(8);
const PULL_BACKOFF: Span = Span::from_seconds(30);
const CONFIG_AGAIN: Span = Span::from_seconds(10);

/// A container of a pod, and what is known of it.
pub(super) struct Part<'a> {
    pub(super) pod: &'a Arc<Value>,
    pub(super) container: &'a Value,
    pub(super) status: &'a Value,
    /// Where its status is.
    list: &'static str,
    /// Whether it is the first of those that are not for the start alone.
    main: bool,
}

/// What is to be done about a container now.
pub(super) enum Look {
    Nothing,
    Until(Time),
    Change(Value),
}

impl Part<'_> {
    pub(super) fn name(&self) -> &str {
        text(self.container, "name")
    }

    fn init(&self) -> bool {
        self.list == status::INIT
    }

    /// Whether it is to be started again after it ended so.
    fn comes_again(&self, code: i64) -> bool {
        match text(self.pod, "spec.restartPolicy") {
            _ if sidecar(self.container) => true,
            "Never" => false,
            "OnFailure" => code != 0,
            _ => code != 0 || !self.init(),
        }
    }
}

/// Whether an init container stays for as long as its pod.
pub(super) fn sidecar(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

/// Moves every container of a pod on, and writes what has changed at once.
pub(super) fn step(world: &mut World, id: &Id, pod: &Arc<Value>) {
    let now = world.now;
    if text(pod, "status.phase") == "Pending"
        && let Some(due) = config::mount(world, pod)
    {
        return again(world, id, due);
    }
    let mut next: Option<Time> = None;
    let mut changes = Vec::new();
    for part in parts(pod) {
        match look(world, &part) {
            Look::Nothing => {}
            Look::Until(at) => next = next.into_iter().chain([at]).min(),
            Look::Change(status) => changes.push((part.list, status)),
        }
    }
    // one whose node was given up for a while is not what its containers are
    let serves = holds(pod, "ContainersReady") && holds(pod, "Ready");
    let odd = !serves && status::all_ready(pod) && status::gates_open(pod);
    if changes.is_empty() && !odd {
        return next.into_iter().for_each(|at| again(world, id, at));
    }
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        for (list, status) in changes {
            status::put(p, list, status);
        }
        status::settle(p, now);
    });
    // one that failed as before has not changed, and is looked at again all the same
    again(world, id, now + NOTICE);
}

/// The containers that are on their way: of those for the start, up to the first that is not done.
fn parts(pod: &Arc<Value>) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for container in list(pod, "spec.initContainers") {
        let status = status::of(pod, status::INIT, text(container, "name"));
        parts.push(Part { pod, container, status, list: status::INIT, main: false });
        if !status::initialised(container, status) {
            return parts;
        }
    }
    for (i, container) in list(pod, "spec.containers").iter().enumerate() {
        let status = status::of(pod, status::MAIN, text(container, "name"));
        parts.push(Part { pod, container, status, list: status::MAIN, main: i == 0 });
    }
    parts
}

fn look(world: &mut World, part: &Part<'_>) -> Look {
    if part.status.is_null() {
        return Look::Change(status::fresh(part.container, "ContainerCreating"));
    }
    if !at(part.status, "state.terminated").is_null() {
        ended(world, part)
    } else if !at(part.status, "state.running").is_null() {
        run(world, part)
    } else {
        wait(world, part)
    }
}

/// A container waits: for its image, for what it is configured by, or for its back-off.
fn wait(world: &mut World, part: &Part<'_>) -> Look {
    let now = world.now;
    let known = memory(world, part.pod, part.name());
    let first = known.since.is_none();
    let since = *known.since.get_or_insert(now);
    let (ends, ended) = (known.ends, known.ended.unwrap_or(since));
    let reason = text(part.status, "state.waiting.reason");
    if first && ["", "ContainerCreating", "PodInitializing"].contains(&reason) {
        images::pulling(world, part.pod, part.container);
    }
    let bad = world.bad_image(part.pod, text(part.container, "image"));
    let due = match reason {
        "CrashLoopBackOff" => ended + backoff(ends),
        "ErrImagePull" => since + jitter(PULL_FAILED, part.pod),
        "ImagePullBackOff" => since + jitter(PULL_BACKOFF, part.pod),
        "CreateContainerConfigError" => since + CONFIG_AGAIN,
        _ if bad.is_some() => since + SHOWN,
        _ => since + images::pull_time(world, part.pod, part.container),
    };
    if now < due {
        return Look::Until(due);
    }
    match (reason, bad) {
        ("CrashLoopBackOff", _) => start(world, part),
        ("ErrImagePull", Some(why)) => {
            let message = images::backs_off(world, part, &why);
            waiting(world, part, "ImagePullBackOff", &message)
        }
        (reason, bad) => {
            if reason == "ImagePullBackOff" {
                images::pulling(world, part.pod, part.container);
            }
            begin(world, part, bad.as_deref())
        }
    }
}

/// The image is there or not, and so is what the container is configured by.
fn begin(world: &mut World, part: &Part<'_>, bad: Option<&str>) -> Look {
    if let Some(why) = bad {
        let message = images::fails(world, part, why);
        return waiting(world, part, "ErrImagePull", &message);
    }
    let since = memory(world, part.pod, part.name()).since;
    images::pulled(world, part, since.map_or(Span::ZERO, |t| t.age(world.now)));
    if let Some(why) = config::missing(world, part.pod, part.container) {
        record(world, part.pod, &Said::warning(COMPONENT, "Failed", format!("Error: {why}")));
        return waiting(world, part, "CreateContainerConfigError", &why);
    }
    start(world, part)
}

fn waiting(world: &mut World, part: &Part<'_>, reason: &str, message: &str) -> Look {
    memory(world, part.pod, part.name()).since = Some(world.now);
    let mut status = part.status.clone();
    set(&mut status, "state", json!({ "waiting": { "reason": reason, "message": message } }));
    Look::Change(status)
}

fn start(world: &mut World, part: &Part<'_>) -> Look {
    let now = world.now;
    let mut status = part.status.clone();
    let over = at(&status, "state.terminated").clone();
    if !over.is_null() {
        set(&mut status, "lastState", json!({ "terminated": over }));
        images::pulled(world, part, Span::ZERO);
    }
    if !at(&status, "lastState.terminated").is_null() {
        let restarts = int(&status, "restartCount") + 1;
        set(&mut status, "restartCount", restarts);
    }
    status::started(part.container, &mut status, uid(part.pod), now);
    if probes::failing(world, part, probes::Probe::Startup).is_some() {
        set(&mut status, "started", false);
    }
    let known = memory(world, part.pod, part.name());
    (known.since, known.failed) = (None, [0; 3]);
    for (reason, message) in [("Created", "Created container:"), ("Started", "Started container")] {
        record(world, part.pod, &Said::normal(COMPONENT, reason, format!("{message} {}", part.name())));
    }
    Look::Change(status)
}

/// A container runs: it becomes ready, ends, or is ended.
fn run(world: &mut World, part: &Part<'_>) -> Look {
    let now = world.now;
    let began = time(part.status, "state.running.startedAt").unwrap_or(now);
    if part.main && !world.faults.is_empty() {
        let memory = world.faulty(part.pod, FaultKind::OutOfMemory);
        if memory || world.faulty(part.pod, FaultKind::Crash) {
            let end = began + jitter(CRASH_AFTER, part.pod);
            let (reason, code) = if memory { ("OOMKilled", 137) } else { ("Error", 1) };
            return if now < end { Look::Until(end) } else { terminate(world, part, reason, code) };
        }
    }
    let mut next = None;
    if let Some((after, code)) = end(part, now) {
        let due = began + after;
        if now >= due {
            return terminate(world, part, if code == 0 { "Completed" } else { "Error" }, code);
        }
        next = Some(due);
    }
    if part.init() && !sidecar(part.container) {
        return next.map_or(Look::Nothing, Look::Until);
    }
    match probes::look(world, part, began) {
        probes::Verdict::Kill => terminate(world, part, "Error", 137),
        probes::Verdict::Ready(ready) => {
            let mut status = part.status.clone();
            set(&mut status, "ready", ready);
            set(&mut status, "started", true);
            Look::Change(status)
        }
        probes::Verdict::Same(again) => {
            next.into_iter().chain(again).min().map_or(Look::Nothing, Look::Until)
        }
    }
}

/// After how long a container ends by itself, and how.
fn end(part: &Part<'_>, now: Time) -> Option<(Span, i64)> {
    match course(part.pod, part.container, now) {
        Course::Ends { after, code } => return Some((after, i64::from(code))),
        Course::Waits => return None,
        Course::Serves => {}
    }
    if part.init() {
        return (!sidecar(part.container)).then_some((INIT_RUNS, 0));
    }
    if text(part.pod, "spec.restartPolicy") == "Always" {
        return None;
    }
    let told = annotation(part.pod, RUNS).parse().ok().map(Span::from_seconds);
    let job = controller(part.pod).is_some_and(|o| text(o, "kind") == "Job");
    let runs = told.or_else(|| job.then_some(JOB_RUNS))?;
    Some((jitter(runs, part.pod), 0))
}

fn terminate(world: &mut World, part: &Part<'_>, reason: &str, code: i64) -> Look {
    let now = world.now;
    let began = time(part.status, "state.running.startedAt").unwrap_or(now);
    let known = memory(world, part.pod, part.name());
    if began.age(now) >= GOOD {
        known.ends = 0;
    }
    known.ends += 1;
    (known.ended, known.since, known.failed) = (Some(now), None, [0; 3]);
    let mut status = part.status.clone();
    status::terminated(&mut status, reason, code, now);
    // one for the start is ready when it has done its work
    let done = part.init() && code == 0 && !sidecar(part.container);
    set(&mut status, "ready", done);
    Look::Change(status)
}

/// A container has ended: it stays so, or starts again; the first time at once.
fn ended(world: &mut World, part: &Part<'_>) -> Look {
    let now = world.now;
    if !part.comes_again(int(part.status, "state.terminated.exitCode")) {
        return Look::Nothing;
    }
    let finished = time(part.status, "state.terminated.finishedAt").unwrap_or(now);
    let known = memory(world, part.pod, part.name());
    let shown = *known.ended.get_or_insert(finished) + SHOWN;
    let ends = known.ends;
    if now < shown {
        return Look::Until(shown);
    }
    if ends <= 1 {
        return start(world, part);
    }
    let own = part.name();
    let called = full_name(part.pod);
    let text = format!("Back-off restarting failed container {own} in pod {called}");
    record(world, part.pod, &Said::warning(COMPONENT, "BackOff", text));
    let wait = backoff(ends).seconds();
    let message = format!("back-off {wait}s restarting failed container={own} pod={called}");
    let mut status = part.status.clone();
    let over = at(&status, "state.terminated").clone();
    set(&mut status, "lastState", json!({ "terminated": over }));
    set(&mut status, "state", json!({ "waiting": { "reason": "CrashLoopBackOff", "message": message } }));
    Look::Change(status)
}

/// How long a container waits that ended so often: not at all the first time.
fn backoff(ends: u32) -> Span {
    let doubled = BACKOFF << ends.saturating_sub(2).min(5);
    Span::from_seconds(if ends < 2 { 0 } else { doubled.min(LONGEST_BACKOFF) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_offs_double_after_a_first_start_at_once() {
        let seconds: Vec<i64> = (0..8).map(|n| backoff(n).seconds()).collect();
        assert_eq!(seconds, [0, 0, 10, 20, 40, 80, 80, 80]);
    }
}
