//! The one place to add a pane, a rule or an observer: one line each. A pane that is also to be
//! printed by `get` has a word in `cli::View` and a line in `headless::get`, which says of which
//! kinds it is made.

use crate::model::Time;
use crate::ui::{Enter, PaneDecl, PaneInput, no_evidence, open_objects, panes};
use crate::views::cost::CostLens;
use crate::views::placement::PlacementLens;
use crate::views::scaling::ScalingLens;
use crate::views::{
    Observer, PriceOf, RowId, Rule, Scope, Sheet, SheetRow, Snapshot, cost, fleet, health, objects,
    placement, scaling,
};

/// What says what is wrong with an object.
pub(super) fn rules() -> Vec<Box<dyn Rule>> {
    health::rules()
}

/// What says what happened.
pub(super) fn observers(price: &PriceOf) -> Vec<Box<dyn Observer>> {
    scaling::observers(price)
}

/// The names of a pane's lenses, in the order of `b`.
pub(super) const FINDINGS_LENSES: &[&str] = &["cause", "cluster", "kind"];
pub(super) const PLACEMENT_LENSES: &[&str] = &["app", "pool", "pending", "fit"];
pub(super) const SCALING_LENSES: &[&str] = &["time", "story", "object", "cause"];
pub(super) const COST_LENSES: &[&str] = &["cluster", "namespace", "workload", "pool", "waste"];

/// The panes, in the order of their tabs.
pub(super) fn panes() -> Vec<PaneDecl> {
    let mut panes = vec![
        PaneDecl {
            digit: '1',
            name: "fleet",
            title: "Fleet",
            question: "Is every cluster fine, how fresh is what I see?",
            lenses: &[],
            sheet: |input| fleet::sheet(input.snapshot, input.scope, input.now),
            evidence: |input, row| fleet::evidence(input.snapshot, &row.id, input.now),
            on_enter: open_objects,
        },
        PaneDecl {
            digit: '2',
            name: "health",
            title: "Health",
            question: "What is broken, since when, what is common?",
            lenses: FINDINGS_LENSES,
            sheet: |input| {
                findings(input.snapshot, input.scope, named(FINDINGS_LENSES, input.lens), input.now)
            },
            evidence: |input, row| health::evidence(input.snapshot, input.scope, &row.id, input.now),
            on_enter: open_objects,
        },
        PaneDecl {
            digit: '3',
            name: "placement",
            title: "Placement",
            question: "Where does it run, at which version, could it run elsewhere?",
            lenses: PLACEMENT_LENSES,
            sheet: |input| {
                let lens = PlacementLens::named(named(PLACEMENT_LENSES, input.lens));
                placement::sheet(input.snapshot, input.scope, lens, input.now)
            },
            evidence: |input, row| placement::evidence(input.snapshot, input.scope, &row.id, input.now),
            on_enter: open_objects,
        },
        PaneDecl {
            digit: '4',
            name: "scaling",
            title: "Scaling",
            question: "What scaled, why, what did it cost, who is at the ceiling or flaps?",
            lenses: SCALING_LENSES,
            sheet: |input| scaling::sheet(input.snapshot, input.scope, scaling_lens(input), input.now),
            evidence: |input, row| {
                scaling::evidence(input.snapshot, input.scope, scaling_lens(input), &row.id, input.now)
            },
            on_enter: open_objects,
        },
        PaneDecl {
            digit: '5',
            name: "cost",
            title: "Cost",
            question: "What do we pay an hour, who, what is wasted?",
            lenses: COST_LENSES,
            sheet: |input| {
                let lens = CostLens::named(named(COST_LENSES, input.lens));
                cost::sheet(input.snapshot, input.scope, lens, input.unit, input.now)
            },
            evidence: |input, row| cost::evidence(input.snapshot, input.scope, &row.id, input.now),
            on_enter: split_cost,
        },
        PaneDecl {
            digit: '0',
            name: "objects",
            title: "Objects",
            question: "Any kind, every cluster, one table.",
            lenses: &[],
            sheet: |input| objects::sheet(input.snapshot, input.scope, input.kind, input.now, input.before),
            evidence: no_evidence,
            on_enter: open_objects,
        },
    ];
    panes.push(panes::operations::PANE);
    panes
}

/// The name of a lens; empty past the end, which every view takes for its first.
fn named(lenses: &[&'static str], lens: usize) -> &'static str {
    lenses.get(lens).copied().unwrap_or_default()
}

fn scaling_lens(input: &PaneInput<'_>) -> ScalingLens {
    ScalingLens::named(named(SCALING_LENSES, input.lens))
}

/// The health pane by the name of its lens.
pub(super) fn findings(snapshot: &Snapshot, scope: &Scope, lens: &str, now: Time) -> Sheet {
    let lens = health::LENSES.into_iter().find(|l| l.name() == lens).unwrap_or_default();
    health::sheet(snapshot, scope, now, lens)
}

/// `enter` on a cluster's cost narrows the scope to it and stays in the pane.
fn split_cost(input: &PaneInput<'_>, row: &SheetRow) -> Enter {
    match row.id {
        RowId::Cluster(id) => Enter::Scope(Scope::Clusters(vec![id]), '5'),
        _ => open_objects(input, row),
    }
}
