//! Showing a plan, and carrying it out when its hash was given.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::super::cli::{Exit, RunArgs};
use super::super::clock::now;
use super::super::engine::Engine;
use super::super::opened::Opened;
use super::{Stop, print, proposal, runs};
use crate::model::{Fault, Text, Tone};
use crate::operations::{
    Control, Line, OpEvent, OpId, Outcome, Permit, Plan, PodState, Progress, Run, RunState, StepState,
};
use crate::runner::{Journal, Runner, Sessions, Who, system_clock};

/// Events on their way here.
const EVENTS: usize = 256;

/// After a run has ended, how often it is looked whether it still waits to be undone.
const LOOK: Duration = Duration::from_millis(100);

/// What became of a plan.
pub(super) struct Became {
    pub(super) exit: Exit,
    /// The run, if there was one.
    pub(super) run: Option<Run>,
    /// Whether results are for programs.
    pub(super) json: bool,
}

/// Shows a plan; with its hash in the arguments, carries it out.
pub(super) async fn plan(
    opened: &Opened,
    engine: &Engine,
    plan: Plan,
    arguments: &RunArgs,
    flags: &[(&str, &str)],
) -> Result<Became, Stop> {
    let json = proposal::form(arguments.output)?;
    runs::tell(opened);
    let hash = plan.hash();
    let confirmed = match &arguments.yes {
        Some(typed) => Some(proposal::confirmed(typed, &hash)?),
        None => None,
    };
    let (sender, events) = mpsc::channel(EVENTS);
    let runner = runner(opened, engine, sender);
    if confirmed == Some(true) && plan.refusals.is_empty() {
        let mut following = Following { runner: runner?, events, json };
        let run = following.run(plan).await?;
        left(&run).for_each(print::err);
        let exit = exit_of(&run, engine);
        return Ok(Became { exit, run: Some(run), json });
    }
    let allowed = match &runner {
        Ok(runner) => runner.check(plan.clone()).await,
        Err(fault) => vec![Line::new("allowed", format!("not asked: {fault}")).toned(Tone::Crit)],
    };
    print::out(&match json {
        true => proposal::json(&plan, &allowed, &engine.snapshots.borrow().fleet),
        false => proposal::text(&plan, &allowed, flags, &engine.snapshots.borrow().fleet),
    })?;
    let denied = denied(&allowed);
    let exit = if confirmed == Some(false) {
        print::err(format!(
            "quarterdeck: --yes is not the hash of this plan: the world has changed since, or it is mistyped. \
             Nothing was changed. This plan is {}",
            hash.get(..12).unwrap_or(&hash)
        ));
        Exit::Refused
    } else if !plan.refusals.is_empty() {
        print::err("quarterdeck: this plan is refused; nothing was changed");
        Exit::Refused
    } else if let Some(exit) = denied {
        print::err(
            "quarterdeck: the clusters would not let this plan through (see allowed); nothing was changed",
        );
        exit
    } else {
        let short = hash.get(..12).unwrap_or(&hash);
        print::err(format!("Nothing was changed. The same command with --yes {short} runs this plan."));
        Exit::Done
    };
    Ok(Became { exit, run: None, json })
}

/// How it ends when the clusters say no: a right that is missing is a denial, a dry run that a
/// server refused is a refusal.
fn denied(allowed: &[Line]) -> Option<Exit> {
    let mut no = allowed.iter().filter(|line| line.tone == Tone::Crit).peekable();
    no.peek()?;
    let refused = no.all(|line| line.text.starts_with("dry run"));
    Some(if refused { Exit::Refused } else { Exit::Unreachable })
}

/// Notes in the journal that somebody decided about a run that was cut off.
pub(super) async fn close(opened: &Opened, engine: &Engine, run: u64) -> Result<(), Stop> {
    let (events, _) = mpsc::channel(1);
    let closed = runner(opened, engine, events)?.close(run);
    Ok(closed.await?)
}

fn runner(
    opened: &Opened,
    engine: &Engine,
    events: mpsc::Sender<OpEvent>,
) -> Result<Runner<Sessions>, Fault> {
    let journal = Journal::open(&opened.dirs.journal())?;
    let (_, sessions) = watch::channel(engine.session_map());
    let snapshots = engine.snapshots.clone();
    Ok(Runner::start(Sessions::new(sessions), journal, Who::here(), system_clock(), snapshots, events))
}

