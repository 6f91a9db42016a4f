//! Creating and changing objects.

use std::sync::Arc;

use crate::sim::json::Value;

use super::body;
use super::call::Call;
use super::convert;
use super::encode::{Form, Writer};
use super::escalation;
use super::reply::Answer;
use super::target::Target;
use crate::sim::admission;
use crate::sim::cluster::Shared;
use crate::sim::fields::{self, at, deleting, list, name, object_mut, set, text, unset};
use crate::sim::managed;
use crate::sim::objects::Store;
use crate::sim::patch;
use crate::sim::refusal::{Cause, Refusal};
use crate::sim::resources::Res;
use crate::sim::validation;
use crate::sim::world::World;

const APPLY: &str = "application/apply-patch+yaml";

/// The media types of patches of custom kinds.
const CUSTOM_PATCHES: &str =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

/// Whether a request is a server-side apply.
pub(super) fn applies(call: &Call) -> bool {
    call.method == http::Method::PATCH && media(call) == APPLY
}

/// The type of a request's body, without parameters.
fn media(call: &Call) -> &str {
    call.content_type.split(';').next().unwrap_or_default().trim()
}

/// Answers with an object as it is now, in the form that was asked for.
fn answer(
    shared: &Shared,
    call: &Call,
    target: &Target,
    code: u16,
    object: &Value,
) -> Result<Answer, Refusal> {
    let form = Form::negotiate(call, target)?;
    let writer = Writer::new(form, target, "", shared.read(|world| world.now));
    Ok(Answer::bytes(form.content_type(), writer.object(object, true)).coded(code))
}

/// Creates an object.
pub(super) fn create(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let mut object = body::object(call, target)?;
    let warnings = body::conform(call, target, &mut object)?;
    check_namespace(&mut object, target)?;
    let dry = call.dry_run(&Value::Null)?;
    let made = shared.with(|world| {
        let writer = writer(world, call, target);
        managed::updated(target.layout(), &Value::Null, &mut object, &writer);
        make(world, call, target, object, dry)
    })?;
    Ok(answer(shared, call, target, 201, &made)?.warned(warnings))
}

/// Keeps a new object, or would.
fn make(
    world: &mut World,
    call: &Call,
    target: &Target,
    object: Value,
    dry: bool,
) -> Result<Arc<Value>, Refusal> {
    let spec = &target.spec;
    if spec.namespaced {
        let space = world.store.need(Res::Namespaces, "", target.space())?;
        if deleting(&space) {
            return Err(Refusal::closing(spec, name(&object), target.space()));
        }
    }
    escalation::check(world, &call.who, target, None, &object)?;
    let mut object = convert::kept(&spec.api_version(), object);
    if let Some(res) = target.slot.built_in() {
        admission::admit(world, res, &mut object);
        admission::attribute(res, &mut object, &call.who.name, call.who.groups());
    } else if target.has_status() {
        object_mut(&mut object).shift_remove("status");
    }
    let mut named = object.clone();
    world.store.prepare(target.slot, &mut named, world.now)?;
    check(world, target, None, &named)?;
    if let Some(res) = target.slot.built_in() {
        admission::refuse(world, res, &named, dry)?;
    }
    if dry {
        return Ok(Arc::new(named));
    }
    // with the name that was checked, if the server gave it
    set(&mut object, "metadata.name", name(&named));
    world.store.create(target.slot, object, world.now)
}

