//! The table of pods.

use crate::sim::json::{Value, json};

use super::{Column, age, human};
use crate::model::Time;
use crate::sim::fields::{condition, deleting, flag, holds, int, list, text, time};

pub(super) const COLUMNS: &[Column] = &[
    ("Ready", "string", 0),
    ("Status", "string", 0),
    ("Restarts", "string", 0),
    ("Age", "string", 0),
    ("IP", "string", 1),
    ("Node", "string", 1),
    ("Nominated Node", "string", 1),
    ("Readiness Gates", "string", 1),
];

pub(super) fn cells(pod: &Value, now: Time) -> Vec<Value> {
    let shown = Shown::of(pod);
    let restarts = match shown.last {
        Some(last) if shown.restarts > 0 => format!("{} ({} ago)", shown.restarts, human(last.age(now))),
        _ => shown.restarts.to_string(),
    };
    let or_none = |t: &str| json!(if t.is_empty() { "<none>" } else { t });
    vec![
        json!(format!("{}/{}", shown.ready, shown.total)),
        json!(status(pod, shown.word)),
        json!(restarts),
        age(pod, now),
        or_none(text(pod, "status.podIP")),
        or_none(text(pod, "spec.nodeName")),
        or_none(text(pod, "status.nominatedNodeName")),
        json!(gates(pod)),
    ]
}

/// What the containers of a pod say about it.
struct Shown {
    ready: usize,
    total: usize,
    restarts: i64,
    /// When a container ended last that was started again.
    last: Option<Time>,
    word: String,
}

/// Whether an init container of this name goes on beside the others.
fn is_sidecar(pod: &Value, name: &str) -> bool {
    let of = |c: &&Value| text(c, "name") == name;
    list(pod, "spec.initContainers").iter().find(of).is_some_and(|c| text(c, "restartPolicy") == "Always")
}

impl Shown {
    /// What the columns say (`printPod`).
    fn of(pod: &Value) -> Shown {
        let word = match text(pod, "status.reason") {
            "" => text(pod, "status.phase"),
            reason => reason,
        };
        let gated = condition(pod, "PodScheduled").is_some_and(|c| text(c, "reason") == "SchedulingGated");
        let word = if gated { "SchedulingGated" } else { word }.to_owned();
        let beside = list(pod, "spec.initContainers").iter().filter(|c| text(c, "restartPolicy") == "Always");
        let total = list(pod, "spec.containers").len() + beside.count();
        let mut shown = Shown { ready: 0, total, restarts: 0, last: None, word };
        let begins = shown.begin(pod);
        if !begins || holds(pod, "Initialized") {
            shown.go_on(pod);
        }
        shown
    }

    fn restarted(&mut self, container: &Value) {
        self.restarts += int(container, "restartCount");
        self.last = self.last.max(time(container, "lastState.terminated.finishedAt"));
    }

    /// Looks at the init containers; says whether they are not done yet.
    fn begin(&mut self, pod: &Value) -> bool {
        let all = list(pod, "spec.initContainers").len();
        for (i, container) in list(pod, "status.initContainerStatuses").iter().enumerate() {
            self.restarted(container);
            let ended = &container["state"]["terminated"];
            if ended.is_object() && int(ended, "exitCode") == 0 {
                continue;
            }
            if is_sidecar(pod, text(container, "name")) && flag(container, "started") {
                self.ready += usize::from(flag(container, "ready"));
                continue;
            }
            self.word = match (text(ended, "reason"), text(container, "state.waiting.reason")) {
                ("", _) if ended.is_object() => format!("Init:ExitCode:{}", int(ended, "exitCode")),
                (reason, _) if ended.is_object() => format!("Init:{reason}"),
                (_, "" | "PodInitializing") => format!("Init:{i}/{all}"),
                (_, reason) => format!("Init:{reason}"),
            };
            return true;
        }
        false
    }

