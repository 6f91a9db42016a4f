//! What the journal must know of a run so that another process can take it up: what it is about,
//! the way back of each step, and who the clusters held us for.

use std::sync::Arc;

use futures::StreamExt;
use serde_json::{Value, json};

use super::api::{Api, Identity};
use super::context::Context;
use super::scribe::Entry;
use crate::model::{ClusterId, Uid};
use crate::operations::{Action, Step};

/// The objects that a run is about, by what outlasts this process.
pub(super) fn subjects<A: Api>(ctx: &Context<A>) -> Vec<Value> {
    let object = |key: &crate::model::ObjectKey| {
        json!({
            "cluster": ctx.name(key.cluster),
            "kind": key.kind.names().kind,
            "ns": key.namespace,
            "name": key.name,
            "uid": key.uid.wire(),
        })
    };
    ctx.plan.subjects.iter().map(object).collect()
}

/// What undoes each step, with the step's index in `at`.
pub(super) fn way_back<A: Api>(ctx: &Context<A>) -> Vec<Value> {
    let steps = ctx.plan.steps.iter().enumerate();
    let undo = steps.flat_map(|(at, step)| step.undo.iter().map(move |action| (at, step, action)));
    let record = |(at, step, action): (usize, &Step, &Action)| {
        let target = action.writes_to()?;
        let mut record = json!({
            "at": at,
            "title": step.way_back,
            "cluster": ctx.name(target.cluster),
            "api": target.api,
            "plural": target.plural,
            "kind": target.kind,
            "ns": target.namespace,
            "name": target.name,
            "uid": target.uid.and_then(Uid::wire),
        });
        match action {
            Action::Patch(patch) => {
                record["subresource"] = patch.subresource.into();
                record["patch"] = patch.body.clone();
                // What it set, so that a later change by somebody else is seen.
                record["did"] = match &step.action {
                    Action::Patch(done) => done.body.clone(),
                    _ => Value::Null,
                };
            }
            Action::RollBack(back) => {
                record["revision"] = json!(back.revision);
                record["template_of"] = json!({
                    "name": back.to.name,
                    "uid": back.to.uid.and_then(Uid::wire),
                });
            }
            _ => return None,
        }
        Some(record)
    };
    undo.filter_map(record).collect()
}

/// The clusters that a run writes to, and those that it needs for itself.
pub(super) fn clusters<A: Api>(ctx: &Context<A>) -> Vec<Value> {
    let mut ids = ctx.plan.touches.clone();
    ids.extend(ctx.plan.recovery.iter().flat_map(|recovery| [recovery.from, recovery.to]));
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| json!(ctx.name(id))).collect()
}

/// Notes for each cluster by which authority it is known and whom it holds us for. What cannot be
/// known is left out: it proves something, and nothing depends on it.
pub(super) async fn identities<A: Api>(ctx: Arc<Context<A>>) {
    let ask = |id: ClusterId| {
        let ctx = Arc::clone(&ctx);
        async move {
            let found = ctx.api.identity(id).await;
            (found != Identity::default()).then(
                || json!({ "name": ctx.name(id), "k8s_user": found.user, "ca_sha256": found.ca_sha256 }),
            )
        }
    };
    let asked: Vec<_> = ctx.plan.touches.iter().map(|id| ask(*id)).collect();
    let known: Vec<Option<Value>> = futures::stream::iter(asked).buffered(4).collect().await;
    let known: Vec<Value> = known.into_iter().flatten().collect();
    if known.is_empty() {
        return;
    }
    if let Err(fault) = ctx.note(Entry::new("identity").with("clusters", known)).await {
        ctx.say(fault.to_string()).await;
    }
}
