//! The objects pane: any watched kind, every cluster in scope, one table.

mod columns;

use std::collections::BTreeMap;

use crate::model::{Cause, Cell, Cluster, Column, Kind, LinkState, Record, Text, Time, Tone, grouped};
use crate::views::{RowId, Scope, Sheet, SheetRow, Snapshot};

/// Every object of a kind in scope, by cluster, namespace and name.
#[must_use]
pub fn sheet(snapshot: &Snapshot, scope: &Scope, kind: Kind, now: Time) -> Sheet {
    let names = kind.names();
    let mut columns = vec![Column::left("cluster", 12, 100)];
    if names.namespaced {
        columns.push(Column::left("namespace", 16, 98));
    }
    columns.push(Column::left("name", 0, 99));
    columns.extend(columns::of(kind));
    columns.push(Column::right("age", 6, 90));

    let mut rows = Vec::new();
    for cluster in snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)) {
        add_rows(&mut rows, cluster, scope, kind, now);
    }
    let troubled = rows.iter().filter(|row| row.tone >= Tone::Warn).count();
    let clusters: Vec<&Cluster> =
        snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).map(AsRef::as_ref).collect();
    Sheet {
        answer: answer(kind, rows.len(), clusters.len(), troubled).into(),
        charts: Vec::new(),
        columns,
        empty: empty(kind, &clusters).into(),
        footer: footer(kind, &clusters).into(),
        rows,
    }
}

fn add_rows(rows: &mut Vec<SheetRow>, cluster: &Cluster, scope: &Scope, kind: Kind, now: Time) {
    let table = cluster.table(kind);
    let stale = table.link.stale(now);
    let namespaced = kind.names().namespaced;
    let first = rows.len();
    for record in table.rows.iter().filter(|r| in_scope(scope, r)) {
        let meta = record.meta();
        let mut cells = vec![Cell::text(cluster.info.name.clone())];
        if namespaced {
            cells.push(Cell::text(meta.namespace.clone()));
        }
        cells.push(Cell::text(meta.name.clone()));
        let tone = columns::cells(cluster, record, now, &mut cells);
        let age = meta.created.map(|created| created.age(now));
        cells.push(age.map_or_else(|| Cell::text("?"), |age| Cell::number(age.to_string(), age.seconds())));
        rows.push(SheetRow {
            id: RowId::Object(record.key(cluster.id)),
            tone,
            cells,
            objects: vec![record.key(cluster.id)],
            stale,
        });
    }
    let place = |row: &SheetRow| match &row.id {
        RowId::Object(key) => (key.namespace.clone(), key.name.clone()),
        _ => (Text::EMPTY, Text::EMPTY),
    };
    rows[first..].sort_by_cached_key(place);
}

fn in_scope(scope: &Scope, record: &Record) -> bool {
    match record {
        Record::Node(node) => scope.holds_node(node),
        Record::Pod(_) | Record::Workload(_) => scope.holds_namespace(&record.meta().namespace),
        _ if record.kind().names().namespaced => scope.holds_namespace(&record.meta().namespace),
        _ => true,
    }
}

/// What people call it when an object of this kind is not fine.
const fn trouble(kind: Kind) -> &'static str {
    match kind {
        Kind::Node
        | Kind::Pod
        | Kind::Deployment
        | Kind::StatefulSet
        | Kind::DaemonSet
        | Kind::ReplicaSet => "not ready",
        Kind::Claim | Kind::Volume => "not bound",
        Kind::Event => "warnings",
        _ => "in trouble",
    }
}

/// `48,213 pods in 24 clusters, 143 not ready.`
fn answer(kind: Kind, rows: usize, clusters: usize, troubled: usize) -> String {
    let plural = kind.names().plural;
    let rows = grouped(rows as u64);
    match troubled {
        0 => format!("{rows} {plural} in {clusters} clusters."),
        n => format!("{rows} {plural} in {clusters} clusters, {} {}.", grouped(n as u64), trouble(kind)),
    }
}

