//! Node pools: which machines they may have, how many, and how many may go at a time
//! (`kubernetes-sigs/karpenter:pkg/apis/v1/nodepool.go`).

use std::collections::BTreeSet;

use super::{COMPONENT, drift};
use crate::model::{Provider, Span, quantity};
use crate::sim::controllers::events::{Said, record};
use crate::sim::controllers::pools::{self, Manner, Pool};
use crate::sim::controllers::schedule::Schedule;
use crate::sim::controllers::scheduler::requirement;
use crate::sim::fields::{at, deleting, list, list_mut, map, name, place, set, set_condition, text};
use crate::sim::json::{Value, json};
use crate::sim::machines::{self, MACHINES, Machine};
use crate::sim::objects::Touched;
use crate::sim::resources::Res;
use crate::sim::world::World;

const CAPACITY: &str = "karpenter.sh/capacity-type";
const ZONE: &str = "topology.kubernetes.io/zone";

/// A node pool was made, changed or removed: what may be ordered follows from it.
pub(in crate::sim::controllers) fn changed(world: &mut World, touched: &Touched) {
    // a scenario makes its pools itself
    if world.instant {
        return;
    }
    let of = touched.after.as_ref().or(touched.before.as_ref());
    let Some(own) = of.map(|p| name(p).to_owned()) else { return };
    let index = world.pools.iter().position(|p| p.name == own);
    let Some(object) = touched.after.as_ref().filter(|p| !deleting(p)) else {
        // its claims go with it, and their nodes with them
        if let Some(pool) = index.and_then(|i| world.pools.get_mut(i)) {
            pool.manner = Manner::None;
        }
        return;
    };
    let spec = |p: &Value| at(p, "spec").clone();
    if touched.before.as_ref().is_some_and(|before| spec(before) == spec(object)) {
        return;
    }
    let old = index.and_then(|i| world.pools.get(i));
    let pool = Pool { min: old.map_or(0, |p| p.min), made: old.map_or(0, |p| p.made), ..read(world, object) };
    match index {
        Some(i) => world.pools[i] = pool,
        None => world.pools.push(pool),
    }
}

/// What a node pool asks for.
fn read(world: &World, object: &Value) -> Pool {
    let requirements = list(object, "spec.template.spec.requirements");
    let allows = |key: &str, value: &str| {
        let mut of = requirements.iter().filter(|r| text(r, "key") == key);
        of.all(|r| requirement(r, Some(value)))
    };
    let zones: BTreeSet<&String> = world.pools.iter().flat_map(|p| &p.zones).collect();
    let fits = |m: &&Machine| properties(m).iter().all(|(key, value)| allows(key, value));
    let taint = list(object, "spec.template.spec.taints").iter().find(|t| text(t, "effect") == "NoSchedule");
    Pool {
        name: name(object).to_owned(),
        machines: MACHINES.iter().filter(|m| offered(world.provider, m)).filter(fits).collect(),
        zones: zones.into_iter().filter(|z| allows(ZONE, z)).cloned().collect(),
        min: 0,
        max: usize::MAX,
        // the cheaper one, where both may be
        spot: allows(CAPACITY, "spot") && requirements.iter().any(|r| text(r, "key") == CAPACITY),
        manner: Manner::Karpenter,
        labels: map(object, "spec.template.metadata.labels").clone(),
        taint: taint.map(|t| (text(t, "key").to_owned(), text(t, "value").to_owned())),
        made: 0,
    }
}

/// Whether a provider has a type of machine.
fn offered(provider: Provider, machine: &Machine) -> bool {
    let is = |prefixes: &[&str]| prefixes.iter().any(|p| machine.name.starts_with(p));
    match provider {
        Provider::Eks => machine.name.contains('.'),
        Provider::Gke => is(&["e2-", "n2-", "g2-"]),
        Provider::Aks => is(&["Standard_"]),
        _ => is(&["metal-", "k3s"]),
    }
}

/// What requirements can say of a machine.
pub(super) fn properties(machine: &Machine) -> Vec<(&'static str, String)> {
    let own = machine.name;
    let (family, size) = own.split_once('.').unwrap_or((own, ""));
    let letters: String = family.chars().take_while(char::is_ascii_alphabetic).collect();
    let generation: String = family.chars().filter(char::is_ascii_digit).collect();
    vec![
        ("node.kubernetes.io/instance-type", own.to_owned()),
        ("kubernetes.io/arch", machine.arch().to_owned()),
        ("kubernetes.io/os", "linux".to_owned()),
        ("karpenter.k8s.aws/instance-family", family.to_owned()),
        ("karpenter.k8s.aws/instance-category", letters),
        ("karpenter.k8s.aws/instance-generation", generation),
        ("karpenter.k8s.aws/instance-size", size.to_owned()),
        ("karpenter.k8s.aws/instance-cpu", machine.cpu.to_string()),
        ("karpenter.k8s.aws/instance-memory", (machine.memory * 1024).to_string()),
        ("karpenter.k8s.aws/instance-gpu-count", machine.gpus.to_string()),
    ]
}

/// The machines that a pool has or has ordered.
fn has(world: &World, index: usize) -> Vec<&'static Machine> {
    const TYPE: &str = "node.kubernetes.io/instance-type";
    let nodes = pools::members(world, index);
    let views = nodes.iter().filter_map(|n| world.cache.nodes.get(n));
    let there = views.filter_map(|v| machines::find(v.label(TYPE)));
    let ordered = world.orders.values().filter(|o| o.pool == index).map(|o| o.machine);
    there.chain(ordered).collect()
}

