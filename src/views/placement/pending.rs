//! Pods without a node: since when, and what stands in their way.

use std::collections::BTreeMap;

use crate::model::quantity::{Bytes, Cpu};
use crate::model::{Cell, Column, Kind, Record, Time, Tone, many};
use crate::views::health::{first_constraint, old};
use crate::views::{RowId, Scope, Sheet, SheetRow, Snapshot};

use super::{all_counted, sum};

pub(super) fn sheet(snapshot: &Snapshot, scope: &Scope, now: Time) -> Sheet {
    let mut rows = Vec::new();
    let mut clusters = 0;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for cluster in snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)) {
        let (before, stale) = (rows.len(), old(cluster, Kind::Pod, now));
        for record in cluster.records(Kind::Pod) {
            let Record::Pod(pod) = record.as_ref() else { continue };
            if pod.node.is_empty() && !pod.finished() && scope.holds_namespace(&pod.meta.namespace) {
                let age = pod.meta.created.map(|t| t.age(now));
                let reason = match first_constraint(&pod.message) {
                    Some(constraint) => constraint.to_owned(),
                    None if pod.message.is_empty() => "not looked at yet".to_owned(),
                    None => pod.message.to_string(),
                };
                *reasons.entry(reason.clone()).or_default() += 1;
                rows.push(SheetRow {
                    id: RowId::Object(record.key(cluster.id)),
                    tone: if age.is_some_and(|a| a.seconds() > 60) { Tone::Warn } else { Tone::Moving },
                    cells: vec![
                        age.map_or_else(|| Cell::text("?"), |a| Cell::number(a.to_string(), a.seconds())),
                        Cell::text(cluster.info.name.clone()),
                        Cell::text(format!("{}/{}", pod.meta.namespace, pod.meta.name)),
                        Cell::number(Cpu(pod.requests.cpu).to_string(), pod.requests.cpu),
                        Cell::number(Bytes(pod.requests.memory).to_string(), pod.requests.memory),
                        Cell::number(pod.requests.gpus.to_string(), pod.requests.gpus),
                        Cell::text(reason),
                    ],
                    objects: vec![record.key(cluster.id)],
                    stale,
                });
            }
        }
        clusters += usize::from(rows.len() > before);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.cells[0].sort));
    let all = all_counted(snapshot, scope, &[Kind::Pod]);
    let empty = if all {
        "No pod waits for a node in this scope."
    } else {
        "No pod is seen to wait for a node; the pods of some clusters in this scope are not known."
    };
    Sheet {
        answer: answer(rows.len(), all, clusters, &reasons).into(),
        columns: vec![
            Column::right("age", 6, 95),
            Column::left("cluster", 12, 98),
            Column::left("pod", 36, 100),
            Column::right("cpu", 6, 70),
            Column::right("mem", 8, 69),
            Column::right("gpu", 4, 60),
            Column::left("why", 0, 90),
        ],
        rows: rows.into(),
        empty: empty.into(),
        ..Sheet::default()
    }
}

/// `21 pods wait for a node in 3 clusters: 15 Insufficient nvidia.com/gpu, 6 Insufficient cpu.`;
/// `21+? pods wait …` where some pods are not known.
fn answer(pods: usize, all: bool, clusters: usize, reasons: &BTreeMap<String, usize>) -> String {
    if pods == 0 {
        return if all { "No pod waits for a node." } else { "? pods wait for a node." }.to_owned();
    }
    let waits = if pods == 1 && all { "pod waits" } else { "pods wait" };
    let (pods, place) = (sum(pods as u64, all), many(clusters, "cluster"));
    let mut sorted: Vec<_> = reasons.iter().collect();
    sorted.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let said: Vec<String> = sorted.iter().take(3).map(|(why, n)| format!("{n} {why}")).collect();
    format!("{pods} {waits} for a node in {place}: {}.", said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LinkState;
    use crate::views::scenes::{Scene, cells, now, pod, snapshot};

    #[test]
    fn who_waits_is_counted_only_where_pods_are_known() {
        let mut waiting = pod("ml", "embed", "a", "embed:1", "");
        waiting.message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.".into();
        let open = || Scene::new(0, "open").with(&[], vec![Record::Pod(waiting.clone())], now());
        let secret = || Scene::new(1, "secret").table(Kind::Pod, |t| t.link.state = LinkState::Denied);
        let sheet = |scenes| super::sheet(&snapshot(scenes), &Scope::All, now());
        let known = sheet(vec![open()]);
        assert_eq!(known.answer, "1 pod waits for a node in 1 cluster: 1 Insufficient gpu.");
        assert!(cells(&known.rows[0]).ends_with("| Insufficient gpu"), "{}", cells(&known.rows[0]));
        let partly = sheet(vec![open(), secret()]);
        assert_eq!(partly.answer, "1+? pods wait for a node in 1 cluster: 1 Insufficient gpu.");
        let nothing = sheet(vec![secret()]);
        assert_eq!(nothing.answer, "? pods wait for a node.");
        assert!(nothing.empty.contains("are not known"), "{}", nothing.empty);
    }
}
