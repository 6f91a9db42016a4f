//! The objects pane: any watched kind, every cluster in scope, one table.

mod columns;

use std::collections::BTreeMap;

use crate::model::{Cause, Cell, Cluster, Column, Kind, LinkState, Record, Text, Time, Tone, grouped};
use crate::views::health::{counted, denied};
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
    let clusters: Vec<&Cluster> =
        snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).map(AsRef::as_ref).collect();
    Sheet {
        answer: answer(kind, &rows, &clusters, finished(scope, kind, &clusters)).into(),
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
    let guests = if kind == Kind::Node { columns::guests(cluster) } else { None };
    for record in table.rows.iter().filter(|r| in_scope(scope, r)) {
        let meta = record.meta();
        let mut cells = vec![Cell::text(cluster.info.name.clone())];
        if namespaced {
            cells.push(Cell::text(meta.namespace.clone()));
        }
        cells.push(Cell::text(meta.name.clone()));
        let tone = columns::cells(cluster, record, guests.as_ref(), now, &mut cells);
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

/// Pods that have ended: every other figure leaves them out, so the sentence says how many they are.
fn finished(scope: &Scope, kind: Kind, clusters: &[&Cluster]) -> usize {
    if kind != Kind::Pod {
        return 0;
    }
    let here = |pod: &&crate::model::Pod| pod.finished() && scope.holds_namespace(&pod.meta.namespace);
    clusters.iter().map(|cluster| cluster.pods().filter(here).count()).sum()
}

/// `48,213 pods in 24 clusters, 9 of them finished, 143 not ready.`,
/// `45+? pods in 3 clusters; pods of 1 cluster not readable.`
fn answer(kind: Kind, rows: &[SheetRow], clusters: &[&Cluster], finished: usize) -> String {
    let names = kind.names();
    let unread = clusters.iter().filter(|c| denied(c).any(|table| table.kind == kind)).count();
    let unlisted = |c: &&&Cluster| !counted(c, kind) && c.table(kind).link.state != LinkState::Missing;
    let known = match (rows.len(), clusters.iter().any(|c| unlisted(&c))) {
        (0, true) => "?".to_owned(),
        (n, true) => format!("{}+?", grouped(n as u64)),
        (n, false) => grouped(n as u64),
    };
    let noun = if known == "1" { names.kind.to_lowercase() } else { names.plural.to_owned() };
    let mut text = format!("{known} {noun} in {}", many(clusters.len()));
    let troubled = rows.iter().filter(|row| row.tone >= Tone::Warn).count();
    for (n, word) in [(finished, "of them finished"), (troubled, trouble(kind))] {
        if n > 0 {
            text.push_str(&format!(", {} {word}", grouped(n as u64)));
        }
    }
    if unread > 0 {
        text.push_str(&format!("; {} of {} not readable", names.plural, many(unread)));
    }
    text.push('.');
    text
}

/// `1 cluster`, `3 clusters`.
fn many(clusters: usize) -> String {
    if clusters == 1 { "1 cluster".to_owned() } else { format!("{clusters} clusters") }
}

fn empty(kind: Kind, clusters: &[&Cluster]) -> String {
    let plural = kind.names().plural;
    let answered = clusters
        .iter()
        .filter(|c| {
            let table = c.table(kind);
            table.synced.is_some() || matches!(table.link.state, LinkState::Denied | LinkState::Missing)
        })
        .count();
    let unread = clusters.iter().filter(|c| denied(c).any(|table| table.kind == kind)).count();
    let all = many(clusters.len());
    if answered < clusters.len() {
        format!("{answered} of {all} answered with their {plural}; rows appear as they come.")
    } else if unread > 0 {
        format!("{plural} of {} are not readable (403); Fleet and Health name what is missing.", many(unread))
    } else {
        format!("No {plural} in {all}. esc widens.")
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
            cluster.tables[kind.index()].synced = Some(now);
            let snapshot = Snapshot::new(now, 1, Fleet { clusters: vec![Arc::new(cluster)] });
            let sheet = sheet(&snapshot, &Scope::All, kind, now);
            assert_eq!(sheet.rows.len(), 1, "{kind:?}");
            assert_eq!(sheet.rows[0].cells.len(), sheet.columns.len(), "{kind:?}");
            assert!(sheet.answer.starts_with("1 "), "{}", sheet.answer);
        }
    }

    #[test]
    fn what_may_not_be_read_is_not_counted_as_nothing() {
        let now = Time::from_seconds(100);
        let kind = Kind::Pod;
        let cluster = |id: u16, state: LinkState| {
            let mut cluster = Cluster::new(ClusterId(id), Arc::new(ClusterInfo::default()), now);
            let table = &mut cluster.tables[kind.index()];
            if state == LinkState::Live {
                let ended = crate::model::Pod {
                    meta: meta(),
                    phase: crate::model::Phase::Succeeded,
                    ..Default::default()
                };
                table.rows.insert(Arc::new(Record::Pod(ended)));
                table.synced = Some(now);
            }
            table.link.state = state;
            Arc::new(cluster)
        };
        let told = |clusters| {
            let snapshot = Snapshot::new(now, 1, Fleet { clusters });
            let sheet = sheet(&snapshot, &Scope::All, kind, now);
            (sheet.answer.to_string(), sheet.empty.to_string())
        };
        let (answer, _) = told(vec![cluster(0, LinkState::Live), cluster(1, LinkState::Denied)]);
        assert_eq!(answer, "1+? pods in 2 clusters, 1 of them finished; pods of 1 cluster not readable.");
        let (answer, empty) = told(vec![cluster(1, LinkState::Denied)]);
        assert_eq!(answer, "? pods in 1 cluster; pods of 1 cluster not readable.");
        assert!(empty.starts_with("pods of 1 cluster are not readable (403)"), "{empty}");
    }

    #[test]
    fn a_node_says_how_many_pods_it_has() {
        let now = Time::from_seconds(100);
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), now);
        let mut node = crate::model::Node { meta: meta(), ..Default::default() };
        node.allocatable.pods = 110;
        let pod = crate::model::Pod { meta: meta(), node: "x".into(), ..Default::default() };
        cluster.tables[Kind::Node.index()].rows.insert(Arc::new(Record::Node(node)));
        cluster.tables[Kind::Pod.index()].rows.insert(Arc::new(Record::Pod(pod)));
        let shown = |cluster: &Cluster| {
            let snapshot = Snapshot::new(now, 1, Fleet { clusters: vec![Arc::new(cluster.clone())] });
            sheet(&snapshot, &Scope::All, Kind::Node, now).rows[0].cells[3].text.to_string()
        };
        assert_eq!(shown(&cluster), "?/110");
        cluster.tables[Kind::Pod.index()].synced = Some(now);
        assert_eq!(shown(&cluster), "1/110");
    }
}
