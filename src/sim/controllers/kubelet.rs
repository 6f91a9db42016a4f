//! The kubelets: pods start, become ready, fail and end.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::programs::{self, Course};
use crate::model::{Span, Time};
use crate::sim::fields::{
    annotation, at, deleting, holds, int, list, list_mut, name, place, set, set_condition, text, time, uid,
};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::random;
use crate::sim::resources::Res;
use crate::sim::world::{FaultKind, World};

const COMPONENT: &str = "kubelet";

/// How long a container that will fail runs first.
const CRASH_AFTER: Span = Span::from_seconds(6);

/// How long a job's container runs when its annotation does not say.
const JOB_RUNS: Span = Span::from_seconds(20);

/// Annotation on pods of jobs: how many seconds they run.
pub(crate) const RUNS: &str = "sim.quarterdeck.dev/runs-seconds";

/// The first back-off of a container, and the longest: it doubles each time, up to 80 s where real
/// kubelets go on to five minutes, so that things come back while one watches.
const BACKOFF: i64 = 10;
const LONGEST_BACKOFF: i64 = 80;

/// Moves a pod one step on.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(pod) = world.pod(id) else { return };
    let node = text(&pod, "spec.nodeName");
    if node.is_empty() || world.dead.contains(node) || !world.cache.nodes.contains_key(node) {
        return;
    }
    if deleting(&pod) {
        return stop(world, id, &pod);
    }
    if ["Succeeded", "Failed"].contains(&text(&pod, "status.phase")) {
        return;
    }
    let Some(started) = time(&pod, "status.startTime") else { return admit(world, id, &pod) };
    let first = list(&pod, "status.containerStatuses").first().unwrap_or(&Value::Null);
    if !at(first, "state.waiting").is_null() {
        match text(first, "state.waiting.reason") {
            "CrashLoopBackOff" => restart(world, id, &pod, first),
            _ => pull(world, id, &pod, started),
        }
    } else if !at(first, "state.running").is_null() {
        run(world, id, &pod, first);
    }
}

/// A duration with up to a quarter more, the same for the same pod.
fn jitter(span: Span, pod: &Value) -> Span {
    let part = (random::hash(uid(pod)) % 256) as i64;
    Span::from_millis(span.millis() + span.millis() / 4 * part / 256)
}

fn again(world: &mut World, id: &Id, at: Time) {
    world.queue.add(Work::Pod(id.clone()), at);
}

/// Ends a pod that was asked to go.
fn stop(world: &mut World, id: &Id, pod: &Arc<Value>) {
    let Some(deadline) = time(pod, "metadata.deletionTimestamp") else { return };
    let grace = Span::from_seconds(int(pod, "metadata.deletionGracePeriodSeconds"));
    let takes = jitter(world.timing.stop, pod).min(grace);
    let end = deadline - grace + takes;
    if world.now < end {
        return again(world, id, end);
    }
    if list(pod, "metadata.finalizers").is_empty() {
        world.store.remove(Res::Pods, pod);
    } else {
        // its time is over: it goes with its last finalizer
        let now = world.now;
        world.store.delete(Res::Pods, pod, Deletion { grace: Some(0) }, now);
    }
}

/// Takes a new pod: its containers are created.
fn admit(world: &mut World, id: &Id, pod: &Arc<Value>) {
    let now = world.now;
    let ip = address(pod);
    let host = host(world, text(pod, "spec.nodeName"));
    let message = list(pod, "spec.containers").iter().map(|c| text(c, "name")).collect::<Vec<_>>().join(" ");
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        set(p, "status.startTime", now.rfc3339());
        set(p, "status.podIP", ip.clone());
        set(p, "status.podIPs", json!([{ "ip": ip }]));
        set_host(p, &host);
        let unready = format!("containers with unready status: [{message}]");
        set_condition(p, "Initialized", "True", "", "", now);
        set_condition(p, "Ready", "False", "ContainersNotReady", &unready, now);
        set_condition(p, "ContainersReady", "False", "ContainersNotReady", &unready, now);
        set_condition(p, "PodScheduled", "True", "", "", now);
        each_container(p, |_, status| {
            set(status, "state", json!({ "waiting": { "reason": "ContainerCreating" } }));
        });
    });
    for container in list(pod, "spec.containers") {
        let image = text(container, "image");
        if !world.pulled.contains(&(text(pod, "spec.nodeName").to_owned(), image.to_owned())) {
            record(world, pod, &Said::normal(COMPONENT, "Pulling", format!("Pulling image {image:?}")));
        }
    }
    again(world, id, now + pull_time(world, pod));
}

/// The address of a node.
fn host(world: &World, node: &str) -> String {
    let node = world.store.get(Res::Nodes, "", node);
    let addresses = node.map_or(&[][..], |n| list(n, "status.addresses"));
    let internal = addresses.iter().find(|a| text(a, "type") == "InternalIP");
    internal.map_or(String::new(), |a| text(a, "address").to_owned())
}

