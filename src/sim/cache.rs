//! What controllers look up often, kept up to date with every change: who owns what, what runs
//! where, what is free.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::sim::json::Value;

use super::controllers::repels;
use super::fields::{self, at, controller, flag, holds, list, name, text, uid};
use super::objects::Touched;
use super::queue::Id;
use super::resources::{Res, Slot};
use super::room::{self, Room};
use crate::model::Resources;

/// A node as the scheduler sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeView {
    pub(crate) name: String,
    pub(crate) labels: crate::sim::json::Map,
    pub(crate) taints: Vec<Value>,
    pub(crate) unschedulable: bool,
    pub(crate) ready: bool,
    pub(crate) allocatable: Resources,
    /// Bytes of its disk that pods may ask for.
    pub(crate) storage: i64,
    /// What its pods take.
    pub(crate) used: Room,
    pub(crate) pods: BTreeSet<Id>,
}

impl NodeView {
    /// A label, else empty.
    pub(crate) fn label(&self, key: &str) -> &str {
        self.labels.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// What is left of it.
    pub(crate) fn free(&self) -> Resources {
        self.allocatable - self.used.resources
    }
}

/// The controllers' indexes.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// Dependents by the uid of each of their owners, and whether that one controls them.
    dependents: HashMap<String, BTreeMap<(Slot, Id), bool>>,
    /// Objects that nothing controls, of the resources that controllers adopt.
    lone: BTreeSet<(Slot, Id)>,
    pub(crate) nodes: BTreeMap<String, NodeView>,
    /// Pods on nodes that are gone.
    stray: HashMap<String, NodeView>,
    /// Pods without a node.
    pub(crate) waiting: BTreeSet<Id>,
    /// How many pods of each priority there are on nodes.
    priorities: BTreeMap<i64, usize>,
    /// Pods on nodes that keep others away.
    pub(crate) repelling: BTreeSet<Id>,
}

/// Whether a pod still takes room on its node.
pub(crate) fn takes_room(pod: &Value) -> bool {
    !["Succeeded", "Failed"].contains(&text(pod, "status.phase"))
}

impl Cache {
    /// What an owner controls of this resource.
    pub(crate) fn children(&self, owner_uid: &str, res: Res) -> Vec<Id> {
        let all = self.dependents.get(owner_uid).into_iter().flatten();
        all.filter(|((r, _), controls)| **controls && *r == res).map(|((_, id), _)| id.clone()).collect()
    }

