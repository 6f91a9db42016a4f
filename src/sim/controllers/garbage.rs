//! What is left behind: dependents of objects that are gone, and contents of namespaces that go.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Span;
use crate::sim::json::{Value, json};

use crate::sim::fields::{
    deleting, drop_finalizer, drop_owner, list, list_mut, namespace as namespace_of, place, set_condition,
    text, uid,
};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::{Res, Slot};
use crate::sim::world::World;

/// Deletes what an owner that is gone owned. What somebody else owns as well is only taken away
/// from it (`pkg/controller/garbagecollector/garbagecollector.go` `attemptToDeleteItem`).
pub(super) fn orphans(world: &mut World, owner: &str) {
    let now = world.now;
    for (slot, id) in world.cache.dependents(owner) {
        let Some(object) = world.store.get(slot, &id.namespace, &id.name).cloned() else { continue };
        let others = list(&object, OWNERS).iter().filter(|o| text(o, "uid") != owner);
        if others.into_iter().any(|o| !gone(world, o, namespace_of(&object))) {
            world.store.update(slot, &id.namespace, &id.name, |o| {
                drop_owner(o, owner);
            });
        } else {
            world.store.delete(slot, &object, Deletion::default(), now);
        }
    }
}

const OWNERS: &str = "metadata.ownerReferences";

/// Whether an owner is known to be gone. One of a kind that is not known may be there.
fn gone(world: &World, owner: &Value, namespace: &str) -> bool {
    let (version, kind) = (text(owner, "apiVersion"), text(owner, "kind"));
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let built_in = Res::ALL.into_iter().find(|r| r.spec().kind == kind && r.spec().group == group);
    let custom = || world.store.custom.live().find(|d| d.spec.kind == kind && d.spec.group == group);
    let Some(slot) = built_in.map(Slot::from).or_else(|| custom().map(|d| d.slot)) else { return false };
    let namespace = if world.store.spec(slot).namespaced { namespace } else { "" };
    let there = world.store.get(slot, namespace, text(owner, "name"));
    there.is_none_or(|o| uid(o) != text(owner, "uid"))
}

/// A new object whose owner is not there goes as if it had just left.
pub(super) fn disowned(world: &mut World, object: &Value) {
    let gone: Vec<String> = list(object, OWNERS)
        .iter()
        .filter(|o| gone(world, o, namespace_of(object)))
        .map(|o| text(o, "uid").to_owned())
        .collect();
    for owner in gone {
        world.queue.add(Work::Orphans(owner), world.now + Span::from_millis(500));
    }
}

/// Makes an object wait until what it owns is gone, or is its own no more. The last that is asked
/// for holds (`apiserver/pkg/registry/generic/registry/store.go` `deletionFinalizersForGarbageCollection`).
pub(crate) fn hold(
    world: &mut World,
    slot: Slot,
    object: &Arc<Value>,
    finalizer: &'static str,
) -> Arc<Value> {
    let mut held = (**object).clone();
    let finalizers = list_mut(place(&mut held, "metadata.finalizers"));
    finalizers.retain(|f| f == finalizer || !OURS.iter().any(|ours| f == ours));
    if !finalizers.iter().any(|f| f == finalizer) {
        finalizers.push(finalizer.into());
    }
    world.store.replace(slot, object, held)
}

/// An object that waited because of what it owns, and is to wait no more: deleted anew, in the background.
pub(crate) fn let_go(world: &mut World, slot: Slot, object: &Arc<Value>) -> Arc<Value> {
    if !waits(object) {
        return object.clone();
    }
    let mut free = (**object).clone();
    OURS.iter().for_each(|ours| drop_finalizer(&mut free, ours));
    world.store.replace(slot, object, free)
}

/// A namespace that is new gets its service account (`serviceaccounts-controller`), and the
/// authority that its pods trust (`root-ca-certificate-publisher-controller`).
pub(super) fn account(world: &mut World, namespace: &str) {
    let account = json!({ "metadata": { "name": "default", "namespace": namespace } });
    world.create_aside(Res::ServiceAccounts, account);
    world.queue.add(Work::Authority(namespace.to_owned()), world.now + super::NOTICE);
}

/// The finalizer of an object that goes after what it owns.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";

/// The finalizer of an object that goes when what it owns is its own no more.
pub(crate) const ORPHAN: &str = "orphan";

/// The finalizers that are the garbage collector's to take away.
const OURS: [&str; 2] = [FOREGROUND, ORPHAN];

