//! Making pods from templates, and what a changed pod sets in motion.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::{NOTICE, endpoints, kubelet, scheduler, tell_owner};
use crate::model::Span;
use crate::sim::admission;
use crate::sim::cache::takes_room;
use crate::sim::fields::{
    at, deleting, holds, list, name, namespace, object_mut, owner_reference, place, set, text,
};
use crate::sim::objects::Touched;
use crate::sim::queue::{Id, Work};
use crate::sim::quota;
use crate::sim::random;
use crate::sim::refusal::Refusal;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// A pod of an owner's template.
pub(super) fn from_template(owner: &Value, kind: (&str, &str), template: &Value) -> Value {
    let metadata = at(template, "metadata");
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": format!("{}-", name(owner)), "namespace": namespace(owner),
            "ownerReferences": [owner_reference(kind.0, kind.1, owner)],
        },
    });
    // what is set and not written out stays shared with the template
    for key in ["labels", "annotations"] {
        if !metadata[key].is_null() {
            set(&mut pod["metadata"], key, metadata[key].clone());
        }
    }
    set(&mut pod, "spec", at(template, "spec").clone());
    pod
}

/// Adds a label to an object.
pub(super) fn label(object: &mut Value, key: &str, value: &str) {
    object_mut(place(object, "metadata.labels")).insert(key.into(), value.into());
}

/// The hash of a template, as controllers put it into names.
pub(super) fn template_hash(template: &Value, length: usize) -> String {
    random::Random::new(0, &template.to_string()).suffix(length)
}

/// Makes a pod for its owner, and says so, or why it could not be made.
pub(super) fn create_for(
    world: &mut World,
    owner: &Value,
    component: &str,
    pod: Value,
) -> Result<Arc<Value>, Refusal> {
    let made = create(world, pod);
    match &made {
        Ok(pod) => {
            let message = format!("Created pod: {}", name(pod));
            record(world, owner, &Said::normal(component, "SuccessfulCreate", message));
        }
        Err(refusal) => {
            let message = format!("Error creating: {}", refusal.message);
            record(world, owner, &Said::warning(component, "FailedCreate", message));
        }
    }
    made
}

/// Makes a pod. Before the curtain rises it is placed and serving at once.
pub(super) fn create(world: &mut World, mut pod: Value) -> Result<Arc<Value>, Refusal> {
    admission::admit(world, Res::Pods, &mut pod);
    if let Err(refusal) = admission::refuse(world, Res::Pods, &pod, false) {
        if !name(&pod).is_empty() {
            return Err(refusal);
        }
        // what is refused has its name by then
        let own = format!("{}{}", text(&pod, "metadata.generateName"), world.store.random().suffix(5));
        set(&mut pod, "metadata.name", own);
        admission::refuse(world, Res::Pods, &pod, false)?;
    }
    if world.instant {
        if text(&pod, "spec.nodeName").is_empty()
            && let Ok(node) = scheduler::choose(world, &pod)
        {
            scheduler::pin(world, &pod, &node);
            set(&mut pod, "spec.nodeName", node);
        }
        if !text(&pod, "spec.nodeName").is_empty() {
            kubelet::make_ready(world, &mut pod);
        }
    }
    let made = world.store.create(Res::Pods, pod, world.now);
    // the next one must see the room that this one takes
    world.absorb();
    made
}

/// What a changed pod sets in motion.
pub(super) fn changed(world: &mut World, touched: &Touched, pod: &Value) {
    let soon = world.now + NOTICE;
    let state = |p: &Option<Arc<Value>>| {
        p.as_ref().map(|p| (holds(p, "Ready"), deleting(p), at(p, "status.phase").clone()))
    };
    let moved = state(&touched.before) != state(&touched.after);
    // what an owner looks at: most changes of a status are not it
    let own = |p: &Option<Arc<Value>>| {
        let field = |path: &str| p.as_ref().map(|p| at(p, path).clone());
        (field("metadata.labels"), field("metadata.ownerReferences"), field("spec"))
    };
    if moved || own(&touched.before) != own(&touched.after) {
        tell_owner(world, pod);
    }
    if moved {
        let budgets: Vec<Id> =
            world.store.list(Res::Budgets, Some(namespace(pod))).map(|b| Id::of(b)).collect();
        for budget in budgets {
            world.queue.add(Work::Budget(budget), soon + NOTICE);
        }
    }
    let address = |p: &Option<Arc<Value>>| p.as_ref().map(|p| at(p, "status.podIP").clone());
    if moved || address(&touched.before) != address(&touched.after) {
        endpoints::pod_changed(world, pod);
    }
    if moved && quota::counts(world, namespace(pod)) {
        world.queue.add(Work::Quota(namespace(pod).to_owned()), soon + NOTICE);
    }
    if touched.after.is_none() {
        world.nominated.remove(&Id::of(pod));
    }
    let room = touched.after.as_ref().is_none_or(|p| !takes_room(p));
    if room && !text(pod, "spec.nodeName").is_empty() {
        retry_waiting(world);
    }
    let Some(pod) = &touched.after else { return };
    if !text(pod, "spec.nodeName").is_empty() {
        world.queue.add(Work::Pod(Id::of(pod)), soon);
    } else if !deleting(pod) && touched.before.is_none() {
        world.queue.add(Work::Schedule(Id::of(pod)), soon);
    }
}

/// Lets the scheduler look again at pods that found no node.
pub(super) fn retry_waiting(world: &mut World) {
    let at = world.now + Span::from_millis(200);
    let waiting: Vec<Id> = world.cache.waiting.iter().cloned().collect();
    for id in waiting {
        world.queue.add(Work::Schedule(id), at);
    }
}

/// Whether a pod counts for its owner: it has not ended and is not leaving.
pub(super) fn active(pod: &Value) -> bool {
    takes_room(pod) && !deleting(pod)
}

/// The pods of an owner.
pub(super) fn of_owner(world: &World, owner_uid: &str) -> Vec<Arc<Value>> {
    let ids = world.cache.children(owner_uid, Res::Pods);
    ids.iter().filter_map(|id| world.pod(id)).collect()
}

/// Whether the pod tolerates a taint (`component-helpers/scheduling/corev1`).
pub(super) fn tolerates(pod: &Value, taint: &Value) -> bool {
    list(pod, "spec.tolerations").iter().any(|t| {
        let (key, effect) = (text(t, "key"), text(t, "effect"));
        let exists = text(t, "operator") == "Exists";
        (key.is_empty() && exists || key == text(taint, "key"))
            && (effect.is_empty() || effect == text(taint, "effect"))
            && (exists || text(t, "value") == text(taint, "value"))
    })
}
