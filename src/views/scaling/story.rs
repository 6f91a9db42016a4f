//! The story of a row: from the metric to the pod that serves, with the time of each leg.

use std::collections::BTreeSet;

use super::cash::{Cash, allocated};
use super::events::RESCALES;
use super::replicas::{SERVING, is_of};
use super::rows::{Row, machines, workload_name};
use super::{autoscalers, held_for, minutes, row_of, worst_metric};
use crate::model::{Autoscaler, Cluster, Happening, Kind, NodeChange, Signal, Span, Text, Time, Tone, many};
use crate::views::{Evidence, EvidenceLine, RowId, Snapshot};

/// How far before and after a row its story reaches.
const BEFORE: Span = Span::from_seconds(600);
const AFTER: Span = Span::from_seconds(900);

/// Signals of one kind closer together than this are one line.
const STEP: Span = Span::from_seconds(60);

/// The story of a row, oldest first.
#[must_use]
pub fn story(snapshot: &Snapshot, row: &RowId, now: Time) -> Evidence {
    let Some(row) = row_of(snapshot, row, now) else { return Evidence::default() };
    let Some(cluster) = snapshot.fleet.cluster(row.cluster) else { return Evidence::default() };
    let scaler = scaler_of(cluster, &row);
    let subject = subject(&row, scaler);
    let mut title = format!("{subject}, {} · story", cluster.info.name);
    if let Some(scaler) = scaler {
        if scaler.at_ceiling() {
            title.push_str(&format!(" · at ceiling {}", minutes(held_for(scaler, now))));
        }
        title.push_str(&format!(" · HPA {}..{}", scaler.min, scaler.max));
        let target = scaler.metrics.iter().find_map(|m| Some(format!(", target {} {}", m.name, m.target?)));
        title.push_str(&target.unwrap_or_default());
    }
    let from = row.at - if row.nodes.is_some() { BEFORE } else { super::WINDOW };
    let to = row.last + AFTER;
    let told = cluster.signals.iter().map(|s| &**s).filter(|s| from <= s.at && s.at <= to);
    let mut about: Vec<&Signal> = told.filter(|s| belongs(s, &row, &subject)).collect();
    let observed: Vec<&Signal> =
        about.iter().filter(|s| s.happening == Happening::Replicas).copied().collect();
    about.retain(|s| !repeats(s, &observed));
    let mut lines = legs(&steps(&about));
    lines.extend(scaler.and_then(|s| hint(cluster, s)));
    let charts = super::charts::replicas(cluster, &row, now).into_iter().collect();
    Evidence { title: title.into(), charts, lines }
}

fn scaler_of<'a>(cluster: &'a Cluster, row: &Row) -> Option<&'a Autoscaler> {
    let object = row.objects.first()?;
    autoscalers(cluster).find(|s| match object.kind {
        Kind::Autoscaler => s.meta.uid == object.uid || s.meta.name == object.name,
        Kind::Deployment | Kind::StatefulSet => {
            s.target == object.name && s.meta.namespace == object.namespace
        }
        _ => false,
    })
}

/// What the story is of: the workload, or the row itself.
fn subject(row: &Row, scaler: Option<&Autoscaler>) -> Text {
    scaler.map_or_else(|| row.what.clone(), |s| s.target.clone())
}

/// Whether a signal belongs to the story of a row.
fn belongs(signal: &Signal, row: &Row, subject: &str) -> bool {
    let near = signal.at >= row.at - BEFORE;
    match &signal.happening {
        // The story of nodes is all that asked for them; that of a workload has nodes around it.
        Happening::Node { change, .. } => {
            near && *change != NodeChange::NotReady
                || signal.object.as_ref().is_some_and(|o| row.objects.contains(o))
        }
        _ if row.nodes.is_some() => near,
        Happening::Replicas => is_of(&signal.what, subject),
        Happening::Event(_) => match &signal.object {
            Some(object) if object.kind == Kind::Pod => workload_name(&object.name) == subject,
            Some(_) => is_of(&signal.what, subject),
            None => near,
        },
    }
}

/// Whether an event only repeats a change of replicas that was observed.
fn repeats(signal: &Signal, observed: &[&Signal]) -> bool {
    let Happening::Event(reason) = &signal.happening else { return false };
    (RESCALES.contains(&reason.as_str()) || reason == "ScalingReplicaSet")
        && observed.iter().any(|o| {
            let apart = o.at.age(signal.at).millis().abs();
            o.to == signal.to && o.namespace == signal.namespace && apart <= 2 * STEP.millis()
        })
}

/// A step of a story: when, who, what.
struct Step {
    at: Time,
    label: &'static str,
    text: String,
    tone: Tone,
}

/// The signals as steps; the same thing said of many objects at once is one step.
fn steps(signals: &[&Signal]) -> Vec<Step> {
    let mut groups: Vec<Vec<&Signal>> = Vec::new();
    for signal in signals {
        let same = groups.iter_mut().rev().take(8).find(|group| {
            group.first().is_some_and(|first| folds(first, signal))
                && group.last().is_some_and(|last| last.at.age(signal.at) <= STEP)
        });
        match same {
            Some(group) => group.push(signal),
            None => groups.push(vec![signal]),
        }
    }
    groups.iter().filter_map(|group| step(group)).collect()
}

fn folds(a: &Signal, b: &Signal) -> bool {
    match (&a.happening, &b.happening) {
        (Happening::Node { change: x, pool: p, .. }, Happening::Node { change: y, pool: q, .. }) => {
            x == y && p == q
        }
        (Happening::Event(x), Happening::Event(y)) => x == y,
        _ => false,
    }
}

