//! What a pod says of itself: its containers, and the phase and conditions that follow from them
//! (`pkg/kubelet/kubelet_pods.go` `getPhase`, `pkg/kubelet/status/generate.go`).

use super::containers::sidecar;
use super::{host, set_host};
use crate::model::Time;
use crate::sim::fields::{
    at, condition, flag, holds, int, list, list_mut, place, set, set_condition, text, uid,
};
use crate::sim::json::{Value, json};
use crate::sim::queue::Id;
use crate::sim::random;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// Where the statuses of containers are, and where those are that begin a pod.
pub(super) const MAIN: &str = "status.containerStatuses";
pub(super) const INIT: &str = "status.initContainerStatuses";

const KINDS: [(&str, &str); 2] = [("spec.initContainers", INIT), ("spec.containers", MAIN)];

/// The status of a container; null when it has none.
pub(super) fn of<'a>(pod: &'a Value, kind: &str, own: &str) -> &'a Value {
    list(pod, kind).iter().find(|s| text(s, "name") == own).unwrap_or(&Value::Null)
}

/// Writes the status of a container.
pub(super) fn put(pod: &mut Value, kind: &str, status: Value) {
    let all = list_mut(place(pod, kind));
    match all.iter_mut().find(|s| text(s, "name") == text(&status, "name")) {
        Some(old) => *old = status,
        None => all.push(status),
    }
}

/// Whether what an init container is for is done: it ended well, or goes on beside the others.
pub(super) fn initialised(container: &Value, status: &Value) -> bool {
    if sidecar(container) {
        return !at(status, "state.running").is_null() && flag(status, "started");
    }
    let over = at(status, "state.terminated");
    !over.is_null() && int(over, "exitCode") == 0
}

/// Gives every container of a new pod a status: it waits.
pub(super) fn create(pod: &mut Value) {
    let inits = !list(pod, "spec.initContainers").is_empty();
    let reason = if inits { "PodInitializing" } else { "ContainerCreating" };
    for (containers, kind) in KINDS {
        let all: Vec<Value> = list(pod, containers).iter().map(|c| fresh(c, reason)).collect();
        if !all.is_empty() {
            set(pod, kind, all);
        }
    }
}

/// The status of a container that waits for its start.
pub(super) fn fresh(container: &Value, reason: &str) -> Value {
    json!({
        "name": text(container, "name"), "state": { "waiting": { "reason": reason } }, "lastState": {},
        "ready": false, "restartCount": 0, "image": text(container, "image"), "imageID": "", "started": false,
    })
}

/// Whether all containers of a pod are ready.
pub(super) fn all_ready(pod: &Value) -> bool {
    let all = list(pod, MAIN);
    !all.is_empty() && all.iter().all(|s| flag(s, "ready"))
}

/// A container has started.
pub(in crate::sim::controllers) fn started(container: &Value, status: &mut Value, pod: &str, now: Time) {
    let image = text(container, "image");
    set(status, "state", json!({ "running": { "startedAt": now.rfc3339() } }));
    set(status, "started", true);
    set(status, "image", image);
    let digest = random::hash(image);
    let repository = image.split(':').next().unwrap_or_default();
    let digest = format!("{repository}@sha256:{digest:016x}{digest:016x}{digest:016x}{digest:016x}");
    set(status, "imageID", digest);
    let id = random::hash(&format!("{}{pod}{}", now.millis(), text(container, "name")));
    set(status, "containerID", format!("containerd://{id:016x}{id:016x}"));
}

/// A container has ended.
pub(super) fn terminated(status: &mut Value, reason: &str, code: i64, now: Time) {
    let began = match at(status, "state.running.startedAt") {
        Value::Null => now.rfc3339().into(),
        began => began.clone(),
    };
    let id = at(status, "containerID").clone();
    let mut over =
        json!({ "exitCode": code, "reason": reason, "startedAt": began, "finishedAt": now.rfc3339() });
    if !id.is_null() {
        set(&mut over, "containerID", id);
    }
    set(status, "state", json!({ "terminated": over }));
    set(status, "ready", false);
    set(status, "started", false);
}

