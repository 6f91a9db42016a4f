//! The kubelets: they take pods, keep their containers, and end what was asked to go.

mod config;
mod containers;
mod images;
mod probes;
mod status;

use std::collections::HashMap;
use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, once};
use super::nodes;
use crate::model::{Span, Time};
use crate::sim::cache::takes_room;
use crate::sim::fields::{at, deleting, int, list, name, set, set_condition, text, time, uid};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::random;
use crate::sim::resources::Res;
use crate::sim::world::World;

pub(crate) use probes::Probe;
pub(super) use status::{make_ready, set_ready, start_again, started};

const COMPONENT: &str = "kubelet";

/// Annotation on pods of jobs: how many seconds they run.
pub(crate) const RUNS: &str = "sim.quarterdeck.dev/runs-seconds";

/// How long a pod may be on a node that nobody knows (`quarantineTime` of the pod collector).
const QUARANTINE: Span = Span::from_seconds(40);

/// What a kubelet remembers of the containers of a pod, by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered(HashMap<String, Container>);

/// What it remembers of one.
#[derive(Clone, Debug, Default)]
struct Container {
    /// When its present wait began.
    since: Option<Time>,
    /// How often it ended without ten good minutes between.
    ends: u32,
    /// When it ended last.
    ended: Option<Time>,
    /// Probes that failed in a row, by [`probes::Probe`].
    failed: [i64; 3],
}

/// What is remembered of a container.
fn memory<'a>(world: &'a mut World, pod: &Value, container: &str) -> &'a mut Container {
    let of_pod = world.kubelets.entry(uid(pod).to_owned()).or_default();
    of_pod.0.entry(container.to_owned()).or_default()
}

/// Moves a pod one step on.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(pod) = world.pod(id) else { return };
    let node = text(&pod, "spec.nodeName");
    if node.is_empty() || world.dead.contains(node) {
        return;
    }
    if !world.cache.nodes.contains_key(node) {
        return stray(world, id, &pod);
    }
    if deleting(&pod) {
        return stop(world, id, &pod);
    }
    if !takes_room(&pod) {
        return;
    }
    if time(&pod, "status.startTime").is_none() {
        return admit(world, id, &pod);
    }
    images::start_ephemeral(world, id, &pod);
    containers::step(world, id, &pod);
}

/// A pod on a node that is not there is collected (`pkg/controller/podgc`).
fn stray(world: &mut World, id: &Id, pod: &Arc<Value>) {
    let made = time(pod, "metadata.creationTimestamp").unwrap_or(world.now);
    let due = made + QUARANTINE;
    if world.now < due { again(world, id, due) } else { nodes::collect_pod(world, id) }
}

/// A duration with up to a quarter more, the same for the same pod.
fn jitter(span: Span, pod: &Value) -> Span {
    let part = (random::hash(uid(pod)) % 256) as i64;
    Span::from_millis(span.millis() + span.millis() / 4 * part / 256)
}

fn again(world: &mut World, id: &Id, at: Time) {
    world.queue.add(Work::Pod(id.clone()), at);
}

/// Ends a pod that was asked to go.
fn stop(world: &mut World, id: &Id, pod: &Arc<Value>) {
    let Some(deadline) = time(pod, "metadata.deletionTimestamp") else { return };
    for kind in ["status.initContainerStatuses", "status.containerStatuses"] {
        for status in list(pod, kind).iter().filter(|s| !at(s, "state.running").is_null()) {
            let message = format!("Stopping container {}", text(status, "name"));
            once(world, pod, &Said::normal(COMPONENT, "Killing", message));
        }
    }
    let grace = Span::from_seconds(int(pod, "metadata.deletionGracePeriodSeconds"));
    let takes = jitter(world.timing.stop, pod).min(grace);
    let end = deadline - grace + takes;
    if world.now < end {
        return again(world, id, end);
    }
    if list(pod, "metadata.finalizers").is_empty() {
        world.store.remove(Res::Pods, pod);
        return;
    }
    // its time is over: it goes with its last finalizer
    let now = world.now;
    let ended = world.store.update(Res::Pods, &id.namespace, &id.name, |p| status::end(p, now));
    if let Some(pod) = ended {
        world.store.delete(Res::Pods, &pod, Deletion { grace: Some(0) }, now);
    }
}

/// Takes a new pod: its containers are created.
fn admit(world: &mut World, id: &Id, pod: &Arc<Value>) {
    let now = world.now;
    let ip = address(pod);
    let host = host(world, text(pod, "spec.nodeName"));
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        set(p, "status.startTime", now.rfc3339());
        set(p, "status.podIP", ip.clone());
        set(p, "status.podIPs", json!([{ "ip": ip }]));
        set_host(p, &host);
        set_condition(p, "PodScheduled", "True", "", "", now);
        status::create(p);
        status::settle(p, now);
    });
}

/// The address of a node.
fn host(world: &World, node: &str) -> String {
    let node = world.store.get(Res::Nodes, "", node);
    let addresses = node.map_or(&[][..], |n| list(n, "status.addresses"));
    let internal = addresses.iter().find(|a| text(a, "type") == "InternalIP");
    internal.map_or(String::new(), |a| text(a, "address").to_owned())
}

fn set_host(pod: &mut Value, host: &str) {
    if !host.is_empty() {
        set(pod, "status.hostIP", host);
        set(pod, "status.hostIPs", json!([{ "ip": host }]));
    }
}

fn address(pod: &Value) -> String {
    let h = random::hash(uid(pod));
    format!("10.{}.{}.{}", 32 + h % 64, h >> 8 & 255, 1 + (h >> 16) % 254)
}

/// How a pod and a container are called in the kubelet's messages: `web-0_shop(uid)`.
fn full_name(pod: &Value) -> String {
    format!("{}_{}({})", name(pod), text(pod, "metadata.namespace"), uid(pod))
}
