//! Runs: what became of a plan, folded from the runner's events.

use super::Plan;
use crate::model::{Span, Text, Time, Uid};

/// A run, for the life of the process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub struct OpId(pub u32);

/// What the runner tells.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct OpEvent {
    /// Which run.
    pub op: OpId,
    /// When.
    pub at: Time,
    /// What.
    pub progress: Progress,
}

/// What happened in a run.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub enum Progress {
    /// The plan was accepted.
    Accepted(Box<Plan>),
    /// A step began.
    StepBegan(usize),
    /// A line of evidence, for the step that runs.
    Evidence(Text),
    /// A pod of the running eviction changed its state.
    Pod(PodProgress),
    /// A step ended well, with its evidence.
    StepDone(usize, Text),
    /// A step failed; the run goes on only if the step may fail.
    StepFailed(usize, Text),
    /// The run waits because somebody paused it.
    Paused,
    /// It goes on.
    Resumed,
    /// Undoing began.
    Undoing,
    /// What a step did was put back.
    StepUndone(usize),
    /// What a step did could not be put back, and why.
    StepNotUndone(usize, Text),
    /// It ended.
    Ended(Outcome, Text),
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All done.
    Done,
    /// A step failed.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// A deadline passed.
    TimedOut,
    /// It was refused before anything was sent.
    Refused,
}

impl Outcome {
    /// What people call it: `timed out`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Failed => "failed",
            Outcome::Stopped => "stopped",
            Outcome::TimedOut => "timed out",
            Outcome::Refused => "refused",
        }
    }
}

/// What somebody asks of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub enum Control {
    /// Hold before the next request.
    Pause,
    /// Go on.
    Resume,
    /// End it; what is done stays done.
    Stop,
    /// End it and undo what can be undone, last first.
    StopAndUndo,
}

/// The state of one pod of an eviction.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct PodProgress {
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// Its uid.
    pub uid: Uid,
    /// What it does now.
    pub state: PodState,
    /// Why, in one line.
    pub why: Text,
    /// When it is asked again.
    pub retry_at: Option<Time>,
}

/// What a pod of an eviction does.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodState {
    /// Its turn has not come: another pod of the same budget is being asked for.
    Queued,
    /// The request is under way.
    Evicting,
    /// Its budget is spent.
    WaitsOnBudget(Text),
    /// The server is busy (429 that no budget explains).
    ServerBusy,
    /// Evicted; it ends within its grace period.
    Leaving,
    /// Gone.
    Gone,
    /// The server refuses for good.
    Failed,
}

/// A run: its plan and what became of it.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Run {
    /// Which.
    pub op: OpId,
    /// What was planned.
    pub plan: Plan,
    /// When it began.
    pub began: Time,
    /// When it ended.
    pub ended: Option<Time>,
    /// What it does.
    pub state: RunState,
    /// Its steps, in the plan's order.
    pub steps: Vec<StepRun>,
    /// Pods of evictions: their last state and since when.
    pub pods: Vec<(PodProgress, Time)>,
    /// Evidence, oldest first.
    pub evidence: Vec<(Time, Text)>,
    /// The last word.
    pub result: Text,
}

/// What a run does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Going on.
    Running,
    /// Held by somebody.
    Paused,
    /// Putting things back.
    Undoing,
    /// Over.
    Ended(Outcome),
}

/// What became of a step.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct StepRun {
    /// What it does.
    pub state: StepState,
    /// When it began.
    pub began: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// What proves it.
    pub evidence: Text,
}

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words say it")]
pub enum StepState {
    Waiting,
    Running,
    Done,
    Failed,
    /// It was done and put back.
    Undone,
    /// It was done, or may have been, and could not be put back.
    NotUndone,
}

impl Run {
    /// A run that was just accepted.
    #[must_use]
    pub fn new(op: OpId, plan: Plan, at: Time) -> Run {
        let step = StepRun { state: StepState::Waiting, began: None, ended: None, evidence: Text::EMPTY };
        Run {
            op,
            steps: vec![step; plan.steps.len()],
            plan,
            began: at,
            ended: None,
            state: RunState::Running,
            pods: Vec::new(),
            evidence: Vec::new(),
            result: Text::EMPTY,
        }
    }

