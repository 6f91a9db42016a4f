//! Recovery plans: a file that names a primary, a standby, workloads, probes and traffic.
//!
//! TOML, version 1. `assets/recovery-sample.toml` shows every key; [`RecoveryFile`] documents them.
//! A file is read whole or not at all: a key that is not known is an error with its line.

mod propose;
mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Span, Text, Time};

pub use propose::recovery_proposal;
pub use read::RecoveryError;

/// A recovery plan, as its file says it.
#[derive(Clone, PartialEq, Debug)]
pub struct RecoveryFile {
    /// `name`: what people call it; reports are named after it.
    pub name: Text,
    /// `primary`: the context of the cluster that serves now.
    pub primary: Text,
    /// `standby`: the context of the cluster that takes over.
    pub standby: Text,
    /// `target`: the recovery time that is promised, such as `"10m"`; optional.
    pub target: Option<Span>,
    /// `[[workload]]`: what must run on the standby, in this order; at least one.
    pub workloads: Vec<RecoveryWorkload>,
    /// `[probe]`: how it is known that the standby serves; all workloads ready when missing.
    pub probe: RecoveryProbe,
    /// `[[traffic]]`: what is patched to move traffic, in this order; optional.
    pub traffic: Vec<Traffic>,
    /// `[deadlines]`: how long each step may take; every key is optional.
    pub deadlines: Deadlines,
}

/// A `[[workload]]`.
#[derive(Clone, PartialEq, Debug)]
pub struct RecoveryWorkload {
    /// `kind`: `Deployment` or `StatefulSet`.
    pub kind: crate::model::Kind,
    /// `namespace`.
    pub namespace: Text,
    /// `name`.
    pub name: Text,
    /// `replicas`: how many the standby must run; as many as the primary runs when missing.
    pub replicas: Option<u32>,
    /// `standby_replicas`: how many the standby keeps after the way back; when missing, the way
    /// back leaves the standby as it is.
    pub standby_replicas: Option<u32>,
}

/// The `[probe]`.
#[derive(Clone, PartialEq, Debug)]
pub enum RecoveryProbe {
    /// `http`: a GET to this address must answer with `status` (200 when missing), tried
    /// `every` (5 s when missing). The address must lead to the standby itself, or a good answer
    /// proves nothing.
    Http {
        /// The address.
        url: Text,
        /// The status.
        status: u16,
        /// How long between tries.
        every: Span,
    },
    /// `ready = true`: every workload has its replicas ready.
    Ready,
}

/// A `[[traffic]]`: one patch of one object.
#[derive(Clone, PartialEq, Debug)]
pub struct Traffic {
    /// `cluster`: `"standby"`, `"primary"`, or a context; the standby when missing.
    pub cluster: Text,
    /// `api`: `"v1"`, `"k8gb.io/v1beta1"`.
    pub api: Text,
    /// `kind`.
    pub kind: Text,
    /// `plural`: the resource in paths; the kind in small letters, as English makes the
    /// plural, when missing (`ingresses`).
    pub plural: Text,
    /// `namespace`; empty or missing for an object that has none.
    pub namespace: Text,
    /// `name`.
    pub name: Text,
    /// `patch`: a JSON merge patch, as a TOML table. TOML has no null: a patch can set a field
    /// and cannot remove one.
    pub patch: serde_json::Value,
    /// `back`: the patch that undoes it, for a run that is stopped and for the way back;
    /// optional, and without it the step has no way back.
    pub back: Option<serde_json::Value>,
}

/// The `[deadlines]`, past which a run stops with what is left named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlines {
    /// `assess`: looking at the primary; 30 s.
    pub assess: Span,
    /// `scale`: one scale patch; 1 min.
    pub scale: Span,
    /// `ready`: until the workloads are ready; 10 min.
    pub ready: Span,
    /// `traffic`: one traffic patch; 1 min.
    pub traffic: Span,
    /// `probe`: until the probe is good; 5 min.
    pub probe: Span,
    /// `primary`: scaling down what runs on the primary; 30 s for each workload.
    pub primary: Span,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        let s = Span::from_seconds;
        Deadlines {
            assess: s(30),
            scale: s(60),
            ready: s(600),
            traffic: s(60),
            probe: s(300),
            primary: s(30),
        }
    }
}

/// The last drill of a recovery plan, as its report has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastDrill {
    /// When it began.
    pub at: Time,
    /// Whether it ended well.
    pub done: bool,
    /// The recovery time that it measured.
    pub took: Option<Span>,
}

/// Every recovery plan that is known, and the last drill of each by the plan's name.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Recoveries {
    /// The plans.
    pub plans: Arc<Vec<Arc<RecoveryFile>>>,
    /// Their last drills; a plan without one was never drilled.
    pub drills: BTreeMap<Text, LastDrill>,
}

/// A recovery plan and what is wanted of it.
#[derive(Clone, PartialEq, Debug)]
pub struct RecoveryWish {
    /// Which.
    pub file: Arc<RecoveryFile>,
    /// Which way.
    pub way: Way,
}

/// What is wanted of a recovery plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Fail over: standby up, traffic there, primary down.
    Run,
    /// Rehearse: standby up and probed, then put back; no traffic moves and the primary is not touched.
    Drill,
    /// Return: primary up, traffic there, standby down.
    Back,
}

impl RecoveryFile {
    /// Reads a recovery plan.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and what was expected there.
    pub fn read(text: &str) -> Result<RecoveryFile, RecoveryError> {
        read::read(text)
    }
}
