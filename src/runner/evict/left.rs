//! What is on a node when everything that the plan named is gone: the evidence of a drain.

use std::time::Duration;

use serde_json::Value;

use crate::model::{Labels, Text, Uid};
use crate::operations::{Target, parse_selector};
use crate::runner::api::{Api, ApiRequest, segment};
use crate::runner::context::Context;

/// Pods that are named.
const NAMED: usize = 3;

/// What the plan knows of the pods that it leaves on a node.
pub(super) struct Known<'a> {
    /// Those that it saw and leaves.
    pub(super) kept: &'a [Uid],
    /// Only pods with these labels were to go; every one when empty.
    pub(super) selector: &'a str,
}

/// What is left on a node.
pub(super) struct Left {
    /// Whether a pod that a drain would move came after the plan: the node is not empty, and nobody
    /// wanted that.
    pub(super) late: bool,
    /// What stays there knowingly, or that it is not known, for the last word of the run.
    pub(super) but: Option<String>,
    /// `only DaemonSet and static pods are left on n0`, or who else is there.
    pub(super) said: String,
}

/// Looks at what is left on a node. Pods that were left by choice, those that leave already, and
/// those that bear a cordon, for their controller puts them back at once, are told and no failure.
pub(super) async fn on_node<A: Api>(ctx: &Context<A>, node: &Target, known: &Known<'_>) -> Left {
    let name = &node.name;
    let unknown = |why: String| {
        let said = format!("what is left on {name} is not known{why}");
        Left { late: false, but: Some(said.clone()), said }
    };
    let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{}", segment(name));
    let answer = match ctx.read(node.cluster, ApiRequest::read(&path, Duration::from_secs(30))).await {
        Ok(answer) if answer.good() => answer,
        Ok(answer) => return unknown(format!(", {}", answer.says())),
        Err(fault) => return unknown(format!(": {fault}")),
    };
    let pods = answer.body["items"].as_array().map_or(&[][..], Vec::as_slice);
    let (late, kept): (Vec<_>, Vec<_>) =
        pods.iter().filter(|pod| moves(pod)).partition(|pod| known.came_late(pod));
    let but = (!kept.is_empty()).then(|| format!("still on {name}: {}", paths(&kept)));
    let mut said = Vec::new();
    if !late.is_empty() {
        said.push(format!("{name} is not empty: came after the plan: {}; drain it again", paths(&late)));
    }
    said.extend(but.clone());
    if said.is_empty() {
        said.push(format!("only DaemonSet and static pods are left on {name}"));
    }
    Left { late: !late.is_empty(), but, said: said.join("; ") }
}

impl Known<'_> {
    fn came_late(&self, pod: &Value) -> bool {
        let meta = &pod["metadata"];
        let kept = meta["uid"].as_str().is_some_and(|uid| self.kept.contains(&Uid::parse(uid)));
        let leaves = !meta["deletionTimestamp"].is_null();
        !kept && !leaves && !bears_cordon(pod) && self.selected(meta)
    }

    fn selected(&self, meta: &Value) -> bool {
        if self.selector.is_empty() {
            return true;
        }
        let labels = meta["labels"].as_object().into_iter().flatten();
        let labels =
            labels.map(|(key, value)| (Text::clean(key), Text::clean(value.as_str().unwrap_or_default())));
        let labels = Labels::new(labels.collect());
        parse_selector(self.selector).is_ok_and(|selector| selector.matches(&labels))
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

/// Whether the scheduler may place it on a cordoned node: it tolerates the taint of a cordon
/// (`node.kubernetes.io/unschedulable`), or every taint.
fn bears_cordon(pod: &Value) -> bool {
    let tolerations = pod["spec"]["tolerations"].as_array().map_or(&[][..], Vec::as_slice);
    tolerations.iter().any(|t| match t["key"].as_str() {
        Some("node.kubernetes.io/unschedulable") => true,
        None | Some("") => t["operator"] == "Exists",
        Some(_) => false,
    })
}

fn paths(pods: &[&Value]) -> String {
    let word = |pod: &Value, key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = pods
        .iter()
        .take(NAMED)
        .map(|pod| format!("{}/{}", word(pod, "namespace"), word(pod, "name")))
        .collect();
    match pods.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