/// Ends whatever still runs in a pod.
pub(super) fn end(pod: &mut Value, now: Time) {
    for (_, kind) in KINDS {
        if list(pod, kind).iter().any(|s| at(s, "state.terminated").is_null()) {
            for status in list_mut(place(pod, kind)) {
                if at(status, "state.terminated").is_null() {
                    terminated(status, "Error", 137, now);
                }
            }
        }
    }
    if crate::sim::cache::takes_room(pod) {
        let code = |s: &Value| int(s, "state.terminated.exitCode");
        let good = list(pod, MAIN).iter().all(|s| code(s) == 0) && !list(pod, MAIN).is_empty();
        set(pod, "status.phase", if good { "Succeeded" } else { "Failed" });
        conditions(pod, now);
    }
}

/// Works out the phase and the conditions of a pod from its containers.
pub(super) fn settle(pod: &mut Value, now: Time) {
    let phase = phase(pod);
    if text(pod, "status.phase") != phase {
        set(pod, "status.phase", phase);
    }
    if phase == "Succeeded" || phase == "Failed" {
        // those that go on beside the others end with them
        let runs = |s: &Value| !at(s, "state.running").is_null();
        if list(pod, INIT).iter().any(runs) {
            for status in list_mut(place(pod, INIT)).iter_mut().filter(|s| runs(s)) {
                terminated(status, "Completed", 0, now);
            }
        }
    }
    conditions(pod, now);
}

fn phase(pod: &Value) -> &'static str {
    let policy = text(pod, "spec.restartPolicy");
    for container in list(pod, "spec.initContainers") {
        let status = of(pod, INIT, text(container, "name"));
        if initialised(container, status) {
            continue;
        }
        let ended = !sidecar(container) && !at(status, "state.terminated").is_null();
        // one that stays and starts again does not take the pod back to its start
        let begun = list(pod, MAIN).iter().any(|s| at(s, "state.waiting").is_null());
        if ended && policy == "Never" {
            return "Failed";
        }
        if !(sidecar(container) && begun) {
            return "Pending";
        }
    }
    let (mut running, mut waiting, mut stopped, mut good) = (0, 0, 0, 0);
    for container in list(pod, "spec.containers") {
        let status = of(pod, MAIN, text(container, "name"));
        if !at(status, "state.running").is_null() {
            running += 1;
        } else if !at(status, "state.terminated").is_null() {
            stopped += 1;
            good += usize::from(int(status, "state.terminated.exitCode") == 0);
        } else if !at(status, "lastState.terminated").is_null() {
            stopped += 1;
        } else {
            waiting += 1;
        }
    }
    match policy {
        _ if waiting > 0 => "Pending",
        _ if running > 0 || stopped == 0 => "Running",
        "Never" | "OnFailure" if stopped == good => "Succeeded",
        "Never" => "Failed",
        _ => "Running",
    }
}

/// Whether every readiness gate of a pod is open.
pub(super) fn gates_open(pod: &Value) -> bool {
    list(pod, "spec.readinessGates").iter().all(|g| holds(pod, text(g, "conditionType")))
}

