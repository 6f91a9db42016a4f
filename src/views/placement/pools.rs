//! Node pools: how full they are, what is stranded in them, and whom they keep away.

use std::collections::BTreeMap;

use super::{all_counted, sum};
use crate::model::quantity::Cpu;
use crate::model::{
    Capacity, Cell, Cluster, Column, Kind, Node, ObjectKey, Record, Resources, Text, Time, Tone, Truth,
};
use crate::views::capacity::{Room, room};
use crate::views::health::{counted, old};
use crate::views::{Hint, RowId, Scope, Sheet, SheetRow, Snapshot};

/// A node on which less than this part of something is free, in hundredths, is full of it.
const FULL: i64 = 5;

/// One pool of one cluster.
#[derive(Default)]
struct Pool {
    nodes: u32,
    ready: u32,
    cordoned: u32,
    spot: u32,
    types: BTreeMap<Text, u32>,
    zones: BTreeMap<Text, u32>,
    taints: BTreeMap<String, u32>,
    allocatable: Resources,
    free: Resources,
    /// Free cpu, in milli-cores, of nodes that are full of something else: nobody can use it.
    stranded: i64,
    objects: Vec<ObjectKey>,
}

/// How sure what is said of a cluster's pools is.
#[derive(Clone, Copy)]
struct Sight {
    /// Whether its pods are known: without them nobody can say what is asked for.
    pods: bool,
    /// Whether its nodes are as last seen.
    old: bool,
}

pub(super) fn sheet(snapshot: &Snapshot, scope: &Scope, now: Time) -> Sheet {
    let mut rows = Vec::new();
    for cluster in snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)) {
        let sight = Sight { pods: counted(cluster, Kind::Pod), old: old(cluster, Kind::Node, now) };
        rows.extend(pools(cluster, scope).iter().map(|(name, pool)| row(cluster, name, pool, sight)));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.tone));
    let lame = rows.iter().filter(|r| r.tone >= Tone::Warn).count();
    let all = all_counted(snapshot, scope, &[Kind::Node]);
    let (count, lame) = (sum(rows.len() as u64, all), sum(lame as u64, all));
    let noun = if count == "1" { "node pool" } else { "node pools" };
    Sheet {
        answer: Text::clean(&format!("{count} {noun}, {lame} with nodes that are not ready.")),
        columns: columns(),
        rows: rows.into(),
        empty: if all { "No nodes in this scope." } else { "No nodes are known in this scope." }.into(),
        hints: vec![Hint::Widen],
        footer: "stranded: cpu that is free where memory or places for pods are full".into(),
        ..Sheet::default()
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::left("cluster", 12, 100),
        Column::left("pool", 0, 99),
        Column::right("nodes", 8, 95),
        Column::right("cordoned", 8, 60),
        Column::right("cpu %", 6, 90),
        Column::right("mem %", 6, 89),
        Column::right("stranded", 8, 68),
        Column::right("gpus", 7, 70),
        Column::right("spot", 5, 65),
        Column::left("taints", 24, 58),
        Column::left("types", 26, 50),
        Column::left("zones", 26, 55),
    ]
}

fn pools(cluster: &Cluster, scope: &Scope) -> BTreeMap<Text, Pool> {
    // A taint keeps others away; the pods that it is for fill the node like any other.
    let works =
        |node: &Node| node.ready == Truth::True && !node.unschedulable && node.meta.deleting.is_none();
    let room: rustc_hash::FxHashMap<Text, Room> =
        room(cluster, works).into_iter().map(|room| (room.node.clone(), room)).collect();
    let mut pools: BTreeMap<Text, Pool> = BTreeMap::new();
    for record in cluster.records(Kind::Node) {
        let Record::Node(node) = record.as_ref() else { continue };
        if scope.holds_node(node) {
            let pool = pools.entry(node.identity.pool.clone()).or_default();
            pool.add(node, room.get(&node.meta.name));
            pool.objects.push(record.key(cluster.id));
        }
    }
    pools
}

impl Pool {
    fn add(&mut self, node: &Node, room: Option<&Room>) {
        self.nodes += 1;
        self.ready += u32::from(node.ready == Truth::True);
        self.cordoned += u32::from(node.unschedulable);
        self.spot += u32::from(node.identity.capacity == Capacity::Spot);
        *self.types.entry(node.identity.instance_type.clone()).or_default() += 1;
        *self.zones.entry(node.identity.zone.clone()).or_default() += 1;
        // What a node's own state puts on it is in other columns.
        for taint in node.taints.iter().filter(|taint| !taint.key.starts_with("node.kubernetes.io/")) {
            let value = if taint.value.is_empty() { String::new() } else { format!("={}", taint.value) };
            *self.taints.entry(format!("{}{value}:{}", taint.key, taint.effect)).or_default() += 1;
        }
        // A node that takes no pods has no free room, but its size is not asked for either.
        if let Some(room) = room {
            self.allocatable += node.allocatable;
            self.free += room.free;
            let full = |free: i64, of: i64| free.saturating_mul(100) < of.saturating_mul(FULL);
            if full(room.free.memory, node.allocatable.memory) || full(room.free.pods, node.allocatable.pods)
            {
                self.stranded += room.free.cpu.max(0);
            }
        }
    }
}

