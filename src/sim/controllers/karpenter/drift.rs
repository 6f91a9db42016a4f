//! Drift: machines that are not what their pool asks for any more
//! (`kubernetes-sigs/karpenter:pkg/controllers/nodeclaim/disruption/drift.go`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::pool::properties;
use crate::sim::fields::{
    annotate, annotation, at, condition, drop_condition, holds, label, list, map, name, set_condition, text,
    unset,
};
use crate::sim::json::Value;
use crate::sim::machines;
use crate::sim::random;
use crate::sim::resources::Res;
use crate::sim::world::World;

const HASH: &str = "karpenter.sh/nodepool-hash";
const HASH_VERSION: &str = "karpenter.sh/nodepool-hash-version";
const VERSION: &str = "v3";

/// The condition of a claim whose machine is to be replaced.
const DRIFTED: &str = "Drifted";

/// Says in a pool or in a claim what its machines are made from.
pub(super) fn stamp(object: &mut Value, pool: &Value) {
    annotate(object, HASH, &hash(pool));
    annotate(object, HASH_VERSION, VERSION);
}

/// A hash of what machines of a pool are made from, but for what their type must be: that is looked at.
fn hash(pool: &Value) -> String {
    let mut template = at(pool, "spec.template").clone();
    unset(&mut template, "spec.requirements");
    random::hash(&template.to_string()).to_string()
}

/// Marks the claims of a pool that drifted, and those that did and are again as they should be.
pub(super) fn mark(world: &mut World, pool: &Arc<Value>) {
    let now = world.now;
    let wanted = hash(pool);
    if annotation(pool, HASH) != wanted {
        world.store.update(Res::NodePools, "", name(pool), |p| stamp(p, pool));
    }
    let claims: Vec<Arc<Value>> = world
        .store
        .list(Res::NodeClaims, None)
        .filter(|c| label(c, "karpenter.sh/nodepool") == name(pool) && holds(c, "Launched"))
        .cloned()
        .collect();
    for claim in claims {
        let found = reason(&claim, pool, &wanted);
        let said = condition(&claim, DRIFTED).map_or("", |c| text(c, "reason"));
        if said == found.unwrap_or_default() {
            continue;
        }
        world.store.update(Res::NodeClaims, "", name(&claim), |c| match found {
            Some(why) => set_condition(c, DRIFTED, "True", why, why, now),
            None => drop_condition(c, DRIFTED),
        });
    }
}

/// Why a claim is not what its pool asks for, if it is not.
fn reason(claim: &Value, pool: &Value, wanted: &str) -> Option<&'static str> {
    let made_from = annotation(claim, HASH);
    if !made_from.is_empty() && made_from != wanted {
        return Some("NodePoolDrifted");
    }
    let labels = map(claim, "metadata.labels");
    let machine = machines::find(label(claim, "node.kubernetes.io/instance-type"));
    let properties = machine.map(properties).unwrap_or_default();
    let of = |key: &str| {
        let own = labels.get(key).and_then(Value::as_str);
        own.or_else(|| properties.iter().find(|(k, _)| *k == key).map(|(_, value)| value.as_str()))
    };
    // what a claim says nothing of may be anything
    let odd = |r: &Value| of(text(r, "key")).is_some_and(|own| !super::requirement(r, Some(own)));
    list(pool, "spec.template.spec.requirements").iter().any(odd).then_some("RequirementsDrifted")
}

/// The nodes whose machines drifted.
pub(in crate::sim::controllers) fn drifted(world: &World) -> BTreeSet<String> {
    let claims = world.store.list(Res::NodeClaims, None).filter(|c| holds(c, DRIFTED));
    claims.map(|c| text(c, "status.nodeName").to_owned()).filter(|node| !node.is_empty()).collect()
}