fn step(group: &[&Signal]) -> Option<Step> {
    let first = group.first()?;
    let (label, text) = match &first.happening {
        Happening::Replicas => (who(first), replicas(first)),
        Happening::Node { change, .. } => ("nodes", nodes(*change, group)),
        Happening::Event(reason) => event(reason, group),
    };
    Some(Step { at: first.at, label, text, tone: first.tone })
}

/// Who changed replicas, by what the signal is named after.
fn who(signal: &Signal) -> &'static str {
    ["HPA", "KEDA"].into_iter().find(|who| signal.what.ends_with(who)).unwrap_or("scale")
}

/// `34 → 40: cpu 96 %/70 %: max 40, wants 55`.
fn replicas(signal: &Signal) -> String {
    let sizes = match (signal.from, signal.to) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (_, Some(to)) => format!("→ {to}"),
        _ => signal.what.to_string(),
    };
    if signal.cause.is_empty() { sizes } else { format!("{sizes}: {}", signal.cause) }
}

fn nodes(change: NodeChange, group: &[&Signal]) -> String {
    let count = group.len();
    let word = match change {
        NodeChange::Added => "joined",
        NodeChange::Removed => "left",
        NodeChange::Ready => "Ready",
        NodeChange::NotReady => "NotReady",
    };
    let mut cash = Cash::default();
    group.iter().for_each(|s| cash.add(s.cost));
    let pool = group.first().map_or("", |s| s.what.as_str());
    match change {
        NodeChange::Added | NodeChange::Removed => {
            format!("{count} {word}, {pool}: {}, {}/h", machines(group), cash.dollars())
        }
        _ => format!("{count} {word}, {pool}"),
    }
}

fn event(reason: &str, group: &[&Signal]) -> (&'static str, String) {
    let objects: BTreeSet<&str> =
        group.iter().filter_map(|s| s.object.as_ref()).map(|o| o.name.as_str()).collect();
    let pods = many(objects.len(), "pod");
    let cause = group.first().map_or("", |s| s.cause.as_str());
    match reason {
        "FailedScheduling" => ("pending", format!("{pods}: {cause}")),
        "Nominated" => ("Karpenter", format!("{pods} to {}", places(group))),
        "DisruptionTerminating" => {
            // It tells of the claim and, where there is one, of its node.
            let of_nodes =
                group.iter().filter(|s| s.object.as_ref().is_some_and(|o| o.kind == Kind::Node)).count();
            ("Karpenter", format!("disrupts {}: {cause}", many(of_nodes.max(1), "node")))
        }
        "TriggeredScaleUp" => ("autoscaler", format!("{pods}: {cause}")),
        rescale if RESCALES.contains(&rescale) => {
            group.first().map_or(("scale", String::new()), |s| (who(s), replicas(s)))
        }
        "ScalingReplicaSet" => ("deployment", group.first().map_or(String::new(), |s| replicas(s))),
        SERVING => {
            let took = group.first().and_then(|s| s.lead);
            ("serving", took.map_or(cause.to_owned(), |took| format!("{cause}; time to capacity {took}")))
        }
        other => ("event", format!("{other}: {cause}")),
    }
}

/// Where Karpenter sends pods: `nodeclaim/general-x1`, `nodeclaim/general-x1 +1`.
fn places(group: &[&Signal]) -> String {
    let places: BTreeSet<&str> = group.iter().map(|s| s.cause.as_str()).collect();
    let first = places.first().copied().unwrap_or_default();
    if places.len() > 1 { format!("{first} +{}", places.len() - 1) } else { first.to_owned() }
}

/// Steps as lines, each with the time since the one before.
fn legs(steps: &[Step]) -> Vec<EvidenceLine> {
    let mut before: Option<Time> = None;
    let mut lines = Vec::with_capacity(steps.len());
    for step in steps {
        // A gap longer than a story starts a new one.
        let leg = before.map(|before| before.age(step.at)).filter(|leg| *leg <= AFTER);
        let text = match leg {
            Some(leg) => format!("+{leg}  {}", step.text),
            None => step.text.clone(),
        };
        lines.push(EvidenceLine {
            at: Some(step.at),
            label: step.label.into(),
            text: text.into(),
            tone: step.tone,
            ..EvidenceLine::default()
        });
        before = Some(step.at);
    }
    lines
}

/// What would lift an autoscaler off its ceiling, and its worth.
fn hint(cluster: &Cluster, scaler: &Autoscaler) -> Option<EvidenceLine> {
    let wants = scaler.wants().filter(|wants| scaler.at_ceiling() && *wants > scaler.max)?;
    let more = wants - scaler.max;
    let target = cluster
        .workloads()
        .find(|w| w.meta.namespace == scaler.meta.namespace && w.meta.name == scaler.target);
    let worth = target.and_then(|w| allocated(cluster, w.requests, i64::from(more)));
    let worth = worth.map_or("$?/h".to_owned(), |w| format!("~{}/h", super::dollars(w.rate)));
    let metric = worst_metric(scaler).unwrap_or_default();
    let why = if metric.is_empty() { String::new() } else { format!(" for {metric}") };
    let text = format!("max {} → {wants}: {more} pods more now{why}, {worth}", scaler.max);
    Some(EvidenceLine { label: "hint".into(), text: text.into(), ..EvidenceLine::default() })
}
