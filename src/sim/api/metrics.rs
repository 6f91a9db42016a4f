//! metrics.k8s.io: what nodes and pods use, from the fleet's load model.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::access;
use super::call::Call;
use super::reply::Answer;
use crate::kinds::wire::{self, Format};
use crate::model::Used;
use crate::sim::cluster::Shared;
use crate::sim::fields::{at, list, name, text};
use crate::sim::refusal::Refusal;
use crate::sim::resources::Res;
use crate::sim::schema;
use crate::sim::selector::Labels;
use crate::sim::world::World;

const VERSION: &str = "metrics.k8s.io/v1beta1";

/// Answers `/apis/metrics.k8s.io/v1beta1/…`.
pub(super) fn serve(shared: &Arc<Shared>, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    if super::changes(&call.method) {
        return Err(Refusal::method());
    }
    let (plural, namespace, wanted) = match rest {
        [] => return super::discovery::resources(shared, "metrics.k8s.io", "v1beta1"),
        ["nodes"] => ("nodes", None, None),
        ["nodes", name] => ("nodes", None, Some(*name)),
        ["pods"] => ("pods", None, None),
        ["namespaces", ns, "pods"] => ("pods", Some(*ns), None),
        ["namespaces", ns, "pods", name] => ("pods", Some(*ns), Some(*name)),
        _ => return Err(Refusal::no_such_path()),
    };
    let verb = if wanted.is_some() { "get" } else { "list" };
    let space = namespace.unwrap_or_default();
    access::check_names(
        shared,
        &call.who,
        verb,
        "metrics.k8s.io",
        plural,
        space,
        wanted.unwrap_or_default(),
    )?;
    let labels = Labels::parse(call.query.get("labelSelector")).map_err(Refusal::bad_request)?;
    shared.read(|world| {
        let res = if plural == "nodes" { Res::Nodes } else { Res::Pods };
        let chosen = world.store.list(res, namespace).filter(|o| labels.matches_object(o));
        let items: Vec<Value> = chosen
            .filter(|o| wanted.is_none_or(|w| name(o) == w))
            .filter_map(|o| if res == Res::Nodes { node(world, o) } else { pod(world, o) })
            .collect();
        match wanted {
            Some(wanted) => {
                let item = items.first().ok_or_else(|| Refusal::not_found(res.spec(), wanted))?;
                Ok(Answer::json(200, item))
            }
            None => Ok(written(if res == Res::Nodes { "NodeMetrics" } else { "PodMetrics" }, &items, call)),
        }
    })
}

/// A list in the format that was asked for: metrics-server speaks both.
fn written(kind: &str, items: &[Value], call: &Call) -> Answer {
    let list_kind = format!("{kind}List");
    match schema::of(VERSION, kind).filter(|_| call.wants_protobuf()) {
        Some(message) => {
            let items: Vec<Vec<u8>> = items.iter().map(|item| schema::to_protobuf(message, item)).collect();
            let items = items.iter().map(Vec::as_slice);
            let list = wire::write_list(VERSION, &list_kind, &wire::ListMeta::default(), items);
            Answer::bytes(Format::Protobuf.media_type(), list)
        }
        None => {
            let list = json!({ "kind": list_kind, "apiVersion": VERSION, "metadata": {}, "items": items });
            Answer::json(200, &list)
        }
    }
}

fn amounts(used: Used) -> Value {
    json!({ "cpu": format!("{}m", used.cpu), "memory": format!("{}Ki", used.memory >> 10) })
}

fn head(world: &World, kind: &str, object: &Value) -> Value {
    json!({
        "kind": kind, "apiVersion": VERSION,
        "metadata": {
            "name": name(object), "namespace": at(object, "metadata.namespace"),
            "creationTimestamp": world.now.rfc3339(), "labels": at(object, "metadata.labels"),
        },
        "timestamp": world.now.rfc3339(), "window": "15s",
    })
}

/// A dead kubelet measures nothing.
fn node(world: &World, node: &Value) -> Option<Value> {
    let used = world.node_usage(name(node))?;
    let mut item = head(world, "NodeMetrics", node);
    item["usage"] = amounts(used);
    Some(item)
}

fn pod(world: &World, pod: &Value) -> Option<Value> {
    let used = world.pod_usage(pod)?;
    let containers = list(pod, "spec.containers");
    let share = i64::try_from(containers.len()).unwrap_or(1).max(1);
    let one = Used { cpu: used.cpu / share, memory: used.memory / share };
    let measured = containers.iter().map(|c| json!({ "name": text(c, "name"), "usage": amounts(one) }));
    let mut item = head(world, "PodMetrics", pod);
    item["containers"] = measured.collect();
    Some(item)
}
