//! A run on screen: what waits first, then what moves, then what is done. The stopwatches of a
//! failover stand on top and never scroll away.

use super::Flow;
use crate::input::Command;
use crate::model::{Span, Text, Tier, Time};
use crate::operations::{OpId, Outcome, PodProgress, PodState, Run, RunState, StepState};
use crate::theme::{Role, bar};
use crate::ui::canvas::{Canvas, cells};
use crate::ui::panes::operations::progress;
use crate::ui::screen::Ui;

/// A run and how far it is scrolled.
pub(in crate::ui) struct RunView {
    op: OpId,
    top: usize,
    /// Whether it was done when it was drawn: nothing is left to pause or to stop.
    pub(super) done: bool,
}

impl RunView {
    pub(super) fn new(op: OpId) -> RunView {
        RunView { op, top: 0, done: false }
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        match command {
            Command::Back => return Flow::Close,
            Command::Operations => {
                if let Some(index) = ui.panes.iter().position(|pane| pane.digit == '@') {
                    ui.show(index);
                }
                return Flow::Close;
            }
            Command::PauseRun | Command::StopRun => ui.control(self.op, command, now),
            Command::Down => self.top += 1,
            Command::Up => self.top = self.top.saturating_sub(1),
            Command::HalfDown | Command::PageDown => self.top += 10,
            Command::HalfUp | Command::PageUp => self.top = self.top.saturating_sub(10),
            Command::Top => self.top = 0,
            Command::Bottom => self.top = usize::MAX,
            Command::Help => {
                let help = super::Overlay::help(ui);
                ui.overlays.push(help);
            }
            _ => {}
        }
        Flow::Keep
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>, ui: &Ui, now: Time) {
        let Some(run) = ui.runs().iter().find(|run| run.op == self.op) else {
            canvas.pieces(1, 0, &[("this run is not known here", Role::Text)]);
            return;
        };
        self.done = run.state == RunState::Ended(Outcome::Done);
        title(canvas, ui, run, now);
        let mut y = 2;
        if run.plan.recovery.is_some() {
            y = stopwatches(canvas, y, run, now);
        }
        if !run.pods.is_empty() {
            y = summary(canvas, y, run);
        }
        let lines = lines(run, now);
        let room = usize::from(canvas.height().saturating_sub(y + 2));
        self.top = self.top.min(lines.len().saturating_sub(room));
        for (row, line) in lines.iter().skip(self.top).take(room).enumerate() {
            let pieces: Vec<(&str, Role)> = line.iter().map(|(text, role)| (text.as_str(), *role)).collect();
            canvas.pieces(1, y + cells(row), &pieces);
        }
        let ended = run.plan.touches.iter().filter(|id| ui.arming.left(**id, now).is_none()).count();
        let foot = if run.ended.is_some() {
            format!(" {}", run.result)
        } else if ended > 0 {
            // What was confirmed is finished: half a drain or half a failover is worse than either.
            " arming has ended: this run goes on with what was confirmed, nothing new begins; Q stops it"
                .to_owned()
        } else {
            " if this link drops nothing further is sent; the next start offers to go on or to undo"
                .to_owned()
        };
        let last = canvas.height().saturating_sub(1);
        canvas.pieces(0, last, &[(&foot, Role::TextDim)]);
    }
}

