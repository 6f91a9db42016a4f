//! Workloads × clusters.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::model::{
    Cell, Cluster, ClusterId, Column, Kind, LinkState, ObjectKey, Text, Time, Tone, Workload, grouped,
};
use crate::views::health::{counted, denied};
use crate::views::{Evidence, EvidenceLine, Hint, RowId, Scope, Sheet, SheetRow, Snapshot};

/// Clusters that get a column of their own; the rest share one.
const CLUSTER_COLUMNS: usize = 12;

/// The kinds that the rows are made of.
const KINDS: [Kind; 3] = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];

/// One workload over all clusters in scope.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// The version that most clusters want.
    pub wants: Text,
    /// Where it runs, by cluster.
    pub placed: BTreeMap<ClusterId, Placed>,
}

/// A workload in one cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct Placed {
    /// Replicas that serve.
    pub ready: u32,
    /// Replicas wanted.
    pub desired: u32,
    /// Its version there.
    pub version: Text,
    /// How it is there.
    pub tone: Tone,
    /// Whether its version is not the one that most clusters want.
    pub drifts: bool,
    /// The object.
    pub object: ObjectKey,
    /// Whether that cluster's data is old.
    pub stale: bool,
}

/// Every deployment, stateful set and daemon set in scope, merged by kind, namespace and name;
/// those in trouble first, then those that drift, then by name.
#[must_use]
pub fn workloads(snapshot: &Snapshot, scope: &Scope, now: Time) -> Vec<Row> {
    let mut rows: FxHashMap<(Kind, Text, Text), Row> = FxHashMap::default();
    for cluster in snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)) {
        for workload in cluster.workloads().filter(|w| scope.holds_namespace(&w.meta.namespace)) {
            let meta = &workload.meta;
            let row =
                rows.entry((workload.kind, meta.namespace.clone(), meta.name.clone())).or_insert_with(|| {
                    Row {
                        kind: workload.kind,
                        namespace: meta.namespace.clone(),
                        name: meta.name.clone(),
                        wants: Text::EMPTY,
                        placed: BTreeMap::new(),
                    }
                });
            row.placed.insert(cluster.id, placed(cluster, workload, now));
        }
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    for row in &mut rows {
        row.settle_version();
    }
    rows.sort_by_cached_key(|row| {
        let drifts = row.placed.values().any(|p| p.drifts);
        let missing = row.placed.values().map(|p| p.desired.saturating_sub(p.ready)).sum::<u32>();
        (
            std::cmp::Reverse((row.tone() >= Tone::Warn, missing)),
            !drifts,
            row.namespace.clone(),
            row.name.clone(),
        )
    });
    rows
}

fn placed(cluster: &Cluster, workload: &Workload, now: Time) -> Placed {
    let tone = match () {
        () if workload.ready >= workload.desired && workload.paused => Tone::Paused,
        () if workload.ready >= workload.desired => Tone::Ok,
        () if workload.stuck() || workload.ready == 0 => Tone::Crit,
        () if workload.rolling() => Tone::Moving,
        () => Tone::Warn,
    };
    Placed {
        ready: workload.ready,
        desired: workload.desired,
        version: Text::clean(workload.version()),
        tone,
        drifts: false,
        object: ObjectKey {
            cluster: cluster.id,
            kind: workload.kind,
            namespace: workload.meta.namespace.clone(),
            name: workload.meta.name.clone(),
            uid: workload.meta.uid,
        },
        stale: cluster.link.stale(now),
    }
}

impl Row {
    /// How it is where it is worst.
    #[must_use]
    pub fn tone(&self) -> Tone {
        let drift = if self.placed.values().any(|p| p.drifts) { Tone::Warn } else { Tone::Ok };
        self.placed.values().map(|p| p.tone).max().unwrap_or_default().max(drift)
    }

    /// The version that most clusters want; of equally many, the later by name.
    fn settle_version(&mut self) {
        let mut votes: BTreeMap<&Text, usize> = BTreeMap::new();
        for placed in self.placed.values() {
            *votes.entry(&placed.version).or_default() += 1;
        }
        let wants = votes.into_iter().max_by_key(|(_, n)| *n).map(|(v, _)| v.clone()).unwrap_or_default();
        for placed in self.placed.values_mut() {
            placed.drifts = placed.version != wants;
        }
        self.wants = wants;
    }
}

pub(super) fn sheet(snapshot: &Snapshot, scope: &Scope, now: Time) -> Sheet {
    let rows = workloads(snapshot, scope, now);
    let shown = columns_for(snapshot, scope, &rows);
    let rest = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).count() - shown.len();
    let others = || {
        let here = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c));
        here.filter(|cluster| !shown.iter().any(|c| c.id == cluster.id))
    };
    let unknown: Vec<Kind> = KINDS.into_iter().filter(|kind| others().any(|c| !counted(c, *kind))).collect();
    let mut columns = vec![Column::left("workload", 30, 100), Column::left("wants", 10, 99)];
    for (place, cluster) in shown.iter().enumerate() {
        let worth = 90 - u8::try_from(place).unwrap_or(90).min(80);
        columns.push(Column::left(&cluster.info.name, 18, worth));
    }
    if rest > 0 {
        columns.push(Column::right(&format!("+{rest}"), 9, 95));
    }
    Sheet {
        answer: answer(snapshot, scope, &rows).into(),
        charts: Vec::new(),
        columns,
        rows: rows.iter().map(|row| sheet_row(row, &shown, rest > 0, &unknown)).collect(),
        empty: "No workloads in this scope.".into(),
        footer: footer(snapshot, scope).into(),
        hints: vec![Hint::Widen],
    }
}

