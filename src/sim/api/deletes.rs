//! Deleting objects, and evicting pods.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::body;
use super::call::Call;
use super::encode::{Form, Writer};
use super::lists::{Selection, goes_on};
use super::reply::Answer;
use super::target::Target;
use crate::sim::admission;
use crate::sim::cluster::Shared;
use crate::sim::controllers::{FOREGROUND, ORPHAN, hold, let_go};
use crate::sim::eviction;
use crate::sim::fields::{at, flag, maybe_int, name, set, text, uid};
use crate::sim::objects::Deletion;
use crate::sim::refusal::{Cause, Refusal, details};
use crate::sim::resources::{Res, Spec};
use crate::sim::world::World;

fn preconditions(options: &Value, object: &Value, spec: &Spec) -> Result<(), Refusal> {
    let wanted = text(options, "preconditions.uid");
    if !wanted.is_empty() && wanted != uid(object) {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({}). The object might have been \
             deleted and then recreated",
            uid(object)
        );
        return Err(Refusal::conflict(&by_kind(spec), name(object), &why));
    }
    let version = text(options, "preconditions.resourceVersion");
    let own = text(object, "metadata.resourceVersion");
    if !version.is_empty() && version != own {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({own}). \
             The object might have been modified"
        );
        return Err(Refusal::conflict(&by_kind(spec), name(object), &why));
    }
    Ok(())
}

/// Refused preconditions name the kind where others name the resource.
fn by_kind(spec: &Spec) -> Spec {
    Spec { plural: spec.kind.clone(), ..spec.clone() }
}

/// What becomes of the objects that an object owns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dependents {
    /// They go after it.
    Background,
    /// They go before it, and it waits for them.
    Foreground,
    /// They stay.
    Orphan,
    /// What an earlier deletion asked for, else they go after it.
    Unsaid,
}

struct Wish {
    options: Value,
    how: Deletion,
    dependents: Dependents,
    dry: bool,
    warnings: Vec<String>,
}

/// What jobs do that are deleted by clients of old.
const JOBS_ORPHAN: &str = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to \
    remove them or set propagationPolicy=Orphan to suppress this warning";

impl Wish {
    fn read(call: &Call, target: &Target, options: Value) -> Result<Wish, Refusal> {
        let asked = call.query.integer("gracePeriodSeconds")?;
        // below zero is a second (`apiserver/pkg/registry/rest/delete.go` `BeforeDelete`)
        let grace = maybe_int(&options, "gracePeriodSeconds").or(asked);
        let grace = grace.map(|seconds| if seconds < 0 { 1 } else { seconds });
        let given = [text(&options, "propagationPolicy"), call.query.get("propagationPolicy")];
        let mut warnings = Vec::new();
        let policy = given.into_iter().find(|g| !g.is_empty());
        if let Some(policy) = policy.filter(|_| !at(&options, "orphanDependents").is_null()) {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            return Err(Refusal::options(
                "DeleteOptions",
                &[Cause::invalid("propagationPolicy", &policy.into(), why)],
            ));
        }
        let dependents = match policy {
            Some("Orphan") => Dependents::Orphan,
            Some("Foreground") => Dependents::Foreground,
            Some("Background") => Dependents::Background,
            Some(odd) => {
                let known = ["Foreground", "Background", "Orphan", "nil"];
                let cause = Cause::unsupported("propagationPolicy", odd, &known);
                return Err(Refusal::options("DeleteOptions", &[cause]));
            }
            None if flag(&options, "orphanDependents") => Dependents::Orphan,
            // for back compatibility (`pkg/registry/batch/job/strategy.go`)
            None if target.slot == Res::Jobs && at(&options, "orphanDependents").is_null() => {
                warnings.push(JOBS_ORPHAN.to_owned());
                Dependents::Orphan
            }
            None => Dependents::Unsaid,
        };
        let dry = call.dry_run(&options)?;
        Ok(Wish { options, how: Deletion { grace }, dependents, dry, warnings })
    }
}

/// Deletes an object.
pub(super) fn delete(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let wish = Wish::read(call, target, body::value(call)?)?;
    if target.slot == Res::Namespaces && IMMORTAL.contains(&target.named()) {
        return Err(Refusal::immortal(&target.spec, target.named()));
    }
    let (object, gone) = shared.with(|world| {
        let object = world.store.need(target.slot, target.space(), target.named())?;
        preconditions(&wish.options, &object, &target.spec)?;
        if wish.dry {
            return Ok((object, true));
        }
        let after = delete_one(world, target, &object, &wish);
        Ok((after, world.store.get(target.slot, target.space(), target.named()).is_none()))
    })?;
    // a real server answers with the object while it is still there, and with Success when it is gone
    if !gone || target.slot.built_in().is_some_and(|res| RETURNED.contains(&res)) {
        return Ok(Answer::json(200, &target.shown(&object)).warned(wish.warnings));
    }
    let spec = &target.spec;
    let mut details = details(target.named(), &spec.group, &spec.plural);
    set(&mut details, "uid", uid(&object));
    let done = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details });
    Ok(Answer::json(200, &done).warned(wish.warnings))
}

