//! The claims of a stateful set's pods: made before them, and kept or not when nobody needs them any
//! more (`pkg/controller/statefulset/stateful_set_utils.go`, `stateful_pod_control.go`).

use super::{COMPONENT, KIND};
use crate::sim::admission;
use crate::sim::controllers::claims;
use crate::sim::controllers::events::{Said, once, record};
use crate::sim::fields::{
    at, flag, list, list_mut, name, namespace, owner_reference, place, set, text, uid, unset,
};
use crate::sim::json::{Value, json};
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::world::World;

const OWNERS: &str = "metadata.ownerReferences";

/// The name of the claim that a template makes for a pod.
pub(super) fn named(template: &Value, pod: &str) -> String {
    format!("{}-{pod}", name(template))
}

/// Makes the claim of a pod, if it is not there. Before the curtain rises it is bound at once.
pub(super) fn make(world: &mut World, owner: &Value, template: &Value, pod: &str) {
    let own = named(template, pod);
    if world.store.get(Res::Claims, namespace(owner), &own).is_some() {
        return;
    }
    let mut claim = json!({
        "metadata": { "name": own, "namespace": namespace(owner), "labels": at(owner, "spec.selector.matchLabels") },
        "spec": at(template, "spec"),
    });
    if goes(owner, "whenDeleted") {
        set(&mut claim, OWNERS, json!([owner_reference(KIND.0, KIND.1, owner)]));
    }
    admission::admit(world, Res::Claims, &mut claim);
    // one that is refused keeps its pod waiting, which says so
    let made = world.store.create(Res::Claims, claim, world.now).is_ok();
    if made && world.instant {
        claims::provision(world, &Id::new(namespace(owner), &own));
    }
    if made {
        let message = format!("create Claim {own} Pod {pod} in StatefulSet {} success", name(owner));
        record(world, owner, &Said::normal(COMPONENT, "SuccessfulCreate", message));
    }
}

/// Whether claims go when their set does (`whenDeleted`), or when their pod is one too many (`whenScaled`).
fn goes(owner: &Value, when: &str) -> bool {
    text(at(owner, "spec.persistentVolumeClaimRetentionPolicy"), when) == "Delete"
}

/// Gives the claims of a pod to the one that takes them along when it goes: its set, or the pod itself when it is
/// one too many; nobody when they are to stay (`updateClaimOwnerRefForSetAndPod`).
pub(super) fn assign(world: &mut World, owner: &Value, pod: &Value, needed: bool) {
    let taker = if goes(owner, "whenScaled") && !needed {
        Some(owner_reference("v1", "Pod", pod))
    } else if goes(owner, "whenDeleted") {
        Some(owner_reference(KIND.0, KIND.1, owner))
    } else {
        None
    };
    for template in list(owner, "spec.volumeClaimTemplates") {
        let own = named(template, name(pod));
        let Some(claim) = world.store.get(Res::Claims, namespace(owner), &own).cloned() else { continue };
        let owners = list(&claim, OWNERS);
        let (ours, others): (Vec<&Value>, Vec<&Value>) =
            owners.iter().partition(|o| means(o, "StatefulSet", owner) || means(o, "Pod", pod));
        if ours.iter().any(|o| ![uid(owner), uid(pod)].contains(&text(o, "uid"))) {
            // of a set or a pod of the same name that is gone: it goes after them
            continue;
        }
        let managed = others.iter().any(|o| flag(o, "controller"));
        if managed && taker.is_some() {
            let message = format!(
                "PersistentVolumeClaim {own} has a conflicting OwnerReference that acts as a manging controller, the \
                 retention policy is ignored for this claim"
            );
            once(world, owner, &Said::warning(COMPONENT, "ConflictingController", message));
        }
        let taker = taker.iter().filter(|_| !managed);
        let wanted: Vec<Value> = others.into_iter().chain(taker).cloned().collect();
        if wanted != owners {
            world.store.update(Res::Claims, namespace(owner), &own, |c| {
                *list_mut(place(c, OWNERS)) = wanted;
                if list(c, OWNERS).is_empty() {
                    unset(c, OWNERS);
                }
            });
        }
    }
}

/// Whether a reference is to this object, or to one that had its name.
fn means(owner: &Value, kind: &str, object: &Value) -> bool {
    text(owner, "kind") == kind && text(owner, "name") == name(object)
}

/// Whether a claim still goes with a pod that had this name: a new one waits until it is gone (`PodClaimIsStale`).
pub(super) fn stale(world: &World, owner: &Value, pod: &str) -> bool {
    let of_pod = |o: &Value| text(o, "kind") == "Pod" && text(o, "name") == pod;
    goes(owner, "whenScaled")
        && list(owner, "spec.volumeClaimTemplates").iter().any(|template| {
            let claim = world.store.get(Res::Claims, namespace(owner), &named(template, pod));
            claim.is_some_and(|c| list(c, OWNERS).iter().any(of_pod))
        })
}
