//! A hand that carries plans out with the real runner, and sees what becomes of them.

use std::path::PathBuf;
use std::time::Duration;

use quarterdeck::model::{Kind, ObjectKey};
use quarterdeck::operations::{
    Approval, Control, OpEvent, OpId, Options, Outcome, Permit, Plan, PlanInput, Progress, Run, RunState,
    by_id,
};
use quarterdeck::runner::journal::{Verified, verify};
use quarterdeck::runner::{Journal, Runner, Sessions, Who, system_clock};
use tokio::sync::mpsc;

use super::{Ground, PATIENCE, now};

/// A runner with its journal, and the last run.
pub(crate) struct Hand {
    runner: Runner<Sessions>,
    events: mpsc::Receiver<OpEvent>,
    journal: PathBuf,
    run: Option<Run>,
    last: Option<OpId>,
    // Goes last: the journal is in it.
    _folder: tempfile::TempDir,
}

impl Hand {
    /// A runner on the clusters of a ground.
    pub(crate) fn on(ground: &Ground) -> Hand {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal/journal.jsonl");
        let (_, sessions) = tokio::sync::watch::channel(ground.session_map());
        let (sender, events) = mpsc::channel(256);
        let runner = Runner::start(
            Sessions::new(sessions),
            Journal::open(&journal).unwrap(),
            Who::here(),
            system_clock(),
            ground.snapshots(),
            sender,
        );
        Hand { runner, events, journal, run: None, last: None, _folder: folder }
    }

    /// Confirms a plan as a person does who read it, and begins it.
    pub(crate) fn begin(&mut self, plan: Plan) {
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        let permit = Permit {
            plan: plan.hash(),
            clusters: plan.touches.clone(),
            approval: Approval::Word(plan.confirmation.word.to_string()),
        };
        self.run = None;
        self.last = Some(self.runner.submit(plan, permit));
    }

    /// Asks something of the last run.
    pub(crate) fn control(&mut self, control: Control) {
        self.runner.control(self.last.unwrap(), control);
    }

    /// Waits until the last run is so.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Run) -> bool) -> Run {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(run) = self.run.as_ref().filter(|run| holds(run)) {
                return run.clone();
            }
            match tokio::time::timeout_at(deadline, self.events.recv()).await {
                Ok(event) => self.take(event.expect("the runner is there")),
                Err(_) => panic!("the run was never so: {what}\n{:#?}", self.run),
            }
        }
    }

    /// Waits until the last run has ended, as it must.
    pub(crate) async fn ends(&mut self, outcome: Outcome) -> Run {
        let run = self.until("it ended", |run| matches!(run.state, RunState::Ended(_))).await;
        let told: Vec<_> = run.evidence.iter().map(|(_, line)| line.to_string()).collect();
        assert_eq!(run.state, RunState::Ended(outcome), "{}\n{told:#?}", run.result);
        run
    }

    fn take(&mut self, event: OpEvent) {
        if Some(event.op) != self.last {
            return;
        }
        match (&event.progress, &mut self.run) {
            (Progress::Accepted(plan), _) => self.run = Some(Run::new(event.op, (**plan).clone(), event.at)),
            (Progress::Ended(Outcome::Refused, why), None) => panic!("refused: {why}"),
            (_, Some(run)) => run.apply(&event),
            (_, None) => panic!("nothing may come before it is accepted: {event:?}"),
        }
    }

    /// The journal as it is now; it must be whole.
    pub(crate) fn journal(&self) -> Verified {
        let verified = verify(&self.journal).unwrap_or_else(|bad| panic!("the journal: {bad}"));
        assert!(verified.torn.is_empty(), "{verified:?}");
        verified
    }

    /// The text of the journal.
    pub(crate) fn journal_text(&self) -> String {
        std::fs::read_to_string(&self.journal).unwrap()
    }
}

/// The plan of an operation for these objects.
pub(crate) fn plan(ground: &Ground, operation: &str, subjects: &[ObjectKey], options: &Options) -> Plan {
    let snapshot = ground.snapshot();
    let input = PlanInput { snapshot: &snapshot, subjects, options, now: now() };
    let made = by_id(operation).unwrap().plan(&input);
    made.unwrap_or_else(|why| panic!("no plan to {operation}: {why}"))
}

/// The key of a node.
pub(crate) fn node_key(ground: &Ground, cluster: &str, node: &str) -> ObjectKey {
    let cluster = ground.cluster(cluster);
    cluster.find(Kind::Node, "", node).unwrap().key(cluster.id)
}

/// A stopwatch of the case's own, beside the one that is measured.
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(std::time::Instant::now())
    }

    /// Panics when a measured time is further than this from its own.
    pub(crate) fn agrees(&self, measured: quarterdeck::model::Span, within: Duration) {
        let own = self.0.elapsed();
        let measured = Duration::from_millis(u64::try_from(measured.millis()).unwrap());
        assert!(measured > Duration::ZERO && own.abs_diff(measured) <= within, "{measured:?}, not {own:?}");
    }
}

/// Whether a run ended its step of this index.
pub(crate) fn ended(run: &Run, index: usize) -> bool {
    run.steps[index].ended.is_some()
}
