//! Which pods a pod wants near it, and which far from it.

use std::collections::BTreeSet;

use crate::sim::cache::{NodeView, takes_room};
use crate::sim::fields::{at, list, map, namespace, text};
use crate::sim::json::Value;
use crate::sim::resources::Res;
use crate::sim::selector::Labels;
use crate::sim::world::World;

const AFFINITY: &str = "spec.affinity.podAffinity";
const ANTI_AFFINITY: &str = "spec.affinity.podAntiAffinity";

/// Values of a label of nodes, where something is.
struct Places {
    key: String,
    values: BTreeSet<String>,
}

impl Places {
    fn hold(&self, node: &NodeView) -> bool {
        self.values.contains(node.label(&self.key))
    }
}

/// The neighbours of a pod.
#[derive(Default)]
pub(super) struct Around {
    near: Vec<Places>,
    far: Vec<Places>,
    /// Where pods are that want to be far from this one.
    unwanted: Vec<Places>,
    /// Weights of places that are preferred, or avoided.
    preferred: Vec<(i64, Places)>,
}

/// A term of pod affinity: which pods it means.
struct Term<'a> {
    key: &'a str,
    labels: Option<Labels>,
    /// `None` for all.
    namespaces: Option<Vec<&'a str>>,
}

impl<'a> Term<'a> {
    fn of(term: &'a Value, own: &'a str) -> Term<'a> {
        let listed: Vec<&str> = list(term, "namespaces").iter().filter_map(Value::as_str).collect();
        // an empty selector of namespaces means all; others are not told apart here
        let namespaces = match (at(term, "namespaceSelector").is_null(), listed.is_empty()) {
            (false, _) => None,
            (true, true) => Some(vec![own]),
            (true, false) => Some(listed),
        };
        Term { key: text(term, "topologyKey"), labels: Labels::of(at(term, "labelSelector")), namespaces }
    }

    fn means(&self, pod: &Value) -> bool {
        let here = self.namespaces.as_ref().is_none_or(|n| n.contains(&namespace(pod)));
        here && self.labels.as_ref().is_some_and(|l| l.matches_object(pod))
    }

    /// Where the pods are that it means.
    fn places(&self, world: &World) -> Places {
        let mut values = BTreeSet::new();
        let mut look = |space: Option<&str>| {
            for pod in world.store.list(Res::Pods, space).filter(|p| takes_room(p) && self.means(p)) {
                values.extend(place_of(world, pod, self.key));
            }
        };
        match &self.namespaces {
            Some(spaces) => spaces.iter().for_each(|s| look(Some(s))),
            None => look(None),
        }
        Places { key: self.key.to_owned(), values }
    }
}

/// The value of a label of a pod's node.
fn place_of(world: &World, pod: &Value, key: &str) -> Option<String> {
    let node = world.cache.nodes.get(text(pod, "spec.nodeName"))?;
    node.labels.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn required(path: &str) -> String {
    format!("{path}.requiredDuringSchedulingIgnoredDuringExecution")
}

/// Whether a pod keeps others away.
pub(crate) fn repels(pod: &Value) -> bool {
    !list(pod, &required(ANTI_AFFINITY)).is_empty()
}

impl Around {
    pub(super) fn of(world: &World, pod: &Value) -> Around {
        let own = namespace(pod);
        let mut around = Around::default();
        for id in &world.cache.repelling {
            let Some(other) = world.store.get(Res::Pods, &id.namespace, &id.name) else { continue };
            for term in list(other, &required(ANTI_AFFINITY)) {
                let term = Term::of(term, namespace(other));
                if term.means(pod) {
                    let values = place_of(world, other, term.key).into_iter().collect();
                    around.unwanted.push(Places { key: term.key.to_owned(), values });
                }
            }
        }
        if map(pod, "spec.affinity").is_empty() {
            return around;
        }
        for term in list(pod, &required(AFFINITY)) {
            let term = Term::of(term, own);
            let mut places = term.places(world);
            // the first of those that want to be together goes anywhere
            if places.values.is_empty() && term.means(pod) {
                let all = world.cache.nodes.values().filter_map(|n| n.labels.get(term.key)?.as_str());
                places.values = all.map(str::to_owned).collect();
            }
            around.near.push(places);
        }
        for term in list(pod, &required(ANTI_AFFINITY)) {
            around.far.push(Term::of(term, own).places(world));
        }
        for (path, sign) in [(AFFINITY, 1), (ANTI_AFFINITY, -1)] {
            for soft in list(pod, &format!("{path}.preferredDuringSchedulingIgnoredDuringExecution")) {
                let weight = soft["weight"].as_i64().unwrap_or(0) * sign;
                around.preferred.push((weight, Term::of(&soft["podAffinityTerm"], own).places(world)));
            }
        }
        around
    }

    /// Why a node does not do.
    pub(super) fn misfit(&self, node: &NodeView) -> Option<&'static str> {
        if !self.near.iter().all(|p| p.hold(node)) {
            return Some("node(s) didn't match pod affinity rules");
        }
        if self.far.iter().any(|p| p.hold(node)) {
            return Some("node(s) didn't match pod anti-affinity rules");
        }
        let unwanted = self.unwanted.iter().any(|p| p.hold(node));
        unwanted.then_some("node(s) didn't satisfy existing pods anti-affinity rules")
    }

    /// How much a node is preferred.
    pub(super) fn preference(&self, node: &NodeView) -> i64 {
        self.preferred.iter().filter(|(_, p)| p.hold(node)).map(|(weight, _)| weight).sum()
    }
}
