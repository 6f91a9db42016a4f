//! Where the binaries of a set are: built once per machine into the user's cache directory.

use std::fs::File;
use std::path::{Path, PathBuf};

use directories::BaseDirs;

use super::build;
use super::toolset::{self, Toolset};

/// Set to `off`, nothing is built or started, and what needs planes counts as skipped.
pub const SWITCH: &str = "QUARTERDECK_TEST_PLANES";

/// The directory with the binaries of a [`Toolset`].
#[derive(Debug, Clone)]
pub struct Binaries {
    dir: PathBuf,
}

/// Why there are none: one line for the summary of a test run.
#[derive(Debug, Clone)]
pub struct Unavailable(pub String);

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Messages of tools may have several lines; a summary has room for one.
        f.write_str(self.0.lines().next().unwrap_or_default())
    }
}

impl std::error::Error for Unavailable {}

impl Binaries {
    /// The binaries of the current Kubernetes with etcd, kubectl and KWOK: what every start needs.
    ///
    /// # Errors
    /// As [`Binaries::of`].
    pub fn ensure() -> Result<Self, Unavailable> {
        Self::of(toolset::current())
    }

    /// Finds the binaries of a set, and builds them first where that was not done on this machine yet. For Kubernetes
    /// that is about six minutes on two cores, 3 GiB of Go modules and 5 GiB of Go's build cache
    /// (`go clean -cache -modcache` frees both).
    ///
    /// # Errors
    /// When Go or its module proxy is missing, when the build fails, or when [`SWITCH`] says `off`.
    pub fn of(set: &'static Toolset) -> Result<Self, Unavailable> {
        // One answer per process: a second attempt would only wait for the same failure again.
        set.answer.get_or_init(|| find_or_build(set)).clone()
    }

    /// The binaries of a set if they are on this machine already; nothing is built.
    #[must_use]
    pub fn cached(set: &Toolset) -> Option<Self> {
        Self::in_dir(set, &root().ok()?.join(set.fingerprint()))
    }

    /// Where they are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of one of them.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The binaries in `dir`, if it has them all.
    fn in_dir(set: &Toolset, dir: &Path) -> Option<Self> {
        let complete = set.files().all(|file| dir.join(file).is_file());
        complete.then(|| Self { dir: dir.to_owned() })
    }
}

/// Where everything of the planes is kept on this machine.
pub(crate) fn root() -> Result<PathBuf, Unavailable> {
    let base = BaseDirs::new().ok_or_else(|| Unavailable("no home directory to keep binaries in".into()))?;
    Ok(base.cache_dir().join("quarterdeck").join("control-plane"))
}

fn find_or_build(set: &Toolset) -> Result<Binaries, Unavailable> {
    if std::env::var(SWITCH).is_ok_and(|value| value == "off") {
        return Err(Unavailable(format!("{SWITCH} is off")));
    }
    if let Some(found) = Binaries::cached(set) {
        return Ok(found);
    }
    let root = root()?;
    let dir = root.join(set.fingerprint());
    let failed =
        |what: &str, error: std::io::Error| Unavailable(format!("{what} {}: {error}", root.display()));
    std::fs::create_dir_all(&root).map_err(|error| failed("cannot make", error))?;
    // Whoever comes second waits here, and then finds what the first one built. The lock goes with the file.
    let lock = File::create(root.join("lock")).map_err(|error| failed("cannot make a lock in", error))?;
    lock.lock().map_err(|error| failed("cannot lock", error))?;
    if Binaries::in_dir(set, &dir).is_none() {
        build::build(set, &root, &dir)?;
    }
    Binaries::in_dir(set, &dir)
        .ok_or_else(|| Unavailable(format!("{} is incomplete; remove it", dir.display())))
}