fn empty(kind: Kind, clusters: &[&Cluster]) -> String {
    let plural = kind.names().plural;
    let synced = clusters.iter().filter(|c| c.table(kind).synced.is_some()).count();
    if synced < clusters.len() {
        format!(
            "{synced} of {} clusters have answered with their {plural}; rows appear as they come.",
            clusters.len()
        )
    } else {
        format!("No {plural} in {} clusters. esc widens.", clusters.len())
    }
}

/// What is not in the table, and why.
fn footer(kind: Kind, clusters: &[&Cluster]) -> String {
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for cluster in clusters {
        let table = cluster.table(kind);
        let reason = match table.link.state {
            LinkState::Denied => "⊘ not allowed".to_owned(),
            LinkState::Missing => "not served".to_owned(),
            LinkState::Listing { got, of } => match of {
                Some(of) => format!("… {} of about {}", grouped(got.into()), grouped(of.into())),
                None => format!("… {} so far", grouped(got.into())),
            },
            LinkState::Broken => {
                let why = table.link.fault.as_ref().map_or("no answer", |f| Cause::word(f.cause));
                format!("◌ {why}, as last seen")
            }
            _ if table.unreadable > 0 => format!("{} could not be read", table.unreadable),
            _ => continue,
        };
        reasons.entry(reason).or_default().push(&cluster.info.name);
    }
    let parts: Vec<String> = reasons
        .into_iter()
        .map(|(reason, names)| match names.as_slice() {
            [one] => format!("{reason}: {one}"),
            many => format!("{reason}: {} clusters", many.len()),
        })
        .collect();
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{ClusterId, ClusterInfo, Fleet, Meta, Uid, Workload};

    fn meta() -> Meta {
        Meta { name: "x".into(), namespace: "n".into(), uid: Uid::parse("x"), ..Meta::default() }
    }

    fn record(kind: Kind) -> Record {
        match kind {
            Kind::Node => Record::Node(crate::model::Node { meta: meta(), ..Default::default() }),
            Kind::Namespace => {
                Record::Namespace(crate::model::Namespace { meta: meta(), ..Default::default() })
            }
            Kind::Pod => Record::Pod(crate::model::Pod { meta: meta(), ..Default::default() }),
            Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::ReplicaSet => {
                Record::Workload(Workload { meta: meta(), ..Workload::empty(kind) })
            }
            Kind::Job => Record::Job(crate::model::Job { meta: meta(), ..Default::default() }),
            Kind::CronJob => Record::CronJob(crate::model::CronJob { meta: meta(), ..Default::default() }),
            Kind::Autoscaler => {
                Record::Autoscaler(crate::model::Autoscaler { meta: meta(), ..Default::default() })
            }
            Kind::Budget => Record::Budget(crate::model::Budget { meta: meta(), ..Default::default() }),
            Kind::Event => Record::Event(crate::model::Event { meta: meta(), ..Default::default() }),
            Kind::Service => Record::Service(crate::model::Service { meta: meta(), ..Default::default() }),
            Kind::Claim => Record::Claim(crate::model::Claim { meta: meta(), ..Default::default() }),
            Kind::Volume => Record::Volume(crate::model::Volume { meta: meta(), ..Default::default() }),
            Kind::StorageClass => {
                Record::StorageClass(crate::model::StorageClass { meta: meta(), ..Default::default() })
            }
        }
    }

    #[test]
    fn every_kind_has_a_cell_for_each_column() {
        let now = Time::from_seconds(100);
        for kind in Kind::ALL {
            let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), now);
            cluster.tables[kind.index()].rows.insert(Arc::new(record(kind)));
            let snapshot = Snapshot::new(now, 1, Fleet { clusters: vec![Arc::new(cluster)] });
            let sheet = sheet(&snapshot, &Scope::All, kind, now);
            assert_eq!(sheet.rows.len(), 1, "{kind:?}");
            assert_eq!(sheet.rows[0].cells.len(), sheet.columns.len(), "{kind:?}");
            assert!(sheet.answer.starts_with("1 "), "{}", sheet.answer);
        }
    }
}
