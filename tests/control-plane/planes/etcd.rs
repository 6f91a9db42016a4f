//! The etcd that all planes share, and copies of its data.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustix::process::Signal;

use super::binaries::Binaries;
use super::error::{Error, Result};
use super::process::{Process, Undertaker};
use super::{Ground, ports};

/// A running etcd.
#[derive(Debug)]
pub(crate) struct Etcd {
    /// Nothing while its data are put back.
    process: Option<Process>,
    client: String,
    peer: String,
    dir: PathBuf,
}

/// Data of etcd as they were at some moment. They last for as long as this does.
#[derive(Debug)]
pub struct Backup(tempfile::TempDir);

impl Etcd {
    pub(crate) fn start(binaries: &Binaries, dir: &Path, undertaker: &Arc<Undertaker>) -> Result<Self> {
        let [client, peer] = [ports::free()?, ports::free()?].map(|port| format!("http://127.0.0.1:{port}"));
        let mut etcd = Self { process: None, client, peer, dir: dir.to_owned() };
        etcd.spawn(binaries, undertaker)?;
        Ok(etcd)
    }

    /// Where servers reach it.
    pub(crate) fn url(&self) -> &str {
        &self.client
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    pub(crate) fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Copies the data while nothing is written: what a machine would find that lost its power now.
    pub(crate) fn back_up(&self) -> Result<Backup> {
        let copy = tempfile::Builder::new().prefix("etcd-").tempdir_in(&self.dir);
        let copy = copy.map_err(Error::on("cannot make a directory for a copy of etcd"))?;
        self.freeze()?;
        let copied = copy_all(&self.data(), copy.path());
        self.thaw()?;
        copied.map(|()| Backup(copy))
    }

    /// Begins again with these data, at the same address.
    pub(crate) fn restore(&mut self, ground: &Ground, backup: &Backup) -> Result<()> {
        self.process = None;
        let data = self.data();
        std::fs::remove_dir_all(&data).map_err(Error::on(format!("cannot remove {}", data.display())))?;
        copy_all(backup.0.path(), &data)?;
        self.spawn(&ground.binaries, &ground.undertaker)
    }

    fn spawn(&mut self, binaries: &Binaries, undertaker: &Arc<Undertaker>) -> Result<()> {
        let mut command = Command::new(binaries.path("etcd"));
        command.args(["--name=fleet", "--unsafe-no-fsync=true", "--auto-compaction-retention=1"]);
        command.arg("--quota-backend-bytes=8589934592").arg(format!("--data-dir={}", self.data().display()));
        let Self { client, peer, .. } = self;
        command.args([
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=fleet={peer}"),
        ]);
        self.process = Some(Process::spawn("etcd", command, &self.dir.join("etcd.log"), undertaker)?);
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.dir.join("etcd")
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.process.as_ref().ok_or_else(|| Error::new("etcd is stopped"))?.signal(signal)
    }
}

/// Copies what is in a directory into another one, which is made if it is not there.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("cannot copy {} to {}", from.display(), to.display());
    std::fs::create_dir_all(to).map_err(Error::on(what()))?;
    let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
    match status.map_err(Error::on(what()))? {
        status if status.success() => Ok(()),
        status => Err(Error::new(format!("{}: cp ended ({status})", what()))),
    }
}