/// Kinds whose objects are answered even when they are gone (`ReturnDeletedObject`).
const RETURNED: [Res; 13] = [
    Res::Namespaces,
    Res::Pods,
    Res::PodTemplates,
    Res::Volumes,
    Res::Claims,
    Res::Quotas,
    Res::ServiceAccounts,
    Res::Services,
    Res::StorageClasses,
    Res::Drivers,
    Res::NodeDrivers,
    Res::Attachments,
    Res::VolumeClasses,
];

/// Namespaces that stay.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

fn delete_one(world: &mut World, target: &Target, object: &Arc<Value>, wish: &Wish) -> Arc<Value> {
    let now = world.now;
    if target.slot == Res::Namespaces {
        return admission::close_namespace(world, object);
    }
    let mut object = object.clone();
    match wish.dependents {
        Dependents::Orphan => object = hold(world, target.slot, &object, ORPHAN),
        Dependents::Foreground => object = hold(world, target.slot, &object, FOREGROUND),
        Dependents::Background => object = let_go(world, target.slot, &object),
        Dependents::Unsaid => {}
    }
    world.store.delete(target.slot, &object, wish.how, now)
}

/// Deletes every selected object.
pub(super) fn delete_collection(
    shared: &Arc<Shared>,
    call: &Call,
    target: &Target,
) -> Result<Answer, Refusal> {
    let wish = Wish::read(call, target, body::value(call)?)?;
    let selection = Selection::read(call, target)?;
    let limit = call.query.number("limit")?.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    let (items, left, version) = shared.with(|world| {
        let mut items = selection.all(world, target);
        let left = limit.map_or(0, |limit| items.len().saturating_sub(limit));
        items.truncate(items.len() - left);
        if !wish.dry {
            for object in &items {
                delete_one(world, target, object, &wish);
            }
        }
        (items, left, world.store.version())
    });
    let mut meta = json!({ "resourceVersion": version.to_string() });
    if left > 0 {
        goes_on(&mut meta, version, &items, (!selection.narrows()).then_some(left));
    }
    let writer = Writer::new(Form::Json, target, "", shared.now());
    let items: Vec<&Value> = items.iter().map(AsRef::as_ref).collect();
    let list = writer.list(&items, &meta);
    Ok(Answer::bytes(Form::Json.content_type(), list))
}

/// Evicts a pod.
pub(super) fn evict(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let body = body::value(call)?;
    let wanted = text(&body, "metadata.name");
    if !wanted.is_empty() && wanted != target.named() {
        return Err(Refusal::bad_request("name in URL does not match name in Eviction object"));
    }
    let wish = Wish::read(call, target, at(&body, "deleteOptions").clone())?;
    shared.with(|world| {
        let pod = world.store.need(Res::Pods, target.space(), target.named())?;
        preconditions(&wish.options, &pod, &target.spec)?;
        eviction::evict(world, &pod, wish.how, wish.dry)
    })?;
    let done =
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
    Ok(Answer::json(201, &done))
}

/// Binds a pod to a node, as schedulers do.
pub(super) fn bind(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    bind_pod(shared, call, target.space(), target.named())
}

/// The same by the name in the body, as schedulers of old do (`bindings`).
pub(super) fn bind_named(shared: &Arc<Shared>, call: &Call, space: &str) -> Result<Answer, Refusal> {
    let body = body::value(call)?;
    bind_pod(shared, call, space, name(&body))
}

fn bind_pod(shared: &Arc<Shared>, call: &Call, space: &str, own: &str) -> Result<Answer, Refusal> {
    let body = body::value(call)?;
    let node = text(&body, "target.name").to_owned();
    let dry = call.dry_run(&Value::Null)?;
    shared.with(|world| {
        let pod = world.store.need(Res::Pods, space, own)?;
        let bound = text(&pod, "spec.nodeName");
        if !bound.is_empty() {
            let why = format!("pod {} is already assigned to node {bound:?}", name(&pod));
            return Err(Refusal::conflict_of("pods/binding", name(&pod), &why));
        }
        if !dry {
            world.store.update(Res::Pods, space, own, |p| set(p, "spec.nodeName", node));
        }
        Ok(())
    })?;
    let done =
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
    Ok(Answer::json(201, &done))
}
