//! Writes that look before or after: rolling a Deployment back, deleting an object.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::{Api, ApiRequest};
use super::context::Context;
use super::gate::Gate;
use super::steps::{End, pause};
use super::write;
use crate::model::{Text, Uid};
use crate::operations::{Patch, PatchKind, RollBack, Target};

/// How long between two looks whether an object is gone.
const LOOK: Duration = Duration::from_secs(1);

/// Gives a Deployment the template of one of its ReplicaSets.
pub(super) async fn roll_back<A: Api>(ctx: &Context<A>, gate: &mut Gate, back: &RollBack) -> End {
    if let Err(halt) = gate.pass().await {
        return End::Halted(halt, format!("{}: nothing was sent", back.target.title()).into());
    }
    let read = match gate.unless_halted(ctx.read(back.to.cluster, ApiRequest::get(&back.to))).await {
        Ok(read) => read,
        Err(halt) => return End::Halted(halt, format!("{}: nothing was sent", back.target.title()).into()),
    };
    let patch = match read {
        Ok(answer) if answer.good() => match template_patch(back, &answer.body) {
            Ok(patch) => patch,
            Err(why) => return End::Failed(why),
        },
        Ok(answer) => return End::Failed(format!("{}: {}", back.to.title(), answer.says()).into()),
        Err(fault) => return End::Failed(format!("{}: {fault}", back.to.title()).into()),
    };
    let intent = write::intent(&back.target, "patch")
        .with("revision", back.revision.as_str())
        .with("template_of", back.to.name.as_str());
    write::write(ctx, gate, &back.target, intent, ApiRequest::patch(&patch, false)).await
}

/// The patch that `kubectl rollout undo` sends
/// (`kubernetes/kubectl:pkg/polymorphichelpers/rollback.go` `getDeploymentPatch`), without the
/// annotations and with a test of the uid: the template without the label that tells its pods apart.
///
/// # Errors
/// The ReplicaSet is another one by now, or has no template.
pub(super) fn template_patch(back: &RollBack, set: &Value) -> Result<Patch, Text> {
    let title = back.to.title();
    let uid = set["metadata"]["uid"].as_str().map(Uid::parse);
    if back.to.uid.is_some_and(|wanted| uid != Some(wanted)) {
        return Err(format!("{title}: another one of that name is there by now; make the plan again").into());
    }
    let mut template = set["spec"]["template"].clone();
    if !template.is_object() {
        return Err(format!("{title}: it has no template").into());
    }
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove("pod-template-hash");
    }
    let mut body = vec![json!({ "op": "replace", "path": "/spec/template", "value": template })];
    if let Some(uid) = back.target.uid.and_then(Uid::wire) {
        body.insert(0, json!({ "op": "test", "path": "/metadata/uid", "value": uid }));
    }
    Ok(Patch { target: back.target.clone(), subresource: "", kind: PatchKind::Json, body: body.into() })
}

/// Deletes an object and waits until it is gone.
pub(super) async fn delete<A: Api>(ctx: &Context<A>, gate: &mut Gate, target: &Target) -> End {
    let title = target.title();
    let intent = write::intent(target, "delete").with("propagation", "Background");
    match write::write(ctx, gate, target, intent, ApiRequest::delete(target, false)).await {
        End::Done(_) => {}
        other => return other,
    }
    let mut told = String::new();
    loop {
        let read = match gate.unless_halted(ctx.read(target.cluster, ApiRequest::get(target))).await {
            Ok(read) => read,
            Err(halt) => return End::Halted(halt, format!("{title}: {}", asked_to_go(&told)).into()),
        };
        let (said, wait) = match read {
            Ok(answer) if answer.status == 404 => return End::Done(format!("{title}: gone").into()),
            Ok(answer) if answer.good() => {
                let meta = &answer.body["metadata"];
                let uid = meta["uid"].as_str().map(Uid::parse);
                if target.uid.is_some_and(|wanted| uid != Some(wanted)) {
                    return End::Done(format!("{title}: gone; another one has its name by now").into());
                }
                (still_there(meta), LOOK)
            }
            Ok(answer) => (answer.says().to_string(), pause(&answer)),
            Err(fault) => (fault.to_string(), LOOK),
        };
        if said != told {
            ctx.say(format!("{title}: {said}")).await;
            told = said;
        }
        if let Err(halt) = gate.rest(wait).await {
            return End::Halted(halt, format!("{title}: {told}").into());
        }
    }
}

fn asked_to_go(told: &str) -> &str {
    if told.is_empty() { "asked to go; not looked at since" } else { told }
}

fn still_there(meta: &Value) -> String {
    let names = meta["finalizers"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    if names.is_empty() {
        "is leaving".to_owned()
    } else {
        format!("waits for finalizers {}", names.join(", "))
    }
}
