//! What the scenario does to the machine of whoever plays it: this process carries it out on itself.
//! Its files are written anew, its limits change, and it gets signals.

use rustix::process::{Resource, Rlimit, Signal as Raised, getpid, getrlimit, kill_process, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::client_files::ClientFiles;
use crate::sim::{Local, Signal, Workstation};

/// The task that carries it out. It ends when this is dropped.
pub(super) struct Suffering(JoinHandle<()>);

impl Drop for Suffering {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Carries out what the workstation of a fleet is to suffer, and keeps these files.
pub(super) fn start(workstation: Workstation, files: Vec<ClientFiles>) -> Suffering {
    Suffering(tokio::spawn(suffer(workstation, files)))
}

async fn suffer(mut workstation: Workstation, mut files: Vec<ClientFiles>) {
    let mut limits = Limits::default();
    let mut last = Local::default();
    loop {
        let local = workstation.local();
        // what the scenario writes is written with room on the disk, and with files to open
        limits.set(&Local::default());
        for file in &mut files {
            if let Err(error) = file.write(&workstation) {
                tracing::warn!(%error, "the demo's files are as they were");
            }
        }
        limits.set(&local);
        for which in [Signal::Winch, Signal::Stop, Signal::Int, Signal::Hup, Signal::Term] {
            let count = |local: &Local| local.signals.iter().filter(|s| **s == which).count();
            for _ in count(&last)..count(&local) {
                raise(which);
            }
        }
        last = local;
        workstation.changed().await;
    }
}

fn raise(which: Signal) {
    let raised = match which {
        Signal::Term => Raised::TERM,
        Signal::Hup => Raised::HUP,
        Signal::Int => Raised::INT,
        Signal::Stop => Raised::STOP,
        Signal::Winch => Raised::WINCH,
    };
    // a process may always send signals to itself
    let _ = kill_process(getpid(), raised);
}

/// The limits of this process that are lowered, as they were.
#[derive(Default)]
struct Limits {
    files: Option<Rlimit>,
    size: Option<Rlimit>,
    /// Whether a write beyond the limit is an error and no longer the end (SIGXFSZ).
    survives: bool,
}

impl Limits {
    fn set(&mut self, local: &Local) {
        set(Resource::Nofile, &mut self.files, local.open_files);
        if local.disk_full && !self.survives {
            self.survives = signal(SignalKind::from_raw(Raised::XFSZ.as_raw())).is_ok();
        }
        // no file can grow: terminals, pipes and sockets are none
        set(Resource::Fsize, &mut self.size, (local.disk_full && self.survives).then_some(0));
    }
}

/// Lowers a soft limit, or puts it back.
fn set(resource: Resource, usual: &mut Option<Rlimit>, to: Option<u64>) {
    let result = match (to, *usual) {
        (None, None) => return,
        (None, Some(was)) => setrlimit(resource, was).map(|()| *usual = None),
        (Some(to), was) => {
            let was = was.unwrap_or_else(|| getrlimit(resource));
            let limit = Rlimit { current: Some(to), maximum: was.maximum };
            setrlimit(resource, limit).map(|()| *usual = Some(was))
        }
    };
    if let Err(error) = result {
        tracing::warn!(%error, "a limit of this process is as it was");
    }
}
