//! Effects that go beyond the screen: reading, checking, running, remembering.

use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::engine::Engine;
use super::screen::Effects;
use super::{cut_off, files, read, recovery, reports};
use crate::config;
use crate::model::{Cause, ClusterId, Fault, Problem, Text, Tone};
use crate::operations::{Control, Line, OpEvent, OpId, Outcome, Permit, Plan, Progress, Run};
use crate::runner::{Runner, Sessions};
use crate::ui::{Detail, Effect, Inbound, LogNews, Reading};

/// What the screen's effects act on.
pub(super) struct Acts {
    pub(super) engine: Engine,
    /// What carries plans out; without a journal there is none, and why.
    pub(super) runner: Result<Runner<Sessions>, Fault>,
    pub(super) inbound: mpsc::Sender<Inbound>,
    /// The journal file.
    pub(super) journal: PathBuf,
    /// The folder of recovery plans.
    pub(super) recovery: PathBuf,
    /// The settings file, for what is to be remembered.
    pub(super) settings: PathBuf,
    /// What follows a log for the screen, when somebody looks at one.
    pub(super) following: Option<AbortHandle>,
}

impl Drop for Acts {
    fn drop(&mut self) {
        self.stop_reading();
    }
}

impl Effects for Acts {
    fn run(&mut self, effect: Effect) {
        match effect {
            Effect::Focus(scope) => self.engine.focus(&scope),
            Effect::Retry(clusters) => self.engine.retry(&clusters),
            Effect::Read(detail) => self.read(detail),
            Effect::StopReading => self.stop_reading(),
            Effect::Check(plan) => self.check(*plan),
            Effect::Run(plan, permit) => self.carry_out(*plan, permit),
            Effect::ReadJournal => self.read_journal(),
            Effect::Control(op, control) => self.control(op, control),
            Effect::Close(run) => self.close(run),
            Effect::KeepRecovery(text) => self.keep_recovery(&text),
            Effect::KeepTheme(name) => self.keep_theme(&name),
            // The loop itself does these.
            Effect::Quit | Effect::Open(_) | Effect::Copy(_) | Effect::Suspend | Effect::Redraw => {}
        }
    }
}

impl Acts {
    /// Tells the screen. A full channel drops the word: it is only ever a notice that is lost.
    fn notice(&self, text: impl Into<Text>) {
        let _ = self.inbound.try_send(Inbound::Notice(text.into()));
    }

    fn stop_reading(&mut self) {
        if let Some(following) = self.following.take() {
            following.abort();
        }
    }

    fn read(&mut self, detail: Detail) {
        let cluster = detail.object.cluster;
        let session = self.engine.session(cluster).cloned();
        let served = self.engine.snapshots.borrow().fleet.cluster(cluster).map(|c| Arc::clone(&c.served));
        let inbound = self.inbound.clone();
        if matches!(detail.reading, Reading::Logs { previous: false, .. }) {
            self.stop_reading();
            let task = tokio::spawn(async move {
                let ended = match session {
                    Some(session) => read::follow(&session, &detail, &inbound).await.err(),
                    None => Some(Fault::new(Cause::Config, "there is no connection to that cluster", "")),
                };
                let _ = inbound.send(Inbound::Log(detail, LogNews::Ended(ended))).await;
            });
            self.following = Some(task.abort_handle());
            return;
        }
        tokio::spawn(async move {
            let result = match (session, served) {
                (Some(session), Some(served)) => read::read(&session, &served, &detail).await,
                _ => Err(Fault::new(Cause::Config, "there is no connection to that cluster", "")),
            };
            let _ = inbound.send(Inbound::Read(detail, result)).await;
        });
    }

    fn read_journal(&self) {
        let (path, inbound) = (self.journal.clone(), self.inbound.clone());
        tokio::task::spawn_blocking(move || {
            let _ = inbound.blocking_send(Inbound::Journal(super::journal::read(&path)));
        });
    }

