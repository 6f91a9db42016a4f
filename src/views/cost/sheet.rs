//! The cost pane.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Breakdown, Share, breakdown, waste};
use crate::model::{
    Basis, Cell, Cluster, Column, CostTotals, Kind, MONTH_HOURS, Money, Resources, Span, Text, Time, Tone,
    grouped,
};
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
    /// What could be won back.
    Waste,
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

    /// What stands behind an amount in this unit.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Unit::Hour => "/h",
            Unit::Day => "/day",
            Unit::Month => "/month",
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
            "waste" => CostLens::Waste,
            _ => CostLens::Cluster,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            CostLens::Cluster => "cluster",
            CostLens::Namespace => "namespace",
            CostLens::Workload => "workload",
            CostLens::Pool => "pool",
            CostLens::Waste => "waste",
        }
    }
}

/// An amount in a unit: months without cents, as long as there is a dollar to show.
pub(super) fn figure(rate: Money, unit: Unit) -> String {
    let amount = unit.of(rate);
    let dollars = amount.nanos().unsigned_abs().saturating_add(500_000_000) / 1_000_000_000;
    if unit != Unit::Month || dollars < 10 {
        return amount.to_string();
    }
    let sign = if amount < Money::ZERO { "-" } else { "" };
    format!("{sign}{}", grouped(dollars))
}

/// An amount as a cell; it sorts by the rate, whatever the unit.
pub(super) fn money(rate: Money, unit: Unit) -> Cell {
    Cell::number(figure(rate, unit), rate.nanos())
}

/// A percentage; `-` of nothing.
pub(super) fn percent(part: Money, whole: Money) -> Cell {
    if whole == Money::ZERO {
        return Cell::text("-");
    }
    let value = part.scaled(100, 1).nanos() / whole.nanos().max(1);
    Cell::number(format!("{value} %"), value)
}

/// The clusters in scope with their costs, dearest first.
fn costs<'a>(snapshot: &'a Snapshot, scope: &Scope) -> Vec<(&'a Cluster, Arc<Breakdown>)> {
    let in_scope = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c) && c.seen());
    let mut costs: Vec<_> = in_scope.map(|c| (c.as_ref(), breakdown(c, scope))).collect();
    costs.sort_by_key(|(cluster, cost)| (-cost.whole.rate.nanos(), cluster.id));
    costs
}

/// What is paid, by the lens.
#[must_use]
pub fn sheet(snapshot: &Snapshot, scope: &Scope, lens: CostLens, unit: Unit, now: Time) -> Sheet {
    let costs = costs(snapshot, scope);
    let total = total(&costs);
    let unknown = unseen(snapshot, scope);
    let waste = waste::waste(&costs);
    let mut rows = match lens {
        CostLens::Cluster => costs.iter().map(|(c, cost)| cluster_row(c, cost, unit, now)).collect(),
        CostLens::Namespace => share_rows(namespaces(&costs), &total, unit),
        CostLens::Workload => share_rows(workloads(&costs), &total, unit),
        CostLens::Pool => pool_rows(&costs, &total, unit),
        CostLens::Waste => waste.iter().map(|item| item.row(unit)).collect(),
    };
    if rows.len() > 1 && lens != CostLens::Waste {
        let sum = sum_row(rows.len(), &costs, &total, unknown, lens, unit, now);
        rows.push(sum);
    }
    let win = waste.iter().map(|item| item.rate).sum();
    Sheet {
        answer: answer(&total, unknown, change_of(&costs, now), unit).into(),
        charts: Vec::new(),
        columns: if lens == CostLens::Waste { waste::columns(unit) } else { columns(lens, unit) },
        rows: rows.into(),
        empty: match lens {
            CostLens::Waste if total.measured => "Nothing to win back is seen.".into(),
            CostLens::Waste => "Nothing to win back is seen; what pods use is not known.".into(),
            _ => "No node in this scope has been seen yet.".into(),
        },
        footer: footer(&total, win, lens, unit).into(),
    }
}

