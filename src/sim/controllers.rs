//! What makes a simulated cluster move: controllers, each looking at one object at a time.
//!
//! A controller is a function over the world: it compares what is with what should be and makes
//! one step. Changes tell the controllers concerned ([`route`]); what takes time is queued for
//! when it is over. So a quiet cluster costs nothing, and a test can move time by hand.

mod addresses;
mod autoscaler;
mod balancers;
mod budget;
mod churn;
mod claims;
mod cron_job;
mod daemon_set;
mod deployment;
mod endpoints;
mod events;
mod garbage;
mod incidents;
mod job;
mod karpenter;
mod keda;
mod kubelet;
mod nodes;
mod pods;
mod pools;
mod pressure;
mod programs;
mod replica_set;
mod revisions;
mod schedule;
mod scheduler;
mod shrink;
mod stateful_set;

pub(crate) use autoscaler::Memory;
pub(crate) use churn::{Churn, churn};
pub(crate) use claims::{CLAIM_PROTECTION, VOLUME_PROTECTION};
pub(crate) use garbage::{FOREGROUND, ORPHAN, hold, let_go};
pub(crate) use incidents::{Undo, allow, begin_all, deny, revive, silence};
pub(crate) use job::Ended;
pub(crate) use keda::{definition as scaled_objects, slot as scaled_slot};
pub(crate) use kubelet::{Probe, RUNS, Remembered};
pub(crate) use pools::{Backoff, Shortage};
pub(crate) use pools::{Manner, Order, Pool, order, pool_usable};
pub(crate) use programs::end_container;
pub(crate) use schedule::Schedule;
pub(crate) use scheduler::{repels, tolerate};

use std::sync::Arc;

use crate::sim::json::Value;

use super::fields::{at, controller, deleting, int, text, uid};
use super::objects::Touched;
use super::queue::{Id, Work};
use super::resources::Res;
use super::world::World;
use crate::model::Span;

/// How long controllers take to notice; changes that come close together are seen as one.
const NOTICE: Span = Span::from_millis(20);

/// How long a provider takes to make a load balancer.
const BALANCER: Span = Span::from_seconds(4);

/// Starts what runs by the clock rather than by changes.
pub(crate) fn start(world: &mut World) {
    let now = world.now;
    world.queue.add(Work::Events, now + Span::from_seconds(60));
    world.queue.add(Work::Pools, now + world.timing.scan);
    for (res, work) in [
        (Res::Autoscalers, Work::Autoscaler as fn(Id) -> Work),
        (Res::CronJobs, Work::CronJob),
        (Res::Budgets, Work::Budget),
    ] {
        let all: Vec<Id> = world.store.list(res, None).map(|o| Id::of(o)).collect();
        for id in all {
            // spread out, as they would be had they been made at different times
            let at = now + Span::from_millis(world.store.random().below(5_000) as i64);
            world.queue.add(work(id), at);
        }
    }
    for id in keda::all(world) {
        world.queue.add(Work::Scaled(id), now + Span::from_seconds(1));
    }
    karpenter::write_status(world);
    let all: Vec<Arc<Value>> = world.store.list(Res::Nodes, None).cloned().collect();
    all.iter().for_each(|node| nodes::report(world, node, now));
    let nodes: Vec<String> = world.cache.nodes.keys().cloned().collect();
    let beat = world.timing.heartbeat.millis().max(1) as u64;
    for node in nodes {
        // spread out, so that not all nodes write at once
        let at = now + Span::from_millis(world.store.random().below(beat) as i64);
        world.queue.add(Work::Heartbeat(node), at);
    }
}

/// Makes a pod that nothing keeps.
pub(crate) fn place_pod(world: &mut World, pod: Value) {
    // a scenario has no quota yet when it makes its pods
    let _ = pods::create(world, pod);
}

