//! Real Kubernetes control planes on loopback, without containers, for tests, benches and trying things out by hand.
//!
//! One shared etcd and, per plane, a kube-apiserver, a controller manager, a scheduler and KWOK (which stands in for the
//! kubelets). RBAC, priority and fairness, budgets and evictions are the real ones. Everything listens on 127.0.0.1,
//! lives in a temporary directory, and is gone when [`Planes`] is dropped – or when the process that holds it dies in
//! any other way (see [`process::Undertaker`]).
//!
//! ```no_run
//! let binaries = Binaries::ensure()?;              // built once per machine, from go.mod beside this file
//! let planes = Planes::start(&binaries, 2, &Options::default())?;
//! let eks = planes.plane("eks-use1")?;
//! eks.seed_fleet(1)?;
//! eks.freeze_api()?;                               // a server that accepts connections and never answers
//! ```
//!
//! To use it from a test binary elsewhere: `#[path = "../control-plane/planes.rs"] mod planes;`. Trials that need planes
//! belong in `trials.rs`, which counts them as ignored where the binaries cannot be had.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each binary that includes the harness uses a part of it"
)]

// Paths are spelled out, because a file that is itself included by path looks for its modules beside it, not below it.
#[path = "planes/addon.rs"]
pub mod addon;
#[path = "planes/aggregation.rs"]
mod aggregation;
#[path = "planes/binaries.rs"]
pub mod binaries;
#[path = "planes/build.rs"]
mod build;
#[path = "planes/components.rs"]
mod components;
#[path = "planes/crds.rs"]
mod crds;
#[path = "planes/error.rs"]
pub mod error;
#[path = "planes/etcd.rs"]
pub mod etcd;
#[path = "planes/karpenter.rs"]
mod karpenter;
#[path = "planes/keda.rs"]
mod keda;
#[path = "planes/kubeconfig.rs"]
mod kubeconfig;
#[path = "planes/looks.rs"]
pub mod looks;
#[path = "planes/metrics_server.rs"]
mod metrics_server;
#[path = "planes/nodes.rs"]
mod nodes;
#[path = "planes/pki.rs"]
mod pki;
#[path = "planes/plane.rs"]
pub mod plane;
#[path = "planes/ports.rs"]
mod ports;
#[path = "planes/process.rs"]
pub mod process;
#[path = "planes/running.rs"]
pub mod running;
#[path = "planes/seed.rs"]
mod seed;
#[path = "planes/toolset.rs"]
pub mod toolset;
#[path = "planes/wait.rs"]
pub mod wait;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use addon::Addon;
pub use binaries::{Binaries, Unavailable};
pub use error::{Error, Result};
pub use etcd::Backup;
pub use looks::Look;
pub use plane::Plane;
pub use toolset::Toolset;
pub use wait::{wait_until, within};

use etcd::Etcd;
use kubeconfig::Credential;
use process::Undertaker;

/// How long a component may take to come up; generous, because several builds may share the machine.
const START: Duration = Duration::from_secs(120);

/// Between two looks at a component that comes up, unless it ends.
const A_MOMENT: Duration = Duration::from_millis(50);

/// Users known to every plane by token, and the roles (`manifests/rbac.yaml`) each is bound to at the start.
pub const USERS: &[(&str, &[&str])] = &[
    ("viewer", &["fleet-read", "fleet-read-pods"]),
    ("operator", &["fleet-read", "fleet-read-pods", "fleet-operate"]),
    ("nopods", &["fleet-read"]),
    ("partial", &[]),
];

/// What users may do in one namespace alone, which is made at the start: user, namespace, roles.
pub const ONE_NAMESPACE: &[(&str, &str, &[&str])] =
    &[("partial", "shop", &["fleet-read", "fleet-read-pods", "fleet-operate"])];

/// Minors of Kubernetes that planes have where nothing else is asked for, in turn and with commas: `1.35,1.34`.
pub const MINORS: &str = "QUARTERDECK_PLANES_MINORS";

