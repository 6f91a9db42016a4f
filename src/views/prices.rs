//! Prices of nodes: a user's own, else list prices, else estimates that say so.
//!
//! Every figure is FOCUS `ListCost`, quantity × list unit price, unless a setting overrides it.

mod extras;
mod overrides;
mod table;

pub use overrides::{BalancerPrice, Discount, DiskPrice, FixedCost, NodeMatch, NodePrice, Overrides, Rate};

use crate::model::{Basis, Capacity, ClusterInfo, Money, Node, Price, Provider};
use overrides::dollars;
use table::Table;

/// What OpenCost weighs a core, a GiB of memory and a GPU by, in micro-dollars an hour: its base rates
/// (`GetNodeCost`). To split a price only their ratio matters.
pub(super) const CORE: i64 = 31_611;
pub(super) const GIB: i64 = 4_237;
pub(super) const GPU: i64 = 950_000;

/// Rates of a provider for nodes whose type has no price: micro-dollars per vCPU and per GiB an
/// hour (shape fits over the list prices; the on-premises pair is a placeholder).
const SHAPES: [(Provider, i64, i64); 5] = [
    (Provider::Eks, 36_000, 3_500),
    (Provider::Gke, CORE, GIB),
    (Provider::Aks, 35_100, 3_500),
    (Provider::Private, 31_600, 4_200),
    (Provider::Edge, 31_600, 4_200),
];

/// What spot costs of on-demand where no quote is known, in ten-thousandths.
const SPOT_RATIOS: [(Provider, u16); 3] =
    [(Provider::Eks, 3_500), (Provider::Gke, 3_500), (Provider::Aks, 1_850)];

/// What a GPU adds to a node priced by its shape: micro-dollars an hour by a word in its model.
const GPUS: [(&str, i64); 7] = [
    ("H100", 5_270_000),
    ("A100", 1_810_000),
    ("A10", 852_000),
    ("L40", 1_200_000),
    ("L4", 510_000),
    ("T4", 390_000),
    ("", GPU),
];

/// The price list of this program with the user's own prices over it.
#[derive(Clone, Debug)]
pub struct Prices {
    table: Table,
    overrides: Overrides,
}

impl Prices {
    /// The embedded list with the user's own prices over it.
    #[must_use]
    pub fn new(overrides: Overrides) -> Prices {
        Prices { table: Table::embedded(), overrides }
    }

    /// What a node costs an hour, and how sure that is.
    #[must_use]
    pub fn price(&self, cluster: &ClusterInfo, node: &Node) -> Price {
        let capacity = node.identity.capacity;
        if let Some(rate) = self.overrides.price(cluster, node) {
            return Price { rate: Some(rate), basis: Basis::User, capacity };
        }
        let (rate, basis) = match self.listed(node) {
            Some((rate, basis)) => (Some(rate), basis),
            None => (by_shape(node), Basis::Shape),
        };
        let discount = self.overrides.discount(node);
        let basis = match (rate.is_some(), basis) {
            (false, _) => Basis::Unknown,
            // What a discount made of a list price is no list price; an estimate stays one.
            (true, Basis::List) if discount.is_some() => Basis::User,
            (true, basis) => basis,
        };
        let rate = rate.map(|rate| discount.map_or(rate, |discount| discount.off(rate)));
        Price { rate, basis, capacity }
    }

    /// The list price: of this very type and region, else of the same type elsewhere times what
    /// the region costs in comparison.
    fn listed(&self, node: &Node) -> Option<(Money, Basis)> {
        let identity = &node.identity;
        let provider = identity.provider.price_key()?;
        // AWS local zones are regions of their own: us-east-1-bos-1a lies in us-east-1-bos-1.
        let local = identity.zone.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or_default();
        let exact = [local, identity.region.as_str()]
            .into_iter()
            .filter(|region| !region.is_empty())
            .find_map(|region| self.table.lookup(provider, region, &identity.instance_type));
        let (quote, estimated) = match exact {
            Some(quote) => (quote, false),
            None => (self.table.estimate(provider, &identity.region, &identity.instance_type)?, true),
        };
        let on_demand = Money::from_micros(i64::from(quote.micros));
        if identity.capacity != Capacity::Spot {
            return Some((on_demand, if estimated { Basis::Estimated } else { Basis::List }));
        }
        // A spot price is an average of zones and days at best: always an estimate.
        let ratio = if quote.spot_ratio > 0 { quote.spot_ratio } else { spot_ratio(identity.provider) };
        Some((on_demand.scaled(i64::from(ratio), 10_000), Basis::Estimated))
    }
}

fn spot_ratio(provider: Provider) -> u16 {
    SPOT_RATIOS.iter().find(|(p, _)| *p == provider).map_or(3_500, |(_, ratio)| *ratio)
}

