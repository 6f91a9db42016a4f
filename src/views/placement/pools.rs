//! Node pools: how full they are.

use std::collections::BTreeMap;

use crate::model::{
    Capacity, Cell, Cluster, Column, Node, ObjectKey, Record, Resources, Text, Time, Tone, Truth,
};
use crate::views::capacity::{Room, room};
use crate::views::{Hint, RowId, Scope, Sheet, SheetRow, Snapshot};

/// One pool of one cluster.
#[derive(Default)]
struct Pool {
    nodes: u32,
    ready: u32,
    cordoned: u32,
    spot: u32,
    types: BTreeMap<Text, u32>,
    zones: BTreeMap<Text, u32>,
    allocatable: Resources,
    free: Resources,
    objects: Vec<ObjectKey>,
}

pub(super) fn sheet(snapshot: &Snapshot, scope: &Scope, now: Time) -> Sheet {
    let mut rows = Vec::new();
    for cluster in snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)) {
        let stale = cluster.link.stale(now);
        for (name, pool) in pools(cluster, scope) {
            rows.push(row(cluster, &name, &pool, stale));
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.tone));
    let full = rows.iter().filter(|r| r.tone >= Tone::Warn).count();
    Sheet {
        answer: Text::clean(&format!("{} node pools, {full} with nodes that are not ready.", rows.len())),
        columns: vec![
            Column::left("cluster", 12, 100),
            Column::left("pool", 0, 99),
            Column::right("nodes", 8, 95),
            Column::right("cordoned", 8, 60),
            Column::right("cpu %", 6, 90),
            Column::right("mem %", 6, 89),
            Column::right("gpus", 7, 70),
            Column::right("spot", 5, 65),
            Column::left("types", 26, 50),
            Column::left("zones", 26, 55),
        ],
        rows: rows.into(),
        empty: "No nodes in this scope.".into(),
        hints: vec![Hint::Widen],
        ..Sheet::default()
    }
}

fn pools(cluster: &Cluster, scope: &Scope) -> BTreeMap<Text, Pool> {
    let room: rustc_hash::FxHashMap<Text, Room> =
        room(cluster).into_iter().map(|room| (room.node.clone(), room)).collect();
    let mut pools: BTreeMap<Text, Pool> = BTreeMap::new();
    for record in cluster.records(crate::model::Kind::Node) {
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
        // A node that takes no pods has no free room, but its size is not asked for either.
        if let Some(room) = room {
            self.allocatable += node.allocatable;
            self.free += room.free;
        }
    }
}

fn row(cluster: &Cluster, name: &Text, pool: &Pool, stale: bool) -> SheetRow {
    let asked = pool.allocatable - pool.free;
    let percent = |part: i64, whole: i64| match whole {
        ..=0 => Cell::text("-"),
        whole => Cell::number((part * 100 / whole).to_string(), part * 100 / whole),
    };
    let counted = |counts: &BTreeMap<Text, u32>| {
        let parts: Vec<String> =
            counts.iter().map(|(k, n)| format!("{n}× {}", if k.is_empty() { "?" } else { k })).collect();
        Cell::text(parts.join(" "))
    };
    let shown = if name.is_empty() { Text::clean("(no pool)") } else { name.clone() };
    SheetRow {
        id: RowId::Part(Text::clean(&format!("{}/{shown}", cluster.info.name))),
        tone: if pool.ready < pool.nodes { Tone::Warn } else { Tone::Ok },
        cells: vec![
            Cell::text(cluster.info.name.clone()),
            Cell::text(shown),
            Cell::number(format!("{}/{}", pool.ready, pool.nodes), i64::from(pool.nodes)),
            Cell::number(pool.cordoned.to_string(), i64::from(pool.cordoned)),
            percent(asked.cpu, pool.allocatable.cpu),
            percent(asked.memory, pool.allocatable.memory),
            match pool.allocatable.gpus {
                0 => Cell::text("-"),
                gpus => Cell::number(format!("{}/{gpus}", asked.gpus), asked.gpus),
            },
            percent(i64::from(pool.spot), i64::from(pool.nodes)),
            counted(&pool.types),
            counted(&pool.zones),
        ],
        objects: pool.objects.clone(),
        stale,
    }
}
