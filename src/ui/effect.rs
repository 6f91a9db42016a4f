//! What the screen asks for, and what comes back to it.

use std::sync::Arc;

use super::told::JournalPage;
use crate::model::{ClusterId, Fault, ObjectKey, Text};
use crate::operations::{Control, Elsewhere, Line, OpEvent, OpId, Permit, Plan, RecoveryFile, Unfinished};
use crate::views::{Scope, Snapshot};

/// What the screen asks of the application. Effects are data: only `app` runs them.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Leave the program.
    Quit,
    /// Close what is open and open this instead.
    Open(Opening),
    /// Watches of these clusters first: they are on screen.
    Focus(Scope),
    /// Ask these clusters again now instead of at their next try; all that wait when empty.
    Retry(Vec<ClusterId>),
    /// Read one object, its events or logs, for the detail.
    ///
    /// The logs of a container that runs are followed until [`Effect::StopReading`], or until
    /// another one is.
    Read(Detail),
    /// Nobody looks at the log that is followed any more.
    StopReading,
    /// Ask the clusters whether this plan would be allowed: access reviews and dry runs.
    Check(Box<Plan>),
    /// Carry the plan out.
    Run(Box<Plan>, Permit),
    /// Read the journal and check it.
    ReadJournal,
    /// Ask something of a run.
    Control(OpId, Control),
    /// Note in the journal that somebody decided about the run that began with this record and
    /// was cut off.
    Close(u64),
    /// Put text on the terminal's clipboard.
    Copy(String),
    /// Write this recovery plan to a file of its own.
    KeepRecovery(String),
    /// Remember the chosen theme.
    KeepTheme(String),
    /// Give the terminal back and wait to be woken: `ctrl-z`.
    Suspend,
    /// Draw everything again.
    Redraw,
}

/// What can be opened in place of the clusters that are open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opening {
    /// The embedded fleet.
    Demo,
    /// The kubeconfig again, wherever it was looked for.
    Again,
    /// This kubeconfig file.
    File(String),
}

/// What a detail shows, read on demand and never kept in the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Detail {
    /// The object.
    pub object: ObjectKey,
    /// Which reading of it.
    pub reading: Reading,
}

/// A reading of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// The whole object as YAML, without managed fields. Secrets are never read.
    Yaml,
    /// The object as somebody writes it, as YAML: without what the server makes by itself.
    Written,
    /// The last lines of a pod's logs.
    Logs {
        /// The container; empty where the pod is not known, and then the server chooses.
        container: Text,
        /// Of the container before the last restart.
        previous: bool,
    },
}

/// What a log that is followed says.
#[derive(Clone, PartialEq, Debug)]
pub enum LogNews {
    /// More lines, each made harmless; none at first, when the server has answered.
    Lines(String),
    /// There is no more: the container ended, or why not.
    Ended(Option<Fault>),
}

/// What comes to the screen from outside.
#[derive(Clone, Debug)]
pub enum Inbound {
    /// A newer state of the fleet.
    Snapshot(Arc<Snapshot>),
    /// A run told something.
    Op(OpEvent),
    /// What a detail asked for.
    Read(Detail, Result<String, Fault>),
    /// What the followed log of a detail says.
    Log(Detail, LogNews),
    /// What the clusters say to a plan, by the plan's hash.
    Checked(String, Vec<Line>),
    /// The journal, or why it is not to be trusted.
    Journal(Result<JournalPage, Text>),
    /// A recovery plan that was written, and to which file.
    Recovery(Arc<RecoveryFile>, Text),
    /// A word for the notices row.
    Notice(Text),
    /// Runs of earlier processes that were cut off.
    CutOff(Vec<Unfinished>),
    /// What other processes run now.
    Elsewhere(Vec<Elsewhere>),
}
