//! Runs of an earlier process that were cut off: offered once their clusters are there.

use std::sync::Arc;

use super::Effect;
use super::overlays::{Item, Overlay, Pick};
use super::screen::Ui;
use crate::model::{Fleet, Kind, Text, Time};
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
        Arc::make_mut(&mut self.told).cut_off = runs.into_iter().map(Arc::new).collect();
        self.offer_unfinished();
    }

    /// Offers the oldest one that was not offered yet and whose clusters are in the fleet and known,
    /// as soon as nothing else is on screen and nobody is in the middle of a key sequence. One of
    /// another fleet must not hide those of this one.
    pub(super) fn offer_unfinished(&mut self) {
        let Some(snapshot) = self.newest.clone() else { return };
        if !self.overlays.is_empty() || !self.pending.is_empty() || self.held_back().is_some() {
            return;
        }
        let new = |run: &&Arc<Unfinished>| !self.offered.contains(&run.seq) && known(run, &snapshot.fleet);
        if let Some(run) = self.told.cut_off.iter().find(new).cloned() {
            self.offered.insert(run.seq);
            self.overlays.push(offer(&run, &snapshot.fleet));
        }
    }

    /// Offers this one, for somebody asked.
    pub(super) fn offer_again(&mut self, seq: u64, now: Time) {
        let run = self.told.cut_off.iter().find(|run| run.seq == seq).cloned();
        match (run, self.newest.clone(), self.held_back()) {
            (_, _, Some(why)) => self.notice(now, why),
            (Some(run), Some(snapshot), None) if known(&run, &snapshot.fleet) => {
                self.overlays.push(offer(&run, &snapshot.fleet));
            }
            _ => self.notice(now, "its clusters are not in this fleet, or not known yet"),
        }
    }

    /// Does what was decided. Whatever it is, nothing is sent before its plan was confirmed.
    pub(super) fn decide(&mut self, run: &Arc<Unfinished>, decision: Decision, now: Time) {
        let options = Options { unfinished: Some(Arc::clone(run)), ..self.options(now) };
        match decision {
            Decision::Leave => self.forget_cut_off(run.seq),
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

    /// The plan of this hash has taken up a run that was cut off, if one was: it is offered no more.
    pub(super) fn close_cut_off(&mut self, plan: &str) {
        let taken = self.taken_up.iter().find(|(hash, _)| hash == plan).map(|(_, seq)| *seq);
        self.taken_up.retain(|(hash, _)| hash != plan);
        if let Some(seq) = taken {
            self.forget_cut_off(seq);
        }
    }

    fn forget_cut_off(&mut self, seq: u64) {
        self.effects.push(Effect::Close(seq));
        Arc::make_mut(&mut self.told).cut_off.retain(|run| run.seq != seq);
        self.runs_version += 1;
    }
}

/// Whether what a run was about can be looked up.
fn known(run: &Unfinished, fleet: &Fleet) -> bool {
    let clusters = run.clusters(fleet);
    let known = |kind: Kind| clusters.iter().all(|cluster| cluster.table(kind).synced.is_some());
    !clusters.is_empty() && known(Kind::Node) && known(Kind::Pod)
}

/// What can be done about a run that was cut off.
fn offer(run: &Arc<Unfinished>, fleet: &Fleet) -> Overlay {
    let nodes = run.operation == "drain" || run.operation == "cordon";
    let back = if nodes { "uncordon what it cordoned" } else { "put back what it changed" };
    let nothing = run.back.is_empty().then(|| Text::clean("nothing of it can be put back from here"));
    let gone = run.subjects.is_empty() || run.found(fleet).is_empty();
    let lost = gone.then(|| Text::clean("what it was about is not there any more"));
    let mut items = vec![
        item("decide later: it stays listed under @", None, Pick::Nothing),
        item(
            &format!("{back}: shows a plan first"),
            nothing.or_else(|| lost.clone()),
            decided(run, Decision::PutBack),
        ),
    ];
    if run.operation == "drain" {
        items.push(item("go on: shows the plan of what is left", lost, decided(run, Decision::GoOn)));
    }
    items.push(item("leave it as it is, and do not ask again", None, decided(run, Decision::Leave)));
    let title = format!("{} began {} and was cut off", run.named(), run.at.rfc3339());
    Overlay::question(&title, items)
}

fn item(label: &str, why_not: Option<Text>, pick: Pick) -> Item {
    Item { label: Text::clean(label), why_not, pick }
}

fn decided(run: &Arc<Unfinished>, decision: Decision) -> Pick {
    Pick::CutOff(Arc::clone(run), decision)
}
