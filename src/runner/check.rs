//! Asking the clusters whether a plan would be allowed: access reviews, then dry runs.

use std::sync::Arc;

use futures::StreamExt;
use serde_json::{Value, json};

use super::api::{Api, ApiRequest, FIELD_MANAGER};
use super::changes;
use super::steps::SLOTS;
use crate::model::{ClusterId, Text, Tone};
use crate::operations::{Action, EvictPod, Line, Plan, RollBack, Step, Target, Tolerance};
use crate::views::Snapshot;

/// A right that a plan needs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Right {
    cluster: ClusterId,
    verb: &'static str,
    group: Text,
    version: Text,
    resource: Text,
    subresource: Text,
    namespace: Text,
    /// Empty for every object, as for the pods of a namespace.
    name: Text,
}

impl Right {
    fn title(&self) -> String {
        let resource = match self.subresource.as_str() {
            "" => self.resource.to_string(),
            subresource => format!("{}/{subresource}", self.resource),
        };
        format!("{resource} {}", self.verb)
    }

    fn attributes(&self) -> Value {
        json!({
            "verb": self.verb, "group": self.group, "version": self.version, "resource": self.resource,
            "subresource": self.subresource, "namespace": self.namespace, "name": self.name,
        })
    }
}

/// What the clusters say of a plan, as `allowed` lines. A dry run of many evictions counts each by
/// itself: the server does not add them up against a budget.
pub(super) async fn check<A: Api>(api: &A, snapshot: &Arc<Snapshot>, plan: &Plan) -> Vec<Line> {
    let mut lines = rights_lines(api, snapshot, plan).await;
    lines.extend(dry_run_line(api, plan).await);
    lines
}

/// Whether the rest of a plan does without a step when its cluster is silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Need {
    Needed,
    /// Silence now is no reason to refuse the plan: a primary that cannot be asked is why one fails over.
    Spared,
}

fn need(step: &Step) -> Need {
    if step.tolerance == Tolerance::Nothing { Need::Needed } else { Need::Spared }
}

/// The rights that the steps of this need ask for.
fn rights(plan: &Plan, of: Need) -> Vec<Right> {
    let mut rights = Vec::new();
    for step in plan.steps.iter().filter(|step| need(step) == of) {
        for action in std::iter::once(&step.action).chain(&step.undo) {
            match action {
                Action::Patch(patch) => {
                    rights.push(Right {
                        subresource: Text::clean(patch.subresource),
                        ..object_right(&patch.target, "patch")
                    });
                }
                Action::Evict { node, pods, .. } => {
                    rights.extend(pods.iter().map(|p| pod_right(node.cluster, p)))
                }
                Action::RollBack(back) => {
                    rights.push(object_right(&back.target, "patch"));
                    rights.push(object_right(&back.to, "get"));
                }
                Action::Delete(target) => rights.push(object_right(target, "delete")),
                Action::AwaitReady(_)
                | Action::AwaitRollout(_)
                | Action::AwaitRun(_)
                | Action::Probe(_)
                | Action::Assess(_) => {}
            }
        }
    }
    rights.sort();
    rights.dedup();
    rights
}

fn object_right(target: &Target, verb: &'static str) -> Right {
    let (group, version) = target.api.split_once('/').unwrap_or(("", &target.api));
    Right {
        cluster: target.cluster,
        verb,
        group: Text::clean(group),
        version: Text::clean(version),
        resource: target.plural.clone(),
        subresource: Text::EMPTY,
        namespace: target.namespace.clone(),
        name: target.name.clone(),
    }
}

fn pod_right(cluster: ClusterId, pod: &EvictPod) -> Right {
    let (verb, subresource) = if pod.delete { ("delete", "") } else { ("create", "eviction") };
    Right {
        cluster,
        verb,
        group: Text::EMPTY,
        version: Text::clean("v1"),
        resource: Text::clean("pods"),
        subresource: Text::clean(subresource),
        namespace: pod.namespace.clone(),
        name: Text::EMPTY,
    }
}

