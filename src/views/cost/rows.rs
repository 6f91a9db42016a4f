//! The rows of the cost pane, by its lenses.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::unit::{Doubt, Unit, percent};
use super::{Breakdown, Share};
use crate::model::{Basis, Cell, Cluster, CostTotals, Kind, Money, Resources, Span, Text, Time, Tone};
use crate::views::health::{counted, old, usage_stale};
use crate::views::{RowId, SheetRow};

/// What is known of use, on which waste rests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Usage {
    /// Whether anything is.
    pub(super) known: bool,
    /// Whether it is not known of all.
    pub(super) more: bool,
    /// Whether some of it was measured too long ago.
    pub(super) old: bool,
}

impl Usage {
    pub(super) const fn of(cost: &Breakdown) -> Usage {
        Usage { known: cost.measured, more: cost.unmeasured, old: false }
    }

    /// What is asked for and not used; unknown while use is.
    pub(super) fn waste(self, waste: Money, unit: Unit) -> Cell {
        match self.known {
            true => self.doubt().part(waste, unit),
            false => Cell::text("?"),
        }
    }

    /// How sure waste is, where use is known.
    pub(super) const fn doubt(self) -> Doubt {
        Doubt { about: self.old, more: self.more }
    }
}

/// The cells behind a name, in the order of the columns.
struct Figures<'a> {
    rate: Money,
    doubt: Doubt,
    change: Option<Cell>,
    spot: Money,
    /// Idle as a share and as an amount; none where nobody's idle is in it.
    idle: Option<(Cell, Cell)>,
    waste: Cell,
    basis: &'a str,
}

impl Figures<'_> {
    fn cells(self, name: Text, unit: Unit) -> Vec<Cell> {
        let mut cells = vec![Cell::text(name), self.doubt.price(self.rate, unit)];
        cells.extend(self.change);
        if unit != Unit::Month {
            cells.push(self.doubt.price(self.rate, Unit::Month));
        }
        let (share, amount) = self.idle.unwrap_or_else(|| (Cell::text("-"), Cell::text("-")));
        let spot = match self.rate == Money::ZERO && self.doubt.more {
            true => Cell::text("?"),
            false => percent(self.spot, self.rate),
        };
        cells.extend([share, amount, self.waste, spot, Cell::text(self.basis)]);
        cells
    }
}

/// Idle as a share and as an amount: `32 %` `1.18`; where pods or nodes are not known `?`, in a sum
/// with such a part `~32 %` of the rest and `1.18+?`.
pub(super) fn idle_cells(idle: Money, blind: Money, unread: bool, whole: Money, unit: Unit) -> (Cell, Cell) {
    let share = percent(idle, whole - blind);
    let doubt = Doubt { about: false, more: unread || blind > Money::ZERO };
    let amount = doubt.part(idle, unit);
    match (doubt.more, idle > Money::ZERO) {
        (false, _) => (share, amount),
        (true, false) => (Cell::text("?"), amount),
        (true, true) => (Cell { text: format!("~{}", share.text).into(), ..share }, amount),
    }
}

/// `list`, `user`, `list, 9 ~`, `~`, `?` where nothing is known.
fn mixture(cost: &CostTotals, unread: bool) -> String {
    let source = cost.source();
    match (cost.priced, cost.guessed, cost.unknown) {
        (0, 0, 0) => if unread { "?" } else { "-" }.to_owned(),
        (_, 0, 0) => source.to_owned(),
        (0, _, 0) => "~".to_owned(),
        (0, 0, _) => "?".to_owned(),
        (_, guessed, 0) => format!("{source}, {guessed} ~"),
        (_, 0, unknown) => format!("{source}, {unknown} ?"),
        _ => "mixed".to_owned(),
    }
}

pub(super) fn cluster_row(cluster: &Cluster, cost: &Breakdown, unit: Unit, now: Time) -> SheetRow {
    let whole = &cost.whole;
    let stale = old(cluster, Kind::Node, now);
    let usage = Usage { old: usage_stale(cluster, now), ..Usage::of(cost) };
    let figures = Figures {
        rate: whole.rate,
        doubt: Doubt::of(whole).or(stale, cost.unread),
        change: Some(Change::of(changed(cluster, now)).cell(unit)),
        spot: whole.spot,
        idle: Some(idle_cells(cost.idle, cost.blind, cost.unread, whole.rate, unit)),
        waste: usage.waste(cost.waste, unit),
        basis: &mixture(whole, cost.unread),
    };
    let cells = figures.cells(cluster.info.name.clone(), unit);
    SheetRow { id: RowId::Cluster(cluster.id), tone: Tone::Ok, cells, objects: Vec::new(), stale }
}

