//! The disruption controller: how many pods of a budget may go.

use crate::sim::json::{Value, json};

use super::events::{Said, once};
use crate::model::Span;
use crate::sim::eviction::{Arithmetic, count};
use crate::sim::fields::{deleting, int, list_mut, map, place, set, set_condition, text};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

const COMPONENT: &str = "controllermanager";

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
    say(world, &budget, &sum);
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
        let (status, reason) = match &sum.fault {
            Some(_) => ("False", "SyncFailed"),
            None if sum.allowed > 0 => ("True", "SufficientPods"),
            None => ("False", "InsufficientPods"),
        };
        set_condition(b, "DisruptionAllowed", status, reason, "", now);
        let conditions = list_mut(place(b, "status.conditions")).iter_mut();
        for condition in conditions.filter(|c| text(c, "type") == "DisruptionAllowed") {
            set(condition, "message", sum.fault.as_deref().unwrap_or_default());
            set(condition, "observedGeneration", generation);
        }
    });
}

/// Says what keeps a budget from its work.
fn say(world: &mut World, budget: &Value, sum: &Arithmetic) {
    let said = if let Some(why) = &sum.fault {
        let message = format!("Failed to calculate the number of expected pods: {why}");
        Said::warning(COMPONENT, "CalculateExpectedPodCountFailed", message)
    } else if sum.unmanaged > 0 {
        let message = "Pods selected by this PodDisruptionBudget were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.";
        Said::warning(COMPONENT, "UnmanagedPods", message)
    } else if sum.pods == 0 {
        Said::normal(COMPONENT, "NoPods", "No matching pods found")
    } else {
        return;
    };
    once(world, budget, &said);
}
