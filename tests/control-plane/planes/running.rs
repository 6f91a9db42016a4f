//! Which planes run on this machine, so that another shell can list and end them.
//!
//! Whoever keeps planes holds the lock of a file with their names, one file for each process. A file whose lock is free
//! was left behind by a process that was killed: its number may be another's by now, so nothing is done to it.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Planes;
use super::binaries;
use super::error::{Error, Result};
use super::wait::within;

/// How long planes may take to end.
const END: Duration = Duration::from_secs(60);

/// Says that this process keeps planes, until it is dropped.
#[derive(Debug)]
pub struct Notice {
    file: File,
    path: PathBuf,
}

/// Planes that a process keeps.
#[derive(Debug)]
pub struct Running {
    /// The process.
    pub pid: u32,
    /// A line for each plane.
    pub planes: String,
    path: PathBuf,
}

impl Notice {
    /// Tells of the planes that this process keeps.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn of(planes: &Planes) -> Result<Notice> {
        let folder = folder()?;
        let cannot = |error| Error::new(format!("cannot write below {}: {error}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(cannot)?;
        let path = folder.join(std::process::id().to_string());
        let mut file = File::create(&path).map_err(cannot)?;
        file.lock().map_err(cannot)?;
        for plane in planes.iter() {
            writeln!(file, "{:<12} {} {}", plane.name(), plane.version(), plane.url()).map_err(cannot)?;
        }
        Ok(Notice { file, path })
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        // The lock goes with the file; a notice that stays behind unlocked is swept by the next look.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

impl Running {
    /// Asks the process to end, and waits until its planes are gone.
    ///
    /// # Errors
    /// When it may not be asked, or does not end.
    pub fn end(&self) -> Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Error::new(format!("{} is no process", self.pid)))?;
        kill_process(pid, Signal::TERM).map_err(Error::on(format!("cannot end {}", self.pid)))?;
        let path = self.path.clone();
        // The lock is there to be had when it is gone, and so may the file be.
        within(END, &format!("the planes of {} are gone", self.pid), move || {
            File::open(path).and_then(|file| file.lock_shared()).ok();
        })
    }
}

/// Everybody who keeps planes on this machine. Notices of processes that are gone are removed.
///
/// # Errors
/// When it cannot be read.
pub fn all() -> Result<Vec<Running>> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder()?).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if !held(&path) {
            let _ = std::fs::remove_file(&path);
            continue;
        }
        let mut planes = String::new();
        let read = File::open(&path).and_then(|mut file| file.read_to_string(&mut planes));
        read.map_err(Error::on(format!("cannot read {}", path.display())))?;
        out.push(Running { pid, planes, path });
    }
    out.sort_by_key(|running| running.pid);
    Ok(out)
}

/// Whether somebody holds the lock of a notice.
fn held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn folder() -> Result<PathBuf> {
    let root = binaries::root().map_err(|why| Error::new(why.to_string()))?;
    Ok(root.join("running"))
}
