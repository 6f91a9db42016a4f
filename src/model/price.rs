//! What nodes cost: the price of one, and the sum of many.

use super::{Capacity, Money};

/// What nodes cost, and how sure that is.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct CostTotals {
    /// The sum of all known prices.
    pub rate: Money,
    /// The part of it that spot nodes cost.
    pub spot: Money,
    /// The part of it that is estimated.
    pub estimated: Money,
    /// Nodes with a price from a list or a setting.
    pub priced: u32,
    /// Those of them whose price a setting made.
    pub user: u32,
    /// Nodes with an estimated price.
    pub guessed: u32,
    /// Nodes without any price: the rate is too low by an unknown amount.
    pub unknown: u32,
}

impl CostTotals {
    /// Adds a node's price.
    pub fn add(&mut self, price: Price) {
        match price.rate {
            None => self.unknown += 1,
            Some(rate) => {
                self.rate += rate;
                if price.capacity == Capacity::Spot {
                    self.spot += rate;
                }
                if price.basis.approximate() {
                    self.estimated += rate;
                    self.guessed += 1;
                } else {
                    self.priced += 1;
                    self.user += u32::from(price.basis == Basis::User);
                }
            }
        }
    }

    /// Takes a node's price out again.
    pub fn remove(&mut self, price: Price) {
        match price.rate {
            None => self.unknown -= 1,
            Some(rate) => {
                self.rate -= rate;
                if price.capacity == Capacity::Spot {
                    self.spot -= rate;
                }
                if price.basis.approximate() {
                    self.estimated -= rate;
                    self.guessed -= 1;
                } else {
                    self.priced -= 1;
                    self.user -= u32::from(price.basis == Basis::User);
                }
            }
        }
    }

    /// Where the prices are from, estimates left out: `list`, `user`, `mixed`.
    #[must_use]
    pub const fn source(&self) -> &'static str {
        match self.user {
            0 => "list",
            user if user == self.priced => "user",
            _ => "mixed",
        }
    }

    /// Adds what another cluster costs.
    pub fn merge(&mut self, other: &CostTotals) {
        self.rate += other.rate;
        self.spot += other.spot;
        self.estimated += other.estimated;
        self.priced += other.priced;
        self.user += other.user;
        self.guessed += other.guessed;
        self.unknown += other.unknown;
    }
}

/// A price of one node and how sure it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Price {
    /// Dollars an hour; `None` when nothing is known.
    pub rate: Option<Money>,
    /// Where it is from.
    pub basis: Basis,
    /// How the node is paid for.
    pub capacity: Capacity,
}

/// Where a price is from (FOCUS `ListCost`, unless a setting overrides it).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The provider's list price for exactly this type, region and capacity.
    List,
    /// A setting of the user: a price of their own, or their discount from the list.
    User,
    /// Estimated from a neighbour: another region, class or capacity; shown with `~`.
    Estimated,
    /// Estimated from its cores and memory alone; shown with `~`.
    Shape,
    /// Nothing is known.
    #[default]
    Unknown,
}

impl Basis {
    /// Whether it must be marked `~`.
    #[must_use]
    pub const fn approximate(self) -> bool {
        matches!(self, Basis::Estimated | Basis::Shape)
    }
}
