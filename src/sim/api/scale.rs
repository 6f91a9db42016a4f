//! The subresource `scale`.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::body;
use super::call::Call;
use super::reply::Answer;
use super::target::Target;
use super::writes;
use crate::sim::cluster::Shared;
use crate::sim::fields::{at, int, map, maybe_int, set, text};
use crate::sim::layout::Layout;
use crate::sim::managed;
use crate::sim::objects::Store;
use crate::sim::refusal::{Cause, Refusal};
use crate::sim::resources::Spec;
use crate::sim::schema;

/// Where an object has its wanted replicas, its replicas, and its selector.
fn paths(target: &Target) -> [&str; 3] {
    match target.version.as_ref().and_then(|v| v.scale.as_ref()) {
        Some(own) => own.each_ref().map(String::as_str),
        None => ["spec.replicas", "status.replicas", ""],
    }
}

/// The scale of an object.
fn scale(target: &Target, object: &Value) -> Value {
    let [wanted, now, selector] = paths(target);
    let labels = map(object, "spec.selector.matchLabels");
    let terms: Vec<String> =
        labels.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    let selector = if selector.is_empty() { terms.join(",") } else { text(object, selector).to_owned() };
    let metadata = at(object, "metadata");
    let mut out = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": { "replicas": maybe_int(object, wanted).unwrap_or(i64::from(target.spec.typed)) },
        "status": { "replicas": int(object, now) },
    });
    if !selector.is_empty() {
        set(&mut out, "status.selector", selector);
    }
    out
}

/// Reads a scale.
pub(super) fn get(shared: &Arc<Shared>, target: &Target) -> Result<Answer, Refusal> {
    let object = shared.read(|world| world.store.need(target.slot, target.space(), target.named()))?;
    Ok(Answer::json(200, &scale(target, &object)))
}

/// Replaces or patches a scale.
pub(super) fn write(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let dry = call.dry_run(&Value::Null)?;
    if writes::applies(call) {
        return apply(shared, call, target, dry);
    }
    let made = shared.with(|world| {
        let old = world.store.need(target.slot, target.space(), target.named())?;
        let layout = schema::of("autoscaling/v1", "Scale").map_or(Layout::Free, Layout::Message);
        let sent = match call.method {
            http::Method::PATCH => writes::patched(call, target, layout, &scale(target, &old))?,
            _ => body::value(call)?,
        };
        writes::same_object(target, &old, &sent)?;
        let replicas = wanted(target, &sent)?;
        let mut new = (*old).clone();
        set(&mut new, paths(target)[0], replicas);
        let writer = writes::writer(world, call, target);
        managed::updated(target.layout(), &old, &mut new, &writer);
        if replicas == 0 {
            // a scale of none is not written out there, so nobody is said to have set it
            managed::disown(&mut new, paths(target)[0]);
        }
        if dry {
            return Ok(Arc::new(Store::revised(&target.spec, &old, new)));
        }
        Ok(world.store.replace(target.slot, &old, new))
    })?;
    Ok(Answer::json(200, &scale(target, &made)))
}

/// How many replicas a scale asks for.
fn wanted(target: &Target, sent: &Value) -> Result<i64, Refusal> {
    let replicas = int(sent, "spec.replicas");
    if (0..=i64::from(i32::MAX)).contains(&replicas) {
        return Ok(replicas);
    }
    let cause = Cause::invalid("spec.replicas", &json!(replicas), "must be greater than or equal to 0");
    Err(Refusal::invalid(&kind(), target.named(), &[cause]))
}

/// Server-side apply: what is applied of a scale is the field of what it scales
/// (`apimachinery/pkg/util/managedfields/scalehandler.go`).
fn apply(shared: &Arc<Shared>, call: &Call, target: &Target, dry: bool) -> Result<Answer, Refusal> {
    let sent = body::value(call)?;
    writes::appliable(call, target, &sent)?;
    let made = shared.with(|world| {
        let old = world.store.need(target.slot, target.space(), target.named())?;
        let mut config = json!({ "apiVersion": target.api_version, "kind": &*target.spec.kind,
            "metadata": { "name": target.named() } });
        if !at(&sent, "spec.replicas").is_null() {
            set(&mut config, paths(target)[0], wanted(target, &sent)?);
        }
        let writer = writes::writer(world, call, target);
        let new = managed::apply(target.layout(), &old, &config, &writer, call.query.flag("force"))?;
        writes::keep(world, call, target, &old, new, dry)
    })?;
    Ok(Answer::json(200, &scale(target, &made)))
}

/// What refusals name: a scale is invalid, not what it scales.
fn kind() -> Spec {
    let mut spec = (**crate::sim::resources::Res::Deployments.spec()).clone();
    (spec.group, spec.kind) = ("autoscaling".into(), "Scale".into());
    spec
}
