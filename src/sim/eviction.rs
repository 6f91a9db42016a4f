//! Evictions and the arithmetic of budgets, as the server does it
//! (`kubernetes/kubernetes:pkg/registry/core/pod/storage/eviction.go`).

use std::sync::Arc;

use crate::sim::json::Value;

use super::fields::{
    self, at, deleting, holds, int, map, name, namespace, object_mut, place, set, set_condition, text,
};
use super::objects::Deletion;
use super::refusal::Refusal;
use super::resources::Res;
use super::selector::Labels;
use super::world::World;

/// Most pods that a budget may still be waiting for.
const MOST_DISRUPTED: usize = 2000;

/// Owners above each other that are followed: a pod's, and one or two more in real clusters.
const DEEPEST: usize = 8;

/// The budgets that guard a pod. A selector that is empty or not there guards nothing here.
fn budgets(world: &World, pod: &Value) -> Vec<Arc<Value>> {
    let guards = |b: &&Arc<Value>| {
        let selector = at(b, "spec.selector");
        let given = selector.as_object().is_some_and(|s| !s.is_empty());
        given && Labels::of(selector).is_some_and(|s| s.matches_object(pod))
    };
    world.store.list(Res::Budgets, Some(namespace(pod))).filter(guards).cloned().collect()
}

/// Evicts a pod, or says why not. A dry run changes nothing.
pub(crate) fn evict(world: &mut World, pod: &Arc<Value>, how: Deletion, dry: bool) -> Result<(), Refusal> {
    if guarded(pod) {
        let budgets = budgets(world, pod);
        match budgets.as_slice() {
            [] => {}
            [budget] => allow(world, budget, pod, dry)?,
            _ => {
                let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Err(Refusal::unclassed(why));
            }
        }
    }
    if dry {
        return Ok(());
    }
    let now = world.now;
    let marked = world.store.update(Res::Pods, namespace(pod), name(pod), |p| {
        let message = "Eviction API: evicting";
        set_condition(p, "DisruptionTarget", "True", "EvictionByEvictionAPI", message, now);
    });
    if let Some(pod) = marked {
        world.store.delete(Res::Pods, &pod, how, now);
    }
    Ok(())
}

/// Pods that have not started, have ended or are leaving already are not guarded.
fn guarded(pod: &Value) -> bool {
    let idle = ["Pending", "Succeeded", "Failed"].contains(&text(pod, "status.phase"));
    !idle && !deleting(pod)
}

fn allow(world: &mut World, budget: &Arc<Value>, pod: &Value, dry: bool) -> Result<(), Refusal> {
    let status = |key: &str| int(budget, &format!("status.{key}"));
    let (healthy, needed) = (status("currentHealthy"), status("desiredHealthy"));
    if !holds(pod, "Ready") {
        let always = text(budget, "spec.unhealthyPodEvictionPolicy") == "AlwaysAllow";
        if always || (healthy >= needed && needed > 0) {
            return Ok(());
        }
    }
    if status("observedGeneration") < int(budget, "metadata.generation") {
        return Err(Refusal::budget_behind(name(budget)));
    }
    if map(budget, "status.disruptedPods").len() > MOST_DISRUPTED {
        return Err(Refusal::forbidden(
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        ));
    }
    let allowed = status("disruptionsAllowed");
    if allowed <= 0 {
        return Err(Refusal::budget(name(budget), needed, healthy));
    }
    if !dry {
        let now = world.now.rfc3339();
        world.store.update(Res::Budgets, namespace(budget), name(budget), |b| {
            set(b, "status.disruptionsAllowed", allowed - 1);
            object_mut(place(b, "status.disruptedPods")).insert(name(pod).into(), now.into());
        });
    }
    Ok(())
}

/// Whether the budgets of a pod allow that it goes.
pub(crate) fn allowed(world: &World, pod: &Value) -> bool {
    let free = |b: &Arc<Value>| int(b, "status.disruptionsAllowed") > 0;
    !guarded(pod) || budgets(world, pod).iter().all(free)
}

/// The budgets of a pod that is guarded, and how many may go of each.
pub(crate) fn room(world: &World, pod: &Value) -> Vec<(String, i64)> {
    let of = |b: &Arc<Value>| (format!("{}/{}", namespace(b), name(b)), int(b, "status.disruptionsAllowed"));
    if guarded(pod) { budgets(world, pod).iter().map(of).collect() } else { Vec::new() }
}

