//! Events, in both of the shapes that clusters write.

use crate::sim::json::{Value, json};

use crate::model::Span;
use crate::sim::fields::{at, int, micro, name, namespace, set, text, time, uid};
use crate::sim::queue::Work;
use crate::sim::random;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// How long events stay (`--event-ttl`).
const KEPT: Span = Span::from_seconds(3600);

/// Most events of one cluster, by its pods; the oldest go first.
fn most(pods: usize) -> usize {
    (2 * pods).clamp(200, 3000)
}

/// What an event says.
pub(super) struct Said<'a> {
    pub(super) component: &'a str,
    pub(super) warning: bool,
    pub(super) reason: &'a str,
    pub(super) message: String,
}

impl<'a> Said<'a> {
    pub(super) fn normal(component: &'a str, reason: &'a str, message: impl Into<String>) -> Said<'a> {
        Said { component, warning: false, reason, message: message.into() }
    }

    pub(super) fn warning(component: &'a str, reason: &'a str, message: impl Into<String>) -> Said<'a> {
        Said { component, warning: true, reason, message: message.into() }
    }
}

/// Components that write `events.k8s.io/v1` (client-go `tools/events`); the others write the old
/// shape (`tools/record`).
fn new_shape(component: &str) -> bool {
    ["default-scheduler", "keda-operator"].contains(&component)
}

/// Records an event about an object. The same thing said again counts instead.
pub(super) fn record(world: &mut World, object: &Value, said: &Said<'_>) {
    if world.instant {
        return;
    }
    let now = world.now;
    let (space, event) = place_of(object, said);
    let repeated = world.store.update(Res::Events, &space, &event, |e| {
        if new_shape(said.component) {
            let count = int(e, "series.count").max(1) + 1;
            set(e, "series", json!({ "count": count, "lastObservedTime": micro(now) }));
        } else {
            let count = int(e, "count") + 1;
            set(e, "count", count);
            set(e, "lastTimestamp", now.rfc3339());
        }
    });
    if repeated.is_some() {
        return;
    }
    let mut fresh = json!({
        "metadata": { "name": event, "namespace": space },
        "involvedObject": {
            "kind": at(object, "kind"), "namespace": at(object, "metadata.namespace"), "name": name(object),
            "uid": involved_uid(object, said.component), "apiVersion": at(object, "apiVersion"),
            "resourceVersion": at(object, "metadata.resourceVersion"),
        },
        "reason": said.reason, "message": said.message,
        "type": if said.warning { "Warning" } else { "Normal" },
        "reportingComponent": said.component,
    });
    if new_shape(said.component) {
        set(&mut fresh, "eventTime", micro(now));
        set(&mut fresh, "action", if said.reason == "FailedScheduling" { "Scheduling" } else { "Binding" });
        set(&mut fresh, "reportingInstance", format!("{}-{}", said.component, world.name));
        set(&mut fresh, "source", json!({}));
        set(&mut fresh, "firstTimestamp", Value::Null);
        set(&mut fresh, "lastTimestamp", Value::Null);
    } else {
        let host = text(object, "spec.nodeName");
        let mut source = json!({ "component": said.component });
        if said.component == "kubelet" && !host.is_empty() {
            set(&mut source, "host", host);
        }
        set(&mut fresh, "source", source);
        set(&mut fresh, "reportingInstance", "");
        set(&mut fresh, "eventTime", Value::Null);
        set(&mut fresh, "firstTimestamp", now.rfc3339());
        set(&mut fresh, "lastTimestamp", now.rfc3339());
        set(&mut fresh, "count", 1);
    }
    // the name holds a hash of everything said, so it cannot be taken
    let _ = world.store.create(Res::Events, fresh, now);
}

/// Records an event that is said once, however often it is come by.
pub(super) fn once(world: &mut World, object: &Value, said: &Said<'_>) {
    let (space, event) = place_of(object, said);
    if world.store.get(Res::Events, &space, &event).is_none() {
        record(world, object, said);
    }
}

/// The namespace and the name of an event. Events about what has no namespace are in `default`.
fn place_of(object: &Value, said: &Said<'_>) -> (String, String) {
    let space = match namespace(object) {
        "" => "default",
        space => space,
    };
    let key = format!("{}{}{}{}", uid(object), said.component, said.reason, said.message);
    (space.to_owned(), format!("{}.{:016x}", name(object), random::hash(&key)))
}

/// Kubelets name nodes by their name where the uid belongs.
fn involved_uid(object: &Value, component: &str) -> Value {
    let node = text(object, "kind") == "Node" && component == "kubelet";
    if node { json!(name(object)) } else { json!(uid(object)) }
}

/// Removes events that are past their time.
pub(super) fn expire(world: &mut World) {
    let now = world.now;
    let last = |e: &Value| {
        time(e, "series.lastObservedTime")
            .or_else(|| time(e, "lastTimestamp"))
            .or_else(|| time(e, "eventTime"))
            .unwrap_or(now)
    };
    let mut all: Vec<_> = world.store.list(Res::Events, None).map(|e| (last(e), e.clone())).collect();
    all.sort_by_key(|(at, _)| *at);
    let most = most(world.store.list(Res::Pods, None).count());
    let surplus = all.len().saturating_sub(most);
    for (i, (at, event)) in all.into_iter().enumerate() {
        if i < surplus || at.age(now) > KEPT {
            world.store.remove(Res::Events, &event);
        }
    }
    world.queue.add(Work::Events, now + Span::from_seconds(60));
}
