//! Incidents: what goes wrong by the clock, and how it is put right.

use super::events::{Said, record};
use super::{Shortage, karpenter, nodes, pods, pools, pressure};
use crate::model::{Provider, Span, Time};
use crate::sim::faults;
use crate::sim::fields::{self, list, set, text};
use crate::sim::json::{Value, json};
use crate::sim::load::Load;
use crate::sim::queue::{Id, Work};
use crate::sim::resources::Res;
use crate::sim::scenario::{Pressure, What};
use crate::sim::world::{Fault, FaultKind, Reach, World};

/// How long a machine that is taken back still runs: the two minutes of the clouds, shortened.
const NOTICE_OF_END: Span = Span::from_seconds(40);

/// What is put back when an incident ends.
#[derive(Clone, Debug)]
pub(crate) enum Undo {
    /// A deployment's image.
    Image(Id, String),
    /// The load of a workload; none if it had none.
    Load(Id, Option<Load>),
    /// Kubelets that speak again.
    Nodes(Vec<String>),
    /// Nodes that take pods again.
    Uncordon(Vec<String>),
    /// A deployment's image, whatever it is now.
    Rollout(Id, String),
    /// The spec of a budget; none if there was no budget.
    Budget(Id, Option<Value>),
    /// Nodes that have enough again.
    Pressure(Vec<String>, Pressure),
    /// The provider has machines again.
    Capacity,
    /// The store takes writes again.
    Full,
    /// A fault of the server is over.
    Fault,
    /// What may be read again.
    Allow(Res, Option<String>),
    /// The cluster can be reached.
    Reach,
}

/// Queues every incident, counted from `start`.
pub(crate) fn begin_all(world: &mut World, start: Time) {
    for (i, at) in world.incidents.iter().map(|i| i.at).enumerate().collect::<Vec<_>>() {
        world.queue.add(Work::Incident(i, true), start + at);
    }
}

/// Begins or ends an incident.
pub(super) fn turn(world: &mut World, index: usize, begins: bool) {
    let Some(incident) = world.incidents.get(index).cloned() else { return };
    let now = world.now;
    if begins {
        begin(world, index, &incident.what);
        if let Some(lasts) = incident.lasts {
            world.queue.add(Work::Incident(index, false), now + lasts);
        }
        if let Some(every) = incident.every {
            world.queue.add(Work::Incident(index, true), now + every);
        }
    } else {
        end(world, index);
    }
}

fn begin(world: &mut World, index: usize, what: &What) {
    let undo = match what {
        What::NodesSilent { .. }
        | What::Spot { .. }
        | What::Cordon { .. }
        | What::Pressure { .. }
        | What::Capacity { .. } => begin_at_nodes(world, index, what),
        What::EtcdFull | What::Fault(_) | What::Deny { .. } | What::Unreachable | What::Refusing => {
            vec![begin_at_server(world, index, what)]
        }
        _ => begin_at_workloads(world, index, what),
    };
    world.undo.extend(undo.into_iter().map(|u| (index, u)));
}

/// What goes wrong with workloads, and what puts it right.
fn begin_at_workloads(world: &mut World, index: usize, what: &What) -> Vec<Undo> {
    let mut undo = Vec::new();
    let since = world.now;
    match what {
        What::BadImage { workloads, image } => {
            world.faults.push(Fault { incident: index, since, what: FaultKind::Image(image.clone()) });
            for id in workloads {
                undo.extend(set_image(world, id, image).map(|old| Undo::Image(id.clone(), old)));
            }
        }
        What::Rollout { workloads, image } => {
            for id in workloads {
                undo.extend(set_image(world, id, image).map(|old| Undo::Rollout(id.clone(), old)));
            }
        }
        What::Load { workloads, load } => {
            for id in workloads {
                undo.push(Undo::Load(id.clone(), world.loads.insert(id.clone(), *load)));
            }
        }
        What::Crash(ids) => fault(world, index, ids, FaultKind::Crash),
        What::OutOfMemory(ids) => fault(world, index, ids, FaultKind::OutOfMemory),
        What::NotReady(ids) => fault(world, index, ids, FaultKind::NotReady),
        What::Probe { probe, workloads } => {
            fault(world, index, workloads, |id| FaultKind::Probe(*probe, id));
        }
        What::Registry(host) => {
            world.faults.push(Fault { incident: index, since, what: FaultKind::Registry(host.clone()) });
        }
        What::Budget(ids) => undo.extend(ids.iter().map(|id| block(world, id))),
        _ => {}
    }
    undo
}

