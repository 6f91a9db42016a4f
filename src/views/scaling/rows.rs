//! Signals become rows.

mod nodes;

pub(super) use nodes::machines;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use super::cash::{Cash, Kind};
use super::events::{RESCALES, Shown, interrupts, shown};
use super::flaps::{Flap, flaps};
use super::replicas::{SERVING, is_of};
use super::since;
use crate::model::{
    Cluster, ClusterId, Direction, Happening, NodeChange, ObjectKey, Signal, Span, Text, Time, Tone,
};
use crate::views::{RowId, Scope, Snapshot};

/// Nodes of a pool that come or go within this time are one event.
const TOGETHER: Span = Span::from_seconds(120);

/// Nodes that move within this time of replicas moved for them, and events of what was observed.
pub(super) const FOLLOWS: Span = Span::from_seconds(600);

/// How long before nodes come the wish for them is looked for.
const WISH: Span = Span::from_seconds(300);

/// More rows than this in a minute fold by object.
const CROWD: usize = 200;

/// A row of the pane.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub at: Time,
    pub cluster: ClusterId,
    pub place: Text,
    pub direction: Direction,
    pub tone: Tone,
    pub what: Text,
    pub from: Option<u32>,
    pub to: Option<u32>,
    pub cause: Text,
    pub cash: Cash,
    pub lead: Option<Span>,
    pub objects: Vec<ObjectKey>,
    /// How many signals are in it.
    pub count: usize,
    /// What happened to nodes: `added`, `removed`, `lost`, `back`, `swapped`.
    pub nodes: Option<&'static str>,
    /// When the last of it happened.
    pub last: Time,
}

impl Row {
    /// What the cursor holds on to.
    pub(super) fn id(&self) -> RowId {
        let mut hasher = rustc_hash::FxHasher::default();
        (&self.what, self.direction, self.nodes).hash(&mut hasher);
        let bytes = hasher.finish().to_le_bytes();
        RowId::Signal(self.at, self.cluster, u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]))
    }
}

impl Row {
    /// Takes in another telling of the same.
    fn repeat(&mut self, signal: &Signal) {
        self.count += 1;
        self.last = signal.at;
        self.cause = signal.cause.clone();
    }

    /// Says in the cause how often it was told.
    fn said_often(mut self) -> Row {
        if self.count > 1 {
            self.cause = format!("{}× until {}: {}", self.count, self.last.clock(), self.cause).into();
        }
        self
    }
}

/// `nodes general`, or `nodes` when nothing names the pool.
pub(super) fn pool_name(pool: &str) -> String {
    if pool.is_empty() { "nodes".to_owned() } else { format!("nodes {pool}") }
}

/// The rows of the last `window`, newest first.
pub(super) fn rows(snapshot: &Snapshot, scope: &Scope, now: Time, window: Span) -> Vec<Row> {
    let clusters = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c));
    let mut rows: Vec<Row> = clusters.flat_map(|c| of_cluster(c, scope, now, window)).collect();
    rows.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| (a.cluster, &a.what).cmp(&(b.cluster, &b.what))));
    crowded(rows)
}

/// What the bill changed by: nodes only, so that nothing counts twice.
pub(super) fn cash(rows: &[Row]) -> Cash {
    rows.iter().filter(|r| r.nodes.is_some()).map(|r| r.cash).fold(Cash::default(), Cash::and)
}

fn of_cluster(cluster: &Cluster, scope: &Scope, now: Time, window: Span) -> Vec<Row> {
    let from = now - window;
    // Causes and pairs may lie a little before the window.
    let signals: Vec<&Signal> = since(cluster, scope, from - FOLLOWS).collect();
    let story = Story { cluster, signals: &signals };
    let mut rows = story.node_rows();
    story.swap(&mut rows);
    let flaps = flaps(cluster, scope, now);
    rows.extend(story.replica_rows(&flaps));
    rows.extend(story.event_rows());
    rows.retain(|row| row.at >= from);
    rows
}

struct Story<'a> {
    cluster: &'a Cluster,
    signals: &'a [&'a Signal],
}

fn change(signal: &Signal) -> Option<(NodeChange, &Text)> {
    match &signal.happening {
        Happening::Node { change, pool, .. } => Some((*change, pool)),
        _ => None,
    }
}

fn told(signal: &Signal) -> Option<&str> {
    match &signal.happening {
        Happening::Event(reason) => Some(reason.as_str()),
        _ => None,
    }
}

