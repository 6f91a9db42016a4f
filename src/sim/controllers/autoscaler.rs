//! The horizontal pod autoscaler
//! (`kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go`).

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::pods;
use crate::model::{Resources, Span};
use crate::sim::fields::{
    at, holds, int, list, maybe_int, name, namespace, pod_requests, set, set_condition, text, uid,
};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "horizontal-pod-autoscaler";

/// Within a tenth of its target nothing is done (`--horizontal-pod-autoscaler-tolerance`).
const TOLERANCE: i64 = 100;

/// What a metric is now: percent of requests, and per pod.
struct Measured {
    name: String,
    percent: i64,
    target: i64,
    average: String,
}

/// Looks at the metrics and sets the replicas of the target.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(scaler) = world.store.get(Res::Autoscalers, &id.namespace, &id.name).cloned() else { return };
    if world.instant {
        return;
    }
    let now = world.now;
    world.queue.add(Work::Autoscaler(id.clone()), now + world.timing.autoscaler);
    let kind = text(&scaler, "spec.scaleTargetRef.kind");
    let target = text(&scaler, "spec.scaleTargetRef.name");
    let found =
        Res::of_kind(kind).and_then(|r| Some((r, world.store.get(r, namespace(&scaler), target)?.clone())));
    let Some((res, target)) = found else {
        let message = format!(
            "the HPA controller was unable to get the target's current scale: {kind} {target:?} not found"
        );
        condition(world, id, "AbleToScale", "False", "FailedGetScale", &message);
        record(world, &scaler, &Said::warning(COMPONENT, "FailedGetScale", message));
        return;
    };
    let current = maybe_int(&target, "spec.replicas").unwrap_or(1);
    if current == 0 {
        let message = "scaling is disabled since the replica count of the target is zero";
        return condition(world, id, "ScalingActive", "False", "ScalingDisabled", message);
    }
    let measured = measure(world, &scaler, &target);
    let (min, max) = (maybe_int(&scaler, "spec.minReplicas").unwrap_or(1), int(&scaler, "spec.maxReplicas"));
    let wish = measured.iter().map(|m| wish(m, current)).max();
    let raw = wish.unwrap_or(current);
    let stable = stabilised(world, id, &scaler, raw, current);
    let (desired, limited) = limit(stable, min, max);
    let reason = reason(desired, current, min, max, &measured);
    if desired != current {
        world.store.update(res, namespace(&target), name(&target), |t| set(t, "spec.replicas", desired));
        let message = format!("New size: {desired}; reason: {reason}");
        record(world, &scaler, &Said::normal(COMPONENT, "SuccessfulRescale", message));
    }
    let running = int(&target, "status.replicas");
    world.store.update(Res::Autoscalers, &id.namespace, &id.name, |s| {
        set(s, "status.currentReplicas", running);
        set(s, "status.desiredReplicas", desired);
        if desired != current {
            set(s, "status.lastScaleTime", now.rfc3339());
        }
        let metrics: Vec<Value> = measured
            .iter()
            .map(|m| {
                json!({ "type": "Resource", "resource": { "name": m.name, "current": {
                    "averageUtilization": m.percent, "averageValue": m.average } } })
            })
            .collect();
        set(s, "status.currentMetrics", metrics);
        let (able, message) = match desired == current {
            true => ("ReadyForNewScale", "recommended size matches current size".to_owned()),
            false => ("SucceededRescale", format!("the HPA controller was able to update the target scale to {desired}")),
        };
        set_condition(s, "AbleToScale", "True", able, &message, now);
        if measured.is_empty() {
            let message = "the HPA was unable to compute the replica count: no ready pods";
            set_condition(s, "ScalingActive", "False", "FailedGetResourceMetric", message, now);
        } else {
            let message = "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)";
            set_condition(s, "ScalingActive", "True", "ValidMetricFound", message, now);
        }
        let (status, reason, message) = match limited {
            Some("TooManyReplicas") => {
                ("True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
            }
            Some(_) => ("True", "TooFewReplicas", "the desired replica count is less than the minimum replica count"),
            None => ("False", "DesiredWithinRange", "the desired count is within the acceptable range"),
        };
        set_condition(s, "ScalingLimited", status, reason, message, now);
    });
}

