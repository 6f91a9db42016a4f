//! The cost pane.

use rustc_hash::FxHashMap;

use super::{Breakdown, Share, breakdown};
use crate::model::{Basis, Cell, Cluster, Column, Kind, MONTH_HOURS, Money, Span, Text, Time, Tone, grouped};
use crate::views::prices;
use crate::views::{Evidence, EvidenceLine, RowId, Scope, Sheet, SheetRow, Snapshot};

/// What the pane splits by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the words say it")]
pub enum CostLens {
    #[default]
    Cluster,
    Namespace,
    Workload,
    Pool,
}

/// For how long a rate is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Unit {
    #[default]
    Hour,
    Day,
    Month,
}

impl Unit {
    /// The heading of a column in this unit.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Unit::Hour => "$/h",
            Unit::Day => "$/day",
            Unit::Month => "$/month",
        }
    }

    /// A rate in this unit.
    #[must_use]
    pub const fn of(self, rate: Money) -> Money {
        let hours = match self {
            Unit::Hour => 1,
            Unit::Day => 24,
            Unit::Month => MONTH_HOURS,
        };
        Money::from_nanos(rate.nanos().saturating_mul(hours))
    }
}

impl CostLens {
    /// The lens of this name; the first when there is none.
    #[must_use]
    pub fn named(name: &str) -> CostLens {
        match name {
            "namespace" => CostLens::Namespace,
            "workload" => CostLens::Workload,
            "pool" => CostLens::Pool,
            _ => CostLens::Cluster,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            CostLens::Cluster => "cluster",
            CostLens::Namespace => "namespace",
            CostLens::Workload => "workload",
            CostLens::Pool => "pool",
        }
    }
}

/// Kubernetes' own words for a share of money that `<0.01` would hide.
fn money(rate: Money, unit: Unit) -> Cell {
    Cell::number(unit.of(rate).to_string(), rate.nanos())
}

/// A percentage; `-` of nothing.
fn percent(part: Money, whole: Money) -> Cell {
    if whole == Money::ZERO {
        return Cell::text("-");
    }
    let value = part.scaled(100, 1).nanos() / whole.nanos().max(1);
    Cell::number(format!("{value} %"), value)
}

/// The clusters in scope with their costs, dearest first.
fn costs<'a>(snapshot: &'a Snapshot, scope: &Scope) -> Vec<(&'a Cluster, Breakdown)> {
    let in_scope = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c) && c.seen());
    let mut costs: Vec<_> = in_scope.map(|c| (c.as_ref(), breakdown(c, scope))).collect();
    costs.sort_by_key(|(cluster, cost)| (-cost.nodes.rate.nanos(), cluster.id));
    costs
}

/// What is paid, by the lens.
#[must_use]
pub fn sheet(snapshot: &Snapshot, scope: &Scope, lens: CostLens, unit: Unit, now: Time) -> Sheet {
    let costs = costs(snapshot, scope);
    let mut total = Breakdown::default();
    for (_, cost) in &costs {
        total.nodes.merge(&cost.nodes);
        total.idle += cost.idle;
        total.reserved += cost.reserved;
        total.waste += cost.waste;
        total.measured |= cost.measured;
    }
    let rows = match lens {
        CostLens::Cluster => costs.iter().map(|(c, cost)| cluster_row(c, cost, unit, now)).collect(),
        CostLens::Namespace => share_rows(namespaces(&costs), unit, total.measured),
        CostLens::Workload => share_rows(workloads(&costs), unit, total.measured),
        CostLens::Pool => share_rows(pools(&costs), unit, total.measured),
    };
    let unknown = unseen(snapshot, scope);
    Sheet {
        answer: answer(&total, unknown).into(),
        charts: Vec::new(),
        columns: columns(lens, unit),
        rows,
        empty: "No node in this scope has been seen yet.".into(),
        footer: footer(&total, unit).into(),
    }
}

fn unseen(snapshot: &Snapshot, scope: &Scope) -> usize {
    snapshot.fleet.clusters.iter().filter(|c| scope.holds(c) && !c.seen()).count()
}

fn answer(total: &Breakdown, unseen: usize) -> String {
    let nodes = &total.nodes;
    let more = if nodes.unknown > 0 || unseen > 0 { "+?" } else { "" };
    let approximate = if nodes.guessed > 0 { "~" } else { "" };
    let idle = percent(total.idle, nodes.rate).text;
    let spot = percent(nodes.spot, nodes.rate).text;
    let waste =
        if total.measured { format!("${}/h", total.waste) } else { "unknown without metrics".to_owned() };
    format!(
        "{approximate}${}{more}/h list, ${} a month. Idle {idle}, asked for but unused {waste}. Spot {spot}.",
        nodes.rate,
        nodes.rate.month()
    )
}