fn within(at: Time, from: Time, to: Time) -> bool {
    from <= at && at <= to
}

impl<'a> Story<'a> {
    fn row(&self, signal: &Signal) -> Row {
        let mut cash = Cash::default();
        cash.add(signal.cost);
        Row {
            at: signal.at,
            cluster: signal.cluster,
            place: self.cluster.info.name.clone(),
            direction: signal.direction,
            tone: signal.tone,
            what: signal.what.clone(),
            from: signal.from,
            to: signal.to,
            cause: signal.cause.clone(),
            cash,
            lead: signal.lead,
            objects: signal.object.iter().cloned().collect(),
            count: 1,
            nodes: None,
            last: signal.at,
        }
    }

    fn replica_rows(&self, flaps: &[Flap]) -> Vec<Row> {
        let own = self.signals.iter().filter(|s| s.happening == Happening::Replicas);
        own.map(|signal| self.replica_row(signal, flaps)).collect()
    }

    fn replica_row(&self, signal: &Signal, flaps: &[Flap]) -> Row {
        let mut row = self.row(signal);
        let moved = |s: &&&Signal| {
            let fits = match change(s) {
                Some((NodeChange::Added, _)) => signal.direction == Direction::More,
                Some((NodeChange::Removed, _)) => signal.direction == Direction::Less,
                _ => false,
            };
            fits && within(s.at, signal.at, signal.at + FOLLOWS)
        };
        row.cash.kind = match signal.direction {
            Direction::Held => Kind::None,
            _ if self.signals.iter().any(|s| moved(&s)) => Kind::Share,
            _ => Kind::Absorbed,
        };
        row.lead = self.serving_after(signal);
        // The workload was seen to change before its autoscaler was: who did it is known all the same.
        if let Some(rescale) = self.rescale_of(signal).filter(|rescale| rescale.what != signal.what) {
            row.what = rescale.what.clone();
            row.cause = rescale.cause.clone();
        }
        if let Some(flap) =
            flaps.iter().find(|f| Some(&f.object) == signal.object.as_ref() && signal.at >= f.since)
        {
            row.tone = row.tone.max(Tone::Warn);
            let cause = if row.cause.is_empty() { String::new() } else { format!("{}; ", row.cause) };
            row.cause = format!("{cause}flaps, {} in 30 min", flap.times).into();
        }
        row
    }

    /// How long until all of what was asked for served.
    fn serving_after(&self, signal: &Signal) -> Option<Span> {
        let later = self.signals.iter().filter(|s| s.at >= signal.at && s.namespace == signal.namespace);
        let serves = |s: &&&Signal| told(s) == Some(SERVING) && is_of(&signal.what, &s.what);
        let first = later.clone().find(serves)?;
        // What was scaled again meanwhile has another end.
        let again = later.filter(|s| s.happening == Happening::Replicas && s.what == signal.what);
        let again = again.filter(|s| s.at > signal.at && s.direction != Direction::Held).map(|s| s.at).min();
        let own = signal.direction == Direction::More && again.is_none_or(|again| again > first.at);
        own.then(|| signal.at.age(first.at))
    }

    fn event_rows(&self) -> Vec<Row> {
        let events = self.signals.iter().filter(|s| {
            told(s).is_some_and(|reason| match shown(reason) {
                Shown::Row => true,
                Shown::Unless => !self.observed(s),
                Shown::Story => false,
            })
        });
        let mut rows: Vec<Row> = Vec::new();
        let mut told_before: BTreeMap<(&Text, &str), usize> = BTreeMap::new();
        for signal in events.copied() {
            // What a controller says again and again without a number is one trouble that lasts.
            let key = (&signal.what, told(signal).unwrap_or_default());
            match told_before.get(&key).and_then(|place| rows.get_mut(*place)) {
                Some(row) if signal.to.is_none() => row.repeat(signal),
                _ => {
                    told_before.insert(key, rows.len());
                    rows.push(self.event_row(signal));
                }
            }
        }
        rows.into_iter().map(Row::said_often).collect()
    }

    fn event_row(&self, signal: &Signal) -> Row {
        let mut row = Row { cash: Cash::NONE, ..self.row(signal) };
        // A rescale says its new size only.
        if row.from.is_none() && row.to.is_some() {
            row.from = self.size_before(signal);
            if let (Some(from), Some(to)) = (row.from, row.to) {
                row.direction = if to < from { Direction::Less } else { Direction::More };
            }
        }
        row
    }

