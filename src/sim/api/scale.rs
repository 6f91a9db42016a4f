//! The subresource `scale`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::call::{Call, Target};
use super::reply::Answer;
use super::writes;
use crate::sim::cluster::Shared;
use crate::sim::fields::{at, int, map, maybe_int, set, text};
use crate::sim::objects::Store;
use crate::sim::refusal::Refusal;

/// The scale of an object.
fn scale(object: &Value) -> Value {
    let labels = map(object, "spec.selector.matchLabels");
    let terms: Vec<String> =
        labels.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    let metadata = at(object, "metadata");
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": { "replicas": maybe_int(object, "spec.replicas").unwrap_or(1) },
        "status": { "replicas": int(object, "status.replicas"), "selector": terms.join(",") },
    })
}

/// Reads a scale.
pub(super) fn get(shared: &Arc<Shared>, target: &Target) -> Result<Answer, Refusal> {
    let object = shared.read(|world| world.store.need(target.res, target.space(), target.named()))?;
    Ok(Answer::json(200, &scale(&object)))
}

/// Replaces or patches a scale.
pub(super) fn write(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let dry = call.dry_run(&Value::Null)?;
    let made = shared.with(|world| {
        let old = world.store.need(target.res, target.space(), target.named())?;
        let sent = match call.method {
            http::Method::PATCH => writes::patched(call, target, &scale(&old))?,
            _ => call.json()?,
        };
        let version = text(&sent, "metadata.resourceVersion");
        if !version.is_empty() && version != text(&old, "metadata.resourceVersion") {
            return Err(Refusal::outdated(target.res.spec(), target.named()));
        }
        let replicas = int(&sent, "spec.replicas");
        if !(0..=i64::from(i32::MAX)).contains(&replicas) {
            let why = format!("spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0");
            return Err(Refusal::invalid(target.res.spec(), target.named(), &why));
        }
        let mut new = (*old).clone();
        set(&mut new, "spec.replicas", replicas);
        if dry {
            return Ok(Arc::new(Store::revised(target.res, &old, new)));
        }
        Ok(world.store.replace(target.res, &old, new))
    })?;
    Ok(Answer::json(200, &scale(&made)))
}
