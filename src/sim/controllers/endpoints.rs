//! The controllers of endpoints: which pods are behind a service, in both forms that clients read.

use std::sync::Arc;

use crate::sim::cache::takes_room;
use crate::sim::fields::{
    at, deleting, flag, holds, list, map, name, namespace, owner_reference, set, text, uid,
};
use crate::sim::json::{Map, Value, json};
use crate::sim::queue::{Id, Work};
use crate::sim::random::Random;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// Tells the services that a pod is or was behind.
pub(super) fn pod_changed(world: &mut World, pod: &Value) {
    let soon = world.now + super::NOTICE + super::NOTICE;
    let behind = |s: &&Arc<Value>| selects(s, pod);
    let services: Vec<Id> =
        world.store.list(Res::Services, Some(namespace(pod))).filter(behind).map(|s| Id::of(s)).collect();
    for id in services {
        world.queue.add(Work::Endpoints(id), soon);
    }
}

/// Whether a service means a pod; one without a selector means none.
fn selects(service: &Value, pod: &Value) -> bool {
    let (selector, labels) = (map(service, "spec.selector"), map(pod, "metadata.labels"));
    !selector.is_empty() && selector.iter().all(|(k, v)| labels.get(k) == Some(v))
}

/// Brings the endpoints of a service up to date.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(service) = world.store.get(Res::Services, &id.namespace, &id.name).cloned() else {
        // its slice goes with it, as what it owned; the old form is owned by nobody
        if let Some(old) = world.store.get(Res::Endpoints, &id.namespace, &id.name).cloned() {
            world.store.remove(Res::Endpoints, &old);
        }
        return;
    };
    if map(&service, "spec.selector").is_empty() || deleting(&service) {
        return;
    }
    let pods: Vec<Arc<Value>> = world
        .store
        .list(Res::Pods, Some(&id.namespace))
        .filter(|p| takes_room(p) && !text(p, "status.podIP").is_empty() && selects(&service, p))
        .cloned()
        .collect();
    write_slices(world, &service, &pods);
    write_endpoints(world, &service, &pods);
}

fn target(pod: &Value) -> Value {
    json!({ "kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": uid(pod) })
}

/// The ports of a service as its pods have them. One by name is what the first pod with a port of
/// that name says; where no pod has one there is nothing to be reached.
fn ports(service: &Value, pods: &[Arc<Value>]) -> Value {
    let named = |name: &str| {
        let containers = pods.iter().flat_map(|p| list(p, "spec.containers"));
        let mut ports = containers.flat_map(|c| list(c, "ports"));
        ports.find(|p| text(p, "name") == name).and_then(|p| p["containerPort"].as_i64())
    };
    let one = |p: &Value| {
        let number = match at(p, "targetPort") {
            Value::Int(n) => *n,
            Value::String(name) => name.parse().ok().or_else(|| named(name))?,
            _ => p["port"].as_i64().unwrap_or(0),
        };
        Some(json!({ "name": text(p, "name"), "port": number, "protocol": p["protocol"] }))
    };
    list(service, "spec.ports").iter().filter_map(one).collect()
}

/// Most endpoints of one slice (`--max-endpoints-per-slice`).
const MOST: usize = 100;

/// One endpoint of a slice: a service may want to be reached before its pods are ready.
fn endpoint(world: &World, service: &Value, pod: &Value) -> Value {
    let (serving, leaves) = (holds(pod, "Ready"), deleting(pod));
    let ready = flag(service, "spec.publishNotReadyAddresses") || serving && !leaves;
    let node = text(pod, "spec.nodeName");
    let mut endpoint = json!({
        "addresses": [text(pod, "status.podIP")],
        "conditions": { "ready": ready, "serving": serving, "terminating": leaves },
        "nodeName": node, "targetRef": target(pod),
    });
    let zone = world.cache.nodes.get(node).map_or("", |n| n.label("topology.kubernetes.io/zone"));
    if !zone.is_empty() {
        set(&mut endpoint, "zone", zone);
    }
    endpoint
}