fn conditions(pod: &mut Value, now: Time) {
    let phase = text(pod, "status.phase").to_owned();
    let over = match phase.as_str() {
        "Succeeded" => Some("PodCompleted"),
        "Failed" => Some("PodFailed"),
        _ => None,
    };
    let names = |kinds: &[(&str, &'static str)], fits: &dyn Fn(&Value, &Value) -> bool| {
        let all = kinds.iter().flat_map(|(containers, kind)| {
            list(pod, containers).iter().map(|c| (c, of(pod, kind, text(c, "name"))))
        });
        all.filter(|(c, s)| fits(c, s)).map(|(c, _)| text(c, "name")).collect::<Vec<_>>().join(" ")
    };
    let incomplete = names(&KINDS[..1], &|c, s| !initialised(c, s));
    let unready = names(&KINDS[1..], &|_, s| !flag(s, "ready"));
    let begun = list(pod, INIT).iter().chain(list(pod, MAIN)).any(|s| {
        let created = ["", "ContainerCreating", "PodInitializing"].contains(&text(s, "state.waiting.reason"));
        !created || at(s, "state.waiting").is_null()
    });
    let sandbox = if begun && over.is_none() { "True" } else { "False" };
    set_condition(pod, "PodReadyToStartContainers", sandbox, "", "", now);
    // a pod that was initialised once stays so while what goes on beside it starts again
    if incomplete.is_empty() || holds(pod, "Initialized") {
        set_condition(pod, "Initialized", "True", "", "", now);
    } else {
        let message = format!("containers with incomplete status: [{incomplete}]");
        set_condition(pod, "Initialized", "False", "ContainersNotInitialized", &message, now);
    }
    let message = format!("containers with unready status: [{unready}]");
    let shut =
        list(pod, "spec.readinessGates").iter().map(|g| text(g, "conditionType")).find(|g| !holds(pod, g));
    let gate = shut.map(|g| match condition(pod, g) {
        Some(_) => format!("the status of pod readiness gate {g:?} is not \"True\", but False"),
        None => format!("corresponding condition of pod readiness gate {g:?} does not exist."),
    });
    for kind in ["Ready", "ContainersReady"] {
        match (over, &gate) {
            (Some(reason), _) => set_condition(pod, kind, "False", reason, "", now),
            _ if !unready.is_empty() => {
                set_condition(pod, kind, "False", "ContainersNotReady", &message, now);
            }
            (_, Some(gate)) if kind == "Ready" => {
                set_condition(pod, kind, "False", "ReadinessGatesNotReady", gate, now);
            }
            _ => set_condition(pod, kind, "True", "", "", now),
        }
    }
}

/// Says whether all containers of a pod are ready.
pub(in crate::sim::controllers) fn set_ready(world: &mut World, id: &Id, ready: bool, now: Time) {
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        for status in list_mut(place(p, MAIN)) {
            set(status, "ready", ready);
        }
        conditions(p, now);
    });
}

/// A container has ended by itself, and is started again at once.
pub(in crate::sim::controllers) fn start_again(world: &mut World, id: &Id) {
    let now = world.now;
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        let own = uid(p).to_owned();
        let container = list(p, "spec.containers").first().cloned().unwrap_or_default();
        let Some(status) = p.pointer_mut("/status/containerStatuses/0") else { return };
        let ready = flag(status, "ready");
        terminated(status, "Completed", 0, now);
        let over = at(status, "state").clone();
        let restarts = int(status, "restartCount") + 1;
        set(status, "lastState", over);
        set(status, "restartCount", restarts);
        started(&container, status, &own, now);
        set(status, "ready", ready);
    });
}

/// Gives a pod that is about to be made the state of one that runs and serves.
pub(in crate::sim::controllers) fn make_ready(world: &mut World, pod: &mut Value) {
    let now = world.now;
    let h = world.store.random().next();
    let ip = format!("10.{}.{}.{}", 32 + h % 64, h >> 8 & 255, 1 + (h >> 16) % 254);
    set(pod, "status.startTime", now.rfc3339());
    set(pod, "status.podIP", ip.clone());
    set(pod, "status.podIPs", json!([{ "ip": ip }]));
    let host = host(world, text(pod, "spec.nodeName"));
    set_host(pod, &host);
    set_condition(pod, "PodScheduled", "True", "", "", now);
    create(pod);
    let own = format!("{h:x}");
    for (containers, kind) in KINDS {
        for container in list(pod, containers).to_vec() {
            let mut status = of(pod, kind, text(&container, "name")).clone();
            started(&container, &mut status, &own, now);
            if kind == INIT && !sidecar(&container) {
                terminated(&mut status, "Completed", 0, now);
            }
            set(&mut status, "ready", true);
            put(pod, kind, status);
            world
                .pulled
                .insert((text(pod, "spec.nodeName").to_owned(), text(&container, "image").to_owned()));
        }
    }
    settle(pod, now);
}
