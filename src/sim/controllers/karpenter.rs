//! Karpenter's own objects: node claims, from launch to removal, and node pools, which it obeys.

mod drift;
mod pool;

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::events::{Said, record};
use super::pools::Order;
use super::scheduler::requirement;
use crate::sim::fields::{deleting, list, name, set, set_condition, text, uid};
use crate::sim::machines::KARPENTER;
use crate::sim::objects::Touched;
use crate::sim::queue::Work;
use crate::sim::resources::Res;
use crate::sim::world::World;

pub(super) const COMPONENT: &str = "karpenter";
const DISRUPTED: &str = "karpenter.sh/disrupted";

pub(super) use drift::drifted;
pub(super) use pool::{changed as pool_changed, may_disrupt, within_limits, write_status};

fn claim_object(world: &mut World, order: &Order) -> Option<Value> {
    let suffix = world.store.random().suffix(5);
    let pool = world.pools.get(order.pool)?;
    let object = world.store.get(Res::NodePools, "", &pool.name);
    let owner: Value = object.iter().map(|o| owner(o)).collect();
    let capacity = if pool.spot { "spot" } else { "on-demand" };
    let mut claim = json!({
        "metadata": {
            "name": format!("{}-{suffix}", pool.name), "finalizers": [KARPENTER], "ownerReferences": owner,
            "labels": {
                "karpenter.sh/nodepool": pool.name, "karpenter.sh/capacity-type": capacity,
                "node.kubernetes.io/instance-type": order.machine.name,
                "topology.kubernetes.io/zone": order.zone,
            },
        },
        "spec": { "nodeClassRef": { "group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default" }, "requirements": [
            { "key": "karpenter.sh/nodepool", "operator": "In", "values": [pool.name] },
            { "key": "node.kubernetes.io/instance-type", "operator": "In", "values": [order.machine.name] },
        ] },
        "status": {
            "capacity": machines_capacity(order), "allocatable": order.machine.allocatable(),
        },
    });
    if let Some(object) = object {
        drift::stamp(&mut claim, object);
    }
    Some(claim)
}

/// The pool of a claim owns it: what goes with the pool is drained first.
fn owner(pool: &Value) -> Value {
    json!({ "apiVersion": "karpenter.sh/v1", "kind": "NodePool", "name": name(pool), "uid": uid(pool), "blockOwnerDeletion": true })
}

fn machines_capacity(order: &Order) -> Value {
    let m = order.machine;
    json!({ "cpu": m.cpu.to_string(), "memory": format!("{}Gi", m.memory), "pods": "110" })
}

/// Asks for a machine: the claim is there at once, its node comes later.
pub(super) fn claim(world: &mut World, order: &mut Order, pods: &[Arc<Value>]) {
    let Some(claim) = claim_object(world, order) else { return };
    let now = world.now;
    let Ok(made) = world.store.create(Res::NodeClaims, claim, now) else { return };
    order.claim = Some(name(&made).to_owned());
    world.store.update(Res::NodeClaims, "", name(&made), |c| {
        set_condition(c, "Launched", "True", "Launched", "", now);
        set_condition(c, "Registered", "Unknown", "NodeNotFound", "Node not registered with cluster", now);
        set_condition(c, "Initialized", "Unknown", "NodeNotFound", "Node not registered with cluster", now);
        set_condition(c, "Ready", "Unknown", "ReconcilingDependents", "", now);
    });
    for pod in pods {
        let message = format!("Pod should schedule on: nodeclaim/{}", name(&made));
        record(world, pod, &Said::normal(COMPONENT, "Nominated", message));
    }
}

/// A claim that its provider has no machine for goes again, and says why.
pub(super) fn fail(world: &mut World, own: &str, why: &str) {
    let now = world.now;
    let message = format!("creating instance, insufficient capacity, with fleet error(s), {why}");
    let failed = world.store.update(Res::NodeClaims, "", own, |c| {
        set_condition(c, "Launched", "False", "InsufficientCapacity", &message, now);
    });
    let Some(claim) = failed else { return };
    let said =
        Said::warning(COMPONENT, "InsufficientCapacityError", format!("NodeClaim {own} event: {message}"));
    record(world, &claim, &said);
    let claim = world.store.delete(Res::NodeClaims, &claim, crate::sim::objects::Deletion::default(), now);
    world.store.update(Res::NodeClaims, "", name(&claim), |c| set(c, "metadata.finalizers", json!([])));
    world.absorb();
}

/// A node that somebody deletes is drained before it goes.
pub(super) fn node_is_to_go(world: &mut World, node: &Value) {
    if list(node, "metadata.finalizers").iter().any(|f| f == KARPENTER) {
        super::nodes::add_taint(world, name(node), DISRUPTED, "NoSchedule");
        world.queue.add(Work::Leave(name(node).to_owned()), world.now);
    }
}

/// The claim of a node that is there from the start.
pub(super) fn claim_of_node(world: &mut World, order: &Order) {
    let Some(claim) = claim_object(world, order) else { return };
    let made = world.store.create(Res::NodeClaims, claim, world.now).ok();
    let order = Order { claim: made.as_ref().map(|c| name(c).to_owned()), ..order.clone() };
    registered(world, &order);
}

/// The node of a claim has registered.
pub(super) fn registered(world: &mut World, order: &Order) {
    let Some(claim) = &order.claim else { return };
    let now = world.now;
    let node = world.store.get(Res::Nodes, "", &order.node).cloned();
    let provider = node.as_ref().map_or("", |n| text(n, "spec.providerID")).to_owned();
    world.store.update(Res::NodeClaims, "", claim, |c| {
        set(c, "status.nodeName", order.node.clone());
        set(c, "status.providerID", provider);
        for kind in ["Launched", "Registered", "Initialized", "Ready"] {
            set_condition(c, kind, "True", kind, "", now);
        }
    });
}

/// A claim that is being deleted takes its node with it.
pub(super) fn changed(world: &mut World, touched: &Touched, claim: &Value) {
    if touched.after.is_none() || !deleting(claim) {
        return;
    }
    let node = text(claim, "status.nodeName").to_owned();
    if node.is_empty() {
        // never arrived: nothing to drain
        world.orders.retain(|_, o| o.claim.as_deref() != Some(name(claim)));
        world.store.update(Res::NodeClaims, "", name(claim), |c| set(c, "metadata.finalizers", json!([])));
        return;
    }
    super::nodes::add_taint(world, &node, DISRUPTED, "NoSchedule");
    world.queue.add(Work::Leave(node), world.now);
}

/// The claim of a node.
pub(super) fn of_node(world: &World, node: &str) -> Option<Arc<Value>> {
    world.store.list(Res::NodeClaims, None).find(|c| text(c, "status.nodeName") == node).cloned()
}

/// A node is gone: its claim is let go.
pub(super) fn release(world: &mut World, node: &str) {
    let Some(claim) = of_node(world, node) else { return };
    let now = world.now;
    let claim = world.store.delete(Res::NodeClaims, &claim, crate::sim::objects::Deletion::default(), now);
    world.store.update(Res::NodeClaims, "", name(&claim), |c| set(c, "metadata.finalizers", json!([])));
}
