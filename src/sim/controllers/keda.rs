//! KEDA: what is scaled by figures from elsewhere, down to nothing and up again
//! (`kedacore/keda:controllers/keda`, `pkg/scaling/executor/scale_scaledobjects.go`).
//!
//! The figure here is the work of the scenario: a queue holds ten messages for each core of it.

use std::sync::Arc;

use super::events::{Said, record};
use crate::model::{Span, quantity};
use crate::sim::fields::{
    annotation, at, controller, deleting, list, map, maybe_int, name, namespace, owner_reference, set,
    set_condition, text, time,
};
use crate::sim::json::{Value, json};
use crate::sim::objects::{Deletion, Touched};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::{Res, Slot};
use crate::sim::world::World;

const COMPONENT: &str = "keda-operator";
const GROUP: &str = "keda.sh";
const KIND: (&str, &str) = ("keda.sh/v1alpha1", "ScaledObject");

/// Messages for each core of work.
const MESSAGES: i64 = 10;

/// The definition of a `ScaledObject`, as far as its users see it.
pub(crate) fn definition() -> Value {
    let column = |name: &str, kind: &str, path: &str| json!({ "name": name, "type": kind, "jsonPath": path });
    let holds = |kind: &str| format!(".status.conditions[?(@.type==\"{kind}\")].status");
    json!({
        "metadata": { "name": "scaledobjects.keda.sh" },
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {
                "kind": KIND.1, "listKind": "ScaledObjectList", "plural": "scaledobjects",
                "singular": "scaledobject", "shortNames": ["so"],
            },
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "properties": {
                        "spec": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
                        "status": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
                    },
                } },
                "additionalPrinterColumns": [
                    column("ScaleTargetKind", "string", ".status.scaleTargetKind"),
                    column("ScaleTargetName", "string", ".spec.scaleTargetRef.name"),
                    column("Min", "integer", ".spec.minReplicaCount"),
                    column("Max", "integer", ".spec.maxReplicaCount"),
                    column("Ready", "string", &holds("Ready")),
                    column("Active", "string", &holds("Active")),
                    column("Fallback", "string", &holds("Fallback")),
                    column("Paused", "string", &holds("Paused")),
                    column("Triggers", "string", ".status.triggersTypes"),
                    column("Age", "date", ".metadata.creationTimestamp"),
                ],
            }],
        },
    })
}

/// Where scaled objects are kept, if they are defined.
pub(crate) fn slot(world: &World) -> Option<Slot> {
    world.store.custom.find(GROUP, "v1alpha1", "scaledobjects").map(|(defined, _)| defined.slot)
}

/// Every scaled object.
pub(super) fn all(world: &World) -> Vec<Id> {
    slot(world).map_or_else(Vec::new, |slot| world.store.list(slot, None).map(|o| Id::of(o)).collect())
}

/// A custom resource changed: if KEDA is meant, it looks.
pub(super) fn changed(world: &mut World, touched: &Touched, object: &Value) {
    if text(object, "kind") != KIND.1 || !text(object, "apiVersion").starts_with("keda.sh/") {
        return;
    }
    let asked = |o: &Option<Arc<Value>>| {
        o.as_ref().map(|o| (at(o, "spec").clone(), at(o, "metadata.annotations").clone()))
    };
    if asked(&touched.before) != asked(&touched.after) {
        world.queue.add(Work::Scaled(Id::of(object)), world.now + super::NOTICE);
    }
}

/// The triggers of a scaled object: what the metric of each is called, and how much of it one
/// replica takes, in thousandths.
fn triggers(object: &Value) -> Vec<(String, i64)> {
    let one = |(i, trigger): (usize, &Value)| {
        let fields = ["threshold", "value", "queueLength", "lagThreshold", "targetValue"];
        let metadata = at(trigger, "metadata");
        let wanted = fields.iter().map(|f| text(metadata, f)).find(|t| !t.is_empty()).unwrap_or("5");
        let kind = text(trigger, "type");
        let own = ["queueName", "metricName"].iter().map(|f| text(metadata, f)).find(|t| !t.is_empty());
        let name = own.map_or_else(|| format!("s{i}-{kind}"), |own| format!("s{i}-{kind}-{own}"));
        (name, quantity::parse_milli(wanted).unwrap_or(0).max(1))
    };
    list(object, "spec.triggers").iter().enumerate().map(one).collect()
}

fn hpa_name(object: &Value) -> String {
    match text(object, "spec.advanced.horizontalPodAutoscalerConfig.name") {
        "" => format!("keda-hpa-{}", name(object)),
        own => own.to_owned(),
    }
}

/// The messages that wait for a workload, in thousandths.
fn waiting(world: &World, space: &str, target: &str) -> Option<i64> {
    world.loads.get(&Id::new(space, target)).map(|load| (load.at(world.now) * MESSAGES / 1000) * 1000)
}

