//! Volumes are in zones, and pods go where their volumes are.

use crate::sim::cache::NodeView;
use crate::sim::fields::{at, list, namespace, set, text};
use crate::sim::json::{Value, json};
use crate::sim::resources::Res;
use crate::sim::world::World;

const ZONE: &str = "topology.kubernetes.io/zone";
const TERMS: &str = "spec.nodeAffinity.required.nodeSelectorTerms";

/// The zones that the volumes of a pod are in: a node must be in one of each.
#[derive(Default)]
pub(super) struct Places(Vec<Vec<String>>);

impl Places {
    pub(super) fn of(world: &World, pod: &Value) -> Places {
        let zones = |volume: &Value| -> Vec<String> {
            let expressions = list(volume, TERMS).iter().flat_map(|t| list(t, "matchExpressions"));
            let values = expressions.filter(|e| text(e, "key") == ZONE).flat_map(|e| list(e, "values"));
            values.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let all = volumes(world, pod).into_iter();
        Places(
            all.filter_map(|v| Some(zones(world.store.get(Res::Volumes, "", &v)?)))
                .filter(|z| !z.is_empty())
                .collect(),
        )
    }

    /// Why a node does not do.
    pub(super) fn misfit(&self, node: &NodeView) -> Option<&'static str> {
        let zone = node.label(ZONE);
        let conflict = self.0.iter().any(|zones| zones.iter().all(|z| z != zone));
        conflict.then_some("node(s) had volume node affinity conflict")
    }
}

/// The volumes of a pod's claims.
fn volumes(world: &World, pod: &Value) -> Vec<String> {
    let claims = list(pod, "spec.volumes").iter().map(|v| text(v, "persistentVolumeClaim.claimName"));
    claims
        .filter(|claim| !claim.is_empty())
        .filter_map(|claim| world.store.get(Res::Claims, namespace(pod), claim))
        .map(|claim| text(claim, "spec.volumeName").to_owned())
        .collect()
}

/// A pod was given a node: volumes of it that are nowhere yet are made in the node's zone
/// (`WaitForFirstConsumer`).
pub(crate) fn pin(world: &mut World, pod: &Value, node: &str) {
    let Some(zone) = world.cache.nodes.get(node).map(|n| n.label(ZONE).to_owned()) else { return };
    if zone.is_empty() || list(pod, "spec.volumes").is_empty() {
        return;
    }
    for volume in volumes(world, pod) {
        world.store.update(Res::Volumes, "", &volume, |v| {
            if at(v, TERMS).is_null() {
                let here =
                    json!([{ "matchExpressions": [{ "key": ZONE, "operator": "In", "values": [zone] }] }]);
                set(v, TERMS, here);
            }
        });
    }
}