/// A run that is being followed to its end.
struct Following {
    runner: Runner<Sessions>,
    events: mpsc::Receiver<OpEvent>,
    json: bool,
}

impl Following {
    async fn run(&mut self, plan: Plan) -> Result<Run, Stop> {
        let cannot =
            |error| Stop::usage(format!("signals cannot be heard, so nothing could stop it: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(cannot)?;
        // What was confirmed is this plan, for its clusters and for nothing else.
        let permit = Permit {
            plan: plan.hash(),
            clusters: plan.touches.clone(),
            typed: plan.confirmation.word.to_string(),
        };
        let op = self.runner.submit(plan.clone(), permit);
        let mut run = Run::new(op, plan, now());
        let mut interrupts = 0;
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.heard(&mut run, &event)?,
                    None => return Ok(run),
                },
                _ = interrupt.recv() => {
                    interrupts += 1;
                    self.asked(op, interrupts);
                }
                _ = terminate.recv() => self.asked(op, 1),
                _ = hangup.recv() => self.asked(op, 1),
                () = tokio::time::sleep(LOOK), if ended(&run) => {}
            }
            // Somebody who wants it undone waits for that, as long as the run does.
            if ended(&run) && (interrupts < 2 || self.runner.running() == 0) {
                return Ok(run);
            }
        }
    }

    fn asked(&mut self, op: OpId, times: usize) {
        if times < 2 {
            print::err("stopping before the next request; ctrl-c again undoes what can be undone");
            self.runner.control(op, Control::Stop);
        } else {
            self.runner.control(op, Control::StopAndUndo);
        }
    }

    fn heard(&mut self, run: &mut Run, event: &OpEvent) -> Result<(), Stop> {
        let news = line(run, &event.progress);
        run.apply(event);
        if self.json {
            let event = serde_json::to_string(event).unwrap_or_default();
            print::out(&format!("{event}\n"))?;
        } else if let Some(news) = news {
            print::err(format!("{}  {news}", event.at.clock()));
        }
        if let (Progress::Ended(outcome, result), false) = (&event.progress, self.json) {
            let took = run.took(event.at);
            print::out(&match outcome {
                Outcome::Done => format!("done: {} in {took}\n", run.plan.title),
                other => format!("{} after {took}: {result}\n", word(*other)),
            })?;
        }
        Ok(())
    }
}

fn ended(run: &Run) -> bool {
    matches!(run.state, RunState::Ended(_))
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Failed => "failed",
        Outcome::Stopped => "stopped",
        Outcome::TimedOut => "timed out",
        Outcome::Refused => "refused",
    }
}

/// What an event is to somebody who follows the run; nothing when it repeats what was said.
fn line(run: &Run, progress: &Progress) -> Option<String> {
    let title = |index: usize| run.plan.steps.get(index).map_or("?", |step| step.title.as_str());
    Some(match progress {
        Progress::Accepted(plan) => format!("begins: {}", plan.title),
        Progress::StepBegan(index) => format!("{}/{} {}", index + 1, run.plan.steps.len(), title(*index)),
        Progress::StepDone(_, evidence) => format!("    done: {evidence}"),
        Progress::StepFailed(_, why) => format!("    failed: {why}"),
        Progress::Evidence(evidence) => format!("    {evidence}"),
        Progress::Paused => "paused".to_owned(),
        Progress::Resumed => "goes on".to_owned(),
        Progress::Undoing => "undoing".to_owned(),
        Progress::StepUndone(index) => {
            let back = run.plan.steps.get(*index).map_or("", |step| step.way_back.as_str());
            format!("    put back: {back} (it was: {})", title(*index))
        }
        Progress::StepNotUndone(index, why) => format!("    not put back: {}: {why}", title(*index)),
        Progress::Ended(..) => return None,
        Progress::Pod(pod) => {
            let before = run.pods.iter().find(|(p, _)| p.uid == pod.uid);
            if before.is_some_and(|(before, _)| before.state == pod.state) {
                return None;
            }
            let said = pod.why.is_empty() || pod.state == PodState::Gone;
            let why = if said { String::new() } else { format!(": {}", pod.why) };
            format!("    {}/{} {}{why}", pod.namespace, pod.name, state(&pod.state))
        }
    })
}

