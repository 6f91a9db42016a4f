//! Signals of nodes: they come, go, become ready and stop being ready.

use crate::model::{
    Capacity, Cluster, CostChange, Direction, Happening, Money, Node, NodeChange, Record, Signal, Span, Text,
    Time, Tone, Truth,
};
use crate::views::health::leaving;
use crate::views::{Observer, PriceOf};

/// The observer of nodes.
pub(super) struct Nodes {
    /// What nodes cost, at the moment when it happens.
    pub(super) price: PriceOf,
}

impl Observer for Nodes {
    fn observe(
        &self,
        cluster: &Cluster,
        before: Option<&Record>,
        after: Option<&Record>,
        at: Time,
        signals: &mut Vec<Signal>,
    ) {
        let (before, after) = (before.and_then(Record::node), after.and_then(Record::node));
        match (before, after) {
            (None, Some(node)) => signals.push(self.came(cluster, node, at)),
            (Some(node), None) => signals.push(self.went(cluster, node, at)),
            (Some(old), Some(new)) => signals.extend(self.turned(cluster, old, new, at)),
            (None, None) => {}
        }
    }
}

impl Nodes {
    fn came(&self, cluster: &Cluster, node: &Node, at: Time) -> Signal {
        let count = pool(cluster, node).count();
        // A node speaks of its own birth: after an outage it is found late.
        let born = node.meta.created.filter(|born| *born <= at).unwrap_or(at);
        let ready = node.ready_since.filter(|_| node.ready == Truth::True);
        Signal {
            cost: self.cost(cluster, node, false),
            lead: ready.map(|ready| born.age(ready)),
            ..signal(cluster, node, born, NodeChange::Added, (count, count + 1))
        }
    }

    fn went(&self, cluster: &Cluster, node: &Node, at: Time) -> Signal {
        let count = pool(cluster, node).count();
        let cost = self.cost(cluster, node, false).map(|c| CostChange { rate: -c.rate, ..c });
        Signal { cost, ..signal(cluster, node, at, NodeChange::Removed, (count, count.saturating_sub(1))) }
    }

    fn turned(&self, cluster: &Cluster, old: &Node, new: &Node, at: Time) -> Option<Signal> {
        let (was, is) = (old.ready == Truth::True, new.ready == Truth::True);
        if was == is {
            return None;
        }
        let since = new.ready_since.filter(|since| *since <= at).unwrap_or(at);
        let ready = pool(cluster, new).filter(|n| n.ready == Truth::True).count();
        if is {
            let born = new.meta.created.filter(|born| born.age(since) < FIRST_READY);
            let signal = signal(cluster, new, since, NodeChange::Ready, (ready, ready + 1));
            return Some(Signal { lead: born.map(|born| born.age(since)), ..signal });
        }
        // A node that is being taken away, or that somebody works on, is meant to stop.
        if leaving(new) || new.unschedulable {
            return None;
        }
        // It is paid for all the same.
        let cost = self.cost(cluster, new, true);
        let signal = signal(cluster, new, since, NodeChange::NotReady, (ready, ready.saturating_sub(1)));
        Some(Signal { tone: Tone::Crit, cause: new.ready_reason.clone(), cost, ..signal })
    }

    fn cost(&self, cluster: &Cluster, node: &Node, absorbed: bool) -> Option<CostChange> {
        let price = (self.price)(&cluster.info, node);
        let rate: Money = price.rate?;
        Some(CostChange { rate, approximate: price.basis.approximate(), absorbed })
    }
}

/// A node that gets ready this long after its birth did not boot: it recovered.
const FIRST_READY: Span = Span::from_seconds(1800);

fn pool<'a>(cluster: &'a Cluster, node: &'a Node) -> impl Iterator<Item = &'a Node> {
    cluster.nodes().filter(move |n| n.identity.pool == node.identity.pool)
}

fn signal(
    cluster: &Cluster,
    node: &Node,
    at: Time,
    change: NodeChange,
    (from, to): (usize, usize),
) -> Signal {
    let identity = &node.identity;
    let count = |n: usize| u32::try_from(n).ok();
    let spot = identity.capacity == Capacity::Spot;
    Signal {
        at,
        cluster: cluster.id,
        happening: Happening::Node {
            change,
            pool: identity.pool.clone(),
            machine: identity.instance_type.clone(),
            zone: identity.zone.clone(),
            spot,
        },
        direction: match change {
            NodeChange::Added | NodeChange::Ready => Direction::More,
            NodeChange::Removed => Direction::Less,
            NodeChange::NotReady => Direction::Held,
        },
        tone: Tone::Ok,
        what: super::rows::pool_name(&identity.pool).into(),
        object: Some(crate::model::ObjectKey {
            cluster: cluster.id,
            kind: crate::model::Kind::Node,
            namespace: Text::EMPTY,
            name: node.meta.name.clone(),
            uid: node.meta.uid,
        }),
        namespace: Text::EMPTY,
        from: count(from),
        to: count(to),
        cause: Text::EMPTY,
        cost: None,
        lead: None,
    }
}