/// Writes the slices of a service: as many as it has hundreds of pods, at least one.
fn write_slices(world: &mut World, service: &Value, pods: &[Arc<Value>]) {
    let endpoints: Vec<Value> = pods.iter().map(|p| endpoint(world, service, p)).collect();
    let ports = ports(service, pods);
    let parts = endpoints.len().div_ceil(MOST).max(1);
    for part in 0..parts {
        let here: Vec<Value> = endpoints.iter().skip(part * MOST).take(MOST).cloned().collect();
        write_slice(world, service, part, Value::from(here), &ports);
    }
    // of those that are not needed any more the first one tells that there are no others
    for part in parts.. {
        let own = slice_name(service, part);
        let Some(slice) = world.store.get(Res::EndpointSlices, namespace(service), &own).cloned() else {
            return;
        };
        world.store.remove(Res::EndpointSlices, &slice);
    }
}

fn slice_name(service: &Value, part: usize) -> String {
    let suffix = Random::new(part as u64, uid(service)).suffix(5);
    format!("{}-{suffix}", name(service))
}

const OF_SERVICE: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// The labels of a service, and whether it has no address of its own.
fn labels(service: &Value) -> Map {
    let mut labels = map(service, "metadata.labels").clone();
    labels.shift_remove(HEADLESS);
    if ["", "None"].contains(&text(service, "spec.clusterIP")) {
        labels.insert(HEADLESS.into(), "".into());
    }
    labels
}

/// The labels of a service's slices (`k8s.io/endpointslice` `setEndpointSliceLabels`).
fn slice_labels(service: &Value) -> Map {
    let mut labels = labels(service);
    labels.insert(OF_SERVICE.into(), name(service).into());
    labels.insert(MANAGED_BY.into(), "endpointslice-controller.k8s.io".into());
    labels
}

fn write_slice(world: &mut World, service: &Value, part: usize, endpoints: Value, ports: &Value) {
    let own = slice_name(service, part);
    let labels = slice_labels(service);
    let known = world.store.update(Res::EndpointSlices, namespace(service), &own, |s| {
        set(s, "metadata.labels", labels.clone());
        set(s, "endpoints", endpoints.clone());
        set(s, "ports", ports.clone());
    });
    if known.is_none() {
        let slice = json!({
            "metadata": {
                "name": own, "generateName": format!("{}-", name(service)), "namespace": namespace(service),
                "labels": labels,
                "ownerReferences": [owner_reference("v1", "Service", service)],
            },
            "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
        });
        world.create_aside(Res::EndpointSlices, slice);
    }
}

/// The old form, for clients from before slices.
fn write_endpoints(world: &mut World, service: &Value, pods: &[Arc<Value>]) {
    let addresses = |ready: bool| -> Value {
        let early = flag(service, "spec.publishNotReadyAddresses");
        let those = pods.iter().filter(|p| (early || holds(p, "Ready")) == ready && !deleting(p));
        let address = |p: &Arc<Value>| json!({ "ip": text(p, "status.podIP"), "nodeName": text(p, "spec.nodeName"), "targetRef": target(p) });
        those.map(address).collect()
    };
    let mut subset = json!({ "ports": ports(service, pods) });
    for (key, ready) in [("addresses", true), ("notReadyAddresses", false)] {
        let addresses = addresses(ready);
        if addresses.as_array().is_some_and(|a| !a.is_empty()) {
            set(&mut subset, key, addresses);
        }
    }
    let empty = subset.as_object().is_none_or(|s| s.len() == 1);
    let subsets = if empty { json!([]) } else { json!([subset]) };
    let mut labels = labels(service);
    labels.insert("endpoints.kubernetes.io/managed-by".into(), "endpoint-controller".into());
    let known = world.store.update(Res::Endpoints, namespace(service), name(service), |e| {
        set(e, "metadata.labels", labels.clone());
        set(e, "subsets", subsets.clone());
    });
    if known.is_none() {
        let meta = json!({ "name": name(service), "namespace": namespace(service), "labels": labels });
        world.create_aside(Res::Endpoints, json!({ "metadata": meta, "subsets": subsets }));
    }
}