fn footer(total: &Breakdown, unit: Unit) -> String {
    let nodes = &total.nodes;
    let mut parts =
        vec![format!("list prices {}", prices::list_date()), "no discounts unless set".to_owned()];
    if nodes.guessed > 0 {
        let share = percent(nodes.estimated, nodes.rate).text;
        parts.push(format!("{} nodes ~ ({share} of cost)", grouped(u64::from(nodes.guessed))));
    }
    if nodes.unknown > 0 {
        parts.push(format!("{} nodes without a price", grouped(u64::from(nodes.unknown))));
    }
    parts.push(format!("system reserve {}", unit.of(total.reserved)));
    parts.push("nodes only: no disks, balancers, egress".to_owned());
    parts.join(" · ")
}

fn columns(lens: CostLens, unit: Unit) -> Vec<Column> {
    let mut columns = vec![Column::left(lens.title(), 0, 100), Column::right(unit.heading(), 10, 99)];
    if lens == CostLens::Cluster {
        columns.push(Column::right("1 h", 7, 80));
    }
    if unit != Unit::Month {
        columns.push(Column::right("month", 11, 90));
    }
    columns.extend([
        Column::right("idle", 6, 85),
        Column::left("basis", 8, 60),
        Column::right("spot", 6, 70),
        Column::right("idle $", 9, 50),
        Column::right("waste $", 9, 55),
    ]);
    columns
}

fn cluster_row(cluster: &Cluster, cost: &Breakdown, unit: Unit, now: Time) -> SheetRow {
    let nodes = &cost.nodes;
    let more = if nodes.unknown > 0 { "+?" } else { "" };
    let stale = cluster.link.stale(now);
    let tilde = if stale || nodes.guessed > 0 { "~" } else { "" };
    let basis = match (nodes.priced, nodes.guessed, nodes.unknown) {
        (_, 0, 0) => "list",
        (0, _, 0) => "~",
        (0, 0, _) => "?",
        _ => "mixed",
    };
    let mut cells = vec![
        Cell::text(cluster.info.name.clone()),
        Cell::number(format!("{tilde}{}{more}", unit.of(nodes.rate)), nodes.rate.nanos()),
        change(cluster, now),
    ];
    if unit != Unit::Month {
        cells.push(money(nodes.rate, Unit::Month));
    }
    cells.extend([
        percent(cost.idle, nodes.rate),
        Cell::text(basis),
        percent(nodes.spot, nodes.rate),
        money(cost.idle, unit),
        if cost.measured { money(cost.waste, unit) } else { Cell::text("?") },
    ]);
    SheetRow { id: RowId::Cluster(cluster.id), tone: Tone::Ok, cells, objects: Vec::new(), stale }
}

/// What the rate changed by within the last hour, by the series.
fn change(cluster: &Cluster, now: Time) -> Cell {
    let since = now - Span::from_seconds(3600);
    let first = cluster.series.samples.iter().find(|s| s.at >= since);
    match first {
        None => Cell::text("·"),
        Some(sample) => match cluster.totals.cost.rate - sample.rate {
            Money::ZERO => Cell::number("·", 0),
            change => Cell::number(format!("{change:#}"), change.nanos()),
        },
    }
}

type Named = (Text, RowId, Share);

fn namespaces(costs: &[(&Cluster, Breakdown)]) -> Vec<Named> {
    let each = costs.iter().flat_map(|(cluster, cost)| {
        cost.namespaces.iter().map(|(namespace, share)| {
            let name = Text::clean(&format!("{}/{namespace}", cluster.info.name));
            (name.clone(), RowId::Part(name), share.clone())
        })
    });
    each.collect()
}

/// Workloads of one name are one row over all clusters.
fn workloads(costs: &[(&Cluster, Breakdown)]) -> Vec<Named> {
    let mut merged: FxHashMap<(Text, Kind, Text), Share> = FxHashMap::default();
    for (key, share) in costs.iter().flat_map(|(_, cost)| &cost.workloads) {
        merged.entry(key.clone()).or_insert_with(Share::nothing).add(share);
    }
    let named = merged.into_iter().map(|((namespace, kind, name), share)| {
        let id = RowId::Workload(Text::clean(kind.names().kind), namespace.clone(), name.clone());
        (Text::clean(&format!("{namespace}/{name}")), id, share)
    });
    named.collect()
}

