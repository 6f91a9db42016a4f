//! Runs of an earlier process that were cut off: offered once their clusters are there.

use std::sync::Arc;

use super::Effect;
use super::overlays::{Item, Overlay, Pick};
use super::screen::Ui;
use crate::model::{Kind, Text, Time};
use crate::operations::{Options, PUT_BACK, Unfinished};

/// What is done about a run that was cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// Its plan is made again.
    GoOn,
    /// What it did is undone, by a plan.
    PutBack,
    /// It is left as it is and not offered again.
    Leave,
}

impl Ui {
    /// Takes the runs of earlier processes that have no end.
    pub(super) fn cut_off(&mut self, runs: Vec<Unfinished>, now: Time) {
        for run in &runs {
            self.notice(now, format!("{} began at {}Z and was cut off", run.title, run.at.clock()));
        }
        self.unfinished = runs.into_iter().map(Arc::new).collect();
        self.offer_unfinished();
    }

    /// Offers the oldest one whose clusters are in the fleet and known, as soon as nothing else is on
    /// screen. One of another fleet must not hide those of this one.
    pub(super) fn offer_unfinished(&mut self) {
        let Some(snapshot) = self.newest.clone() else { return };
        if !self.overlays.is_empty() || self.held_back().is_some() {
            return;
        }
        let ready = |run: &Arc<Unfinished>| {
            let clusters = run.clusters(&snapshot.fleet);
            let known = |kind: Kind| clusters.iter().all(|cluster| cluster.table(kind).synced.is_some());
            !clusters.is_empty() && known(Kind::Node) && known(Kind::Pod)
        };
        let Some(place) = self.unfinished.iter().position(ready) else { return };
        let run = self.unfinished.remove(place);
        let nodes = run.operation == "drain" || run.operation == "cordon";
        let back = if nodes { "uncordon what it cordoned" } else { "put back what it changed" };
        let nothing = run.back.is_empty().then(|| Text::clean("nothing of it can be put back from here"));
        let gone = run.subjects.is_empty() || run.found(&snapshot.fleet).is_empty();
        let lost = gone.then(|| Text::clean("what it was about is not there any more"));
        let mut items = vec![
            item("decide later", None, Pick::Nothing),
            item(
                &format!("{back}: shows a plan first"),
                nothing.or_else(|| lost.clone()),
                decided(&run, Decision::PutBack),
            ),
        ];
        if run.operation == "drain" {
            items.push(item("go on: shows the plan of what is left", lost, decided(&run, Decision::GoOn)));
        }
        items.push(item("leave it as it is, and do not ask again", None, decided(&run, Decision::Leave)));
        let on = match run.subjects.as_slice() {
            [] => String::new(),
            [one] => format!(" ({} {})", one.cluster, one.name),
            [first, ..] => format!(" ({} {} and more)", first.cluster, first.name),
        };
        let title = format!("{}{on} began {} and was cut off", run.title, run.at.rfc3339());
        self.overlays.push(Overlay::question(&title, items));
    }

    /// Does what was decided. Whatever it is, nothing is sent before its plan was confirmed.
    pub(super) fn decide(&mut self, run: &Arc<Unfinished>, decision: Decision, now: Time) {
        let options = Options { unfinished: Some(Arc::clone(run)), ..self.options(now) };
        match decision {
            Decision::Leave => self.effects.push(Effect::Close(run.seq)),
            Decision::PutBack => self.plan_with(PUT_BACK, Vec::new(), options, now),
            Decision::GoOn => {
                let subjects = self.newest.as_ref().map(|s| run.found(&s.fleet)).unwrap_or_default();
                match self.operation(&run.operation) {
                    Some(operation) => self.plan_with(operation, subjects, options, now),
                    None => self.notice(now, format!("there is no operation {}", run.operation)),
                }
            }
        }
    }
}

fn item(label: &str, why_not: Option<Text>, pick: Pick) -> Item {
    Item { label: Text::clean(label), why_not, pick }
}

fn decided(run: &Arc<Unfinished>, decision: Decision) -> Pick {
    Pick::CutOff(Arc::clone(run), decision)
}
