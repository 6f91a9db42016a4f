//! The objects pane: any watched kind, every cluster in scope, one table.

mod columns;
mod field;
mod fields;
mod listing;
mod part;
mod tones;

pub use listing::{Listed, Listing};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Cause, Cluster, Column, Kind, LinkState, Time, grouped, many};
use crate::views::health::{counted, denied, old, usage_age, usage_stale};
use crate::views::{Hint, Scope, Sheet, SheetRows, Snapshot};
use part::Tally;

/// Every object of a kind in scope, by cluster, namespace and name. `before` is the sheet of the same
/// kind and scope that this one follows, if there is one: what did not change is taken from it.
#[must_use]
pub fn sheet(snapshot: &Snapshot, scope: &Scope, kind: Kind, now: Time, before: Option<&Sheet>) -> Sheet {
    let names = kind.names();
    let mut columns = vec![Column::left("cluster", 12, 100)];
    if names.namespaced {
        columns.push(Column::left("namespace", 16, 98));
    }
    columns.push(Column::left("name", 0, 99));
    columns.extend(columns::of(kind));
    columns.push(Column::right("age", 6, 90));

    let clusters: Vec<&Arc<Cluster>> = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).collect();
    let before = before.and_then(|sheet| match &sheet.rows {
        SheetRows::Listed(listing) => Some(&**listing),
        SheetRows::Made(_) => None,
    });
    let rows = Listing::new(&clusters, scope, kind, now, before);
    Sheet {
        answer: answer(kind, &rows, &clusters, now).into(),
        charts: Vec::new(),
        columns,
        empty: empty(kind, &clusters).into(),
        footer: footer(kind, &clusters, now).into(),
        hints: if served_nowhere(kind, &clusters) { Vec::new() } else { vec![Hint::Widen] },
        rows: SheetRows::Listed(Box::new(rows)),
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

/// `48,213 pods in 24 clusters, 9 of them finished, 143 not ready.`,
/// `45+? pods in 3 clusters; pods of 1 cluster not readable.`
fn answer(kind: Kind, rows: &Listing, clusters: &[&Arc<Cluster>], now: Time) -> String {
    let names = kind.names();
    if rows.is_empty() && served_nowhere(kind, clusters) {
        return empty(kind, clusters);
    }
    let unread = clusters.iter().filter(|c| denied(c).any(|table| table.kind == kind)).count();
    let unlisted = |c: &&&Arc<Cluster>| !counted(c, kind) && c.table(kind).link.state != LinkState::Missing;
    let listed_before = |c: &&Arc<Cluster>| c.table(kind).synced.is_some() && old(c, kind, now);
    let about = if clusters.iter().any(listed_before) { "~" } else { "" };
    let known = match (rows.len(), clusters.iter().any(|c| unlisted(&c))) {
        (0, true) => "?".to_owned(),
        (n, true) => format!("{about}{}+?", grouped(n as u64)),
        (n, false) => format!("{about}{}", grouped(n as u64)),
    };
    let noun = if known == "1" { names.kind.to_lowercase() } else { names.plural.to_owned() };
    let mut text = format!("{known} {noun} in {}", many(clusters.len(), "cluster"));
    // Every other figure leaves out pods that ended, so the sentence says how many they are.
    let Tally { finished, troubled } = rows.tally();
    for (n, word) in [(finished, "of them finished"), (troubled, trouble(kind))] {
        if n > 0 {
            text.push_str(&format!(", {} {word}", grouped(n as u64)));
        }
    }
    if unread > 0 {
        text.push_str(&format!("; {} of {} not readable", names.plural, many(unread, "cluster")));
    }
    text.push('.');
    text
}

/// Whether no cluster in scope has this kind at all.
fn served_nowhere(kind: Kind, clusters: &[&Arc<Cluster>]) -> bool {
    !clusters.is_empty() && clusters.iter().all(|c| c.table(kind).link.state == LinkState::Missing)
}

fn empty(kind: Kind, clusters: &[&Arc<Cluster>]) -> String {
    let plural = kind.names().plural;
    let answered = clusters
        .iter()
        .filter(|c| {
            let table = c.table(kind);
            table.synced.is_some() || table.link.refused()
        })
        .count();
    let unread = clusters.iter().filter(|c| denied(c).any(|table| table.kind == kind)).count();
    let all = many(clusters.len(), "cluster");
    if served_nowhere(kind, clusters) {
        return format!("{plural} are not served in {all}.");
    }
    if answered < clusters.len() {
        format!("{answered} of {all} answered with their {plural}; rows appear as they come.")
    } else if unread > 0 {
        format!(
            "{plural} of {} are not readable (403); Fleet and Health name what is missing.",
            many(unread, "cluster")
        )
    } else {
        format!("No {plural} in {all}.")
    }
}

/// What is not in the table, and why.
fn footer(kind: Kind, clusters: &[&Arc<Cluster>], now: Time) -> String {
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
            _ if table.bounded => "only the newest kept".to_owned(),
            _ => continue,
        };
        reasons.entry(reason).or_default().push(&cluster.info.name);
    }
    let measured = clusters.iter().filter(|_| matches!(kind, Kind::Node | Kind::Pod));
    for cluster in measured.filter(|cluster| usage_stale(cluster, now)) {
        let age = usage_age(cluster, now).map_or_else(String::new, |age| format!(", {age} ago"));
        reasons.entry(format!("◌ use as last measured{age}")).or_default().push(&cluster.info.name);
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
    use super::*;
    use crate::model::{ClusterId, ClusterInfo, Fleet, Meta, Record, Uid, Workload};

    fn meta() -> Meta {
        Meta { name: "x".into(), namespace: "n".into(), uid: Uid::parse("x"), ..Meta::default() }
    }

    fn record(kind: Kind) -> Record {
        match kind {
            Kind::Node => Record::from(crate::model::Node { meta: meta(), ..Default::default() }),
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
            let sheet = sheet(&snapshot, &Scope::All, kind, now, None);
            assert_eq!(sheet.rows.len(), 1, "{kind:?}");
            assert_eq!(sheet.rows.get(0).unwrap().cells.len(), sheet.columns.len(), "{kind:?}");
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
            let sheet = sheet(&snapshot, &Scope::All, kind, now, None);
            (sheet.answer.to_string(), sheet.empty.to_string())
        };
        let (answer, _) = told(vec![cluster(0, LinkState::Live), cluster(1, LinkState::Denied)]);
        assert_eq!(answer, "1+? pods in 2 clusters, 1 of them finished; pods of 1 cluster not readable.");
        let (answer, empty) = told(vec![cluster(1, LinkState::Denied)]);
        assert_eq!(answer, "? pods in 1 cluster; pods of 1 cluster not readable.");
        assert!(empty.starts_with("pods of 1 cluster are not readable (403)"), "{empty}");
        let missing = || cluster(1, LinkState::Missing);
        let (answer, empty) = told(vec![missing()]);
        assert_eq!((answer.as_str(), &empty), ("pods are not served in 1 cluster.", &answer));
        let (answer, _) = told(vec![cluster(0, LinkState::Live), missing()]);
        assert_eq!(answer, "1 pod in 2 clusters, 1 of them finished.");
    }

    #[test]
    fn a_node_says_how_many_pods_it_has() {
        let now = Time::from_seconds(100);
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), now);
        let mut node = crate::model::Node { meta: meta(), ..Default::default() };
        node.allocatable.pods = 110;
        let pod = crate::model::Pod { meta: meta(), node: "x".into(), ..Default::default() };
        cluster.tables[Kind::Node.index()].rows.insert(Arc::new(Record::from(node)));
        cluster.tables[Kind::Pod.index()].rows.insert(Arc::new(Record::Pod(pod)));
        let shown = |cluster: &Cluster| {
            let snapshot = Snapshot::new(now, 1, Fleet { clusters: vec![Arc::new(cluster.clone())] });
            let sheet = sheet(&snapshot, &Scope::All, Kind::Node, now, None);
            sheet.rows.get(0).unwrap().cells[3].text.to_string()
        };
        assert_eq!(shown(&cluster), "?/110");
        cluster.tables[Kind::Pod.index()].synced = Some(now);
        assert_eq!(shown(&cluster), "1/110");
    }

    #[test]
    fn use_that_was_measured_too_long_ago_says_so() {
        let now = Time::from_seconds(1000);
        let shown = |measured: i64| {
            let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), now);
            for record in [record(Kind::Node), record(Kind::Pod)] {
                cluster.tables[record.kind().index()].rows.insert(Arc::new(record));
            }
            let used = crate::model::Used { cpu: 250, memory: 64 << 20 };
            cluster.usage = Arc::new(crate::model::Usage {
                measured: Some(Time::from_seconds(measured)),
                pods: [(("n", "x"), used)].into_iter().collect(),
                ..Default::default()
            });
            // It came just now, but the server measured it long before.
            cluster.usage_at = Some(now);
            let snapshot = Snapshot::new(now, 1, Fleet { clusters: vec![Arc::new(cluster)] });
            let sheet = sheet(&snapshot, &Scope::All, Kind::Pod, now, None);
            let row = sheet.rows.get(0).unwrap();
            (row.cells[6].text.to_string(), row.cells[7].text.to_string(), sheet.footer.to_string())
        };
        assert_eq!(shown(960), ("250m".to_owned(), "64 MiB".to_owned(), String::new()));
        let footer = "◌ use as last measured, 1m40s ago: ".to_owned();
        assert_eq!(shown(900), ("~250m".to_owned(), "~64 MiB".to_owned(), footer));
    }

    fn pod(name: &str, status: &str) -> Record {
        let meta =
            Meta { name: name.into(), namespace: "n".into(), uid: Uid::parse(name), ..Meta::default() };
        let reason = status.into();
        Record::Pod(crate::model::Pod {
            meta,
            reason,
            scheduled: Some(Time::from_seconds(1)),
            ..Default::default()
        })
    }

    fn listing(sheet: &Sheet) -> &Listing {
        match &sheet.rows {
            SheetRows::Listed(listing) => listing,
            SheetRows::Made(_) => panic!("rows of objects are written when they are looked at"),
        }
    }

    #[test]
    fn rows_come_by_name_and_are_found_sorted_and_kept() {
        let now = Time::from_seconds(100);
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), now);
        let rows = &mut cluster.tables[Kind::Pod.index()].rows;
        for (name, status) in [("c", "Y"), ("a", "Z"), ("b", "X")] {
            rows.insert(Arc::new(pod(name, status)));
        }
        let shown = |cluster: &Cluster, before: Option<&Sheet>| {
            let snapshot = Snapshot::new(now, 1, Fleet { clusters: vec![Arc::new(cluster.clone())] });
            sheet(&snapshot, &Scope::All, Kind::Pod, now, before)
        };
        let names = |sheet: &Sheet, order: &[u32]| -> Vec<String> {
            let name = |at: &u32| sheet.rows.get(*at as usize).unwrap().cells[2].text.to_string();
            order.iter().map(name).collect()
        };
        let first = shown(&cluster, None);
        assert_eq!(names(&first, &[0, 1, 2]), ["a", "b", "c"]);
        for at in 0..3 {
            let id = first.rows.get(at).unwrap().id.clone();
            assert_eq!(first.rows.find(&id), Some(at));
        }
        let by_status = listing(&first).sorted(4, false);
        assert_eq!(names(&first, &by_status), ["b", "c", "a"]);
        assert_eq!(names(&first, &listing(&first).sorted(4, true)), ["a", "c", "b"]);

        // A newer version of an object moves nothing; a new object is told apart and left out.
        let place = cluster.tables[Kind::Pod.index()].rows.places().find(|(_, r)| r.meta().name == "a");
        let place = place.unwrap().0;
        cluster.tables[Kind::Pod.index()].rows.replace(place, Arc::new(pod("a", "W")));
        let second = shown(&cluster, Some(&first));
        assert_eq!(
            listing(&second).keep_order(&[0, 1, 2], listing(&first), &by_status),
            (by_status.clone(), 0)
        );
        assert_eq!(second.rows.get(0).unwrap().cells[4].text, "W");
        cluster.tables[Kind::Pod.index()].rows.insert(Arc::new(pod("aa", "Q")));
        let third = shown(&cluster, Some(&second));
        let (kept, new) = listing(&third).keep_order(&[0, 1, 2, 3], listing(&second), &by_status);
        assert_eq!((names(&third, &kept), new), (vec!["b".to_owned(), "c".to_owned(), "a".to_owned()], 1));
    }

    #[test]
    fn every_cell_is_found_by_what_it_says() {
        let now = Time::from_seconds(100_000);
        for kind in Kind::ALL {
            let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), now);
            cluster.tables[kind.index()].rows.insert(Arc::new(record(kind)));
            let snapshot = Snapshot::new(now, 1, Fleet { clusters: vec![Arc::new(cluster)] });
            let sheet = sheet(&snapshot, &Scope::All, kind, now, None);
            let row = listing(&sheet).get(0).unwrap();
            for cell in row.row().cells.iter().filter(|cell| !cell.text.is_empty()) {
                let word = cell.text.to_lowercase();
                let found = |text: &str| text.to_lowercase().contains(&word);
                assert!(row.says(&word, &mut String::new(), &found), "{kind:?} {word}");
            }
        }
    }
}