fn state(state: &PodState) -> Text {
    match state {
        PodState::Queued => "waits for its turn".into(),
        PodState::Evicting => "is being evicted".into(),
        PodState::WaitsOnBudget(budget) => format!("waits on budget {budget}").into(),
        PodState::ServerBusy => "waits, the server is busy".into(),
        PodState::Leaving => "is leaving".into(),
        PodState::Gone => "is gone".into(),
        PodState::Failed => "cannot be evicted".into(),
    }
}

/// What a run leaves to people: what could not be reached, and when it did not get to its end
/// what it leaves changed, and the way back.
fn left(run: &Run) -> impl Iterator<Item = String> {
    let later = run.left_to_do().into_iter().map(|command| format!("left to do when it answers: {command}"));
    let ended_well = matches!(run.state, RunState::Ended(Outcome::Done | Outcome::Refused));
    let steps = run.plan.steps.iter().zip(&run.steps).filter(move |_| !ended_well);
    let changed = steps.filter_map(|(step, became)| {
        let word = match became.state {
            _ if step.undo.is_empty() => return None,
            StepState::Done => "left as it is",
            StepState::Failed | StepState::Running => "perhaps done, left as it is",
            StepState::NotUndone => "not put back",
            StepState::Waiting | StepState::Undone => return None,
        };
        Some(format!("{word}: {}; back: {}", step.title, step.way_back))
    });
    later.chain(changed)
}

fn exit_of(run: &Run, engine: &Engine) -> Exit {
    let RunState::Ended(outcome) = run.state else { return Exit::Refused };
    match outcome {
        Outcome::Done => Exit::Done,
        Outcome::TimedOut => Exit::TimedOut,
        Outcome::Refused | Outcome::Stopped => Exit::Refused,
        Outcome::Failed => {
            let fleet = &engine.snapshots.borrow().fleet;
            let live = |id| fleet.cluster(id).is_some_and(|c| c.link.live());
            if run.plan.touches.iter().all(|id| live(*id)) { Exit::Refused } else { Exit::Unreachable }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Tier, Time, Uid};
    use crate::operations::fixture::{NOW, World, key, snapshot};
    use crate::operations::{Options, PlanInput, PodProgress, by_id};

    fn run() -> Run {
        let snapshot = snapshot(vec![World::new(0, "dev", Tier::Dev).node("n0", "", "")]);
        let subjects = [key(&snapshot, 0, Kind::Node, "", "n0")];
        let options = Options::default();
        let input = PlanInput { snapshot: &snapshot, subjects: &subjects, options: &options, now: NOW };
        Run::new(OpId(1), by_id("cordon").unwrap().plan(&input).unwrap(), NOW)
    }

    #[test]
    fn a_pod_is_told_once_for_each_state() {
        let mut run = run();
        let pod = |state| PodProgress {
            namespace: "shop".into(),
            name: "cart-1".into(),
            uid: Uid::parse("1"),
            state,
            why: "needs 3 healthy pods and has 3".into(),
            retry_at: None,
        };
        let mut told = |state| {
            let progress = Progress::Pod(pod(state));
            let line = line(&run, &progress);
            run.apply(&OpEvent { op: OpId(1), at: Time::from_seconds(1), progress });
            line
        };
        let waits = PodState::WaitsOnBudget("cart".into());
        let first = told(waits.clone()).unwrap();
        assert_eq!(first, "    shop/cart-1 waits on budget cart: needs 3 healthy pods and has 3");
        assert_eq!(told(waits), None);
        assert!(told(PodState::Gone).unwrap().contains("is gone"));
    }

    #[test]
    fn a_plan_that_clusters_deny_is_not_offered() {
        let line = |text: &str, tone| Line::new("allowed", text).toned(tone);
        let good = line("nodes patch", Tone::Ok);
        assert_eq!(denied(std::slice::from_ref(&good)), None);
        let refused = line("dry run: 0 accepted, 1 refused: Node n0: webhook", Tone::Crit);
        assert_eq!(denied(&[good.clone(), refused.clone()]), Some(Exit::Refused));
        let missing = line("no nodes patch on dev: no role allows it", Tone::Crit);
        assert_eq!(denied(&[good, missing, refused]), Some(Exit::Unreachable));
    }

    #[test]
    fn steps_are_told_by_number_and_title() {
        let run = run();
        assert_eq!(line(&run, &Progress::StepBegan(0)).unwrap(), "1/1 cordon n0");
        assert_eq!(line(&run, &Progress::StepBegan(7)).unwrap(), "8/1 ?");
        assert_eq!(line(&run, &Progress::Ended(Outcome::Done, "done".into())), None);
    }
}