/// The clusters that get a column: those that differ most first.
fn columns_for<'a>(snapshot: &'a Snapshot, scope: &Scope, rows: &[Row]) -> Vec<&'a Cluster> {
    let mut differs: FxHashMap<ClusterId, usize> = FxHashMap::default();
    for (id, placed) in rows.iter().flat_map(|row| &row.placed) {
        if placed.drifts || placed.tone >= Tone::Warn {
            *differs.entry(*id).or_default() += 1;
        }
    }
    let mut clusters: Vec<&Cluster> =
        snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).map(AsRef::as_ref).collect();
    clusters.sort_by_key(|c| (std::cmp::Reverse(differs.get(&c.id).copied().unwrap_or(0)), c.id));
    clusters.truncate(CLUSTER_COLUMNS);
    clusters
}

fn answer(snapshot: &Snapshot, scope: &Scope, rows: &[Row]) -> String {
    let drift = rows.iter().filter(|r| r.placed.values().any(|p| p.drifts)).count();
    let single = rows.iter().filter(|r| r.placed.len() == 1 && r.kind != Kind::DaemonSet).count();
    let here = || snapshot.fleet.clusters.iter().filter(|c| scope.holds(c));
    let pending: u32 = here().map(|c| c.totals.pods_pending).sum();
    let workloads = sum(rows.len() as u64, here().all(|c| KINDS.iter().all(|kind| counted(c, *kind))));
    let pending = sum(u64::from(pending), here().all(|c| counted(c, Kind::Pod)));
    format!(
        "{workloads} workloads. {drift} drift between clusters, {single} run in one cluster only, \
         {pending} pods pending."
    )
}

/// `412`, `412+?` when a part of it is not known, `?` when nothing is.
fn sum(known: u64, all: bool) -> String {
    match (known, all) {
        (known, true) => grouped(known),
        (0, false) => "?".to_owned(),
        (known, false) => format!("{}+?", grouped(known)),
    }
}

/// `⊘ pods not readable: eks-use1 · ⊘ deployments not readable: eks-use1, edge-17`: what is not
/// counted here, and where.
fn footer(snapshot: &Snapshot, scope: &Scope) -> String {
    let parts = KINDS.iter().chain(&[Kind::Pod]).filter_map(|kind| {
        let clusters = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c));
        let blind: Vec<&str> = clusters
            .filter(|c| denied(c).any(|table| table.kind == *kind))
            .map(|c| c.info.name.as_str())
            .collect();
        let named = match blind.len() {
            0 => return None,
            1..=3 => blind.join(", "),
            n => format!("{n} clusters"),
        };
        Some(format!("⊘ {} not readable: {named}", kind.names().plural))
    });
    parts.collect::<Vec<_>>().join(" · ")
}

/// A row; `unknown_in_rest` are the kinds that some cluster without a column of its own does not tell.
fn sheet_row(row: &Row, shown: &[&Cluster], with_rest: bool, unknown_in_rest: &[Kind]) -> SheetRow {
    let mut cells =
        vec![Cell::text(format!("{}/{}", row.namespace, row.name)), Cell::text(row.wants.clone())];
    for cluster in shown {
        cells.push(match row.placed.get(&cluster.id) {
            Some(placed) => placed_cell(placed),
            None if cluster.table(row.kind).link.state == LinkState::Denied => {
                Cell::text("⊘?").toned(Tone::Denied)
            }
            None if !cluster.seen() => Cell::text("?"),
            None => Cell::text("·"),
        });
    }
    if with_rest {
        let others = row.placed.iter().filter(|(id, _)| !shown.iter().any(|c| c.id == **id));
        let (ready, desired) = others.fold((0, 0), |(r, d), (_, p)| (r + p.ready, d + p.desired));
        let blind = unknown_in_rest.contains(&row.kind);
        cells.push(match (desired, blind) {
            (0, true) => Cell::text("?"),
            (0, false) => Cell::text("·"),
            (_, true) => Cell::text(format!("{ready}/{desired}+?")),
            (_, false) => Cell::text(format!("{ready}/{desired}")),
        });
    }
    SheetRow {
        id: RowId::Workload(Text::clean(row.kind.names().kind), row.namespace.clone(), row.name.clone()),
        tone: row.tone(),
        cells,
        objects: row.placed.values().map(|p| p.object.clone()).collect(),
        stale: row.placed.values().all(|p| p.stale),
    }
}

