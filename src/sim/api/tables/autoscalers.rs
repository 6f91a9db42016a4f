//! The table of horizontal autoscalers.

use crate::sim::json::{Value, json};

use super::age;
use crate::model::Time;
use crate::sim::fields::{at, int, list, maybe_int, text};

/// Metrics that are shown; of more, how many more there are.
const SHOWN: usize = 2;

pub(super) fn cells(o: &Value, now: Time) -> Vec<Value> {
    let reference =
        format!("{}/{}", text(o, "spec.scaleTargetRef.kind"), text(o, "spec.scaleTargetRef.name"));
    vec![
        json!(reference),
        json!(targets(list(o, "spec.metrics"), list(o, "status.currentMetrics"))),
        json!(maybe_int(o, "spec.minReplicas").map_or("<unset>".to_owned(), |n| n.to_string())),
        json!(int(o, "spec.maxReplicas").to_string()),
        json!(int(o, "status.currentReplicas").to_string()),
        age(o, now),
    ]
}

/// What there is of each metric and what there should be (`formatHPAMetrics`).
fn targets(wanted: &[Value], current: &[Value]) -> String {
    if wanted.is_empty() {
        return "<none>".to_owned();
    }
    let each = wanted.iter().enumerate();
    let all: Vec<String> =
        each.map(|(i, metric)| one(metric, current.get(i).unwrap_or(&Value::Null))).collect();
    let more = all.len().saturating_sub(SHOWN);
    let shown = all.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} + {more} more...") } else { shown }
}

/// One metric: `cpu: 40%/70%`, `12/100`, `500m/1 (avg)`.
fn one(metric: &Value, status: &Value) -> String {
    let key = match text(metric, "type") {
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        "Pods" => "pods",
        "Object" => "object",
        "External" => "external",
        _ => return "<unknown type>".to_owned(),
    };
    let target = at(metric, &format!("{key}.target"));
    let now = at(status, &format!("{key}.current"));
    let said = |v: &Value, field: &str| match &v[field] {
        Value::Null => None,
        Value::String(text) => Some(text.to_string()),
        other => Some(other.to_string()),
    };
    let unknown = || "<unknown>".to_owned();
    let average = said(target, "averageValue");
    if key.to_lowercase().ends_with("resource") {
        let name = text(metric, &format!("{key}.name"));
        let percent = |v: &Value| said(v, "averageUtilization").map(|n| format!("{n}%"));
        let (now, target) = match average {
            Some(target) => (said(now, "averageValue"), target),
            None => (percent(now), percent(target).unwrap_or_else(|| "<auto>".to_owned())),
        };
        return format!("{name}: {}/{target}", now.unwrap_or_else(unknown));
    }
    match average {
        Some(target) => {
            let mark = if key == "pods" { "" } else { " (avg)" };
            format!("{}/{target}{mark}", said(now, "averageValue").unwrap_or_else(unknown))
        }
        None => {
            let target = said(target, "value").unwrap_or_else(|| "0".to_owned());
            format!("{}/{target}", said(now, "value").unwrap_or_else(unknown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_metric_is_shown_as_kubectl_knows_it() {
        let metrics = json!([
            { "type": "Resource", "resource": { "name": "cpu", "target": { "averageUtilization": 70 } } },
            { "type": "External", "external": { "metric": { "name": "q" }, "target": { "averageValue": "30" } } },
            { "type": "Pods", "pods": { "metric": { "name": "r" }, "target": { "averageValue": "1k" } } },
        ]);
        let status = json!([{ "type": "Resource", "resource": { "name": "cpu", "current": { "averageUtilization": 40 } } }]);
        let (metrics, status) = (metrics.as_array().unwrap(), status.as_array().unwrap());
        assert_eq!(targets(&metrics[..2], status), "cpu: 40%/70%, <unknown>/30 (avg)");
        assert_eq!(targets(metrics, status), "cpu: 40%/70%, <unknown>/30 (avg) + 1 more...");
        assert_eq!(targets(&metrics[2..], &[]), "<unknown>/1k");
        assert_eq!(targets(&[], &[]), "<none>");
    }
}
