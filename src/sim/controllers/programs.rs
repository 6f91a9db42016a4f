//! What the programs of containers do by themselves, and what ends because somebody at a terminal
//! ended it.

use super::kubelet;
use crate::model::{Span, Time};
use crate::sim::fields::{at, int, list, set, set_condition, text, time};
use crate::sim::json::{Value, json};
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::shell;
use crate::sim::world::World;

/// The course of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Course {
    /// Nothing is known of its program: it serves, or is the work of a job.
    Serves,
    /// It waits for somebody who types.
    Waits,
    /// It ends by itself after a while.
    Ends { after: Span, code: i32 },
}

/// The course of a container of a pod.
pub(super) fn course(pod: &Value, container: &Value, now: Time) -> Course {
    match shell::outcome(pod, container, now) {
        Some(ran) => Course::Ends { after: ran.takes, code: ran.code },
        None if shell::waits(pod, container, now) => Course::Waits,
        None => Course::Serves,
    }
}

/// Ends a container whose program ended at somebody's terminal: it starts again, or its pod is over.
pub(crate) fn end_container(world: &mut World, id: &Id, container: &str, code: i32) {
    let Some(pod) = world.pod(id) else { return };
    let now = world.now;
    let ended = |status: &Value| {
        let began = time(status, "state.running.startedAt").unwrap_or(now).rfc3339();
        let reason = if code == 0 { "Completed" } else { "Error" };
        json!({ "terminated": { "reason": reason, "exitCode": code, "startedAt": began, "finishedAt": now.rfc3339() } })
    };
    let over = match text(&pod, "spec.restartPolicy") {
        "Never" => true,
        "OnFailure" => code == 0,
        _ => false,
    };
    let own = crate::sim::fields::uid(&pod).to_owned();
    world.store.update(Res::Pods, &id.namespace, &id.name, |pod| {
        let spec = list(pod, "spec.containers").iter().find(|c| text(c, "name") == container).cloned();
        let of = |status: &&mut Value| text(status, "name") == container;
        let key = if spec.is_some() { "containerStatuses" } else { "ephemeralContainerStatuses" };
        let statuses = pod.pointer_mut(&format!("/status/{key}")).and_then(Value::as_array_mut);
        let Some(status) = statuses.into_iter().flatten().find(of) else { return };
        if at(status, "state.running").is_null() {
            return;
        }
        let state = ended(status);
        set(status, "ready", false);
        match spec {
            Some(spec) if !over => {
                set(status, "lastState", state);
                let restarts = int(status, "restartCount") + 1;
                set(status, "restartCount", restarts);
                kubelet::started(&spec, status, &own, now);
            }
            Some(_) => {
                set(status, "state", state);
                set(status, "started", false);
                finish(pod, now);
            }
            None => set(status, "state", state),
        }
    });
}

/// A pod is over when the last of its containers is.
fn finish(pod: &mut Value, now: Time) {
    let ended = |s: &Value| at(s, "state.terminated").clone();
    let ends: Vec<Value> = list(pod, "status.containerStatuses").iter().map(ended).collect();
    if ends.iter().any(Value::is_null) {
        return;
    }
    let well = ends.iter().all(|e| int(e, "exitCode") == 0);
    set(pod, "status.phase", if well { "Succeeded" } else { "Failed" });
    let reason = if well { "PodCompleted" } else { "PodFailed" };
    for kind in ["Ready", "ContainersReady"] {
        set_condition(pod, kind, "False", reason, "", now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(policy: &str) -> (World, Id) {
        let mut world = World::new("w", "v1.36.3", 1, Time::from_seconds(1_795_226_400));
        let running = json!({ "running": { "startedAt": "2026-11-21T02:00:00Z" } });
        let pod = json!({
            "metadata": { "name": "p", "namespace": "a" },
            "spec": { "restartPolicy": policy, "containers": [{ "name": "c", "image": "busybox", "stdin": true }] },
            "status": { "phase": "Running",
                "containerStatuses": [{ "name": "c", "restartCount": 0, "state": running }],
                "ephemeralContainerStatuses": [{ "name": "debug", "state": running }] },
        });
        let now = world.now;
        let id = Id::of(&world.store.create(Res::Pods, pod, now).unwrap());
        (world, id)
    }

    #[test]
    fn who_leaves_a_terminal_ends_its_container() {
        for (policy, code, phase, restarts) in [
            ("Never", 0, "Succeeded", 0),
            ("Never", 3, "Failed", 0),
            ("OnFailure", 0, "Succeeded", 0),
            ("OnFailure", 1, "Running", 1),
            ("Always", 0, "Running", 1),
        ] {
            let (mut world, id) = world(policy);
            end_container(&mut world, &id, "c", code);
            let pod = world.pod(&id).unwrap();
            let status = &list(&pod, "status.containerStatuses")[0];
            assert_eq!(
                (text(&pod, "status.phase"), int(status, "restartCount")),
                (phase, restarts),
                "{policy}"
            );
        }
        let (mut world, id) = world("Always");
        end_container(&mut world, &id, "debug", 0);
        let pod = world.pod(&id).unwrap();
        let status = &list(&pod, "status.ephemeralContainerStatuses")[0];
        assert_eq!(text(status, "state.terminated.reason"), "Completed");
    }

    #[test]
    fn a_course_is_known_of_programs_that_are() {
        let of = |container: Value| {
            let pod = json!({ "spec": { "containers": [container.clone()] } });
            course(&pod, &container, Time::from_seconds(0))
        };
        assert_eq!(of(json!({ "image": "nginx:1" })), Course::Serves);
        assert_eq!(of(json!({ "image": "busybox", "stdin": true })), Course::Waits);
        let slow = json!({ "image": "busybox", "command": ["sleep", "60"] });
        assert_eq!(of(slow), Course::Ends { after: Span::from_seconds(60), code: 0 });
    }
}