/// Everything in scope as one.
fn total(costs: &[(&Cluster, Arc<Breakdown>)]) -> Breakdown {
    let mut total = Breakdown::default();
    for (_, cost) in costs {
        total.nodes.merge(&cost.nodes);
        total.whole.merge(&cost.whole);
        total.idle += cost.idle;
        total.blind += cost.blind;
        total.reserved += cost.reserved;
        total.waste += cost.waste;
        total.measured |= cost.measured;
        for (sum, part) in [
            (&mut total.control_plane, &cost.control_plane),
            (&mut total.volumes, &cost.volumes),
            (&mut total.balancers, &cost.balancers),
            (&mut total.unclaimed, &cost.unclaimed),
        ] {
            if !part.is_empty() {
                sum.add(part);
            }
        }
    }
    total
}

fn unseen(snapshot: &Snapshot, scope: &Scope) -> usize {
    snapshot.fleet.clusters.iter().filter(|c| scope.holds(c) && !c.seen()).count()
}

/// `$412.80/h list = $301,344 a month. Idle $132.55/h (32 %), waste $38.10/h, spot 22 %.`
fn answer(total: &Breakdown, unseen: usize, change: Option<Money>, unit: Unit) -> String {
    let whole = &total.whole;
    if whole.rate == Money::ZERO && (whole.unknown > 0 || unseen > 0) {
        let things = if whole.unknown > 0 { "nothing seen has a price" } else { "no node seen yet" };
        return format!("$? list: {things}.");
    }
    let spot = percent(whole.spot, whole.rate).text;
    let per = |rate: Money| format!("${}{}", figure(rate, unit), unit.suffix());
    let waste = if total.measured { per(total.waste) } else { "? without metrics".to_owned() };
    let mut text = sure(whole, unseen > 0, &per(whole.rate));
    text.push_str(" list");
    if unit != Unit::Month {
        text.push_str(&format!(" = ${} a month", figure(whole.rate, Unit::Month)));
    }
    let (share, amount) = idle_cells(total.idle, total.blind, whole.rate, unit);
    let idle = match amount.text.as_str() {
        "?" => "?".to_owned(),
        amount => format!("${amount}{} ({})", unit.suffix(), share.text),
    };
    text.push_str(&format!(". Idle {idle}, waste {waste}, spot {spot}."));
    if let Some(change) = change.filter(|change| *change != Money::ZERO) {
        let sign = if change < Money::ZERO { "-" } else { "+" };
        let amount = if change < Money::ZERO { -change } else { change };
        text.push_str(&format!(" {sign}{} in 1 h.", per(amount)));
    }
    text
}

/// A figure with what is not sure of it: `~$4.70`, `$4.70+?`, `$?`.
fn sure(cost: &CostTotals, more: bool, text: &str) -> String {
    let about = if cost.guessed > 0 { "~" } else { "" };
    match (cost.unknown > 0 || more, cost.rate == Money::ZERO) {
        (true, true) => "$?".to_owned(),
        (true, false) => format!("{about}{text}+?"),
        (false, _) => format!("{about}{text}"),
    }
}

fn footer(total: &Breakdown, win: Money, lens: CostLens, unit: Unit) -> String {
    let whole = &total.whole;
    let mut parts = Vec::new();
    if win > Money::ZERO && lens != CostLens::Waste {
        parts.push(format!("to win back ${} (by waste)", figure(win, unit)));
    }
    parts.push(format!("prices {}", prices::list_date()));
    if whole.guessed > 0 {
        let share = percent(whole.estimated, whole.rate).text;
        parts.push(format!("{} prices ~ ({share} of cost)", grouped(u64::from(whole.guessed))));
    }
    if whole.unknown > 0 {
        parts.push(format!("{} things without a price", grouped(u64::from(whole.unknown))));
    }
    parts.push("no egress, no discounts unless set".to_owned());
    parts.join(" · ")
}