/// What goes wrong with nodes, and what puts it right.
fn begin_at_nodes(world: &mut World, index: usize, what: &What) -> Vec<Undo> {
    match what {
        What::NodesSilent { pool, zone, count } => {
            let chosen = choose(world, pool.as_deref(), zone.as_deref(), *count);
            chosen.iter().for_each(|node| silence(world, node));
            vec![Undo::Nodes(chosen)]
        }
        What::Spot { pool, count } => {
            for node in choose(world, Some(pool), None, *count) {
                interrupt(world, &node);
            }
            Vec::new()
        }
        What::Cordon { pool, count } => {
            let chosen = choose(world, pool.as_deref(), None, *count);
            for node in &chosen {
                world.store.update(Res::Nodes, "", node, |n| set(n, "spec.unschedulable", true));
            }
            vec![Undo::Uncordon(chosen)]
        }
        What::Pressure { of, pool, zone, count } => {
            let chosen = choose(world, pool.as_deref(), zone.as_deref(), *count);
            chosen.iter().for_each(|node| pressure::begin(world, node, *of));
            vec![Undo::Pressure(chosen, *of)]
        }
        What::Capacity { pool, zone } => {
            world.shortages.push(Shortage { incident: index, pool: pool.clone(), zone: zone.clone() });
            vec![Undo::Capacity]
        }
        _ => Vec::new(),
    }
}

/// What goes wrong with the server or the way to it, and what puts it right.
fn begin_at_server(world: &mut World, index: usize, what: &What) -> Undo {
    match what {
        What::EtcdFull => {
            world.full = true;
            Undo::Full
        }
        What::Fault(file) => {
            faults::state::switch_on(world, Some(index), file);
            Undo::Fault
        }
        What::Deny { res, namespace } => {
            deny(world, *res, namespace.clone());
            Undo::Allow(*res, namespace.clone())
        }
        What::Refusing => {
            world.reach = Reach::Refusing;
            Undo::Reach
        }
        _ => {
            world.reach = Reach::Silent;
            Undo::Reach
        }
    }
}

fn end(world: &mut World, index: usize) {
    let faults = world.faults.iter().filter(|f| f.incident == index).cloned().collect::<Vec<_>>();
    world.faults.retain(|f| f.incident != index);
    let (mine, rest): (Vec<_>, Vec<_>) =
        std::mem::take(&mut world.undo).into_iter().partition(|(i, _)| *i == index);
    world.undo = rest;
    for (_, undo) in mine {
        match undo {
            Undo::Image(id, image) => {
                let bad = |image: &str| faults.iter().any(|f| f.what == FaultKind::Image(image.to_owned()));
                // somebody may have rolled back already
                let now = world
                    .store
                    .get(Res::Deployments, &id.namespace, &id.name)
                    .map(|d| first_image(d).to_owned());
                if now.is_some_and(|i| bad(&i)) {
                    set_image(world, &id, &image);
                }
            }
            Undo::Load(id, Some(load)) => drop(world.loads.insert(id, load)),
            Undo::Load(id, None) => drop(world.loads.remove(&id)),
            Undo::Nodes(nodes) => nodes.iter().for_each(|n| revive(world, n)),
            Undo::Uncordon(nodes) => {
                for node in nodes {
                    world.store.update(Res::Nodes, "", &node, |n| fields::unset(n, "spec.unschedulable"));
                }
            }
            Undo::Rollout(id, image) => drop(set_image(world, &id, &image)),
            Undo::Budget(id, spec) => unblock(world, &id, spec),
            Undo::Pressure(nodes, of) => nodes.iter().for_each(|n| pressure::end(world, n, of)),
            Undo::Capacity => world.shortages.retain(|s| s.incident != index),
            Undo::Full => world.full = false,
            Undo::Fault => {
                faults::state::switch_off(world, |a| a.incident == Some(index));
            }
            Undo::Allow(res, namespace) => allow(world, res, namespace.as_deref()),
            Undo::Reach => world.reach = Reach::Open,
        }
    }
    for fault in faults {
        match fault.what {
            FaultKind::Crash(id)
            | FaultKind::OutOfMemory(id)
            | FaultKind::NotReady(id)
            | FaultKind::Probe(_, id) => wake(world, &id),
            FaultKind::Image(_) | FaultKind::Registry(_) => {}
        }
    }
}

fn fault(world: &mut World, incident: usize, ids: &[Id], kind: impl Fn(Id) -> FaultKind) {
    let since = world.now;
    for id in ids {
        world.faults.push(Fault { incident, since, what: kind(id.clone()) });
        wake(world, id);
    }
}

/// Lets the kubelets look at a workload's pods now.
fn wake(world: &mut World, workload: &Id) {
    let pods: Vec<Id> = world
        .store
        .list(Res::Pods, Some(&workload.namespace))
        .filter(|p| fields::label(p, "app") == workload.name)
        .map(|p| Id::of(p))
        .collect();
    for id in pods {
        world.queue.add(Work::Pod(id), world.now);
    }
}

fn first_image(workload: &crate::sim::json::Value) -> &str {
    list(workload, "spec.template.spec.containers").first().map_or("", |c| text(c, "image"))
}

/// Sets the first image of a workload; says what it was.
fn set_image(world: &mut World, id: &Id, image: &str) -> Option<String> {
    let kinds = [Res::Deployments, Res::StatefulSets, Res::DaemonSets];
    let there = |res: &Res| world.store.get(*res, &id.namespace, &id.name).is_some();
    let res = kinds.into_iter().find(there)?;
    let old = first_image(world.store.get(res, &id.namespace, &id.name)?).to_owned();
    world.store.update(res, &id.namespace, &id.name, |d| {
        if let Some(c) = d.pointer_mut("/spec/template/spec/containers/0") {
            set(c, "image", image);
        }
    });
    Some(old)
}

