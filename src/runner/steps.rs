//! Steps other than evictions: patches, waiting for workloads, probes, assessments.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use serde_json::Value;

use super::api::{Api, ApiAnswer, ApiRequest};
use super::context::Context;
use super::gate::{Gate, Halt};
use super::scribe::Entry;
use crate::model::{ClusterId, Fault, Span, Text};
use crate::operations::{Action, Patch, Probe, ReadyTarget};

/// How long until something that did not work is tried again, unless the server says.
pub(super) const AGAIN: Duration = Duration::from_secs(5);
/// How long between two looks at workloads.
const LOOK: Duration = Duration::from_secs(2);
/// Requests in flight at once.
pub(super) const SLOTS: usize = 10;

/// How a step ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// Done, with its evidence.
    Done(Text),
    /// The server refused; nothing was changed by the last request.
    Failed(Text),
    /// It must not go on; what is left, or what is not known.
    Halted(Halt, Text),
    /// Its time is up and the cluster never answered: nobody knows whether it was done.
    Silent(Text),
    /// The journal cannot be written, or the permit does not cover it: nothing more is sent.
    NoRecord(Text),
}

impl End {
    /// What it says: evidence, or why not.
    pub(super) fn said(self) -> Text {
        match self {
            End::Done(text)
            | End::Failed(text)
            | End::Halted(_, text)
            | End::Silent(text)
            | End::NoRecord(text) => text,
        }
    }
}

/// Carries out one action.
pub(super) fn act<'a, A: Api>(
    ctx: &'a Arc<Context<A>>,
    gate: &'a mut Gate,
    action: &'a Action,
) -> BoxFuture<'a, End> {
    match action {
        Action::Patch(it) => Box::pin(patch(ctx, gate, it)),
        Action::Evict { node, pods, grace } => Box::pin(super::evict::evict(ctx, gate, node, pods, *grace)),
        Action::AwaitReady(targets) | Action::Probe(Probe::Ready(targets)) => {
            Box::pin(await_ready(ctx, gate, targets))
        }
        Action::Probe(Probe::Http { url, status, every }) => Box::pin(probe(ctx, gate, url, *status, *every)),
        Action::Assess(cluster) => Box::pin(assess(ctx, gate, *cluster)),
    }
}

/// Whether an answer says that the same request may work later: the server or something before it
/// is busy, or our login has to be renewed.
pub(super) fn passing(status: u16) -> bool {
    matches!(status, 401 | 429 | 502 | 503 | 504)
}

/// Whether an answer came from something before the server, as when a load balancer has lost it.
pub(super) fn before_server(answer: &ApiAnswer) -> bool {
    answer.status == 502 || (matches!(answer.status, 503 | 504) && answer.body.is_null())
}

/// How long the server asks to wait, or the usual time.
pub(super) fn pause(answer: &ApiAnswer) -> Duration {
    let asked = answer.retry_after.map(Span::millis).and_then(|millis| u64::try_from(millis).ok());
    asked.map_or(AGAIN, Duration::from_millis).max(Duration::from_millis(100))
}

async fn patch<A: Api>(ctx: &Context<A>, gate: &mut Gate, patch: &Patch) -> End {
    let title = patch.target.title();
    if let Err(halt) = gate.pass().await {
        return End::Halted(halt, format!("{title}: nothing was sent").into());
    }
    let entry = |action| Entry::new(action).on(&patch.target);
    let intent = entry("intent")
        .with("verb", "patch")
        .with("subresource", patch.subresource)
        .with("patch", patch.body.clone());
    let recorded = match ctx.intend(patch.target.cluster, intent).await {
        Ok(recorded) => recorded,
        Err(fault) => return End::NoRecord(fault.to_string().into()),
    };
    let mut told = Text::EMPTY;
    loop {
        let mut request = ApiRequest::patch(patch, false);
        request.timeout = gate.left(request.timeout);
        let (wait, why, silent) = match ctx.send(&recorded, request).await {
            Ok(answer) if answer.good() => {
                ctx.came(&recorded, entry("result").answered(&answer), Ok("done")).await;
                return End::Done(
                    format!("{title}: {} answered {}", ctx.name(patch.target.cluster), answer.status).into(),
                );
            }
            Ok(answer) if passing(answer.status) => (pause(&answer), answer.says(), before_server(&answer)),
            Ok(answer) => {
                let why = refused(&title, &answer);
                ctx.came(&recorded, entry("result").answered(&answer), Err(&why)).await;
                return End::Failed(why);
            }
            Err(fault) => (AGAIN, Text::from(fault.to_string()), true),
        };
        if why != told {
            let line = format!("{title}: {why}; tried again in {} s", wait.as_secs().max(1));
            ctx.say(line).await;
            told = why.clone();
        }
        if let Err(halt) = gate.rest(wait).await {
            let left = Text::from(format!("{title}: it is not known whether it was done: {why}"));
            ctx.came(&recorded, entry("result"), Err(&left)).await;
            return if silent && halt == Halt::Deadline {
                End::Silent(left)
            } else {
                End::Halted(halt, left)
            };
        }
    }
}

