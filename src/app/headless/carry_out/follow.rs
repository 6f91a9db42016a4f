//! A run that is carried out without a screen: told line by line, stopped by signals, followed to its
//! end.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::super::cli::Exit;
use super::super::super::clock::now;
use super::super::super::engine::Engine;
use super::super::{Stop, print};
use super::Became;
use crate::model::{Text, Time};
use crate::operations::{
    Approval, Choice, Control, OpEvent, OpId, Outcome, Permit, Plan, PodState, Progress, Run, RunState,
    StepState,
};
use crate::runner::{Runner, Sessions};

/// After a run has ended, how often it is looked whether it still can be put back.
const LOOK: Duration = Duration::from_millis(100);

/// How long somebody has who stopped a run to have it put back.
const SECOND_THOUGHTS: Duration = Duration::from_secs(10);

/// Carries a plan out and follows it to its end.
pub(super) async fn run(
    runner: Runner<Sessions>,
    events: mpsc::Receiver<OpEvent>,
    engine: &Engine,
    plan: Plan,
    approval: Approval,
    json: bool,
) -> Result<Became, Stop> {
    let mut following =
        Following { runner, events, json, mute: None, stopped: false, back: Back::NotAsked, until: None };
    let run = following.run(plan, approval).await?;
    left(&run).for_each(print::err);
    let exit = match following.mute {
        Some(stop) => {
            print::err(format!("quarterdeck: {}", stop.why));
            stop.exit
        }
        None => exit_of(&run, engine),
    };
    Ok(Became { exit, run: Some(run), json })
}

/// Whether somebody wants a run put back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Back {
    NotAsked,
    Asked,
    /// It was begun.
    Begun,
}

/// A run that is being followed to its end.
struct Following {
    runner: Runner<Sessions>,
    events: mpsc::Receiver<OpEvent>,
    json: bool,
    /// Why nothing is printed any more.
    mute: Option<Stop>,
    /// Whether somebody at the keyboard stopped it.
    stopped: bool,
    back: Back,
    /// Until when it may be put back.
    until: Option<Instant>,
}

impl Following {
    async fn run(&mut self, plan: Plan, approval: Approval) -> Result<Run, Stop> {
        let cannot =
            |error| Stop::usage(format!("signals cannot be heard, so nothing could stop it: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(cannot)?;
        // What was confirmed is this plan, for its clusters and for nothing else.
        let permit = Permit { plan: plan.hash(), clusters: plan.touches.clone(), approval };
        let op = self.runner.submit(plan.clone(), permit);
        let mut run = Run::new(op, plan, now());
        loop {
            let over = ended(&run);
            let until = self.until;
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.heard(&mut run, &event),
                    None => return Ok(run),
                },
                _ = interrupt.recv() => self.interrupted(op),
                _ = terminate.recv() => self.stop(op),
                _ = hangup.recv() => self.stop(op),
                () = tokio::time::sleep(LOOK), if over => {}
                () = sleep_until(until), if until.is_some() => return Ok(run),
            }
            if ended(&run) && self.is_over(&run) {
                return Ok(run);
            }
        }
    }

    fn stop(&mut self, op: OpId) {
        print::err("stopping before the next request");
        self.runner.control(op, Control::Stop);
    }

    /// The first time stops it, the second has it put back.
    fn interrupted(&mut self, op: OpId) {
        if self.stopped {
            self.back = Back::Asked;
            self.until = None;
            self.runner.control(op, Control::StopAndUndo);
        } else {
            self.stopped = true;
            self.stop(op);
        }
    }

    /// Whether a run that has ended needs nobody here any more.
    fn is_over(&mut self, run: &Run) -> bool {
        match self.back {
            Back::Begun => true,
            Back::Asked => self.runner.running() == 0,
            Back::NotAsked if self.stopped && run.can_be_put_back() => {
                if self.until.is_none() {
                    self.until = Some(Instant::now() + SECOND_THOUGHTS);
                    let backs: Vec<String> = ways_back(run).collect();
                    let limit = SECOND_THOUGHTS.as_secs();
                    print::err(format!("stopped; ctrl-c within {limit} s puts back: {}", backs.join(", ")));
                }
                false
            }
            Back::NotAsked => true,
        }
    }

    fn heard(&mut self, run: &mut Run, event: &OpEvent) {
        let news = line(run, &event.progress);
        run.apply(event);
        if matches!(event.progress, Progress::Undoing) && self.back == Back::Asked {
            self.back = Back::Begun;
        }
        if self.mute.is_some() {
            return;
        }
        // Nobody could see any more what it does: it ends before its next request, as it would for
        // somebody who stops it, and not in the middle of one.
        if let Err(stop) = self.print(run, event, news) {
            self.mute = Some(stop);
            self.runner.control(event.op, Control::Stop);
        }
    }

