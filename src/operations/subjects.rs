//! The chosen nodes, looked up again: a plan is made of what is there now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::PlanInput;
use super::words::{name_of, some};
use crate::model::{Cluster, Kind, Node, ObjectKey, Text, Time};
use crate::views::Snapshot;

/// A chosen node, found.
#[derive(Clone, Debug)]
pub(super) struct Chosen<'a> {
    pub(super) cluster: &'a Arc<Cluster>,
    pub(super) key: ObjectKey,
    pub(super) node: &'a Node,
}

/// The chosen nodes in the order in which they were chosen, each once. The error says which of
/// them is no node, is gone, or is another one by now.
pub(super) fn nodes<'a>(input: &PlanInput<'a>) -> Result<Vec<Chosen<'a>>, Text> {
    let mut chosen: Vec<Chosen<'a>> = Vec::new();
    for key in input.subjects {
        if chosen.iter().any(|c| c.key == *key) {
            continue;
        }
        chosen.push(node(input.snapshot, key)?);
    }
    if chosen.is_empty() { Err(Text::clean("no node is chosen")) } else { Ok(chosen) }
}

fn node<'a>(snapshot: &'a Snapshot, key: &ObjectKey) -> Result<Chosen<'a>, Text> {
    let fleet = &snapshot.fleet;
    if key.kind != Kind::Node {
        return Err(Text::from(format!("{} {} is no node", key.kind.names().kind, key.path())));
    }
    let cluster = fleet.cluster(key.cluster).ok_or_else(|| Text::clean("the cluster is not in the fleet"))?;
    let gone = || Text::from(format!("{} is not in {} any more", key.name, name_of(fleet, key.cluster)));
    let node = cluster.find(Kind::Node, "", &key.name).and_then(|r| r.node()).ok_or_else(gone)?;
    if !key.uid.is_none() && node.meta.uid != key.uid {
        return Err(Text::from(format!("{} is another node of that name by now", key.name)));
    }
    let key = ObjectKey { uid: node.meta.uid, ..key.clone() };
    Ok(Chosen { cluster, key, node })
}

/// Why what is known of these clusters is old, one sentence for each: a plan should rest on what
/// is true now.
pub(super) fn stale(chosen: &[Chosen<'_>], kinds: &[Kind], now: Time) -> Vec<Text> {
    let mut said = BTreeMap::new();
    for c in chosen {
        let old = kinds.iter().filter(|kind| c.cluster.table(**kind).link.stale(now));
        let names: Vec<&str> = old.map(|kind| kind.names().plural).collect();
        let age = c.cluster.table(Kind::Node).link.age(now).unwrap_or_default();
        if !names.is_empty() {
            let sentence = format!("{} of {} as last seen {age} ago", some(&names, 4), c.cluster.info.name);
            said.insert(c.cluster.id, Text::from(sentence));
        }
    }
    said.into_values().collect()
}