    /// All dependents of an owner, whether it controls them or not.
    pub(crate) fn dependents(&self, owner_uid: &str) -> Vec<(Slot, Id)> {
        self.dependents.get(owner_uid).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// The objects of a namespace that nothing controls, of a resource that controllers adopt.
    pub(crate) fn lone(&self, res: Res, namespace: &str) -> Vec<Id> {
        let from = (Slot::from(res), Id::new(namespace, ""));
        let here = self.lone.range(from..).map(|(slot, id)| (*slot, id));
        here.take_while(|(slot, id)| *slot == res && id.namespace == namespace)
            .map(|(_, id)| id.clone())
            .collect()
    }

    /// The pods of a node.
    pub(crate) fn pods_on(&self, node: &str) -> Vec<Id> {
        let view = self.nodes.get(node).or_else(|| self.stray.get(node));
        view.map_or_else(Vec::new, |n| n.pods.iter().cloned().collect())
    }

    /// Takes note of a change.
    pub(crate) fn see(&mut self, touched: &Touched) {
        let (before, after) = (touched.before.as_deref(), touched.after.as_deref());
        self.see_owners(touched.slot, before, after);
        match touched.slot.built_in() {
            Some(Res::Nodes) => self.see_node(before, after),
            Some(Res::Pods) => {
                let place =
                    |p: Option<&Value>| p.map(|p| (text(p, "spec.nodeName").to_owned(), takes_room(p)));
                if before.is_some() && place(before) == place(after) {
                    return;
                }
                if let Some(pod) = before {
                    self.pod_leaves(pod);
                }
                if let Some(pod) = after {
                    self.pod_comes(pod);
                }
            }
            _ => {}
        }
    }

    fn see_owners(&mut self, slot: Slot, before: Option<&Value>, after: Option<&Value>) {
        const OWNERS: &str = "metadata.ownerReferences";
        if let (Some(before), Some(after)) = (before, after)
            && at(before, OWNERS) == at(after, OWNERS)
        {
            return;
        }
        if let Some(object) = before {
            let key = (slot, Id::of(object));
            self.lone.remove(&key);
            for owner in list(object, OWNERS).iter().map(|o| text(o, "uid")) {
                let Some(set) = self.dependents.get_mut(owner) else { continue };
                set.remove(&key);
                if set.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
        if let Some(object) = after {
            let key = (slot, Id::of(object));
            for owner in list(object, OWNERS) {
                let all = self.dependents.entry(text(owner, "uid").to_owned()).or_default();
                all.insert(key.clone(), flag(owner, "controller"));
            }
            let adopted = [Res::Pods, Res::ReplicaSets, Res::Revisions];
            if adopted.iter().any(|r| slot == *r) && controller(object).is_none() {
                self.lone.insert(key);
            }
        }
    }

    fn see_node(&mut self, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (_, Some(node)) => {
                let key = name(node);
                if !self.nodes.contains_key(key) {
                    let view = self.stray.remove(key).unwrap_or_default();
                    self.nodes.insert(key.to_owned(), view);
                }
                let Some(view) = self.nodes.get_mut(key) else { return };
                key.clone_into(&mut view.name);
                view.labels = fields::map(node, "metadata.labels").clone();
                view.taints = list(node, "spec.taints").to_vec();
                view.unschedulable = flag(node, "spec.unschedulable");
                view.ready = holds(node, "Ready");
                view.allocatable = fields::resources(at(node, "status.allocatable"));
                view.storage = room::storage(at(node, "status.allocatable"));
            }
            (Some(node), None) => {
                if let Some(view) = self.nodes.remove(name(node))
                    && !view.pods.is_empty()
                {
                    self.stray.insert(name(node).to_owned(), view);
                }
            }
            (None, None) => {}
        }
    }

    fn pod_comes(&mut self, pod: &Value) {
        let id = Id::of(pod);
        let node = text(pod, "spec.nodeName");
        if node.is_empty() {
            if takes_room(pod) {
                self.waiting.insert(id);
            }
            return;
        }
        let view = match self.nodes.get_mut(node) {
            Some(view) => view,
            None => self.stray.entry(node.to_owned()).or_default(),
        };
        if takes_room(pod) {
            view.used.add(&Room::of(pod));
            *self.priorities.entry(fields::int(pod, "spec.priority")).or_default() += 1;
        }
        if takes_room(pod) && repels(pod) {
            self.repelling.insert(id.clone());
        }
        view.pods.insert(id);
    }

    fn pod_leaves(&mut self, pod: &Value) {
        let id = Id::of(pod);
        self.waiting.remove(&id);
        self.repelling.remove(&id);
        let node = text(pod, "spec.nodeName");
        let view = match self.nodes.get_mut(node) {
            Some(view) => Some(view),
            None => self.stray.get_mut(node),
        };
        let Some(view) = view else { return };
        if view.pods.remove(&id) && takes_room(pod) {
            view.used.sub(&Room::of(pod));
            let own = fields::int(pod, "spec.priority");
            if let Some(count) = self.priorities.get_mut(&own) {
                *count -= 1;
                if *count == 0 {
                    self.priorities.remove(&own);
                }
            }
        }
        if view.pods.is_empty() {
            self.stray.remove(node);
        }
    }

    /// The lowest priority of the pods on nodes: nothing is gained by preemption at or below it.
    pub(crate) fn lowest_priority(&self) -> i64 {
        self.priorities.keys().next().copied().unwrap_or(i64::MAX)
    }

    /// Whether an owner with this uid has dependents.
    pub(crate) fn owns(&self, object: &Value) -> bool {
        self.dependents.contains_key(uid(object))
    }
}