/// Whether an object waits because of what it owns.
pub(super) fn waits(object: &Value) -> bool {
    deleting(object) && list(object, "metadata.finalizers").iter().any(|f| OURS.iter().any(|ours| f == ours))
}

/// Deletes what an object owns or takes it away from it, then lets the object go.
pub(super) fn collect(world: &mut World, slot: Slot, id: &Id) {
    let Some(object) = world.store.get(slot, &id.namespace, &id.name).cloned().filter(|o| waits(o)) else {
        return;
    };
    if list(&object, "metadata.finalizers").iter().any(|f| f == ORPHAN) {
        world.orphan(uid(&object));
        world.store.update(slot, &id.namespace, &id.name, |o| drop_finalizer(o, ORPHAN));
        return;
    }
    if world.cache.owns(&object) {
        for (slot, child) in world.cache.dependents(uid(&object)) {
            if let Some(child) = world.store.get(slot, &child.namespace, &child.name).cloned() {
                let owns = world.cache.owns(&child);
                let child = if owns { hold(world, slot, &child, FOREGROUND) } else { child };
                world.store.delete(slot, &child, Deletion::default(), world.now);
            }
        }
        world.queue.add(Work::Collect(slot, id.clone()), world.now + Span::from_millis(500));
        return;
    }
    world.store.update(slot, &id.namespace, &id.name, |o| {
        drop_finalizer(o, FOREGROUND);
    });
}

/// Says what keeps a namespace (`pkg/controller/namespace/deletion/status_condition_utils.go`).
fn remaining(world: &mut World, name: &str, kinds: &[String], held: &BTreeMap<String, usize>) {
    let now = world.now;
    let (some, of) = match kinds.is_empty() {
        true => ("False", ("ContentRemoved", "All content successfully removed".to_owned())),
        false => {
            ("True", ("SomeResourcesRemain", format!("Some resources are remaining: {}", kinds.join(", "))))
        }
    };
    let finalizers: Vec<String> =
        held.iter().map(|(f, n)| format!("{f} in {n} resource instances")).collect();
    let (holds, by) = match finalizers.is_empty() {
        true => {
            ("False", ("ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned()))
        }
        false => (
            "True",
            (
                "SomeFinalizersRemain",
                format!("Some content in the namespace has finalizers remaining: {}", finalizers.join(", ")),
            ),
        ),
    };
    let deleted = "All content successfully deleted, may be waiting on finalization";
    world.store.update(Res::Namespaces, "", name, |n| {
        for (kind, status, reason, message) in [
            (
                "NamespaceDeletionDiscoveryFailure",
                "False",
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                "False",
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
            ("NamespaceDeletionContentFailure", "False", "ContentDeleted", deleted),
            ("NamespaceContentRemaining", some, of.0, of.1.as_str()),
            ("NamespaceFinalizersRemaining", holds, by.0, by.1.as_str()),
        ] {
            set_condition(n, kind, status, reason, message, now);
        }
    });
}

/// Empties a namespace that is being removed, then removes it.
pub(super) fn namespace(world: &mut World, name: &str) {
    let Some(namespace) = world.store.get(Res::Namespaces, "", name).cloned() else { return };
    let now = world.now;
    let mut left = 0;
    let built_in = Res::ALL.into_iter().filter(|r| r.spec().namespaced).map(Slot::from);
    let custom = world.store.custom.live().filter(|d| d.spec.namespaced).map(|d| d.slot);
    let slots: Vec<Slot> = built_in.chain(custom).collect();
    let (mut kinds, mut held) = (Vec::new(), BTreeMap::new());
    for slot in slots {
        let objects: Vec<_> = world.store.list(slot, Some(name)).cloned().collect();
        for object in objects {
            world.store.delete(slot, &object, Deletion::default(), now);
        }
        let there = world.store.list(slot, Some(name)).count();
        let finalizers = world.store.list(slot, Some(name)).flat_map(|o| list(o, "metadata.finalizers"));
        for finalizer in finalizers.filter_map(Value::as_str) {
            *held.entry(finalizer.to_owned()).or_insert(0) += 1;
        }
        if there > 0 {
            let spec = world.store.spec(slot);
            kinds.push(format!("{}.{} has {there} resource instances", spec.plural, spec.group));
        }
        left += there;
    }
    remaining(world, name, &kinds, &held);
    if left == 0 && list(&namespace, "metadata.finalizers").is_empty() {
        world.store.remove(Res::Namespaces, &namespace);
    } else {
        world.queue.add(Work::Namespace(name.to_owned()), now + Span::from_millis(500));
    }
}
