//! What is left behind: dependents of objects that are gone, and contents of namespaces that go.

use crate::model::Span;
use crate::sim::json::{Value, json};

use crate::sim::fields::{deleting, list, list_mut, place, uid};
use crate::sim::objects::Deletion;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::{Res, Slot};
use crate::sim::world::World;

/// Deletes what an owner that is gone owned.
pub(super) fn orphans(world: &mut World, owner: &str) {
    let now = world.now;
    for (slot, id) in world.cache.dependents(owner) {
        if let Some(object) = world.store.get(slot, &id.namespace, &id.name).cloned() {
            world.store.delete(slot, &object, Deletion::default(), now);
        }
    }
}

/// A namespace that is new gets its service account (`serviceaccounts-controller`).
pub(super) fn account(world: &mut World, namespace: &str) {
    let account = json!({ "metadata": { "name": "default", "namespace": namespace } });
    world.create_aside(Res::ServiceAccounts, account);
}

/// The finalizer of an object that goes after what it owns.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";

/// Whether an object waits for what it owns to go.
pub(super) fn waits(object: &Value) -> bool {
    deleting(object) && list(object, "metadata.finalizers").iter().any(|f| f == FOREGROUND)
}

/// Deletes what an object owns, then lets the object go.
pub(super) fn foreground(world: &mut World, slot: Slot, id: &Id) {
    let Some(object) = world.store.get(slot, &id.namespace, &id.name).cloned().filter(|o| waits(o)) else {
        return;
    };
    if world.cache.owns(&object) {
        for (slot, child) in world.cache.dependents(uid(&object)) {
            if let Some(child) = world.store.get(slot, &child.namespace, &child.name).cloned() {
                let mut held = (*child).clone();
                if world.cache.owns(&child) && !waits(&child) {
                    list_mut(place(&mut held, "metadata.finalizers")).push(FOREGROUND.into());
                }
                let child = world.store.replace(slot, &child, held);
                world.store.delete(slot, &child, Deletion::default(), world.now);
            }
        }
        world.queue.add(Work::Foreground(slot, id.clone()), world.now + Span::from_millis(500));
        return;
    }
    world.store.update(slot, &id.namespace, &id.name, |o| {
        list_mut(place(o, "metadata.finalizers")).retain(|f| f != FOREGROUND);
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
    for slot in slots {
        let objects: Vec<_> = world.store.list(slot, Some(name)).cloned().collect();
        for object in objects {
            world.store.delete(slot, &object, Deletion::default(), now);
        }
        left += world.store.list(slot, Some(name)).count();
    }
    if left == 0 && list(&namespace, "metadata.finalizers").is_empty() {
        world.store.remove(Res::Namespaces, &namespace);
    } else {
        world.queue.add(Work::Namespace(name.to_owned()), now + Span::from_millis(500));
    }
}
