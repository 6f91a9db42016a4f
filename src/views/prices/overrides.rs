//! A user's own prices, from the settings. The first that matches wins.

use crate::model::{Capacity, ClusterInfo, MONTH_HOURS, Money, Node, Text, text};

/// The `[cost]` section of the settings. Prices are USD an hour.
#[derive(Clone, PartialEq, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// Prices of nodes by cluster and label.
    pub node: Vec<NodePrice>,
    /// Rates per vCPU and GiB for whole clusters.
    pub rate: Vec<Rate>,
    /// Discounts from list prices.
    pub discount: Vec<Discount>,
    /// Costs of a cluster that no object tells of.
    pub fixed: Vec<FixedCost>,
    /// Prices of persistent volumes.
    pub disk: Vec<DiskPrice>,
    /// Prices of load balancers.
    pub balancer: Vec<BalancerPrice>,
}

/// A cost of a cluster that no object tells of: racks, power, support. One named `control plane`
/// stands for the provider's fee.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedCost {
    /// Clusters whose name matches this glob.
    pub cluster: String,
    /// What it is for.
    pub name: String,
    /// USD a month of 730 hours.
    pub per_month: f64,
}

/// The price of persistent volumes; what is not given matches all.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskPrice {
    /// Clusters whose name matches this glob.
    #[serde(default)]
    pub cluster: Option<String>,
    /// Volumes of the storage class of this name.
    #[serde(default)]
    pub class: Option<String>,
    /// USD for a GiB for a month of 730 hours.
    pub gib_month: f64,
}

/// The price of services of type `LoadBalancer`.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalancerPrice {
    /// Clusters whose name matches this glob.
    pub cluster: String,
    /// USD an hour for each.
    pub price: f64,
}

/// The price of matching nodes.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePrice {
    /// Which nodes.
    pub r#match: NodeMatch,
    /// USD an hour.
    pub price: f64,
}

/// Which nodes a price is for; what is not given matches all.
#[derive(Clone, PartialEq, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeMatch {
    /// Clusters whose name matches this glob.
    pub cluster: Option<String>,
    /// Nodes with this label: `key=value`.
    pub label: Option<String>,
}

/// Rates for nodes of whole clusters.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Clusters whose name matches this glob.
    pub cluster: String,
    /// USD per vCPU an hour.
    pub vcpu: f64,
    /// USD per GiB of memory an hour.
    pub gib: f64,
    /// USD for a GiB of a persistent volume for a month of 730 hours.
    #[serde(default)]
    pub storage_gib_month: Option<f64>,
}

/// A discount from list prices.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discount {
    /// `aws`, `gcp`, `azure`.
    pub provider: String,
    /// `on-demand` or `spot`; both when not given.
    pub capacity: Option<String>,
    /// Percent off.
    pub percent: f64,
}

impl Overrides {
    /// The user's own price of a node.
    pub(super) fn price(&self, cluster: &ClusterInfo, node: &Node) -> Option<Money> {
        let by_node = self.node.iter().find(|entry| entry.r#match.matches(cluster, node));
        if let Some(entry) = by_node {
            return Some(dollars(entry.price));
        }
        let rate = self.rate.iter().find(|rate| text::glob(&rate.cluster, &cluster.name))?;
        let capacity = node.capacity;
        Some(
            dollars(rate.vcpu).scaled(capacity.cpu, 1000)
                + dollars(rate.gib).scaled(capacity.memory >> 20, 1024),
        )
    }

    /// The user's own costs of a cluster, an hour.
    pub(super) fn fixed(&self, cluster: &ClusterInfo) -> impl Iterator<Item = (Text, Money)> {
        let own = self.fixed.iter().filter(|fixed| text::glob(&fixed.cluster, &cluster.name));
        own.map(|fixed| (Text::clean(&fixed.name), dollars(fixed.per_month).scaled(1, MONTH_HOURS)))
    }

    /// The user's own price of a GiB of a volume of this class for a month.
    pub(super) fn gib_month(&self, cluster: &ClusterInfo, class: &str) -> Option<Money> {
        let disk = self.disk.iter().find(|disk| {
            disk.cluster.as_deref().is_none_or(|glob| text::glob(glob, &cluster.name))
                && disk.class.as_deref().is_none_or(|name| name == class)
        });
        let rate = self.rate.iter().find(|rate| text::glob(&rate.cluster, &cluster.name));
        let price = disk.map(|disk| disk.gib_month).or(rate.and_then(|rate| rate.storage_gib_month));
        price.map(dollars)
    }

    /// The user's own price of a load balancer, an hour.
    pub(super) fn balancer(&self, cluster: &ClusterInfo) -> Option<Money> {
        let own = self.balancer.iter().find(|own| text::glob(&own.cluster, &cluster.name));
        own.map(|own| dollars(own.price))
    }

    /// The user's discount from the list for a node.
    pub(super) fn discount(&self, node: &Node) -> Option<&Discount> {
        let spot = node.identity.capacity == Capacity::Spot;
        self.discount.iter().find(|discount| {
            Some(discount.provider.as_str()) == node.identity.provider.price_key()
                && discount.capacity.as_deref().is_none_or(|capacity| (capacity == "spot") == spot)
        })
    }
}

impl Discount {
    /// A price after it.
    pub(super) fn off(&self, rate: Money) -> Money {
        rate.scaled(basis_points(100.0 - self.percent), 10_000)
    }
}

impl NodeMatch {
    fn matches(&self, cluster: &ClusterInfo, node: &Node) -> bool {
        let cluster_matches = self.cluster.as_deref().is_none_or(|glob| text::glob(glob, &cluster.name));
        let label_matches = self.label.as_deref().is_none_or(|label| {
            label
                .split_once('=')
                .is_some_and(|(key, value)| node.meta.labels.get(key).is_some_and(|v| *v == value))
        });
        cluster_matches && label_matches
    }
}

#[allow(clippy::cast_possible_truncation, reason = "saturates, and no price is near the limit")]
pub(super) fn dollars(price: f64) -> Money {
    Money::from_nanos((price * 1e9).round() as i64)
}

#[allow(clippy::cast_possible_truncation, reason = "saturates")]
fn basis_points(percent: f64) -> i64 {
    (percent.clamp(0.0, 100.0) * 100.0).round() as i64
}
