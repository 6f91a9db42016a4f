//! Workloads × clusters.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{all_counted, sum};
use crate::model::{
    Cell, Cluster, ClusterId, Column, Kind, LinkState, ObjectKey, Resources, Text, Time, Tone, Workload,
};
use crate::views::health::{counted, denied, old};
use crate::views::{Hint, RowId, Scope, Sheet, SheetRow, Snapshot};

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
    /// What its pods ask for there.
    pub requests: Resources,
    /// In what it is not as most clusters want it.
    pub drift: Option<Drift>,
    /// The object.
    pub object: ObjectKey,
    /// Whether that cluster's data is old.
    pub stale: bool,
}

/// In what a workload is not in one cluster as it is in most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drift {
    /// Its version.
    Version,
    /// What its pods ask for, at the same version.
    Requests,
}

/// Every deployment, stateful set and daemon set in scope, merged by kind, namespace and name;
/// those in trouble first, then those that drift, then by name.
#[must_use]
pub fn workloads(snapshot: &Snapshot, scope: &Scope, now: Time) -> Vec<Row> {
    let mut rows: FxHashMap<(Kind, Text, Text), Row> = FxHashMap::default();
    for cluster in snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)) {
        for workload in cluster.workloads().filter(|w| scope.holds_namespace(&w.meta.namespace)) {
            let meta = &workload.meta;
            let key = (workload.kind, meta.namespace.clone(), meta.name.clone());
            let row = rows.entry(key).or_insert_with(|| Row::new(workload));
            row.placed.insert(cluster.id, placed(cluster, workload, now));
        }
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    for row in &mut rows {
        row.settle();
    }
    rows.sort_by_cached_key(|row| {
        let missing = row.placed.values().map(|p| p.desired.saturating_sub(p.ready)).sum::<u32>();
        (
            std::cmp::Reverse((row.tone() >= Tone::Warn, missing)),
            !row.drifts(),
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
        requests: workload.requests,
        drift: None,
        object: ObjectKey {
            cluster: cluster.id,
            kind: workload.kind,
            namespace: workload.meta.namespace.clone(),
            name: workload.meta.name.clone(),
            uid: workload.meta.uid,
        },
        stale: old(cluster, workload.kind, now),
    }
}

impl Row {
    fn new(workload: &Workload) -> Row {
        Row {
            kind: workload.kind,
            namespace: workload.meta.namespace.clone(),
            name: workload.meta.name.clone(),
            wants: Text::EMPTY,
            placed: BTreeMap::new(),
        }
    }

    /// The row of one workload, from where it was found.
    pub(super) fn of(found: &[(&Cluster, &Workload)], now: Time) -> Option<Row> {
        let mut row = Row::new(found.first()?.1);
        row.placed = found.iter().map(|(c, workload)| (c.id, placed(c, workload, now))).collect();
        row.settle();
        Some(row)
    }

    /// How it is where it is worst.
    #[must_use]
    pub fn tone(&self) -> Tone {
        let drift = if self.drifts() { Tone::Warn } else { Tone::Ok };
        self.placed.values().map(|p| p.tone).max().unwrap_or_default().max(drift)
    }

    /// Whether it is not the same everywhere.
    #[must_use]
    pub fn drifts(&self) -> bool {
        self.placed.values().any(|placed| placed.drift.is_some())
    }

    /// The version that most clusters want, of equally many the later by name; and where something
    /// is not as in most: the version, or at that version what pods ask for.
    fn settle(&mut self) {
        let wants = most(self.placed.values().map(|placed| placed.version.clone())).unwrap_or_default();
        let same = self.placed.values().filter(|placed| placed.version == wants);
        let asks = most(same.map(|placed| asked(placed.requests)));
        for placed in self.placed.values_mut() {
            placed.drift = match () {
                () if placed.version != wants => Some(Drift::Version),
                () if asks.is_some_and(|asks| asks != asked(placed.requests)) => Some(Drift::Requests),
                () => None,
            };
        }
        self.wants = wants;
    }
}

/// Cores, memory and GPUs: what requests are compared by.
const fn asked(requests: Resources) -> (i64, i64, i64) {
    (requests.cpu, requests.memory, requests.gpus)
}

/// The most frequent; of equally many the greatest.
fn most<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut votes: BTreeMap<T, usize> = BTreeMap::new();
    values.for_each(|value| *votes.entry(value).or_default() += 1);
    votes.into_iter().max_by_key(|(_, n)| *n).map(|(value, _)| value)
}

pub(super) fn sheet(snapshot: &Snapshot, scope: &Scope, now: Time) -> Sheet {
    let rows = workloads(snapshot, scope, now);
    let shown = columns_for(snapshot, scope, &rows);
    let rest = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).count() - shown.len();
    let others = || {
        let here = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c));
        here.filter(|cluster| !shown.iter().any(|c| c.id == cluster.id))
    };
    let unknown: Vec<Kind> = KINDS.into_iter().filter(|kind| others().any(|c| unlisted(c, *kind))).collect();
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
        if placed.drift.is_some() || placed.tone >= Tone::Warn {
            *differs.entry(*id).or_default() += 1;
        }
    }
    let mut clusters: Vec<&Cluster> =
        snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).map(AsRef::as_ref).collect();
    clusters.sort_unstable_by_key(|c| (std::cmp::Reverse(differs.get(&c.id).copied().unwrap_or(0)), c.id));
    clusters.truncate(CLUSTER_COLUMNS);
    clusters
}