/// What to start beside the API servers, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The looks of the planes, in turn; with more planes than looks a number is added to the name.
    pub looks: Vec<Look>,
    /// The minors of Kubernetes of the planes, in turn: `1.36`. At the start what [`MINORS`] says, else the current one.
    pub minors: Vec<String>,
    /// Real controllers of the ecosystem that run beside the planes.
    pub with: Vec<Addon>,
    /// Run the controller manager and the scheduler. Without them nothing makes pods, and every budget allows nothing.
    pub controllers: bool,
    /// Run KWOK. Without it nodes never become ready and pods never run.
    pub kwok: bool,
    /// Make the nodes of the look.
    pub nodes: bool,
    /// Compact etcd this often and serve watches without a cache: real 410s, within about three intervals.
    /// It reaches every plane, because they share one etcd.
    pub compaction: Option<Duration>,
    /// Have pods run as service accounts, which must be there before them, as on every ordinary cluster. It is off
    /// where tests make pods right after their namespace: only controllers make its account.
    pub service_accounts: bool,
    /// More flags for every API server.
    pub api_flags: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            looks: looks::ALL.to_vec(),
            minors: minors(),
            with: Vec::new(),
            controllers: true,
            kwok: true,
            nodes: true,
            compaction: None,
            service_accounts: false,
            api_flags: Vec::new(),
        }
    }
}

fn minors() -> Vec<String> {
    let asked = std::env::var(MINORS).unwrap_or_default();
    let minors: Vec<_> =
        asked.split(',').map(str::trim).filter(|minor| !minor.is_empty()).map(str::to_owned).collect();
    if minors.is_empty() { vec![toolset::current().name.to_owned()] } else { minors }
}

/// What every plane shares: where the binaries are, where data goes, who sweeps up.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) binaries: Binaries,
    pub(crate) dir: PathBuf,
    pub(crate) pki: pki::Pki,
    pub(crate) etcd_url: String,
    pub(crate) undertaker: Arc<Undertaker>,
}

/// Running control planes. Dropping them stops every process and removes the data.
#[derive(Debug)]
pub struct Planes {
    // Dropped in this order: the planes, their etcd, what they share, and at last the directory.
    planes: Vec<Plane>,
    etcd: Etcd,
    ground: Arc<Ground>,
    options: Options,
    dir: tempfile::TempDir,
}

impl Planes {
    /// Starts `n` planes and returns when each answers, has its roles, and has its nodes. What [`Options`] ask for beside
    /// the current Kubernetes is built first, where that was not done on this machine yet.
    ///
    /// # Errors
    /// When there is no such minor, or something cannot be built, or a component does not come up; the error carries the
    /// end of its log.
    pub fn start(binaries: &Binaries, n: usize, options: &Options) -> Result<Self> {
        let servers = options.minors.iter().map(|minor| Servers::of(minor)).collect::<Result<Vec<_>>>()?;
        for addon in &options.with {
            addon.binaries()?;
        }
        let dir = tempfile::Builder::new()
            .prefix("quarterdeck-planes-")
            .tempdir()
            .map_err(|error| Error::new(format!("cannot make a directory for the planes: {error}")))?;
        let undertaker = Arc::new(Undertaker::start(dir.path())?);
        let pki = pki::Pki::write(&dir.path().join("pki"))?;
        let etcd = Etcd::start(binaries, dir.path(), &undertaker)?;
        let ground = Arc::new(Ground {
            binaries: binaries.clone(),
            dir: dir.path().to_owned(),
            pki,
            etcd_url: etcd.url().to_owned(),
            undertaker,
        });
        // All API servers first, so that they come up side by side.
        let mut planes = (0..n)
            .map(|index| {
                let servers = in_turn(&servers, index)
                    .ok_or_else(|| Error::new("Options::minors is empty; give at least one minor"))?;
                Plane::spawn(&ground, look_of(options, index)?, servers.clone(), options)
            })
            .collect::<Result<Vec<_>>>()?;
        for plane in &mut planes {
            plane.finish(options)?;
        }
        let started = Self { planes, etcd, ground, options: options.clone(), dir };
        started.write_kubeconfigs()?;
        Ok(started)
    }

