//! The scheduler: which node a pod goes to, or why none takes it.
//!
//! Like the real one it filters, scores, and when nothing is left looks for pods of lower priority
//! that could go (`kubernetes/kubernetes:pkg/scheduler/framework/plugins`).

mod around;
mod failure;
mod filter;
mod preemption;
mod spread;
mod volumes;

use std::cmp::Reverse;

use crate::sim::json::{Value, json};

use self::around::Around;
use self::failure::Failure;
use self::spread::Spread;
use super::claims;
use super::events::{Said, record};
use crate::model::Span;
use crate::sim::admission;
use crate::sim::cache::NodeView;
use crate::sim::fields::{self, controller, deleting, list_mut, place, set, set_condition, text};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::room::Room;
use crate::sim::world::World;

pub(crate) use around::repels;
pub(super) use filter::{eligible, misfit, misfit_in, named, requirement};
pub(crate) use volumes::pin;

const COMPONENT: &str = "default-scheduler";

/// How long a pod that found no node waits when nothing changes (the unschedulable queue is
/// flushed after five minutes).
const RETRY: Span = Span::from_seconds(300);

/// Binds a pod to a node, or says why it cannot be.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(pod) = world.pod(id) else { return };
    if !text(&pod, "spec.nodeName").is_empty() || deleting(&pod) {
        return;
    }
    // another scheduler's pods are its own
    if !["", "default-scheduler"].contains(&text(&pod, "spec.schedulerName")) {
        return;
    }
    let now = world.now;
    if gated(&pod) {
        let message = "Scheduling is blocked due to non-empty scheduling gates";
        world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
            set_condition(p, "PodScheduled", "False", "SchedulingGated", message, now);
        });
        return;
    }
    match decide(world, &pod) {
        Ok(node) => {
            world.nominated.remove(id);
            claims::bind(world, &pod);
            volumes::pin(world, &pod, &node);
            let place = admission::place_of(world, &node);
            world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
                set(p, "spec.nodeName", node.clone());
                admission::locate(p, place);
                fields::unset(p, "status.nominatedNodeName");
                set_condition(p, "PodScheduled", "True", "", "", now);
            });
            let message = format!("Successfully assigned {}/{} to {node}", id.namespace, id.name);
            record(world, &pod, &Said::normal(COMPONENT, "Scheduled", message));
        }
        Err(failure) => {
            let message = match preemption::make_room(world, &pod, &failure) {
                Some(node) => {
                    world.nominated.insert(id.clone(), node.clone());
                    world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
                        set(p, "status.nominatedNodeName", node.clone());
                    });
                    failure.said()
                }
                None => failure.said_without_victims(&pod),
            };
            world.store.update(Res::Pods, &id.namespace, &id.name, |p| {
                set_condition(p, "PodScheduled", "False", "Unschedulable", &message, now);
            });
            record(world, &pod, &Said::warning(COMPONENT, "FailedScheduling", message));
            world.queue.add(Work::Schedule(id.clone()), now + RETRY);
        }
    }
}

/// Whether a pod is held back until somebody takes its gates away.
fn gated(pod: &Value) -> bool {
    !fields::list(pod, "spec.schedulingGates").is_empty()
}

/// Whether more room would help a pod that has no node.
pub(super) fn wants_room(world: &World, pod: &Value) -> bool {
    let own = ["", "default-scheduler"].contains(&text(pod, "spec.schedulerName"));
    own && !gated(pod) && claims::missing(world, pod).is_none()
}

/// What a pod asks of where it goes, worked out once for all nodes.
struct Wish<'a> {
    pod: &'a Value,
    asks: Room,
    around: Around,
    spread: Spread,
    zones: volumes::Places,
}

impl<'a> Wish<'a> {
    fn of(world: &World, pod: &'a Value) -> Wish<'a> {
        Wish {
            pod,
            asks: Room::of(pod),
            around: Around::of(world, pod),
            spread: Spread::of(world, pod),
            zones: volumes::Places::of(world, pod),
        }
    }

    /// Why a node does not take the pod; nothing when it does.
    fn misfits(&self, node: &NodeView, taken: &Room) -> Vec<String> {
        let reasons = filter::misfits(self.pod, &self.asks, node, taken);
        if !reasons.is_empty() {
            return reasons;
        }
        let further = self.zones.misfit(node).or_else(|| self.spread.misfit(node));
        further.or_else(|| self.around.misfit(node)).map(str::to_owned).into_iter().collect()
    }
}

/// What else than the node alone decides where a pod goes: its volumes and its neighbours. For
/// those who ask what would be if there were other nodes.
pub(super) struct Ties {
    zones: volumes::Places,
    around: Around,
}

impl Ties {
    pub(super) fn of(world: &World, pod: &Value) -> Ties {
        Ties { zones: volumes::Places::of(world, pod), around: Around::of(world, pod) }
    }