/// `412+? workloads. 9+? drift between clusters, ~3 run in one cluster only, 21 pods pending.`
fn answer(snapshot: &Snapshot, scope: &Scope, rows: &[Row]) -> String {
    let drift = rows.iter().filter(|row| row.drifts()).count();
    let single = rows.iter().filter(|r| r.placed.len() == 1 && r.kind != Kind::DaemonSet).count();
    let pending: u32 =
        snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).map(|c| c.totals.pods_pending).sum();
    let all = all_counted(snapshot, scope, &KINDS);
    let count =
        |n: String, one: &str, more: &str| if n == "1" { one.to_owned() } else { format!("{n} {more}") };
    let workloads = count(sum(rows.len() as u64, all), "1 workload", "workloads");
    let drift = count(sum(drift as u64, all), "1 drifts", "drift");
    // What runs in one known cluster may run in an unknown one, too: there may be fewer as well.
    let single = match (single, all) {
        (0, false) => "?".to_owned(),
        (n, false) => format!("~{n}"),
        (n, true) => n.to_string(),
    };
    let single = count(single, "1 runs", "run");
    let pending = sum(u64::from(pending), all_counted(snapshot, scope, &[Kind::Pod]));
    let pending = count(pending, "1 pod", "pods");
    format!("{workloads}. {drift} between clusters, {single} in one cluster only, {pending} pending.")
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
            // That it is not there only a cluster can say whose list was seen.
            None if unlisted(cluster, row.kind) => Cell::text("?"),
            None => Cell::text("·"),
        });
    }
    if with_rest {
        cells.push(rest_cell(row, shown, unknown_in_rest.contains(&row.kind)));
    }
    SheetRow {
        id: RowId::Workload(Text::clean(row.kind.names().kind), row.namespace.clone(), row.name.clone()),
        tone: row.tone(),
        cells,
        objects: row.placed.values().map(|p| p.object.clone()).collect(),
        stale: row.placed.values().all(|p| p.stale),
    }
}

/// Whether a cluster has not said which objects of a kind it has. One that does not serve the kind
/// has none.
fn unlisted(cluster: &Cluster, kind: Kind) -> bool {
    !counted(cluster, kind) && cluster.table(kind).link.state != LinkState::Missing
}

/// What runs in all clusters without a column of their own.
fn rest_cell(row: &Row, shown: &[&Cluster], blind: bool) -> Cell {
    let others = || row.placed.iter().filter(|(id, _)| !shown.iter().any(|c| c.id == **id)).map(|(_, p)| p);
    let (ready, desired) = others().fold((0, 0), |(r, d), p| (r + p.ready, d + p.desired));
    let about = if others().any(|placed| placed.stale) { "~" } else { "" };
    Cell::text(match (others().next().is_some(), blind) {
        (false, true) => "?".to_owned(),
        (false, false) => "·".to_owned(),
        (true, true) => format!("{about}{ready}/{desired}+?"),
        (true, false) => format!("{about}{ready}/{desired}"),
    })
}

