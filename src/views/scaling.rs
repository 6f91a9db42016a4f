//! Pane 4: what scaled, why, what did it cost, who is at the ceiling or flaps?
//!
//! The store keeps signals that the [`observers`] make of changes: nodes that come, go and stop
//! being ready, replicas that autoscalers and people ask for, and what the autoscalers say in
//! events. State is never taken from events alone: they get lost and are aggregated. Here signals
//! become rows: nodes of a pool within two minutes are one row, a lost spot node and its
//! replacement are one, and an event that only repeats what was observed is none.

mod cash;
mod charts;
mod events;
mod flaps;
mod lens;
mod nodes;
mod replicas;
mod rows;
mod story;

pub use flaps::{Flap, flaps};
pub use lens::ScalingLens;
pub use story::story;

use super::health::worst_metric;
use super::{Evidence, EvidenceLine, Observer, PriceOf, RowId, Scope, Sheet, SheetRow, Snapshot};
use crate::model::{
    Autoscaler, Cell, Cluster, Column, Direction, Money, Signal, Span, Text, Time, Tone, condition,
};
use lens::Group;
use rows::Row;

/// How far back the pane looks.
pub const WINDOW: Span = Span::from_seconds(3600);

/// The observers, for the store.
#[must_use]
pub fn observers(price: &PriceOf) -> Vec<Box<dyn Observer>> {
    vec![
        Box::new(nodes::Nodes { price: price.clone() }),
        Box::new(replicas::Replicas),
        Box::new(events::Events),
    ]
}

/// The pane.
#[must_use]
pub fn sheet(snapshot: &Snapshot, scope: &Scope, lens: ScalingLens, now: Time) -> Sheet {
    let rows = rows::rows(snapshot, scope, now, WINDOW);
    let answer = answer(snapshot, scope, &rows, now);
    let empty = match history_from(snapshot, scope) {
        Some(from) => format!("Nothing scaled in 60 min. History from {}.", from.when(now)),
        None => "Nothing scaled in 60 min.".to_owned(),
    };
    Sheet {
        answer,
        charts: charts::charts(snapshot, scope, now),
        columns: columns(),
        rows: lens::groups(rows, lens).into_iter().map(|group| sheet_row(group, now)).collect(),
        empty: empty.into(),
        footer: footer(snapshot, scope, now),
        hints: Vec::new(),
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::right("when", 8, 100),
        Column::state(),
        Column::left("where", 12, 90),
        Column::left("what", 24, 85),
        Column::right("to", 9, 80),
        Column::left("cause", 0, 70),
        Column::right("$/h", 9, 75),
        Column::right("lead", 6, 72),
    ]
}

fn sheet_row(group: Group, now: Time) -> SheetRow {
    let row = &group.row;
    let to = match (row.from, row.to) {
        (Some(from), Some(to)) => format!("{from}→{to}"),
        (None, Some(to)) => format!("?→{to}"),
        _ => "·".to_owned(),
    };
    let when = if row.at.age(now) < Span::from_seconds(86_400) { row.at.clock() } else { row.at.when(now) };
    SheetRow {
        id: group.id,
        tone: row.tone,
        cells: vec![
            Cell { text: when.into(), ..Cell::when(row.at, now) },
            Cell::text(arrow(row)),
            Cell::text(row.place.clone()),
            Cell::text(row.what.clone()),
            Cell::number(to, i64::from(row.to.unwrap_or(0))),
            Cell::text(row.cause.clone()),
            Cell::number(row.cash.to_string(), row.cash.sort()),
            row.lead.map_or_else(|| Cell::text("-"), |lead| Cell::number(lead.to_string(), lead.millis())),
        ],
        objects: row.objects.clone(),
        stale: false,
    }
}

/// The glyph of the direction, or of what is worse than a direction.
fn arrow(row: &Row) -> &'static str {
    match (row.tone, row.direction) {
        (Tone::Crit, _) => "✖",
        (Tone::Warn, _) => "▲",
        (_, Direction::More) => "↑",
        (_, Direction::Less) => "↓",
        (_, Direction::Swapped) => "⇄",
        (_, Direction::Held) => "·",
    }
}