/// What KEDA says of a metric to one of its autoscalers, in thousandths.
pub(super) fn figure(world: &World, scaler: &Value, metric: &str) -> Option<i64> {
    let owner = controller(scaler).filter(|o| text(o, "kind") == KIND.1)?;
    let object = world.store.get(slot(world)?, namespace(scaler), text(owner, "name"))?;
    let known = triggers(object).iter().any(|(name, _)| name == metric);
    let target = text(object, "spec.scaleTargetRef.name");
    waiting(world, namespace(scaler), target).filter(|_| known)
}

/// What is scaled: where it is, and how many there are.
struct Target {
    res: Res,
    id: Id,
    replicas: i64,
}

fn target(world: &World, object: &Value) -> Option<Target> {
    let to = at(object, "spec.scaleTargetRef");
    let res = if text(to, "kind") == "StatefulSet" { Res::StatefulSets } else { Res::Deployments };
    let id = Id::new(namespace(object), text(to, "name"));
    let found = world.store.get(res, &id.namespace, &id.name)?;
    Some(Target { res, replicas: maybe_int(found, "spec.replicas").unwrap_or(1), id })
}

impl Target {
    /// As KEDA writes it: `apps/v1.Deployment`.
    fn kind(&self) -> &'static str {
        if self.res == Res::StatefulSets { "apps/v1.StatefulSet" } else { "apps/v1.Deployment" }
    }

    fn scale(&self, world: &mut World, to: i64) {
        world.store.update(self.res, &self.id.namespace, &self.id.name, |t| set(t, "spec.replicas", to));
    }
}

/// Asks the triggers of a scaled object, and wakes or puts to sleep what it scales.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let found = slot(world).and_then(|s| Some((s, world.store.get(s, &id.namespace, &id.name)?.clone())));
    let Some((slot, object)) = found.filter(|(_, o)| !deleting(o)) else { return };
    if world.instant {
        return;
    }
    let period = maybe_int(&object, "spec.pollingInterval").unwrap_or(30).max(1);
    world.queue.add(Work::Scaled(id.clone()), world.now + Span::from_seconds(period));
    let Some(target) = target(world, &object) else { return lost(world, slot, &object) };
    if let Some(hold) = paused(&object, &target) {
        return pause(world, slot, &object, &target, hold);
    }
    autoscaler(world, &object);
    let active = waiting(world, &id.namespace, &target.id.name).filter(|figure| *figure > 0).is_some();
    let sleeping = step(world, &object, &target, active);
    write(world, slot, &object, &target, (active, sleeping));
}

/// Wakes a target that has work, and puts one to sleep that has had none for a while; says whether
/// it is cooling down.
fn step(world: &mut World, object: &Value, target: &Target, active: bool) -> bool {
    let now = world.now;
    let least = maybe_int(object, "spec.minReplicaCount").unwrap_or(0);
    if active && target.replicas == 0 {
        let to = least.max(1);
        target.scale(world, to);
        let trigger = triggers(object).first().map_or(String::new(), |(name, _)| name.clone());
        let (kind, id) = (target.kind(), &target.id);
        let message =
            format!("Scaled {kind} {}/{} from 0 to {to}, triggered by {trigger}", id.namespace, id.name);
        record(world, object, &Said::normal(COMPONENT, "KEDAScaleTargetActivated", message));
    }
    if active || least > 0 || target.replicas == 0 {
        return false;
    }
    let cooldown = Span::from_seconds(maybe_int(object, "spec.cooldownPeriod").unwrap_or(300));
    let last = time(object, "status.lastActiveTime").or_else(|| time(object, "metadata.creationTimestamp"));
    if last.is_some_and(|last| last.age(now) < cooldown) {
        return true;
    }
    target.scale(world, 0);
    let (kind, id) = (target.kind(), &target.id);
    let message = format!("Deactivated {kind} {}/{} from {} to 0", id.namespace, id.name, target.replicas);
    record(world, object, &Said::normal(COMPONENT, "KEDAScaleTargetDeactivated", message));
    false
}

/// How many replicas somebody wants it held at.
fn paused(object: &Value, target: &Target) -> Option<i64> {
    let held = annotation(object, "autoscaling.keda.sh/paused-replicas").parse().ok();
    // anything but `false` pauses
    let here = !["", "false"].contains(&annotation(object, "autoscaling.keda.sh/paused"));
    held.or_else(|| here.then_some(target.replicas))
}

fn pause(world: &mut World, slot: Slot, object: &Value, target: &Target, hold: i64) {
    let now = world.now;
    let own = hpa_name(object);
    if let Some(hpa) = world.store.get(Res::Autoscalers, namespace(object), &own).cloned() {
        world.store.delete(Res::Autoscalers, &hpa, Deletion::default(), now);
        record(world, object, &Said::normal(COMPONENT, "ScaledObjectPaused", "ScaledObject is paused"));
    }
    if target.replicas != hold {
        target.scale(world, hold);
    }
    world.store.update(slot, namespace(object), name(object), |o| {
        set(o, "status.pausedReplicaCount", hold);
        set_condition(o, "Paused", "True", "ScaledObjectPaused", "ScaledObject is paused", now);
    });
}