    /// Why they do not let the pod go to a node, if they do not.
    pub(super) fn misfit(&self, node: &NodeView) -> Option<&'static str> {
        self.zones.misfit(node).or_else(|| self.around.misfit(node))
    }
}

/// The node for a pod, or why there is none.
pub(super) fn choose(world: &World, pod: &Value) -> Result<String, String> {
    decide(world, pod).map_err(|failure| failure.said())
}

fn decide(world: &World, pod: &Value) -> Result<String, Failure> {
    let wish = Wish::of(world, pod);
    if let Some(why) = claims::missing(world, pod) {
        return Err(Failure::of_all(world.cache.nodes.len(), why));
    }
    let mut failure = Failure::default();
    let mut fitting: Vec<(&String, &NodeView)> = Vec::new();
    let named = filter::named(pod);
    let nodes = &world.cache.nodes;
    let looked_at: Vec<(&String, &NodeView)> = match &named {
        Some(names) => names.iter().filter_map(|n| nodes.get_key_value(*n)).collect(),
        None => nodes.iter().collect(),
    };
    failure.pass_over(nodes.len() - looked_at.len(), "node(s) didn't satisfy plugin(s) [NodeAffinity]");
    for (name, node) in looked_at {
        let promised = preemption::promised(world, pod, name);
        let reasons = if promised == Room::default() {
            wish.misfits(node, &node.used)
        } else {
            let mut taken = node.used.clone();
            taken.add(&promised);
            wish.misfits(node, &taken)
        };
        match reasons {
            reasons if reasons.is_empty() => fitting.push((name, node)),
            reasons => failure.add(name, reasons),
        }
    }
    if let [(name, _)] = fitting.as_slice() {
        return Ok((*name).clone());
    }
    let siblings = siblings(world, pod);
    let score = |(name, node): &(&String, &NodeView)| {
        let zone = node.label("topology.kubernetes.io/zone");
        let on_node = siblings.iter().filter(|(n, _)| n == *name).count();
        let in_zone = siblings.iter().filter(|(_, z)| z == zone).count();
        let free = node.free();
        let cpu = free.cpu * 100 / node.allocatable.cpu.max(1);
        let memory = free.memory * 100 / node.allocatable.memory.max(1);
        // what is preferred; then spread over zones, then nodes; then the emptiest
        let preferred =
            filter::preference(pod, node) + wish.spread.preference(node) + wish.around.preference(node);
        (preferred, Reverse(in_zone), Reverse(on_node), cpu + memory, Reverse((*name).clone()))
    };
    let best = fitting.iter().max_by_key(|n| score(n));
    best.map(|(name, _)| (*name).clone()).ok_or(failure)
}

/// Node and zone of the other pods of the same owner.
fn siblings(world: &World, pod: &Value) -> Vec<(String, String)> {
    let Some(owner) = controller(pod) else { return Vec::new() };
    // enough to see how they are spread
    let ids = world.cache.children(text(owner, "uid"), Res::Pods);
    ids.iter()
        .take(64)
        .filter_map(|id| world.store.get(Res::Pods, &id.namespace, &id.name))
        .map(|p| text(p, "spec.nodeName"))
        .filter_map(|n| {
            world
                .cache
                .nodes
                .get(n)
                .map(|v| (n.to_owned(), v.label("topology.kubernetes.io/zone").to_owned()))
        })
        .collect()
}

/// Adds a toleration to a pod.
pub(crate) fn tolerate(pod: &mut Value, key: &str, value: &str, effect: &str) {
    list_mut(place(pod, "spec.tolerations"))
        .push(json!({ "key": key, "operator": "Equal", "value": value, "effect": effect }));
}

#[cfg(test)]
mod tests;
