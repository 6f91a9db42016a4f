//! Could B take A's load? By what pods ask for against what open nodes of B have free.
//!
//! Affinity, topology and ports are not looked at: the scheduler has the last word. A cluster takes
//! part only with what is known of it: without its pods every node would look empty.

use std::collections::BTreeMap;

use crate::model::{Cell, Cluster, Column, Kind, Node, Resources, Text, Time, Tone};
use crate::views::capacity::room;
use crate::views::health::{Standing, counted, old, standing};
use crate::views::{Evidence, EvidenceLine, Hint, RowId, Scope, Sheet, SheetRow, Snapshot};

/// Every cluster is compared with every other: more than this are too many to read, too.
const MOST: usize = 16;

/// Which pods of a cluster found room elsewhere.
struct Fit {
    fits: usize,
    all: usize,
    /// What the others want that is not free, with how many they are.
    lacks: BTreeMap<&'static str, usize>,
}

pub(super) fn sheet(snapshot: &Snapshot, scope: &Scope, now: Time) -> Sheet {
    let clusters = in_scope(snapshot, scope);
    let columns = vec![
        Column::left("load of", 14, 100),
        Column::left("best taken by", 14, 99),
        Column::right("fit", 12, 98),
        Column::left("what does not", 0, 90),
        Column::right("free cpu %", 10, 50),
    ];
    if clusters.len() < 2 || clusters.len() > MOST {
        let empty = match clusters.len() {
            0 | 1 => "One cluster has no other to take its load.".to_owned(),
            n => format!(
                "{n} clusters are too many to compare, {MOST} at most: choose a group in the tree (f)."
            ),
        };
        return Sheet { columns, empty: empty.into(), ..Sheet::default() };
    }
    let rows: Vec<SheetRow> = clusters.iter().map(|from| row(from, &clusters, scope, now)).collect();
    let whole = rows.iter().filter(|row| row.tone == Tone::Ok).count();
    let blind = rows.iter().filter(|row| row.cells.get(2).is_some_and(|cell| cell.text == "?")).count();
    let unknown = if blind > 0 { format!(" Of {blind} that cannot be said.") } else { String::new() };
    Sheet {
        answer: Text::clean(&format!(
            "{whole} of {} clusters fit whole into another one, by what pods ask for.{unknown}",
            rows.len()
        )),
        columns,
        rows: rows.into(),
        empty: "No load in this scope.".into(),
        hints: vec![Hint::Widen],
        footer: "affinity, topology and ports are not looked at; pods of daemon sets stay".into(),
        ..Sheet::default()
    }
}

fn in_scope<'a>(snapshot: &'a Snapshot, scope: &Scope) -> Vec<&'a Cluster> {
    snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).map(AsRef::as_ref).collect()
}

/// Why nobody can say what a cluster's load is, and how that looks; `None` where it is known, be it
/// as last seen: to move the load of a cluster that is silent is what the question is for.
fn blind(cluster: &Cluster, now: Time) -> Option<(&'static str, Tone)> {
    let kind = [Kind::Node, Kind::Pod].into_iter().find(|kind| !counted(cluster, *kind))?;
    Some(match standing(cluster, now) {
        Standing::Connecting => ("still connecting", Tone::Connecting),
        Standing::Unseen => ("it was never seen", Tone::Unseen),
        Standing::Denied => ("it lets nobody in", Tone::Denied),
        Standing::Live if kind == Kind::Pod => ("its pods are not readable", Tone::Denied),
        Standing::Live => ("its nodes are not readable", Tone::Denied),
    })
}

/// Whether a cluster could take anything: it answers, and what is free there is known.
fn takes(cluster: &Cluster, now: Time) -> bool {
    standing(cluster, now) == Standing::Live && blind(cluster, now).is_none()
}

fn row(from: &Cluster, clusters: &[&Cluster], scope: &Scope, now: Time) -> SheetRow {
    let unknown = |why: &str, tone: Tone| SheetRow {
        id: RowId::Cluster(from.id),
        tone,
        cells: vec![
            Cell::text(from.info.name.clone()),
            Cell::text("?"),
            Cell::text("?"),
            Cell::text(why),
            Cell::text("?"),
        ],
        objects: Vec::new(),
        stale: old(from, Kind::Pod, now),
    };
    if let Some((why, tone)) = blind(from, now) {
        return unknown(why, tone);
    }
    let load = load(from, scope);
    let others = clusters.iter().filter(|to| to.id != from.id && takes(to, now));
    // Of equally good ones the first, as in the evidence.
    match others.map(|to| (to, fit(&load, to))).min_by_key(|(_, fit)| std::cmp::Reverse(fit.fits)) {
        Some((to, fit)) => known(from, to, &fit, now),
        None => unknown("no other cluster is known well enough", Tone::Unseen),
    }
}

