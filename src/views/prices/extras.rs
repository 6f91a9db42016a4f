//! Prices of what is paid beside nodes: control planes, volumes, load balancers.
//!
//! The list is `assets/extras.toml`; it names its sources. Usage that no object tells of, such as
//! traffic, is not in it.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::{Prices, dollars};
use crate::model::{
    Basis, Capacity, Cluster, Extras, Kind, MONTH_HOURS, Money, Price, Provider, Record, StorageClass, Text,
    Volume,
};

const GIB: i64 = 1 << 30;

/// The list, as it is written.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(rename = "date")]
    _date: String,
    control_plane: Vec<Fee>,
    balancer: Vec<Fee>,
    disk: Vec<Disk>,
    nodes: OnNodes,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Fee {
    provider: String,
    hour: f64,
    #[serde(default)]
    standard_from: u32,
    #[serde(default)]
    extended_hour: f64,
    #[serde(default)]
    assumed: bool,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Disk {
    driver: String,
    home: String,
    types: Vec<(String, f64)>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct OnNodes {
    drivers: Vec<String>,
}

fn list() -> &'static List {
    static LIST: OnceLock<List> = OnceLock::new();
    // The file is this program's own; were it not what it should be, no price is known.
    LIST.get_or_init(|| toml::from_str(include_str!("../../../assets/extras.toml")).unwrap_or_default())
}

fn fee(fees: &[Fee], provider: Provider) -> Option<&Fee> {
    fees.iter().find(|fee| fee.provider == provider.name())
}

impl Prices {
    /// What a cluster pays for beside its nodes.
    #[must_use]
    pub fn extras(&self, cluster: &Cluster) -> Extras {
        let own: Vec<(Text, Money)> = self.overrides.fixed(&cluster.info).collect();
        let named = own.iter().any(|(name, _)| *name == "control plane");
        let classes: FxHashMap<&Text, &StorageClass> = cluster
            .records(Kind::StorageClass)
            .filter_map(|record| match &**record {
                Record::StorageClass(class) => Some((&class.meta.name, class)),
                _ => None,
            })
            .collect();
        let volumes = cluster.records(Kind::Volume).filter_map(|record| match &**record {
            Record::Volume(volume) => {
                let disk = classes.get(&volume.class).map_or("", |class| class.disk.as_str());
                Some((volume.meta.uid, self.volume(cluster, volume, disk)?))
            }
            _ => None,
        });
        let balancers = cluster.records(Kind::Service).filter_map(|record| match &**record {
            Record::Service(service) if service.class == "LoadBalancer" => {
                Some((service.meta.uid, self.balancer(cluster)?))
            }
            _ => None,
        });
        Extras {
            control_plane: if named { None } else { control_plane(cluster) },
            fixed: own,
            volumes: volumes.collect(),
            balancers: balancers.collect(),
            ..Extras::default()
        }
        .summed()
    }

    /// The price of a volume; `None` when it lies on the disks of nodes.
    fn volume(&self, cluster: &Cluster, volume: &Volume, kind: &str) -> Option<Price> {
        if let Some(rate) = self.overrides.gib_month(&cluster.info, &volume.class) {
            return Some(price(Some(sized(rate, volume.size)), Basis::User));
        }
        if list().nodes.drivers.iter().any(|driver| *driver == *volume.driver) || volume.driver.is_empty() {
            return None;
        }
        let Some(disk) = list().disk.iter().find(|disk| disk.driver == *volume.driver) else {
            return Some(price(None, Basis::Unknown));
        };
        let exact = disk.types.iter().find(|(name, _)| name == kind);
        let basis = match exact {
            Some(_) if !disk.home.is_empty() && cluster.region == disk.home.as_str() => Basis::List,
            _ => Basis::Estimated,
        };
        let rate = exact.or(disk.types.first()).map(|(_, rate)| sized(dollars(*rate), volume.size));
        Some(price(rate, if rate.is_none() { Basis::Unknown } else { basis }))
    }

    /// The price of a load balancer; `None` where the cluster's own machines do its work.
    fn balancer(&self, cluster: &Cluster) -> Option<Price> {
        if let Some(rate) = self.overrides.balancer(&cluster.info) {
            return Some(price(Some(rate), Basis::User));
        }
        let fee = match cluster.provider {
            Provider::Private | Provider::Edge => return None,
            provider => fee(&list().balancer, provider),
        };
        Some(match fee {
            Some(fee) => price(Some(dollars(fee.hour)), Basis::List),
            None => price(None, Basis::Unknown),
        })
    }
}

/// The provider's fee for a control plane, by provider and version.
fn control_plane(cluster: &Cluster) -> Option<Price> {
    let fee = fee(&list().control_plane, cluster.provider)?;
    let minor =
        cluster.version.trim_start_matches('v').split('.').nth(1).and_then(|minor| minor.parse().ok());
    let extended = minor.is_some_and(|minor: u32| minor < fee.standard_from) && fee.extended_hour > 0.0;
    let rate = dollars(if extended { fee.extended_hour } else { fee.hour });
    Some(price(Some(rate), if fee.assumed { Basis::Estimated } else { Basis::List }))
}

fn price(rate: Option<Money>, basis: Basis) -> Price {
    Price { rate, basis, capacity: Capacity::default() }
}

/// What so many bytes cost an hour, by the price of a GiB for a month.
fn sized(gib_month: Money, bytes: i64) -> Money {
    gib_month.scaled(bytes >> 20, GIB >> 20).scaled(1, MONTH_HOURS)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{ClusterId, ClusterInfo, Meta, Service, Time, Uid};
    use crate::views::prices::Overrides;

    fn cluster(provider: Provider, region: &str, version: &str) -> Cluster {
        let info = ClusterInfo { name: "c".into(), ..ClusterInfo::default() };
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(info), Time::from_seconds(1));
        (cluster.provider, cluster.region, cluster.version) = (provider, region.into(), version.into());
        let meta = |name: &str| Meta { name: name.into(), uid: Uid::parse(name), ..Meta::default() };
        let class = StorageClass { meta: meta("fast"), disk: "gp3".into(), ..StorageClass::default() };
        let volume = |name: &str, driver: &str| Volume {
            meta: meta(name),
            class: "fast".into(),
            size: 730 * GIB,
            driver: driver.into(),
            ..Volume::default()
        };
        let service = Service { meta: meta("lb"), class: "LoadBalancer".into(), ..Service::default() };
        for record in [
            Record::StorageClass(class),
            Record::Volume(volume("cloud", "ebs.csi.aws.com")),
            Record::Volume(volume("local", "rancher.io/local-path")),
            Record::Volume(volume("odd", "csi.vendor.example")),
            Record::Service(service),
        ] {
            cluster.tables[record.kind().index()].rows.insert(Arc::new(record));
        }
        cluster
    }

    fn extras(cluster: &Cluster, overrides: Overrides) -> Extras {
        Prices::new(overrides).extras(cluster)
    }

    #[test]
    fn the_list_can_be_read() {
        assert!(!list().disk.is_empty() && !list().control_plane.is_empty());
    }

    #[test]
    fn each_thing_has_its_price_and_says_how_sure_it_is() {
        let eks = extras(&cluster(Provider::Eks, "us-east-1", "v1.36.3"), Overrides::default());
        let fee = eks.control_plane.unwrap();
        assert_eq!((fee.rate, fee.basis), (Some(Money::from_micros(100_000)), Basis::List));
        assert_eq!(eks.volumes.len(), 2, "what lies on nodes is paid for with them");
        let cloud = eks.volumes[&Uid::parse("cloud")];
        assert_eq!((cloud.rate, cloud.basis), (Some(Money::from_micros(80_000)), Basis::List));
        assert_eq!(eks.volumes[&Uid::parse("odd")].rate, None);
        assert_eq!(eks.total.rate, Money::from_micros(100_000 + 80_000 + 22_500));
        assert_eq!(eks.total.unknown, 1);
        let elsewhere = extras(&cluster(Provider::Eks, "eu-west-1", "v1.31.0"), Overrides::default());
        assert_eq!(elsewhere.control_plane.unwrap().rate, Some(Money::from_micros(600_000)));
        assert_eq!(elsewhere.volumes[&Uid::parse("cloud")].basis, Basis::Estimated);
        let private = extras(&cluster(Provider::Private, "", "v1.36.0"), Overrides::default());
        assert_eq!((private.control_plane, private.balancers.len()), (None, 0));
    }

    #[test]
    fn a_setting_rules_over_each_price() {
        let overrides: Overrides = toml::from_str(
            r#"
            fixed = [{ cluster = "c", name = "control plane", per_month = 73 }]
            disk = [{ class = "fast", gib_month = 0.73 }]
            balancer = [{ cluster = "*", price = 0.5 }]
            "#,
        )
        .unwrap();
        let own = extras(&cluster(Provider::Eks, "us-east-1", "v1.36.3"), overrides);
        assert_eq!(own.control_plane, None);
        assert_eq!(own.fixed, [("control plane".into(), Money::from_micros(100_000))]);
        assert_eq!(own.volumes[&Uid::parse("odd")].rate, Some(Money::from_micros(730_000)));
        assert_eq!(own.total.rate, Money::from_micros(100_000 + 3 * 730_000 + 500_000));
    }
}