fn placed_cell(placed: &Placed) -> Cell {
    let tilde = if placed.stale { "~" } else { "" };
    let counts = format!("{tilde}{}/{}", placed.ready, placed.desired);
    let tone = if placed.drift.is_some() { placed.tone.max(Tone::Warn) } else { placed.tone };
    let text = match placed.drift {
        Some(Drift::Version) => format!("{counts} {}", placed.version),
        Some(Drift::Requests) => format!("{counts} res"),
        None => counts,
    };
    Cell::number(text, i64::from(placed.ready)).toned(tone)
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

    /// A cluster whose deployments were not listed yet does not say that it runs none.
    #[test]
    fn what_is_not_listed_is_unknown_and_not_absent() {
        let now = Time::from_seconds(10);
        let mut unlisted = (*cluster(1, "pay:1.41", 3)).clone();
        unlisted.tables[Kind::Deployment.index()].synced = None;
        unlisted.tables[Kind::Deployment.index()].rows = crate::model::Rows::default();
        let clusters = vec![cluster(0, "pay:1.41", 3), Arc::new(unlisted)];
        let sheet = sheet(&Snapshot::new(now, 1, Fleet { clusters }), &Scope::All, now);
        let texts: Vec<&str> = sheet.rows[0].cells.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(texts, ["shop/pay", "1.41", "3/3", "?"]);
        assert_eq!(
            sheet.answer,
            "1+? workloads. ? drift between clusters, ~1 run in one cluster only, 0 pods pending."
        );
    }

    #[test]
    fn pods_that_ask_for_something_else_drift() {
        let now = Time::from_seconds(10);
        let mut greedy = (*cluster(2, "pay:1.41", 3)).clone();
        let rows = &mut greedy.tables[Kind::Deployment.index()].rows;
        let (place, record) = rows.places().next().map(|(p, r)| (p, Record::clone(r))).unwrap();
        let Record::Workload(mut workload) = record else { panic!("a deployment") };
        workload.requests.cpu = 4000;
        rows.replace(place, Arc::new(Record::Workload(workload)));
        let clusters = vec![cluster(0, "pay:1.41", 3), cluster(1, "pay:1.41", 3), Arc::new(greedy)];
        let snapshot = Snapshot::new(now, 1, Fleet { clusters });
        let sheet = sheet(&snapshot, &Scope::All, now);
        let texts: Vec<&str> = sheet.rows[0].cells.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(texts, ["shop/pay", "1.41", "3/3 res", "3/3", "3/3"]);
        let proof = super::super::zones::evidence(&snapshot, &Scope::All, "Deployment", "shop", "pay", now);
        assert!(proof.lines[2].text.ends_with("asks 4 cpu, 0 B, unlike most"), "{}", proof.lines[2].text);
    }

    #[test]
    fn drift_and_trouble_are_marked_where_they_are() {
        let clusters = vec![cluster(0, "pay:1.41", 3), cluster(1, "pay:1.42", 3), cluster(2, "pay:1.41", 2)];
        let now = Time::from_seconds(10);
        let snapshot = Snapshot::new(now, 1, Fleet { clusters });
        let rows = workloads(&snapshot, &Scope::All, now);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].wants, "1.41");
        let placed: Vec<_> = rows[0].placed.values().map(|p| (p.drift, p.tone)).collect();
        assert_eq!(placed, [(None, Tone::Ok), (Some(Drift::Version), Tone::Ok), (None, Tone::Warn)]);
        let sheet = sheet(&snapshot, &Scope::All, now);
        assert_eq!(
            sheet.answer,
            "1 workload. 1 drifts between clusters, 0 run in one cluster only, 0 pods pending."
        );
        let texts: Vec<&str> = sheet.rows[0].cells.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(texts, ["shop/pay", "1.41", "3/3 1.42", "2/3", "3/3"]);
    }
}