/// The date of the embedded list.
#[must_use]
pub fn list_date() -> &'static str {
    Table::embedded().date()
}

/// A price from cores, memory and GPUs alone. Nothing without a shape has one.
fn by_shape(node: &Node) -> Option<Money> {
    let (_, vcpu, gib) = SHAPES.iter().find(|(p, ..)| *p == node.identity.provider)?;
    let capacity = node.capacity;
    if capacity.cpu <= 0 || capacity.memory <= 0 {
        return None;
    }
    let gpu = GPUS.iter().find(|(word, _)| node.gpu_model.contains(word)).map_or(0, |(_, rate)| *rate);
    let rate = Money::from_micros(*vcpu).scaled(capacity.cpu, 1000)
        + Money::from_micros(*gib).scaled(capacity.memory >> 20, 1024)
        + Money::from_micros(gpu).scaled(capacity.gpus, 1);
    let spot = node.identity.capacity == Capacity::Spot;
    Some(if spot { rate.scaled(i64::from(spot_ratio(node.identity.provider)), 10_000) } else { rate })
}

/// What one GPU of this model is worth beside cores and memory, for splitting a node's price.
#[must_use]
pub(super) fn gpu_weight(model: &str) -> i64 {
    GPUS.iter().find(|(word, _)| model.contains(word)).map_or(GPU, |(_, rate)| *rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Identity, Resources};

    fn node(provider: Provider, region: &str, kind: &str, capacity: Capacity) -> Node {
        Node {
            identity: Identity {
                provider,
                region: region.into(),
                instance_type: kind.into(),
                capacity,
                ..Identity::default()
            },
            capacity: Resources { cpu: 8000, memory: 32 << 30, gpus: 0, pods: 110 },
            ..Node::default()
        }
    }

    fn price(node: &Node) -> Price {
        Prices::new(Overrides::default()).price(&ClusterInfo::default(), node)
    }

    #[test]
    fn list_prices_are_exact() {
        let at = |p, r, t| price(&node(p, r, t, Capacity::OnDemand));
        let cases = [
            (at(Provider::Eks, "us-east-1", "m5.large"), 96_000),
            (at(Provider::Gke, "us-central1", "e2-standard-4"), 134_023),
            (at(Provider::Aks, "eastus", "Standard_D4s_v5"), 192_000),
            (at(Provider::Eks, "us-east-1", "p5.48xlarge"), 55_040_000),
        ];
        for (price, micros) in cases {
            assert_eq!(price.rate, Some(Money::from_micros(micros)));
            assert_eq!(price.basis, Basis::List);
        }
    }

    #[test]
    fn what_is_not_listed_is_estimated_and_says_so() {
        let spot = price(&node(Provider::Eks, "af-south-1", "c5.12xlarge", Capacity::Spot));
        assert_eq!((spot.rate, spot.basis), (Some(Money::from_micros(355_680)), Basis::Estimated));
        let elsewhere = price(&node(Provider::Eks, "nowhere-1", "m5.large", Capacity::OnDemand));
        assert_eq!((elsewhere.rate, elsewhere.basis), (Some(Money::from_micros(96_000)), Basis::Estimated));
        let shape = price(&node(Provider::Private, "", "", Capacity::Assumed));
        assert_eq!(shape.basis, Basis::Shape);
        assert_eq!(shape.rate, Some(Money::from_micros(8 * 31_600 + 32 * 4_200)));
        let unknown = price(&Node::default());
        assert_eq!((unknown.rate, unknown.basis), (None, Basis::Unknown));
    }

    #[test]
    fn a_setting_rules_over_the_list() {
        let overrides = Overrides {
            node: vec![NodePrice {
                r#match: NodeMatch {
                    cluster: Some("edge-*".into()),
                    label: Some("node.kubernetes.io/instance-type=nuc13".into()),
                },
                price: 0.031,
            }],
            rate: vec![Rate { cluster: "dc1-*".into(), vcpu: 0.012, gib: 0.0016, storage_gib_month: None }],
            discount: vec![Discount { provider: "aws".into(), capacity: None, percent: 25.0 }],
            ..Overrides::default()
        };
        let prices = Prices::new(overrides);
        let cluster = |name: &str| ClusterInfo { name: name.into(), ..ClusterInfo::default() };
        let private = node(Provider::Private, "", "", Capacity::Assumed);
        let rated = prices.price(&cluster("dc1-fra"), &private);
        assert_eq!(
            (rated.rate, rated.basis),
            (Some(Money::from_micros(8 * 12_000 + 32 * 1_600)), Basis::User)
        );
        let listed =
            prices.price(&cluster("x"), &node(Provider::Eks, "us-east-1", "m5.large", Capacity::OnDemand));
        assert_eq!((listed.rate, listed.basis), (Some(Money::from_micros(72_000)), Basis::User));
    }
}
