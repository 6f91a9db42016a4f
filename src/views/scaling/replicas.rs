//! Signals of replicas: what autoscalers and people ask for, and when it serves.

use super::cash::allocated;
use super::{autoscalers, scaler_cause, scaler_name};
use crate::model::{
    Autoscaler, Cluster, Direction, Happening, ObjectKey, Record, Signal, Span, Text, Time, Tone, Workload,
};
use crate::views::Observer;

/// The observer of autoscalers and workloads.
pub(super) struct Replicas;

/// The reason of the signal that all replicas of a scaled workload serve.
pub(super) const SERVING: &str = "Serving";

/// For how long after a change its replicas may take to serve and still be its.
const SERVES_WITHIN: Span = Span::from_seconds(1800);

impl Observer for Replicas {
    fn observe(
        &self,
        cluster: &Cluster,
        before: Option<&Record>,
        after: Option<&Record>,
        at: Time,
        signals: &mut Vec<Signal>,
    ) {
        match (before, after) {
            (Some(Record::Autoscaler(old)), Some(Record::Autoscaler(new))) => {
                signals.extend(scaled(cluster, old, new, after, at));
            }
            (Some(Record::Workload(old)), Some(Record::Workload(new))) if new.kind.is_workload() => {
                signals.extend(resized(cluster, old, new, after, at));
                signals.extend(serves(cluster, old, new, after, at));
            }
            _ => {}
        }
    }
}

fn signal(cluster: &Cluster, record: Option<&Record>, at: Time, what: Text) -> Signal {
    let object: Option<ObjectKey> = record.map(|r| r.key(cluster.id));
    Signal {
        at,
        cluster: cluster.id,
        happening: Happening::Replicas,
        direction: Direction::Held,
        tone: Tone::Ok,
        what,
        namespace: object.as_ref().map(|o| o.namespace.clone()).unwrap_or_default(),
        object,
        from: None,
        to: None,
        cause: Text::EMPTY,
        cost: None,
        lead: None,
    }
}

fn direction(from: u32, to: u32) -> Direction {
    match from.cmp(&to) {
        std::cmp::Ordering::Less => Direction::More,
        std::cmp::Ordering::Greater => Direction::Less,
        std::cmp::Ordering::Equal => Direction::Held,
    }
}

fn scaled(
    cluster: &Cluster,
    old: &Autoscaler,
    new: &Autoscaler,
    record: Option<&Record>,
    at: Time,
) -> Option<Signal> {
    let held = new.at_ceiling() && !old.at_ceiling();
    // A status that was never written is zero: its first value is no change. And where somebody set
    // its workload to zero the autoscaler is off, and wants zero too.
    let off = new.desired == 0 && new.min > 0;
    let moved = old.desired != new.desired && old.desired > 0 && !off;
    if !held && !moved {
        return None;
    }
    let from = if moved { old.desired } else { new.desired };
    let at = new.last_scaled.filter(|t| moved && old.last_scaled != Some(*t) && *t <= at).unwrap_or(at);
    let delta = i64::from(new.desired) - i64::from(from);
    let target =
        cluster.workloads().find(|w| w.meta.namespace == new.meta.namespace && w.meta.name == new.target);
    Some(Signal {
        direction: direction(from, new.desired),
        tone: if new.at_ceiling() { Tone::Warn } else { Tone::Ok },
        from: Some(from),
        to: Some(new.desired),
        cause: scaler_cause(new).into(),
        cost: target.and_then(|w| allocated(cluster, w.requests, delta)),
        ..signal(cluster, record, at, scaler_name(new))
    })
}

/// Somebody changed what a workload wants. What its autoscaler does is told of the autoscaler.
fn resized(
    cluster: &Cluster,
    old: &Workload,
    new: &Workload,
    record: Option<&Record>,
    at: Time,
) -> Option<Signal> {
    // Daemon sets follow the nodes.
    if old.desired == new.desired || new.kind == crate::model::Kind::DaemonSet {
        return None;
    }
    let scales = |s: &Autoscaler| {
        s.meta.namespace == new.meta.namespace
            && s.target == new.meta.name
            && (s.min..=s.max).contains(&new.desired)
    };
    if autoscalers(cluster).any(scales) {
        return None;
    }
    let delta = i64::from(new.desired) - i64::from(old.desired);
    Some(Signal {
        direction: direction(old.desired, new.desired),
        from: Some(old.desired),
        to: Some(new.desired),
        cause: "replicas set".into(),
        cost: allocated(cluster, new.requests, delta),
        ..signal(cluster, record, at, new.meta.name.clone())
    })
}

/// All replicas serve after something was scaled up: the end of a story.
fn serves(
    cluster: &Cluster,
    old: &Workload,
    new: &Workload,
    record: Option<&Record>,
    at: Time,
) -> Option<Signal> {
    let done = new.desired > 0 && new.ready >= new.desired;
    if !done || (old.ready >= old.desired && old.desired == new.desired) {
        return None;
    }
    let recent = cluster.signals.iter().rev().take_while(|s| s.at.age(at) < SERVES_WITHIN);
    let steps = |s: &&std::sync::Arc<Signal>| match &s.happening {
        Happening::Replicas => true,
        Happening::Event(reason) => *reason == SERVING,
        Happening::Node { .. } => false,
    };
    let own =
        |s: &&std::sync::Arc<Signal>| s.namespace == new.meta.namespace && is_of(&s.what, &new.meta.name);
    let last = recent.filter(steps).find(own)?;
    if last.happening != Happening::Replicas || last.direction != Direction::More {
        return None;
    }
    Some(Signal {
        happening: Happening::Event(SERVING.into()),
        direction: Direction::More,
        to: Some(new.ready),
        cause: format!("{} of {} pods Ready", new.ready, new.desired).into(),
        lead: Some(last.at.age(at)),
        ..signal(cluster, record, at, new.meta.name.clone())
    })
}

/// Whether a signal's `what` (`checkout HPA`) is of the workload of that name.
pub(super) fn is_of(what: &str, workload: &str) -> bool {
    what.strip_prefix(workload).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}
