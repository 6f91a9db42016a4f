//! Incidents in a scenario file.

use serde::Deserialize;
use toml::Spanned;

use super::file::{Length, LoadFile, Mistake, ScenarioFile, fits};
use super::{Incident, Pressure, What};
use crate::sim::faults::{FaultFile, FaultName};
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
    Load,
    NodesNotReady,
    SpotInterruption,
    Cordon,
    Rollout,
    RegistryDown,
    BudgetBlocks,
    NodePressure,
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
    /// A fault of the server, and what it concerns.
    pub(crate) fault: Option<Spanned<FaultName>>,
    #[serde(default)]
    pub(crate) kinds: Vec<String>,
    pub(crate) verb: Option<String>,
    pub(crate) delay: Option<Length>,
    pub(crate) bytes: Option<u64>,
    pub(crate) code: Option<u16>,
    pub(crate) retry_after: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) times: Option<u32>,
    pub(crate) nth: Option<u32>,
}

/// What is wrong with an incident of a scenario.
pub(super) fn check_incident(file: &ScenarioFile, incident: &IncidentFile) -> Result<(), Mistake> {
    for workload in &incident.workloads {
        let id = workload.get_ref();
        if !file.workloads.iter().any(|w| format!("{}/{}", w.namespace, w.name) == *id) {
            let message = format!("no workload {id:?}; expected namespace/name of one above");
            return Err((workload.span(), message));
        }
    }
    incident.what().map(drop)
}

/// Reads one incident that happens in a running fleet: `at` counts from now and may be left out.
pub(crate) fn parse_incident(file: &ScenarioFile, text: &str) -> Result<IncidentFile, String> {
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let incident: IncidentFile = toml::from_str(text)
        .map_err(|e| format!("line {}: {}", e.span().map_or(1, |s| line(s.start)), e.message()))?;
    check_incident(file, &incident).map_err(|(span, why)| format!("line {}: {why}", line(span.start)))?;
    Ok(incident)
}

impl IncidentFile {
    /// What the incident does; or which key it needs and has not.
    pub(crate) fn what(&self) -> Result<What, Mistake> {
        let needs = |key: &str| (self.kind.span(), format!("this kind of incident needs the key {key:?}"));
        let workloads = || -> Result<Vec<Id>, Mistake> {
            let split = |w: &Spanned<String>| {
                let (namespace, name) = w.get_ref().split_once('/').unwrap_or_default();
                Id::new(namespace, name)
            };
            let all: Vec<Id> = self.workloads.iter().map(split).collect();
            if all.is_empty() { Err(needs("workloads")) } else { Ok(all) }
        };
        Ok(match self.kind.get_ref() {
            IncidentKind::BadImage => What::BadImage {
                workloads: workloads()?,
                image: self.image.clone().ok_or_else(|| needs("image"))?,
            },
            IncidentKind::Crash => What::Crash(workloads()?),
            IncidentKind::OutOfMemory => What::OutOfMemory(workloads()?),
            IncidentKind::NotReady => What::NotReady(workloads()?),
            IncidentKind::Load => {
                What::Load { workloads: workloads()?, load: self.load.ok_or_else(|| needs("load"))?.into() }
            }
            IncidentKind::NodesNotReady => What::NodesSilent {
                pool: self.pool.clone(),
                zone: self.zone.clone(),
                count: self.count.unwrap_or(usize::MAX),
            },
            IncidentKind::SpotInterruption => What::Spot {
                pool: self.pool.clone().ok_or_else(|| needs("pool"))?,
                count: self.count.unwrap_or(1),
            },
            IncidentKind::Cordon => What::Cordon { pool: self.pool.clone(), count: self.count.unwrap_or(1) },
            IncidentKind::Deny => {
                let resource = self.resource.as_ref().ok_or_else(|| needs("resource"))?;
                let odd = || {
                    (
                        resource.span(),
                        format!("no resource {:?}; expected a plural such as \"pods\"", resource.get_ref()),
                    )
                };
                What::Deny {
                    res: Res::of_plural(resource.get_ref()).ok_or_else(odd)?,
                    namespace: self.namespace.clone(),
                }
            }
            IncidentKind::Rollout => What::Rollout {
                workloads: workloads()?,
                image: self.image.clone().ok_or_else(|| needs("image"))?,
            },
            IncidentKind::RegistryDown => {
                What::Registry(self.registry.clone().ok_or_else(|| needs("registry"))?)
            }
            IncidentKind::BudgetBlocks => What::Budget(workloads()?),
            IncidentKind::NodePressure => What::Pressure {
                of: self.pressure.ok_or_else(|| needs("pressure"))?,
                pool: self.pool.clone(),
                zone: self.zone.clone(),
                count: self.count.unwrap_or(1),
            },
            IncidentKind::EtcdFull => What::EtcdFull,
            IncidentKind::Fault => {
                let fault = self.fault.as_ref().ok_or_else(|| needs("fault"))?;
                let file = FaultFile {
                    fault: *fault.get_ref(),
                    kinds: self.kinds.clone(),
                    verb: self.verb.clone(),
                    delay: self.delay,
                    bytes: self.bytes,
                    code: self.code,
                    retry_after: self.retry_after.clone(),
                    value: self.value.clone(),
                    times: self.times,
                    nth: self.nth,
                };
                match file.mistake() {
                    Some(mistake) => return Err((fault.span(), mistake)),
                    None => What::Fault(file),
                }
            }
            IncidentKind::Unreachable => What::Unreachable,
            IncidentKind::Refusing => What::Refusing,
        })
    }

    /// The incident in a cluster, if it is meant.
    pub(crate) fn in_cluster(&self, cluster: &str) -> Option<Incident> {
        let meant = self.clusters.iter().any(|c| fits(c.get_ref(), cluster));
        let what = self.what().ok().filter(|_| meant)?;
        Some(Incident { at: self.at.0, lasts: self.lasts.map(|l| l.0), every: self.every.map(|e| e.0), what })
    }
}
