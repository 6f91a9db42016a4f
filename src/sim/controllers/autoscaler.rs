//! The horizontal pod autoscaler
//! (`kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go`).

mod limits;
mod metrics;

use std::sync::Arc;

use crate::sim::json::Value;

use self::limits::{Case, Decision};
use self::metrics::{Measured, Reading};
use super::events::{Said, record};
use crate::model::Time;
use crate::sim::fields::{count, int, maybe_int, name, namespace, set, set_condition, text};
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

/// What one look comes to, written at its end.
#[derive(Default)]
struct Report {
    /// Type, status, reason and message of each condition that was found.
    conditions: Vec<(&'static str, &'static str, String, String)>,
    figures: Option<Figures>,
}

/// The figures of a status.
struct Figures {
    current: i64,
    /// What it was stays when nothing could be decided.
    desired: Option<i64>,
    /// Of each metric what it is now; nothing when they were not looked at.
    metrics: Option<Vec<Value>>,
}

impl Report {
    /// Says a condition, in the place of what was said of it before.
    fn say(&mut self, kind: &'static str, status: &'static str, reason: &str, message: impl Into<String>) {
        let fresh = (kind, status, reason.to_owned(), message.into());
        match self.conditions.iter_mut().find(|c| c.0 == kind) {
            Some(said) => *said = fresh,
            None => self.conditions.push(fresh),
        }
    }

    fn write(self, world: &mut World, id: &Id) {
        let now = world.now;
        world.store.update(Res::Autoscalers, &id.namespace, &id.name, |s| {
            for (kind, status, reason, message) in &self.conditions {
                set_condition(s, kind, status, reason, message, now);
            }
            if let Some(figures) = self.figures {
                figures.write(s, now);
            }
        });
    }
}

impl Figures {
    fn write(self, scaler: &mut Value, now: Time) {
        count(scaler, "status.currentReplicas", self.current);
        if let Some(desired) = self.desired {
            set(scaler, "status.desiredReplicas", desired);
            if desired != self.current {
                set(scaler, "status.lastScaleTime", now.rfc3339());
            }
        }
        set(scaler, "status.currentMetrics", self.metrics.map_or(Value::Null, Value::from));
    }
}

/// Looks at the metrics and sets the replicas of the target (`reconcileAutoscaler`).
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(scaler) = world.store.get(Res::Autoscalers, &id.namespace, &id.name).cloned() else {
        world.scaling.remove(id);
        return;
    };
    if world.instant {
        return;
    }
    world.queue.add(Work::Autoscaler(id.clone()), world.now + world.timing.autoscaler);
    let mut report = Report::default();
    match target(world, &scaler) {
        Ok(scaled) => look(world, id, &scaler, &scaled, &mut report),
        Err(why) => {
            let message = format!("the HPA controller was unable to get the target's current scale: {why}");
            report.say("AbleToScale", "False", "FailedGetScale", message);
            record(world, &scaler, &Said::warning(COMPONENT, "FailedGetScale", why));
        }
    }
    report.write(world, id);
}

/// The target of an autoscaler, or why there is none.
fn target(world: &World, scaler: &Value) -> Result<Scaled, String> {
    let kind = text(scaler, "spec.scaleTargetRef.kind");
    let own = text(scaler, "spec.scaleTargetRef.name");
    let version = text(scaler, "spec.scaleTargetRef.apiVersion");
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let scalable = [Res::Deployments, Res::StatefulSets, Res::ReplicaSets, Res::ReplicationControllers];
    let fits = |r: &Res| r.spec().kind == kind && (r.spec().group == group || version.is_empty());
    let res = scalable.into_iter().find(fits);
    let found = res.and_then(|r| Some((r, world.store.get(r, namespace(scaler), own)?.clone())));
    match (found, res) {
        (Some((res, object)), _) => {
            let current = maybe_int(&object, "spec.replicas").unwrap_or(1);
            Ok(Scaled { res, object, current })
        }
        (None, Some(res)) => Err(format!("{}.{group} {own:?} not found", res.spec().plural)),
        (None, None) => Err(format!("no matches for kind {kind:?} in group {group:?}")),
    }
}

