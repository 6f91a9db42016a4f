//! Scenarios: text files that say which clusters there are, what runs there and what goes wrong.

mod base;
mod build;
mod check;
mod file;
mod incident;
mod manifests;
mod sized;

use std::fmt;

pub(crate) use build::build;
pub(crate) use file::{ClusterFile, Length, LoginFile, ScenarioFile, fits};
pub(crate) use incident::parse_incident;

use super::controllers::Probe;
use super::faults::FaultFile;
use super::load::Load;
use super::queue::Id;
use super::resources::Res;
use crate::model::{Provider, Span, Tier};

/// The demo of the first screen: a dozen clusters, one night, one incident after the other.
const NIGHT_SHIFT: &str = include_str!("../../assets/scenarios/night-shift.toml");

/// A region is lost, on a clock: for rehearsing a failover.
const DRILL: &str = include_str!("../../assets/scenarios/drill.toml");

/// One of each incident, one after the other.
const TROUBLE: &str = include_str!("../../assets/scenarios/trouble.toml");

/// Three quiet clusters.
const SMALL: &str = include_str!("../../assets/scenarios/small.toml");

/// A fleet as it is written in a file, checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(crate) file: ScenarioFile,
}

/// A mistake in a scenario file: where it is, what it is and what was expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScenarioError {
    /// The file, as the caller calls it.
    pub file: String,
    /// The line, from one; zero when the mistake has no place.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// The scenarios that come with the program, by name; the first is the default demo.
    pub const SHIPPED: [(&str, &str); 4] =
        [("night-shift", NIGHT_SHIFT), ("drill", DRILL), ("trouble", TROUBLE), ("small", SMALL)];

    /// Reads a scenario. `file` is how it is called in errors.
    ///
    /// # Errors
    /// When the text is no TOML, has keys that are not known, or names what does not exist.
    pub fn parse(file: &str, text: &str) -> Result<Scenario, ScenarioError> {
        check::parse(file, text).map(|file| Scenario { file })
    }

    /// The default demo.
    ///
    /// # Errors
    /// Never in a build that passed its tests: the file is part of the binary.
    pub fn night_shift() -> Result<Scenario, ScenarioError> {
        Scenario::parse("night-shift.toml", NIGHT_SHIFT)
    }

    /// Three small clusters where nothing goes wrong by itself, for tests.
    ///
    /// # Errors
    /// Never in a build that passed its tests: the file is part of the binary.
    pub fn small() -> Result<Scenario, ScenarioError> {
        Scenario::parse("small.toml", SMALL)
    }

    /// A generated fleet of this size in all, spread evenly, where nothing goes wrong; for measuring.
    #[must_use]
    pub fn sized(clusters: usize, nodes: usize, pods: usize) -> Scenario {
        Scenario { file: sized::sized(clusters, nodes, pods) }
    }

    /// The same scenario with another beginning of everything random.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Scenario {
        self.file.seed = seed;
        self
    }

    /// The same scenario in which so many pods change a second, in all clusters together.
    #[must_use]
    pub fn churning(mut self, rate: f64) -> Scenario {
        self.file.churn = rate;
        self
    }

    /// The scenario's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// The names of its clusters.
    #[must_use]
    pub fn clusters(&self) -> Vec<&str> {
        self.file.clusters.iter().map(|c| c.name.as_str()).collect()
    }
}

/// What is known of a simulated cluster from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// Its name, which is its context's.
    pub name: String,
    /// Who runs it.
    pub provider: Provider,
    /// Where.
    pub region: String,
    /// How careful to be.
    pub tier: Tier,
}

/// Something that goes wrong in one cluster, by the clock.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Incident {
    /// From the start of the fleet.
    pub(crate) at: Span,
    /// `None` lasts for ever.
    pub(crate) lasts: Option<Span>,
    /// It comes again after this.
    pub(crate) every: Option<Span>,
    pub(crate) what: What,
}

/// What nodes can run short of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pressure {
    Memory,
    Disk,
    Pid,
}

/// What goes wrong.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum What {
    /// Deployments are rolled out with an image that does not exist.
    BadImage { workloads: Vec<Id>, image: String },
    /// Containers end with an error.
    Crash(Vec<Id>),
    /// Containers are ended for want of memory.
    OutOfMemory(Vec<Id>),
    /// Pods stop being ready.
    NotReady(Vec<Id>),
    /// A probe of containers fails.
    Probe { probe: Probe, workloads: Vec<Id> },
    /// Workloads get other work.
    Load { workloads: Vec<Id>, load: Load },
    /// Kubelets fall silent.
    NodesSilent { pool: Option<String>, zone: Option<String>, count: usize },
    /// Spot machines are taken back.
    Spot { pool: String, count: usize },
    /// Somebody cordons nodes.
    Cordon { pool: Option<String>, count: usize },
    /// Deployments are rolled out with another image.
    Rollout { workloads: Vec<Id>, image: String },
    /// Images of a registry cannot be pulled.
    Registry(String),
    /// Budgets of workloads allow no disruption.
    Budget(Vec<Id>),
    /// Nodes run short of something.
    Pressure { of: Pressure, pool: Option<String>, zone: Option<String>, count: usize },
    /// The provider has no machines for a pool, or in a zone.
    Capacity { pool: Option<String>, zone: Option<String> },
    /// The server's store is full: nothing is written any more.
    EtcdFull,
    /// The server or the way to it is at fault.
    Fault(FaultFile),
    /// Something may not be read.
    Deny { res: Res, namespace: Option<String> },
    /// The cluster takes connections and does not answer.
    Unreachable,
    /// The cluster refuses connections.
    Refusing,
}