    fn check(&self, plan: Plan) {
        let (hash, inbound) = (plan.hash(), self.inbound.clone());
        let lines = match &self.runner {
            Ok(runner) => runner.check(plan).boxed(),
            Err(fault) => {
                let line = Line::new("allowed", format!("not asked: {fault}")).toned(Tone::Crit);
                std::future::ready(vec![line]).boxed()
            }
        };
        self.look_elsewhere();
        tokio::spawn(async move {
            let _ = inbound.send(Inbound::Checked(hash, lines.await)).await;
        });
    }

    /// What other processes run: a plan must not cross it.
    fn look_elsewhere(&self) {
        let (path, inbound) = (self.journal.clone(), self.inbound.clone());
        tokio::task::spawn_blocking(move || {
            let _ = inbound.blocking_send(Inbound::Elsewhere(cut_off::going(&path)));
        });
    }

    fn carry_out(&mut self, plan: Plan, permit: Permit) {
        match &mut self.runner {
            Ok(runner) => {
                runner.submit(plan, permit);
            }
            Err(fault) => {
                let text = format!("not run: {fault}");
                self.notice(text);
            }
        }
    }

    fn control(&mut self, op: OpId, control: Control) {
        if let Ok(runner) = &mut self.runner {
            runner.control(op, control);
        }
    }

    fn close(&self, run: u64) {
        let Ok(runner) = &self.runner else { return };
        let (closed, inbound) = (runner.close(run), self.inbound.clone());
        tokio::spawn(async move {
            if let Err(fault) = closed.await {
                let _ = inbound.send(Inbound::Notice(fault.to_string().into())).await;
            }
        });
    }

    fn keep_recovery(&self, text: &str) {
        let word = match recovery::keep(&self.recovery, text) {
            Ok((file, path)) => Inbound::Recovery(Arc::new(file), path.display().to_string().into()),
            Err(problem) => Inbound::Notice(format!("the recovery plan is not kept: {problem}").into()),
        };
        // A plan that was written must be shown, however much else is to be told.
        let inbound = self.inbound.clone();
        tokio::spawn(async move {
            let _ = inbound.send(word).await;
        });
    }

    fn keep_theme(&self, name: &str) {
        let kept = config::with_theme_of(&self.settings, name).and_then(|text| {
            let wrong =
                |error: std::io::Error| Problem::of(&self.settings.display().to_string(), error.to_string());
            files::write_private(&self.settings, text.as_bytes()).map_err(wrong)
        });
        match kept {
            Ok(()) => self.notice(format!("theme {name} kept in {}", self.settings.display())),
            Err(problem) => self.notice(format!("theme {name} is not kept: {problem}")),
        }
    }
}

/// Hands the runner's events on, and writes the reports of recoveries when they end.
pub(super) async fn report_runs(
    mut events: mpsc::Receiver<OpEvent>,
    onward: mpsc::Sender<OpEvent>,
    inbound: mpsc::Sender<Inbound>,
    folder: PathBuf,
    name: impl Fn(ClusterId) -> Text,
) {
    let mut runs: Vec<Run> = Vec::new();
    while let Some(event) = events.recv().await {
        if let Progress::Accepted(plan) = &event.progress {
            runs.push(Run::new(event.op, (**plan).clone(), event.at));
        }
        if let Some(run) = runs.iter_mut().find(|run| run.op == event.op) {
            run.apply(&event);
        }
        let ended = matches!(&event.progress, Progress::Ended(outcome, _) if *outcome != Outcome::Refused);
        let op = event.op;
        if onward.send(event).await.is_err() {
            return;
        }
        if !ended {
            continue;
        }
        let Some(place) = runs.iter().position(|run| run.op == op) else { continue };
        let run = &runs[place];
        if run.plan.recovery.is_some() {
            let word = match reports::write(run, &folder, &name) {
                Ok(path) => format!("report: {}", path.display()),
                Err(fault) => fault.to_string(),
            };
            let _ = inbound.send(Inbound::Notice(word.into())).await;
        }
        // One that may still be put back ends once more then, and so does its report.
        if !run.can_be_put_back() {
            runs.swap_remove(place);
        }
    }
}
