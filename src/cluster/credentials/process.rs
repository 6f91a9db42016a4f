//! Running a plugin: no terminal, no more than its time, no more output than makes sense, and
//! nothing of it left behind.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::exec_api;
use crate::cluster::target::PluginSpec;

/// How long a plugin may take.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// The most that it may print.
const LARGEST: usize = 1 << 20;

/// How much of its errors is kept.
const TAIL: usize = 4 << 10;

/// What a plugin did.
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

/// Why a plugin did nothing useful.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not be started.
    NotStarted(std::io::Error),
    /// It was ended after [`LIMIT`].
    TooSlow,
    /// It printed more than a credential can be.
    TooMuch,
    /// Its output could not be read.
    Unreadable(std::io::Error),
}

/// Runs a plugin to its end, or ends it with all its children.
pub(super) async fn run(spec: &PluginSpec) -> Result<Ran, Failure> {
    let mut command = Command::new(&spec.command);
    command
        .args(&spec.args)
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .env("KUBERNETES_EXEC_INFO", exec_api::question(spec))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn().map_err(Failure::NotStarted)?;
    let mut group = Group(child);
    match tokio::time::timeout(LIMIT, to_its_end(&mut group.0)).await {
        Ok(result) => result,
        Err(_) => Err(Failure::TooSlow),
    }
}

/// The process is reaped last, so that its number means its group until then.
async fn to_its_end(child: &mut Child) -> Result<Ran, Failure> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(whole(stdout), tail(stderr))?;
    let status = child.wait().await.map_err(Failure::Unreadable)?;
    Ok(Ran { status, stdout, stderr })
}

async fn whole(pipe: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    if let Some(pipe) = pipe {
        let limit = LARGEST as u64 + 1;
        pipe.take(limit).read_to_end(&mut out).await.map_err(Failure::Unreadable)?;
    }
    if out.len() > LARGEST { Err(Failure::TooMuch) } else { Ok(out) }
}

/// The end of what comes, however much that is.
async fn tail(pipe: Option<impl AsyncRead + Unpin>) -> Result<String, Failure> {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    if let Some(mut pipe) = pipe {
        loop {
            let got = pipe.read(&mut buffer).await.map_err(Failure::Unreadable)?;
            if got == 0 {
                break;
            }
            kept.extend_from_slice(&buffer[..got]);
            kept.drain(..kept.len().saturating_sub(TAIL));
        }
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

/// A process that takes its whole group along unless it ended by itself.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // `id` is there until the process was reaped: only then could its number be another's.
        #[cfg(unix)]
        if let Some(pid) = self.0.id().and_then(|id| i32::try_from(id).ok())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}