/// What is to be scaled is not there.
fn lost(world: &mut World, slot: Slot, object: &Value) {
    let now = world.now;
    let message = "ScaledObject doesn't have correct scaleTargetRef specification";
    world.store.update(slot, namespace(object), name(object), |o| {
        set_condition(o, "Ready", "False", "ScaledObjectCheckFailed", message, now);
    });
    record(world, object, &Said::warning(COMPONENT, "ScaledObjectCheckFailed", message));
}

/// The autoscaler between one and most: KEDA makes it and keeps it as it should be.
fn autoscaler(world: &mut World, object: &Value) {
    let (space, own) = (namespace(object), hpa_name(object));
    let external = |(metric, threshold): &(String, i64)| {
        let labels = json!({ "scaledobject.keda.sh/name": name(object) });
        json!({ "type": "External", "external": {
            "metric": { "name": metric, "selector": { "matchLabels": labels } },
            "target": { "type": "AverageValue", "averageValue": format!("{threshold}m") },
        } })
    };
    let metrics: Value = triggers(object).iter().map(external).collect();
    let mut to = at(object, "spec.scaleTargetRef").clone();
    if text(&to, "kind").is_empty() {
        set(&mut to, "kind", "Deployment");
    }
    if text(&to, "apiVersion").is_empty() {
        set(&mut to, "apiVersion", "apps/v1");
    }
    let mut spec = json!({
        "scaleTargetRef": to,
        "minReplicas": maybe_int(object, "spec.minReplicaCount").unwrap_or(0).max(1),
        "maxReplicas": maybe_int(object, "spec.maxReplicaCount").unwrap_or(100), "metrics": metrics,
    });
    let behavior = at(object, "spec.advanced.horizontalPodAutoscalerConfig.behavior");
    if !behavior.is_null() {
        set(&mut spec, "behavior", behavior.clone());
    }
    if world.store.update(Res::Autoscalers, space, &own, |a| set(a, "spec", spec.clone())).is_some() {
        return;
    }
    let mut fresh = json!({
        "metadata": {
            "name": own, "namespace": space,
            "labels": {
                "app.kubernetes.io/managed-by": COMPONENT, "app.kubernetes.io/name": own,
                "app.kubernetes.io/part-of": name(object), "scaledobject.keda.sh/name": name(object),
            },
            "ownerReferences": [owner_reference(KIND.0, KIND.1, object)],
        },
        "spec": spec,
    });
    crate::sim::admission::admit(world, Res::Autoscalers, &mut fresh);
    // whoever has taken its name keeps it
    let made = world.store.create(Res::Autoscalers, fresh, world.now).is_ok();
    if made && map(object, "status").is_empty() {
        let message = "ScaledObject is ready for scaling";
        record(world, object, &Said::normal(COMPONENT, "ScaledObjectReady", message));
    }
    world.absorb();
}

/// Writes what was found; `cooling` while it will be put to sleep unless there is work again.
fn write(world: &mut World, slot: Slot, object: &Value, target: &Target, (active, cooling): (bool, bool)) {
    let now = world.now;
    let triggers: Vec<String> = triggers(object).into_iter().map(|(name, _)| name).collect();
    let kinds: Vec<&str> = list(object, "spec.triggers").iter().map(|t| text(t, "type")).collect();
    let (status, reason, message) = match (active, cooling) {
        (true, _) => ("True", "ScalerActive", "Scaling is performed because triggers are active"),
        (_, true) => ("False", "ScalerCooldown", "Scaler cooling down because triggers are not active"),
        _ => ("False", "ScalerNotActive", "Scaling is not performed because triggers are not active"),
    };
    let resource = if target.res == Res::StatefulSets { "statefulsets" } else { "deployments" };
    let gvr = json!({
        "group": "apps", "version": "v1", "kind": target.kind().rsplit('.').next(), "resource": resource,
    });
    let original = maybe_int(object, "status.originalReplicaCount").unwrap_or(target.replicas);
    world.store.update(slot, namespace(object), name(object), |o| {
        set(o, "status.scaleTargetKind", target.kind());
        set(o, "status.scaleTargetGVKR", gvr);
        set(o, "status.originalReplicaCount", original);
        set(o, "status.hpaName", hpa_name(object));
        set(o, "status.triggersTypes", kinds.join(","));
        for metric in &triggers {
            let health = crate::sim::fields::object_mut(crate::sim::fields::place(o, "status.health"));
            health.insert(metric.as_str().into(), json!({ "numberOfFailures": 0, "status": "Happy" }));
        }
        set(o, "status.externalMetricNames", triggers.clone());
        crate::sim::fields::unset(o, "status.pausedReplicaCount");
        if active {
            set(o, "status.lastActiveTime", now.rfc3339());
        }
        let ready = "ScaledObject is defined correctly and is ready for scaling";
        set_condition(o, "Ready", "True", "ScaledObjectReady", ready, now);
        set_condition(o, "Active", status, reason, message, now);
        let none = "No fallbacks are active on this scaled object";
        set_condition(o, "Fallback", "False", "NoFallbackFound", none, now);
        set_condition(o, "Paused", "False", "ScaledObjectUnpaused", "ScaledObject is not paused", now);
    });
}