fn known(from: &Cluster, to: &Cluster, fit: &Fit, now: Time) -> SheetRow {
    let free: Resources =
        room(to, Node::open).iter().fold(Resources::ZERO, |sum, room| sum + room.free.max(Resources::ZERO));
    let percent = free.cpu.saturating_mul(100).checked_div(to.totals.allocatable.cpu);
    let seen_before = old(from, Kind::Pod, now);
    let about = if seen_before { "~" } else { "" };
    let count = format!("{about}{} of {}", fit.fits, fit.all);
    SheetRow {
        id: RowId::Cluster(from.id),
        tone: fit.tone(),
        cells: vec![
            Cell::text(from.info.name.clone()),
            // Where nothing has to move, nobody takes it.
            Cell::text(if fit.all == 0 { Text::from("-") } else { to.info.name.clone() }),
            Cell::number(count, i64::try_from(fit.fits).unwrap_or(i64::MAX)),
            Cell::text(fit.reasons()),
            percent.map_or_else(|| Cell::text("?"), |percent| Cell::number(percent.to_string(), percent)),
        ],
        objects: Vec::new(),
        stale: seen_before,
    }
}

/// What would have to go elsewhere: pods that run and are of no daemon set, the largest first.
fn load(cluster: &Cluster, scope: &Scope) -> Vec<(Resources, bool)> {
    let moves = |pod: &&crate::model::Pod| {
        let stays =
            pod.meta.owner.as_ref().is_some_and(|owner| owner.kind == "DaemonSet" || owner.kind == "Node");
        !pod.finished() && !stays && scope.holds_namespace(&pod.meta.namespace)
    };
    let mut load: Vec<(Resources, bool)> = cluster
        .pods()
        .filter(moves)
        .map(|pod| (Resources { pods: 1, ..pod.requests }, !pod.claims.is_empty()))
        .collect();
    load.sort_by_key(|(asked, _)| std::cmp::Reverse((asked.gpus, asked.cpu, asked.memory)));
    load
}

fn fit(load: &[(Resources, bool)], to: &Cluster) -> Fit {
    let mut rooms: Vec<Resources> = room(to, Node::open).into_iter().map(|room| room.free).collect();
    let mut fit = Fit { fits: 0, all: load.len(), lacks: BTreeMap::new() };
    for (asked, has_data) in load {
        if *has_data {
            *fit.lacks.entry("data on its volumes").or_default() += 1;
            continue;
        }
        match rooms.iter_mut().find(|room| asked.fits(**room)) {
            Some(room) => {
                *room -= *asked;
                fit.fits += 1;
            }
            None => *fit.lacks.entry(lack(*asked, &rooms)).or_default() += 1,
        }
    }
    fit
}

/// What no node has enough of; several things together when each is somewhere.
fn lack(asked: Resources, rooms: &[Resources]) -> &'static str {
    let none = |of: fn(&Resources) -> i64| !rooms.iter().any(|room| of(room) >= of(&asked));
    match () {
        () if none(|r| r.gpus) => "GPU",
        () if none(|r| r.cpu) => "cpu",
        () if none(|r| r.memory) => "memory",
        () if none(|r| r.pods) => "pods per node",
        () => "cpu and memory together",
    }
}

impl Fit {
    fn tone(&self) -> Tone {
        match (self.fits, self.all) {
            (fits, all) if fits == all => Tone::Ok,
            (0, _) => Tone::Crit,
            _ => Tone::Warn,
        }
    }

    /// `7 not: GPU 5, data on its volumes 2`.
    fn reasons(&self) -> String {
        match (self.all, self.lacks.is_empty()) {
            (0, _) => "nothing has to move".to_owned(),
            (_, true) => "all of it fits".to_owned(),
            (_, false) => {
                let parts: Vec<String> = self.lacks.iter().map(|(why, n)| format!("{why} {n}")).collect();
                format!("{} not: {}", self.all - self.fits, parts.join(", "))
            }
        }
    }
}