fn set_host(pod: &mut Value, host: &str) {
    if !host.is_empty() {
        set(pod, "status.hostIP", host);
        set(pod, "status.hostIPs", json!([{ "ip": host }]));
    }
}

fn address(pod: &Value) -> String {
    let h = random::hash(uid(pod));
    format!("10.{}.{}.{}", 32 + h % 64, h >> 8 & 255, 1 + (h >> 16) % 254)
}

/// Rewrites the status of each container; a new one begins empty.
fn each_container(pod: &mut Value, change: impl Fn(&Value, &mut Value)) {
    let containers: Vec<Value> = list(pod, "spec.containers").to_vec();
    let old: Vec<Value> = list(pod, "status.containerStatuses").to_vec();
    let statuses = containers.iter().map(|container| {
        let known = old.iter().find(|s| text(s, "name") == text(container, "name"));
        let mut status = known.cloned().unwrap_or_else(|| {
            json!({
                "name": text(container, "name"), "state": {}, "lastState": {}, "ready": false, "restartCount": 0,
                "image": text(container, "image"), "imageID": "", "started": false,
            })
        });
        change(container, &mut status);
        status
    });
    let statuses: Vec<Value> = statuses.collect();
    set(pod, "status.containerStatuses", statuses);
}

fn pull_time(world: &World, pod: &Value) -> Span {
    let node = text(pod, "spec.nodeName");
    let there = |c: &Value| world.pulled.contains(&(node.to_owned(), text(c, "image").to_owned()));
    let all = list(pod, "spec.containers").iter().all(there);
    jitter(if all { Span::from_millis(300) } else { world.timing.pull }, pod)
}

/// Images come, or do not.
fn pull(world: &mut World, id: &Id, pod: &Arc<Value>, started: Time) {
    let now = world.now;
    let due = started + pull_time(world, pod);
    if let Some((image, why)) = world.bad_image(pod) {
        return fail_pull(world, id, pod, started, &image, &why);
    }
    // times on objects are whole seconds, so `due` may be up to one second early
    if now < due {
        return again(world, id, due);
    }
    let node = text(pod, "spec.nodeName").to_owned();
    let waited = started.age(now).millis();
    for container in list(pod, "spec.containers") {
        let image = text(container, "image").to_owned();
        let message = match world.pulled.insert((node.clone(), image.clone())) {
            true => format!(
                "Successfully pulled image {image:?} in {waited}ms ({waited}ms including waiting). Image size: 48211930 bytes."
            ),
            false => format!("Container image {image:?} already present on machine"),
        };
        record(world, pod, &Said::normal(COMPONENT, "Pulled", message));
        record(
            world,
            pod,
            &Said::normal(COMPONENT, "Created", format!("Created container: {}", text(container, "name"))),
        );
        record(
            world,
            pod,
            &Said::normal(COMPONENT, "Started", format!("Started container {}", text(container, "name"))),
        );
    }
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        set(p, "status.phase", "Running");
        each_container(p, |c, status| started_container(c, status, now));
    });
}

pub(super) fn started_container(container: &Value, status: &mut Value, now: Time) {
    set(status, "state", json!({ "running": { "startedAt": now.rfc3339() } }));
    set(status, "started", true);
    set(status, "image", text(container, "image"));
    let digest = random::hash(text(container, "image"));
    set(
        status,
        "imageID",
        format!(
            "{}@sha256:{digest:016x}{digest:016x}{digest:016x}{digest:016x}",
            text(container, "image").split(':').next().unwrap_or_default()
        ),
    );
    let id = random::hash(&format!("{}{}", now.millis(), text(container, "name")));
    set(status, "containerID", format!("containerd://{id:016x}{id:016x}"));
}

fn fail_pull(world: &mut World, id: &Id, pod: &Arc<Value>, started: Time, image: &str, why: &str) {
    let now = world.now;
    let first = list(pod, "status.containerStatuses").first().unwrap_or(&Value::Null);
    let reason = match text(first, "state.waiting.reason") {
        "ContainerCreating" if started.age(now) < Span::from_millis(500) => {
            return again(world, id, started + Span::from_millis(1000));
        }
        "ErrImagePull" => "ImagePullBackOff",
        _ => "ErrImagePull",
    };
    let why =
        format!("failed to pull and unpack image {image:?}: failed to resolve reference {image:?}: {why}");
    if reason == "ErrImagePull" {
        record(
            world,
            pod,
            &Said::warning(COMPONENT, "Failed", format!("Failed to pull image {image:?}: {why}")),
        );
        record(world, pod, &Said::warning(COMPONENT, "Failed", "Error: ErrImagePull"));
    } else {
        record(world, pod, &Said::normal(COMPONENT, "BackOff", format!("Back-off pulling image {image:?}")));
        record(world, pod, &Said::warning(COMPONENT, "Failed", "Error: ImagePullBackOff"));
    }
    let message = match reason {
        "ErrImagePull" => why,
        _ => format!("Back-off pulling image {image:?}: ErrImagePull: {why}"),
    };
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        each_container(p, |_, status| {
            set(status, "state", json!({ "waiting": { "reason": reason, "message": message } }));
        });
    });
    // an error is shown for some seconds, then the kubelet backs off and tries again
    let next = if reason == "ErrImagePull" { 8 } else { 30 };
    world.absorb();
    world.queue.drop_work(&Work::Pod(id.clone()));
    again(world, id, now + jitter(Span::from_seconds(next), pod));
}

