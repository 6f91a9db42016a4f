//! What a cluster pays for beside its nodes.

use rustc_hash::FxHashMap;

use super::{Basis, CostTotals, Money, Price, Text, Uid};

/// What a cluster pays for beside its nodes, made anew when what it is made from changed.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Extras {
    /// The provider's fee for the control plane; `None` when there is none.
    pub control_plane: Option<Price>,
    /// Costs of its own that the settings name.
    pub fixed: Vec<(Text, Money)>,
    /// What each persistent volume costs, by uid; those on the disks of nodes are not in it.
    pub volumes: FxHashMap<Uid, Price>,
    /// What each service of type `LoadBalancer` costs, by uid.
    pub balancers: FxHashMap<Uid, Price>,
    /// All of it; it counts things, not nodes.
    pub total: CostTotals,
}

impl Extras {
    /// The same with its total.
    #[must_use]
    pub fn summed(mut self) -> Extras {
        let mut total = CostTotals::default();
        let all = self.control_plane.iter().chain(self.volumes.values()).chain(self.balancers.values());
        all.for_each(|price| total.add(*price));
        for (_, rate) in &self.fixed {
            total.add(Price { rate: Some(*rate), basis: Basis::User, ..Price::default() });
        }
        self.total = total;
        self
    }
}
