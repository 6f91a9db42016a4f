//! Processes that never outlive the test that started them.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::error::{Error, Result};

/// Lines of a log that an error quotes.
const TAIL: usize = 12;

/// A child process in a process group of its own, with its output in a log file; killed and reaped when dropped.
///
/// Its own group keeps Ctrl-C away from it, so that whoever holds it decides the order in which things stop.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// Closes when it has ended.
    end: Mutex<Receiver<()>>,
    undertaker: Arc<Undertaker>,
}

impl Process {
    /// Starts `command` with its output appended to `log`.
    ///
    /// # Errors
    /// When the log cannot be written or the program not be run.
    pub fn spawn(name: &str, mut command: Command, log: &Path, undertaker: &Arc<Undertaker>) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(Error::on(format!("cannot write the log {}", log.display())))?;
        let errors = output.try_clone().map_err(Error::on("cannot share a log file"))?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        let child = command.spawn().map_err(Error::on(format!("cannot run {name}")))?;
        undertaker.tell('+', child.id());
        let (name, log, end) = (name.to_owned(), log.to_owned(), Mutex::new(end_of(&child)));
        Ok(Self { name, child, log, end, undertaker: Arc::clone(undertaker) })
    }

    /// What it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id, which is also the id of its group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, if it ends within this time.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn ended(&mut self, limit: Duration) -> Result<Option<std::process::ExitStatus>> {
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Nothing ever comes: it closes, or the time is over.
        let _ = end.recv_timeout(limit);
        self.child.try_wait().map_err(Error::on(format!("cannot ask after {}", self.name)))
    }

    /// Lets this time pass, in which the process must not end.
    ///
    /// # Errors
    /// When it has ended, with the end of its log.
    pub fn must_run(&mut self, time: Duration) -> Result<()> {
        match self.ended(time)? {
            None => Ok(()),
            Some(status) => Err(Error::new(format!("{} ended ({status})\n{}", self.name, self.log_tail()))),
        }
    }

    /// Sends a signal to the whole group.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process_group(group(&self.child), signal)
            .map_err(Error::on(format!("cannot signal {}", self.name)))
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A group that is gone already is what we want, so a failure says nothing. SIGKILL also ends what is stopped.
        let _ = kill_process_group(group(&self.child), Signal::KILL);
        let _ = self.child.wait();
        self.undertaker.tell('-', self.child.id());
    }
}

fn group(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// What closes when a child has ended, which is still to be reaped then.
fn end_of(child: &Child) -> Receiver<()> {
    let (open, end) = channel();
    let pid = Pid::from_child(child);
    std::thread::spawn(move || {
        let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        drop(open);
    });
    end
}

/// Whether a process of this id exists.
#[must_use]
pub fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// Stops what a killed test leaves behind.
///
/// `Drop` covers ends and panics, but not SIGKILL, an abort or an unhandled Ctrl-C. So a small shell reads from a pipe
/// which process groups we started and ended; when the pipe closes without a good-bye, it kills what is left and
/// removes the data.
#[derive(Debug)]
pub struct Undertaker {
    pipe: Mutex<Option<ChildStdin>>,
    shell: Mutex<Child>,
}

const WATCH: &str = r#"
alive=
while read -r verb pid; do
    case $verb in
        +) alive="$alive $pid" ;;
        -) left=; for p in $alive; do [ "$p" = "$pid" ] || left="$left $p"; done; alive=$left ;;
        bye) exit 0 ;;
    esac
done
for p in $alive; do kill -KILL "-$p"; done
rm -rf -- "$1"
"#;

impl Undertaker {
    /// Begins the watch; `dir` is what goes when the watch ends badly.
    ///
    /// # Errors
    /// When there is no shell.
    pub fn start(dir: &Path) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(WATCH).arg("undertaker").arg(dir).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = command.spawn().map_err(Error::on("cannot run /bin/sh"))?;
        let pipe = shell.stdin.take();
        Ok(Self { pipe: Mutex::new(pipe), shell: Mutex::new(shell) })
    }

    /// Closes the pipe without a good-bye, as the death of this process would.
    pub fn abandon(&self) {
        drop(self.pipe.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn tell(&self, verb: char, pid: u32) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = pipe.as_mut() {
            // Without its shell the safety net is gone, but the test itself still cleans up in `Drop`.
            let _ = writeln!(pipe, "{verb} {pid}");
        }
    }
}

impl Drop for Undertaker {
    fn drop(&mut self) {
        let pipe = self.pipe.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut pipe) = pipe {
            let _ = writeln!(pipe, "bye -");
        }
        let _ = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner).wait();
    }
}
