//! What a deployment says of itself: counts, availability, progress
//! (`pkg/controller/deployment/{sync,progress}.go`).

use std::sync::Arc;

use super::rollout::bounds;
use super::{current, desired, replica_sets};
use crate::model::{Span, Time};
use crate::sim::controllers::generation;
use crate::sim::fields::{
    at, condition, count, drop_condition, flag, int, list_mut, maybe_int, name, place, set, text, time,
};
use crate::sim::json::{Value, json};
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::world::World;

/// What a deployment's replica sets come to.
struct Sum {
    wanted: i64,
    total: i64,
    updated: i64,
    ready: i64,
    available: i64,
    unavailable: i64,
    /// Pods that are leaving, where the replica sets count them.
    terminating: Option<i64>,
}

impl Sum {
    fn of(deployment: &Value, sets: &[Arc<Value>]) -> Sum {
        let sum = |field: &str| -> i64 { sets.iter().map(|s| int(s, &format!("status.{field}"))).sum() };
        let asked: i64 = sets.iter().map(|s| desired(s)).sum();
        let available = sum("availableReplicas");
        Sum {
            wanted: desired(deployment),
            total: sum("replicas"),
            updated: current(deployment, sets).map_or(0, |s| int(s, "status.replicas")),
            ready: sum("readyReplicas"),
            available,
            // of all that was asked for, old sets and new
            unavailable: (asked - available).max(0),
            terminating: sets
                .iter()
                // one that was never looked at has nothing to count
                .filter(|s| int(s, "status.observedGeneration") > 0)
                .map(|s| maybe_int(s, "status.terminatingReplicas"))
                .sum(),
        }
    }

    fn complete(&self) -> bool {
        self.updated == self.wanted && self.total == self.wanted && self.available == self.wanted
    }

    /// Whether the rollout came nearer to its end since the status was written
    /// (`DeploymentProgressing`), or has another one to go to.
    fn moved(&self, deployment: &Value) -> bool {
        let was = |field: &str| int(deployment, &format!("status.{field}"));
        self.updated > was("updatedReplicas")
            || self.total - self.updated < was("replicas") - was("updatedReplicas")
            || self.ready > was("readyReplicas")
            || self.available > was("availableReplicas")
            || was("observedGeneration") != generation(deployment)
    }

    fn write(&self, deployment: &mut Value) {
        let observed = generation(deployment);
        for (field, value) in [
            ("replicas", self.total),
            ("updatedReplicas", self.updated),
            ("readyReplicas", self.ready),
            ("availableReplicas", self.available),
            ("unavailableReplicas", self.unavailable),
            ("observedGeneration", observed),
        ] {
            count(deployment, &format!("status.{field}"), value);
        }
        if let Some(terminating) = self.terminating {
            set(deployment, "status.terminatingReplicas", terminating);
        }
    }
}

/// Writes the status; `rolls` when a rollout may go on, and so may be late.
pub(super) fn write(world: &mut World, id: &Id, rolls: bool) {
    let Some(deployment) = world.store.get(Res::Deployments, &id.namespace, &id.name).cloned() else {
        return;
    };
    let sets = replica_sets(world, &deployment);
    let sum = Sum::of(&deployment, &sets);
    let now = world.now;
    let failure = sets.iter().find_map(|s| condition(s, "ReplicaFailure")).cloned();
    let newest = current(&deployment, &sets).map_or("", |s| name(s)).to_owned();
    let progress = Progress::of(&deployment, &sum, rolls, now);
    world.store.update(Res::Deployments, &id.namespace, &id.name, |d| {
        sum.write(d);
        availability(d, &sum, now);
        match &failure {
            Some(c) => put(d, "ReplicaFailure", "True", text(c, "reason"), text(c, "message"), now),
            None => drop_condition(d, "ReplicaFailure"),
        }
        progress.write(d, &newest, now);
    });
    if progress == Progress::Waits || progress == Progress::Moves {
        // one second more than the deadline: times on objects are whole seconds
        world.queue.add(Work::Deployment(id.clone()), now + deadline(&deployment) + Span::from_seconds(1));
    }
}