fn columns(lens: CostLens, unit: Unit) -> Vec<Column> {
    let mut columns = vec![Column::left(lens.title(), 0, 100), Column::right(unit.heading(), 11, 99)];
    if lens == CostLens::Cluster {
        columns.push(Column::right("1 h", 7, 80));
    }
    if unit != Unit::Month {
        columns.push(Column::right(Unit::Month.heading(), 9, 90));
    }
    columns.extend([
        Column::right("idle", 6, 85),
        Column::right("idle $", 9, 50),
        Column::right("waste $", 9, 55),
        Column::right("spot", 6, 70),
        Column::left("basis", 12, 60),
    ]);
    columns
}

/// The cells behind a name, in the order of the columns.
struct Figures<'a> {
    rate: Cell,
    change: Option<Cell>,
    month: Money,
    whole: Money,
    /// Idle, and what is not known of; `None` where nobody's idle is in it.
    idle: Option<(Money, Money)>,
    waste: Cell,
    spot: Money,
    basis: &'a str,
}

impl Figures<'_> {
    fn cells(self, name: Text, unit: Unit) -> Vec<Cell> {
        let mut cells = vec![Cell::text(name), self.rate];
        cells.extend(self.change);
        if unit != Unit::Month {
            cells.push(money(self.month, Unit::Month));
        }
        let (share, amount) = match self.idle {
            Some((idle, blind)) => idle_cells(idle, blind, self.whole, unit),
            None => (Cell::text("-"), Cell::text("-")),
        };
        cells.extend([share, amount, self.waste, percent(self.spot, self.whole), Cell::text(self.basis)]);
        cells
    }
}

/// Idle as a share and as an amount: `32 %` `1.18`; where pods may not be read `?`, in a sum with
/// such a part `~32 %` of the rest and `1.18+?`.
fn idle_cells(idle: Money, blind: Money, whole: Money, unit: Unit) -> (Cell, Cell) {
    let (share, amount) = (percent(idle, whole - blind), money(idle, unit));
    match (blind > Money::ZERO, idle > Money::ZERO) {
        (false, _) => (share, amount),
        (true, false) => (Cell::text("?"), Cell::text("?")),
        (true, true) => (
            Cell { text: format!("~{}", share.text).into(), ..share },
            Cell { text: format!("{}+?", amount.text).into(), ..amount },
        ),
    }
}

/// What is asked for and not used; unknown while use is.
fn wasted(waste: Money, measured: bool, unit: Unit) -> Cell {
    if measured { money(waste, unit) } else { Cell::text("?") }
}

/// `list`, `user`, `list, 9 ~`, `~`.
fn mixture(cost: &CostTotals) -> String {
    match (cost.priced, cost.guessed, cost.unknown) {
        (0, 0, 0) => "-".to_owned(),
        (_, 0, 0) => "list".to_owned(),
        (0, _, 0) => "~".to_owned(),
        (0, 0, _) => "?".to_owned(),
        (_, guessed, 0) => format!("list, {guessed} ~"),
        (_, 0, unknown) => format!("list, {unknown} ?"),
        _ => "mixed".to_owned(),
    }
}

fn cluster_row(cluster: &Cluster, cost: &Breakdown, unit: Unit, now: Time) -> SheetRow {
    let whole = &cost.whole;
    let stale = cluster.link.stale(now);
    let tilde = if stale && whole.guessed == 0 { "~" } else { "" };
    let rate = format!("{tilde}{}", sure(whole, false, &figure(whole.rate, unit)));
    let figures = Figures {
        rate: Cell::number(rate, whole.rate.nanos()),
        change: Some(change(changed(cluster, now), unit)),
        month: whole.rate,
        whole: whole.rate,
        idle: Some((cost.idle, cost.blind)),
        waste: wasted(cost.waste, cost.measured, unit),
        spot: whole.spot,
        basis: &mixture(whole),
    };
    let cells = figures.cells(cluster.info.name.clone(), unit);
    SheetRow { id: RowId::Cluster(cluster.id), tone: Tone::Ok, cells, objects: Vec::new(), stale }
}

