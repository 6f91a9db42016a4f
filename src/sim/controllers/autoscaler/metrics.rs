//! What the metrics of an autoscaler say (`pkg/controller/podautoscaler/replica_calculator.go`).

use super::Scaled;
use crate::model::{Resources, quantity};
use crate::sim::controllers::{keda, pods};
use crate::sim::fields::{at, holds, list, maybe_int, namespace, pod_requests, text, uid};
use crate::sim::json::{Value, json};
use crate::sim::resources::Res;
use crate::sim::world::World;

/// Within a tenth of its target nothing is done (`--horizontal-pod-autoscaler-tolerance`).
const TOLERANCE: f64 = 0.1;

/// What a metric is now.
#[derive(Debug)]
pub(super) struct Measured {
    /// What it is called in messages.
    pub(super) called: String,
    /// The replicas that it asks for.
    pub(super) wish: i64,
    /// As it is in the status.
    status: Value,
}

/// A metric that cannot be read, and why.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// What could not be got, where several are told of at once.
    pub(super) source: String,
}

/// What the metrics of an autoscaler are.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) measured: Vec<Measured>,
    pub(super) invalid: Vec<Invalid>,
    /// Each of them as it is in the status; one that cannot be read is of no type there.
    pub(super) statuses: Vec<Value>,
}

/// Reads every metric of an autoscaler.
pub(super) fn measure(world: &World, scaler: &Value, scaled: &Scaled) -> Reading {
    let sample = Sample::of(world, &scaled.object);
    let mut reading = Reading::default();
    for metric in list(scaler, "spec.metrics") {
        match read(world, scaler, scaled, &sample, metric) {
            Ok(found) => {
                reading.statuses.push(found.status.clone());
                reading.measured.push(found);
            }
            Err(why) => {
                reading.statuses.push(json!({ "type": "" }));
                reading.invalid.push(why);
            }
        }
    }
    reading
}

fn read(
    world: &World,
    scaler: &Value,
    scaled: &Scaled,
    sample: &Sample,
    metric: &Value,
) -> Result<Measured, Invalid> {
    let custom = |field: &str| {
        let own = text(metric, &format!("{field}.metric.name"));
        let why = "no custom metrics API (custom.metrics.k8s.io) registered";
        format!("unable to get metric {own}: unable to fetch metrics from custom metrics API: {why}")
    };
    match text(metric, "type") {
        "Resource" => resource(scaled, sample, at(metric, "resource"), "resource"),
        "ContainerResource" => resource(scaled, sample, at(metric, "containerResource"), "containerResource"),
        "Pods" => Err(Invalid {
            reason: "FailedGetPodsMetric",
            message: custom("pods"),
            source: "failed to get pods metric value".to_owned(),
        }),
        "Object" => Err(Invalid {
            reason: "FailedGetObjectMetric",
            message: custom("object"),
            source: "failed to get object metric value".to_owned(),
        }),
        "External" => external(world, scaler, scaled, at(metric, "external")),
        other => {
            let message = format!("unknown metric source type {other:?}");
            Err(Invalid { reason: "InvalidMetricSourceType", source: message.clone(), message })
        }
    }
}

/// The pods of a target and what they use, as far as it is measured.
#[derive(Default)]
struct Sample {
    used: Resources,
    asked: Resources,
    /// What pods ask for that do not serve yet, and how many those are.
    starting: Resources,
    unready: i64,
}

impl Sample {
    fn of(world: &World, target: &Value) -> Sample {
        let mut owners = vec![uid(target).to_owned()];
        owners.extend(pods::controlled(world, target, Res::ReplicaSets).iter().map(|s| uid(s).to_owned()));
        let mut sample = Sample::default();
        for pod in owners.iter().flat_map(|o| pods::of_owner(world, o)).filter(|p| pods::active(p)) {
            let requests = pod_requests(&pod);
            match world.pod_usage(&pod).filter(|_| holds(&pod, "Ready")) {
                Some(usage) => {
                    sample.used += Resources { cpu: usage.cpu, memory: usage.memory, pods: 1, gpus: 0 };
                    sample.asked += requests;
                }
                None => {
                    sample.starting += requests;
                    sample.unready += 1;
                }
            }
        }
        sample
    }
}

