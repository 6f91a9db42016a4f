//! Asking the clusters whether a plan would be allowed: access reviews, then dry runs.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use super::api::{Api, ApiAnswer, ApiRequest, FIELD_MANAGER};
use super::changes;
use super::steps::{SLOTS, before_server, passing};
use crate::model::{ClusterId, Fault, Text, Tone};
use crate::operations::{Action, EvictPod, Line, Plan, Probe, RollBack, Step, Target, Tolerance};
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
    // Side by side: somebody waits for this before a failover begins.
    let (mut lines, dry_run) = tokio::join!(rights_lines(api, snapshot, plan), dry_run_line(api, plan));
    lines.extend(dry_run);
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

/// How long a cluster is waited for whose silence is no reason against the plan: a failover must not
/// wait half a minute for the side that is lost.
const SPARED_LIMIT: Duration = Duration::from_secs(5);

impl Need {
    fn limited(self, request: ApiRequest) -> ApiRequest {
        match self {
            Need::Needed => request,
            Need::Spared => ApiRequest { timeout: request.timeout.min(SPARED_LIMIT), ..request },
        }
    }

    /// Whether this answer is silence that the plan bears: there is none, or it is one of something
    /// before the server that has lost it.
    fn bears(self, answer: &Result<ApiAnswer, Fault>) -> bool {
        let silent = answer.as_ref().map_or(true, before_server);
        self == Need::Spared && silent
    }
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
                    rights.extend(pods.iter().flat_map(|pod| pod_rights(node.cluster, pod)));
                }
                Action::RollBack(back) => {
                    rights.push(object_right(&back.target, "patch"));
                    rights.push(object_right(&back.to, "get"));
                }
                Action::Delete(target) => {
                    rights.extend(["delete", "get"].map(|verb| object_right(target, verb)));
                }
                Action::AwaitReady(targets) | Action::Probe(Probe::Ready(targets)) => {
                    rights.extend(targets.iter().map(|ready| object_right(&ready.target, "get")));
                }
                Action::AwaitRollout(target) => rights.push(object_right(target, "get")),
                Action::AwaitRun(_) | Action::Probe(Probe::Http { .. }) | Action::Assess(_) => {}
            }
        }
    }
    rights.sort_unstable();
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

/// To take a pod away, and to look whether it went.
fn pod_rights(cluster: ClusterId, pod: &EvictPod) -> [Right; 2] {
    let take = if pod.delete { ("delete", "") } else { ("create", "eviction") };
    [take, ("get", "")].map(|(verb, subresource)| Right {
        cluster,
        verb,
        group: Text::EMPTY,
        version: Text::clean("v1"),
        resource: Text::clean("pods"),
        subresource: Text::clean(subresource),
        namespace: pod.namespace.clone(),
        name: Text::EMPTY,
    })
}

async fn rights_lines<A: Api>(api: &A, snapshot: &Snapshot, plan: &Plan) -> Vec<Line> {
    let needed = rights(plan, Need::Needed);
    let spared = rights(plan, Need::Spared).into_iter().filter(|right| !needed.contains(right));
    let spared = spared.map(|right| (right, Need::Spared)).collect::<Vec<_>>();
    let wanted = needed.into_iter().map(|right| (right, Need::Needed)).chain(spared);
    let asked = wanted.map(|(right, need)| async move {
        let request = need.limited(ApiRequest::access_review(&right.attributes()));
        let answer = api.call(right.cluster, request).await;
        (!need.bears(&answer)).then(|| (right, verdict(answer)))
    });
    let verdicts: Vec<(Right, Verdict)> =
        futures::stream::iter(asked).buffered(SLOTS).filter_map(std::future::ready).collect().await;
    let allowed = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Allowed);
    let mut titles: Vec<String> = allowed.map(|(right, _)| right.title()).collect();
    titles.sort_unstable();
    titles.dedup();
    let mut lines = Vec::new();
    if !titles.is_empty() {
        lines.push(Line::new("allowed", titles.join(", ")));
    }
    lines.extend(verdicts.iter().filter_map(|(right, verdict)| denied_line(snapshot, right, verdict)));
    lines
}

/// What an access review came to.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Verdict {
    Allowed,
    /// The server knows us and says no.
    Denied(Text),
    /// Nobody knows.
    Unknown(Text),
}

