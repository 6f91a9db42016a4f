//! The horizontal pod autoscaler
//! (`kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go`).

mod limits;

use std::sync::Arc;

use crate::sim::json::{Value, json};

use self::limits::{Case, Decision};
use super::events::{Said, record};
use super::pods;
use crate::model::Resources;
use crate::sim::fields::{
    holds, int, list, maybe_int, name, namespace, pod_requests, set, set_condition, text, uid,
};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

pub(crate) use limits::Memory;

const COMPONENT: &str = "horizontal-pod-autoscaler";

/// Within a tenth of its target nothing is done (`--horizontal-pod-autoscaler-tolerance`).
const TOLERANCE: f64 = 0.1;

/// What a metric is now: percent of requests and per pod, and the replicas that it asks for.
#[derive(Debug)]
struct Measured {
    name: String,
    percent: i64,
    average: String,
    wish: i64,
}

/// What is scaled.
struct Scaled {
    res: Res,
    object: Arc<Value>,
    current: i64,
}

/// Looks at the metrics and sets the replicas of the target.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(scaler) = world.store.get(Res::Autoscalers, &id.namespace, &id.name).cloned() else {
        world.scaling.remove(id);
        return;
    };
    if world.instant {
        return;
    }
    let now = world.now;
    world.queue.add(Work::Autoscaler(id.clone()), now + world.timing.autoscaler);
    let Some(scaled) = target(world, id, &scaler) else { return };
    let current = scaled.current;
    if current == 0 {
        let message = "scaling is disabled since the replica count of the target is zero";
        return condition(world, id, "ScalingActive", "False", "ScalingDisabled", message);
    }
    let (min, max) = (maybe_int(&scaler, "spec.minReplicas").unwrap_or(1), int(&scaler, "spec.maxReplicas"));
    let measured = measure(world, &scaler, &scaled);
    let (decision, reason) = if current > max {
        (Decision::plain(max), "Current number of replicas above Spec.MaxReplicas".to_owned())
    } else if current < min {
        (Decision::plain(min), "Current number of replicas below Spec.MinReplicas".to_owned())
    } else {
        let wish = measured.iter().map(|m| m.wish).max().unwrap_or(current);
        let window = world.timing.stabilization;
        let case = Case { scaler: &scaler, current, wish, bounds: (min, max), window, now };
        let decision = world.scaling.entry(id.clone()).or_default().decide(&case);
        let reason = reason(&decision, current, &measured);
        (decision, reason)
    };
    let desired = decision.replicas;
    if desired != current {
        let (space, own) = (namespace(&scaled.object), name(&scaled.object));
        world.store.update(scaled.res, space, own, |t| set(t, "spec.replicas", desired));
        world.scaling.entry(id.clone()).or_default().scaled(desired - current, now);
        let message = format!("New size: {desired}; reason: {reason}");
        record(world, &scaler, &Said::normal(COMPONENT, "SuccessfulRescale", message));
    }
    status(world, id, &scaled, &measured, &decision);
}

/// The target of an autoscaler; that there is none is said.
fn target(world: &mut World, id: &Id, scaler: &Value) -> Option<Scaled> {
    let kind = text(scaler, "spec.scaleTargetRef.kind");
    let own = text(scaler, "spec.scaleTargetRef.name");
    let found =
        Res::of_kind(kind).and_then(|r| Some((r, world.store.get(r, namespace(scaler), own)?.clone())));
    if let Some((res, object)) = found {
        let current = maybe_int(&object, "spec.replicas").unwrap_or(1);
        return Some(Scaled { res, object, current });
    }
    let message =
        format!("the HPA controller was unable to get the target's current scale: {kind} {own:?} not found");
    condition(world, id, "AbleToScale", "False", "FailedGetScale", &message);
    record(world, scaler, &Said::warning(COMPONENT, "FailedGetScale", message));
    None
}