/// How the load of a cluster would fit into each of the others, the best first; last those of
/// which that cannot be said, and why.
pub(super) fn evidence(snapshot: &Snapshot, scope: &Scope, row: &RowId, now: Time) -> Evidence {
    let RowId::Cluster(id) = row else { return Evidence::default() };
    let Some(from) = snapshot.fleet.cluster(*id) else { return Evidence::default() };
    let title = Text::clean(&format!("the load of {} elsewhere, by requests", from.info.name));
    let line = |name: &Text, text: String, tone: Tone| EvidenceLine {
        label: name.clone(),
        text: text.into(),
        tone,
        ..EvidenceLine::default()
    };
    if let Some((why, tone)) = blind(from, now) {
        return Evidence {
            title,
            lines: vec![line(&from.info.name, format!("? {why}"), tone)],
            ..Evidence::default()
        };
    }
    let load = load(from, scope);
    let others: Vec<&Cluster> =
        in_scope(snapshot, scope).into_iter().filter(|to| to.id != *id).take(MOST).collect();
    let mut fits: Vec<(&Text, Fit)> =
        others.iter().filter(|to| takes(to, now)).map(|to| (&to.info.name, fit(&load, to))).collect();
    fits.sort_by_key(|(_, fit)| std::cmp::Reverse(fit.fits));
    let mut lines: Vec<EvidenceLine> = fits
        .iter()
        .map(|(name, fit)| line(name, format!("{} of {}; {}", fit.fits, fit.all, fit.reasons()), fit.tone()))
        .collect();
    lines.extend(others.iter().filter(|to| !takes(to, now)).map(|to| {
        let (why, tone) =
            blind(to, now).unwrap_or(("it does not answer: nothing can go there", Tone::Unseen));
        line(&to.info.name, format!("? {why}"), tone)
    }));
    Evidence { title, lines, ..Evidence::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LinkState, Record};
    use crate::views::scenes::{Scene, cells, node, now, pod, snapshot};

    fn small(id: u16, name: &str) -> Scene {
        let records = vec![
            Record::from(node(&format!("n{id}"), "p", "z")),
            Record::Pod(pod("shop", "web", "a", "web:1", &format!("n{id}"))),
        ];
        Scene::new(id, name).with(&[], records, now())
    }

    #[test]
    fn what_does_not_fit_says_why() {
        let mut greedy = pod("ml", "embed", "a", "embed:1", "n1");
        greedy.requests.gpus = 1;
        let mut stored = pod("db", "pg", "a", "pg:1", "n1");
        stored.claims = Box::new(["data".into()]);
        let web = pod("shop", "web", "a", "web:1", "n1");
        let from = Scene::new(0, "a").with(
            &[],
            vec![
                Record::from(node("n1", "p", "z")),
                Record::Pod(greedy),
                Record::Pod(stored),
                Record::Pod(web),
            ],
            now(),
        );
        let to = Scene::new(1, "b").with(&[], vec![Record::from(node("n2", "p", "z"))], now());
        let snapshot = snapshot(vec![from, to]);
        let sheet = sheet(&snapshot, &Scope::All, now());
        assert_eq!(cells(&sheet.rows[0]), "a | b | 1 of 3 | 2 not: GPU 1, data on its volumes 1 | 100");
        assert_eq!(sheet.rows[0].tone, Tone::Warn);
        assert_eq!(cells(&sheet.rows[1]), "b | - | 0 of 0 | nothing has to move | 81");
        assert_eq!(sheet.rows[1].tone, Tone::Ok, "an empty cluster fits anywhere");
        let proof = evidence(&snapshot, &Scope::All, &sheet.rows[0].id, now());
        assert_eq!(proof.lines.len(), 1);
    }

    /// Nodes whose pods nobody may read look empty, and a silent cluster takes nothing.
    #[test]
    fn a_cluster_takes_part_only_with_what_is_known_of_it() {
        let secret = small(1, "secret").table(Kind::Pod, |table| {
            table.rows = crate::model::Rows::default();
            table.link.state = LinkState::Denied;
        });
        let coming = small(2, "coming").table(Kind::Pod, |table| {
            table.synced = None;
            table.link.state = LinkState::Listing { got: 0, of: None };
        });
        let silent = small(3, "silent").set(|c| {
            c.link.state = LinkState::Broken;
            c.link.heard = Some(crate::views::scenes::clock("02:00:00"));
        });
        let snapshot = snapshot(vec![small(0, "open"), secret, coming, silent]);
        let sheet = sheet(&snapshot, &Scope::All, now());
        let rows: Vec<String> = sheet.rows.iter().map(cells).collect();
        assert_eq!(
            rows,
            [
                "open | ? | ? | no other cluster is known well enough | ?",
                "secret | ? | ? | its pods are not readable | ?",
                "coming | ? | ? | still connecting | ?",
                "silent | open | ~1 of 1 | all of it fits | 93",
            ]
        );
        assert_eq!(
            sheet.answer,
            "1 of 4 clusters fit whole into another one, by what pods ask for. Of 3 that cannot be said."
        );
        let proof = evidence(&snapshot, &Scope::All, &sheet.rows[0].id, now());
        let said: Vec<&str> = proof.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            said,
            [
                "? its pods are not readable",
                "? still connecting",
                "? it does not answer: nothing can go there"
            ]
        );
    }
}