fn title(canvas: &mut Canvas<'_>, ui: &Ui, run: &Run, now: Time) {
    let word = format!(" {}  ", run.plan.operation.to_uppercase());
    let drill = if run.plan.drill { "DRILL · no traffic moves · " } else { "" };
    let mut x = canvas.pieces(
        0,
        0,
        &[(&word, Role::Title), (drill, Role::Warn), (&run.plan.title, Role::TextStrong)],
    );
    for id in &run.plan.touches {
        let Some(cluster) = ui.newest.as_ref().and_then(|s| s.fleet.cluster(*id)) else { continue };
        let badge = format!("[{}]", cluster.info.tier.name().to_uppercase());
        let role = if cluster.info.tier == Tier::Prod { Role::TierProd } else { Role::TierOther };
        x = canvas.pieces(
            x,
            0,
            &[(" · ", Role::TextDim), (&cluster.info.name, Role::Text), (" ", Role::Text), (&badge, role)],
        );
    }
    let (state, role) = match run.state {
        RunState::Running => ("running", Role::Moving),
        RunState::Paused => ("‖ paused", Role::Paused),
        RunState::Undoing => ("putting things back", Role::Warn),
        RunState::Ended(Outcome::Done) => ("✓ done", Role::Ok),
        RunState::Ended(Outcome::Failed) => ("✖ failed", Role::Crit),
        RunState::Ended(Outcome::Stopped) => ("▲ stopped", Role::Warn),
        RunState::Ended(Outcome::TimedOut) => ("✖ out of time", Role::Crit),
        RunState::Ended(Outcome::Refused) => ("⊘ refused", Role::Denied),
    };
    let took = format!(" {}", run.took(now));
    canvas.pieces(x, 0, &[(" · ", Role::TextDim), (state, role), (&took, Role::Text)]);
}

/// `RTO  3:12  running   target 10:00`.
fn stopwatches(canvas: &mut Canvas<'_>, y: u16, run: &Run, now: Time) -> u16 {
    let Some(recovery) = &run.plan.recovery else { return y };
    let measured = run.recovery_time();
    let shown = measured.unwrap_or_else(|| run.took(now));
    let state = match (measured, run.ended) {
        (Some(_), _) => "measured",
        (None, None) => "running ",
        (None, Some(_)) => "not reached",
    };
    let late = recovery.target.is_some_and(|target| shown > target);
    let target = recovery.target.map_or_else(|| "none".to_owned(), minutes);
    let role = if late { Role::Crit } else { Role::TextStrong };
    let text = format!("{:>6}", minutes(shown));
    let since = format!(
        "  {state}  target {target}  since declared {}Z; ends at the first good probe on the standby",
        run.began.clock()
    );
    canvas.pieces(1, y, &[("RTO ", Role::Title), (&text, role), (&since, Role::TextDim)]);
    // No step records where the data of both sides stands, so nothing is claimed.
    let rpo = "     ?  not measured: the data positions of primary and standby are not read";
    canvas.pieces(1, y + 1, &[("RPO ", Role::Title), (rpo, Role::TextDim)]);
    y + 3
}

/// `12 of 18 gone, 2 leaving, 1 evicting, 3 wait on 1 budget`, and a bar.
fn summary(canvas: &mut Canvas<'_>, y: u16, run: &Run) -> u16 {
    let count = |is: &dyn Fn(&PodState) -> bool| run.pods.iter().filter(|(pod, _)| is(&pod.state)).count();
    let (gone, all) = progress(run);
    let leaving = count(&|s| *s == PodState::Leaving);
    let evicting = count(&|s| *s == PodState::Evicting);
    let waiting =
        count(&|s| matches!(s, PodState::WaitsOnBudget(_) | PodState::Queued | PodState::ServerBusy));
    let failed = count(&|s| *s == PodState::Failed);
    let mut budgets: Vec<&Text> = run
        .pods
        .iter()
        .filter_map(|(pod, _)| match &pod.state {
            PodState::WaitsOnBudget(budget) => Some(budget),
            _ => None,
        })
        .collect();
    budgets.sort();
    budgets.dedup();
    let mut text = format!("{gone} of {all} gone, {leaving} leaving, {evicting} evicting, {waiting} wait");
    match budgets.len() {
        0 => {}
        1 => text.push_str(" on 1 budget"),
        n => text.push_str(&format!(" on {n} budgets")),
    }
    if failed > 0 {
        text.push_str(&format!(", {failed} refused for good"));
    }
    canvas.pieces(1, y, &[(&text, Role::TextStrong)]);
    let line = format!("{} {gone}/{all}", bar(gone, leaving + evicting, all, 24));
    canvas.pieces(1, y + 1, &[(&line, Role::Chart1)]);
    y + 3
}

type Pieces = Vec<(String, Role)>;