fn pools(costs: &[(&Cluster, Breakdown)]) -> Vec<Named> {
    let each = costs.iter().flat_map(|(cluster, cost)| {
        cost.pools.iter().map(|(pool, share)| {
            let pool = if pool.is_empty() { "(no pool)" } else { pool.as_str() };
            let name = Text::clean(&format!("{}/{pool}", cluster.info.name));
            (name.clone(), RowId::Part(name), share.clone())
        })
    });
    each.collect()
}

fn share_rows(mut shares: Vec<Named>, unit: Unit, measured: bool) -> Vec<SheetRow> {
    shares.sort_by(|a, b| b.2.rate.cmp(&a.2.rate).then_with(|| a.0.cmp(&b.0)));
    shares.into_iter().map(|(name, id, share)| share_row(name, id, &share, unit, measured)).collect()
}

fn share_row(name: Text, id: RowId, share: &Share, unit: Unit, measured: bool) -> SheetRow {
    let more = if share.unknown > 0 { "+?" } else { "" };
    let tilde = if share.basis.approximate() { "~" } else { "" };
    let mut cells = vec![
        Cell::text(name),
        Cell::number(format!("{tilde}{}{more}", unit.of(share.rate)), share.rate.nanos()),
    ];
    if unit != Unit::Month {
        cells.push(money(share.rate, Unit::Month));
    }
    let idle = |cell: Cell| if share.idle == Money::ZERO { Cell::text("-") } else { cell };
    cells.extend([
        idle(percent(share.idle, share.rate)),
        Cell::text(basis_word(share.basis)),
        percent(share.spot, share.rate),
        idle(money(share.idle, unit)),
        if measured { money(share.waste, unit) } else { Cell::text("?") },
    ]);
    SheetRow { id, tone: Tone::Ok, cells, objects: Vec::new(), stale: false }
}

const fn basis_word(basis: Basis) -> &'static str {
    match basis {
        Basis::List => "list",
        Basis::User => "user",
        Basis::Estimated | Basis::Shape => "~",
        Basis::Unknown => "?",
    }
}

/// What stands under the table: where the money of the selected row goes.
#[must_use]
pub fn evidence(snapshot: &Snapshot, scope: &Scope, row: &RowId) -> Evidence {
    let RowId::Cluster(id) = row else { return Evidence::default() };
    let Some(cluster) = snapshot.fleet.cluster(*id) else { return Evidence::default() };
    let cost = breakdown(cluster, scope);
    let line = |label: &str, text: String| EvidenceLine {
        at: None,
        label: Text::clean(label),
        text: text.into(),
        tone: Tone::Ok,
    };
    let mut lines: Vec<EvidenceLine> = dearest(&cost.pools)
        .map(|(pool, share)| {
            let pool = if pool.is_empty() { "(no pool)" } else { pool.as_str() };
            let approximate = if share.basis.approximate() { "~" } else { "" };
            let idle = percent(share.idle, share.rate).text;
            line(
                "pool",
                format!("{pool}  {} nodes  {approximate}${}/h  idle {idle}", share.count, share.rate),
            )
        })
        .collect();
    lines.extend(dearest(&cost.namespaces).map(|(namespace, share)| {
        line("namespace", format!("{namespace}  {} pods  ${}/h", share.count, share.rate))
    }));
    lines.push(line("idle", format!("${}/h, and ${}/h kept by the system", cost.idle, cost.reserved)));
    Evidence { title: Text::clean(&format!("{} · where it goes", cluster.info.name)), lines }
}

/// The five dearest.
fn dearest(shares: &FxHashMap<Text, Share>) -> impl Iterator<Item = (&Text, &Share)> {
    let mut sorted: Vec<_> = shares.iter().collect();
    sorted.sort_by(|a, b| b.1.rate.cmp(&a.1.rate).then_with(|| a.0.cmp(b.0)));
    sorted.into_iter().take(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_nothing_have_no_percentage() {
        assert_eq!(percent(Money::ZERO, Money::ZERO).text, "-");
        assert_eq!(percent(Money::from_micros(1), Money::from_micros(4)).text, "25 %");
    }

    #[test]
    fn units_multiply() {
        let rate = Money::from_micros(1_000_000);
        assert_eq!(Unit::Day.of(rate).to_string(), "24.00");
        assert_eq!(Unit::Month.of(rate), rate.month());
    }
}
