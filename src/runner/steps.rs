//! Steps other than evictions: patches, waiting for workloads, probes, assessments.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use serde_json::Value;

use super::api::{Api, ApiAnswer, ApiRequest};
use super::context::Context;
use super::gate::{Gate, Halt};
use super::rollout::{self, Rollout};
use super::{changes, write};
use crate::model::{ClusterId, Fault, Span, Text};
use crate::operations::{Action, OpId, Patch, Probe, ReadyTarget, Target};

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
    /// Done, with its evidence, and what whoever reads the last word of the run must know of it.
    But(Text, Text),
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
    /// Why it was not done, where a step that may fail that way lets the run go on.
    pub(super) fn tolerated(&self) -> Option<&Text> {
        match self {
            End::Failed(why) | End::Silent(why) | End::Halted(Halt::Deadline, why) => Some(why),
            End::Done(_) | End::But(..) | End::Halted(..) | End::NoRecord(_) => None,
        }
    }

    /// What it says: evidence, or why not.
    pub(super) fn said(self) -> Text {
        match self {
            End::Done(text)
            | End::But(text, _)
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
        Action::Evict { .. } => Box::pin(super::evict::evict(ctx, gate, action)),
        Action::RollBack(back) => Box::pin(changes::roll_back(ctx, gate, back)),
        Action::Delete(target) => Box::pin(changes::delete(ctx, gate, target)),
        Action::AwaitRollout(target) => Box::pin(await_rollout(ctx, gate, target)),
        Action::AwaitRun(op) => Box::pin(await_run(ctx, gate, *op)),
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
    let intent = write::intent(&patch.target, "patch")
        .with("subresource", patch.subresource)
        .with("patch", patch.body.clone());
    write::write(ctx, gate, &patch.target, intent, ApiRequest::patch(patch, false)).await
}

async fn await_ready<A: Api>(ctx: &Context<A>, gate: &mut Gate, targets: &[ReadyTarget]) -> End {
    let mut told = String::new();
    loop {
        // Boxed: the compiler cannot prove a stream of borrowing futures to be Send otherwise.
        let looks: Vec<BoxFuture<'_, Result<(u32, u32), Text>>> =
            targets.iter().map(|target| -> BoxFuture<'_, _> { Box::pin(look(ctx, target)) }).collect();
        let seen = futures::stream::iter(looks).buffered(SLOTS).collect();
        let seen: Vec<Result<(u32, u32), Text>> = match gate.unless_halted(seen).await {
            Ok(seen) => seen,
            Err(halt) => return End::Halted(halt, not_ready(&told)),
        };
        let short: Vec<String> = targets
            .iter()
            .zip(&seen)
            .filter(|(_, seen)| !seen.as_ref().is_ok_and(|(ready, wanted)| ready >= wanted))
            .map(|(target, seen)| match seen {
                Ok((ready, wanted)) => format!("{} {ready}/{wanted}", target.target.name),
                Err(why) => format!("{}: {why}", target.target.name),
            })
            .collect();
        if short.is_empty() {
            let wanted = seen.iter().flatten().fold(0_u32, |sum, (_, wanted)| sum.saturating_add(*wanted));
            return End::Done(format!("{wanted} of {wanted} Ready").into());
        }
        let line = short.join(", ");
        if line != told {
            ctx.say(format!("not Ready yet: {line}")).await;
            told.clone_from(&line);
        }
        if let Err(halt) = gate.rest(LOOK).await {
            return End::Halted(halt, not_ready(&line));
        }
    }
}

fn not_ready(line: &str) -> Text {
    if line.is_empty() {
        "it was not seen how many are Ready".into()
    } else {
        format!("not Ready: {line}").into()
    }
}

/// Replicas of a workload that are ready, by a status that speaks of its newest spec, and how many
/// it must have.
async fn look<A: Api>(ctx: &Context<A>, target: &ReadyTarget) -> Result<(u32, u32), Text> {
    let answer = ctx.read(target.target.cluster, ApiRequest::get(&target.target)).await;
    let answer = answer.map_err(|fault| Text::from(fault.to_string()))?;
    if answer.status == 404 && target.as_wanted {
        return Ok((0, 0));
    }
    if !answer.good() {
        return Err(answer.says());
    }
    let number = |path: &str| answer.body.pointer(path).and_then(Value::as_i64);
    let replicas = |path: &str| number(path).and_then(|n| u32::try_from(n).ok());
    let wanted = match replicas("/spec/replicas") {
        Some(now) if target.as_wanted => target.replicas.min(now),
        _ => target.replicas,
    };
    let ready = replicas("/status/readyReplicas").unwrap_or(0);
    // The status is of the object as it was before: what was ready then is no proof.
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Ok((ready.min(wanted.saturating_sub(1)), wanted));
    }
    Ok((ready, wanted))
}

async fn await_rollout<A: Api>(ctx: &Context<A>, gate: &mut Gate, target: &Target) -> End {
    let title = target.title();
    let mut told = String::new();
    loop {
        let read = match gate.unless_halted(ctx.read(target.cluster, ApiRequest::get(target))).await {
            Ok(read) => read,
            Err(halt) => return End::Halted(halt, format!("{title}: {told}").into()),
        };
        let said = match read {
            Ok(answer) if answer.good() => match rollout::status(&target.kind, &answer.body) {
                Rollout::Done(how) => return End::Done(format!("{title}: {how}").into()),
                Rollout::Failed(why) => return End::Failed(format!("{title}: {why}").into()),
                Rollout::Waits(what) => what,
            },
            Ok(answer) if answer.status == 404 => {
                return End::Failed(format!("{title}: it is not there any more").into());
            }
            Ok(answer) => answer.says().to_string(),
            Err(fault) => fault.to_string(),
        };
        if said != told {
            ctx.say(format!("{title}: {said}")).await;
            told = said;
        }
        if let Err(halt) = gate.rest(LOOK).await {
            return End::Halted(halt, format!("{title}: {told}").into());
        }
    }
}

/// Waits until another run sends nothing more. One that is not known any more is over.
async fn await_run<A: Api>(ctx: &Context<A>, gate: &mut Gate, op: OpId) -> End {
    let Some(other) = ctx.others.get(&op) else {
        return End::Done("it is over".into());
    };
    let mut busy = other.clone();
    loop {
        if let Err(halt) = gate.look() {
            return End::Halted(halt, "it goes on".into());
        }
        let over = async {
            // An end of the task is an end of the run too.
            let _ = busy.wait_for(|busy| !*busy).await;
        };
        tokio::select! {
            () = over => return End::Done("it is over".into()),
            () = gate.changed() => {}
        }
    }
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
        let answer = match gate.unless_halted(ctx.api.probe(url)).await {
            Ok(answer) => answer,
            Err(halt) => return End::Halted(halt, format!("{url}: {told}, tried {tries} times").into()),
        };
        let said = match answer {
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

/// How long a cluster may take to say whether it is ready.
const ASSESS_LIMIT: Duration = Duration::from_secs(10);

/// How long one may that does not answer already.
const SILENT_LIMIT: Duration = Duration::from_secs(3);

/// One look at a cluster: that it does not answer is a finding, not something to wait for.
async fn assess<A: Api>(ctx: &Context<A>, gate: &mut Gate, cluster: ClusterId) -> End {
    let name = ctx.name(cluster);
    if let Err(halt) = gate.pass().await {
        return End::Halted(halt, format!("{name}: not looked at").into());
    }
    let seen = ctx.snapshot();
    let known = seen.fleet.cluster(cluster);
    // The recovery time runs: who is silent already is not waited for as who answers.
    let silent = known.is_some_and(|c| !c.link.live());
    let limit = if silent { SILENT_LIMIT } else { ASSESS_LIMIT };
    let request = ApiRequest::read("/readyz", gate.left(limit));
    let nodes = match known.filter(|c| c.seen()) {
        Some(c) => format!("{} of {} nodes Ready as last seen", c.totals.nodes_ready, c.totals.nodes),
        None => "its nodes were never seen".to_owned(),
    };
    let read = match gate.unless_halted(ctx.read(cluster, request)).await {
        Ok(read) => read,
        Err(halt) => return End::Halted(halt, format!("{name} did not answer; {nodes}").into()),
    };
    match read {
        Ok(answer) if answer.good() => End::Done(format!("{name} answers and is ready; {nodes}").into()),
        Ok(answer) => {
            End::Failed(format!("{name} answers and is not ready: {}; {nodes}", answer.says()).into())
        }
        Err(Fault { what, .. }) => End::Failed(format!("{name} does not answer: {what}; {nodes}").into()),
    }
}