/// The sum under the rows. `unseen` is whether clusters in scope were never seen.
pub(super) fn sum_row(
    count: usize,
    total: &Breakdown,
    unseen: bool,
    change: Option<Change>,
    usage: Usage,
    unit: Unit,
) -> SheetRow {
    let whole = &total.whole;
    let unread = unseen || total.unread;
    let figures = Figures {
        rate: whole.rate,
        doubt: Doubt::of(whole).or(false, unread),
        change: change.map(|change| change.cell(unit)),
        spot: whole.spot,
        idle: Some(idle_cells(total.idle, total.blind, unread, whole.rate, unit)),
        waste: usage.waste(total.waste, unit),
        basis: &mixture(whole, unread),
    };
    let cells = figures.cells(Text::clean(&format!("all {count}")), unit);
    SheetRow { id: RowId::Total, tone: Tone::Ok, cells, objects: Vec::new(), stale: false }
}

/// What rates changed by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Change {
    pub(super) rate: Money,
    /// Whether some of them do not tell.
    pub(super) unknown: bool,
}

impl Change {
    fn of(changed: Option<Money>) -> Change {
        Change { rate: changed.unwrap_or_default(), unknown: changed.is_none() }
    }

    fn and(self, other: Change) -> Change {
        Change { rate: self.rate + other.rate, unknown: self.unknown || other.unknown }
    }

    fn cell(self, unit: Unit) -> Cell {
        match (self.rate, self.unknown) {
            (Money::ZERO, false) => Cell::number("·", 0),
            (Money::ZERO, true) => Cell::text("?"),
            (rate, unknown) => {
                let more = if unknown { "+?" } else { "" };
                Cell::number(format!("{:#}{more}", unit.of(rate)), rate.nanos())
            }
        }
    }
}

/// What all rates changed by.
pub(super) fn change_of(costs: &[(&Cluster, Arc<Breakdown>)], now: Time) -> Change {
    costs.iter().map(|(cluster, _)| Change::of(changed(cluster, now))).fold(Change::default(), Change::and)
}

/// What the nodes' rate changed by within the last hour, by the series.
fn changed(cluster: &Cluster, now: Time) -> Option<Money> {
    let since = now - Span::from_seconds(3600);
    let first = cluster.series.samples.iter().find(|s| s.at >= since)?;
    counted(cluster, Kind::Node).then(|| cluster.totals.cost.rate - first.rate)
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
    usage: Usage,
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
    sorted(rows).into_iter().map(|named| share_row(named, true, usage, unit)).collect()
}

/// What belongs to nobody, as a row of its own; none where there is nothing.
fn apart(name: &str, share: &Share) -> Option<Named> {
    (!share.is_empty()).then(|| (Text::clean(name), RowId::Part(Text::clean(name)), share.clone()))
}

fn sorted(mut shares: Vec<Named>) -> Vec<Named> {
    shares.sort_unstable_by(|a, b| b.2.rate.cmp(&a.2.rate).then_with(|| a.0.cmp(&b.0)));
    shares
}

/// Rows of those who cost, and of what nobody asked for: together they are the whole.
pub(super) fn share_rows(
    mut shares: Vec<Named>,
    total: &Breakdown,
    usage: Usage,
    unit: Unit,
) -> Vec<SheetRow> {
    let rest = |rate| Share { rate, basis: Basis::List, ..Share::default() };
    let nodes = match total.nodes.guessed {
        0 if total.nodes.user > 0 => Basis::User,
        0 => Basis::List,
        _ => Basis::Estimated,
    };
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
    sorted(shares).into_iter().map(|named| share_row(named, false, usage, unit)).collect()
}

fn share_row((name, id, share): Named, idles: bool, usage: Usage, unit: Unit) -> SheetRow {
    let figures = Figures {
        rate: share.rate,
        doubt: Doubt { about: share.basis.approximate(), more: share.unknown > 0 },
        change: None,
        spot: share.spot,
        idle: idles.then(|| idle_cells(share.idle, share.blind, false, share.rate, unit)),
        // Only what asks can ask for too much.
        waste: match share.asked == Resources::default() && share.waste == Money::ZERO && usage.known {
            true => Cell::text("-"),
            // What is not measured elsewhere is not missing here.
            false => Usage { more: false, ..usage }.waste(share.waste, unit),
        },
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
