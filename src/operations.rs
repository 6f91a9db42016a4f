//! Operations: every write is a [`Plan`], steps as data, before it is a request.
//!
//! Rank 2: pure. An operation looks at a snapshot and makes a plan; the runner carries plans out
//! and reports [`OpEvent`]s; a [`Run`] folds those into what screens, reports and exit codes show.

mod arming;
mod plan;
mod run;

pub use arming::{ARMED_FOR, Arming, Permit};
pub use plan::{
    Action, Choice, Confirmation, EvictPod, Line, Patch, PatchKind, Plan, Probe, ReadyTarget, Recovery, Step,
    Target,
};
pub use run::{
    Control, OpEvent, OpId, Outcome, PodProgress, PodState, Progress, Run, RunState, StepRun, StepState,
};