/// `31 events in 60 min: 7 nodes added, 2 removed, 3 NotReady; +$2.47/h cash. At ceiling: checkout,
/// 16 min. Flaps: imgproc`.
fn answer(snapshot: &Snapshot, scope: &Scope, rows: &[Row], now: Time) -> Text {
    let events: usize = rows.iter().map(|r| r.count).sum();
    let mut text = match events {
        0 => "Nothing scaled in 60 min".to_owned(),
        1 => "1 event in 60 min".to_owned(),
        n => format!("{n} events in 60 min"),
    };
    let nodes =
        |word: &str| -> usize { rows.iter().filter(|r| r.nodes == Some(word)).map(|r| r.count).sum() };
    let mut parts = Vec::new();
    for (word, said) in
        [("added", "added"), ("removed", "removed"), ("lost", "NotReady"), ("swapped", "swapped")]
    {
        match (nodes(word), parts.is_empty()) {
            (0, _) => {}
            (1, true) => parts.push(format!("1 node {said}")),
            (n, true) => parts.push(format!("{n} nodes {said}")),
            (n, false) => parts.push(format!("{n} {said}")),
        }
    }
    if !parts.is_empty() {
        text.push_str(&format!(": {}", parts.join(", ")));
    }
    let cash = rows::cash(rows);
    if cash.moved {
        text.push_str(&format!("; {}/h cash", cash.dollars()));
    }
    let ceilings = ceilings(snapshot, scope, now);
    if let Some(longest) = ceilings.iter().map(|(_, held)| *held).max() {
        let names = each_once(ceilings.into_iter().map(|(name, _)| name));
        text.push_str(&format!(". At ceiling: {names}, {}", minutes(longest)));
    }
    let clusters = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c));
    let flaps: Vec<Text> = clusters.flat_map(|c| flaps(c, scope, now)).map(|f| f.name).collect();
    if !flaps.is_empty() {
        text.push_str(&format!(". Flaps: {}", each_once(flaps)));
    }
    text.into()
}

/// `imgproc in 2 clusters, checkout +1`: every name once, in its first place, three at most.
fn each_once(names: impl IntoIterator<Item = Text>) -> String {
    let mut counted: Vec<(Text, usize)> = Vec::new();
    for name in names {
        match counted.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counted.push((name, 1)),
        }
    }
    let said = counted.iter().take(3).map(|(name, count)| match count {
        1 => name.to_string(),
        n => format!("{name} in {n} clusters"),
    });
    let said = said.collect::<Vec<_>>().join(", ");
    if counted.len() > 3 { format!("{said} +{}", counted.len() - 3) } else { said }
}

/// What proves a row: its story, or the rows that were folded into it.
#[must_use]
pub fn evidence(snapshot: &Snapshot, scope: &Scope, lens: ScalingLens, id: &RowId, now: Time) -> Evidence {
    if matches!(lens, ScalingLens::Time | ScalingLens::Story) {
        return story(snapshot, id, now);
    }
    let groups = lens::groups(rows::rows(snapshot, scope, now, WINDOW), lens);
    let Some(group) = groups.into_iter().find(|group| group.id == *id) else { return Evidence::default() };
    if let [only] = group.members.as_slice() {
        return story(snapshot, &only.id(), now);
    }
    let title =
        format!("{}, {} · {} rows, newest first", group.row.what, group.row.place, group.members.len());
    Evidence { title: title.into(), lines: group.members.iter().map(line).collect(), ..Evidence::default() }
}

/// A row as a line: `eks-use1  +$0.77/h  nodes general 86→88: checkout pending`.
fn line(row: &Row) -> EvidenceLine {
    let cash = if row.cash.moved { format!("{}/h  ", row.cash.dollars()) } else { String::new() };
    let to = match (row.from, row.to) {
        (Some(from), Some(to)) => format!(" {from}→{to}"),
        _ => String::new(),
    };
    let why = if row.cause.is_empty() { String::new() } else { format!(": {}", row.cause) };
    let text = format!("{}  {cash}{}{to}{why}", row.place, row.what);
    EvidenceLine { at: Some(row.at), label: arrow(row).into(), text: text.into(), ..EvidenceLine::default() }
}

/// `16 min`, `3h10m`.
fn minutes(span: Span) -> String {
    match span.seconds() {
        s @ 60..3600 => format!("{} min", s / 60),
        _ => span.to_string(),
    }
}

/// Autoscalers that are held at their maximum, and for how long.
fn ceilings(snapshot: &Snapshot, scope: &Scope, now: Time) -> Vec<(Text, Span)> {
    let clusters = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c));
    let scalers = clusters.flat_map(|c| autoscalers(c)).filter(|s| s.at_ceiling());
    let mut held: Vec<(Text, Span)> = scalers
        .filter(|s| scope.holds_namespace(&s.meta.namespace))
        .map(|s| (s.target.clone(), held_for(s, now)))
        .collect();
    held.sort_by_key(|(_, held)| std::cmp::Reverse(*held));
    held
}