fn placed_cell(placed: &Placed) -> Cell {
    let tilde = if placed.stale { "~" } else { "" };
    let counts = format!("{tilde}{}/{}", placed.ready, placed.desired);
    let tone = if placed.drifts { placed.tone.max(Tone::Warn) } else { placed.tone };
    let text = if placed.drifts { format!("{counts} {}", placed.version) } else { counts };
    Cell::number(text, i64::from(placed.ready)).toned(tone)
}

/// Where the replicas of a workload are, by zone.
pub(super) fn evidence(
    snapshot: &Snapshot,
    scope: &Scope,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Evidence {
    let Some(kind) = Kind::by_kind(kind) else { return Evidence::default() };
    let mut lines = Vec::new();
    for cluster in snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)) {
        let Some(record) = cluster.find(kind, namespace, name) else { continue };
        let Some(workload) = record.workload() else { continue };
        lines.push(EvidenceLine {
            at: None,
            label: cluster.info.name.clone(),
            text: zones(cluster, workload).into(),
            tone: if workload.ready < workload.desired { Tone::Warn } else { Tone::Ok },
        });
    }
    Evidence { title: Text::clean(&format!("{namespace}/{name} · ready by zone")), lines }
}

/// `1a 12  1b 13 · 24 not ready, version 1.42 · Argo CD pay-prod`.
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
        match zone_of.get(&pod.node) {
            Some(zone) if pod.ready => {
                *zones.entry(if zone.is_empty() { "-" } else { zone }).or_default() += 1
            }
            _ => other += 1,
        }
    }
    let mut text: Vec<String> = zones.iter().map(|(zone, n)| format!("{zone} {n}")).collect();
    if other > 0 {
        text.push(format!("{other} not ready"));
    }
    if text.is_empty() {
        text.push("no replicas".to_owned());
    }
    let mut line = format!("{} · {}", text.join("  "), workload.version());
    if let Some(manager) = &workload.meta.manager {
        line.push_str(&format!(" · {} {}", manager.system, manager.name));
    }
    line
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{ClusterInfo, Fleet, Image, Meta, Record, Uid};

    fn cluster(id: u16, image: &str, ready: u32) -> Arc<Cluster> {
        let now = Time::from_seconds(10);
        let info = ClusterInfo { name: format!("c{id}").into(), ..ClusterInfo::default() };
        let mut cluster = Cluster::new(ClusterId(id), Arc::new(info), now);
        let workload = Workload {
            meta: Meta {
                name: "pay".into(),
                namespace: "shop".into(),
                uid: Uid::parse("w"),
                ..Meta::default()
            },
            desired: 3,
            ready,
            updated: 3,
            current: 3,
            images: Box::new([Image { container: "c".into(), image: image.into() }]),
            ..Workload::empty(Kind::Deployment)
        };
        cluster.tables[Kind::Deployment.index()].rows.insert(Arc::new(Record::Workload(workload)));
        cluster.tables.iter_mut().for_each(|table| table.synced = Some(now));
        Arc::new(cluster)
    }

    #[test]
    fn what_may_not_be_read_is_said_and_not_counted_as_nothing() {
        let mut blind = (*cluster(1, "pay:1.41", 3)).clone();
        for kind in [Kind::Pod, Kind::StatefulSet] {
            blind.tables[kind.index()].link.state = LinkState::Denied;
        }
        let now = Time::from_seconds(10);
        let clusters = vec![cluster(0, "pay:1.41", 3), Arc::new(blind)];
        let sheet = sheet(&Snapshot::new(now, 1, Fleet { clusters }), &Scope::All, now);
        assert!(sheet.answer.starts_with("1+? workloads."), "{}", sheet.answer);
        assert!(sheet.answer.ends_with("? pods pending."), "{}", sheet.answer);
        assert_eq!(sheet.footer, "⊘ statefulsets not readable: c1 · ⊘ pods not readable: c1");
    }

    #[test]
    fn drift_and_trouble_are_marked_where_they_are() {
        let clusters = vec![cluster(0, "pay:1.41", 3), cluster(1, "pay:1.42", 3), cluster(2, "pay:1.41", 2)];
        let now = Time::from_seconds(10);
        let snapshot = Snapshot::new(now, 1, Fleet { clusters });
        let rows = workloads(&snapshot, &Scope::All, now);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].wants, "1.41");
        let placed: Vec<_> = rows[0].placed.values().map(|p| (p.drifts, p.tone)).collect();
        assert_eq!(placed, [(false, Tone::Ok), (true, Tone::Ok), (false, Tone::Warn)]);
        let sheet = sheet(&snapshot, &Scope::All, now);
        assert_eq!(
            sheet.answer,
            "1 workloads. 1 drift between clusters, 0 run in one cluster only, 0 pods pending."
        );
        let texts: Vec<&str> = sheet.rows[0].cells.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(texts, ["shop/pay", "1.41", "3/3 1.42", "2/3", "3/3"]);
    }
}
