//! What is on a node when everything that the plan named is gone: the evidence of a drain.

use std::time::Duration;

use serde_json::Value;

use crate::operations::Target;
use crate::runner::api::{Api, ApiRequest, segment};
use crate::runner::context::Context;

/// `only DaemonSet and static pods are left on n0`, or the names of others: those left by choice,
/// and those that came between the plan and the cordon.
pub(super) async fn on_node<A: Api>(ctx: &Context<A>, node: &Target) -> String {
    let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{}", segment(&node.name));
    let answer = match ctx.read(node.cluster, ApiRequest::read(&path, Duration::from_secs(30))).await {
        Ok(answer) if answer.good() => answer,
        Ok(answer) => return format!("what is left on {} is not known, {}", node.name, answer.says()),
        Err(fault) => return format!("what is left on {} is not known: {fault}", node.name),
    };
    let pods = answer.body["items"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<String> = pods.iter().filter(|pod| moves(pod)).map(name).collect();
    match names.len() {
        0 => format!("only DaemonSet and static pods are left on {}", node.name),
        1..=3 => format!("still on {}: {}", node.name, names.join(", ")),
        more => format!("still on {}: {} and {} more", node.name, names[..3].join(", "), more - 3),
    }
}

/// Whether a drain would move this pod.
fn moves(pod: &Value) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array().map_or(&[][..], Vec::as_slice);
    let daemon = owners.iter().any(|o| o["kind"] == "DaemonSet" && o["apiVersion"] == "apps/v1");
    let mirror = pod["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some();
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    !daemon && !mirror && !ended
}

fn name(pod: &Value) -> String {
    let word = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", word("namespace"), word("name"))
}