/// Starts containers that were added to a running pod for looking into it.
fn start_ephemeral(world: &mut World, id: &Id, pod: &Arc<Value>) {
    let now = world.now;
    let known = list(pod, "status.ephemeralContainerStatuses");
    let is_new = |c: &&Value| !known.iter().any(|s| text(s, "name") == text(c, "name"));
    let fresh: Vec<Value> = list(pod, "spec.ephemeralContainers").iter().filter(is_new).cloned().collect();
    for container in fresh {
        let (own, image) = (text(&container, "name"), text(&container, "image"));
        for (reason, message) in [
            ("Pulling", format!("Pulling image {image:?}")),
            (
                "Pulled",
                format!(
                    "Successfully pulled image {image:?} in 611ms (611ms including waiting). Image size: 2160406 bytes."
                ),
            ),
            ("Created", format!("Created container: {own}")),
            ("Started", format!("Started container {own}")),
        ] {
            record(world, pod, &Said::normal(COMPONENT, reason, message));
        }
        world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
            let mut status = json!({ "name": own, "lastState": {}, "ready": false, "restartCount": 0 });
            started_container(&container, &mut status, now);
            list_mut(place(p, "status.ephemeralContainerStatuses")).push(status);
        });
    }
}

/// A container runs: it becomes ready, ends well, or fails.
fn run(world: &mut World, id: &Id, pod: &Arc<Value>, first: &Value) {
    let now = world.now;
    start_ephemeral(world, id, pod);
    let began = time(first, "state.running.startedAt").unwrap_or(now);
    let memory = world.faulty(pod, FaultKind::OutOfMemory);
    if memory || world.faulty(pod, FaultKind::Crash) {
        let end = began + jitter(CRASH_AFTER, pod);
        let how = if memory { ("OOMKilled", 137) } else { ("Error", 1) };
        return if now < end { again(world, id, end) } else { crash(world, id, pod, began, how) };
    }
    let always = text(pod, "spec.restartPolicy") == "Always";
    let end = match programs::course(pod, now) {
        Course::Serves if always => None,
        Course::Serves => {
            let seconds = annotation(pod, RUNS).parse().map_or(JOB_RUNS, Span::from_seconds);
            Some((began + jitter(seconds, pod), 0))
        }
        Course::Waits => None,
        Course::Ends { after, code } => Some((began + after, code)),
    };
    if let Some((end, code)) = end {
        match (now >= end, code) {
            (false, _) => again(world, id, end),
            (true, 0) if !always => return succeed(world, id, began),
            (true, 0) => return crash(world, id, pod, began, ("Completed", 0)),
            (true, code) => return crash(world, id, pod, began, ("Error", code)),
        }
    }
    let sick = world.faulty(pod, FaultKind::NotReady);
    let ready = holds(pod, "Ready");
    if sick {
        if ready || time(pod, "status.startTime").is_some_and(|s| s.age(now) > world.timing.ready) {
            let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
            record(world, pod, &Said::warning(COMPONENT, "Unhealthy", message));
        }
        if ready {
            set_ready(world, id, false, now);
        }
        world.absorb();
        world.queue.drop_work(&Work::Pod(id.clone()));
        return again(world, id, now + Span::from_seconds(10));
    }
    let due = began + jitter(world.timing.ready, pod);
    if !ready && now < due {
        return again(world, id, due);
    }
    if !ready {
        set_ready(world, id, true, now);
    }
}

pub(super) fn set_ready(world: &mut World, id: &Id, ready: bool, now: Time) {
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| mark_ready(p, ready, now));
}

fn mark_ready(pod: &mut Value, ready: bool, now: Time) {
    let names = list(pod, "spec.containers").iter().map(|c| text(c, "name")).collect::<Vec<_>>().join(" ");
    each_container(pod, |_, status| set(status, "ready", ready));
    for kind in ["Ready", "ContainersReady"] {
        if ready {
            set_condition(pod, kind, "True", "", "", now);
        } else {
            let message = format!("containers with unready status: [{names}]");
            set_condition(pod, kind, "False", "ContainersNotReady", &message, now);
        }
    }
}

