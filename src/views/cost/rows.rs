//! The rows of the cost pane, by its lenses.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::sheet::{CostLens, sure};
use super::unit::{Unit, figure, money, percent};
use super::{Breakdown, Share};
use crate::model::{Basis, Cell, Cluster, CostTotals, Kind, Money, Resources, Span, Text, Time, Tone};
use crate::views::{RowId, SheetRow};

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
pub(super) fn idle_cells(idle: Money, blind: Money, whole: Money, unit: Unit) -> (Cell, Cell) {
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
pub(super) fn wasted(waste: Money, measured: bool, unit: Unit) -> Cell {
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

pub(super) fn cluster_row(cluster: &Cluster, cost: &Breakdown, unit: Unit, now: Time) -> SheetRow {
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
pub(super) fn sum_row(
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
pub(super) fn change_of(costs: &[(&Cluster, Arc<Breakdown>)], now: Time) -> Option<Money> {
    costs.iter().filter_map(|(cluster, _)| changed(cluster, now)).reduce(|a, b| a + b)
}

/// What the nodes' rate changed by within the last hour, by the series.
fn changed(cluster: &Cluster, now: Time) -> Option<Money> {
    let since = now - Span::from_seconds(3600);
    let first = cluster.series.samples.iter().find(|s| s.at >= since)?;
    Some(cluster.totals.cost.rate - first.rate)
}

type Named = (Text, RowId, Share);

pub(super) fn namespaces(costs: &[(&Cluster, Arc<Breakdown>)]) -> Vec<Named> {
    let each = costs.iter().flat_map(|(cluster, cost)| {
        cost.namespaces.iter().map(|(namespace, share)| {
            let name = Text::clean(&format!("{}/{namespace}", cluster.info.name));
            (name.clone(), RowId::Part(name), share.clone())
        })
    });
    each.collect()
}

/// Workloads of one name are one row over all clusters.
pub(super) fn workloads(costs: &[(&Cluster, Arc<Breakdown>)]) -> Vec<Named> {
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

pub(super) fn pool_rows(
    costs: &[(&Cluster, Arc<Breakdown>)],
    total: &Breakdown,
    unit: Unit,
) -> Vec<SheetRow> {
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
pub(super) fn share_rows(mut shares: Vec<Named>, total: &Breakdown, unit: Unit) -> Vec<SheetRow> {
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
