//! What runs tell: folded into the runs of this screen, and said where somebody must know.

use std::sync::Arc;

use super::overlays::Overlay;
use super::screen::Ui;
use crate::model::Time;
use crate::operations::{LastDrill, OpEvent, Outcome, PUT_BACK, Progress, Run};

impl Ui {
    /// Folds in what a run tells; a run that was just confirmed here opens.
    pub(super) fn op(&mut self, event: OpEvent, now: Time) {
        self.runs_version += 1;
        let runs = Arc::make_mut(&mut self.runs);
        if let Progress::Accepted(plan) = &event.progress {
            let hash = plan.hash();
            let mine = self.awaited.as_ref().is_some_and(|awaited| *awaited == hash);
            runs.push(Run::new(event.op, (**plan).clone(), event.at));
            if mine {
                self.awaited = None;
                self.overlays.push(Overlay::run(event.op));
            }
            // What goes on is a run of its own from now on; what puts back must come to its end.
            if plan.operation != PUT_BACK.id {
                self.close_cut_off(&hash);
            }
            return;
        }
        let Some(run) = runs.iter_mut().find(|run| run.op == event.op) else {
            return self.refused(&event.progress, now);
        };
        run.apply(&event);
        if let Progress::Ended(outcome, result) = &event.progress {
            if let Some(recovery) = run.plan.recovery.as_ref().filter(|_| run.plan.drill) {
                let done = *outcome == Outcome::Done;
                let drill = LastDrill { at: run.began, done, took: run.recovery_time() };
                let drills = &mut Arc::make_mut(&mut self.settings.recoveries).drills;
                drills.insert(recovery.name.clone(), drill);
            }
            // Most results begin with the plan's name already.
            let named = result.starts_with(run.plan.title.as_str());
            let text = match named {
                true => result.to_string(),
                false => format!("{} {}: {result}", run.plan.title, outcome.word()),
            };
            let hash = run.plan.hash();
            if *outcome == Outcome::Done {
                self.close_cut_off(&hash);
            }
            self.taken_up.retain(|(plan, _)| *plan != hash);
            self.notice(now, text);
        }
    }

    /// Whether a run goes on.
    pub(super) fn running(&self) -> usize {
        self.runs.iter().filter(|run| run.ended.is_none()).count()
    }

    /// Says why a plan that was confirmed here did not begin.
    fn refused(&mut self, progress: &Progress, now: Time) {
        if let Progress::Ended(Outcome::Refused, why) = progress {
            let plan = self.awaited.take();
            self.taken_up.retain(|(hash, _)| Some(hash) != plan.as_ref());
            self.notice(now, format!("not begun: {why}"));
        }
    }
}
