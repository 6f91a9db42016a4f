//! Running a plugin: no terminal, no more than its time, no more output than makes sense, and
//! nothing of it left behind.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::Instant;

use super::exec_api;
use super::prompt::{self, Asked};
use crate::cluster::target::PluginSpec;

/// How long a plugin may take.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// How long it may take when it asked a person to log in elsewhere: as long as most device codes
/// are good for.
pub(super) const PROMPT_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long its errors are read after it ended: a browser that it opened may hold them open.
const LAST_WORDS: Duration = Duration::from_millis(250);

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
    /// It was ended after this time.
    TooSlow(Duration),
    /// It printed more than a credential can be.
    TooMuch,
    /// Its output could not be read.
    Unreadable(std::io::Error),
}

/// Runs a plugin to its end, or ends it with all its children. `program` is the file that its
/// command leads to; `asked` is told what it asks of a person.
///
/// It runs in a session of its own, which has no terminal: `/dev/tty` does not open there.
pub(super) async fn run(spec: &PluginSpec, program: &Path, asked: impl Fn(Asked)) -> Result<Ran, Failure> {
    let mut command = Command::new(program);
    command
        .arg0(&spec.command)
        .args(&spec.args)
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .env("KUBERNETES_EXEC_INFO", exec_api::question(spec))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let began = Instant::now();
    let child = CommandWrap::from(command).wrap(ProcessSession).spawn().map_err(Failure::NotStarted)?;
    // The inner child: the outer one's wait is for every process of the group.
    let mut group = Group(child.into_inner());
    let said = watch::Sender::new(None);
    let mut prompts = said.subscribe();
    let mut limit = LIMIT;
    let end = to_its_end(&mut *group.0, &said);
    tokio::pin!(end);
    loop {
        tokio::select! {
            biased;
            result = &mut end => return result,
            Ok(()) = prompts.changed() => {
                if let Some(prompt) = prompts.borrow_and_update().clone() {
                    limit = PROMPT_LIMIT;
                    asked(prompt);
                }
            }
            () = tokio::time::sleep_until(began + limit) => return Err(Failure::TooSlow(limit)),
        }
    }
}

/// It is reaped only once it has closed its output, so that its number means its group as long as
/// it may have to be ended.
async fn to_its_end(
    child: &mut dyn ChildWrapper,
    prompts: &watch::Sender<Option<Asked>>,
) -> Result<Ran, Failure> {
    let (stdout, stderr) = (child.stdout().take(), child.stderr().take());
    let mut said = Vec::new();
    let mut words = Box::pin(tail(stderr, &mut said, prompts));
    let mut heard = false;
    let stdout = {
        let whole = whole(stdout);
        tokio::pin!(whole);
        loop {
            tokio::select! {
                stdout = &mut whole => break stdout?,
                result = &mut words, if !heard => {
                    result?;
                    heard = true;
                }
            }
        }
    };
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(Failure::Unreadable)?,
            result = &mut words, if !heard => {
                result?;
                heard = true;
            }
        }
    };
    if !heard {
        // What holds them open still is no longer the plugin.
        let _ = tokio::time::timeout(LAST_WORDS, &mut words).await;
    }
    drop(words);
    Ok(Ran { status, stdout, stderr: String::from_utf8_lossy(&said).into_owned() })
}

async fn whole(pipe: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    if let Some(pipe) = pipe {
        let limit = LARGEST as u64 + 1;
        pipe.take(limit).read_to_end(&mut out).await.map_err(Failure::Unreadable)?;
    }
    if out.len() > LARGEST { Err(Failure::TooMuch) } else { Ok(out) }
}

/// The end of what comes, however much that is; and what it asks of a person.
async fn tail(
    pipe: Option<impl AsyncRead + Unpin>,
    kept: &mut Vec<u8>,
    prompts: &watch::Sender<Option<Asked>>,
) -> Result<(), Failure> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut buffer = [0; 1024];
    loop {
        let got = pipe.read(&mut buffer).await.map_err(Failure::Unreadable)?;
        if got == 0 {
            return Ok(());
        }
        kept.extend_from_slice(&buffer[..got]);
        kept.drain(..kept.len().saturating_sub(TAIL));
        if let Some(asked) = prompt::find(&String::from_utf8_lossy(kept)) {
            prompts.send_if_modified(|now| {
                let news = now.as_ref() != Some(&asked);
                *now = Some(asked);
                news
            });
        }
    }
}

/// A process that takes its whole group along unless it ended by itself. It leads its group, since
/// it leads its session.
struct Group(Box<dyn ChildWrapper>);

impl Drop for Group {
    fn drop(&mut self) {
        // `id` is there until the process was reaped: only then could its number be another's.
        if let Some(pid) = self.0.id().and_then(|id| i32::try_from(id).ok())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}