/// Pods, then steps, then evidence, newest first.
fn lines(run: &Run, now: Time) -> Vec<Pieces> {
    let mut lines: Vec<Pieces> = Vec::new();
    if !run.pods.is_empty() {
        lines.push(vec![(format!("{:<34} {:<18} {:>6} why", "pod", "state", "for"), Role::TextDim)]);
        let mut pods: Vec<&(PodProgress, Time)> = run.pods.iter().collect();
        pods.sort_by_key(|(pod, since)| (order(&pod.state), *since));
        lines.extend(pods.into_iter().map(|(pod, since)| pod_line(pod, *since, now)));
        lines.push(Vec::new());
    }
    lines.push(vec![(
        format!("{:>3}   {:<34} {:>6} {:>6} evidence", "#", "step", "took", "of"),
        Role::TextDim,
    )]);
    lines.extend((0..run.steps.len()).map(|index| step_line(run, index, now)));
    lines.push(Vec::new());
    lines.extend(run.evidence.iter().rev().map(|(at, text)| {
        vec![(format!("{}Z  ", at.clock()), Role::TextDim), (text.to_string(), Role::Text)]
    }));
    lines
}

/// What waits comes first, what is done last.
fn order(state: &PodState) -> u8 {
    match state {
        PodState::Failed => 0,
        PodState::WaitsOnBudget(_) => 1,
        PodState::ServerBusy => 2,
        PodState::Queued => 3,
        PodState::Leaving => 4,
        PodState::Evicting => 5,
        PodState::Gone => 6,
    }
}

fn pod_line(pod: &PodProgress, since: Time, now: Time) -> Pieces {
    let (state, role) = match &pod.state {
        PodState::Queued => ("waits its turn", Role::TextDim),
        PodState::Evicting => ("evicting", Role::Moving),
        PodState::WaitsOnBudget(_) => ("waits on budget", Role::Warn),
        PodState::ServerBusy => ("server is busy", Role::Warn),
        PodState::Leaving => ("leaving", Role::Moving),
        PodState::Gone => ("gone", Role::Ok),
        PodState::Failed => ("refused", Role::Crit),
    };
    let path = format!("{}/{}", pod.namespace, pod.name);
    let name = format!("{:<34} ", crate::model::text::middle_cut(&path, 34));
    let age = if pod.state == PodState::Gone { "-".to_owned() } else { since.age(now).to_string() };
    let mut why = pod.why.to_string();
    if let Some(at) = pod.retry_at {
        let left = now.age(at).seconds().max(0);
        why = format!("{why} · next try in {left} s");
    }
    vec![
        (name, Role::Text),
        (format!("{state:<18} "), role),
        (format!("{age:>6} "), Role::Text),
        (why, Role::TextDim),
    ]
}

fn step_line(run: &Run, index: usize, now: Time) -> Pieces {
    let (Some(step), Some(state)) = (run.plan.steps.get(index), run.steps.get(index)) else {
        return Vec::new();
    };
    let (glyph, role) = match state.state {
        StepState::Waiting => (" ", Role::TextDim),
        StepState::Running => ("◐", Role::Moving),
        StepState::Done => ("✓", Role::Ok),
        StepState::Failed => ("✖", Role::Crit),
        StepState::Undone => ("⇄", Role::TextDim),
        StepState::NotUndone => ("✖", Role::Crit),
    };
    let took = state.began.map(|began| began.age(state.ended.unwrap_or(now)));
    let said = |span: Option<Span>| span.map_or_else(|| "-".to_owned(), minutes);
    let late = match (took, step.deadline, state.state) {
        (Some(took), Some(limit), StepState::Running) if took > limit => {
            format!("▲ late {} ", minutes(Span::from_millis(took.millis() - limit.millis())))
        }
        _ => String::new(),
    };
    let title = crate::model::text::middle_cut(&step.title, 34);
    vec![
        (format!("{:>3} ", index + 1), Role::TextDim),
        (format!("{glyph} "), role),
        (format!("{title:<34} "), Role::Text),
        (format!("{:>6} {:>6} ", said(took), said(step.deadline)), Role::Text),
        (late, Role::Warn),
        (state.evidence.to_string(), Role::TextDim),
    ]
}

/// `3:12`, as a stopwatch shows it.
fn minutes(span: Span) -> String {
    let s = span.seconds().max(0);
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}
