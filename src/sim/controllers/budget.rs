//! The disruption controller: how many pods of a budget may go.

use crate::sim::json::{Value, json};

use crate::model::Span;
use crate::sim::eviction::count;
use crate::sim::fields::{deleting, int, map, set, set_condition};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

/// How long an eviction counts although its pod is still there (`DeletionTimeout`).
const PENDING: Span = Span::from_seconds(120);

/// Does the arithmetic of a budget.
pub(super) fn reconcile(world: &mut World, id: &Id) {
    let Some(budget) = world.store.get(Res::Budgets, &id.namespace, &id.name).cloned() else { return };
    let now = world.now;
    let mut kept = crate::sim::json::Map::new();
    for (pod, since) in map(&budget, "status.disruptedPods") {
        let there = world.store.get(Res::Pods, &id.namespace, pod).filter(|p| !deleting(p));
        let since = since.as_str().and_then(crate::model::Time::parse).unwrap_or(now);
        if there.is_some() && since.age(now) < PENDING {
            kept.insert(pod.clone(), json!(since.rfc3339()));
            world.queue.add(Work::Budget(id.clone()), since + PENDING);
        }
    }
    let mut trial: Value = (*budget).clone();
    set(&mut trial, "status.disruptedPods", kept.clone());
    let sum = count(world, &trial);
    let generation = int(&budget, "metadata.generation");
    world.store.update(Res::Budgets, &id.namespace, &id.name, |b| {
        set(b, "status.disruptionsAllowed", sum.allowed);
        set(b, "status.currentHealthy", sum.healthy);
        set(b, "status.desiredHealthy", sum.needed);
        set(b, "status.expectedPods", sum.expected);
        set(b, "status.observedGeneration", generation);
        if kept.is_empty() {
            crate::sim::fields::unset(b, "status.disruptedPods");
        } else {
            set(b, "status.disruptedPods", kept);
        }
        let (status, reason) =
            if sum.allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
        set_condition(b, "DisruptionAllowed", status, reason, "", now);
    });
}
