//! The cost pane.

use std::sync::Arc;

use super::rows::{
    change_of, cluster_row, idle_cells, namespaces, pool_rows, share_rows, sum_row, workloads,
};
use super::unit::{Unit, figure, percent};
use super::{Breakdown, breakdown, waste};
use crate::model::{Cluster, Column, CostTotals, Money, Time, grouped};
use crate::views::prices;
use crate::views::{Scope, Sheet, Snapshot};

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

    pub(super) const fn title(self) -> &'static str {
        match self {
            CostLens::Cluster => "cluster",
            CostLens::Namespace => "namespace",
            CostLens::Workload => "workload",
            CostLens::Pool => "pool",
            CostLens::Waste => "waste",
        }
    }
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
        hints: Vec::new(),
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
pub(super) fn sure(cost: &CostTotals, more: bool, text: &str) -> String {
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