    /// Looks at the containers once the init containers are done: restarts of those that are over
    /// count no more.
    fn go_on(&mut self, pod: &Value) {
        (self.restarts, self.last) = (0, None);
        for container in list(pod, "status.initContainerStatuses") {
            if is_sidecar(pod, text(container, "name")) {
                self.restarted(container);
            }
        }
        let (mut running, mut error) = (false, None);
        for container in list(pod, "status.containerStatuses").iter().rev() {
            self.restarted(container);
            let waiting = text(container, "state.waiting.reason");
            let ended = &container["state"]["terminated"];
            if !waiting.is_empty() {
                waiting.clone_into(&mut self.word);
            } else if ended.is_object() {
                self.word = match text(ended, "reason") {
                    "" => format!("ExitCode:{}", int(ended, "exitCode")),
                    reason => reason.to_owned(),
                };
                if int(ended, "exitCode") != 0 {
                    error = Some(self.word.clone());
                }
            } else if flag(container, "ready") && container["state"]["running"].is_object() {
                running = true;
                self.ready += 1;
            }
        }
        if self.word == "Completed" {
            self.word = match (running, error) {
                (true, _) if holds(pod, "Ready") => "Running".to_owned(),
                (_, Some(error)) => error,
                (true, None) => "NotReady".to_owned(),
                (false, None) => return,
            };
        }
    }
}

/// The word of column STATUS: a pod that goes is going, whatever its containers say.
fn status(pod: &Value, word: String) -> String {
    let over = ["Succeeded", "Failed"].contains(&text(pod, "status.phase"));
    match deleting(pod) {
        true if text(pod, "status.reason") == "NodeLost" => "Unknown".to_owned(),
        true if !over => "Terminating".to_owned(),
        _ => word,
    }
}

/// How many of a pod's readiness gates are open.
fn gates(pod: &Value) -> String {
    match list(pod, "spec.readinessGates") {
        [] => "<none>".to_owned(),
        gates => {
            let open = gates.iter().filter(|g| holds(pod, text(g, "conditionType"))).count();
            format!("{open}/{}", gates.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(pod: &Value) -> String {
        cells(pod, Time::from_seconds(0))[1].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_status_is_the_word_that_matters() {
        assert_eq!(word(&json!({"status": {"phase": "Pending"}})), "Pending");
        let waiting = json!({"status": {"phase": "Pending", "containerStatuses": [
            {"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}});
        assert_eq!(word(&waiting), "ImagePullBackOff");
        let leaving = json!({"metadata": {"deletionTimestamp": "2026-11-21T02:00:00Z"}, "status": {"phase": "Running"}});
        assert_eq!(word(&leaving), "Terminating");
        let gated = json!({"status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}});
        assert_eq!(word(&gated), "SchedulingGated");
    }

    #[test]
    fn init_containers_have_their_own_words_until_they_are_done() {
        let pod = |first: Value, initialized: &str| {
            json!({"spec": {"initContainers": [{"name": "i"}, {"name": "j"}], "containers": [{"name": "c"}]},
                   "status": {"phase": "Pending", "conditions": [{"type": "Initialized", "status": initialized}],
                   "initContainerStatuses": [{"name": "i", "restartCount": 2, "state": first}],
                   "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "PodInitializing"}}}]}})
        };
        let over = json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
        for (state, initialized, said) in [
            (json!({"running": {}}), "False", "Init:0/2"),
            (json!({"waiting": {"reason": "CrashLoopBackOff"}}), "False", "Init:CrashLoopBackOff"),
            (json!({"terminated": {"exitCode": 1, "reason": "Error"}}), "False", "Init:Error"),
            (over, "True", "PodInitializing"),
        ] {
            assert_eq!(word(&pod(state, initialized)), said);
        }
        let cells = cells(&pod(json!({"running": {}}), "False"), Time::from_seconds(0));
        assert_eq!((&cells[0], &cells[2]), (&json!("0/1"), &json!("2")));
    }

    #[test]
    fn readiness_gates_are_counted() {
        let pod = json!({"spec": {"readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]},
                         "status": {"conditions": [{"type": "a", "status": "True"}]}});
        assert_eq!(gates(&pod), "1/2");
    }
}
