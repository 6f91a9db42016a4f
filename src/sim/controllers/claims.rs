//! Claims of volumes: bound when their first pod is given a node, or at once, as their class
//! says; what a volume is of goes with its claim
//! (`kubernetes/kubernetes:pkg/controller/volume/persistentvolume/pv_controller.go`).

use std::sync::Arc;

use super::events::{Said, record};
use super::pods;
use crate::model::Span;
use crate::sim::cache::takes_room;
use crate::sim::fields::{at, deleting, drop_finalizer, flag, list, name, namespace, set, text, uid};
use crate::sim::json::{Value, json};
use crate::sim::queue::{Id, Work};
use crate::sim::quota::amount;
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
    if deleting(&claim) {
        protect(world, id, &claim);
        return pods::retry_waiting(world);
    }
    if bound(&claim) {
        resize(world, id, &claim);
        return pods::retry_waiting(world);
    }
    if class(world, &claim).is_none_or(|c| !waits(c)) && adopt(world, id, &claim) {
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
    if bound(&claim) || adopt(world, id, &claim) {
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
            "metadata": { "name": volume, "finalizers": [VOLUME_PROTECTION] },
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

/// The finalizers of what is in use (`plugin/pkg/admission/storage/storageobjectinuseprotection`).
pub(crate) const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
pub(crate) const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";

/// A claim that is to go waits for the pods that use it (`pkg/controller/volume/pvcprotection`).
fn protect(world: &mut World, id: &Id, claim: &Value) {
    let uses = |p: &Arc<Value>| takes_room(p) && of_pod(p).any(|own| own == id.name);
    if world.store.list(Res::Pods, Some(&id.namespace)).any(uses) {
        return world.queue.add(Work::Claim(id.clone()), world.now + Span::from_seconds(1));
    }
    if list(claim, "metadata.finalizers").iter().any(|f| f == CLAIM_PROTECTION) {
        world.store.update(Res::Claims, &id.namespace, &id.name, |c| drop_finalizer(c, CLAIM_PROTECTION));
    }
}

/// Binds a claim to a volume that is there and fits, the smallest of them; says whether one did.
fn adopt(world: &mut World, id: &Id, claim: &Value) -> bool {
    let size = |v: &Value, path: &str| amount("storage", at(v, path));
    let wanted = size(claim, "spec.resources.requests.storage");
    let modes = list(claim, "spec.accessModes");
    let fits = |v: &&Arc<Value>| {
        let of = at(v, "spec.claimRef");
        let promised = text(of, "namespace") == id.namespace && text(of, "name") == id.name;
        let free = (of.is_null() || promised && text(of, "uid").is_empty()) && !deleting(v);
        let same = text(v, "spec.storageClassName") == text(claim, "spec.storageClassName");
        let offered = list(v, "spec.accessModes");
        free && same
            && modes.iter().all(|m| offered.contains(m))
            && size(v, "spec.capacity.storage") >= wanted
    };
    let found = world.store.list(Res::Volumes, None).filter(fits);
    let Some(volume) = found.min_by_key(|v| size(v, "spec.capacity.storage")).cloned() else { return false };
    let reference = json!({ "kind": "PersistentVolumeClaim", "apiVersion": "v1", "name": id.name,
        "namespace": id.namespace, "uid": uid(claim) });
    world.store.update(Res::Volumes, "", name(&volume), |v| {
        set(v, "spec.claimRef", reference);
        set(v, "status.phase", "Bound");
    });
    world.store.update(Res::Claims, &id.namespace, &id.name, |c| {
        set(c, "spec.volumeName", name(&volume));
        set(c, "status.phase", "Bound");
        set(c, "status.accessModes", at(&volume, "spec.accessModes").clone());
        set(c, "status.capacity", at(&volume, "spec.capacity").clone());
    });
    true
}

/// A claim that asks for more than it has is given it, if its class allows that.
fn resize(world: &mut World, id: &Id, claim: &Value) {
    let wanted = at(claim, "spec.resources.requests.storage");
    let has = at(claim, "status.capacity.storage");
    let grows = amount("storage", wanted) > amount("storage", has);
    if !grows || !class(world, claim).is_some_and(|c| flag(c, "allowVolumeExpansion")) {
        return;
    }
    world.store.update(Res::Volumes, "", text(claim, "spec.volumeName"), |v| {
        set(v, "spec.capacity.storage", wanted.clone());
    });
    world.store.update(Res::Claims, &id.namespace, &id.name, |c| {
        set(c, "status.capacity.storage", wanted.clone());
    });
    let said = Said::normal(
        "kubelet",
        "FileSystemResizeSuccessful",
        "MountVolume.NodeExpandVolume succeeded for volume",
    );
    record(world, claim, &said);
}

/// Looks at a volume: a new one is offered to claims, and one that is to go waits for its claim.
pub(super) fn volume(world: &mut World, own: &str) {
    let Some(volume) = world.store.get(Res::Volumes, "", own).cloned() else { return };
    let of = at(&volume, "spec.claimRef");
    let claim = world.store.get(Res::Claims, text(of, "namespace"), text(of, "name"));
    let used = claim.is_some_and(|c| text(c, "spec.volumeName") == own);
    if deleting(&volume) {
        if !used && list(&volume, "metadata.finalizers").iter().any(|f| f == VOLUME_PROTECTION) {
            world.store.update(Res::Volumes, "", own, |v| drop_finalizer(v, VOLUME_PROTECTION));
        }
        return;
    }
    if !["", "Pending"].contains(&text(&volume, "status.phase")) {
        return;
    }
    world.store.update(Res::Volumes, "", own, |v| set(v, "status.phase", "Available"));
    let class = text(&volume, "spec.storageClassName");
    let waiting = |c: &&Arc<Value>| !bound(c) && text(c, "spec.storageClassName") == class;
    let claims: Vec<Id> = world.store.list(Res::Claims, None).filter(waiting).map(|c| Id::of(c)).collect();
    for id in claims {
        world.queue.add(Work::Claim(id), world.now);
    }
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