/// Why a server refused a patch, and what to do about it.
fn refused(title: &str, answer: &ApiAnswer) -> Text {
    // Seen at kube-apiserver 1.36: 422 for an object itself, 409 for its scale subresource.
    let message = answer.body["message"].as_str().unwrap_or_default();
    let uid = message.contains("metadata.uid") || message.contains("UID in precondition");
    let text = match answer.status {
        409 | 422 if uid => {
            format!("{title}: another object of that name is there by now; make the plan again")
        }
        404 => format!("{title}: it is not there any more; make the plan again"),
        _ => format!("{title}: refused, {}", answer.says()),
    };
    text.into()
}

async fn await_ready<A: Api>(ctx: &Context<A>, gate: &mut Gate, targets: &[ReadyTarget]) -> End {
    let wanted: u32 = targets.iter().map(|t| t.replicas).fold(0, u32::saturating_add);
    let mut told = String::new();
    loop {
        // Boxed: the compiler cannot prove a stream of borrowing futures to be Send otherwise.
        let looks: Vec<BoxFuture<'_, Result<u32, Text>>> =
            targets.iter().map(|target| -> BoxFuture<'_, _> { Box::pin(look(ctx, target)) }).collect();
        let seen: Vec<Result<u32, Text>> = futures::stream::iter(looks).buffered(SLOTS).collect().await;
        let short: Vec<String> = targets
            .iter()
            .zip(&seen)
            .filter(|(target, ready)| !ready.as_ref().is_ok_and(|ready| *ready >= target.replicas))
            .map(|(target, ready)| match ready {
                Ok(ready) => format!("{} {ready}/{}", target.target.name, target.replicas),
                Err(why) => format!("{}: {why}", target.target.name),
            })
            .collect();
        if short.is_empty() {
            return End::Done(format!("{wanted} of {wanted} Ready").into());
        }
        let line = short.join(", ");
        if line != told {
            ctx.say(format!("not Ready yet: {line}")).await;
            told.clone_from(&line);
        }
        if let Err(halt) = gate.rest(LOOK).await {
            return End::Halted(halt, format!("not Ready: {line}").into());
        }
    }
}

/// Replicas of a workload that are ready, by a status that speaks of its newest spec.
async fn look<A: Api>(ctx: &Context<A>, target: &ReadyTarget) -> Result<u32, Text> {
    let answer = ctx.read(target.target.cluster, ApiRequest::get(&target.target)).await;
    let answer = answer.map_err(|fault| Text::from(fault.to_string()))?;
    if !answer.good() {
        return Err(answer.says());
    }
    let number = |path: &str| answer.body.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Ok(0);
    }
    Ok(u32::try_from(number("/status/readyReplicas")).unwrap_or(0))
}

async fn probe<A: Api>(ctx: &Context<A>, gate: &mut Gate, url: &str, status: u16, every: Span) -> End {
    let every =
        Duration::from_millis(u64::try_from(every.millis()).unwrap_or(0)).max(Duration::from_millis(100));
    let mut told = String::new();
    let mut tries = 0_u32;
    loop {
        if let Err(halt) = gate.pass().await {
            return End::Halted(halt, format!("{url}: {told}").into());
        }
        tries += 1;
        let said = match ctx.api.probe(url).await {
            Ok(got) if got == status => {
                return End::Done(format!("GET {url}: {status}, try {tries}").into());
            }
            Ok(got) => format!("answers {got}, not {status}"),
            Err(fault) => fault.to_string(),
        };
        if said != told {
            ctx.say(format!("probe {url}: {said}; tried every {} s", every.as_secs().max(1))).await;
            told = said;
        }
        if let Err(halt) = gate.rest(every).await {
            return End::Halted(halt, format!("{url}: {told}, tried {tries} times").into());
        }
    }
}

/// One look at a cluster: that it does not answer is a finding, not something to wait for.
async fn assess<A: Api>(ctx: &Context<A>, gate: &mut Gate, cluster: ClusterId) -> End {
    let name = ctx.name(cluster);
    if let Err(halt) = gate.pass().await {
        return End::Halted(halt, format!("{name}: not looked at").into());
    }
    let request = ApiRequest::read("/readyz", gate.left(Duration::from_secs(10)));
    let seen = ctx.snapshot();
    let totals = seen.fleet.cluster(cluster).map(|c| c.totals.clone()).unwrap_or_default();
    let nodes = format!("{} of {} nodes Ready as last seen", totals.nodes_ready, totals.nodes);
    match ctx.read(cluster, request).await {
        Ok(answer) if answer.good() => End::Done(format!("{name} answers and is ready; {nodes}").into()),
        Ok(answer) => {
            End::Failed(format!("{name} answers and is not ready: {}; {nodes}", answer.says()).into())
        }
        Err(Fault { what, .. }) => End::Silent(format!("{name} does not answer: {what}; {nodes}").into()),
    }
}
