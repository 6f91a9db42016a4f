//! One run: the steps in order, and undoing them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::api::Api;
use super::context::Context;
use super::gate::{Gate, Halt, Wish};
use super::memory;
use super::scribe::Entry;
use super::steps::{End, act};
use crate::model::{ClusterId, Span, Text};
use crate::operations::{Action, Outcome, Permit, Plan, Progress, Step, Tolerance};

/// How long undoing one action may take.
const UNDO_LIMIT: Span = Span::from_seconds(60);

/// How long a cluster that did not answer before is waited for again while undoing: long enough for
/// one request.
const SILENT_LIMIT: Span = Span::from_seconds(5);

/// Why a plan must not run with this permit; nothing has been sent or recorded yet.
pub(super) fn refusal(plan: &Plan, permit: &Permit) -> Option<Text> {
    if let Some(refusal) = plan.refusals.first() {
        return Some(refusal.clone());
    }
    if permit.plan != plan.hash() {
        return Some(Text::clean("the plan is not the one that was confirmed; look at it again"));
    }
    if !permit.approval.fits(plan) {
        return Some(Text::from(format!("it was not confirmed with {:?}", plan.confirmation.word)));
    }
    let unarmed = plan.touches.iter().filter(|id| !permit.clusters.contains(id)).count();
    if unarmed > 0 {
        return Some(Text::from(format!(
            "{unarmed} of the clusters that it writes to are read-only; arm them"
        )));
    }
    plan.steps.is_empty().then(|| Text::clean("there is nothing to do"))
}

/// Carries the plan out and tells what becomes of it, to its end. Afterwards, when something can
/// be undone and the run did not end well, it waits to be asked for that.
pub(super) async fn run<A: Api>(ctx: Arc<Context<A>>, mut gate: Gate) {
    if let Some(why) = refusal(&ctx.plan, &ctx.permit).or_else(|| ctx.crossed.clone()) {
        ctx.busy.send_replace(false);
        ctx.tell(Progress::Ended(Outcome::Refused, why)).await;
        return;
    }
    let accepted = Entry::new("accepted")
        .with("title", ctx.plan.title.as_str())
        .with("drill", ctx.plan.drill)
        .with("steps", ctx.plan.steps.iter().map(|s| s.title.to_string()).collect::<Vec<_>>())
        .with("clusters", memory::clusters(&ctx))
        .with("subjects", memory::subjects(&ctx))
        .with("way_back", memory::way_back(&ctx));
    if let Err(fault) = ctx.note(accepted).await {
        ctx.busy.send_replace(false);
        ctx.tell(Progress::Ended(Outcome::Refused, fault.to_string().into())).await;
        return;
    }
    ctx.tell(Progress::Accepted(Box::new(ctx.plan.clone()))).await;
    // Beside the run: a cluster that does not answer must not hold up the first step.
    tokio::spawn(memory::identities(Arc::clone(&ctx)));
    let mut run = Running::of(&ctx);
    let pauses = tell_pauses(&ctx, gate.wishes());
    let (outcome, why) = tokio::select! {
        ended = run.forward(&mut gate) => ended,
        never = pauses => match never {},
    };
    let wish = gate.heed();
    let undo = wish == Wish::Undo || (ctx.plan.drill && outcome != Outcome::Done);
    // Nobody is there any more who could hear how it ended: the next start finds it without an end,
    // and offers to go on or to put back.
    let cut_off = gate.abandoned() && matches!(wish, Wish::Go | Wish::Hold);
    if cut_off && !undo && outcome == Outcome::Stopped {
        return run.cut_off(outcome, why).await;
    }
    let mut why = if undo { run.undone(&why).await } else { why };
    run.end(outcome, why.clone()).await;
    // A drain that failed or was stopped can still be taken back, and asked again for what did not
    // go back at the first try.
    while outcome != Outcome::Done && run.can_undo() {
        if !gate.next_wish().await {
            return;
        }
        if gate.wish() == Wish::Undo {
            why = run.undone(&why).await;
            run.end(outcome, why.clone()).await;
        }
    }
}

/// Tells whenever somebody holds the run or lets it go on, whatever step it is in.
async fn tell_pauses<A: Api>(ctx: &Context<A>, wishes: Option<watch::Receiver<Wish>>) -> Infallible {
    let mut held = false;
    if let Some(mut wishes) = wishes {
        loop {
            let wish = *wishes.borrow_and_update();
            match (held, wish) {
                (false, Wish::Hold) => ctx.tell(Progress::Paused).await,
                (true, Wish::Go) => ctx.tell(Progress::Resumed).await,
                _ => {}
            }
            held = wish == Wish::Hold;
            if wishes.changed().await.is_err() {
                break;
            }
        }
    }
    std::future::pending().await
}

