//! Where the replicas of a workload are, by zone: what stands under the matrix.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::workloads::{Drift, Row};
use crate::model::quantity::{Bytes, Cpu};
use crate::model::{Cluster, Kind, Text, Time, Tone, Workload};
use crate::views::health::counted;
use crate::views::{Evidence, EvidenceLine, Scope, Snapshot};

/// A line for each cluster that runs it.
pub(super) fn evidence(
    snapshot: &Snapshot,
    scope: &Scope,
    kind: &str,
    namespace: &str,
    name: &str,
    now: Time,
) -> Evidence {
    let Some(kind) = Kind::by_kind(kind) else { return Evidence::default() };
    let clusters = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c));
    let found: Vec<(&Cluster, &Workload)> =
        clusters.filter_map(|c| Some((&**c, c.find(kind, namespace, name)?.workload()?))).collect();
    let row = Row::of(&found, now);
    let line = |(cluster, workload): &(&Cluster, &Workload)| {
        let mut text = zones(cluster, workload);
        let drift = row.as_ref().and_then(|row| row.placed.get(&cluster.id)?.drift);
        if drift == Some(Drift::Requests) {
            let asked = workload.requests;
            text.push_str(&format!(" · asks {} cpu, {}, unlike most", Cpu(asked.cpu), Bytes(asked.memory)));
        }
        EvidenceLine {
            label: cluster.info.name.clone(),
            text: text.into(),
            tone: if workload.ready < workload.desired { Tone::Warn } else { Tone::Ok },
            ..EvidenceLine::default()
        }
    };
    let title = Text::clean(&format!("{namespace}/{name} · ready by zone"));
    Evidence { title, lines: found.iter().map(line).collect(), ..Evidence::default() }
}

/// `1a 12  1b 13  24 not ready · 1.42 · Argo CD pay-prod`.
fn zones(cluster: &Cluster, workload: &Workload) -> String {
    let zone_of: FxHashMap<&Text, &Text> =
        cluster.nodes().map(|node| (&node.meta.name, &node.identity.zone)).collect();
    let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
    let mut other = 0;
    let own = |pod: &&crate::model::Pod| {
        pod.meta.namespace == workload.meta.namespace
            && pod.workload().is_some_and(|(kind, name)| kind == workload.kind && name == workload.meta.name)
    };
    for pod in cluster.pods().filter(|p| !p.finished()).filter(own) {
        match (pod.ready, zone_of.get(&pod.node)) {
            // A node without a zone, or one that nobody may read.
            (true, zone) => {
                let zone = zone.map_or("?", |zone| if zone.is_empty() { "-" } else { zone });
                *zones.entry(zone).or_default() += 1;
            }
            (false, _) => other += 1,
        }
    }
    let mut text: Vec<String> = zones.iter().map(|(zone, n)| format!("{zone} {n}")).collect();
    if other > 0 {
        text.push(format!("{other} not ready"));
    }
    if !counted(cluster, Kind::Pod) {
        text = vec![format!("{}/{} ready, pods not known", workload.ready, workload.desired)];
    } else if text.is_empty() {
        text.push("no replicas".to_owned());
    }
    let mut line = format!("{} · {}", text.join("  "), workload.version());
    if let Some(manager) = &workload.meta.manager {
        line.push_str(&format!(" · {} {}", manager.system, manager.name));
    }
    line
}
