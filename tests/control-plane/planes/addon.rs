//! Real controllers of the ecosystem, run outside the cluster with a kubeconfig as their developers do.

use super::binaries::Binaries;
use super::error::{Error, Result};
use super::looks::{Look, Provider};
use super::plane::Plane;
use super::toolset::{self, Toolset};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addon {
    /// Makes and removes nodes for pods that wait; on planes that look like EKS.
    Karpenter,
    /// Says what nodes and pods use, as KWOK makes it up from annotations of pods.
    MetricsServer,
    /// Wakes workloads by what happens elsewhere, and puts them to sleep.
    Keda,
}

impl Addon {
    /// All there are.
    pub const ALL: &'static [Addon] = &[Addon::Karpenter, Addon::MetricsServer, Addon::Keda];

    /// Its name, as `--with` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.toolset().name
    }

    /// What it is built from.
    #[must_use]
    pub fn toolset(self) -> &'static Toolset {
        match self {
            Addon::Karpenter => &toolset::KARPENTER,
            Addon::MetricsServer => &toolset::METRICS_SERVER,
            Addon::Keda => &toolset::KEDA,
        }
    }

    /// Its binaries, built where that was not done on this machine yet.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn binaries(self) -> Result<Binaries> {
        Binaries::of(self.toolset())
            .map_err(Error::on(format!("{} cannot be had on this machine", self.name())))
    }

    /// Whether it makes sense on such a plane.
    pub(crate) fn suits(self, look: &Look) -> bool {
        match self {
            Addon::Karpenter => look.provider == Provider::Eks,
            Addon::MetricsServer | Addon::Keda => true,
        }
    }

    /// Starts it on a plane that answers, and returns when it does its work.
    pub(crate) fn start(self, plane: &mut Plane) -> Result<()> {
        let binaries = self.binaries()?;
        match self {
            Addon::Karpenter => super::karpenter::start(plane, &binaries),
            Addon::MetricsServer => super::metrics_server::start(plane, &binaries),
            Addon::Keda => super::keda::start(plane, &binaries),
        }
    }
}