struct Running<'a, A> {
    ctx: &'a Arc<Context<A>>,
    /// Steps that changed something, or may have, and were not put back.
    touched: Vec<usize>,
    /// Steps that a silent cluster held up and that are left to people.
    left: Vec<usize>,
    /// What went otherwise than planned without ending the run.
    buts: Vec<Text>,
    /// Whether a probe was good.
    probed: bool,
}

impl<'a, A: Api> Running<'a, A> {
    fn of(ctx: &'a Arc<Context<A>>) -> Running<'a, A> {
        Running { ctx, touched: Vec::new(), left: Vec::new(), buts: Vec::new(), probed: false }
    }

    async fn forward(&mut self, gate: &mut Gate) -> (Outcome, Text) {
        let steps = &self.ctx.plan.steps;
        for (index, step) in steps.iter().enumerate() {
            gate.until(None);
            if let Err(halt) = gate.pass().await {
                return halted(halt, &format!("before {}", step.title));
            }
            self.ctx.at.store(index, Ordering::Relaxed);
            self.ctx.tell(Progress::StepBegan(index)).await;
            gate.until(step.deadline);
            let end = match self.held_up(step) {
                Some(why) => End::Silent(why),
                None => {
                    let end = act(self.ctx, gate, &step.action).await;
                    self.touch(index, &end);
                    end
                }
            };
            if let Some((outcome, why)) = self.step_ended(index, end).await {
                let serves = if self.probed { "; what takes over serves, the probe was good" } else { "" };
                return (outcome, format!("{why}{serves}").into());
            }
        }
        (Outcome::Done, self.done())
    }

    /// Remembers a step that changed something, or may have.
    fn touch(&mut self, index: usize, end: &End) {
        let action = &self.ctx.plan.steps[index].action;
        let one_write = matches!(action, Action::Patch(_) | Action::RollBack(_) | Action::Delete(_));
        if !(one_write && matches!(end, End::Failed(_) | End::NoRecord(_))) {
            self.touched.push(index);
        }
        self.probed |= matches!((action, end), (Action::Probe(_), End::Done(_)));
    }

    /// Why a step is not tried: an earlier one of its cluster is still to be done. What serves there
    /// must not be scaled down while its traffic still goes there, even when it answers again.
    fn held_up(&self, step: &Step) -> Option<Text> {
        let cluster = step.action.cluster().filter(|_| matches!(step.tolerance, Tolerance::Silence(_)))?;
        let waits = |index: &usize| self.ctx.plan.steps[*index].action.cluster() == Some(cluster);
        self.left.iter().any(waits).then(|| {
            format!("not tried: what comes before it on {} is still to be done", self.ctx.name(cluster))
                .into()
        })
    }

    /// Whether what takes over serves for good: that is not undone by stopping what is left.
    fn serves(&self) -> bool {
        self.probed && self.ctx.plan.recovery.is_some() && !self.ctx.plan.drill
    }

    /// The last word of a run that came to its end: what it could not reach is left to people, and
    /// what went otherwise than planned is named.
    fn done(&self) -> Text {
        let title = &self.ctx.plan.title;
        let steps = self.left.iter().map(|index| &self.ctx.plan.steps[*index]);
        let names: BTreeSet<Text> =
            steps.filter_map(|step| step.action.cluster()).map(|id| self.ctx.name(id)).collect();
        let names: Vec<&str> = names.iter().map(Text::as_str).collect();
        let mut buts: Vec<String> = self.buts.iter().map(ToString::to_string).collect();
        if !self.left.is_empty() {
            buts.push(format!(
                "{} does not answer: {} of its steps are left to do when it does",
                names.join(" and "),
                self.left.len()
            ));
        }
        if let Some(recovery) = self.ctx.plan.recovery.as_ref().filter(|recovery| recovery.both_serve) {
            buts.push(format!("{} still serves: by choice", self.ctx.name(recovery.from)));
        }
        match buts.is_empty() {
            true => format!("{title}: done").into(),
            false => format!("{title}: done, but {}", buts.join("; ")).into(),
        }
    }

    /// Tells how a step ended; what the run ends with, if it ends.
    async fn step_ended(&mut self, index: usize, end: End) -> Option<(Outcome, Text)> {
        let step = &self.ctx.plan.steps[index];
        let late = step.deadline.map_or(String::new(), |deadline| format!("not done in {deadline}: "));
        // How the side that is lost looks is why one fails over, and no news at the end.
        if step.tolerance == Tolerance::Anything && !matches!(step.action, Action::Assess(_)) {
            self.buts.extend(end.tolerated().cloned());
        }
        let (evidence, ended) = match (end, &step.tolerance) {
            (End::Done(evidence), _) => {
                self.note_step(index, "done", &evidence).await;
                self.ctx.tell(Progress::StepDone(index, evidence)).await;
                return None;
            }
            (End::But(evidence, but), _) => {
                self.buts.push(but);
                self.note_step(index, "done", &evidence).await;
                self.ctx.tell(Progress::StepDone(index, evidence)).await;
                return None;
            }
            (End::Silent(why), Tolerance::Silence(later)) => {
                self.left.push(index);
                (format!("{why}; when it answers again: {later}").into(), None)
            }
            (End::Failed(why), Tolerance::Anything) => (why, None),
            (End::Halted(Halt::Deadline, left) | End::Silent(left), Tolerance::Anything) => {
                (format!("{late}{left}").into(), None)
            }
            (End::Halted(Halt::Deadline, left) | End::Silent(left), _) => {
                let why = Text::from(format!("{late}{left}"));
                (why.clone(), Some((Outcome::TimedOut, why)))
            }
            (End::Failed(why) | End::NoRecord(why), _) => (why.clone(), Some((Outcome::Failed, why))),
            (End::Halted(halt, left), _) => (left.clone(), Some(halted(halt, &left))),
        };
        self.note_step(index, "failed", &evidence).await;
        self.ctx.tell(Progress::StepFailed(index, evidence)).await;
        ended
    }

    async fn note_step(&self, index: usize, result: &str, evidence: &Text) {
        let title = self.ctx.plan.steps[index].title.as_str();
        let entry =
            Entry::new("step").with("step", title).with("result", result).with("evidence", evidence.as_str());
        if let Err(fault) = self.ctx.note(entry).await {
            self.ctx.say(fault.to_string()).await;
        }
    }

    fn can_undo(&self) -> bool {
        !self.serves() && self.touched.iter().any(|index| !self.ctx.plan.steps[*index].undo.is_empty())
    }

    /// Undoes what was touched, last first; what cannot be undone is named, does not hold up the
    /// rest, and can be asked for again.
    async fn undone(&mut self, why: &Text) -> Text {
        if self.serves() {
            return format!("{why}; nothing is put back: the way back is a plan of its own").into();
        }
        if !self.can_undo() {
            return format!("{why}; there is nothing to undo").into();
        }
        self.ctx.busy.send_replace(true);
        self.ctx.tell(Progress::Undoing).await;
        let (mut failed, mut undone) = (Vec::new(), 0);
        let mut silent: BTreeSet<ClusterId> = BTreeSet::new();
        for index in std::mem::take(&mut self.touched).into_iter().rev() {
            let step = &self.ctx.plan.steps[index];
            self.ctx.at.store(index, Ordering::Relaxed);
            for action in &step.undo {
                let known_silent = action.cluster().is_some_and(|cluster| silent.contains(&cluster));
                let limit = if known_silent { SILENT_LIMIT } else { UNDO_LIMIT };
                match act(self.ctx, &mut Gate::open(limit), action).await {
                    End::Done(_) | End::But(..) => {
                        undone += 1;
                        self.note_undone(index).await;
                        self.ctx.tell(Progress::StepUndone(index)).await;
                    }
                    end @ (End::Failed(_) | End::Halted(..) | End::Silent(_) | End::NoRecord(_)) => {
                        if let End::Silent(_) = end {
                            silent.extend(action.cluster());
                        }
                        self.ctx.tell(Progress::StepNotUndone(index, end.said())).await;
                        failed.push(index);
                    }
                }
            }
        }
        let names: Vec<&str> =
            failed.iter().map(|index| self.ctx.plan.steps[*index].title.as_str()).collect();
        let why = match names[..] {
            [] => format!("{why}; {undone} undone"),
            _ => format!("{why}; {undone} undone, not undone: {}", names.join(", ")),
        };
        // Last first again, should it be asked for again.
        failed.reverse();
        self.touched = failed;
        why.into()
    }

    async fn note_undone(&self, index: usize) {
        if let Err(fault) = self.ctx.note(Entry::new("undone").with("at", index)).await {
            self.ctx.say(fault.to_string()).await;
        }
    }

    async fn end(&self, outcome: Outcome, why: Text) {
        let word = serde_json::to_value(outcome).unwrap_or_default();
        let entry = Entry::new("ended").with("result", word).with("evidence", why.as_str());
        if let Err(fault) = self.ctx.note(entry).await {
            self.ctx.say(fault.to_string()).await;
        }
        self.ctx.busy.send_replace(false);
        self.ctx.tell(Progress::Ended(outcome, why)).await;
    }

    /// Tells the end to whoever still listens and leaves it out of the journal.
    async fn cut_off(&self, outcome: Outcome, why: Text) {
        self.ctx.busy.send_replace(false);
        self.ctx.tell(Progress::Ended(outcome, why)).await;
    }
}

fn halted(halt: Halt, left: &str) -> (Outcome, Text) {
    match halt {
        Halt::Deadline => (Outcome::TimedOut, Text::from(left)),
        Halt::Stop | Halt::Undo => (Outcome::Stopped, Text::from(format!("stopped, {left}"))),
    }
}
