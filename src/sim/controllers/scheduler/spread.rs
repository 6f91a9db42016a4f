//! Constraints on how the pods of a group are spread over zones, nodes or other domains.

use std::collections::BTreeMap;

use super::filter;
use crate::sim::cache::{NodeView, takes_room};
use crate::sim::fields::{at, deleting, int, list, maybe_int, namespace, text};
use crate::sim::json::Value;
use crate::sim::resources::Res;
use crate::sim::selector::Labels;
use crate::sim::world::World;

/// One constraint, with the pods that are there counted.
struct Constraint {
    key: String,
    skew: i64,
    hard: bool,
    /// Pods by domain, those without any included.
    counts: BTreeMap<String, i64>,
    fewest: i64,
    /// Whether the pod itself is counted.
    own: i64,
}

/// The constraints of a pod.
#[derive(Default)]
pub(super) struct Spread(Vec<Constraint>);

impl Spread {
    pub(super) fn of(world: &World, pod: &Value) -> Spread {
        let constraints = list(pod, "spec.topologySpreadConstraints");
        Spread(constraints.iter().map(|c| constraint(world, pod, c)).collect())
    }

    /// Why a node does not do.
    pub(super) fn misfit(&self, node: &NodeView) -> Option<&'static str> {
        self.0.iter().filter(|c| c.hard).find_map(|c| match c.counts.get(node.label(&c.key)) {
            None => Some("node(s) didn't match pod topology spread constraints (missing required label)"),
            Some(n) if n + c.own - c.fewest > c.skew => {
                Some("node(s) didn't match pod topology spread constraints")
            }
            Some(_) => None,
        })
    }

    /// How much a node is preferred by the constraints that only wish.
    pub(super) fn preference(&self, node: &NodeView) -> i64 {
        let soft = self.0.iter().filter(|c| !c.hard);
        soft.map(|c| -c.counts.get(node.label(&c.key)).copied().unwrap_or(i64::from(u16::MAX))).sum()
    }
}

fn constraint(world: &World, pod: &Value, c: &Value) -> Constraint {
    let key = text(c, "topologyKey").to_owned();
    let labels = Labels::of(at(c, "labelSelector"));
    let meant = |p: &Value| labels.as_ref().is_some_and(|l| l.matches_object(p));
    let mut counts = BTreeMap::new();
    let ignores = text(c, "nodeAffinityPolicy") == "Ignore";
    for node in world.cache.nodes.values().filter(|n| ignores || filter::eligible(pod, n)) {
        if let Some(domain) = node.labels.get(&key).and_then(Value::as_str) {
            counts.entry(domain.to_owned()).or_insert(0);
        }
    }
    for other in world.store.list(Res::Pods, Some(namespace(pod))) {
        let node = world.cache.nodes.get(text(other, "spec.nodeName"));
        if let Some(n) = node.and_then(|n| counts.get_mut(n.label(&key)))
            && takes_room(other)
            && !deleting(other)
            && meant(other)
        {
            *n += 1;
        }
    }
    let few = maybe_int(c, "minDomains").is_some_and(|least| (counts.len() as i64) < least);
    Constraint {
        key,
        skew: int(c, "maxSkew").max(1),
        hard: text(c, "whenUnsatisfiable") != "ScheduleAnyway",
        // as long as there are too few domains, the next one is taken to be empty
        fewest: if few { 0 } else { counts.values().copied().min().unwrap_or(0) },
        counts,
        own: i64::from(meant(pod)),
    }
}