fn verdict(answer: Result<ApiAnswer, Fault>) -> Verdict {
    match answer {
        Ok(answer) if answer.good() => match answer.body["status"]["allowed"].as_bool() {
            Some(true) => Verdict::Allowed,
            _ => Verdict::Denied(match answer.body["status"]["reason"].as_str() {
                Some(reason) if !reason.is_empty() => Text::clean(reason),
                _ => Text::clean("no role allows it"),
            }),
        },
        Ok(answer) if answer.status >= 500 || passing(answer.status) => Verdict::Unknown(answer.says()),
        Ok(answer) => Verdict::Denied(answer.says()),
        Err(fault) => Verdict::Unknown(fault.to_string().into()),
    }
}

fn denied_line(snapshot: &Snapshot, right: &Right, verdict: &Verdict) -> Option<Line> {
    let cluster = snapshot.fleet.cluster(right.cluster).map(|c| c.info.name.clone()).unwrap_or_default();
    let place = if right.namespace.is_empty() { String::new() } else { format!(" in {}", right.namespace) };
    let title = right.title();
    let text = match verdict {
        Verdict::Allowed => return None,
        Verdict::Denied(why) => format!("no {title}{place} on {cluster}: {why}"),
        Verdict::Unknown(why) => format!("{title}{place} on {cluster} could not be asked: {why}"),
    };
    Some(Line::new("allowed", text).toned(Tone::Crit))
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
    let mut trials: Vec<Trial> = Vec::new();
    for step in &plan.steps {
        trials.extend(trials_of(api, step).await);
    }
    if trials.is_empty() {
        return None;
    }
    let tried = trials.into_iter().map(|trial| attempt(api, trial));
    let tried: Vec<Tried> = futures::stream::iter(tried).buffered(SLOTS).collect().await;
    Some(outcome(&tried))
}

/// The dry runs of one step's writes.
async fn trials_of<A: Api>(api: &A, step: &Step) -> Vec<Trial> {
    let need = need(step);
    match &step.action {
        Action::Patch(patch) => {
            vec![(patch.target.cluster, patch.target.title(), Ok(ApiRequest::patch(patch, true)), need)]
        }
        Action::Evict { node, pods, grace, .. } => {
            let trial = |pod: &EvictPod| {
                let mut request = ApiRequest::evict(pod, *grace, true);
                // Once in the body and once in the query, so that neither can be lost on the way.
                request.path.push_str(&format!("?dryRun=All&fieldManager={FIELD_MANAGER}"));
                (node.cluster, format!("Pod {}/{}", pod.namespace, pod.name), Ok(request), need)
            };
            pods.iter().map(trial).collect()
        }
        Action::RollBack(back) => {
            vec![(back.target.cluster, back.target.title(), roll_back(api, back).await, need)]
        }
        Action::Delete(target) => {
            vec![(target.cluster, target.title(), Ok(ApiRequest::delete(target, true)), need)]
        }
        _ => Vec::new(),
    }
}

async fn attempt<A: Api>(api: &A, (cluster, title, request, need): Trial) -> Tried {
    let request = match request {
        Ok(request) => need.limited(request),
        Err(why) => return Tried::Refused(why),
    };
    let answer = api.call(cluster, request).await;
    if need.bears(&answer) {
        return Tried::Spared;
    }
    match answer {
        Ok(answer) if answer.good() => Tried::Accepted,
        Ok(answer) if answer.status == 429 && answer.cause("DisruptionBudget").is_some() => Tried::Budget,
        Ok(answer) => Tried::Refused(format!("{title}: {}", answer.says()).into()),
        Err(fault) => Tried::Refused(format!("{title}: {fault}").into()),
    }
}

/// `dry run: 12 accepted, 2 refused by a budget for now`.
fn outcome(tried: &[Tried]) -> Line {
    let count = |is: fn(&Tried) -> bool| tried.iter().filter(|t| is(t)).count();
    let mut text = format!("dry run: {} accepted", count(|t| matches!(t, Tried::Accepted)));
    let budget = count(|t| matches!(t, Tried::Budget));
    if budget > 0 {
        text.push_str(&format!(", {budget} refused by a budget for now"));
    }
    let mut tone = Tone::Ok;
    let silent = count(|t| matches!(t, Tried::Spared));
    if silent > 0 {
        text.push_str(&format!(", {silent} not answered: left to be done if the silence goes on"));
        tone = Tone::Warn;
    }
    let refused: Vec<&Text> = tried
        .iter()
        .filter_map(|t| match t {
            Tried::Refused(why) => Some(why),
            _ => None,
        })
        .collect();
    if let Some(first) = refused.first() {
        text.push_str(&format!(", {} refused: {first}", refused.len()));
        tone = Tone::Crit;
    }
    Line::new("allowed", text).toned(tone)
}
