//! Providers run out of machines; whoever asked in vain asks elsewhere for a while.

use crate::model::{Provider, Span, Time};
use crate::sim::controllers::events::{Said, record};
use crate::sim::controllers::pools::{COMPONENT, Order, launch};
use crate::sim::controllers::{karpenter, pods};
use crate::sim::machines::Machine;
use crate::sim::world::World;

/// Where there are no machines.
#[derive(Clone, Debug)]
pub(crate) struct Shortage {
    /// The incident that made it.
    pub(crate) incident: usize,
    /// Of this pool; of every one if none is named.
    pub(crate) pool: Option<String>,
    /// In this zone; in all if none is named.
    pub(crate) zone: Option<String>,
}

/// What is not asked for again for a while.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    pool: usize,
    /// Type and zone; a group of Cluster Autoscaler is held back as a whole.
    offering: Option<(&'static str, String)>,
    until: Time,
    /// How long it lasts: the next one lasts twice as long.
    length: Span,
    /// Why, in the provider's words: a code and a message.
    why: (&'static str, String),
}

/// How long Karpenter takes a type in a zone to be unavailable (`UnavailableOfferingsTTL`).
const OFFERING: Span = Span::from_seconds(180);

/// How long Cluster Autoscaler leaves a group alone, at first and at most
/// (`--initial-node-group-backoff-duration`, `--max-node-group-backoff-duration`).
const GROUP: Span = Span::from_seconds(300);
const LONGEST: Span = Span::from_seconds(1800);

/// Whether the provider has no machine for a pool in a zone.
pub(super) fn short(world: &World, pool: usize, zone: &str) -> bool {
    let Some(pool) = world.pools.get(pool) else { return false };
    let meant = |named: &Option<String>, own: &str| named.as_deref().is_none_or(|n| n == own);
    world.shortages.iter().any(|s| meant(&s.pool, &pool.name) && meant(&s.zone, zone))
}

/// Whether a type of machine is not asked for in a zone now.
pub(super) fn held_back(world: &World, pool: usize, machine: &Machine, zone: &str) -> bool {
    world.backoffs.iter().any(|b| {
        let meant = b.offering.as_ref().is_none_or(|(name, z)| *name == machine.name && z == zone);
        b.pool == pool && meant && world.now < b.until
    })
}

/// Why a group of Cluster Autoscaler is held back, if it is: a code and a message.
pub(super) fn of_group(world: &World, pool: usize) -> Option<&(&'static str, String)> {
    let found = world.backoffs.iter().find(|b| b.pool == pool && b.offering.is_none() && world.now < b.until);
    found.map(|b| &b.why)
}

/// What a provider says that has no machine.
fn words(world: &World, order: &Order) -> (&'static str, String) {
    let (machine, zone) = (order.machine.name, &order.zone);
    match world.provider {
        Provider::Gke => (
            "GCE_STOCKOUT",
            format!(
                "GCE out of resources: the zone '{zone}' does not have enough resources available to fulfill the request"
            ),
        ),
        Provider::Aks => (
            "AllocationFailed",
            format!(
                "Allocation failed. We do not have sufficient capacity for the requested VM size {machine} in zone {zone}."
            ),
        ),
        _ => (
            "InsufficientInstanceCapacity",
            format!(
                "We currently do not have sufficient {machine} capacity in the Availability Zone you requested ({zone}). Our system will be working on provisioning additional capacity."
            ),
        ),
    }
}

/// An order that the provider cannot meet.
pub(super) fn fail(world: &mut World, order: &Order) {
    let now = world.now;
    let why = words(world, order);
    let waiting: Vec<_> = order.pods.iter().filter_map(|id| world.pod(id)).collect();
    let name = world.pools.get(order.pool).map_or(String::new(), |p| p.name.clone());
    // what is over for long is forgotten, so that the next time begins anew
    world.backoffs.retain(|b| now < b.until + b.length);
    if let Some(claim) = &order.claim {
        karpenter::fail(world, claim, &format!("{}: {}", why.0, why.1));
        let offering = Some((order.machine.name, order.zone.clone()));
        world.backoffs.retain(|b| b.pool != order.pool || b.offering != offering);
        world.backoffs.push(Backoff {
            pool: order.pool,
            offering,
            until: now + OFFERING,
            length: OFFERING,
            why,
        });
    } else {
        let message = format!(
            "Failed adding 1 nodes to group {name} due to OutOfResource.{}; source errors: {}",
            why.0, why.1
        );
        launch::tell(world, true, "ScaleUpFailed", message);
        for pod in &waiting {
            let message = format!(
                "Node scale up in zones {} associated with this pod failed: {}. Pod is at risk of not being scheduled.",
                order.zone, why.1
            );
            record(world, pod, &Said::warning(COMPONENT, "FailedScaleUp", message));
        }
        let before = world.backoffs.iter().find(|b| b.pool == order.pool && b.offering.is_none());
        let length = match before {
            // of several machines that fail together the first one counts
            Some(b) if now < b.until => b.length,
            Some(b) => Span::from_millis(b.length.millis() * 2).min(LONGEST),
            None => GROUP,
        };
        world.backoffs.retain(|b| b.pool != order.pool);
        world.backoffs.push(Backoff { pool: order.pool, offering: None, until: now + length, length, why });
    }
    pods::retry_waiting(world);
}
