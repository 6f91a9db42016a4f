//! How replicas move between the sets of a deployment: rolling, all at once, or in proportion when
//! its size changes (`pkg/controller/deployment/{rolling,recreate,sync}.go`).

use std::cmp::Reverse;
use std::sync::Arc;

use super::{COMPONENT, current, desired, newest, replica_sets};
use crate::sim::controllers::events::{Said, record};
use crate::sim::controllers::pods;
use crate::sim::eviction::portion;
use crate::sim::fields::{annotate, annotation, at, int, name, namespace, set, text, uid};
use crate::sim::json::Value;
use crate::sim::resources::Res;
use crate::sim::world::World;

/// How many replicas the deployment wanted when a set was last scaled, and how many it might have.
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MOST: &str = "deployment.kubernetes.io/max-replicas";

fn recreates(deployment: &Value) -> bool {
    text(deployment, "spec.strategy.type") == "Recreate"
}

/// One step of a rollout; nothing is left to do once the newest set has all replicas.
pub(super) fn step(world: &mut World, deployment: &Value, sets: &[Arc<Value>]) {
    if recreates(deployment) {
        return recreate(world, deployment, sets);
    }
    let Some(newest) = newest(world, deployment, sets) else { return };
    let old = others(world, deployment, Some(&newest));
    let to = room(deployment, &old, desired(&newest));
    // what follows waits for what this brings
    if !scale(world, deployment, &newest, to) {
        shrink(world, deployment, &newest, old);
    }
}

/// The sets of a deployment without its newest, oldest first.
fn others(world: &World, deployment: &Value, newest: Option<&Value>) -> Vec<Arc<Value>> {
    let own = newest.map_or("", uid);
    let mut sets: Vec<Arc<Value>> =
        replica_sets(world, deployment).into_iter().filter(|s| uid(s) != own).collect();
    sets.sort_by_key(|s| text(s, "metadata.creationTimestamp").to_owned());
    sets
}

/// How many replicas the newest set may have now beside the other ones (`NewRSNewReplicas`).
pub(super) fn room(deployment: &Value, others: &[Arc<Value>], own: i64) -> i64 {
    let wanted = desired(deployment);
    if own >= wanted || recreates(deployment) {
        return wanted;
    }
    let (surge, _) = bounds(deployment, wanted);
    let total = own + others.iter().map(|s| desired(s)).sum::<i64>();
    own + (wanted + surge - total).clamp(0, wanted - own)
}

/// Takes from the old sets what is not needed to serve (`reconcileOldReplicaSets`).
fn shrink(world: &mut World, deployment: &Value, newest: &Value, old: Vec<Arc<Value>>) {
    let available = |s: &Value| int(s, "status.availableReplicas");
    let wanted = desired(deployment);
    let least = wanted - bounds(deployment, wanted).1;
    let old_total: i64 = old.iter().map(|s| desired(s)).sum();
    let mut room = old_total + available(newest).min(desired(newest)) - least;
    if old_total == 0 || room <= 0 {
        return;
    }
    // those that do not serve go first
    let mut left: Vec<(Arc<Value>, i64)> = Vec::new();
    for set in old {
        let idle = (desired(&set) - available(&set)).clamp(0, room);
        room -= idle;
        left.push((set.clone(), desired(&set) - idle));
    }
    let serving = available(newest) + left.iter().map(|(s, _)| available(s)).sum::<i64>();
    let mut spare = (serving - least).max(0);
    for (set, to) in left {
        let goes = to.min(spare);
        spare -= goes;
        scale(world, deployment, &set, to - goes);
    }
}

/// All old pods go before the first new one comes.
fn recreate(world: &mut World, deployment: &Value, sets: &[Arc<Value>]) {
    let present = current(deployment, sets).cloned();
    let old = others(world, deployment, present.as_deref());
    let mut scaled = false;
    for set in &old {
        scaled |= scale(world, deployment, set, 0);
    }
    let runs = |s: &Arc<Value>| {
        let pods = pods::of_owner(world, uid(s));
        int(s, "status.replicas") > 0 || pods.iter().any(|p| crate::sim::cache::takes_room(p))
    };
    if scaled || old.iter().any(runs) {
        return;
    }
    if let Some(newest) = newest(world, deployment, sets) {
        scale(world, deployment, &newest, desired(deployment));
    }
}

/// Whether the deployment wants another number of replicas than when its sets were last scaled
/// (`isScalingEvent`).
pub(super) fn resized(deployment: &Value, sets: &[Arc<Value>]) -> bool {
    let wanted = desired(deployment);
    let mut active = sets.iter().filter(|s| desired(s) > 0);
    active.any(|s| annotation(s, DESIRED).parse::<i64>().is_ok_and(|then| then != wanted))
}

