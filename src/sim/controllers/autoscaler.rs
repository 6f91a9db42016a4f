//! The horizontal pod autoscaler
//! (`kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go`).

mod limits;
mod metrics;

use std::sync::Arc;

use crate::sim::json::Value;

use self::limits::{Case, Decision};
use self::metrics::{Invalid, Measured};
use super::events::{Said, record};
use crate::sim::fields::{int, maybe_int, name, namespace, set, set_condition, text};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

pub(crate) use limits::Memory;

const COMPONENT: &str = "horizontal-pod-autoscaler";

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
    let (measured, invalid) = metrics::measure(world, &scaler, &scaled);
    for why in &invalid {
        record(world, &scaler, &Said::warning(COMPONENT, why.reason, why.message.clone()));
    }
    let wish = measured.iter().map(|m| m.wish).max();
    // one that cannot be read may be the one that asks for more: nothing is taken away then
    if let Some(first) = invalid.first()
        && wish.is_none_or(|wish| wish < current)
        && (min..=max).contains(&current)
    {
        return fail(world, id, &scaler, first, (invalid.len(), invalid.len() + measured.len()));
    }
    let (decision, reason) = if current > max {
        (Decision::plain(max), "Current number of replicas above Spec.MaxReplicas".to_owned())
    } else if current < min {
        (Decision::plain(min), "Current number of replicas below Spec.MinReplicas".to_owned())
    } else {
        let wish = wish.unwrap_or(current);
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
    let version = text(scaler, "spec.scaleTargetRef.apiVersion");
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let scalable = [Res::Deployments, Res::StatefulSets, Res::ReplicaSets, Res::ReplicationControllers];
    let fits = |r: &Res| r.spec().kind == kind && (r.spec().group == group || version.is_empty());
    let res = scalable.into_iter().find(fits);
    let found = res.and_then(|r| Some((r, world.store.get(r, namespace(scaler), own)?.clone())));
    if let Some((res, object)) = found {
        let current = maybe_int(&object, "spec.replicas").unwrap_or(1);
        return Some(Scaled { res, object, current });
    }
    let why = match res {
        Some(res) => format!("{}.{group} {own:?} not found", res.spec().plural),
        None => format!("no matches for kind {kind:?} in group {group:?}"),
    };
    let message = format!("the HPA controller was unable to get the target's current scale: {why}");
    condition(world, id, "AbleToScale", "False", "FailedGetScale", &message);
    record(world, scaler, &Said::warning(COMPONENT, "FailedGetScale", message));
    None
}

/// Too little could be read to decide: that is said, and nothing is done.
fn fail(world: &mut World, id: &Id, scaler: &Value, first: &Invalid, (bad, all): (usize, usize)) {
    let what = format!("invalid metrics ({bad} invalid out of {all}), first error is: {}", first.message);
    record(world, scaler, &Said::warning(COMPONENT, "FailedComputeMetricsReplicas", what));
    let message = format!("the HPA was unable to compute the replica count: {}", first.message);
    condition(world, id, "ScalingActive", "False", first.reason, &message);
}

/// Writes what was found and decided.
fn status(world: &mut World, id: &Id, scaled: &Scaled, measured: &[Measured], decision: &Decision) {
    let now = world.now;
    let (running, desired) = (int(&scaled.object, "status.replicas"), decision.replicas);
    let metrics: Vec<Value> = measured.iter().map(|m| m.status.clone()).collect();
    let rescaled = format!("the HPA controller was able to update the target scale to {desired}");
    let (able, why) = match decision.stabilised {
        _ if desired != scaled.current => ("SucceededRescale", rescaled.as_str()),
        Some(older) => older,
        None => ("ReadyForNewScale", "recommended size matches current size"),
    };
    let within = ("DesiredWithinRange", "the desired count is within the acceptable range");
    let (limit, said) = decision.limited.unwrap_or(within);
    let limited = if decision.limited.is_some() { "True" } else { "False" };
    let worst = measured.iter().max_by_key(|m| m.wish);
    world.store.update(Res::Autoscalers, &id.namespace, &id.name, |s| {
        set(s, "status.currentReplicas", running);
        set(s, "status.desiredReplicas", desired);
        if desired != scaled.current {
            set(s, "status.lastScaleTime", now.rfc3339());
        }
        set(s, "status.currentMetrics", metrics);
        set_condition(s, "AbleToScale", "True", able, why, now);
        if let Some(worst) = worst {
            let found =
                format!("the HPA was able to successfully calculate a replica count from {}", worst.called);
            set_condition(s, "ScalingActive", "True", "ValidMetricFound", &found, now);
        }
        set_condition(s, "ScalingLimited", limited, limit, said, now);
    });
}

fn condition(world: &mut World, id: &Id, kind: &str, status: &str, reason: &str, message: &str) {
    let now = world.now;
    world.store.update(Res::Autoscalers, &id.namespace, &id.name, |s| {
        set_condition(s, kind, status, reason, message, now);
    });
}

fn reason(decision: &Decision, current: i64, measured: &[Measured]) -> String {
    let worst = measured.iter().max_by_key(|m| m.wish);
    match worst {
        Some(m) if decision.replicas > current => format!("{} above target", m.called),
        _ => "All metrics below target".into(),
    }
}
