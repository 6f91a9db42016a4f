//! Nodes that run short of memory, disk or process ids: the kubelet says so and evicts pods.

use super::daemon_set;
use super::events::{Said, record};
use crate::sim::cache::takes_room;
use crate::sim::fields::{at, list, set, set_condition, text};
use crate::sim::json::{Value, json};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::scenario::Pressure;
use crate::sim::world::World;

/// Pods that go, of those that may: one in so many.
const SHARE: usize = 3;

/// How the kubelet speaks of a shortage (`pkg/kubelet/eviction/helpers.go`).
struct Words {
    condition: &'static str,
    short: (&'static str, &'static str),
    enough: (&'static str, &'static str),
    /// The resource, and how much of it there must be and is.
    resource: (&'static str, &'static str, &'static str),
}

fn words(of: Pressure) -> Words {
    match of {
        Pressure::Memory => Words {
            condition: "MemoryPressure",
            short: ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
            enough: ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            resource: ("memory", "100Mi", "61484Ki"),
        },
        Pressure::Disk => Words {
            condition: "DiskPressure",
            short: ("KubeletHasDiskPressure", "kubelet has disk pressure"),
            enough: ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            resource: ("ephemeral-storage", "8588410583", "6120328Ki"),
        },
        Pressure::Pid => Words {
            condition: "PIDPressure",
            short: ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
            enough: ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            resource: ("pids", "1640", "412"),
        },
    }
}

/// A node runs short.
pub(super) fn begin(world: &mut World, node: &str, of: Pressure) {
    let words = words(of);
    let now = world.now;
    let changed = world.store.update(Res::Nodes, "", node, |n| {
        set_condition(n, words.condition, "True", words.short.0, words.short.1, now);
    });
    let Some(object) = changed else { return };
    let message = format!("Node {node} status is now: {}", words.short.0);
    record(world, &object, &Said::normal("kubelet", words.short.0, message));
    let message = format!("Attempting to reclaim {}", words.resource.0);
    record(world, &object, &Said::warning("kubelet", "EvictionThresholdMet", message));
    world.queue.add(Work::Node(node.to_owned()), now);
    let evictable: Vec<Id> = world.cache.pods_on(node).into_iter().filter(|id| goes(world, id)).collect();
    let most = evictable.len().div_ceil(SHARE);
    for id in evictable.into_iter().take(most) {
        evict(world, &id, &words);
    }
}

/// A node has enough again.
pub(super) fn end(world: &mut World, node: &str, of: Pressure) {
    let words = words(of);
    let now = world.now;
    world.store.update(Res::Nodes, "", node, |n| {
        set_condition(n, words.condition, "False", words.enough.0, words.enough.1, now);
    });
    world.queue.add(Work::Node(node.to_owned()), now);
}

/// Whether the kubelet may evict a pod: not those of the node itself.
fn goes(world: &World, id: &Id) -> bool {
    world.pod(id).is_some_and(|p| takes_room(&p) && !daemon_set::owns(&p) && !super::deleting(&p))
}

/// Ends a pod; its object stays and says why.
fn evict(world: &mut World, id: &Id, words: &Words) {
    let Some(pod) = world.pod(id) else { return };
    let now = world.now;
    let (resource, must, is) = words.resource;
    let container = list(&pod, "spec.containers").first().map_or("", |c| text(c, "name"));
    let asks = list(&pod, "spec.containers").first().map_or("0", |c| text(c, "resources.requests.memory"));
    let mut message =
        format!("The node was low on resource: {resource}. Threshold quantity: {must}, available: {is}. ");
    if resource == "memory" {
        message.push_str(&format!(
            "Container {container} was using {asks}, request is {asks}, has larger consumption of memory. "
        ));
    }
    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
        set(p, "status.phase", "Failed");
        set(p, "status.reason", "Evicted");
        set(p, "status.message", message.as_str());
        set_condition(p, "DisruptionTarget", "True", "TerminationByKubelet", &message, now);
        for kind in ["Ready", "ContainersReady"] {
            set_condition(p, kind, "False", "PodFailed", "", now);
        }
        let ended: Vec<Value> =
            list(p, "status.containerStatuses").iter().map(|s| killed(s, &now.rfc3339())).collect();
        set(p, "status.containerStatuses", ended);
    });
    record(world, &pod, &Said::warning("kubelet", "Evicted", message));
    world.absorb();
}

/// The status of a container that was killed.
fn killed(status: &Value, now: &str) -> Value {
    let mut status = status.clone();
    let began = at(&status, "state.running.startedAt").clone();
    set(&mut status, "ready", false);
    set(&mut status, "started", false);
    let ended = json!({ "exitCode": 137, "reason": "Error", "startedAt": began, "finishedAt": now });
    set(&mut status, "state", json!({ "terminated": ended }));
    status
}
