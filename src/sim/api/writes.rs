//! Creating, changing and deleting objects.

use std::sync::Arc;

use serde_json::{Value, json};

use super::call::{Call, Target};
use super::encode;
use super::lists::Selection;
use super::reply::Answer;
use crate::sim::admission;
use crate::sim::cluster::Shared;
use crate::sim::eviction;
use crate::sim::fields::{self, at, maybe_int, name, object_mut, set, text, uid};
use crate::sim::objects::{Deletion, Store};
use crate::sim::patch;
use crate::sim::refusal::Refusal;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// The media types of patches.
const PATCHES: &str =
    "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json";

/// Creates an object.
pub(super) fn create(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let mut object = call.json()?;
    let spec = target.res.spec();
    if !object.is_object() {
        return Err(Refusal::bad_request("the body of the request is not an object"));
    }
    let kind = text(&object, "kind");
    if !kind.is_empty() && kind != spec.kind {
        return Err(Refusal::bad_request(format!(
            "no kind {kind:?} is served here; expected {:?}",
            spec.kind
        )));
    }
    if target.api_version == "events.k8s.io/v1" {
        object = encode::old_event(&object);
    }
    check_namespace(&mut object, target)?;
    let dry = call.dry_run(&Value::Null)?;
    let made = shared.with(|world| {
        if spec.namespaced && world.store.get(Res::Namespaces, "", target.space()).is_none() {
            return Err(Refusal::not_found(Res::Namespaces.spec(), target.space()));
        }
        admission::admit(world, target.res, &mut object);
        if dry {
            world.store.prepare(target.res, &mut object, world.now)?;
            return Ok(Arc::new(object));
        }
        world.store.create(target.res, object, world.now)
    })?;
    Ok(Answer::json(201, &made))
}

/// The namespace of the body must be that of the path.
fn check_namespace(object: &mut Value, target: &Target) -> Result<(), Refusal> {
    let Some(namespace) = &target.namespace else { return Ok(()) };
    match fields::namespace(object) {
        "" => set(object, "metadata.namespace", namespace.clone()),
        own if own == namespace => {}
        _ => {
            let why = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(why));
        }
    }
    Ok(())
}

/// Applies the patch in a request to an object.
pub(super) fn patched(call: &Call, target: &Target, old: &Value) -> Result<Value, Refusal> {
    let mut new = old.clone();
    let kind = call.content_type.split(';').next().unwrap_or_default().trim();
    match kind {
        "application/merge-patch+json" => patch::merge(&mut new, &call.any_json()?),
        // custom kinds have no merge keys: a real server refuses strategic patches of them
        "application/strategic-merge-patch+json" if target.group != "karpenter.sh" => {
            patch::strategic(&mut new, &call.any_json()?);
        }
        "application/json-patch+json" => {
            patch::json(&mut new, &call.any_json()?).map_err(|why| {
                Refusal::invalid(
                    target.res.spec(),
                    target.named(),
                    &format!("the JSON patch does not apply: {why}"),
                )
            })?;
        }
        other => return Err(Refusal::media_type(other, PATCHES)),
    }
    if !new.is_object() {
        return Err(Refusal::bad_request("the patch does not make an object"));
    }
    Ok(new)
}

/// Replaces or patches an object, or its status.
pub(super) fn modify(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let spec = target.res.spec();
    let dry = call.dry_run(&Value::Null)?;
    let status = target.sub.is_some();
    let made = shared.with(|world| {
        let old = world.store.need(target.res, target.space(), target.named())?;
        let sent = match call.method {
            http::Method::PATCH => patched(call, target, &old)?,
            _ => call.json()?,
        };
        let version = text(&sent, "metadata.resourceVersion");
        if !version.is_empty() && version != text(&old, "metadata.resourceVersion") {
            return Err(Refusal::outdated(spec, target.named()));
        }
        for field in ["metadata.uid", "metadata.name"] {
            let wanted = text(&sent, field);
            if !wanted.is_empty() && wanted != text(&old, field) {
                let why = format!(
                    "Precondition failed: {field} in precondition: {wanted}, in object meta: {}",
                    text(&old, field)
                );
                return Err(Refusal::conflict(spec, target.named(), &why));
            }
        }
        let new = keep_half(target.res, &old, sent, status);
        check(target.res, &old, &new)?;
        if dry {
            return Ok(Arc::new(Store::revised(target.res, &old, new)));
        }
        Ok(world.store.replace(target.res, &old, new))
    })?;
    Ok(Answer::json(200, &made))
}

/// A write to an object leaves its status alone, one to its status everything else.
fn keep_half(res: Res, old: &Value, sent: Value, status: bool) -> Value {
    if !res.spec().subresources.contains(&"status") {
        return sent;
    }
    let (mut into, from) = if status { (old.clone(), &sent) } else { (sent.clone(), old) };
    match from.get("status") {
        Some(value) => set(&mut into, "status", value.clone()),
        None => {
            object_mut(&mut into).shift_remove("status");
        }
    }
    into
}