    /// From how many replicas a rescale went: the deployment tells of the same change with both
    /// sizes, else the one before says where it ended.
    fn size_before(&self, rescale: &Signal) -> Option<u32> {
        let twin = |s: &&&Signal| {
            told(s) == Some("ScalingReplicaSet")
                && s.namespace == rescale.namespace
                && is_of(&rescale.what, &s.what)
                && s.to == rescale.to
                && within(s.at, rescale.at - TOGETHER, rescale.at + TOGETHER)
        };
        if let Some(from) = self.signals.iter().filter(twin).find_map(|s| s.from) {
            return Some(from);
        }
        let same = |s: &&&Signal| s.namespace == rescale.namespace && s.what == rescale.what;
        let before = self.signals.iter().filter(|s| s.at < rescale.at).filter(same);
        before.filter_map(|s| s.to).next_back()
    }

    /// The autoscaler's own words for a change that was seen on its workload.
    fn rescale_of(&self, change: &Signal) -> Option<&Signal> {
        let told_of = |s: &&&Signal| {
            told(s).is_some_and(|reason| RESCALES.contains(&reason))
                && s.namespace == change.namespace
                && s.to == change.to
                && is_of(&s.what, &change.what)
                && within(s.at, change.at - TOGETHER, change.at + TOGETHER)
        };
        self.signals.iter().find(told_of).copied()
    }

    /// Whether what an event tells of was observed itself.
    fn observed(&self, event: &Signal) -> bool {
        let of_replicas = told(event).is_some_and(|reason| RESCALES.contains(&reason));
        self.signals.iter().any(|s| {
            let near = within(s.at, event.at - TOGETHER, event.at + FOLLOWS);
            match (&s.happening, event.direction) {
                (Happening::Replicas, _) => {
                    near && s.namespace == event.namespace && is_of(&event.what, &s.what) && s.to == event.to
                }
                // Nodes that came for replicas are another thing than the replicas.
                _ if of_replicas => false,
                (Happening::Node { change: NodeChange::Added, .. }, Direction::More) => near,
                (
                    Happening::Node { change: NodeChange::Removed, .. },
                    Direction::Less | Direction::Swapped,
                ) => near,
                _ => false,
            }
        })
    }
}

/// The workload's name in a pod's: without the hash and the suffix, or without the ordinal.
pub(super) fn workload_name(pod: &str) -> &str {
    let Some((rest, last)) = pod.rsplit_once('-') else { return pod };
    if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) {
        return rest;
    }
    rest.rsplit_once('-').map_or(rest, |(name, _)| name)
}

/// Minutes with very many rows fold by object: `imgproc KEDA ×212`.
fn crowded(rows: Vec<Row>) -> Vec<Row> {
    let minute = |row: &Row| row.at.millis().div_euclid(60_000);
    let mut out: Vec<Row> = Vec::with_capacity(rows.len());
    for group in rows.chunk_by(|a, b| minute(a) == minute(b)) {
        if group.len() <= CROWD {
            out.extend_from_slice(group);
            continue;
        }
        let mut order: Vec<Row> = Vec::new();
        let mut places: BTreeMap<(ClusterId, Text), usize> = BTreeMap::new();
        for row in group {
            match places.get(&(row.cluster, row.what.clone())) {
                Some(place) => {
                    let folded = &mut order[*place];
                    folded.count += row.count;
                    folded.from = row.from.or(folded.from);
                    folded.cash = folded.cash.and(row.cash);
                    folded.tone = folded.tone.max(row.tone);
                    folded.objects.extend(
                        row.objects
                            .iter()
                            .filter(|o| !folded.objects.contains(o))
                            .cloned()
                            .collect::<Vec<_>>(),
                    );
                }
                None => {
                    places.insert((row.cluster, row.what.clone()), order.len());
                    order.push(row.clone());
                }
            }
        }
        for row in &mut order {
            if row.count > 1 && row.nodes.is_none() {
                row.what = format!("{} ×{}", row.what, row.count).into();
            }
        }
        out.extend(order);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::workload_name;

    #[test]
    fn workloads_are_read_from_pod_names() {
        assert_eq!(workload_name("checkout-7d9f-x2kqp"), "checkout");
        assert_eq!(workload_name("orders-api-6c9f-9k2vt"), "orders-api");
        assert_eq!(workload_name("orders-db-2"), "orders-db");
        assert_eq!(workload_name("lonely"), "lonely");
    }
}