async fn rights_lines<A: Api>(api: &A, snapshot: &Snapshot, plan: &Plan) -> Vec<Line> {
    let needed = rights(plan, Need::Needed);
    let spared = rights(plan, Need::Spared).into_iter().filter(|right| !needed.contains(right));
    let spared = spared.map(|right| (right, Need::Spared)).collect::<Vec<_>>();
    let wanted = needed.into_iter().map(|right| (right, Need::Needed)).chain(spared);
    let asked = wanted.map(|(right, need)| async move {
        let answer = api.call(right.cluster, ApiRequest::access_review(&right.attributes())).await;
        let verdict = match answer {
            Ok(answer) if answer.good() => match answer.body["status"]["allowed"].as_bool() {
                Some(true) => Ok(()),
                _ => {
                    Err(Text::clean(answer.body["status"]["reason"].as_str().unwrap_or("no role allows it")))
                }
            },
            Ok(answer) => Err(answer.says()),
            Err(_) if need == Need::Spared => return None,
            Err(fault) => Err(fault.to_string().into()),
        };
        Some((right, verdict))
    });
    let verdicts: Vec<(Right, Result<(), Text>)> =
        futures::stream::iter(asked).buffered(SLOTS).filter_map(std::future::ready).collect().await;
    let mut titles: Vec<String> =
        verdicts.iter().filter(|(_, v)| v.is_ok()).map(|(r, _)| r.title()).collect();
    titles.sort();
    titles.dedup();
    let mut lines = Vec::new();
    if !titles.is_empty() {
        lines.push(Line::new("allowed", titles.join(", ")));
    }
    for (right, verdict) in verdicts {
        if let Err(why) = verdict {
            let cluster =
                snapshot.fleet.cluster(right.cluster).map(|c| c.info.name.clone()).unwrap_or_default();
            let place =
                if right.namespace.is_empty() { String::new() } else { format!(" in {}", right.namespace) };
            let why = if why.is_empty() { Text::clean("no role allows it") } else { why };
            let text = format!("no {}{place} on {cluster}: {why}", right.title());
            lines.push(Line::new("allowed", text).toned(Tone::Crit));
        }
    }
    lines
}

/// The dry run of a way back: its template is read first.
async fn roll_back<A: Api>(api: &A, back: &RollBack) -> Result<ApiRequest, Text> {
    let title = back.to.title();
    match api.call(back.to.cluster, ApiRequest::get(&back.to)).await {
        Ok(answer) if answer.good() => {
            let patch = changes::template_patch(back, &answer.body)?;
            Ok(ApiRequest::patch(&patch, true))
        }
        Ok(answer) => Err(format!("{title}: {}", answer.says()).into()),
        Err(fault) => Err(format!("{title}: {fault}").into()),
    }
}

/// What a dry run of one write came to.
enum Tried {
    Accepted,
    Budget,
    /// Its cluster is silent, and the plan goes on without it.
    Spared,
    Refused(Text),
}

/// A request of a dry run: on which cluster, about what, the request or why it cannot be made, and
/// whether the plan does without it when the cluster is silent.
type Trial = (ClusterId, String, Result<ApiRequest, Text>, Need);

async fn dry_run_line<A: Api>(api: &A, plan: &Plan) -> Option<Line> {
    let mut requests: Vec<Trial> = Vec::new();
    for step in &plan.steps {
        let need = need(step);
        match &step.action {
            Action::Patch(patch) => {
                let request = ApiRequest::patch(patch, true);
                requests.push((patch.target.cluster, patch.target.title(), Ok(request), need));
            }
            Action::Evict { node, pods, grace, .. } => requests.extend(pods.iter().map(|pod| {
                let title = format!("Pod {}/{}", pod.namespace, pod.name);
                let mut request = ApiRequest::evict(pod, *grace, true);
                // Once in the body and once in the query, so that neither can be lost on the way.
                request.path.push_str(&format!("?dryRun=All&fieldManager={FIELD_MANAGER}"));
                (node.cluster, title, Ok(request), need)
            })),
            Action::RollBack(back) => {
                requests.push((back.target.cluster, back.target.title(), roll_back(api, back).await, need));
            }
            Action::Delete(target) => {
                requests.push((target.cluster, target.title(), Ok(ApiRequest::delete(target, true)), need));
            }
            _ => {}
        }
    }
    if requests.is_empty() {
        return None;
    }
    let tried = requests.into_iter().map(|(cluster, title, request, need)| async move {
        let request = match request {
            Ok(request) => request,
            Err(why) => return Tried::Refused(why),
        };
        match api.call(cluster, request).await {
            Ok(answer) if answer.good() => Tried::Accepted,
            Ok(answer) if answer.status == 429 && answer.cause("DisruptionBudget").is_some() => Tried::Budget,
            Ok(answer) => Tried::Refused(format!("{title}: {}", answer.says()).into()),
            Err(_) if need == Need::Spared => Tried::Spared,
            Err(fault) => Tried::Refused(format!("{title}: {fault}").into()),
        }
    });
    let tried: Vec<Tried> = futures::stream::iter(tried).buffered(SLOTS).collect().await;
    let accepted = tried.iter().filter(|t| matches!(t, Tried::Accepted)).count();
    let budget = tried.iter().filter(|t| matches!(t, Tried::Budget)).count();
    let refused: Vec<&Text> = tried
        .iter()
        .filter_map(|t| match t {
            Tried::Refused(why) => Some(why),
            _ => None,
        })
        .collect();
    let mut text = format!("dry run: {accepted} accepted");
    if budget > 0 {
        text.push_str(&format!(", {budget} refused by a budget for now"));
    }
    let mut tone = Tone::Ok;
    let silent = tried.iter().filter(|t| matches!(t, Tried::Spared)).count();
    if silent > 0 {
        text.push_str(&format!(", {silent} not answered: left to be done if the silence goes on"));
        tone = Tone::Warn;
    }
    if let Some(first) = refused.first() {
        text.push_str(&format!(", {} refused: {first}", refused.len()));
        tone = Tone::Crit;
    }
    Some(Line::new("allowed", text).toned(tone))
}
