//! Operations: every write is a [`Plan`], steps as data, before it is a request.
//!
//! Rank 2: pure. An operation looks at a snapshot and makes a plan; the runner carries plans out
//! and reports [`OpEvent`]s; a [`Run`] folds those into what screens, reports and exit codes show.

mod arming;
mod cordon;
mod declare;
mod delete;
mod drain;
mod elsewhere;
mod failover;
mod fit;
#[cfg(test)]
pub(crate) mod fixture;
mod fleet;
mod hash;
mod plan;
mod put_back;
mod recovery;
mod restart;
mod roll_back;
mod rules;
mod run;
mod scale;
mod selector;
mod subjects;
mod words;
mod workloads;

pub use arming::{ARMED_FOR, Approval, Arming, HASH_DIGITS, Permit};
pub use declare::{ALL, OperationDecl, Options, PlanInput, by_id, for_kind};
pub use drain::progress::{DrainProgress, GoingPod, HeldBudget, NotReady, Offer};
pub use elsewhere::Elsewhere;
pub use fleet::conflict;
pub use hash::{canonical, sha256};
pub use plan::{
    Action, Choice, Confirmation, EvictPod, Line, Patch, PatchKind, Plan, Probe, ReadyTarget, Recovery,
    RollBack, Step, Target, Tolerance,
};
#[cfg(test)]
pub(crate) use put_back::cut_off_drain;
pub use put_back::{Back, PUT_BACK, Remembered, Template, Unfinished};
pub use recovery::{
    Deadlines, LastDrill, Recoveries, RecoveryError, RecoveryFile, RecoveryProbe, RecoveryWish,
    RecoveryWorkload, Traffic, Way, recovery_proposal,
};
pub use run::{
    Control, OpEvent, OpId, Outcome, PodProgress, PodState, Progress, Run, RunState, StepRun, StepState,
};
pub use scale::{Replicas, WhileRun};
pub use selector::parse as parse_selector;
pub use words::quoted;
