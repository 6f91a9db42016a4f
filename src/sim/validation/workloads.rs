//! What keeps pods running, and what runs them to an end (`pkg/apis/apps/validation`,
//! `pkg/apis/batch/validation`, `pkg/apis/autoscaling/validation`).

use super::NOT_NEGATIVE;
use super::pods::pod;
use super::syntax::labels;
use crate::sim::controllers::Schedule;
use crate::sim::fields::{at, int, list, map, maybe_int, text};
use crate::sim::json::{Value, json};
use crate::sim::refusal::Cause;
use crate::sim::resources::Res;
use crate::sim::selector::Labels;

pub(super) fn schedule(new: &Value, causes: &mut Vec<Cause>) {
    let (schedule, zone) = (text(new, "spec.schedule"), text(new, "spec.timeZone"));
    if schedule.is_empty() {
        return causes.push(Cause::required("spec.schedule", ""));
    }
    if let Err(why) = Schedule::parse(schedule, "") {
        causes.push(Cause::invalid("spec.schedule", &json!(schedule), &why));
    } else if let Err(why) = Schedule::parse(schedule, zone) {
        causes.push(Cause::invalid("spec.timeZone", &json!(zone), &why));
    }
}

pub(super) fn workload(new: &Value, causes: &mut Vec<Cause>) {
    let selector = at(new, "spec.selector");
    let labels = map(new, "spec.template.metadata.labels");
    match Labels::of(selector) {
        None => {
            causes.push(Cause::required("spec.selector", ""));
            let value = if labels.is_empty() { Value::Null } else { Value::Object(labels.clone()) };
            causes.push(Cause::invalid(
                "spec.template.metadata.labels",
                &value,
                "`selector` does not match template `labels`",
            ));
        }
        Some(_)
            if map(new, "spec.selector.matchLabels").is_empty()
                && list(new, "spec.selector.matchExpressions").is_empty() =>
        {
            causes.push(Cause::invalid(
                "spec.selector",
                selector,
                "empty selector is invalid for deployment",
            ));
        }
        Some(wanted) if !wanted.matches(labels) => {
            let value = Value::Object(labels.clone());
            let why = "`selector` does not match template `labels`";
            causes.push(Cause::invalid("spec.template.metadata.labels", &value, why));
        }
        Some(_) => {}
    }
    template(new, causes);
}

/// A replication controller, whose selector is a map (`ValidateReplicationControllerSpec`).
pub(super) fn controller(new: &Value, causes: &mut Vec<Cause>) {
    let (wanted, given) = (map(new, "spec.selector"), map(new, "spec.template.metadata.labels"));
    if wanted.is_empty() {
        causes.push(Cause::required("spec.selector", ""));
    }
    if at(new, "spec.template").is_null() {
        return causes.push(Cause::required("spec.template", ""));
    }
    if wanted.iter().any(|(key, value)| given.get(key) != Some(value)) {
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", &Value::Object(given.clone()), why));
    }
    template(new, causes);
}

/// The pods that go on for ever.
fn template(new: &Value, causes: &mut Vec<Cause>) {
    labels(at(new, "spec.template.metadata.labels"), "spec.template.metadata.labels", causes);
    pod(at(new, "spec.template.spec"), "spec.template.spec", causes);
    let policy = text(new, "spec.template.spec.restartPolicy");
    if !["", "Always"].contains(&policy) {
        causes.push(Cause::unsupported("spec.template.spec.restartPolicy", policy, &["Always"]));
    }
}

pub(super) fn job(template: &Value, path: &str, causes: &mut Vec<Cause>) {
    let field = format!("{path}.spec.restartPolicy");
    match text(template, "spec.restartPolicy") {
        "OnFailure" | "Never" => {}
        // what pods do when they are not told
        "" | "Always" => causes.push(Cause::required(&field, "valid values: \"OnFailure\", \"Never\"")),
        other => causes.push(Cause::unsupported(&field, other, &["OnFailure", "Never"])),
    }
    labels(at(template, "metadata.labels"), &format!("{path}.metadata.labels"), causes);
    pod(at(template, "spec"), &format!("{path}.spec"), causes);
}

pub(super) fn autoscaler(new: &Value, causes: &mut Vec<Cause>) {
    let (least, most) = (maybe_int(new, "spec.minReplicas").unwrap_or(1), int(new, "spec.maxReplicas"));
    if most < 1 {
        causes.push(Cause::invalid("spec.maxReplicas", &json!(most), "must be greater than 0"));
    } else if most < least {
        let why = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid("spec.maxReplicas", &json!(most), why));
    }
}

/// The counts in a status, those of them that are of all replicas, and how availability is said.
type Counts = (&'static [&'static str], &'static [&'static str], &'static str);

/// What a status counts, by kind.
fn counts(res: Res) -> Option<Counts> {
    Some(match res {
        Res::Deployments => (
            &[
                "observedGeneration",
                "replicas",
                "updatedReplicas",
                "readyReplicas",
                "availableReplicas",
                "unavailableReplicas",
                "terminatingReplicas",
                "collisionCount",
            ],
            &["updatedReplicas", "readyReplicas", "availableReplicas"],
            "cannot be greater than readyReplicas",
        ),
        Res::ReplicaSets | Res::ReplicationControllers => (
            &[
                "replicas",
                "fullyLabeledReplicas",
                "readyReplicas",
                "availableReplicas",
                "observedGeneration",
                "terminatingReplicas",
            ],
            &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
            "cannot be greater than readyReplicas",
        ),
        Res::StatefulSets => (
            &[
                "replicas",
                "readyReplicas",
                "currentReplicas",
                "updatedReplicas",
                "availableReplicas",
                "observedGeneration",
                "collisionCount",
            ],
            &["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"],
            "cannot be greater than status.readyReplicas",
        ),
        Res::DaemonSets => (
            &[
                "currentNumberScheduled",
                "numberMisscheduled",
                "desiredNumberScheduled",
                "numberReady",
                "observedGeneration",
                "updatedNumberScheduled",
                "numberAvailable",
                "numberUnavailable",
                "collisionCount",
            ],
            &[],
            "",
        ),
        _ => return None,
    })
}

/// What a status says of how many there are (`ValidateDeploymentStatus` and its like).
pub(super) fn status(res: Res, new: &Value, causes: &mut Vec<Cause>) {
    let Some((all, of_all, availability)) = counts(res) else { return };
    let count = |field: &str| int(new, &format!("status.{field}"));
    let mut wrong = |field: &str, why: &str| {
        causes.push(Cause::invalid(&format!("status.{field}"), &json!(count(field)), why));
    };
    for field in all.iter().filter(|field| count(field) < 0) {
        wrong(field, NOT_NEGATIVE);
    }
    for field in of_all.iter().filter(|field| count(field) > count("replicas")) {
        wrong(field, "cannot be greater than status.replicas");
    }
    if !availability.is_empty() && count("availableReplicas") > count("readyReplicas") {
        wrong("availableReplicas", availability);
    }
}
