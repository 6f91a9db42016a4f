//! Claims of volumes: bound when their first pod is given a node, or at once, as their class
//! says; what a volume is of goes with its claim
//! (`kubernetes/kubernetes:pkg/controller/volume/persistentvolume/pv_controller.go`).

use std::sync::Arc;

use super::events::{Said, record};
use super::pods;
use crate::sim::fields::{at, deleting, list, name, namespace, set, text, uid};
use crate::sim::json::{Value, json};
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "persistentvolume-controller";

/// Whether a claim has its volume.
fn bound(claim: &Value) -> bool {
    !text(claim, "spec.volumeName").is_empty()
}

/// The class of a claim.
fn class<'a>(world: &'a World, claim: &Value) -> Option<&'a Arc<Value>> {
    world.store.get(Res::StorageClasses, "", text(claim, "spec.storageClassName"))
}

/// Whether a class waits for the first pod; one that does not say does not.
fn waits(class: &Value) -> bool {
    text(class, "volumeBindingMode") == "WaitForFirstConsumer"
}

/// Looks at a claim: binds it if nothing is to be waited for, and removes its volume when it is
/// gone.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(claim) = world.store.get(Res::Claims, &id.namespace, &id.name).cloned() else {
        return release(world, id);
    };
    if bound(&claim) || deleting(&claim) {
        return pods::retry_waiting(world);
    }
    match class(world, &claim) {
        Some(class) if waits(class) => {
            let message = "waiting for first consumer to be created before binding";
            record(world, &claim, &Said::normal(COMPONENT, "WaitForFirstConsumer", message));
        }
        Some(_) => provision(world, id),
        None if text(&claim, "spec.storageClassName").is_empty() => {
            let message = "no persistent volumes available for this claim and no storage class is set";
            record(world, &claim, &Said::normal(COMPONENT, "FailedBinding", message));
        }
        None => {
            let class = text(&claim, "spec.storageClassName");
            let message = format!("storageclass.storage.k8s.io {class:?} not found");
            record(world, &claim, &Said::warning(COMPONENT, "ProvisioningFailed", message));
        }
    }
    pods::retry_waiting(world);
}

/// Makes the volume of a claim and binds them to each other, as a provisioner does.
pub(super) fn provision(world: &mut World, id: &Id) {
    let Some(claim) = world.store.get(Res::Claims, &id.namespace, &id.name).cloned() else { return };
    if bound(&claim) {
        return;
    }
    let now = world.now;
    let volume = format!("pvc-{}", world.store.random().uuid());
    let size = at(&claim, "spec.resources.requests.storage").clone();
    let class = class(world, &claim);
    let driver = class.map_or("driver.longhorn.io", |c| text(c, "provisioner")).to_owned();
    let reclaim = class.map_or("Delete", |c| text(c, "reclaimPolicy")).to_owned();
    let _ = world.store.create(
        Res::Volumes,
        json!({
            "metadata": { "name": volume },
            "spec": {
                "accessModes": at(&claim, "spec.accessModes"), "capacity": { "storage": size },
                "storageClassName": at(&claim, "spec.storageClassName"),
                "persistentVolumeReclaimPolicy": if reclaim.is_empty() { "Delete" } else { &reclaim },
                "volumeMode": "Filesystem",
                "csi": { "driver": driver, "volumeHandle": volume },
                "claimRef": { "kind": "PersistentVolumeClaim", "apiVersion": "v1", "name": id.name, "namespace": id.namespace, "uid": uid(&claim) },
            },
            "status": { "phase": "Bound" },
        }),
        now,
    );
    let message = format!("Successfully provisioned volume {volume}");
    record(world, &claim, &Said::normal(&driver, "ProvisioningSucceeded", message));
    world.store.update(Res::Claims, &id.namespace, &id.name, |c| {
        set(c, "spec.volumeName", volume);
        set(c, "status.phase", "Bound");
        set(c, "status.accessModes", at(&claim, "spec.accessModes").clone());
        set(c, "status.capacity", json!({ "storage": size }));
    });
}

/// A claim is gone: its volume goes with it, or waits for somebody to look at it.
fn release(world: &mut World, id: &Id) {
    let was = |v: &&Arc<Value>| {
        let of = at(v, "spec.claimRef");
        text(of, "namespace") == id.namespace && text(of, "name") == id.name
    };
    let volume = world.store.list(Res::Volumes, None).find(was).cloned();
    let Some(volume) = volume else { return };
    if text(&volume, "spec.persistentVolumeReclaimPolicy") == "Delete" {
        world.store.remove(Res::Volumes, &volume);
    } else {
        world.store.update(Res::Volumes, "", name(&volume), |v| set(v, "status.phase", "Released"));
    }
}

/// The claims of a pod.
fn of_pod(pod: &Value) -> impl Iterator<Item = &str> {
    let claims = list(pod, "spec.volumes").iter().map(|v| text(v, "persistentVolumeClaim.claimName"));
    claims.filter(|claim| !claim.is_empty())
}

/// Why a pod cannot be placed anywhere for want of a claim, in the scheduler's words
/// (`pkg/scheduler/framework/plugins/volumebinding`).
pub(super) fn missing(world: &World, pod: &Value) -> Option<String> {
    of_pod(pod).find_map(|own| {
        let Some(claim) = world.store.get(Res::Claims, namespace(pod), own) else {
            return Some(format!("persistentvolumeclaim {own:?} not found"));
        };
        if deleting(claim) {
            return Some(format!("persistentvolumeclaim {own:?} is being deleted"));
        }
        let waits = bound(claim) || class(world, claim).is_some_and(|c| waits(c));
        (!waits).then(|| "pod has unbound immediate PersistentVolumeClaims".to_owned())
    })
}

/// A pod was given a node: claims of it that waited for that are bound.
pub(super) fn bind(world: &mut World, pod: &Value) {
    let claims: Vec<Id> = of_pod(pod).map(|own| Id::new(namespace(pod), own)).collect();
    for id in claims {
        provision(world, &id);
    }
}