/// Decides on the replicas of a target that is there.
fn look(world: &mut World, id: &Id, scaler: &Value, scaled: &Scaled, report: &mut Report) {
    let able = "the HPA controller was able to get the target's current scale";
    report.say("AbleToScale", "True", "SucceededGetScale", able);
    let current = scaled.current;
    let (min, max) = (maybe_int(scaler, "spec.minReplicas").unwrap_or(1), int(scaler, "spec.maxReplicas"));
    let (desired, reason, metrics) = if current == 0 {
        let message = "scaling is disabled since the replica count of the target is zero";
        report.say("ScalingActive", "False", "ScalingDisabled", message);
        (0, String::new(), None)
    } else if current > max {
        (max, "Current number of replicas above Spec.MaxReplicas".to_owned(), None)
    } else if current < min {
        (min, "Current number of replicas below Spec.MinReplicas".to_owned(), None)
    } else {
        let reading = metrics::measure(world, scaler, scaled);
        for why in &reading.invalid {
            record(world, scaler, &Said::warning(COMPONENT, why.reason, why.message.clone()));
        }
        let Some(wish) = wish(world, scaler, &reading, current, report) else {
            let metrics = Some(reading.statuses);
            report.figures = Some(Figures { current, desired: None, metrics });
            return;
        };
        let case = Case {
            scaler,
            current,
            wish,
            bounds: (min, max),
            window: world.timing.stabilization,
            now: world.now,
        };
        let decision = world.scaling.entry(id.clone()).or_default().decide(&case);
        explain(&decision, report);
        (decision.replicas, reason(&decision, current, &reading.measured), Some(reading.statuses))
    };
    if desired != current {
        let (space, own) = (namespace(&scaled.object), name(&scaled.object));
        world.store.update(scaled.res, space, own, |t| set(t, "spec.replicas", desired));
        world.scaling.entry(id.clone()).or_default().scaled(desired - current, world.now);
        let message = format!("the HPA controller was able to update the target scale to {desired}");
        report.say("AbleToScale", "True", "SucceededRescale", message);
        let message = format!("New size: {desired}; reason: {reason}");
        record(world, scaler, &Said::normal(COMPONENT, "SuccessfulRescale", message));
    }
    report.figures = Some(Figures { current, desired: Some(desired), metrics });
}

/// What the metrics ask for; nothing when too little could be read to decide, which is said. One that cannot be
/// read may be the one that asks for more: nothing is taken away then (`computeReplicasForMetrics`).
fn wish(
    world: &mut World,
    scaler: &Value,
    reading: &Reading,
    current: i64,
    report: &mut Report,
) -> Option<i64> {
    // of those that ask for as many the first is named
    let worst = reading.measured.iter().rev().max_by_key(|m| m.wish);
    match (worst, reading.invalid.first()) {
        (Some(worst), None) => Some(worst),
        (Some(worst), Some(_)) if worst.wish >= current => Some(worst),
        (_, Some(first)) => {
            let (bad, all) = (reading.invalid.len(), reading.statuses.len());
            let what = format!(
                "invalid metrics ({bad} invalid out of {all}), first error is: {}: {}",
                first.source, first.message
            );
            record(world, scaler, &Said::warning(COMPONENT, "FailedComputeMetricsReplicas", what));
            let message = format!("the HPA was unable to compute the replica count: {}", first.message);
            report.say("ScalingActive", "False", first.reason, message);
            None
        }
        (None, None) => None,
    }
    .map(|worst| {
        let found =
            format!("the HPA was able to successfully calculate a replica count from {}", worst.called);
        report.say("ScalingActive", "True", "ValidMetricFound", found);
        worst.wish
    })
}

/// Says why it is that number of replicas.
fn explain(decision: &Decision, report: &mut Report) {
    let settled = ("ReadyForNewScale", "recommended size matches current size");
    let (able, why) = decision.stabilised.unwrap_or(settled);
    report.say("AbleToScale", "True", able, why);
    let within = ("DesiredWithinRange", "the desired count is within the acceptable range");
    let (limit, said) = decision.limited.unwrap_or(within);
    let limited = if decision.limited.is_some() { "True" } else { "False" };
    report.say("ScalingLimited", limited, limit, said);
}

fn reason(decision: &Decision, current: i64, measured: &[Measured]) -> String {
    let worst = measured.iter().rev().max_by_key(|m| m.wish);
    match worst {
        Some(m) if decision.replicas > current => format!("{} above target", m.called),
        _ => "All metrics below target".into(),
    }
}
