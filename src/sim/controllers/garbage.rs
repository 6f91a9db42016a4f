//! What is left behind: dependents of objects that are gone, and contents of namespaces that go.

use crate::model::Span;
use crate::sim::fields::list;
use crate::sim::objects::Deletion;
use crate::sim::queue::Work;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// Deletes what an owner that is gone owned.
pub(super) fn orphans(world: &mut World, owner: &str) {
    let now = world.now;
    for (res, id) in world.cache.dependents(owner) {
        if let Some(object) = world.store.get(res, &id.namespace, &id.name).cloned() {
            world.store.delete(res, &object, Deletion::default(), now);
        }
    }
}

/// Empties a namespace that is being removed, then removes it.
pub(super) fn namespace(world: &mut World, name: &str) {
    let Some(namespace) = world.store.get(Res::Namespaces, "", name).cloned() else { return };
    let now = world.now;
    let mut left = 0;
    for res in Res::ALL.into_iter().filter(|r| r.spec().namespaced) {
        let objects: Vec<_> = world.store.list(res, Some(name)).cloned().collect();
        for object in objects {
            world.store.delete(res, &object, Deletion::default(), now);
        }
        left += world.store.list(res, Some(name)).count();
    }
    if left == 0 && list(&namespace, "metadata.finalizers").is_empty() {
        world.store.remove(Res::Namespaces, &namespace);
    } else {
        world.queue.add(Work::Namespace(name.to_owned()), now + Span::from_millis(500));
    }
}