pub(super) fn writer<'a>(world: &World, call: &'a Call, target: &'a Target) -> managed::Writer<'a> {
    managed::Writer {
        manager: call.manager(),
        api_version: &target.api_version,
        subresource: target.subresource(),
        now: world.now,
    }
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

/// Applies the patch in a request to an object in the version of the path.
pub(super) fn patched(
    call: &Call,
    target: &Target,
    layout: crate::sim::layout::Layout<'_>,
    old: &Value,
) -> Result<Value, Refusal> {
    let mut new = old.clone();
    let custom = !target.spec.typed;
    match media(call) {
        "application/merge-patch+json" => patch::merge(&mut new, &body::json(call)?),
        // custom kinds have no merge keys: a real server refuses strategic patches of them
        "application/strategic-merge-patch+json" if !custom => {
            patch::strategic(layout, &mut new, &body::json(call)?);
        }
        "application/json-patch+json" => {
            let patch = body::json(call)?;
            if !patch.is_array() {
                let why = "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp";
                return Err(Refusal::bad_request(why));
            }
            let operations = patch.as_array().map_or(0, Vec::len);
            if operations > patch::OPERATIONS {
                return Err(Refusal::too_many_operations(patch::OPERATIONS, operations));
            }
            patch::json(&mut new, &patch).map_err(|_| Refusal::unprocessable())?;
        }
        "application/strategic-merge-patch+json" => return Err(Refusal::media_type(CUSTOM_PATCHES)),
        _ => return Err(Refusal::no_patch()),
    }
    if !new.is_object() {
        return Err(Refusal::bad_request("the patch does not make an object"));
    }
    Ok(new)
}

/// Replaces, patches or applies an object, or its status.
pub(super) fn modify(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let dry = call.dry_run(&Value::Null)?;
    if applies(call) {
        return apply(shared, call, target, dry);
    }
    let put = if call.method == http::Method::PUT { Some(body::object(call, target)?) } else { None };
    let (made, warnings) = shared.with(|world| {
        let old = world.store.need(target.slot, target.space(), target.named())?;
        let shown = target.shown(&old);
        let mut sent = match &put {
            Some(object) => object.clone(),
            None => patched(call, target, target.layout(), &shown)?,
        };
        let warnings = match &put {
            Some(_) => body::conform(call, target, &mut sent)?,
            None => body::conform_patched(call, target, &mut sent)?,
        };
        same_object(target, &old, &sent)?;
        if put.is_some() {
            conditional(target, &sent)?;
        }
        let mut new = keep_half(target, &shown, sent);
        managed::updated(target.layout(), &shown, &mut new, &writer(world, call, target));
        Ok::<_, Refusal>((keep(world, call, target, &old, new, dry)?, warnings))
    })?;
    Ok(answer(shared, call, target, 200, &made)?.warned(warnings))
}

/// Server-side apply.
fn apply(shared: &Arc<Shared>, call: &Call, target: &Target, dry: bool) -> Result<Answer, Refusal> {
    let mut config = body::object(call, target)?;
    appliable(call, target, &config)?;
    let warnings = body::conform(call, target, &mut config)?;
    check_namespace(&mut config, target)?;
    set(&mut config, "metadata.name", target.named());
    let force = call.query.flag("force");
    let (code, made) = shared.with(|world| {
        let writer = writer(world, call, target);
        let Some(old) = world.store.get(target.slot, target.space(), target.named()).cloned() else {
            if !target.subresource().is_empty() {
                return Err(Refusal::not_found(&target.spec, target.named()));
            }
            let object = managed::apply(target.layout(), &Value::Null, &config, &writer, force)?;
            return Ok((201, make(world, call, target, object, dry)?));
        };
        same_object(target, &old, &config)?;
        let shown = target.shown(&old);
        let merged = managed::apply(target.layout(), &shown, &config, &writer, force)?;
        let new = keep_half(target, &shown, merged);
        Ok((200, keep(world, call, target, &old, new, dry)?))
    })?;
    Ok(answer(shared, call, target, code, &made)?.warned(warnings))
}

/// What is applied says who applies it, and is of the name of the path.
pub(super) fn appliable(call: &Call, target: &Target, config: &Value) -> Result<(), Refusal> {
    if call.query.get("fieldManager").is_empty() {
        return Err(Refusal::options(
            "PatchOptions",
            &[Cause::required("fieldManager", "is required for apply patch")],
        ));
    }
    if !at(config, "metadata.managedFields").is_null() {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    let (own, wanted) = (name(config), target.named());
    if !own.is_empty() && own != wanted {
        let why = format!("the name of the object ({own}) does not match the name on the URL ({wanted})");
        return Err(Refusal::bad_request(why));
    }
    Ok(())
}

/// A write must mean the object that is there, if it says which.
pub(super) fn same_object(target: &Target, old: &Value, sent: &Value) -> Result<(), Refusal> {
    let spec = &target.spec;
    let version = text(sent, "metadata.resourceVersion");
    if !version.is_empty() && version != text(old, "metadata.resourceVersion") {
        return Err(Refusal::outdated(spec, target.named()));
    }
    let wanted = text(sent, "metadata.uid");
    if !wanted.is_empty() && wanted != fields::uid(old) {
        let why = format!(
            "Precondition failed: UID in precondition: {wanted}, UID in object meta: {}",
            fields::uid(old)
        );
        return Err(Refusal::conflict(spec, target.named(), &why));
    }
    let own = name(sent);
    if !own.is_empty() && own != name(old) {
        let why =
            format!("the name of the object ({own}) does not match the name on the URL ({})", target.named());
        return Err(Refusal::bad_request(why));
    }
    Ok(())
}

/// Custom objects, their definitions and leases are only replaced by those who know which version
/// they replace (`AllowUnconditionalUpdate`).
fn conditional(target: &Target, sent: &Value) -> Result<(), Refusal> {
    let strict =
        target.version.is_some() || [Res::Definitions, Res::Leases].iter().any(|r| target.slot == *r);
    if !strict || !text(sent, "metadata.resourceVersion").is_empty() {
        return Ok(());
    }
    let why = "must be specified for an update";
    let cause = Cause::invalid("metadata.resourceVersion", &Value::from(0_i64), why);
    Err(Refusal::invalid(&target.spec, target.named(), &[cause]))
}

/// Keeps what was made of an object, or would.
pub(super) fn keep(
    world: &mut World,
    call: &Call,
    target: &Target,
    old: &Arc<Value>,
    new: Value,
    dry: bool,
) -> Result<Arc<Value>, Refusal> {
    escalation::check(world, &call.who, target, Some(old), &new)?;
    let mut new = convert::kept(&target.spec.api_version(), new);
    // writing a list of owners is how they are told apart from those of a copy
    if fields::namespace(&new).is_empty() && target.spec.namespaced {
        set(&mut new, "metadata.namespace", target.space());
    }
    if let Some(res) = target.slot.built_in() {
        admission::carry(world, res, old, &mut new);
        admission::complete(world, res, &mut new);
        admission::recount(res, old, &mut new);
    }
    check(world, target, Some(old), &new)?;
    if target.subresource() == "resize" {
        admission::refuse_growth(world, old, &new, dry)?;
    }
    if dry {
        return Ok(Arc::new(Store::revised(&target.spec, old, new)));
    }
    Ok(world.store.replace(target.slot, old, new))
}

/// A write to an object leaves its status alone, one to its status everything else.
fn keep_half(target: &Target, old: &Value, sent: Value) -> Value {
    match target.subresource() {
        "ephemeralcontainers" => {
            let mut kept = old.clone();
            for path in ["spec.ephemeralContainers", "metadata.managedFields"] {
                if !at(&sent, path).is_null() {
                    set(&mut kept, path, at(&sent, path).clone());
                }
            }
            return kept;
        }
        "resize" => return resized(old, &sent),
        _ => {}
    }
    let status = ["status", "approval"].contains(&target.subresource());
    if !target.has_status() {
        return sent;
    }
    let (mut into, from) = if status {
        let mut into = old.clone();
        // managed fields are told of both halves
        let managed = at(&sent, "metadata.managedFields").clone();
        if !managed.is_null() {
            set(&mut into, "metadata.managedFields", managed);
        }
        (into, &sent)
    } else {
        (sent.clone(), old)
    };
    match from.get("status") {
        Some(value) => set(&mut into, "status", value.clone()),
        None => {
            object_mut(&mut into).shift_remove("status");
        }
    }
    into
}

/// A pod whose containers may use what was sent, and nothing else of it is another. Containers that
/// are others or in another order are left for the check (`dropNonResizeUpdates`).
fn resized(old: &Value, sent: &Value) -> Value {
    let mut kept = old.clone();
    if !at(sent, "metadata.managedFields").is_null() {
        set(&mut kept, "metadata.managedFields", at(sent, "metadata.managedFields").clone());
    }
    for path in ["spec.containers", "spec.initContainers"] {
        let (before, after) = (list(old, path), list(sent, path));
        let names =
            |all: &[Value]| -> Vec<String> { all.iter().map(|c| text(c, "name").to_owned()).collect() };
        if names(before) != names(after) {
            set(&mut kept, path, at(sent, path).clone());
            continue;
        }
        let merged = before.iter().zip(after).map(|(before, after)| {
            let mut one = before.clone();
            for field in ["resources", "resizePolicy"] {
                match at(after, field) {
                    Value::Null => unset(&mut one, field),
                    given => set(&mut one, field, given.clone()),
                }
            }
            one
        });
        if !before.is_empty() {
            set(&mut kept, path, merged.collect::<Vec<Value>>());
        }
    }
    kept
}

/// What no write may do.
fn check(world: &World, target: &Target, old: Option<&Value>, new: &Value) -> Result<(), Refusal> {
    let built_in = target.slot.built_in().filter(|_| target.version.is_none());
    let mut causes = match built_in {
        Some(res) => validation::check(res, target.subresource(), old, new),
        None => validation::custom(old, new),
    };
    // what others have is looked at only of what is well in itself
    if let Some(res) = built_in.filter(|_| causes.is_empty()) {
        causes = admission::taken(world, res, old, new);
        admission::alone(world, res, new)?;
    }
    if causes.is_empty() { Ok(()) } else { Err(Refusal::invalid(&target.spec, name(new), &causes)) }
}