fn row(cluster: &Cluster, name: &Text, pool: &Pool, sight: Sight) -> SheetRow {
    let asked = pool.allocatable - pool.free;
    let about = if sight.old { "~" } else { "" };
    let figure = |text: String, sort: i64| match sight.pods {
        true => Cell::number(format!("{about}{text}"), sort),
        false => Cell::text("?"),
    };
    let percent = |part: i64, whole: i64| match whole {
        ..=0 => Cell::text("-"),
        whole => figure((part.saturating_mul(100) / whole).to_string(), part.saturating_mul(100) / whole),
    };
    let spot = i64::from(pool.spot) * 100 / i64::from(pool.nodes.max(1));
    let shown = if name.is_empty() { Text::clean("(no pool)") } else { name.clone() };
    SheetRow {
        id: RowId::Part(Text::clean(&format!("{}/{shown}", cluster.info.name))),
        tone: if pool.ready < pool.nodes { Tone::Warn } else { Tone::Ok },
        cells: vec![
            Cell::text(cluster.info.name.clone()),
            Cell::text(shown),
            Cell::number(format!("{about}{}/{}", pool.ready, pool.nodes), i64::from(pool.nodes)),
            Cell::number(pool.cordoned.to_string(), i64::from(pool.cordoned)),
            percent(asked.cpu, pool.allocatable.cpu),
            percent(asked.memory, pool.allocatable.memory),
            match pool.stranded {
                0 if sight.pods => Cell::number("·", 0),
                stranded => figure(Cpu(stranded).to_string(), stranded),
            },
            match pool.allocatable.gpus {
                0 => Cell::text("-"),
                gpus => figure(format!("{}/{gpus}", asked.gpus), asked.gpus),
            },
            Cell::number(spot.to_string(), spot),
            Cell::text(taints(pool)),
            counts(&pool.types),
            counts(&pool.zones),
        ],
        objects: pool.objects.clone(),
        stale: sight.old,
    }
}

/// `dedicated=gpu:NoSchedule`, with how many nodes have it where not all do.
fn taints(pool: &Pool) -> String {
    let part = |(taint, n): (&String, &u32)| match *n {
        n if n == pool.nodes => taint.clone(),
        n => format!("{n}× {taint}"),
    };
    if pool.taints.is_empty() {
        "·".to_owned()
    } else {
        pool.taints.iter().map(part).collect::<Vec<_>>().join(" ")
    }
}

/// `2× c6i.large 1× ?`.
fn counts(counts: &BTreeMap<Text, u32>) -> Cell {
    let part = |(name, n): (&Text, &u32)| format!("{n}× {}", if name.is_empty() { "?" } else { name });
    Cell::text(counts.iter().map(part).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LinkState, Taint};
    use crate::views::scenes::{Scene, cells, node, now, pod, snapshot};

    /// Two nodes, the first of which has no memory left for its free cpu.
    fn scene() -> Scene {
        let mut hungry = pod("ml", "embed", "a", "embed:1", "n1");
        hungry.requests.memory = 31 << 30;
        let mut tainted = node("n2", "gpu", "z");
        tainted.taints = Box::new([
            Taint { key: "dedicated".into(), value: "gpu".into(), effect: "NoSchedule".into() },
            Taint { key: "node.kubernetes.io/x".into(), value: "".into(), effect: "PreferNoSchedule".into() },
        ]);
        let records = vec![Record::from(node("n1", "std", "z")), Record::from(tainted), Record::Pod(hungry)];
        Scene::new(0, "a").with(&[], records, now())
    }

    #[test]
    fn a_pool_says_how_full_it_is_what_is_stranded_and_whom_it_keeps_away() {
        let sheet = sheet(&snapshot(vec![scene()]), &Scope::All, now());
        let rows: Vec<String> = sheet.rows.iter().map(cells).collect();
        assert_eq!(
            rows,
            [
                "a | gpu | 1/1 | 0 | 0 | 0 | · | - | 0 | dedicated=gpu:NoSchedule | 1× n2-standard-8 | 1× z",
                "a | std | 1/1 | 0 | 6 | 96 | 7.5 | - | 0 | · | 1× n2-standard-8 | 1× z",
            ]
        );
        assert_eq!(sheet.answer, "2 node pools, 0 with nodes that are not ready.");
    }

    #[test]
    fn without_its_pods_a_pool_is_not_empty_but_unknown() {
        let secret = scene().table(Kind::Pod, |t| t.link.state = LinkState::Denied);
        let unlisted = Scene::new(1, "b").table(Kind::Node, |t| t.synced = None);
        let sheet = sheet(&snapshot(vec![secret, unlisted]), &Scope::All, now());
        assert!(
            cells(&sheet.rows[1]).starts_with("a | std | 1/1 | 0 | ? | ? | ? | - |"),
            "{}",
            cells(&sheet.rows[1])
        );
        assert_eq!(sheet.answer, "2+? node pools, ? with nodes that are not ready.");
    }
}
