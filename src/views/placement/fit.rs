//! Could B take A's load? By what pods ask for against what open nodes of B have free.
//!
//! Affinity, topology and ports are not looked at: the scheduler has the last word.

use std::collections::BTreeMap;

use crate::model::{Cell, Cluster, Column, Resources, Text, Time, Tone};
use crate::views::capacity::room;
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
    let rows: Vec<SheetRow> = clusters.iter().filter_map(|from| best(from, &clusters, scope, now)).collect();
    let whole = rows.iter().filter(|row| row.tone == Tone::Ok).count();
    Sheet {
        answer: Text::clean(&format!(
            "{whole} of {} clusters fit whole into another one, by what pods ask for.",
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
    snapshot.fleet.clusters.iter().filter(|c| scope.holds(c) && c.seen()).map(AsRef::as_ref).collect()
}

fn best(from: &Cluster, clusters: &[&Cluster], scope: &Scope, now: Time) -> Option<SheetRow> {
    let load = load(from, scope);
    let others = clusters.iter().filter(|to| to.id != from.id);
    let (to, fit) = others.map(|to| (to, fit(&load, to))).max_by_key(|(_, fit)| fit.fits)?;
    let free: Resources =
        room(to).iter().fold(Resources::ZERO, |sum, room| sum + room.free.max(Resources::ZERO));
    let percent = free.cpu.saturating_mul(100).checked_div(to.totals.allocatable.cpu);
    Some(SheetRow {
        id: RowId::Cluster(from.id),
        tone: fit.tone(),
        cells: vec![
            Cell::text(from.info.name.clone()),
            Cell::text(to.info.name.clone()),
            Cell::number(format!("{} of {}", fit.fits, fit.all), i64::try_from(fit.fits).unwrap_or(i64::MAX)),
            Cell::text(fit.reasons()),
            percent.map_or_else(|| Cell::text("?"), |percent| Cell::number(percent.to_string(), percent)),
        ],
        objects: Vec::new(),
        stale: from.link.stale(now) || to.link.stale(now),
    })
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
    let mut rooms: Vec<Resources> = room(to).into_iter().map(|room| room.free).collect();
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
        if self.lacks.is_empty() {
            return "all of it fits".to_owned();
        }
        let parts: Vec<String> = self.lacks.iter().map(|(why, n)| format!("{why} {n}")).collect();
        format!("{} not: {}", self.all - self.fits, parts.join(", "))
    }
}

/// How the load of a cluster would fit into each of the others, the best first.
pub(super) fn evidence(snapshot: &Snapshot, scope: &Scope, row: &RowId) -> Evidence {
    let RowId::Cluster(id) = row else { return Evidence::default() };
    let Some(from) = snapshot.fleet.cluster(*id) else { return Evidence::default() };
    let load = load(from, scope);
    let clusters = in_scope(snapshot, scope);
    let mut fits: Vec<(&Text, Fit)> = clusters
        .iter()
        .filter(|to| to.id != *id)
        .take(MOST)
        .map(|to| (&to.info.name, fit(&load, to)))
        .collect();
    fits.sort_by_key(|(_, fit)| std::cmp::Reverse(fit.fits));
    let line = |(name, fit): &(&Text, Fit)| EvidenceLine {
        at: None,
        label: (*name).clone(),
        text: format!("{} of {}; {}", fit.fits, fit.all, fit.reasons()).into(),
        tone: fit.tone(),
    };
    Evidence {
        title: Text::clean(&format!("the load of {} elsewhere, by requests", from.info.name)),
        lines: fits.iter().map(line).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Record;
    use crate::views::scenes::{Scene, cells, node, now, pod, snapshot};

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
                Record::Node(node("n1", "p", "z")),
                Record::Pod(greedy),
                Record::Pod(stored),
                Record::Pod(web),
            ],
            now(),
        );
        let to = Scene::new(1, "b").with(&[], vec![Record::Node(node("n2", "p", "z"))], now());
        let snapshot = snapshot(vec![from, to]);
        let sheet = sheet(&snapshot, &Scope::All, now());
        assert_eq!(cells(&sheet.rows[0]), "a | b | 1 of 3 | 2 not: GPU 1, data on its volumes 1 | 100");
        assert_eq!(sheet.rows[0].tone, Tone::Warn);
        assert_eq!(sheet.rows[1].tone, Tone::Ok, "an empty cluster fits anywhere");
        let proof = evidence(&snapshot, &Scope::All, &sheet.rows[0].id);
        assert_eq!(proof.lines.len(), 1);
    }
}