/// Whether one more machine is within what a pool may have, beside those that are about to be ordered.
pub(in crate::sim::controllers) fn within_limits(
    world: &World,
    index: usize,
    machine: &'static Machine,
    new: &[&'static Machine],
) -> bool {
    let Some(pool) = world.pools.get(index) else { return false };
    let Some(object) = world.store.get(Res::NodePools, "", &pool.name).filter(|p| !deleting(p)) else {
        return false;
    };
    let all: Vec<&Machine> =
        has(world, index).into_iter().chain(new.iter().copied()).chain([machine]).collect();
    map(object, "spec.limits").iter().all(|(key, limit)| {
        let limit = match limit {
            Value::String(text) => text.to_string(),
            other => other.to_string(),
        };
        let units = || quantity::parse_units(&limit);
        match key.as_str() {
            "cpu" => quantity::parse_milli(&limit).is_none_or(|l| sum(&all, |m| m.cpu) * 1000 <= l),
            "memory" => units().is_none_or(|l| sum(&all, |m| m.memory << 30) <= l),
            "nvidia.com/gpu" => units().is_none_or(|l| sum(&all, |m| m.gpus) <= l),
            "nodes" => units().is_none_or(|l| all.len() as i64 <= l),
            _ => true,
        }
    })
}

fn sum(machines: &[&Machine], of: impl Fn(&Machine) -> i64) -> i64 {
    machines.iter().map(|m| of(m)).sum()
}

/// Writes what each pool has, and that it is ready.
pub(in crate::sim::controllers) fn write_status(world: &mut World) {
    let now = world.now;
    for index in 0..world.pools.len() {
        if !world.pools[index].karpenter() {
            continue;
        }
        let own = world.pools[index].name.clone();
        let nodes = pools::members(world, index).len();
        let all = has(world, index);
        let resources = json!({
            "cpu": sum(&all, |m| m.cpu).to_string(), "memory": format!("{}Gi", sum(&all, |m| m.memory)),
            "nodes": nodes.to_string(), "pods": (110 * all.len()).to_string(),
        });
        if let Some(pool) = world.store.get(Res::NodePools, "", &own).cloned() {
            drift::mark(world, &pool);
        }
        world.store.update(Res::NodePools, "", &own, |p| {
            set(p, "status.resources", resources);
            set(p, "status.nodes", nodes);
            for kind in ["ValidationSucceeded", "NodeClassReady", "NodeRegistrationHealthy", "Ready"] {
                set_condition(p, kind, "True", kind, "", now);
            }
            for condition in list_mut(place(p, "status.conditions")) {
                set(condition, "message", "");
            }
        });
    }
}

/// Whether a node of a pool may be disrupted for a reason (`Empty`, `Underutilized`, `Drifted`): by its
/// policy, which is about machines that are not needed, and by its budgets. A budget that forbids it is said.
pub(in crate::sim::controllers) fn may_disrupt(world: &mut World, index: usize, reason: &str) -> bool {
    let Some(pool) = world.pools.get(index) else { return false };
    let Some(object) = world.store.get(Res::NodePools, "", &pool.name).cloned() else { return false };
    let disruption = at(&object, "spec.disruption");
    let only_empty = text(disruption, "consolidationPolicy") == "WhenEmpty" && reason != "Empty";
    let spare = reason != "Drifted";
    if spare && (text(disruption, "consolidateAfter") == "Never" || only_empty) {
        return false;
    }
    let nodes = pools::members(world, index);
    let leaves = |n: &&String| {
        let view = world.cache.nodes.get(*n);
        view.is_some_and(|v| !v.ready || v.taints.iter().any(|t| text(t, "key") == super::DISRUPTED))
    };
    let (total, out) = (nodes.len() as i64, nodes.iter().filter(leaves).count() as i64);
    let most = |b: &Value| crate::sim::eviction::portion(&whole(at(b, "nodes")), total);
    let budgets = list(disruption, "budgets").iter().filter(|b| holds_now(world, b, reason));
    if budgets.map(most).min().is_none_or(|least| out < least) {
        return true;
    }
    let message = format!("No allowed disruptions for disruption reason {reason} due to blocking budget");
    record(world, &object, &Said::normal(COMPONENT, "DisruptionBlocked", message));
    false
}

/// A count of a budget, which is written as text.
fn whole(value: &Value) -> Value {
    match value.as_str().map(str::parse::<i64>) {
        Some(Ok(n)) => json!(n),
        _ => value.clone(),
    }
}

/// Whether a budget is for a reason, and holds now.
fn holds_now(world: &World, budget: &Value, reason: &str) -> bool {
    let reasons = list(budget, "reasons");
    if !reasons.is_empty() && !reasons.iter().any(|r| r == reason) {
        return false;
    }
    let (when, length) = (text(budget, "schedule"), Span::parse(text(budget, "duration")));
    match (Schedule::parse(when, ""), length) {
        (Ok(schedule), Some(length)) if !when.is_empty() => {
            schedule.after(world.now - length).is_some_and(|begins| begins <= world.now)
        }
        _ => true,
    }
}
