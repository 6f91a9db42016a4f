//! Making pods from templates, and what a changed pod sets in motion.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::{NOTICE, endpoints, kubelet, scheduler, tell_owner};
use crate::model::{Span, Time};
use crate::sim::admission;
use crate::sim::cache::takes_room;
use crate::sim::fields::{
    at, condition, controller, deleting, drop_owner, holds, int, list, list_mut, map, name, namespace,
    object_mut, owner_reference, place, set, text, time, uid,
};
use crate::sim::managed;
use crate::sim::objects::Touched;
use crate::sim::queue::{Id, Work};
use crate::sim::quota;
use crate::sim::random;
use crate::sim::refusal::Refusal;
use crate::sim::resources::Res;
use crate::sim::selector::Labels;
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

/// What an owner controls of a resource, after it has taken care of whose it is: those that its
/// selector means, that fit and that nobody controls are adopted, those that it does not mean any
/// more are let go (`kubernetes/kubernetes:pkg/controller/controller_ref_manager.go`).
pub(super) fn claim(
    world: &mut World,
    owner: &Value,
    kind: (&str, &str),
    res: Res,
    fits: impl Fn(&Value) -> bool,
) -> Vec<Arc<Value>> {
    let selector = Labels::of(at(owner, "spec.selector")).filter(|s| !s.is_empty());
    if let Some(selector) = selector.filter(|_| !deleting(owner)) {
        for id in world.cache.lone(res, namespace(owner)) {
            let object = world.store.get(res, &id.namespace, &id.name).cloned();
            if object.is_some_and(|o| !deleting(&o) && selector.matches_object(&o) && fits(&o)) {
                world.store.update(res, &id.namespace, &id.name, |o| {
                    list_mut(place(o, "metadata.ownerReferences"))
                        .push(owner_reference(kind.0, kind.1, owner));
                });
            }
        }
        for object in controlled(world, owner, res) {
            if !deleting(&object) && !selector.matches_object(&object) {
                world.store.update(res, namespace(&object), name(&object), |o| {
                    drop_owner(o, uid(owner));
                });
            }
        }
        world.absorb();
    }
    controlled(world, owner, res)
}

/// What an owner controls of a resource.
pub(super) fn controlled(world: &World, owner: &Value, res: Res) -> Vec<Arc<Value>> {
    let ids = world.cache.children(uid(owner), res);
    ids.iter().filter_map(|id| world.store.get(res, &id.namespace, &id.name).cloned()).collect()
}

/// How many pods of an owner there are in each state.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) active: usize,
    /// Leaving, and not ended yet (`IsPodTerminating`).
    pub(super) terminating: usize,
    pub(super) ready: usize,
    /// Ready for as long as the owner wants.
    pub(super) available: usize,
    /// When the next of those that are ready is available.
    pub(super) next: Option<Time>,
}

impl Counted {
    /// Counts the pods of an owner with `minReadySeconds`.
    pub(super) fn of<'a>(
        owner: &Value,
        pods: impl IntoIterator<Item = &'a Arc<Value>>,
        now: Time,
    ) -> Counted {
        let mut counted = Counted::default();
        for pod in pods.into_iter().filter(|p| takes_room(p)) {
            if deleting(pod) {
                counted.terminating += 1;
                continue;
            }
            counted.active += 1;
            counted.ready += usize::from(holds(pod, "Ready"));
            match available_at(owner, pod) {
                Some(at) if at <= now => counted.available += 1,
                Some(at) => counted.next = counted.next.into_iter().chain([at]).min(),
                None => {}
            }
        }
        counted
    }
}

/// When a pod of an owner is or was available: after it has been ready for `minReadySeconds`.
pub(super) fn available_at(owner: &Value, pod: &Value) -> Option<Time> {
    let ready = condition(pod, "Ready").filter(|c| text(c, "status") == "True")?;
    let least = Span::from_seconds(int(owner, "spec.minReadySeconds").max(0));
    Some(time(ready, "lastTransitionTime").unwrap_or(Time::from_millis(0)) + least)
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
    managed::made(&mut pod, world.now);
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
            let place = admission::place_of(world, &node);
            admission::locate(&mut pod, place);
            set(&mut pod, "spec.nodeName", node);
        }
        if !text(&pod, "spec.nodeName").is_empty() {
            kubelet::make_ready(world, &mut pod);
            managed::reported(&Value::Null, &mut pod, world.now);
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
    let concerned = own(&touched.before) != own(&touched.after);
    if moved || concerned {
        tell_owner(world, pod);
    }
    if concerned && let Some(before) = &touched.before {
        // one that it does not have any more
        tell_owner(world, before);
    }
    if concerned && touched.after.is_some() && controller(pod).is_none() && !deleting(pod) {
        tell_adopters(world, pod);
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
        world.kubelets.remove(uid(pod));
        tell_deployment(world, pod);
    }
    let room = touched.after.as_ref().is_none_or(|p| !takes_room(p));
    if room && !text(pod, "spec.nodeName").is_empty() {
        retry_waiting(world);
    }
    let Some(pod) = &touched.after else { return };
    if !text(pod, "spec.nodeName").is_empty() {
        world.queue.add(Work::Pod(Id::of(pod)), soon);
    } else if !deleting(pod) {
        let gated = |p: &Value| !list(p, "spec.schedulingGates").is_empty();
        // new, or its gates are gone
        if touched.before.as_ref().is_none_or(|before| gated(before) && !gated(pod)) {
            world.queue.add(Work::Schedule(Id::of(pod)), soon);
        }
    }
}

/// Tells the deployment of a pod that is gone: one that recreates waits for the last.
fn tell_deployment(world: &mut World, pod: &Value) {
    let Some(owner) = controller(pod).filter(|o| text(o, "kind") == "ReplicaSet") else { return };
    if let Some(set) = world.store.get(Res::ReplicaSets, namespace(pod), text(owner, "name")).cloned() {
        tell_owner(world, &set);
    }
}

/// The controllers that adopt pods, and the work of each.
type Adopter = (Res, fn(Id) -> Work);

/// Tells those who would adopt a pod that nothing controls.
fn tell_adopters(world: &mut World, pod: &Value) {
    let adopters: [Adopter; 4] = [
        (Res::ReplicaSets, Work::ReplicaSet),
        (Res::StatefulSets, Work::StatefulSet),
        (Res::DaemonSets, Work::DaemonSet),
        (Res::Jobs, Work::Job),
    ];
    let soon = world.now + NOTICE;
    for (res, work) in adopters {
        let means = |o: &&Arc<Value>| {
            let selector = Labels::of(at(o, "spec.selector")).filter(|s| !s.is_empty());
            selector.is_some_and(|s| s.matches_object(pod))
        };
        let all = world.store.list(res, Some(namespace(pod)));
        let ids: Vec<Id> = all.filter(means).map(|o| Id::of(o)).collect();
        for id in ids {
            world.queue.add(work(id), soon);
        }
    }
}

/// Whether two templates make the same pods: without the labels that controllers add, whatever
/// the order of their fields.
pub(super) fn same_template(a: &Value, b: &Value, added: &str) -> bool {
    let labels = |t: &'_ Value| {
        let mut labels = map(t, "metadata.labels").clone();
        labels.shift_remove(added);
        labels
    };
    at(a, "spec") == at(b, "spec")
        && at(a, "metadata.annotations") == at(b, "metadata.annotations")
        && labels(a) == labels(b)
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