fn deadline(deployment: &Value) -> Span {
    Span::from_seconds(maybe_int(deployment, "spec.progressDeadlineSeconds").unwrap_or(600))
}

fn availability(deployment: &mut Value, sum: &Sum, now: Time) {
    let (_, unavailable) = bounds(deployment, sum.wanted);
    let (status, reason, message) = if sum.available >= sum.wanted - unavailable {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    put(deployment, "Available", status, reason, message, now);
}

/// How a rollout goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    /// There is nothing new to say of it.
    Same,
    Paused,
    Resumed,
    Complete,
    Moves,
    /// It does not move, and still may.
    Waits,
    Late,
}

impl Progress {
    fn of(deployment: &Value, sum: &Sum, rolls: bool, now: Time) -> Progress {
        let said = condition(deployment, "Progressing");
        let reason = said.map_or("", |c| text(c, "reason"));
        let paused = flag(deployment, "spec.paused");
        if reason != "ProgressDeadlineExceeded" && paused != (reason == "DeploymentPaused") {
            return if paused { Progress::Paused } else { Progress::Resumed };
        }
        // a rollout that was complete stays so, whatever becomes of its pods
        let settled = sum.total == sum.updated && reason == "NewReplicaSetAvailable";
        if !rolls || settled && !sum.complete() {
            return Progress::Same;
        }
        if sum.complete() {
            return if settled { Progress::Same } else { Progress::Complete };
        }
        if sum.moved(deployment) {
            return Progress::Moves;
        }
        let since = said.and_then(|c| time(c, "lastUpdateTime")).unwrap_or(now);
        match reason {
            "ProgressDeadlineExceeded" => Progress::Same,
            "" => Progress::Moves,
            _ if since.age(now) >= deadline(deployment) => Progress::Late,
            _ => Progress::Waits,
        }
    }

    fn write(self, deployment: &mut Value, newest: &str, now: Time) {
        let (status, reason, message) = match self {
            Progress::Same | Progress::Waits => return,
            Progress::Paused => ("Unknown", "DeploymentPaused", "Deployment is paused".to_owned()),
            Progress::Resumed => ("Unknown", "DeploymentResumed", "Deployment is resumed".to_owned()),
            Progress::Complete => (
                "True",
                "NewReplicaSetAvailable",
                format!("ReplicaSet {newest:?} has successfully progressed."),
            ),
            Progress::Moves => {
                ("True", "ReplicaSetUpdated", format!("ReplicaSet {newest:?} is progressing."))
            }
            Progress::Late => (
                "False",
                "ProgressDeadlineExceeded",
                format!("ReplicaSet {newest:?} has timed out progressing."),
            ),
        };
        if self == Progress::Moves {
            // each step towards the end counts for the deadline
            renew(deployment, "Progressing", status, reason, &message, now);
        } else {
            put(deployment, "Progressing", status, reason, &message, now);
        }
    }
}

/// Sets a condition, unless it says this already (`SetDeploymentCondition`): the time of its last
/// update is that of its status and reason.
fn put(deployment: &mut Value, kind: &str, status: &str, reason: &str, message: &str, now: Time) {
    let old = condition(deployment, kind);
    if old.is_none_or(|c| text(c, "status") != status || text(c, "reason") != reason) {
        renew(deployment, kind, status, reason, message, now);
    }
}

/// Sets a condition, which is the last of all then.
fn renew(deployment: &mut Value, kind: &str, status: &str, reason: &str, message: &str, now: Time) {
    let old = condition(deployment, kind).filter(|c| text(c, "status") == status);
    let since = old.map(|c| at(c, "lastTransitionTime").clone());
    let fresh = json!({
        "type": kind, "status": status, "lastUpdateTime": now.rfc3339(),
        "lastTransitionTime": since.unwrap_or_else(|| now.rfc3339().into()),
        "reason": reason, "message": message,
    });
    drop_condition(deployment, kind);
    list_mut(place(deployment, "status.conditions")).push(fresh);
}