    fn print(&self, run: &Run, event: &OpEvent, news: Option<String>) -> Result<(), Stop> {
        if self.json {
            let event = serde_json::to_string(event).unwrap_or_default();
            return print::out(&format!("{event}\n"));
        }
        if let Some(news) = news {
            print::err(format!("{}  {news}", event.at.clock()));
        }
        match &event.progress {
            Progress::Ended(outcome, result) => print::out(&last_word(run, *outcome, result, event.at)),
            _ => Ok(()),
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// `done in 3m12s: drain 1 node: done`.
fn last_word(run: &Run, outcome: Outcome, result: &Text, at: Time) -> String {
    let took = run.began.age(at);
    match outcome {
        Outcome::Done => format!("done in {took}: {result}\n"),
        other => format!("{} after {took}: {result}\n", other.word()),
    }
}

fn ended(run: &Run) -> bool {
    matches!(run.state, RunState::Ended(_))
}

/// What puts back the steps that something can be put back of.
fn ways_back(run: &Run) -> impl Iterator<Item = String> {
    let steps = run.plan.steps.iter().zip(&run.steps);
    let changed = |state: StepState| !matches!(state, StepState::Waiting | StepState::Undone);
    let backs = steps.filter(move |(step, became)| !step.undo.is_empty() && changed(became.state));
    backs.map(|(step, _)| match step.action.writes_to() {
        Some(target) => format!("{}: {}", target.title(), step.way_back),
        None => step.way_back.to_string(),
    })
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

/// The choices of a drain that leave pods on a node, which kubectl does not call drained.
const LEAVES: [&str; 4] = ["emptydir", "unreplicated", "orphan", "double-budget"];

fn exit_of(run: &Run, engine: &Engine) -> Exit {
    let fleet = &engine.snapshots.borrow().fleet;
    let live = |id| fleet.cluster(id).is_some_and(|c| c.link.live());
    exit(run, run.plan.touches.iter().all(|id| live(*id)))
}

fn exit(run: &Run, all_live: bool) -> Exit {
    let RunState::Ended(outcome) = run.state else { return Exit::Refused };
    let leaves = |choice: &Choice| choice.chosen == 0 && LEAVES.contains(&&*choice.id);
    match outcome {
        Outcome::Done if !run.left_to_do().is_empty() => Exit::Unreachable,
        // A script that removes the node now would lose them.
        Outcome::Done if run.plan.operation == "drain" && run.plan.choices.iter().any(leaves) => {
            Exit::Refused
        }
        Outcome::Done => Exit::Done,
        Outcome::TimedOut => Exit::TimedOut,
        Outcome::Refused | Outcome::Stopped => Exit::Refused,
        Outcome::Failed => {
            if all_live {
                Exit::Refused
            } else {
                Exit::Unreachable
            }
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
    fn steps_are_told_by_number_and_title() {
        let run = run();
        assert_eq!(line(&run, &Progress::StepBegan(0)).unwrap(), "1/1 cordon n0");
        assert_eq!(line(&run, &Progress::StepBegan(7)).unwrap(), "8/1 ?");
        assert_eq!(line(&run, &Progress::Ended(Outcome::Done, "done".into())), None);
    }

    #[test]
    fn a_drain_that_leaves_pods_by_choice_is_not_done_for_a_script() {
        let world = World::new(0, "dev", Tier::Dev).node("n0", "", "").pod("cart", "cart", "n0").pod_with(
            "shell",
            "tools",
            "n0",
            |pod| pod.meta.owner = None,
        );
        let snapshot = snapshot(vec![world]);
        let subjects = [key(&snapshot, 0, Kind::Node, "", "n0")];
        let drained = |answer: usize| {
            let options =
                Options { answers: [(Text::clean("unreplicated"), answer)].into(), ..Options::default() };
            let input = PlanInput { snapshot: &snapshot, subjects: &subjects, options: &options, now: NOW };
            let mut run = Run::new(OpId(1), by_id("drain").unwrap().plan(&input).unwrap(), NOW);
            let progress = Progress::Ended(Outcome::Done, "done".into());
            run.apply(&OpEvent { op: OpId(1), at: NOW, progress });
            exit(&run, true)
        };
        assert_eq!((drained(0), drained(1)), (Exit::Refused, Exit::Done));
    }

    #[test]
    fn the_last_word_has_its_but() {
        let run = run();
        let said = last_word(&run, Outcome::Done, &"cordon 1 node: done, but …".into(), NOW);
        assert_eq!(said, "done in 0s: cordon 1 node: done, but …\n");
        assert!(
            last_word(&run, Outcome::TimedOut, &"left".into(), NOW).starts_with("timed out after 0s: left")
        );
    }
}