/// Does one item of work.
pub(crate) fn work(world: &mut World, work: Work) {
    match work {
        Work::Deployment(id) => deployment::reconcile(world, &id),
        Work::ReplicaSet(id) => replica_set::reconcile(world, &id),
        Work::StatefulSet(id) => stateful_set::reconcile(world, &id),
        Work::DaemonSet(id) => daemon_set::reconcile(world, &id),
        Work::Job(id) => job::reconcile(world, &id),
        Work::CronJob(id) => cron_job::reconcile(world, &id),
        Work::Claim(id) => claims::reconcile(world, &id),
        Work::Volume(name) => claims::volume(world, &name),
        Work::Schedule(id) => scheduler::reconcile(world, &id),
        Work::Pod(id) => kubelet::reconcile(world, &id),
        Work::Heartbeat(node) => nodes::heartbeat(world, &node),
        Work::Node(node) => nodes::reconcile(world, &node),
        Work::Autoscaler(id) => autoscaler::reconcile(world, &id),
        Work::Scaled(id) => keda::reconcile(world, &id),
        Work::Budget(id) => budget::reconcile(world, &id),
        Work::Namespace(name) => garbage::namespace(world, &name),
        Work::Authority(namespace) => world.publish_authority(&namespace),
        Work::Endpoints(id) => endpoints::reconcile(world, &id),
        Work::Balancer(id) => balancers::reconcile(world, &id),
        Work::Collect(slot, id) => garbage::collect(world, slot, &id),
        Work::Orphans(owner) => garbage::orphans(world, &owner),
        Work::Pools => pools::reconcile(world),
        Work::Machine(order) => pools::arrive(world, order),
        Work::Leave(node) => shrink::leave(world, &node),
        Work::Quota(space) => {
            let all: Vec<String> = world
                .store
                .list(Res::Quotas, Some(&space))
                .map(|q| super::fields::name(q).to_owned())
                .collect();
            for quota in all {
                super::quota::count(world, &space, &quota);
            }
        }
        Work::Events => events::expire(world),
        Work::Churn => churn::turn(world),
        Work::Incident(index, begins) => incidents::turn(world, index, begins),
    }
}

/// Tells the controllers concerned that an object changed.
pub(crate) fn route(world: &mut World, touched: &Touched) {
    let object = match (&touched.after, &touched.before) {
        (Some(object), _) | (None, Some(object)) => object.clone(),
        (None, None) => return,
    };
    let soon = world.now + NOTICE;
    let id = Id::of(&object);
    match touched.slot.built_in() {
        Some(Res::Deployments) => world.queue.add(Work::Deployment(id), soon),
        Some(Res::ReplicaSets) => world.queue.add(Work::ReplicaSet(id), soon),
        Some(Res::StatefulSets) => world.queue.add(Work::StatefulSet(id), soon),
        Some(Res::DaemonSets) => world.queue.add(Work::DaemonSet(id), soon),
        Some(Res::Jobs) => world.queue.add(Work::Job(id), soon),
        Some(Res::CronJobs) => world.queue.add(Work::CronJob(id), soon),
        Some(Res::Budgets) => world.queue.add(Work::Budget(id), soon),
        Some(Res::Autoscalers) => {
            let spec = |o: &Option<std::sync::Arc<Value>>| o.as_ref().map(|o| at(o, "spec").clone());
            if spec(&touched.before) != spec(&touched.after) {
                world.queue.add(Work::Autoscaler(id), soon);
            }
        }
        Some(Res::Namespaces) if touched.before.is_none() => garbage::account(world, &id.name),
        Some(Res::Namespaces) if deleting(&object) => world.queue.add(Work::Namespace(id.name), soon),
        Some(Res::Pods) => pods::changed(world, touched, &object),
        Some(Res::Nodes) => nodes::changed(world, touched, &object),
        Some(Res::Volumes) if touched.after.is_some() => world.queue.add(Work::Volume(id.name), soon),
        Some(Res::Claims) if !world.instant => world.queue.add(Work::Claim(id), soon),
        Some(Res::Services) => {
            addresses::follow(world, touched);
            if touched.after.is_some() && balancers::concerned(&object) {
                world.queue.add(Work::Balancer(id.clone()), world.now + BALANCER);
            }
            world.queue.add(Work::Endpoints(id), soon);
        }
        Some(Res::Quotas) => world.queue.add(Work::Quota(id.namespace), soon),
        Some(Res::NodeClaims) => karpenter::changed(world, touched, &object),
        Some(Res::NodePools) => karpenter::pool_changed(world, touched),
        None => keda::changed(world, touched, &object),
        _ => {}
    }
    if touched.slot != Res::Pods {
        tell_owner(world, &object);
    }
    if garbage::waits(&object) && touched.after.is_some() {
        world.queue.add(Work::Collect(touched.slot, Id::of(&object)), soon);
    }
    if touched.after.is_none() && world.cache.owns(&object) {
        world.queue.add(Work::Orphans(uid(&object).to_owned()), soon);
    }
    if touched.before.is_none() {
        garbage::disowned(world, &object);
    }
}

/// Tells the controller of an object's owner.
fn tell_owner(world: &mut World, object: &Value) {
    let Some(owner) = controller(object) else { return };
    let id = Id::new(super::fields::namespace(object), text(owner, "name"));
    let work = match text(owner, "kind") {
        "Deployment" => Work::Deployment(id),
        "ReplicaSet" => Work::ReplicaSet(id),
        "StatefulSet" => Work::StatefulSet(id),
        "DaemonSet" => Work::DaemonSet(id),
        "Job" => Work::Job(id),
        "CronJob" => Work::CronJob(id),
        _ => return,
    };
    world.queue.add(work, world.now + NOTICE);
}

/// The generation of an object's spec.
fn generation(object: &Value) -> i64 {
    int(object, "metadata.generation")
}