/// Brings the sets to a new size: the one that is there, or all in proportion
/// (`pkg/controller/deployment/sync.go` `scale`).
pub(super) fn resize(world: &mut World, deployment: &Value) {
    let sets = replica_sets(world, deployment);
    let newest = current(deployment, &sets).cloned();
    let wanted = desired(deployment);
    let active: Vec<Arc<Value>> = sets.iter().filter(|s| desired(s) > 0).cloned().collect();
    let only = match active.as_slice() {
        [] => newest.clone().or_else(|| sets.iter().max_by_key(|s| super::revision(s)).cloned()),
        [one] => Some(one.clone()),
        _ => None,
    };
    if let Some(only) = only {
        scale(world, deployment, &only, wanted);
        return;
    }
    let saturated = newest.as_ref().is_some_and(|s| {
        let noted = annotation(s, DESIRED).parse() == Ok(wanted);
        noted && desired(s) == wanted && int(s, "status.availableReplicas") == wanted
    });
    if saturated {
        for set in others(world, deployment, newest.as_deref()) {
            scale(world, deployment, &set, 0);
        }
    } else if !recreates(deployment) {
        share_out(world, deployment, active);
    }
}

/// Adds or takes replicas of each set by its part of all.
fn share_out(world: &mut World, deployment: &Value, mut sets: Vec<Arc<Value>>) {
    let wanted = desired(deployment);
    let most = if wanted > 0 { wanted + bounds(deployment, wanted).0 } else { 0 };
    let all = most - sets.iter().map(|s| desired(s)).sum::<i64>();
    let made = |s: &Value| text(s, "metadata.creationTimestamp").to_owned();
    // the largest takes what is left over: of two the newer when it grows, the older when it shrinks
    sets.sort_by_key(|s| made(s));
    if all > 0 {
        sets.reverse();
    }
    sets.sort_by_key(|s| Reverse(desired(s)));
    let mut added = 0;
    let mut sizes: Vec<i64> = Vec::new();
    for set in &sets {
        let (part, left) = (part(deployment, set, most), all - added);
        let part = if all > 0 { part.min(left) } else { part.max(left) };
        let part = if all == 0 { 0 } else { part };
        added += part;
        sizes.push(desired(set) + part);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + all - added).max(0);
    }
    for (set, size) in sets.iter().zip(sizes) {
        resize_one(world, deployment, set, size);
    }
}

/// By how much a set changes when its deployment does (`getReplicaSetFraction`).
fn part(deployment: &Value, set: &Value, most: i64) -> i64 {
    let own = desired(set);
    if desired(deployment) == 0 {
        return -own;
    }
    let before = annotation(set, MOST).parse::<i64>().ok().filter(|n| *n > 0);
    let before = before.unwrap_or_else(|| int(deployment, "status.replicas").max(1));
    let size = own as f64 * most as f64 / before as f64;
    size.round() as i64 - own
}

/// Replicas above and below the wanted number during a rollout; both zero would never end.
pub(super) fn bounds(deployment: &Value, wanted: i64) -> (i64, i64) {
    if recreates(deployment) {
        return (0, 0);
    }
    let part = |field: &str| at(deployment, &format!("spec.strategy.rollingUpdate.{field}")).clone();
    let surge = portion(&part("maxSurge"), wanted);
    // this one rounds down
    let unavailable = match part("maxUnavailable") {
        Value::String(t) if t.ends_with('%') => {
            t.trim_end_matches('%').parse::<i64>().unwrap_or(0) * wanted / 100
        }
        other => portion(&other, wanted),
    };
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable.min(wanted)) }
}

/// Writes into a set what its deployment wants and may have (`SetReplicasAnnotations`).
pub(super) fn note_size(deployment: &Value, set: &mut Value) {
    let wanted = desired(deployment);
    let most = wanted + bounds(deployment, wanted).0;
    annotate(set, DESIRED, &wanted.to_string());
    annotate(set, MOST, &most.to_string());
}

/// Gives a set so many replicas; says whether it had others. One that has them keeps what it noted of the
/// deployment's size.
fn scale(world: &mut World, deployment: &Value, target: &Value, to: i64) -> bool {
    desired(target) != to && resize_one(world, deployment, target, to)
}

/// Gives a set so many replicas and notes the deployment's size in it; says whether it had others.
fn resize_one(world: &mut World, deployment: &Value, target: &Value, to: i64) -> bool {
    let from = desired(target);
    world.store.update(Res::ReplicaSets, namespace(target), name(target), |s| {
        set(s, "spec.replicas", to);
        note_size(deployment, s);
    });
    if from != to {
        say(world, deployment, target, from, to);
    }
    world.absorb();
    from != to
}

/// Says that a set has another number of replicas.
pub(super) fn say(world: &mut World, deployment: &Value, target: &Value, from: i64, to: i64) {
    let way = if to > from { "up" } else { "down" };
    let message = format!("Scaled {way} replica set {} from {from} to {to}", name(target));
    record(world, deployment, &Said::normal(COMPONENT, "ScalingReplicaSet", message));
}
