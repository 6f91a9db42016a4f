//! The cost pane.

use std::sync::Arc;

use super::rows::{
    Change, Usage, change_of, cluster_row, idle_cells, namespaces, pool_rows, share_rows, sum_row, workloads,
};
use super::unit::{Doubt, Unit, figure, percent};
use super::{Breakdown, breakdown, waste};
use crate::model::{Cluster, Column, Money, Time, grouped, many};
use crate::views::health::{usage_age, usage_stale};
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
    costs.sort_unstable_by_key(|(cluster, cost)| (-cost.whole.rate.nanos(), cluster.id));
    costs
}

/// What is paid, by the lens.
#[must_use]
pub fn sheet(snapshot: &Snapshot, scope: &Scope, lens: CostLens, unit: Unit, now: Time) -> Sheet {
    let costs = costs(snapshot, scope);
    let total = total(&costs);
    let unknown = unseen(snapshot, scope);
    let waste = waste::waste(&costs, now);
    let usage =
        Usage { old: costs.iter().any(|(cluster, _)| usage_stale(cluster, now)), ..Usage::of(&total) };
    let mut rows = match lens {
        CostLens::Cluster => costs.iter().map(|(c, cost)| cluster_row(c, cost, unit, now)).collect(),
        CostLens::Namespace => share_rows(namespaces(&costs), &total, usage, unit),
        CostLens::Workload => share_rows(workloads(&costs), &total, usage, unit),
        CostLens::Pool => pool_rows(&costs, &total, usage, unit),
        CostLens::Waste => waste.iter().map(|item| item.row(unit)).collect(),
    };
    if rows.len() > 1 && lens != CostLens::Waste {
        let change = (lens == CostLens::Cluster).then(|| change_of(&costs, now));
        let sum = sum_row(rows.len(), &total, unknown > 0, change, usage, unit);
        rows.push(sum);
    }
    let win = waste.iter().map(|item| item.rate).sum();
    Sheet {
        answer: answer(&total, unknown, &change_of(&costs, now), usage, unit).into(),
        charts: Vec::new(),
        columns: if lens == CostLens::Waste { waste::columns(unit) } else { columns(lens, unit) },
        rows: rows.into(),
        empty: match lens {
            CostLens::Waste if total.measured => "Nothing to win back is seen.".into(),
            CostLens::Waste => "Nothing to win back is seen; what pods use is not known.".into(),
            _ => "No node in this scope has been seen yet.".into(),
        },
        footer: footer(&costs, &total, unknown, win, lens, unit, now).into(),
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
        total.unmeasured |= cost.unmeasured;
        total.unread |= cost.unread;
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
fn answer(total: &Breakdown, unseen: usize, change: &Change, usage: Usage, unit: Unit) -> String {
    let whole = &total.whole;
    let doubt = Doubt::of(whole).or(false, unseen > 0 || total.unread);
    if whole.rate == Money::ZERO && doubt.more {
        let things = if whole.unknown > 0 { "nothing seen has a price" } else { "no node seen yet" };
        return format!("$?: {things}.");
    }
    let per = |rate: Money| format!("${}{}", figure(rate, unit), unit.suffix());
    let mut text = doubt.say(whole.rate, &per(whole.rate), "$?");
    text.push_str(&format!(" {}", whole.source()));
    if unit != Unit::Month {
        let month = format!("${}", figure(whole.rate, Unit::Month));
        text.push_str(&format!(" = {} a month", doubt.say(whole.rate, &month, "$?")));
    }
    let (share, amount) = idle_cells(total.idle, total.blind, total.unread, whole.rate, unit);
    let idle = match amount.text.as_str() {
        "?" => "?".to_owned(),
        amount => format!("${amount}{} ({})", unit.suffix(), share.text),
    };
    let waste = match usage.known {
        true => usage.doubt().say(total.waste, &per(total.waste), "?"),
        false => "? without metrics".to_owned(),
    };
    let spot = percent(whole.spot, whole.rate).text;
    text.push_str(&format!(". Idle {idle}, waste {waste}, spot {spot}."));
    if change.rate != Money::ZERO {
        let sign = if change.rate < Money::ZERO { "-" } else { "+" };
        let amount = if change.rate < Money::ZERO { -change.rate } else { change.rate };
        let amount = Doubt::default().or(false, change.unknown).say(amount, &per(amount), "?");
        text.push_str(&format!(" {sign}{amount} in 1 h."));
    }
    text
}

fn footer(
    costs: &[(&Cluster, Arc<Breakdown>)],
    total: &Breakdown,
    unseen: usize,
    win: Money,
    lens: CostLens,
    unit: Unit,
    now: Time,
) -> String {
    let whole = &total.whole;
    let mut parts = Vec::new();
    if win > Money::ZERO && lens != CostLens::Waste {
        parts.push(format!("to win back ${} (by waste)", figure(win, unit)));
    }
    let blind = unseen + costs.iter().filter(|(_, cost)| cost.unread).count();
    if blind > 0 {
        parts.push(format!("nodes of {} not known", many(blind, "cluster")));
    }
    let stale = || costs.iter().filter(|(cluster, _)| usage_stale(cluster, now));
    if let Some(oldest) = stale().filter_map(|(cluster, _)| usage_age(cluster, now)).max() {
        parts.push(format!("◌ use of {} measured up to {oldest} ago ~", many(stale().count(), "cluster")));
    }
    parts.push(format!("prices {}", prices::list_date()));
    if whole.guessed > 0 {
        let share = percent(whole.estimated, whole.rate).text;
        parts.push(format!("{} prices ~ ({share} of cost)", grouped(u64::from(whole.guessed))));
    }
    if whole.unknown > 0 {
        parts.push(format!("{} without a price", many(whole.unknown as usize, "thing")));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Basis, Kind, LinkState, Price, Record, Usage as Measured, Used};
    use crate::views::scenes::{Scene, cells, clock, node, now, pod, snapshot};

    /// A cluster of one node with one pod, measured at a moment.
    fn scene(id: u16, name: &str, basis: Basis, measured: &str) -> Scene {
        let records =
            vec![Record::from(node("n1", "std", "z")), Record::Pod(pod("shop", "web", "a", "web:1", "n1"))];
        let price = Price { rate: Some(Money::from_micros(400_000)), basis, ..Price::default() };
        let used = Used { cpu: 100, memory: 100 << 20 };
        Scene::new(id, name).with(&[], records, now()).set(|c| {
            c.prices = Arc::new(c.nodes().map(|node| (node.meta.uid, price)).collect());
            let pods = [(("shop", "web-7d9f-a"), used)].into_iter().collect();
            c.usage = Arc::new(Measured { pods, ..Measured::default() });
            c.usage_at = Some(clock(measured));
        })
    }

    fn rows(scenes: Vec<Scene>) -> (Vec<String>, Sheet) {
        let sheet = sheet(&snapshot(scenes), &Scope::All, CostLens::Cluster, Unit::Hour, now());
        (sheet.rows.iter().map(cells).collect(), sheet)
    }

    #[test]
    fn a_cluster_whose_nodes_are_not_known_costs_an_unknown_amount() {
        let secret = scene(1, "secret", Basis::List, "02:14:00").table(Kind::Node, |table| {
            table.rows = crate::model::Rows::default();
            table.link.state = LinkState::Denied;
        });
        let (rows, sheet) = rows(vec![scene(0, "open", Basis::List, "02:14:00"), secret]);
        assert_eq!(
            rows,
            [
                "open | 0.40 | ? | 292 | 94 % | 0.38 | 0.02 | 0 % | list",
                "secret | $? | ? | $? | ? | ? | ? | ? | ?",
                "all 2 | 0.40+? | ? | 292+? | ~94 % | 0.38+? | 0.02+? | 0 % | list",
            ]
        );
        assert!(sheet.answer.starts_with("$0.40/h+? list = $292+? a month."), "{}", sheet.answer);
        assert!(sheet.footer.contains("nodes of 1 cluster not known"), "{}", sheet.footer);
    }

    #[test]
    fn waste_by_an_old_measurement_is_about() {
        let (rows, sheet) = rows(vec![scene(0, "open", Basis::List, "02:10:00")]);
        assert!(rows[0].contains("| ~0.02 |"), "{}", rows[0]);
        assert!(sheet.answer.contains("waste ~$0.02/h"), "{}", sheet.answer);
        assert!(sheet.footer.contains("use of 1 cluster measured up to 4m07s ago"), "{}", sheet.footer);
    }

    #[test]
    fn whose_prices_they_are_is_said() {
        let (rows, sheet) =
            rows(vec![scene(0, "cloud", Basis::List, "02:14:00"), scene(1, "rack", Basis::User, "02:14:00")]);
        let basis = |row: &String| row.rsplit(" | ").next().unwrap_or_default().to_owned();
        assert_eq!(rows.iter().map(basis).collect::<Vec<_>>(), ["list", "user", "mixed"]);
        assert!(sheet.answer.starts_with("$0.80/h mixed"), "{}", sheet.answer);
    }
}