/// Writes what was found and decided.
fn status(world: &mut World, id: &Id, scaled: &Scaled, measured: &[Measured], decision: &Decision) {
    let now = world.now;
    let (running, desired) = (int(&scaled.object, "status.replicas"), decision.replicas);
    let metric = |m: &Measured| {
        json!({ "type": "Resource", "resource": { "name": m.name, "current": {
            "averageUtilization": m.percent, "averageValue": m.average } } })
    };
    let metrics: Vec<Value> = measured.iter().map(metric).collect();
    let rescaled = format!("the HPA controller was able to update the target scale to {desired}");
    let (able, why) = match decision.stabilised {
        _ if desired != scaled.current => ("SucceededRescale", rescaled.as_str()),
        Some(older) => older,
        None => ("ReadyForNewScale", "recommended size matches current size"),
    };
    let (active, valid, found) = match measured.is_empty() {
        true => (
            "False",
            "FailedGetResourceMetric",
            "the HPA was unable to compute the replica count: no ready pods",
        ),
        false => (
            "True",
            "ValidMetricFound",
            "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)",
        ),
    };
    let within = ("DesiredWithinRange", "the desired count is within the acceptable range");
    let (limit, said) = decision.limited.unwrap_or(within);
    let limited = if decision.limited.is_some() { "True" } else { "False" };
    world.store.update(Res::Autoscalers, &id.namespace, &id.name, |s| {
        set(s, "status.currentReplicas", running);
        set(s, "status.desiredReplicas", desired);
        if desired != scaled.current {
            set(s, "status.lastScaleTime", now.rfc3339());
        }
        set(s, "status.currentMetrics", metrics);
        set_condition(s, "AbleToScale", "True", able, why, now);
        set_condition(s, "ScalingActive", active, valid, found, now);
        set_condition(s, "ScalingLimited", limited, limit, said, now);
    });
}

fn condition(world: &mut World, id: &Id, kind: &str, status: &str, reason: &str, message: &str) {
    let now = world.now;
    world.store.update(Res::Autoscalers, &id.namespace, &id.name, |s| {
        set_condition(s, kind, status, reason, message, now);
    });
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

/// What the metrics of an autoscaler say (`replica_calculator.go` `GetResourceReplicas`).
fn measure(world: &World, scaler: &Value, scaled: &Scaled) -> Vec<Measured> {
    let sample = Sample::of(world, &scaled.object);
    let read = |m: &Value| {
        let name = text(m, "resource.name").to_owned();
        let target = maybe_int(m, "resource.target.averageUtilization")?.max(1);
        let of = |r: Resources| if name == "memory" { r.memory } else { r.cpu };
        if of(sample.asked) == 0 {
            return None;
        }
        let percent = of(sample.used) * 100 / of(sample.asked);
        let spread = of(sample.used) * 100 / of(sample.asked + sample.starting);
        let ready = sample.used.pods;
        let wish = wish(scaled.current, (percent, spread, target), ready, sample.unready);
        let one = of(sample.used) / ready.max(1);
        let average = if name == "memory" { format!("{}Ki", one >> 10) } else { format!("{one}m") };
        Some(Measured { name, percent, average, wish })
    };
    list(scaler, "spec.metrics").iter().filter_map(read).collect()
}

/// The replicas that a use asks for: in percent of what ready pods ask for, the same with those
/// that do not serve yet, and the target.
fn wish(current: i64, (percent, spread, target): (i64, i64, i64), ready: i64, unready: i64) -> i64 {
    let ratio = |percent: i64| percent as f64 / target as f64;
    let near = |ratio: f64| (ratio - 1.0).abs() <= TOLERANCE;
    let needed = |ratio: f64, pods: i64| (ratio * pods as f64).ceil() as i64;
    let first = ratio(percent);
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

fn reason(decision: &Decision, current: i64, measured: &[Measured]) -> String {
    let worst = measured.iter().max_by_key(|m| m.wish);
    match worst {
        Some(m) if decision.replicas > current => {
            format!("{} resource utilization (percentage of request) above target", m.name)
        }
        _ => "All metrics below target".into(),
    }
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
