//! Incidents in a scenario file.

use serde::Deserialize;
use toml::Spanned;

use super::check::{Mistake, Place, check_load};
use super::file::{ClusterFile, Length, LoadFile, ScenarioFile, WorkloadKind, fits};
use super::{Incident, Pressure, What};
use crate::sim::controllers::Probe;
use crate::sim::faults::FaultFile;
use crate::sim::queue::Id;
use crate::sim::resources::Res;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IncidentKind {
    BadImage,
    Crash,
    OutOfMemory,
    NotReady,
    ProbeFails,
    Load,
    NodesNotReady,
    SpotInterruption,
    Cordon,
    Rollout,
    RegistryDown,
    BudgetBlocks,
    NodePressure,
    NoCapacity,
    EtcdFull,
    Fault,
    Deny,
    Unreachable,
    Refusing,
}

/// An incident.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct IncidentFile {
    pub(crate) kind: Spanned<IncidentKind>,
    pub(crate) clusters: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) at: Length,
    pub(crate) lasts: Option<Length>,
    pub(crate) every: Option<Length>,
    /// `namespace/name`
    #[serde(default)]
    pub(crate) workloads: Vec<Spanned<String>>,
    pub(crate) image: Option<String>,
    pub(crate) load: Option<LoadFile>,
    pub(crate) pool: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) count: Option<usize>,
    /// The plural: `pods`.
    pub(crate) resource: Option<Spanned<String>>,
    pub(crate) namespace: Option<String>,
    /// The host of a registry: `ghcr.io`.
    pub(crate) registry: Option<String>,
    pub(crate) pressure: Option<Pressure>,
    /// Which probe fails.
    pub(crate) probe: Option<Probe>,
    /// A fault of the server, and what it concerns.
    pub(crate) fault: Option<Spanned<FaultFile>>,
}

/// What is wrong with an incident of a scenario. `place` says where its keys are.
pub(super) fn check_incident(
    file: &ScenarioFile,
    incident: &IncidentFile,
    place: &Place,
) -> Result<(), Mistake> {
    for workload in &incident.workloads {
        let id = workload.get_ref();
        if !file.workloads.iter().any(|w| format!("{}/{}", w.namespace, w.name) == *id) {
            let message = format!("no workload {id:?}; expected namespace/name of one above");
            return Err((workload.span(), message));
        }
    }
    incident.useless(place)?;
    images(file, incident)?;
    if let Some(load) = &incident.load {
        check_load(load).map_err(|why| place.mistake("load", why))?;
    }
    namespaces(file, incident, place)?;
    let meant = file.clusters.iter().filter(|c| incident.clusters.iter().any(|p| fits(p.get_ref(), &c.name)));
    let meant: Vec<&ClusterFile> = meant.collect();
    known_pool(&meant, incident.pool.as_deref()).map_err(|why| place.mistake("pool", why))?;
    let zones: Vec<&str> = meant.iter().flat_map(|c| &c.zones).map(String::as_str).collect();
    if let Some(zone) = incident.zone.as_deref().filter(|z| !zones.contains(z)) {
        let why = format!("no zone {zone:?} in these clusters; expected one of {}", zones.join(", "));
        return Err(place.mistake("zone", why));
    }
    if incident.count == Some(0) {
        return Err(place.mistake("count", "count is 0; expected 1 or more".to_owned()));
    }
    if let Some(odd) = unprobed(file, incident) {
        return Err(odd);
    }
    incident.what().map(drop)
}

/// Images are changed where there are templates that a rollout follows.
fn images(file: &ScenarioFile, incident: &IncidentFile) -> Result<(), Mistake> {
    if ![IncidentKind::BadImage, IncidentKind::Rollout].contains(incident.kind.get_ref()) {
        return Ok(());
    }
    for workload in &incident.workloads {
        let id = workload.get_ref();
        let kind =
            file.workloads.iter().find(|w| format!("{}/{}", w.namespace, w.name) == *id).map(|w| w.kind);
        if let Some(odd @ (WorkloadKind::CronJob | WorkloadKind::Pod)) = kind {
            let why =
                format!("{id:?} is a {}; expected a deployment, a stateful-set or a daemon-set", odd.named());
            return Err((workload.span(), why));
        }
    }
    Ok(())
}