/// The sum under the rows.
fn sum_row(
    count: usize,
    costs: &[(&Cluster, Arc<Breakdown>)],
    total: &Breakdown,
    unseen: usize,
    lens: CostLens,
    unit: Unit,
    now: Time,
) -> SheetRow {
    let whole = &total.whole;
    let rate = sure(whole, unseen > 0, &figure(whole.rate, unit));
    let figures = Figures {
        rate: Cell::number(rate, whole.rate.nanos()),
        change: (lens == CostLens::Cluster).then(|| change(change_of(costs, now), unit)),
        month: whole.rate,
        whole: whole.rate,
        idle: Some((total.idle, total.blind)),
        waste: wasted(total.waste, total.measured, unit),
        spot: whole.spot,
        basis: &mixture(whole),
    };
    let cells = figures.cells(Text::clean(&format!("all {count}")), unit);
    SheetRow { id: RowId::Total, tone: Tone::Ok, cells, objects: Vec::new(), stale: false }
}

fn change(change: Option<Money>, unit: Unit) -> Cell {
    match change {
        None | Some(Money::ZERO) => Cell::number("·", 0),
        Some(change) => Cell::number(format!("{:#}", unit.of(change)), change.nanos()),
    }
}

/// What all rates changed by, of clusters that tell.
fn change_of(costs: &[(&Cluster, Arc<Breakdown>)], now: Time) -> Option<Money> {
    costs.iter().filter_map(|(cluster, _)| changed(cluster, now)).reduce(|a, b| a + b)
}

/// What the nodes' rate changed by within the last hour, by the series.
fn changed(cluster: &Cluster, now: Time) -> Option<Money> {
    let since = now - Span::from_seconds(3600);
    let first = cluster.series.samples.iter().find(|s| s.at >= since)?;
    Some(cluster.totals.cost.rate - first.rate)
}

type Named = (Text, RowId, Share);

fn namespaces(costs: &[(&Cluster, Arc<Breakdown>)]) -> Vec<Named> {
    let each = costs.iter().flat_map(|(cluster, cost)| {
        cost.namespaces.iter().map(|(namespace, share)| {
            let name = Text::clean(&format!("{}/{namespace}", cluster.info.name));
            (name.clone(), RowId::Part(name), share.clone())
        })
    });
    each.collect()
}

/// Workloads of one name are one row over all clusters.
fn workloads(costs: &[(&Cluster, Arc<Breakdown>)]) -> Vec<Named> {
    let mut merged: FxHashMap<(Text, Kind, Text), Share> = FxHashMap::default();
    for (key, share) in costs.iter().flat_map(|(_, cost)| &cost.workloads) {
        merged.entry(key.clone()).or_default().add(share);
    }
    let named = merged.into_iter().map(|((namespace, kind, name), share)| {
        let id = RowId::Workload(Text::clean(kind.names().kind), namespace.clone(), name.clone());
        let what = match kind {
            Kind::Claim => " (claim, in no pod)",
            Kind::Service => " (load balancer)",
            _ => "",
        };
        (Text::clean(&format!("{namespace}/{name}{what}")), id, share)
    });
    named.collect()
}

fn pool_rows(costs: &[(&Cluster, Arc<Breakdown>)], total: &Breakdown, unit: Unit) -> Vec<SheetRow> {
    let each = costs.iter().flat_map(|(cluster, cost)| {
        cost.pools.iter().map(|(pool, share)| {
            let pool = if pool.is_empty() { "(no pool)" } else { pool.as_str() };
            let name = Text::clean(&format!("{}/{pool}", cluster.info.name));
            (name.clone(), RowId::Part(name), share.clone())
        })
    });
    let mut rows: Vec<Named> = each.collect();
    rows.extend(apart("(volumes)", &total.volumes));
    rows.extend(apart("(load balancers)", &total.balancers));
    rows.extend(apart("(control planes)", &total.control_plane));
    sorted(rows).into_iter().map(|named| share_row(named, true, unit, total.measured)).collect()
}

