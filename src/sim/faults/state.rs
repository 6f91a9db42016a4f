//! Faults of what a server keeps: an etcd that was restored, objects with another identity, a
//! version that is not served any more; and what becomes of a server when a fault begins and ends.

use std::time::Duration;

use super::{Active, FaultFile, FaultName, Signal};
use crate::model::Span;
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
        FaultName::Reset if file.chooses() => world.trouble.break_off(file.clone()),
        FaultName::Reset => world.trouble.resets += 1,
        FaultName::GoAway if !file.chooses() => world.trouble.farewells += 1,
        FaultName::Sleep => sleep(world, file),
        FaultName::Signal => {
            world.trouble.signals.extend(Signal::named(file.value_or_usual()));
            world.trouble.changes += 1;
        }
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
            if renews(file) {
                world.trouble.renewals += 1;
            }
            world.trouble.add(Active::new(incident, file.clone()));
            certificates(world);
            withdraw(world, file);
        }
    }
}

/// Switches off what fits; says how many were on.
pub(crate) fn switch_off(world: &mut World, fits: impl Fn(&Active) -> bool) -> usize {
    let ended: Vec<FaultFile> = world.trouble.all().filter(|a| fits(a)).map(|a| a.file.clone()).collect();
    let gone = world.trouble.remove(fits);
    ended.iter().for_each(|file| withdraw(world, file));
    if world.trouble.first(FaultName::Version).is_none()
        && let Some(usual) = world.usual_version.take()
    {
        world.version = usual;
    }
    certificates(world);
    gone
}

/// A request came: what waited for it begins, and says whether anything did.
pub(crate) fn meet(world: &mut World, about: super::About<'_>, verb: &str) -> bool {
    let met = world.trouble.meet(about, verb);
    if met {
        // the connection that it came over ends, and whatever comes next meets the fault
        world.trouble.resets += 1;
        world.certificate = super::way(world.reach, &world.trouble).certificate;
    }
    met
}

/// How long a server remembers what changed (`eventFreshDuration` of its watch cache).
const REMEMBERED: Duration = Duration::from_secs(75);

/// The machine of whoever looks at the cluster was asleep until now.
fn sleep(world: &mut World, file: &FaultFile) {
    let slept = file.delay_or(600);
    world.trouble.naps += 1;
    world.trouble.changes += 1;
    let millis = i64::try_from(slept.as_millis()).unwrap_or(i64::MAX);
    world.trouble.slept = Span::from_millis(world.trouble.slept.millis().saturating_add(millis));
    if slept > REMEMBERED {
        world.store.compact();
    }
}

/// Whether it gives clients new tokens.
fn renews(file: &FaultFile) -> bool {
    file.fault == FaultName::Kubeconfig && file.value_or_usual() == "renewed"
}

/// Watches of a version that is served no more, or again, end.
fn withdraw(world: &mut World, file: &FaultFile) {
    if file.fault != FaultName::Withdrawn {
        return;
    }
    for kind in &file.kinds {
        if let Some(slot) = slot(world, kind) {
            world.cut(slot);
        }
    }
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