    /// Folds one event in. Events of other runs change nothing.
    pub fn apply(&mut self, event: &OpEvent) {
        if event.op != self.op {
            return;
        }
        let at = event.at;
        match &event.progress {
            Progress::Accepted(_) => {}
            Progress::StepBegan(index) => self.step(*index, |step| {
                step.state = StepState::Running;
                step.began = Some(at);
            }),
            Progress::StepDone(index, evidence) => self.end_step(*index, StepState::Done, at, evidence),
            Progress::StepFailed(index, why) => self.end_step(*index, StepState::Failed, at, why),
            Progress::Evidence(line) => self.evidence.push((at, line.clone())),
            Progress::Pod(pod) => self.pod(pod, at),
            Progress::Paused => self.state = RunState::Paused,
            Progress::Resumed => self.state = RunState::Running,
            // It goes on, also when it had ended before.
            Progress::Undoing => (self.state, self.ended) = (RunState::Undoing, None),
            Progress::StepUndone(index) => self.undone(*index, StepState::Undone, at, "put back"),
            Progress::StepNotUndone(index, why) => {
                self.undone(*index, StepState::NotUndone, at, &format!("not put back: {why}"));
            }
            Progress::Ended(outcome, result) => {
                self.state = RunState::Ended(*outcome);
                self.ended = Some(at);
                self.result = result.clone();
            }
        }
    }

    fn step(&mut self, index: usize, change: impl FnOnce(&mut StepRun)) {
        if let Some(step) = self.steps.get_mut(index) {
            change(step);
        }
    }

    fn end_step(&mut self, index: usize, state: StepState, at: Time, evidence: &Text) {
        self.step(index, |step| {
            step.state = state;
            step.ended = Some(at);
            step.evidence = evidence.clone();
        });
        self.evidence.push((at, evidence.clone()));
    }

    fn undone(&mut self, index: usize, state: StepState, at: Time, said: &str) {
        let title = self.plan.steps.get(index).map(|step| step.title.clone()).unwrap_or_default();
        self.step(index, |step| {
            step.state = state;
            step.evidence = format!("{}; {said}", step.evidence).into();
        });
        self.evidence.push((at, format!("{title}: {said}").into()));
    }

    fn pod(&mut self, progress: &PodProgress, at: Time) {
        match self.pods.iter_mut().find(|(pod, _)| pod.uid == progress.uid) {
            Some((pod, since)) => {
                if pod.state != progress.state {
                    *since = at;
                }
                *pod = progress.clone();
            }
            None => self.pods.push((progress.clone(), at)),
        }
    }

    /// How long it took, or takes so far.
    #[must_use]
    pub fn took(&self, now: Time) -> Span {
        self.began.age(self.ended.unwrap_or(now))
    }

    /// The step that runs, or the next one.
    #[must_use]
    pub fn current(&self) -> Option<usize> {
        self.steps.iter().position(|s| matches!(s.state, StepState::Running | StepState::Waiting))
    }

    /// Whether it ended before its time and something that it did, or may have done, can still be put
    /// back. A failover whose standby serves is not among them: its way back is a plan of its own.
    #[must_use]
    pub fn can_be_put_back(&self) -> bool {
        // A step that was refused changed nothing; one that was cut short may have.
        let cut_short = match self.state {
            RunState::Ended(Outcome::Failed) => false,
            RunState::Ended(Outcome::Stopped | Outcome::TimedOut) => true,
            _ => return false,
        };
        let changed = |state: StepState| match state {
            StepState::Done | StepState::NotUndone => true,
            StepState::Failed => cut_short,
            StepState::Waiting | StepState::Running | StepState::Undone => false,
        };
        let mut steps = self.plan.steps.iter().zip(&self.steps);
        !self.serves() && steps.any(|(step, became)| !step.undo.is_empty() && changed(became.state))
    }

    /// Whether it is a failover, and what takes over was seen to serve.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.plan.recovery.is_some() && !self.plan.drill && self.recovery_time().is_some()
    }

    /// What is left to people although what takes over serves: the commands for steps that a
    /// silent cluster held up or that the run did not come to.
    #[must_use]
    pub fn left_to_do(&self) -> Vec<&Text> {
        if self.recovery_time().is_none() || self.ended.is_none() {
            return Vec::new();
        }
        let steps = self.plan.steps.iter().zip(&self.steps);
        let left = steps.filter_map(|(step, became)| match (&step.tolerance, became.state) {
            (_, StepState::Done | StepState::Undone) => None,
            (super::Tolerance::Silence(later), _) => Some(later),
            _ => None,
        });
        left.collect()
    }

    /// The measured recovery time: from the start to the end of the first probe step that was
    /// good; `None` until then.
    #[must_use]
    pub fn recovery_time(&self) -> Option<Span> {
        let probed = self.plan.steps.iter().zip(&self.steps).find(|(step, run)| {
            matches!(step.action, super::Action::Probe(_)) && run.state == StepState::Done
        });
        probed.and_then(|(_, run)| run.ended).map(|ended| self.began.age(ended))
    }
}