/// A denial is of a namespace that something runs in, or that every cluster has.
fn namespaces(file: &ScenarioFile, incident: &IncidentFile, place: &Place) -> Result<(), Mistake> {
    let Some(namespace) = incident.namespace.as_deref() else { return Ok(()) };
    let mut known: Vec<&str> = vec!["default", "kube-system", "kube-public", "kube-node-lease"];
    known.extend(file.workloads.iter().map(|w| w.namespace.as_str()));
    if known.contains(&namespace) {
        return Ok(());
    }
    known.sort_unstable();
    known.dedup();
    Err(place
        .mistake("namespace", format!("no namespace {namespace:?}; expected one of {}", known.join(", "))))
}

/// What is wrong when probes are to fail of a workload that has none: those with a port have.
fn unprobed(file: &ScenarioFile, incident: &IncidentFile) -> Option<Mistake> {
    if *incident.kind.get_ref() != IncidentKind::ProbeFails {
        return None;
    }
    let probed = |id: &str| {
        file.workloads.iter().any(|w| w.port.is_some() && format!("{}/{}", w.namespace, w.name) == id)
    };
    let odd = incident.workloads.iter().find(|w| !probed(w.get_ref()))?;
    let message = format!("{:?} has no probes; expected a workload with a port", odd.get_ref());
    Some((odd.span(), message))
}

/// Says what is expected when no cluster has a pool of this name.
pub(super) fn known_pool(clusters: &[&ClusterFile], pool: Option<&str>) -> Result<(), String> {
    let pools: Vec<&str> = clusters.iter().flat_map(|c| &c.pools).map(|p| p.name.as_str()).collect();
    match pool.filter(|p| !pools.contains(p)) {
        Some(odd) => Err(format!("no pool {odd:?} in these clusters; expected one of {}", pools.join(", "))),
        None => Ok(()),
    }
}

/// Reads one incident that happens in a running fleet: `at` counts from now and may be left out.
pub(crate) fn parse_incident(file: &ScenarioFile, text: &str) -> Result<IncidentFile, String> {
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let incident: IncidentFile = toml::from_str(text)
        .map_err(|e| format!("line {}: {}", e.span().map_or(1, |s| line(s.start)), e.message()))?;
    let place = Place::of(text);
    check_incident(file, &incident, &place)
        .map_err(|(span, why)| format!("line {}: {why}", line(span.start)))?;
    Ok(incident)
}

impl IncidentFile {
    /// Refuses keys that incidents of this kind have no use for.
    fn useless(&self, place: &Place) -> Result<(), Mistake> {
        let uses: &[&str] = match self.kind.get_ref() {
            IncidentKind::BadImage | IncidentKind::Rollout => &["workloads", "image"],
            IncidentKind::Crash
            | IncidentKind::OutOfMemory
            | IncidentKind::NotReady
            | IncidentKind::BudgetBlocks => &["workloads"],
            IncidentKind::Load => &["workloads", "load"],
            IncidentKind::NodesNotReady => &["pool", "zone", "count"],
            IncidentKind::SpotInterruption | IncidentKind::Cordon => &["pool", "count"],
            IncidentKind::RegistryDown => &["registry"],
            IncidentKind::NodePressure => &["pressure", "pool", "zone", "count"],
            IncidentKind::ProbeFails => &["workloads", "probe"],
            IncidentKind::NoCapacity => &["pool", "zone"],
            IncidentKind::Fault => &["fault"],
            IncidentKind::Deny => &["resource", "namespace"],
            IncidentKind::EtcdFull | IncidentKind::Unreachable | IncidentKind::Refusing => &[],
        };
        let given = [
            ("workloads", !self.workloads.is_empty()),
            ("image", self.image.is_some()),
            ("load", self.load.is_some()),
            ("pool", self.pool.is_some()),
            ("zone", self.zone.is_some()),
            ("count", self.count.is_some()),
            ("resource", self.resource.is_some()),
            ("namespace", self.namespace.is_some()),
            ("registry", self.registry.is_some()),
            ("pressure", self.pressure.is_some()),
            ("probe", self.probe.is_some()),
            ("fault", self.fault.is_some()),
        ];
        match given.into_iter().find(|(key, given)| *given && !uses.contains(key)) {
            Some((key, _)) => {
                let why = format!("an incident of this kind has no use for the key {key:?}");
                Err(place.mistake(key, why))
            }
            None => Ok(()),
        }
    }

