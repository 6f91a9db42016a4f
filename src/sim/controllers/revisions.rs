//! The revisions of stateful sets and daemon sets: what their templates were, to go back to
//! (`kubernetes/kubernetes:pkg/controller/history/controller_history.go`).

use std::sync::Arc;

use super::pods;
use crate::sim::fields::{at, int, map, maybe_int, name, namespace, owner_reference, set, unset};
use crate::sim::json::{Value, json};
use crate::sim::resources::Res;
use crate::sim::world::World;

/// The label of revisions that says their hash.
const HASH: &str = "controller.kubernetes.io/hash";

/// The annotation of what was last applied: it is the owner's alone.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// One revision of an owner's template.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) name: String,
    pub(super) hash: String,
    pub(super) template: Value,
}

impl Revision {
    fn read(revision: &Value) -> Revision {
        let hash = crate::sim::fields::label(revision, HASH).to_owned();
        Revision { name: name(revision).to_owned(), hash, template: template(revision) }
    }

    /// A revision of an owner by its name.
    pub(super) fn named(world: &World, owner: &Value, own: &str) -> Option<Revision> {
        world.store.get(Res::Revisions, namespace(owner), own).map(|r| Revision::read(r))
    }
}

/// The template of a revision, without the directive that makes a patch of it.
fn template(revision: &Value) -> Value {
    let mut template = at(revision, "data.spec.template").clone();
    unset(&mut template, "$patch");
    template
}

/// The revision of an owner's present template; it is made if there is none, and becomes the
/// newest if an older one is back.
pub(super) fn ensure(world: &mut World, owner: &Value, kind: (&str, &str)) -> Revision {
    let all = pods::claim(world, owner, kind, Res::Revisions, |_| true);
    let newest = all.iter().map(|r| int(r, "revision")).max().unwrap_or(0);
    let wanted = at(owner, "spec.template");
    if let Some(found) = all.iter().find(|r| template(r) == *wanted) {
        if int(found, "revision") < newest {
            world.store.update(Res::Revisions, namespace(found), name(found), |r| {
                set(r, "revision", newest + 1);
            });
            world.absorb();
        }
        return Revision::read(found);
    }
    let made = make(owner, kind, newest + 1);
    let revision = Revision::read(&made);
    world.create_aside(Res::Revisions, made);
    world.absorb();
    revision
}

fn make(owner: &Value, kind: (&str, &str), number: i64) -> Value {
    let wanted = at(owner, "spec.template");
    let hash = pods::template_hash(wanted, 9);
    let mut patch = wanted.clone();
    set(&mut patch, "$patch", "replace");
    let mut labels = map(wanted, "metadata.labels").clone();
    labels.insert(HASH.into(), json!(hash));
    let mut annotations = map(owner, "metadata.annotations").clone();
    annotations.shift_remove(LAST_APPLIED);
    let mut made = json!({
        "metadata": {
            "name": format!("{}-{hash}", name(owner)), "namespace": namespace(owner),
            "ownerReferences": [owner_reference(kind.0, kind.1, owner)],
        },
        "revision": number,
    });
    set(&mut made["metadata"], "labels", labels);
    if !annotations.is_empty() {
        set(&mut made["metadata"], "annotations", annotations);
    }
    set(&mut made, "data.spec.template", patch);
    made
}

/// Removes the oldest revisions past the owner's limit that nothing uses.
pub(super) fn tidy(world: &mut World, owner: &Value, used: impl Fn(&Revision) -> bool) {
    let limit = usize::try_from(maybe_int(owner, "spec.revisionHistoryLimit").unwrap_or(10)).unwrap_or(0);
    let all = pods::controlled(world, owner, Res::Revisions);
    let mut old: Vec<Arc<Value>> = all.into_iter().filter(|r| !used(&Revision::read(r))).collect();
    old.sort_by_key(|r| int(r, "revision"));
    for revision in old.iter().take(old.len().saturating_sub(limit)) {
        world.store.remove(Res::Revisions, revision);
    }
}