fn backoff(restarts: i64) -> Span {
    Span::from_seconds((BACKOFF << (restarts - 1).clamp(0, 5)).min(LONGEST_BACKOFF))
}

fn crash(world: &mut World, id: &Id, pod: &Arc<Value>, began: Time, (reason, code): (&str, i32)) {
    let now = world.now;
    let ended = json!({ "reason": reason, "exitCode": code, "startedAt": began.rfc3339(), "finishedAt": now.rfc3339() });
    if text(pod, "spec.restartPolicy") == "Never" {
        world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
            mark_ready(p, false, now);
            set(p, "status.phase", "Failed");
            each_container(p, |_, s| set(s, "state", json!({ "terminated": ended })));
        });
        return;
    }
    let own = text(list(pod, "spec.containers").first().unwrap_or(&Value::Null), "name").to_owned();
    let restarts = list(pod, "status.containerStatuses").first().map_or(0, |s| int(s, "restartCount")) + 1;
    let wait = backoff(restarts);
    let message = format!(
        "back-off {}s restarting failed container={own} pod={}_{}({})",
        wait.seconds(),
        name(pod),
        id.namespace,
        uid(pod)
    );
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        mark_ready(p, false, now);
        each_container(p, |_, s| {
            set(s, "lastState", json!({ "terminated": ended }));
            set(s, "restartCount", restarts);
            set(s, "started", false);
            set(s, "state", json!({ "waiting": { "reason": "CrashLoopBackOff", "message": message } }));
        });
    });
    let text = format!(
        "Back-off restarting failed container {own} in pod {}_{}({})",
        name(pod),
        id.namespace,
        uid(pod)
    );
    record(world, pod, &Said::warning(COMPONENT, "BackOff", text));
}

/// A container has ended by itself, and is started again at once.
pub(super) fn start_again(world: &mut World, id: &Id) {
    let now = world.now;
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        let began = text(p, "status.startTime").to_owned();
        let container = list(p, "spec.containers").first().cloned().unwrap_or_default();
        let Some(status) = p.pointer_mut("/status/containerStatuses/0") else { return };
        let began = match text(status, "state.running.startedAt") {
            "" => began,
            since => since.to_owned(),
        };
        let ended =
            json!({ "exitCode": 0, "reason": "Completed", "startedAt": began, "finishedAt": now.rfc3339() });
        let restarts = int(status, "restartCount") + 1;
        set(status, "lastState", json!({ "terminated": ended }));
        set(status, "restartCount", restarts);
        started_container(&container, status, now);
    });
}

/// A failed container starts again when its back-off is over.
fn restart(world: &mut World, id: &Id, pod: &Arc<Value>, first: &Value) {
    let now = world.now;
    let ended = time(first, "lastState.terminated.finishedAt").unwrap_or(now);
    let due = ended + backoff(int(first, "restartCount"));
    if now < due {
        return again(world, id, due);
    }
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        each_container(p, |c, status| started_container(c, status, now));
    });
    let own = text(first, "name");
    record(world, pod, &Said::normal(COMPONENT, "Started", format!("Started container {own}")));
}

fn succeed(world: &mut World, id: &Id, began: Time) {
    let now = world.now;
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        mark_ready(p, false, now);
        set(p, "status.phase", "Succeeded");
        for kind in ["Ready", "ContainersReady"] {
            set_condition(p, kind, "False", "PodCompleted", "", now);
        }
        each_container(p, |_, s| {
            let ended = json!({ "reason": "Completed", "exitCode": 0, "startedAt": began.rfc3339(), "finishedAt": now.rfc3339() });
            set(s, "state", json!({ "terminated": ended }));
            set(s, "started", false);
        });
    });
}

/// Gives a pod that is about to be made the state of one that runs and serves.
pub(super) fn make_ready(world: &mut World, pod: &mut Value) {
    let now = world.now;
    let h = world.store.random().next();
    let ip = format!("10.{}.{}.{}", 32 + h % 64, h >> 8 & 255, 1 + (h >> 16) % 254);
    set(pod, "status.phase", "Running");
    set(pod, "status.startTime", now.rfc3339());
    set(pod, "status.podIP", ip.clone());
    set(pod, "status.podIPs", json!([{ "ip": ip }]));
    let host = host(world, text(pod, "spec.nodeName"));
    set_host(pod, &host);
    for kind in ["PodScheduled", "Initialized"] {
        set_condition(pod, kind, "True", "", "", now);
    }
    each_container(pod, |c, status| started_container(c, status, now));
    mark_ready(pod, true, now);
    for container in list(pod, "spec.containers") {
        world.pulled.insert((text(pod, "spec.nodeName").to_owned(), text(container, "image").to_owned()));
    }
}