    fn needs(&self, key: &str) -> Mistake {
        (self.kind.span(), format!("this kind of incident needs the key {key:?}"))
    }

    /// The workloads that are meant.
    fn ids(&self) -> Result<Vec<Id>, Mistake> {
        let split = |w: &Spanned<String>| {
            let (namespace, name) = w.get_ref().split_once('/').unwrap_or_default();
            Id::new(namespace, name)
        };
        let all: Vec<Id> = self.workloads.iter().map(split).collect();
        if all.is_empty() { Err(self.needs("workloads")) } else { Ok(all) }
    }

    fn image(&self) -> Result<String, Mistake> {
        self.image.clone().ok_or_else(|| self.needs("image"))
    }

    /// What the incident does; or which key it needs and has not.
    pub(crate) fn what(&self) -> Result<What, Mistake> {
        let (pool, zone, count) = (self.pool.clone(), self.zone.clone(), self.count);
        Ok(match self.kind.get_ref() {
            IncidentKind::BadImage => What::BadImage { workloads: self.ids()?, image: self.image()? },
            IncidentKind::Crash => What::Crash(self.ids()?),
            IncidentKind::OutOfMemory => What::OutOfMemory(self.ids()?),
            IncidentKind::NotReady => What::NotReady(self.ids()?),
            IncidentKind::ProbeFails => {
                let probe = self.probe.ok_or_else(|| self.needs("probe"))?;
                What::Probe { probe, workloads: self.ids()? }
            }
            IncidentKind::NoCapacity => What::Capacity { pool, zone },
            IncidentKind::Load => {
                let load = self.load.ok_or_else(|| self.needs("load"))?.into();
                What::Load { workloads: self.ids()?, load }
            }
            IncidentKind::NodesNotReady => {
                What::NodesSilent { pool, zone, count: count.unwrap_or(usize::MAX) }
            }
            IncidentKind::SpotInterruption => {
                What::Spot { pool: pool.ok_or_else(|| self.needs("pool"))?, count: count.unwrap_or(1) }
            }
            IncidentKind::Cordon => What::Cordon { pool, count: count.unwrap_or(1) },
            IncidentKind::Rollout => What::Rollout { workloads: self.ids()?, image: self.image()? },
            IncidentKind::RegistryDown => {
                What::Registry(self.registry.clone().ok_or_else(|| self.needs("registry"))?)
            }
            IncidentKind::BudgetBlocks => What::Budget(self.ids()?),
            IncidentKind::NodePressure => {
                let of = self.pressure.ok_or_else(|| self.needs("pressure"))?;
                What::Pressure { of, pool, zone, count: count.unwrap_or(1) }
            }
            IncidentKind::EtcdFull => What::EtcdFull,
            IncidentKind::Fault => self.fault()?,
            IncidentKind::Deny => self.denial()?,
            IncidentKind::Unreachable => What::Unreachable,
            IncidentKind::Refusing => What::Refusing,
        })
    }

    fn fault(&self) -> Result<What, Mistake> {
        let fault = self.fault.as_ref().ok_or_else(|| self.needs("fault"))?;
        match fault.get_ref().mistake() {
            Some(mistake) => Err((fault.span(), mistake)),
            None => Ok(What::Fault(fault.get_ref().clone())),
        }
    }

    fn denial(&self) -> Result<What, Mistake> {
        let resource = self.resource.as_ref().ok_or_else(|| self.needs("resource"))?;
        let named = resource.get_ref();
        let odd = || (resource.span(), format!("no resource {named:?}; expected a plural such as \"pods\""));
        let res = Res::of_plural(named).ok_or_else(odd)?;
        Ok(What::Deny { res, namespace: self.namespace.clone() })
    }

    /// The incident in a cluster, if it is meant.
    pub(crate) fn in_cluster(&self, cluster: &str) -> Option<Incident> {
        let meant = self.clusters.iter().any(|c| fits(c.get_ref(), cluster));
        let what = self.what().ok().filter(|_| meant)?;
        Some(Incident { at: self.at.0, lasts: self.lasts.map(|l| l.0), every: self.every.map(|e| e.0), what })
    }
}
