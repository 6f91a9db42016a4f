//! The stateful set controller: one pod after the other.

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::{generation, pods};
use crate::model::Span;
use crate::sim::fields::{
    at, deleting, holds, label, list, list_mut, maybe_int, name, namespace, place, set, text, uid,
};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "statefulset-controller";
/// After how long a set tries again that was refused a pod.
const AGAIN: Span = Span::from_seconds(15);

const REVISION: &str = "controller-revision-hash";

/// Makes one step: the next pod is made, replaced or deleted.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(owner) = world.store.get(Res::StatefulSets, &id.namespace, &id.name).cloned() else { return };
    let revision = format!("{}-{}", name(&owner), pods::template_hash(at(&owner, "spec.template"), 9));
    if !deleting(&owner) {
        // before the curtain rises nothing waits for anything
        while step(world, &owner, &revision) && world.instant {}
    }
    status(world, id, &owner, &revision);
}

/// Does one thing; says whether a pod was made.
fn step(world: &mut World, owner: &Value, revision: &str) -> bool {
    let wanted = maybe_int(owner, "spec.replicas").unwrap_or(1).max(0);
    let parallel = text(owner, "spec.podManagementPolicy") == "Parallel";
    let pod_at =
        |world: &World, i: i64| world.pod(&Id::new(namespace(owner), &format!("{}-{i}", name(owner))));
    for i in 0..wanted {
        match pod_at(world, i) {
            None => {
                make(world, owner, revision, i);
                if !parallel {
                    return true;
                }
            }
            Some(pod) if !pods::active(&pod) && !deleting(&pod) => {
                // one that ended is made again under its name
                delete(world, owner, &pod);
                return false;
            }
            Some(pod) if !parallel && (!holds(&pod, "Ready") || deleting(&pod)) => return false,
            Some(_) => {}
        }
    }
    let mut surplus: Vec<Arc<Value>> =
        pods::of_owner(world, uid(owner)).into_iter().filter(|p| ordinal(p) >= wanted).collect();
    surplus.sort_by_key(|p| ordinal(p));
    if let Some(last) = surplus.last() {
        if !deleting(last) {
            delete(world, owner, last);
        }
        return false;
    }
    for i in (0..wanted).rev() {
        let Some(pod) = pod_at(world, i) else { return false };
        if label(&pod, REVISION) != revision {
            delete(world, owner, &pod);
            return false;
        }
        if !holds(&pod, "Ready") || deleting(&pod) {
            return false;
        }
    }
    false
}

fn ordinal(pod: &Value) -> i64 {
    name(pod).rsplit_once('-').and_then(|(_, n)| n.parse().ok()).unwrap_or(0)
}

fn make(world: &mut World, owner: &Value, revision: &str, i: i64) {
    let mut pod = pods::from_template(owner, ("apps/v1", "StatefulSet"), at(owner, "spec.template"));
    let own = format!("{}-{i}", name(owner));
    pods::label(&mut pod, REVISION, revision);
    pods::label(&mut pod, "statefulset.kubernetes.io/pod-name", &own);
    pods::label(&mut pod, "apps.kubernetes.io/pod-index", &i.to_string());
    set(&mut pod, "metadata.name", own.clone());
    for template in list(owner, "spec.volumeClaimTemplates") {
        let claim = format!("{}-{own}", name(template));
        claim_and_volume(world, owner, template, &claim);
        list_mut(place(&mut pod, "spec.volumes"))
            .push(json!({ "name": name(template), "persistentVolumeClaim": { "claimName": claim } }));
    }
    match pods::create(world, pod) {
        Ok(_) => {
            let message = format!("create Pod {own} in StatefulSet {} successful", name(owner));
            record(world, owner, &Said::normal(COMPONENT, "SuccessfulCreate", message));
        }
        Err(refusal) => {
            let set = name(owner);
            let message = format!("create Pod {own} in StatefulSet {set} failed error: {}", refusal.message);
            record(world, owner, &Said::warning(COMPONENT, "FailedCreate", message));
            world.queue.add(Work::StatefulSet(Id::of(owner)), world.now + AGAIN);
        }
    }
}

/// The claim of a pod, and the volume that a provisioner would make for it.
fn claim_and_volume(world: &mut World, owner: &Value, template: &Value, claim: &str) {
    if world.store.get(Res::Claims, namespace(owner), claim).is_some() {
        return;
    }
    let now = world.now;
    let volume = format!("pvc-{}", world.store.random().uuid());
    let (size, class) =
        (at(template, "spec.resources.requests.storage"), at(template, "spec.storageClassName"));
    let made = world.store.create(
        Res::Claims,
        json!({
            "metadata": { "name": claim, "namespace": namespace(owner), "labels": at(owner, "spec.selector.matchLabels") },
            "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": size } },
                "storageClassName": class, "volumeMode": "Filesystem", "volumeName": volume,
            },
            "status": { "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": { "storage": size } },
        }),
        now,
    );
    let Ok(made) = made else { return };
    let driver = match world.provider {
        crate::model::Provider::Eks => "ebs.csi.aws.com",
        crate::model::Provider::Gke => "pd.csi.storage.gke.io",
        crate::model::Provider::Aks => "disk.csi.azure.com",
        _ => "driver.longhorn.io",
    };
    let _ = world.store.create(
        Res::Volumes,
        json!({
            "metadata": { "name": volume },
            "spec": {
                "accessModes": ["ReadWriteOnce"], "capacity": { "storage": size }, "storageClassName": class,
                "persistentVolumeReclaimPolicy": "Delete", "volumeMode": "Filesystem",
                "csi": { "driver": driver, "volumeHandle": volume },
                "claimRef": { "kind": "PersistentVolumeClaim", "apiVersion": "v1", "name": claim, "namespace": namespace(owner), "uid": uid(&made) },
            },
            "status": { "phase": "Bound" },
        }),
        now,
    );
}

fn delete(world: &mut World, owner: &Value, pod: &Arc<Value>) {
    let now = world.now;
    world.store.delete(Res::Pods, pod, Deletion::default(), now);
    let message = format!("delete Pod {} in StatefulSet {} successful", name(pod), name(owner));
    record(world, owner, &Said::normal(COMPONENT, "SuccessfulDelete", message));
    world.absorb();
}

fn status(world: &mut World, id: &Id, owner: &Value, revision: &str) {
    let all = pods::of_owner(world, uid(owner));
    let active: Vec<_> = all.iter().filter(|p| pods::active(p)).collect();
    let ready = active.iter().filter(|p| holds(p, "Ready")).count();
    let updated = active.iter().filter(|p| label(p, REVISION) == revision).count();
    let wanted = maybe_int(owner, "spec.replicas").unwrap_or(1);
    let observed = generation(owner);
    world.store.update(Res::StatefulSets, &id.namespace, &id.name, |s| {
        set(s, "status.replicas", active.len());
        set(s, "status.readyReplicas", ready);
        set(s, "status.availableReplicas", ready);
        set(s, "status.currentReplicas", active.len() - updated.min(active.len()));
        set(s, "status.updatedReplicas", updated);
        set(s, "status.updateRevision", revision);
        set(s, "status.observedGeneration", observed);
        if updated as i64 == wanted && ready as i64 == wanted {
            set(s, "status.currentRevision", revision);
            set(s, "status.currentReplicas", updated);
        }
    });
}