/// What belongs to nobody, as a row of its own; none where there is nothing.
fn apart(name: &str, share: &Share) -> Option<Named> {
    (!share.is_empty()).then(|| (Text::clean(name), RowId::Part(Text::clean(name)), share.clone()))
}

fn sorted(mut shares: Vec<Named>) -> Vec<Named> {
    shares.sort_by(|a, b| b.2.rate.cmp(&a.2.rate).then_with(|| a.0.cmp(&b.0)));
    shares
}

/// Rows of those who cost, and of what nobody asked for: together they are the whole.
fn share_rows(mut shares: Vec<Named>, total: &Breakdown, unit: Unit) -> Vec<SheetRow> {
    let rest = |rate| Share { rate, basis: Basis::List, ..Share::default() };
    let nodes = if total.nodes.guessed > 0 { Basis::Estimated } else { Basis::List };
    for (name, rate) in [
        ("(idle)", total.idle),
        ("(pods not readable)", total.blind),
        ("(kept by the system)", total.reserved),
    ] {
        if rate > Money::ZERO {
            shares.extend(apart(name, &Share { basis: nodes, ..rest(rate) }));
        }
    }
    shares.extend(apart("(control planes)", &total.control_plane));
    shares.extend(apart("(volumes of no claim)", &total.unclaimed));
    sorted(shares).into_iter().map(|named| share_row(named, false, unit, total.measured)).collect()
}

fn share_row((name, id, share): Named, idles: bool, unit: Unit, measured: bool) -> SheetRow {
    let more = if share.unknown > 0 { "+?" } else { "" };
    let tilde = if share.basis.approximate() { "~" } else { "" };
    let rate = match (share.unknown > 0, share.rate == Money::ZERO) {
        (true, true) => "$?".to_owned(),
        _ => format!("{tilde}{}{more}", figure(share.rate, unit)),
    };
    let figures = Figures {
        rate: Cell::number(rate, share.rate.nanos()),
        change: None,
        month: share.rate,
        whole: share.rate,
        idle: idles.then_some((share.idle, share.blind)),
        // Only what asks can ask for too much.
        waste: match share.asked == Resources::default() && share.waste == Money::ZERO && measured {
            true => Cell::text("-"),
            false => wasted(share.waste, measured, unit),
        },
        spot: share.spot,
        basis: basis_word(share.basis),
    };
    SheetRow { id, tone: Tone::Ok, cells: figures.cells(name, unit), objects: Vec::new(), stale: false }
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
            let idle = idle_cells(share.idle, share.blind, share.rate, Unit::Hour).0.text;
            line(
                "pool",
                format!("{pool}  {} nodes  {approximate}${}/h  idle {idle}", share.count, share.rate),
            )
        })
        .collect();
    lines.extend(dearest(&cost.namespaces).map(|(namespace, share)| {
        line("namespace", format!("{namespace}  {} pods  ${}/h", share.count, share.rate))
    }));
    for (label, share) in
        [("control", &cost.control_plane), ("volumes", &cost.volumes), ("balancers", &cost.balancers)]
    {
        if !share.is_empty() {
            let more = if share.unknown > 0 {
                format!(", {} without a price", share.unknown)
            } else {
                String::new()
            };
            lines.push(line(label, format!("{}  ${}/h{more}", share.count, share.rate)));
        }
    }
    let idle = match idle_cells(cost.idle, cost.blind, cost.whole.rate, Unit::Hour).1.text.as_str() {
        "?" => "? (pods not readable)".to_owned(),
        amount => format!("${amount}/h"),
    };
    lines.push(line("idle", format!("{idle}, and ${}/h kept by the system", cost.reserved)));
    let win = waste::waste(&[(&**cluster, Arc::clone(&cost))]);
    lines.extend(win.iter().take(3).map(|item| line("win back", item.sentence())));
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
        assert_eq!(figure(rate, Unit::Month), "730");
        assert_eq!(figure(Money::from_micros(71_360_000), Unit::Month), "52,093");
        assert_eq!(figure(Money::from_micros(1_000), Unit::Month), "0.73");
    }
}
