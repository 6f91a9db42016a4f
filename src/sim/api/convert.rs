//! Objects between the version in which they are kept and the others in which they are served.

use std::borrow::Cow;

use crate::sim::json::{Value, json};

use crate::sim::fields::{at, list, list_mut, maybe_int, place, set, text, unset};

/// A kept object in another version.
pub(super) fn shown<'a>(api_version: &str, object: &'a Value) -> Cow<'a, Value> {
    match api_version {
        _ if text(object, "apiVersion") == api_version => Cow::Borrowed(object),
        "events.k8s.io/v1" => Cow::Owned(moved(object, api_version, |(old, new)| (old, new))),
        "autoscaling/v1" => Cow::Owned(scaler_v1(object)),
        // custom resources: no conversion but of the name
        _ => {
            let mut out = object.clone();
            set(&mut out, "apiVersion", api_version);
            Cow::Owned(out)
        }
    }
}

/// An object as a client sent it, in the version in which it is kept.
pub(super) fn kept(kept_version: &str, object: Value) -> Value {
    match text(&object, "apiVersion") {
        "events.k8s.io/v1" => moved(&object, kept_version, |(old, new)| (new, old)),
        "autoscaling/v1" if kept_version == "autoscaling/v2" => scaler_v2(object),
        own if own == kept_version => object,
        _ => {
            let mut out = object;
            set(&mut out, "apiVersion", kept_version);
            out
        }
    }
}

/// What events of the two groups call the same things: core's name, and the newer one.
const EVENT: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

type Pair = (&'static str, &'static str);

fn moved(event: &Value, api_version: &str, order: fn(Pair) -> Pair) -> Value {
    let mut out = event.clone();
    for (from, to) in EVENT.map(order) {
        let value = at(event, from).clone();
        unset(&mut out, from);
        if !value.is_null() {
            set(&mut out, to, value);
        }
    }
    set(&mut out, "apiVersion", api_version);
    out
}

/// Where the first version keeps what it has no field for.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

fn is_cpu(metric: &&Value) -> bool {
    text(metric, "resource.name") == "cpu"
}

/// The first version knows one metric, the use of CPU; it keeps the others in an annotation.
fn scaler_v1(scaler: &Value) -> Value {
    let mut out = scaler.clone();
    set(&mut out, "apiVersion", "autoscaling/v1");
    let metrics = list(scaler, "spec.metrics");
    let target = metrics.iter().find(is_cpu).and_then(|m| maybe_int(m, "resource.target.averageUtilization"));
    unset(&mut out, "spec.metrics");
    unset(&mut out, "spec.behavior");
    if let Some(target) = target {
        set(&mut out, "spec.targetCPUUtilizationPercentage", target);
    }
    let others: Vec<Value> = metrics.iter().filter(|m| !is_cpu(m)).cloned().collect();
    if !others.is_empty() {
        crate::sim::fields::annotate(&mut out, METRICS, &Value::from(others).to_string());
    }
    let behavior = at(scaler, "spec.behavior");
    if !behavior.is_null() {
        crate::sim::fields::annotate(&mut out, BEHAVIOR, &behavior.to_string());
    }
    let current = list(scaler, "status.currentMetrics").iter().find(is_cpu);
    let current = current.and_then(|m| maybe_int(m, "resource.current.averageUtilization"));
    unset(&mut out, "status.currentMetrics");
    unset(&mut out, "status.conditions");
    if at(&out, "status.currentReplicas").is_null() {
        set(&mut out, "status.currentReplicas", 0);
    }
    if let Some(current) = current {
        set(&mut out, "status.currentCPUUtilizationPercentage", current);
    }
    out
}

fn scaler_v2(scaler: Value) -> Value {
    let mut out = scaler;
    let target = maybe_int(&out, "spec.targetCPUUtilizationPercentage");
    unset(&mut out, "spec.targetCPUUtilizationPercentage");
    unset(&mut out, "status.currentCPUUtilizationPercentage");
    let others = crate::sim::fields::annotation(&out, METRICS);
    let others = Value::parse(others.as_bytes()).unwrap_or_default();
    let mut metrics = others.as_array().cloned().unwrap_or_default();
    let behavior = crate::sim::fields::annotation(&out, BEHAVIOR);
    let behavior = Value::parse(behavior.as_bytes()).unwrap_or_default();
    if behavior.is_object() {
        set(&mut out, "spec.behavior", behavior);
    }
    if let Some(annotations) = place(&mut out, "metadata.annotations").as_object_mut() {
        annotations.shift_remove(METRICS);
        annotations.shift_remove(BEHAVIOR);
    }
    if at(&out, "metadata.annotations").as_object().is_none_or(crate::sim::json::Map::is_empty) {
        unset(&mut out, "metadata.annotations");
    }
    if let Some(target) = target {
        let wanted = json!({ "type": "Utilization", "averageUtilization": target });
        metrics.insert(0, json!({ "type": "Resource", "resource": { "name": "cpu", "target": wanted } }));
    }
    if !metrics.is_empty() {
        list_mut(place(&mut out, "spec.metrics")).extend(metrics);
    }
    set(&mut out, "apiVersion", "autoscaling/v2");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_back() {
        let v2 = json!({"apiVersion": "autoscaling/v2", "metadata": {"name": "a"}, "status": {"currentReplicas": 2}, "spec": {"maxReplicas": 3, "behavior": {"scaleDown": {"selectPolicy": "Disabled"}}, "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
            {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 70}}},
        ]}});
        let v1 = shown("autoscaling/v1", &v2).into_owned();
        assert_eq!(v1["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 80}));
        assert_eq!(kept("autoscaling/v2", v1), v2);
        let event = json!({"apiVersion": "v1", "message": "m", "involvedObject": {"name": "p"}});
        let new = shown("events.k8s.io/v1", &event).into_owned();
        assert_eq!((text(&new, "note"), text(&new, "regarding.name")), ("m", "p"));
        assert_eq!(kept("v1", new), event);
    }
}