fn condition(world: &mut World, id: &Id, kind: &str, status: &str, reason: &str, message: &str) {
    let now = world.now;
    world.store.update(Res::Autoscalers, &id.namespace, &id.name, |s| {
        set_condition(s, kind, status, reason, message, now);
    });
}

/// The utilisation of the target's ready pods.
fn measure(world: &World, scaler: &Value, target: &Value) -> Vec<Measured> {
    let mut ids = vec![uid(target).to_owned()];
    ids.extend(
        world.cache.children(uid(target), Res::ReplicaSets).iter().filter_map(|i| {
            world.store.get(Res::ReplicaSets, &i.namespace, &i.name).map(|s| uid(s).to_owned())
        }),
    );
    let (mut used, mut asked, mut starting) = (Resources::ZERO, Resources::ZERO, Resources::ZERO);
    for pod in ids.iter().flat_map(|owner| pods::of_owner(world, owner)).filter(|p| pods::active(p)) {
        let requests = pod_requests(&pod);
        match world.pod_usage(&pod).filter(|_| holds(&pod, "Ready")) {
            Some(usage) => {
                used += Resources { cpu: usage.cpu, memory: usage.memory, pods: 1, gpus: 0 };
                asked += requests;
            }
            None => starting += requests,
        }
    }
    let read = |m: &Value| {
        let name = text(m, "resource.name").to_owned();
        let target = maybe_int(m, "resource.target.averageUtilization")?.max(1);
        let of = |r: Resources| if name == "memory" { r.memory } else { r.cpu };
        if of(asked) == 0 {
            return None;
        }
        let mut percent = of(used) * 100 / of(asked);
        if percent > target {
            // pods that do not serve yet are taken to use nothing, so that one burst is not
            // answered twice; but they do not turn growth into the opposite
            percent = (of(used) * 100 / of(asked + starting)).max(target);
        }
        let one = of(used) / used.pods.max(1);
        let average = if name == "memory" { format!("{}Ki", one >> 10) } else { format!("{one}m") };
        Some(Measured { name, percent, target, average })
    };
    list(scaler, "spec.metrics").iter().filter_map(read).collect()
}

/// What one metric asks for.
fn wish(m: &Measured, current: i64) -> i64 {
    let ratio = m.percent * 1000 / m.target;
    if (ratio - 1000).abs() <= TOLERANCE { current } else { (current * m.percent + m.target - 1) / m.target }
}

/// The highest wish of the stabilisation window, when that is lower than what is.
fn stabilised(world: &mut World, id: &Id, scaler: &Value, wish: i64, current: i64) -> i64 {
    let now = world.now;
    let own = at(scaler, "spec.behavior.scaleDown.stabilizationWindowSeconds").as_i64();
    let window = own.map_or(world.timing.stabilization, Span::from_seconds);
    if text(scaler, "spec.behavior.scaleDown.selectPolicy") == "Disabled" {
        return wish.max(current);
    }
    let wishes = world.wishes.entry(id.clone()).or_default();
    wishes.retain(|(at, _)| at.age(now) < window);
    wishes.push((now, wish));
    let highest = wishes.iter().map(|(_, w)| *w).max().unwrap_or(wish);
    if wish < current { highest.min(current).max(wish) } else { wish }
}

/// A wish within the bounds.
fn limit(wish: i64, min: i64, max: i64) -> (i64, Option<&'static str>) {
    match wish {
        w if w > max => (max, Some("TooManyReplicas")),
        w if w < min => (min, Some("TooFewReplicas")),
        w => (w, None),
    }
}

fn reason(desired: i64, current: i64, min: i64, max: i64, measured: &[Measured]) -> String {
    if current > max {
        return "Current number of replicas above Spec.MaxReplicas".into();
    }
    if current < min {
        return "Current number of replicas below Spec.MinReplicas".into();
    }
    let worst = measured.iter().max_by_key(|m| m.percent * 1000 / m.target);
    match worst {
        Some(m) if desired > current => {
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
        let m = |percent| Measured { name: "cpu".into(), percent, target: 70, average: String::new() };
        assert_eq!(wish(&m(96), 40), 55);
        assert_eq!(wish(&m(73), 10), 10);
        assert_eq!(wish(&m(35), 10), 5);
        assert_eq!(limit(55, 6, 40), (40, Some("TooManyReplicas")));
        assert_eq!(limit(2, 6, 40), (6, Some("TooFewReplicas")));
    }
}