/// What no write may do.
fn check(res: Res, old: &Value, new: &Value) -> Result<(), Refusal> {
    let spec = res.spec();
    let selectors = [Res::Deployments, Res::ReplicaSets, Res::StatefulSets, Res::DaemonSets];
    if selectors.contains(&res) {
        if at(old, "spec.selector") != at(new, "spec.selector") {
            return Err(Refusal::invalid(
                spec,
                name(old),
                "spec.selector: Invalid value: field is immutable",
            ));
        }
        if maybe_int(new, "spec.replicas").is_some_and(|r| r < 0) {
            let why = "spec.replicas: Invalid value: must be greater than or equal to 0";
            return Err(Refusal::invalid(spec, name(old), why));
        }
    }
    if res == Res::Pods && at(old, "spec.nodeName") != at(new, "spec.nodeName") {
        return Err(Refusal::invalid(
            spec,
            name(old),
            "spec: Forbidden: pod updates may not change fields other than image",
        ));
    }
    Ok(())
}

/// What a deletion asks for, from its body and query.
fn options(call: &Call) -> Result<Value, Refusal> {
    if call.body.is_empty() { Ok(json!({})) } else { call.any_json() }
}

fn preconditions(options: &Value, object: &Value, res: Res) -> Result<(), Refusal> {
    let spec = res.spec();
    let wanted = text(options, "preconditions.uid");
    if !wanted.is_empty() && wanted != uid(object) {
        let why = format!(
            "Precondition failed: UID in precondition: {wanted}, UID in object meta: {}",
            uid(object)
        );
        return Err(Refusal::conflict(spec, name(object), &why));
    }
    let version = text(options, "preconditions.resourceVersion");
    if !version.is_empty() && version != text(object, "metadata.resourceVersion") {
        return Err(Refusal::outdated(spec, name(object)));
    }
    Ok(())
}

fn deletion(call: &Call, options: &Value) -> Result<Deletion, Refusal> {
    let asked = call.query.number("gracePeriodSeconds")?.map(|s| s as i64);
    let grace = maybe_int(options, "gracePeriodSeconds").or(asked);
    Ok(Deletion { grace })
}

/// Deletes an object.
pub(super) fn delete(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let options = options(call)?;
    let dry = call.dry_run(&options)?;
    let how = deletion(call, &options)?;
    let orphan =
        text(&options, "propagationPolicy") == "Orphan" || call.query.get("propagationPolicy") == "Orphan";
    let (object, gone) = shared.with(|world| {
        let object = world.store.need(target.res, target.space(), target.named())?;
        preconditions(&options, &object, target.res)?;
        if dry {
            return Ok((object, true));
        }
        if orphan {
            world.orphan(uid(&object));
        }
        let after = delete_one(world, target.res, &object, how);
        Ok((after, world.store.get(target.res, target.space(), target.named()).is_none()))
    })?;
    // a real server answers with the object while it is still there, and with Success when it is gone
    if !gone || target.res == Res::Pods {
        return Ok(Answer::json(200, &object));
    }
    let spec = target.res.spec();
    Ok(Answer::json(
        200,
        &json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": { "name": target.named(), "group": spec.group, "kind": spec.plural, "uid": uid(&object) },
        }),
    ))
}

fn delete_one(world: &mut World, res: Res, object: &Arc<Value>, how: Deletion) -> Arc<Value> {
    let now = world.now;
    if res == Res::Namespaces {
        return admission::close_namespace(world, object);
    }
    world.store.delete(res, object, how, now)
}

/// Deletes every selected object.
pub(super) fn delete_collection(
    shared: &Arc<Shared>,
    call: &Call,
    target: &Target,
) -> Result<Answer, Refusal> {
    let options = options(call)?;
    let dry = call.dry_run(&options)?;
    let how = deletion(call, &options)?;
    let selection = Selection::read(call, target)?;
    let items = shared.with(|world| {
        let items = selection.all(world, target);
        if !dry {
            for object in &items {
                delete_one(world, target.res, object, how);
            }
        }
        (items, world.store.version())
    });
    let mut list = Store::list_head(target.res, items.1);
    list["items"] = items.0.iter().map(|o| (**o).clone()).collect();
    Ok(Answer::json(200, &list))
}

/// Evicts a pod.
pub(super) fn evict(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let body = call.json()?;
    let wanted = text(&body, "metadata.name");
    if !wanted.is_empty() && wanted != target.named() {
        return Err(Refusal::bad_request("name in URL does not match name in Eviction object"));
    }
    let options = at(&body, "deleteOptions");
    let dry = call.dry_run(options)?;
    let how = deletion(call, options)?;
    shared.with(|world| {
        let pod = world.store.need(Res::Pods, target.space(), target.named())?;
        preconditions(options, &pod, Res::Pods)?;
        eviction::evict(world, &pod, how, dry)
    })?;
    let done =
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
    Ok(Answer::json(201, &done))
}
