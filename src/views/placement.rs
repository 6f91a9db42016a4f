//! Placement: where each workload runs, at which version, and what waits for a place.

mod fit;
mod pending;
mod pools;
mod workloads;
mod zones;

pub use workloads::{Drift, Placed, Row, workloads};

use crate::model::{Cluster, Kind, Time, grouped};
use crate::views::health::counted;
use crate::views::{Evidence, RowId, Scope, Sheet, Snapshot};

/// What the pane goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PlacementLens {
    /// Workloads × clusters.
    #[default]
    App,
    /// Node pools.
    Pool,
    /// Pods without a node.
    Pending,
    /// Which cluster could take the load of which.
    Fit,
}

impl PlacementLens {
    /// The lens of this name; the first when there is none.
    #[must_use]
    pub fn named(name: &str) -> PlacementLens {
        match name {
            "pool" => PlacementLens::Pool,
            "pending" => PlacementLens::Pending,
            "fit" => PlacementLens::Fit,
            _ => PlacementLens::App,
        }
    }
}

/// The pane by its lens.
#[must_use]
pub fn sheet(snapshot: &Snapshot, scope: &Scope, lens: PlacementLens, now: Time) -> Sheet {
    match lens {
        PlacementLens::App => workloads::sheet(snapshot, scope, now),
        PlacementLens::Pool => pools::sheet(snapshot, scope, now),
        PlacementLens::Pending => pending::sheet(snapshot, scope, now),
        PlacementLens::Fit => fit::sheet(snapshot, scope, now),
    }
}

/// What stands under the table for the selected row.
#[must_use]
pub fn evidence(snapshot: &Snapshot, scope: &Scope, row: &RowId, now: Time) -> Evidence {
    match row {
        RowId::Workload(kind, namespace, name) => {
            zones::evidence(snapshot, scope, kind, namespace, name, now)
        }
        RowId::Cluster(_) => fit::evidence(snapshot, scope, row, now),
        _ => Evidence::default(),
    }
}

/// Whether the objects of these kinds are known in every cluster in scope.
fn all_counted(snapshot: &Snapshot, scope: &Scope, kinds: &[Kind]) -> bool {
    let known = |cluster: &Cluster| kinds.iter().all(|kind| counted(cluster, *kind));
    snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).all(|c| known(c))
}

/// `412`, `412+?` when a part of it is not known, `?` when nothing is.
fn sum(known: u64, all: bool) -> String {
    match (known, all) {
        (known, true) => grouped(known),
        (0, false) => "?".to_owned(),
        (known, false) => format!("{}+?", grouped(known)),
    }
}
