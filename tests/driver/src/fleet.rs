//! An embedded fleet in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, WrapErr, eyre};
use tempfile::TempDir;

use crate::Control;

/// A serving process; stopped when dropped.
pub struct Fleet {
    child: Child,
    /// What it says; the other end closes when it ends.
    said: Receiver<String>,
    folder: TempDir,
    /// Where it is disturbed, if the program can do that.
    pub control: Option<Control>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Fleet {
    /// Serves a scenario in which nothing happens by itself.
    pub fn serve(binary: &Path, scenario: &str) -> Result<Fleet> {
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        let help =
            Command::new(binary).args(["demo", "--help"]).output().wrap_err("the program does not run")?;
        let controlled = String::from_utf8_lossy(&help.stdout).contains("--control");
        let mut command = Command::new(binary);
        command.args(["demo", "--serve", "--scenario", scenario, "--speed", "0", "--kubeconfig-out"]);
        command.arg(&kubeconfig);
        if controlled {
            command.args(["--control", "127.0.0.1:0"]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let said = lines(&mut child);
        let mut fleet = Fleet { child, said, folder, control: None };
        let end = Instant::now() + Duration::from_secs(300);
        while !kubeconfig.exists() || (controlled && fleet.control.is_none()) {
            if let Ok(line) = fleet.said.recv_timeout(Duration::from_millis(50)) {
                fleet.control = fleet.control.take().or_else(|| Control::said(&line));
            }
            if Instant::now() > end {
                return Err(eyre!("the embedded fleet did not start within five minutes"));
            }
        }
        Ok(fleet)
    }

    /// Lets it run for a while.
    ///
    /// # Errors
    /// It ends before.
    pub fn run_for(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            match self.said.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(eyre!("the embedded fleet ended")),
            }
        }
    }

    /// The process that serves.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Leads to its clusters.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A folder for the program's own files.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }
}

/// What the process prints, line by line, for as long as it runs.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, said) = channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // What nobody waits for must still be read, or the process would block.
                let _ = sender.send(line);
            }
        });
    }
    said
}
