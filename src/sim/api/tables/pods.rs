//! The table of pods.

use crate::sim::json::{Value, json};

use super::{Column, age, human};
use crate::model::Time;
use crate::sim::fields::{deleting, flag, holds, int, list, text, time};

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
    let statuses = list(pod, "status.containerStatuses");
    let total = list(pod, "spec.containers").len();
    let ready = statuses.iter().filter(|c| flag(c, "ready")).count();
    let restarts: i64 = statuses.iter().map(|c| int(c, "restartCount")).sum();
    let last = statuses.iter().filter_map(|c| time(c, "lastState.terminated.finishedAt")).max();
    let restarts = match last {
        Some(last) if restarts > 0 => format!("{restarts} ({} ago)", human(last.age(now))),
        _ => restarts.to_string(),
    };
    let or_none = |t: &str| json!(if t.is_empty() { "<none>" } else { t });
    vec![
        json!(format!("{ready}/{total}")),
        json!(status(pod)),
        json!(restarts),
        age(pod, now),
        or_none(text(pod, "status.podIP")),
        or_none(text(pod, "spec.nodeName")),
        or_none(text(pod, "status.nominatedNodeName")),
        json!("<none>"),
    ]
}

/// The word of column STATUS (`printPod`).
fn status(pod: &Value) -> String {
    if deleting(pod) {
        return if text(pod, "status.reason") == "NodeLost" { "Unknown" } else { "Terminating" }.to_owned();
    }
    let mut reason = match text(pod, "status.reason") {
        "" => text(pod, "status.phase"),
        reason => reason,
    }
    .to_owned();
    let mut running = false;
    for container in list(pod, "status.containerStatuses").iter().rev() {
        let waiting = text(container, "state.waiting.reason");
        let ended = text(container, "state.terminated.reason");
        if !waiting.is_empty() {
            waiting.clone_into(&mut reason);
        } else if !ended.is_empty() {
            ended.clone_into(&mut reason);
        } else if !container["state"]["terminated"].is_null() {
            reason = format!("ExitCode:{}", int(container, "state.terminated.exitCode"));
        } else if flag(container, "ready") && !container["state"]["running"].is_null() {
            running = true;
        }
    }
    if reason == "Completed" && running {
        reason = if holds(pod, "Ready") { "Running" } else { "NotReady" }.to_owned();
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_the_word_that_matters() {
        assert_eq!(status(&json!({"status": {"phase": "Pending"}})), "Pending");
        let waiting = json!({"status": {"phase": "Pending", "containerStatuses": [
            {"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}});
        assert_eq!(status(&waiting), "ImagePullBackOff");
        let leaving = json!({"metadata": {"deletionTimestamp": "2026-11-21T02:00:00Z"}, "status": {"phase": "Running"}});
        assert_eq!(status(&leaving), "Terminating");
    }
}
