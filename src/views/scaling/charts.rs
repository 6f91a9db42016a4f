//! The small charts of the pane.

use super::rows::Row;
use crate::model::{Cluster, Happening, Sample, Span, Text, Time, grouped};
use crate::views::{Chart, Scope, Snapshot};

/// A value for every minute of the hour, and one more for its end.
const MINUTES: i64 = 60;
const MINUTE: Span = Span::from_seconds(60);

/// Nodes, pods that serve and pending pods over the last hour. Samples are of whole clusters, so a scope inside one
/// shows its cluster's.
pub(super) fn charts(snapshot: &Snapshot, scope: &Scope, now: Time) -> Vec<Chart> {
    let clusters: Vec<&Cluster> =
        snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).map(|c| &**c).collect();
    let nodes = values(&clusters, now, |s| s.nodes);
    let pending = values(&clusters, now, |s| s.pending);
    let start = now - Span::from_seconds(MINUTES * 60);
    let note = format!("{} → {}", start.when(now), now.when(now));
    let pods = values(&clusters, now, |s| s.pods);
    [("nodes", nodes, note.as_str()), ("pods ready", pods, ""), ("pending", pending, "")]
        .into_iter()
        .filter(|(_, values, _)| values.iter().any(Option::is_some))
        .map(|(label, values, note)| chart(label, values, note))
        .collect()
}

fn chart(label: &str, values: Vec<Option<f64>>, note: &str) -> Chart {
    let known = || values.iter().flatten();
    let end = |value: Option<&f64>| value.map_or_else(|| Text::from("?"), |v| grouped(whole(*v)).into());
    let ends = (end(known().next()), end(known().next_back()));
    Chart { label: label.into(), ends, values, note: note.into() }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts, rounded and not negative"
)]
fn whole(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

/// The sum over clusters at each minute. A minute in which a cluster has no sample, though it has
/// some in the hour, is not known: a sum without it would look like a fall.
fn values(clusters: &[&Cluster], now: Time, of: impl Fn(&Sample) -> u32) -> Vec<Option<f64>> {
    let start = now - Span::from_seconds(MINUTES * 60);
    let sampled: Vec<&[Sample]> = clusters
        .iter()
        .map(|c| &c.series.samples[c.series.samples.partition_point(|s| s.at < start - MINUTE)..])
        .filter(|samples| !samples.is_empty())
        .collect();
    let at = |samples: &[Sample], moment: Time| {
        let until = samples.partition_point(|s| s.at <= moment);
        let last = samples[..until].last()?;
        (last.at.age(moment) <= Span::from_seconds(120)).then(|| f64::from(of(last)))
    };
    (0..=MINUTES)
        .map(|minute| {
            let moment = start + Span::from_seconds(minute * 60);
            let parts: Option<Vec<f64>> = sampled.iter().map(|s| at(s, moment)).collect();
            parts.filter(|parts| !parts.is_empty()).map(|parts| parts.iter().sum())
        })
        .collect()
}

/// The replicas of the object of a row over the last hour, from what was told of it; none where
/// nothing was, as of nodes.
pub(super) fn replicas(cluster: &Cluster, row: &Row, now: Time) -> Option<Chart> {
    let object = row.objects.first()?;
    let steps: Vec<(Time, u32, Option<u32>)> = cluster
        .signals
        .iter()
        .filter(|s| s.happening == Happening::Replicas && s.object.as_ref() == Some(object))
        .filter_map(|s| Some((s.at, s.to?, s.from)))
        .collect();
    let before_all = steps.first()?.2;
    let start = now - Span::from_seconds(MINUTES * 60);
    let values: Vec<Option<f64>> = (0..=MINUTES)
        .map(|minute| {
            let moment = start + Span::from_seconds(minute * 60);
            let until = steps.partition_point(|(at, ..)| *at <= moment);
            let size = if until == 0 { before_all } else { steps.get(until - 1).map(|(_, to, _)| *to) };
            size.map(f64::from)
        })
        .collect();
    Some(chart("replicas", values, &format!("{} → {}", start.when(now), now.when(now))))
}
