//! The runner: carries plans out against clusters and tells what becomes of them.
//!
//! Rank 4. A plan comes with a permit; before anything is sent, the permit is checked against the
//! plan's hash, and what is about to be sent is in the journal and on the disk. No record, no
//! write: `Context::send` takes the proof that a record exists. Every retry is here and
//! is told; nothing below retries.

mod api;
mod changes;
mod check;
mod context;
mod evict;
#[cfg(test)]
mod fake;
mod gate;
pub mod journal;
mod memory;
pub mod report;
mod rollout;
mod run;
mod scribe;
mod sessions;
mod steps;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::{mpsc, watch};

use crate::model::{Fault, Fleet, Text, Time, Tone};
use crate::operations::{Control, Line, OpEvent, OpId, Permit, Plan, Progress, conflict};
use crate::views::Snapshot;

pub use api::{Api, ApiAnswer, ApiRequest, Identity};
pub use journal::Journal;
pub use scribe::{Who, system_clock};
pub use sessions::{SessionMap, Sessions};

use context::Context;
use gate::{Gate, Wish};
use scribe::{Entry, Head, Scribe};

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// Carries out plans, each in a task of its own.
///
/// Dropping it stops every run before its next request: nothing goes on unwatched.
pub struct Runner<A> {
    api: Arc<A>,
    scribe: Scribe,
    clock: Clock,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    events: mpsc::Sender<OpEvent>,
    runs: BTreeMap<OpId, Going>,
    last: u32,
}

/// A run, as the runner holds it.
struct Going {
    plan: Plan,
    wishes: watch::Sender<Wish>,
    /// Whether it sends something; not any more when it has ended and only waits to be undone.
    busy: watch::Receiver<bool>,
}

/// Notes the same in a journal that no runner writes to here: no cluster is needed for that.
///
/// # Errors
/// The journal cannot be written.
pub async fn close_run(journal: Journal, who: Who, clock: Clock, run: u64) -> Result<(), Fault> {
    close(Scribe::start(journal, who, clock), run).await
}

async fn close(scribe: Scribe, run: u64) -> Result<(), Fault> {
    let head = Head { op: None, operation: "close", plan: String::new(), typed: None };
    let nowhere = Snapshot::new(Time::from_seconds(1), 0, Fleet::default());
    scribe.write(&head, &nowhere, Entry::new("closed").with("run", run)).await.map(drop)
}

impl<A: Api> Runner<A> {
    /// A runner that writes to this journal. It must be called inside a tokio runtime.
    #[must_use]
    pub fn start(
        api: A,
        journal: Journal,
        who: Who,
        clock: Clock,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        events: mpsc::Sender<OpEvent>,
    ) -> Runner<A> {
        let scribe = Scribe::start(journal, who, Arc::clone(&clock));
        Runner { api: Arc::new(api), scribe, clock, snapshots, events, runs: BTreeMap::new(), last: 0 }
    }

    /// Begins a run. Whether it is accepted comes as an event: `Accepted`, or `Ended` with
    /// `Refused` and why.
    pub fn submit(&mut self, plan: Plan, permit: Permit) -> OpId {
        self.last += 1;
        let op = OpId(self.last);
        let (wishes, receiver) = watch::channel(Wish::Go);
        self.runs.retain(|_, going| !going.wishes.is_closed());
        // A plan was checked against what ran when it was made; what began since counts too.
        let busy = self.busy();
        let others = self.runs.iter().map(|(op, going)| (*op, going.busy.clone())).collect();
        let crossed = conflict(&plan, &busy, &self.snapshots.borrow().fleet);
        let (busy, watched) = watch::channel(true);
        self.runs.insert(op, Going { plan: plan.clone(), wishes, busy: watched });
        let head = Head {
            op: Some(op),
            operation: plan.operation,
            plan: plan.hash(),
            typed: Some(permit.approval.said().into()),
        };
        let context = Context {
            op,
            plan,
            permit,
            head,
            api: Arc::clone(&self.api),
            scribe: self.scribe.clone(),
            clock: Arc::clone(&self.clock),
            events: self.events.clone(),
            snapshots: self.snapshots.clone(),
            at: AtomicUsize::new(0),
            crossed,
            busy,
            others,
        };
        tokio::spawn(run::run(Arc::new(context), Gate::new(receiver)));
        op
    }

    /// Asks something of a run. A run that failed, was stopped or ran out of time can still be
    /// undone ([`Control::StopAndUndo`]), as often as something of it is left, unless what began since
    /// needs the same; for one that is over otherwise this does nothing.
    pub fn control(&mut self, op: OpId, control: Control) {
        let Some(going) = self.runs.get(&op) else { return };
        let ended = !*going.busy.borrow();
        if ended && control == Control::StopAndUndo {
            let crossed = conflict(&going.plan, &self.busy(), &self.snapshots.borrow().fleet);
            match crossed {
                None => drop(going.wishes.send_replace(Wish::Undo)),
                Some(why) => self.say(op, format!("not put back: {why}").into()),
            }
            return;
        }
        going.wishes.send_if_modified(|wish| {
            let next = wish.after(control);
            std::mem::replace(wish, next) != next
        });
    }

    /// The plans of the runs that send something.
    fn busy(&self) -> Vec<Plan> {
        let busy = self.runs.values().filter(|going| *going.busy.borrow());
        busy.map(|going| going.plan.clone()).collect()
    }

    /// Tells something about a run from outside of it.
    fn say(&self, op: OpId, line: Text) {
        let event = OpEvent { op, at: (self.clock)(), progress: Progress::Evidence(line) };
        let events = self.events.clone();
        tokio::spawn(async move {
            // Whoever does not listen any more misses it.
            let _ = events.send(event).await;
        });
    }

    /// Notes that somebody decided about a run that was cut off, by the number of its first
    /// record: it is not offered again.
    pub fn close(&self, run: u64) -> impl Future<Output = Result<(), Fault>> + Send + 'static {
        close(self.scribe.clone(), run)
    }

    /// How many runs are not over, those included that wait whether to be undone.
    #[must_use]
    pub fn running(&self) -> usize {
        self.runs.values().filter(|going| !going.wishes.is_closed()).count()
    }

    /// Asks the clusters whether this plan would be allowed: access reviews and dry runs, as
    /// `allowed` lines. The result is noted in the journal under the plan's hash.
    pub fn check(&self, plan: Plan) -> impl Future<Output = Vec<Line>> + Send + 'static {
        let (api, scribe, snapshots) = (Arc::clone(&self.api), self.scribe.clone(), self.snapshots.clone());
        async move {
            let snapshot = Arc::clone(&snapshots.borrow());
            let mut lines = check::check(&*api, &snapshot, &plan).await;
            let head = Head { op: None, operation: plan.operation, plan: plan.hash(), typed: None };
            let said: Vec<String> = lines.iter().map(|line| line.text.to_string()).collect();
            let entry = Entry::new("check").with("dry_run_result", said);
            if let Err(fault) = scribe.write(&head, &snapshot, entry).await {
                lines.push(Line::new("allowed", Text::from(fault.to_string())).toned(Tone::Crit));
            }
            lines
        }
    }
}