/// What a budget counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Arithmetic {
    /// The pods that it means, and how many of them nothing manages.
    pub(crate) pods: i64,
    pub(crate) unmanaged: i64,
    /// Why it cannot count.
    pub(crate) fault: Option<String>,
    pub(crate) expected: i64,
    pub(crate) healthy: i64,
    pub(crate) needed: i64,
    pub(crate) allowed: i64,
}

/// Counts for a budget (`kubernetes/kubernetes:pkg/controller/disruption/disruption.go`).
pub(crate) fn count(world: &World, budget: &Value) -> Arithmetic {
    let Some(selector) = Labels::of(at(budget, "spec.selector")) else { return Arithmetic::default() };
    let disrupted = map(budget, "status.disruptedPods");
    let (mut pods, mut unmanaged, mut fault) = (0, 0, None);
    // a plain least number needs no owners
    let by_owners = at(budget, "spec.minAvailable").as_i64().is_none();
    let mut healthy = 0;
    let mut owners: Vec<(String, i64)> = Vec::new();
    for pod in world.store.list(Res::Pods, Some(namespace(budget))) {
        if !selector.matches_object(pod) || ["Succeeded", "Failed"].contains(&text(pod, "status.phase")) {
            continue;
        }
        pods += 1;
        if holds(pod, "Ready") && !deleting(pod) && !disrupted.contains_key(name(pod)) {
            healthy += 1;
        }
        match owner_scale(world, pod).filter(|_| by_owners) {
            Some(Ok((uid, _))) if owners.iter().any(|(u, _)| *u == uid) => {}
            Some(Ok(owner)) => owners.push(owner),
            Some(Err(why)) => fault = Some(why),
            None => unmanaged += i64::from(by_owners),
        }
    }
    let wanted: i64 = owners.iter().map(|(_, scale)| scale).sum();
    let (expected, needed) = match (at(budget, "spec.maxUnavailable"), at(budget, "spec.minAvailable")) {
        (Value::Null, Value::Int(min)) => (pods, *min),
        (Value::Null, min) => (wanted, portion(min, wanted)),
        (max, _) => (wanted, (wanted - portion(max, wanted)).max(0)),
    };
    let allowed = if expected <= 0 || fault.is_some() { 0 } else { (healthy - needed).max(0) };
    Arithmetic { pods, unmanaged, fault, expected, healthy, needed, allowed }
}

/// A count, or a percentage of a total rounded up.
pub(crate) fn portion(value: &Value, total: i64) -> i64 {
    match value {
        Value::Int(n) => *n,
        Value::String(text) => match text.strip_suffix('%').and_then(|p| p.parse::<i64>().ok()) {
            Some(percent) => (total * percent + 99).div_euclid(100),
            None => text.parse().unwrap_or(0),
        },
        _ => 0,
    }
}

/// The uid and the scale of what controls a pod, or that it has no scale; nothing when nobody
/// controls it.
fn owner_scale(world: &World, pod: &Value) -> Option<Result<(String, i64), String>> {
    let mut owner = fields::controller(pod)?.clone();
    // references are the clients' to write: two objects may own each other
    for _ in 0..DEEPEST {
        let res = Res::of_kind(text(&owner, "kind"))?;
        let object = world.store.get(res, namespace(pod), text(&owner, "name"))?;
        match fields::controller(object) {
            Some(above) => owner = above.clone(),
            None => {
                let spec = res.spec();
                let none =
                    || format!("{}.{} does not implement the scale subresource", spec.plural, spec.group);
                let scale = fields::maybe_int(object, "spec.replicas").ok_or_else(none);
                return Some(scale.map(|scale| (fields::uid(object).to_owned(), scale)));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    #[test]
    fn percentages_round_up() {
        assert_eq!(portion(&json!("80%"), 7), 6);
        assert_eq!(portion(&json!("50%"), 3), 2);
        assert_eq!(portion(&json!(2), 7), 2);
        assert_eq!(portion(&json!("0%"), 7), 0);
        assert_eq!(portion(&json!(null), 7), 0);
    }
}