fn held_for(scaler: &Autoscaler, now: Time) -> Span {
    let since = condition(&scaler.conditions, "ScalingLimited").and_then(|c| c.since);
    since.map_or(Span::ZERO, |since| since.age(now))
}

fn autoscalers(cluster: &Cluster) -> impl Iterator<Item = &Autoscaler> {
    cluster.records(crate::model::Kind::Autoscaler).filter_map(|r| r.autoscaler())
}

/// What is not known of this hour: events that may not be read, clusters that do not answer.
fn footer(snapshot: &Snapshot, scope: &Scope, now: Time) -> Text {
    let mut notes = vec!["cash counts nodes only; replicas show their share".to_owned()];
    for cluster in snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)) {
        let name = &cluster.info.name;
        if super::health::denied(cluster).any(|t| t.kind == crate::model::Kind::Event) {
            notes.push(format!("⊘ {name}: events 403"));
        }
        if super::health::standing(cluster, now) == super::health::Standing::Unseen {
            notes.push(format!("{name} blank since {}", super::health::silent_since(cluster, now).when(now)));
        }
    }
    if let Some(from) = history_from(snapshot, scope) {
        notes.push(format!("history from {}", from.when(now)));
    }
    notes.join(" · ").into()
}

/// Since when there is something to look back at.
fn history_from(snapshot: &Snapshot, scope: &Scope) -> Option<Time> {
    let clusters = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c));
    clusters
        .flat_map(|c| [c.series.samples.first().map(|s| s.at), c.signals.first().map(|s| s.at)])
        .flatten()
        .min()
}

/// What else changed lately, for the screen of Health: rows of the last 15 minutes as lines.
#[must_use]
pub fn recent(snapshot: &Snapshot, scope: &Scope, now: Time) -> Vec<EvidenceLine> {
    let rows = rows::rows(snapshot, scope, now, Span::from_seconds(900));
    rows.iter().map(line).collect()
}

/// `checkout HPA`, or `imgproc KEDA` when KEDA owns the autoscaler.
fn scaler_name(scaler: &Autoscaler) -> Text {
    let keda = scaler.meta.manager.as_ref().is_some_and(|m| m.system == "KEDA")
        || scaler.meta.owner.as_ref().is_some_and(|o| o.kind == "ScaledObject")
        || scaler.meta.name.starts_with("keda-hpa-");
    format!("{} {}", scaler.target, if keda { "KEDA" } else { "HPA" }).into()
}

/// Why an autoscaler wants what it wants: `cpu 96 %/70 %: max 40, wants 55`.
fn scaler_cause(scaler: &Autoscaler) -> String {
    let metric = worst_metric(scaler).unwrap_or_default();
    if !scaler.at_ceiling() {
        return metric.to_string();
    }
    let wants = scaler.wants().filter(|w| *w > scaler.max).map_or(String::new(), |w| format!(", wants {w}"));
    let held = format!("max {}{wants}", scaler.max);
    if metric.is_empty() { held } else { format!("{metric}: {held}") }
}

/// `+$2.47`, `-$0.30`.
fn dollars(rate: Money) -> String {
    let text = format!("{rate:#}");
    match text.strip_prefix(['+', '-']) {
        Some(amount) => format!("{}${amount}", &text[..1]),
        None => format!("${text}"),
    }
}

/// The signals of a cluster in scope from a moment on.
fn since<'a>(cluster: &'a Cluster, scope: &'a Scope, from: Time) -> impl Iterator<Item = &'a Signal> {
    let start = cluster.signals.partition_point(|s| s.at < from);
    cluster.signals[start..].iter().map(|s| &**s).filter(move |s| match (&s.happening, scope) {
        (crate::model::Happening::Node { pool, .. }, Scope::Pool(_, only)) => pool == only,
        (_, Scope::Pool(..)) => false,
        _ => scope.holds_namespace(&s.namespace),
    })
}

/// The row of this id, if it is still there.
fn row_of(snapshot: &Snapshot, id: &RowId, now: Time) -> Option<Row> {
    rows::rows(snapshot, &Scope::All, now, WINDOW).into_iter().find(|row| row.id() == *id)
}

#[cfg(test)]
mod tests;
