//! What a node alone says about a pod: cordons, taints, affinity, room.

use crate::sim::cache::NodeView;
use crate::sim::controllers::pods;
use crate::sim::fields::{list, map, text};
use crate::sim::json::{Value, json};
use crate::sim::room::Room;

/// Another pod has a port of the node that this one wants.
pub(super) const NO_PORTS: &str = "node(s) didn't have free ports for the requested pod ports";

/// Why a pod does not fit a node, in the scheduler's words; `None` when it fits.
pub(in crate::sim::controllers) fn misfit(pod: &Value, asks: &Room, node: &NodeView) -> Option<String> {
    misfit_in(pod, asks, node, &node.used)
}

/// The same when this much of the node is taken.
pub(in crate::sim::controllers) fn misfit_in(
    pod: &Value,
    asks: &Room,
    node: &NodeView,
    taken: &Room,
) -> Option<String> {
    misfits(pod, asks, node, taken).into_iter().next()
}

/// Every reason that the first filter to object has: only room has several.
pub(super) fn misfits(pod: &Value, asks: &Room, node: &NodeView, taken: &Room) -> Vec<String> {
    let cordon = || json!({ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" });
    if node.unschedulable && !pods::tolerates(pod, &cordon()) {
        return vec!["node(s) were unschedulable".into()];
    }
    let taint = node.taints.iter().find(|t| {
        let ours = text(t, "key") == "node.kubernetes.io/unschedulable";
        !ours && text(t, "effect") != "PreferNoSchedule" && !pods::tolerates(pod, t)
    });
    if let Some(taint) = taint {
        let said =
            format!("node(s) had untolerated taint {{{}: {}}}", text(taint, "key"), text(taint, "value"));
        return vec![said];
    }
    if !map(pod, "spec.nodeSelector").iter().all(|(k, v)| v == node.label(k)) || !affine(pod, node) {
        return vec!["node(s) didn't match Pod's node affinity/selector".into()];
    }
    if taken.clashes(asks) {
        return vec![NO_PORTS.into()];
    }
    let free = node.allocatable - taken.resources;
    let (disk, asks) = (asks.storage, asks.resources);
    [
        (asks.pods > free.pods, "Too many pods"),
        (asks.cpu > free.cpu, "Insufficient cpu"),
        (asks.memory > free.memory, "Insufficient memory"),
        (disk > 0 && disk > node.storage - taken.storage, "Insufficient ephemeral-storage"),
        (asks.gpus > free.gpus, "Insufficient nvidia.com/gpu"),
    ]
    .into_iter()
    .filter(|(short, _)| *short)
    .map(|(_, said)| said.to_owned())
    .collect()
}

const REQUIRED: &str =
    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
const PREFERRED: &str = "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution";

/// Whether the required node affinity holds: one of its terms must.
fn affine(pod: &Value, node: &NodeView) -> bool {
    let terms = list(pod, REQUIRED);
    terms.is_empty() || terms.iter().any(|term| holds(term, node))
}

/// The nodes that a pod names by its required affinity, if that names any: no other is looked at
/// (`NodeAffinity` `PreFilter`).
pub(in crate::sim::controllers) fn named(pod: &Value) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    for term in list(pod, REQUIRED) {
        let by_name = |e: &&Value| text(e, "key") == "metadata.name" && text(e, "operator") == "In";
        let field = list(term, "matchFields").iter().find(by_name)?;
        names.extend(list(field, "values").iter().filter_map(Value::as_str));
    }
    (!names.is_empty()).then_some(names)
}

/// Whether a pod may go to a node by its labels alone.
pub(in crate::sim::controllers) fn eligible(pod: &Value, node: &NodeView) -> bool {
    map(pod, "spec.nodeSelector").iter().all(|(k, v)| v == node.label(k)) && affine(pod, node)
}

/// A term holds when all of it does; an empty one never does.
fn holds(term: &Value, node: &NodeView) -> bool {
    let (labels, fields) = (list(term, "matchExpressions"), list(term, "matchFields"));
    let on_label = |e: &Value| {
        let key = text(e, "key");
        requirement(e, node.labels.get(key).and_then(Value::as_str))
    };
    // the only field that a node is chosen by is its name
    let on_field = |e: &Value| text(e, "key") == "metadata.name" && requirement(e, Some(&node.name));
    !(labels.is_empty() && fields.is_empty()) && labels.iter().all(on_label) && fields.iter().all(on_field)
}

/// Whether a requirement of a label, a field or a property holds.
pub(in crate::sim::controllers) fn requirement(e: &Value, has: Option<&str>) -> bool {
    let listed = || has.is_some_and(|h| list(e, "values").iter().any(|v| v == h));
    let number = |text: Option<&str>| text.and_then(|t| t.parse::<i64>().ok());
    let than = || number(list(e, "values").first().and_then(Value::as_str));
    match text(e, "operator") {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => has.is_some(),
        "DoesNotExist" => has.is_none(),
        "Gt" => number(has).zip(than()).is_some_and(|(a, b)| a > b),
        "Lt" => number(has).zip(than()).is_some_and(|(a, b)| a < b),
        _ => false,
    }
}

/// The weights of the preferred terms that hold.
pub(super) fn preference(pod: &Value, node: &NodeView) -> i64 {
    let terms = list(pod, PREFERRED).iter().filter(|t| holds(&t["preference"], node));
    terms.map(|t| t["weight"].as_i64().unwrap_or(0)).sum()
}
