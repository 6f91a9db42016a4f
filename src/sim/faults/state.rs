//! Faults of what a server keeps: an etcd that was restored, objects with another identity, a
//! request for too much space.

use super::{Active, FaultFile, FaultName};
use crate::sim::resources::{Res, Slot};
use crate::sim::world::World;

/// Versions that a restored etcd or a lagging replica is behind, unless something else is said.
const BEHIND: u64 = 50;

/// How far behind a fault is.
pub(crate) fn behind(file: &FaultFile) -> u64 {
    file.value.as_deref().and_then(|v| v.parse().ok()).unwrap_or(BEHIND)
}

/// Switches a fault on. What happens once happens now.
pub(crate) fn switch_on(world: &mut World, incident: Option<usize>, file: &FaultFile) {
    match file.fault {
        FaultName::Reset => world.trouble.resets += 1,
        FaultName::GoAway => world.trouble.farewells += 1,
        FaultName::Restore => {
            world.restore(behind(file));
            // the server was started anew with what was restored
            world.trouble.resets += 1;
        }
        FaultName::NewIdentity => {
            for kind in &file.kinds {
                if let Some(slot) = slot(world, kind) {
                    new_identities(world, slot, file);
                }
            }
        }
        // the fleet builds the other cluster
        FaultName::Replaced => {
            world.trouble.replacements += 1;
            if file.value.as_deref() == Some("gracefully") {
                // the old one shuts down in good order: its watches end, its connections are told
                Res::ALL.into_iter().for_each(|res| world.cut(res));
                world.trouble.farewells += 1;
            } else {
                world.trouble.resets += 1;
            }
        }
        _ => {
            if file.fault == FaultName::Version {
                let version = file.value.clone().unwrap_or_else(|| "v1.37.0".to_owned());
                world.usual_version.get_or_insert_with(|| world.version.clone());
                world.version = version;
            }
            world.trouble.add(Active::new(incident, file.clone()));
            certificates(world);
        }
    }
}

/// Switches off what fits; says how many were on.
pub(crate) fn switch_off(world: &mut World, fits: impl Fn(&Active) -> bool) -> usize {
    let gone = world.trouble.remove(fits);
    if world.trouble.first(FaultName::Version).is_none()
        && let Some(usual) = world.usual_version.take()
    {
        world.version = usual;
    }
    certificates(world);
    gone
}

/// A server that has another certificate was started anew.
fn certificates(world: &mut World) {
    let shown = super::way(world.reach, &world.trouble).certificate;
    if shown != world.certificate {
        world.certificate = shown;
        world.trouble.resets += 1;
    }
}

/// Where the objects of a kind are: a plural, or `plural.group`.
fn slot(world: &World, kind: &str) -> Option<Slot> {
    let defined = world.store.custom.live().map(|d| (d.slot, d.spec.clone()));
    let built_in = Res::ALL.into_iter().map(|res| (Slot::from(res), res.spec().clone()));
    let mut all = defined.chain(built_in);
    all.find(|(_, spec)| super::is(kind, (&spec.group, &spec.plural))).map(|(slot, _)| slot)
}

/// Gives objects another uid: they were deleted and made again, and nobody was told.
fn new_identities(world: &mut World, slot: Slot, file: &FaultFile) {
    let most = file.times.map_or(usize::MAX, |n| n as usize);
    let all: Vec<_> = world.store.list(slot, None).cloned().collect();
    for object in all.into_iter().step_by(file.nth.unwrap_or(1).max(1) as usize).take(most) {
        world.store.new_identity(slot, &object, world.now);
    }
    world.absorb();
}
