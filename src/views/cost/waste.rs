//! What could be won back: pools that idle, volumes that nobody mounts, workloads that ask for much
//! more than they use.

use std::sync::Arc;

use super::unit::{figure, money};
use super::{Breakdown, Unit};
use crate::model::quantity::{Bytes, Cpu};
use crate::model::{Cell, Cluster, Column, Kind, MONTH_HOURS, Money, Text, Time, Tone, many};
use crate::views::health::usage_stale;
use crate::views::{RowId, SheetRow};

/// A pool of which less than this is asked for, in hundredths, has nodes to spare.
const POOL_ASKED: i64 = 50;

/// What a pool may be filled to, in hundredths, after nodes are taken away.
const POOL_FULL: i64 = 80;

/// A workload that uses less than this of what it asks for, in hundredths, asks for too much
/// (reference: efficiency under 0.3, over five dollars a month).
const USED: i64 = 30;
const WORTH: Money = Money::from_micros(5_000_000 / MONTH_HOURS);

/// How much of what it asks for a workload should use, in hundredths.
const TARGET: i64 = 65;

/// Something that is paid for and not needed.
pub(super) struct Item {
    cluster: Text,
    what: Text,
    why: Text,
    /// What would be won.
    pub(super) rate: Money,
    act: Text,
    id: RowId,
}

/// Everything that could be won back, the most first.
pub(super) fn waste(costs: &[(&Cluster, Arc<Breakdown>)], now: Time) -> Vec<Item> {
    let mut items: Vec<Item> = costs
        .iter()
        .flat_map(|(cluster, cost)| {
            let old = usage_stale(cluster, now);
            pools(cluster, cost).chain(workloads(cluster, cost, old)).chain(volumes(cluster, cost))
        })
        .collect();
    items.sort_unstable_by(|a, b| {
        b.rate.cmp(&a.rate).then_with(|| (&a.cluster, &a.what).cmp(&(&b.cluster, &b.what)))
    });
    items
}

fn item(cluster: &Cluster, what: &str, why: String, rate: Money, act: String) -> Item {
    let name = &cluster.info.name;
    Item {
        id: RowId::Part(Text::clean(&format!("{name} {what}"))),
        cluster: name.clone(),
        what: Text::clean(what),
        why: why.into(),
        rate,
        act: act.into(),
    }
}

fn pools<'a>(cluster: &'a Cluster, cost: &'a Breakdown) -> impl Iterator<Item = Item> + 'a {
    // Of a pool whose pods are not known nobody can say what is asked for.
    let known = cost.pools.iter().filter(|(_, share)| share.blind == Money::ZERO);
    known.filter_map(move |(pool, share)| {
        let (rate, count) = (share.rate.nanos(), i64::from(share.count));
        let asked = (rate - share.idle.nanos()).saturating_mul(100).checked_div(rate)?;
        // As many nodes as hold what is asked for now, filled to a sound degree.
        let needed = (count * asked + POOL_FULL - 1) / POOL_FULL;
        let spare = count - needed.max(1);
        if asked >= POOL_ASKED || spare < 1 {
            return None;
        }
        let name = if pool.is_empty() { "(no pool)" } else { pool.as_str() };
        let why = format!("{asked} % of {count} nodes asked for");
        let act = format!("{} fewer", many(usize::try_from(spare).unwrap_or(usize::MAX), "node"));
        Some(item(cluster, &format!("pool {name}"), why, share.rate.scaled(spare, count), act))
    })
}

/// `old` is whether use was measured too long ago to say `now` of it.
fn workloads<'a>(cluster: &'a Cluster, cost: &'a Breakdown, old: bool) -> impl Iterator<Item = Item> + 'a {
    let uses = move |used: &dyn std::fmt::Display| match old {
        true => format!("used ~{used}"),
        false => format!("uses {used} now"),
    };
    let own = cost.workloads.iter().filter(|(_, share)| share.waste >= WORTH);
    own.filter_map(move |((namespace, kind, name), share)| {
        let (asked, used) = (share.asked, share.used);
        let little =
            |part: i64, whole: i64| whole > 0 && part.saturating_mul(100) < whole.saturating_mul(USED);
        let should = |used: i64| used.saturating_mul(100) / TARGET;
        let (why, act) = if little(used.cpu, asked.cpu) {
            let act = format!("ask {}", Cpu(should(used.cpu).max(10)));
            (format!("asks {} cpu, {}", Cpu(asked.cpu), uses(&Cpu(used.cpu))), act)
        } else if little(used.memory, asked.memory) {
            let act = format!("ask {}", Bytes(should(used.memory)));
            (format!("asks {}, {}", Bytes(asked.memory), uses(&Bytes(used.memory))), act)
        } else {
            return None;
        };
        // What daemons ask for is asked for on every node.
        let act = if *kind == Kind::DaemonSet { format!("{act} in all") } else { act };
        Some(item(cluster, &format!("{namespace}/{name}"), why, share.waste, act))
    })
}

fn volumes<'a>(cluster: &'a Cluster, cost: &'a Breakdown) -> impl Iterator<Item = Item> + 'a {
    let unused = Some(&cost.unused).filter(|share| share.rate > Money::ZERO);
    unused.into_iter().map(move |share| {
        let what = many(share.count as usize, "volume");
        item(cluster, &what, "in no pod".to_owned(), share.rate, "look, then delete".to_owned())
    })
}

pub(super) fn columns(unit: Unit) -> Vec<Column> {
    let mut columns = vec![
        Column::left("cluster", 12, 100),
        Column::left("what", 24, 99),
        Column::left("why", 0, 80),
        Column::right(unit.heading(), 9, 98),
    ];
    if unit != Unit::Month {
        columns.push(Column::right(Unit::Month.heading(), 9, 70));
    }
    columns.push(Column::left("do", 17, 90));
    columns
}

impl Item {
    pub(super) fn row(&self, unit: Unit) -> SheetRow {
        let mut cells = vec![
            Cell::text(self.cluster.clone()),
            Cell::text(self.what.clone()),
            Cell::text(self.why.clone()),
            money(self.rate, unit),
        ];
        if unit != Unit::Month {
            cells.push(money(self.rate, Unit::Month));
        }
        cells.push(Cell::text(self.act.clone()));
        SheetRow { id: self.id.clone(), tone: Tone::Ok, cells, objects: Vec::new(), stale: false }
    }

    /// `ml/notebook asks 96 cpu, uses 7 now · $2.53/h: ask 10`.
    pub(super) fn sentence(&self) -> String {
        format!("{} {} · ${}/h: {}", self.what, self.why, figure(self.rate, Unit::Hour), self.act)
    }
}