    /// Every plane, in the order of the looks.
    pub fn iter(&self) -> std::slice::Iter<'_, Plane> {
        self.planes.iter()
    }

    /// Every plane, to pull plugs.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Plane> {
        self.planes.iter_mut()
    }

    /// The plane of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn plane(&self, name: &str) -> Result<&Plane> {
        self.planes.iter().find(|plane| plane.name() == name).ok_or_else(|| self.unknown(name))
    }

    /// The plane of this name, to pull its plug.
    ///
    /// # Errors
    /// When there is none.
    pub fn plane_mut(&mut self, name: &str) -> Result<&mut Plane> {
        let unknown = self.unknown(name);
        self.planes.iter_mut().find(|plane| plane.name() == name).ok_or(unknown)
    }

    /// The etcd of all planes stops in its tracks: servers answer what they have cached, and nothing else.
    ///
    /// # Errors
    /// When it is not running.
    pub fn freeze_etcd(&self) -> Result<()> {
        self.etcd.freeze()
    }

    /// Lets it go on where it stood.
    ///
    /// # Errors
    /// When it is not running.
    pub fn thaw_etcd(&self) -> Result<()> {
        self.etcd.thaw()
    }

    /// Copies the data of all planes as they are now. Nothing of them stops for longer than that takes.
    ///
    /// # Errors
    /// When the data cannot be copied.
    pub fn back_up(&self) -> Result<Backup> {
        self.etcd.back_up()
    }

    /// Every plane as it was when this was copied, as after `etcdctl snapshot restore`: versions go back, and what was
    /// written since never was. Servers and controllers are down meanwhile, as
    /// <https://kubernetes.io/docs/tasks/administer-cluster/configure-upgrade-etcd/> asks for.
    ///
    /// # Errors
    /// When the data cannot be put back, or a component does not come up.
    pub fn restore(&mut self, backup: &Backup) -> Result<()> {
        self.planes.iter_mut().for_each(Plane::stop);
        self.etcd.restore(&self.ground, backup)?;
        self.planes.iter_mut().try_for_each(|plane| plane.start(&self.options))
    }

    /// The kubeconfig with one context per plane for `admin` or one of [`USERS`].
    #[must_use]
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.dir.path().join(format!("{user}.kubeconfig"))
    }

    /// The directory with everything: logs are in `<plane>/<component>.log`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Component name (`plane/kube-apiserver`, `etcd`) and process id of everything that runs.
    #[must_use]
    pub fn pids(&self) -> Vec<(String, u32)> {
        let planes = self.planes.iter().flat_map(|plane| {
            plane.pids().into_iter().map(|(component, pid)| (format!("{}/{component}", plane.name()), pid))
        });
        self.etcd.pid().map(|pid| ("etcd".to_owned(), pid)).into_iter().chain(planes).collect()
    }

    fn write_kubeconfigs(&self) -> Result<()> {
        let clusters: Vec<_> = self.planes.iter().map(|plane| (plane.name(), plane.url())).collect();
        for user in std::iter::once("admin").chain(USERS.iter().map(|(user, _)| *user)) {
            let credential = Credential::of(&self.ground.pki, user);
            kubeconfig::write(&self.kubeconfig(user), &self.ground.pki, &clusters, &[credential])?;
        }
        Ok(())
    }

    /// Writes one kubeconfig for everybody: a context of the plane's name for `admin`, and `NAME-USER` for each of
    /// [`USERS`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_kubeconfig(&self, file: &Path) -> Result<()> {
        let clusters: Vec<_> = self.planes.iter().map(|plane| (plane.name(), plane.url())).collect();
        let users = std::iter::once("admin").chain(USERS.iter().map(|(user, _)| *user));
        let credentials: Vec<_> = users.map(|user| Credential::of(&self.ground.pki, user)).collect();
        kubeconfig::write(file, &self.ground.pki, &clusters, &credentials)
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<_> = self.planes.iter().map(Plane::name).collect();
        Error::new(format!("no plane is called {name}; there are {}", names.join(", ")))
    }
}

/// The API server and its controllers of one minor.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    pub(crate) binaries: Binaries,
    /// `v1.36.3`.
    pub(crate) version: &'static str,
}

impl Servers {
    fn of(minor: &str) -> Result<Self> {
        let set = toolset::kubernetes(minor)?;
        let binaries = Binaries::of(set)
            .map_err(Error::on(format!("Kubernetes {minor} cannot be had on this machine")))?;
        Ok(Self { binaries, version: set.kubernetes_version() })
    }
}

fn in_turn<T>(all: &[T], index: usize) -> Option<&T> {
    all.get(index.checked_rem(all.len())?)
}

fn look_of(options: &Options, index: usize) -> Result<Look> {
    let count = options.looks.len();
    let look = in_turn(&options.looks, index).cloned();
    let mut look = look.ok_or_else(|| Error::new("Options::looks is empty; give at least one look"))?;
    if index >= count {
        look.name = format!("{}-{}", look.name, index / count + 1).into();
    }
    Ok(look)
}
