//! Pods without a node: since when, and what stands in their way.

use std::collections::BTreeMap;

use crate::model::quantity::{Bytes, Cpu};
use crate::model::{Cell, Column, Kind, Record, Time, Tone};
use crate::views::health::first_constraint;
use crate::views::{RowId, Scope, Sheet, SheetRow, Snapshot};

pub(super) fn sheet(snapshot: &Snapshot, scope: &Scope, now: Time) -> Sheet {
    let mut rows = Vec::new();
    let mut clusters = 0;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for cluster in snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)) {
        let before = rows.len();
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
                    stale: cluster.link.stale(now),
                });
            }
        }
        clusters += usize::from(rows.len() > before);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.cells[0].sort));
    Sheet {
        answer: answer(rows.len(), clusters, &reasons).into(),
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
        empty: "No pod waits for a node in this scope.".into(),
        ..Sheet::default()
    }
}

/// `21 pods wait for a node in 3 clusters: 15 Insufficient nvidia.com/gpu, 6 Insufficient cpu.`
fn answer(pods: usize, clusters: usize, reasons: &BTreeMap<String, usize>) -> String {
    let count =
        |n: usize, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    let waits = count(pods, "pod waits", "pods wait");
    let place = count(clusters, "cluster", "clusters");
    if pods == 0 {
        return "No pod waits for a node.".to_owned();
    }
    let mut sorted: Vec<_> = reasons.iter().collect();
    sorted.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let said: Vec<String> = sorted.iter().take(3).map(|(why, n)| format!("{n} {why}")).collect();
    format!("{waits} for a node in {place}: {}.", said.join(", "))
}