/// A resource, of whole pods or of one of their containers (`GetResourceReplicas`).
fn resource(scaled: &Scaled, sample: &Sample, source: &Value, kind: &str) -> Result<Measured, Invalid> {
    let name = text(source, "name");
    let container = text(source, "container");
    let alone = container.is_empty();
    let fails = |why: String| Invalid {
        reason: if alone { "FailedGetResourceMetric" } else { "FailedGetContainerResourceMetric" },
        message: format!("failed to get {name} utilization: {why}"),
        source: if alone {
            format!("failed to get {name} resource metric value")
        } else {
            format!("failed to get {container} container metric value")
        },
    };
    let of = |r: Resources| if name == "memory" { r.memory } else { r.cpu };
    let known =
        list(&scaled.object, "spec.template.spec.containers").iter().any(|c| text(c, "name") == container);
    if !alone && !known {
        return Err(fails(format!("container {container} not present in metrics for pods of the target")));
    }
    let ready = sample.used.pods;
    if ready == 0 {
        let none = "no metrics returned from resource metrics API";
        return Err(fails(format!("unable to get metrics for resource {name}: {none}")));
    }
    let one = of(sample.used) / ready;
    let average = if name == "memory" { format!("{}Ki", one >> 10) } else { format!("{one}m") };
    let mut current = json!({ "averageValue": average });
    let (wish, called) = if let Some(target) = maybe_int(source, "target.averageUtilization") {
        if of(sample.asked) == 0 {
            return Err(fails(format!("missing request for {name} in the containers of the target's pods")));
        }
        let percent = of(sample.used) * 100 / of(sample.asked);
        let spread = of(sample.used) * 100 / of(sample.asked + sample.starting);
        current = json!({ "averageValue": average, "averageUtilization": percent });
        let wish = wish(scaled.current, (percent, spread, target.max(1)), ready, sample.unready);
        let whose = if alone { "" } else { "container " };
        (wish, format!("{name} {whose}resource utilization (percentage of request)"))
    } else {
        let text = text(source, "target.averageValue");
        let target = if name == "memory" { quantity::parse_units(text) } else { quantity::parse_milli(text) };
        let target = target.filter(|t| *t > 0).ok_or_else(|| fails("invalid target".to_owned()))?;
        let spread = of(sample.used) / (ready + sample.unready);
        let wish = wish(scaled.current, (one, spread, target), ready, sample.unready);
        (wish, format!("{name} resource"))
    };
    let mut found = json!({ "name": name, "current": current });
    if !alone {
        crate::sim::fields::set(&mut found, "container", container);
    }
    let types = if alone { "Resource" } else { "ContainerResource" };
    Ok(Measured { called, wish, status: json!({ "type": types, kind: found }) })
}

/// A figure from elsewhere: only KEDA serves any here.
fn external(world: &World, scaler: &Value, scaled: &Scaled, source: &Value) -> Result<Measured, Invalid> {
    let name = text(source, "metric.name");
    let labels = at(source, "metric.selector.matchLabels");
    let pairs: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(k, v)| format!("{k}: {},", v.as_str().unwrap_or_default()))
        .collect();
    let selector = format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{}}},MatchExpressions:[]LabelSelectorRequirement{{}},}}",
        pairs.join("")
    );
    let whole = text(source, "target.type") == "Value";
    let Some(figure) = keda::figure(world, scaler, name) else {
        let inner = if whole { format!("external metric {name}") } else { format!("{name} external metric") };
        let why = "no external metrics API (external.metrics.k8s.io) registered";
        let space = namespace(scaler);
        return Err(Invalid {
            reason: "FailedGetExternalMetric",
            message: format!(
                "unable to get external metric {space}/{name}/{selector}: unable to fetch metrics from external metrics API: {why}"
            ),
            source: format!("failed to get {name} external metric value: failed to get {inner}"),
        });
    };
    let wanted = text(source, if whole { "target.value" } else { "target.averageValue" });
    let target = quantity::parse_milli(wanted).unwrap_or(0).max(1);
    let per_pod = figure / scaled.current.max(1);
    let ratio = if whole { figure as f64 / target as f64 } else { per_pod as f64 / target as f64 };
    let wish = match (ratio - 1.0).abs() <= TOLERANCE {
        true => scaled.current,
        false if whole => (ratio * scaled.current as f64).ceil() as i64,
        false => (figure as f64 / target as f64).ceil() as i64,
    };
    let current =
        if whole { json!({ "value": milli(figure) }) } else { json!({ "averageValue": milli(per_pod) }) };
    Ok(Measured {
        called: format!("external metric {name}({selector})"),
        wish,
        status: json!({ "type": "External", "external": {
            "metric": { "name": name, "selector": { "matchLabels": labels } }, "current": current } }),
    })
}

/// A figure as a quantity.
fn milli(figure: i64) -> String {
    if figure % 1000 == 0 { (figure / 1000).to_string() } else { format!("{figure}m") }
}

/// The replicas that a use asks for: that of ready pods, the same spread over those that do not
/// serve yet as well, and the target.
fn wish(current: i64, (used, spread, target): (i64, i64, i64), ready: i64, unready: i64) -> i64 {
    let ratio = |used: i64| used as f64 / target as f64;
    let near = |ratio: f64| (ratio - 1.0).abs() <= TOLERANCE;
    let needed = |ratio: f64, pods: i64| (ratio * pods as f64).ceil() as i64;
    let first = ratio(used);
    if unready == 0 || first <= 1.0 {
        return if near(first) { current } else { needed(first, ready) };
    }
    // pods that do not serve yet are taken to use nothing, so that one burst is not answered
    // twice; but they do not turn growth into the opposite
    let second = ratio(spread);
    if near(second) || second < 1.0 {
        return current;
    }
    needed(second, ready + unready).max(current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_follow_the_ratio_beyond_the_tolerance() {
        assert_eq!(wish(40, (96, 96, 70), 40, 0), 55);
        assert_eq!(wish(10, (73, 73, 70), 10, 0), 10);
        assert_eq!(wish(10, (35, 35, 70), 10, 0), 5);
        assert_eq!(
            wish(10, (35, 17, 70), 4, 6),
            2,
            "those that serve are counted, not those that are wanted"
        );
        assert_eq!(wish(10, (140, 70, 70), 5, 5), 10, "pods that start will take their part");
        assert_eq!(wish(10, (210, 105, 70), 5, 5), 15);
    }
}