/// Nodes of a pool and zone, the same ones every time.
fn choose(world: &World, pool: Option<&str>, zone: Option<&str>, count: usize) -> Vec<String> {
    let members: Vec<String> = match pool {
        Some(pool) => {
            let index = world.pools.iter().position(|p| p.name == pool);
            index.map_or_else(Vec::new, |i| pools::members(world, i))
        }
        None => world.cache.nodes.keys().cloned().collect(),
    };
    let in_zone = |n: &String| {
        let here = world.cache.nodes.get(n).map_or("", |v| v.label("topology.kubernetes.io/zone"));
        zone.is_none_or(|z| z == here)
    };
    members.into_iter().filter(in_zone).take(count).collect()
}

/// A kubelet stops speaking.
pub(crate) fn silence(world: &mut World, node: &str) {
    world.dead.insert(node.to_owned());
    let at = world.now + world.timing.node_grace;
    world.queue.add(Work::Node(node.to_owned()), at);
}

/// A kubelet speaks again.
pub(crate) fn revive(world: &mut World, node: &str) {
    world.dead.remove(node);
    let now = world.now;
    world.queue.add(Work::Heartbeat(node.to_owned()), now);
    for id in world.cache.pods_on(node) {
        world.queue.add(Work::Pod(id), now);
    }
}

/// A spot machine is taken back.
fn interrupt(world: &mut World, node: &str) {
    let Some(object) = world.store.get(Res::Nodes, "", node).cloned() else { return };
    let end = world.now + NOTICE_OF_END;
    world.doomed.insert(node.to_owned(), end);
    let claim = karpenter::of_node(world, node);
    match (&claim, world.provider) {
        (Some(claim), _) => {
            for about in [&object, claim] {
                let kind = text(about, "kind");
                let said = Said::warning(
                    karpenter::COMPONENT,
                    "SpotInterrupted",
                    format!("Spot interruption warning was triggered for the {kind}"),
                );
                record(world, about, &said);
            }
            nodes::add_taint(world, node, "karpenter.sh/disrupted", "NoSchedule");
        }
        (None, Provider::Aks) => {
            let said = Said::warning(
                "custom-plugin-monitor",
                "PreemptScheduled",
                "Preempt Scheduled: VM will be preempted",
            );
            record(world, &object, &said);
            nodes::add_taint(world, node, "ToBeDeletedByClusterAutoscaler", "NoSchedule");
        }
        (None, Provider::Eks) => {
            let said = Said::warning(
                "aws-node-termination-handler",
                "SpotInterruption",
                "Spot ITN received. Instance will be interrupted",
            );
            record(world, &object, &said);
            nodes::add_taint(world, node, "aws-node-termination-handler/spot-itn", "NoSchedule");
        }
        (None, _) => {
            nodes::add_taint(world, node, "cloud.google.com/impending-node-termination", "NoSchedule")
        }
    }
    world.queue.add(Work::Leave(node.to_owned()), world.now + Span::from_millis(500));
    pods::retry_waiting(world);
}

/// The budget of a workload allows no disruption any more; one that had none gets one.
fn block(world: &mut World, id: &Id) -> Undo {
    let budget = world.store.get(Res::Budgets, &id.namespace, &id.name).cloned();
    let none = json!(0);
    match budget {
        Some(budget) => {
            world.store.update(Res::Budgets, &id.namespace, &id.name, |b| {
                fields::unset(b, "spec.minAvailable");
                set(b, "spec.maxUnavailable", none);
            });
            Undo::Budget(id.clone(), Some(budget["spec"].clone()))
        }
        None => {
            let mut budget = json!({
                "metadata": { "name": id.name, "namespace": id.namespace },
                "spec": { "maxUnavailable": 0, "selector": { "matchLabels": { "app": id.name } } },
            });
            crate::sim::admission::admit(world, Res::Budgets, &mut budget);
            let now = world.now;
            // a workload of a scenario is there, and so is its namespace
            let _ = world.store.create(Res::Budgets, budget, now);
            Undo::Budget(id.clone(), None)
        }
    }
}

fn unblock(world: &mut World, id: &Id, spec: Option<Value>) {
    match spec {
        Some(spec) => {
            world.store.update(Res::Budgets, &id.namespace, &id.name, |b| set(b, "spec", spec));
        }
        None => {
            if let Some(budget) = world.store.get(Res::Budgets, &id.namespace, &id.name).cloned() {
                world.store.remove(Res::Budgets, &budget);
            }
        }
    }
}

/// Nobody may read this any more; open watches of it end.
pub(crate) fn deny(world: &mut World, res: Res, namespace: Option<String>) {
    world.denied.push((res, namespace));
    world.cut(res);
}

/// This may be read again.
pub(crate) fn allow(world: &mut World, res: Res, namespace: Option<&str>) {
    world.denied.retain(|(r, n)| *r != res || n.as_deref() != namespace);
}
