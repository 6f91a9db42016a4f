//! A run on screen: what waits first, then what moves, then what is done. The stopwatches of a
//! failover stand on top and never scroll away.

mod drain;

use super::Flow;
use crate::input::{Command, Mode};
use crate::model::{ObjectKey, Span, Text, Tier, Time, Uid};
use crate::operations::{
    DrainProgress, Offer, OpId, Options, Outcome, Replicas, Run, RunState, StepState, WhileRun,
};
use crate::theme::Role;
use crate::ui::canvas::{Canvas, cells};
use crate::ui::screen::Ui;

/// What can be done about a run, by how it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Running,
    Paused,
    Undoing,
    /// It ended before its time and left something changed.
    Left,
    Over,
}

/// A row that the cursor can be on.
#[derive(Clone, PartialEq, Debug)]
enum Slot {
    /// A pod: its uid, and what there is to look at.
    Pod(Uid, Option<ObjectKey>, Text),
    /// The pods that are not shown one by one.
    More,
}

/// What a [`DrainProgress`] was made of: snapshot, runs, second.
type MadeOf = (u64, u64, i64);

/// A run and how far it is scrolled.
pub(in crate::ui) struct RunView {
    op: OpId,
    top: usize,
    /// The row of the cursor, and the pod that it is on.
    cursor: (usize, Option<Uid>),
    /// Whether the cursor must be seen: not once somebody scrolls past it.
    follow: bool,
    /// Whether pods that are gone are shown one by one however many there are.
    every: bool,
    /// As it was drawn last.
    phase: Phase,
    slots: Vec<Slot>,
    offer: Option<Offer>,
    of_nodes: bool,
    drain: Option<(MadeOf, Option<DrainProgress>)>,
}

impl RunView {
    pub(super) fn new(op: OpId) -> RunView {
        RunView {
            op,
            top: 0,
            cursor: (0, None),
            follow: true,
            every: false,
            phase: Phase::Running,
            slots: Vec::new(),
            offer: None,
            of_nodes: false,
            drain: None,
        }
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
            Command::Down => self.down(),
            Command::Up => self.up(),
            Command::HalfDown | Command::PageDown => self.scroll(self.top.saturating_add(10)),
            Command::HalfUp | Command::PageUp => self.scroll(self.top.saturating_sub(10)),
            Command::Top => {
                self.go(0);
                self.top = 0;
            }
            Command::Bottom => self.scroll(usize::MAX),
            Command::Open | Command::Logs | Command::PreviousLogs | Command::Yaml | Command::Describe => {
                self.look(ui, command, now);
            }
            Command::Operation("scale") => self.take_offer(ui, now),
            Command::Operation("uncordon") if self.phase == Phase::Left && self.of_nodes => {
                self.uncordon(ui, now);
            }
            _ => return Flow::Ignored,
        }
        Flow::Keep
    }

    fn scroll(&mut self, top: usize) {
        (self.top, self.follow) = (top, false);
    }

    fn go(&mut self, to: usize) {
        let uid = match self.slots.get(to) {
            Some(Slot::Pod(uid, ..)) => Some(*uid),
            _ => None,
        };
        (self.cursor, self.follow) = ((to, uid), true);
    }

    fn down(&mut self) {
        match self.cursor.0 + 1 < self.slots.len() {
            true => self.go(self.cursor.0 + 1),
            false => self.scroll(self.top.saturating_add(1)),
        }
    }

    fn up(&mut self) {
        if !self.follow && self.top > 0 {
            self.scroll(self.top - 1);
        } else {
            self.go(self.cursor.0.saturating_sub(1));
        }
    }

    /// Opens what the cursor is on.
    fn look(&mut self, ui: &mut Ui, command: Command, now: Time) {
        match self.slots.get(self.cursor.0).cloned() {
            Some(Slot::More) => self.every = true,
            Some(Slot::Pod(_, Some(key), _)) => {
                let command = if command == Command::Open { Command::Describe } else { command };
                ui.open_detail(&key, command, now);
            }
            Some(Slot::Pod(_, None, why)) => ui.notice(now, why),
            None => {}
        }
    }

    /// Opens the plan that scales the workload for as long as this run goes on.
    fn take_offer(&self, ui: &mut Ui, now: Time) {
        let (Some(offer), Some(scale)) = (self.offer.clone(), ui.operation("scale")) else {
            return ui.notice(now, "no budget is in the way that more replicas would open");
        };
        let run = ui.runs().iter().find(|run| run.op == self.op);
        let while_run = run.map(|run| WhileRun { op: run.op, title: run.plan.title.clone() });
        let options = Options { replicas: Some(Replicas::To(offer.to)), while_run, ..ui.options(now) };
        ui.plan_with(scale, vec![offer.workload], options, now);
    }

    /// Opens the plan that lets pods come to the nodes of this run again.
    fn uncordon(&self, ui: &mut Ui, now: Time) {
        let run = ui.runs().iter().find(|run| run.op == self.op);
        let subjects = run.map(|run| run.plan.subjects.clone()).unwrap_or_default();
        if let Some(uncordon) = ui.operation("uncordon") {
            ui.plan_on(uncordon, subjects, now);
        }
    }

    /// The keys that work now.
    pub(super) fn hints(&self) -> Vec<(Command, &'static str)> {
        use Command::{Back, Help, Logs, Open, Operation, Operations, PauseRun, StopRun, Yaml};
        let mut hints = match self.phase {
            Phase::Running => vec![(Back, "leave it running"), (PauseRun, "pause"), (StopRun, "stop…")],
            Phase::Paused => vec![(Back, "leave it paused"), (PauseRun, "go on"), (StopRun, "stop…")],
            Phase::Undoing => vec![(Back, "leave it")],
            Phase::Left if self.of_nodes => vec![(Back, "close"), (Operation("uncordon"), "uncordon…")],
            Phase::Left => vec![(Back, "close"), (StopRun, "put back…")],
            Phase::Over => vec![(Back, "close")],
        };
        if self.offer.is_some() {
            hints.push((Operation("scale"), "scale for this…"));
        }
        if !self.slots.is_empty() {
            hints.extend([(Open, "why"), (Logs, "logs"), (Yaml, "yaml")]);
        }
        hints.extend([(Operations, "all runs"), (Help, "keys")]);
        hints
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>, ui: &Ui, now: Time) {
        let Some(run) = ui.runs().iter().find(|run| run.op == self.op) else {
            canvas.pieces(1, 0, &[("this run is not known here", Role::Text)]);
            return;
        };
        self.phase = phase(run);
        self.of_nodes = matches!(run.plan.operation, "drain" | "cordon");
        title(canvas, ui, run, now);
        let mut y = 2;
        if run.plan.recovery.is_some() {
            y = stopwatches(canvas, y, run, now);
        }
        let drain = self.joined(ui, run, now);
        if let Some(drain) = &drain {
            y = drain::summary(canvas, y, run, drain);
        }
        let room = usize::from(canvas.height().saturating_sub(y + 2));
        let lines = self.lines(canvas, ui, run, drain.as_ref(), room, now);
        let slot = |line: &Line| line.slot.is_some() && line.slot == Some(self.cursor.0);
        if let Some(at) = lines.iter().position(slot).filter(|_| self.follow) {
            self.top = self.top.min(at).max((at + 1).saturating_sub(room.max(1)));
            // The heading stays with the first row.
            self.top = if self.cursor.0 == 0 { 0 } else { self.top };
        }
        self.top = self.top.min(lines.len().saturating_sub(room));
        for (row, line) in lines.iter().skip(self.top).take(room).enumerate() {
            let y = y + cells(row);
            let pieces: Vec<(&str, Role)> = line.pieces.iter().map(|(t, role)| (t.as_str(), *role)).collect();
            canvas.pieces(1, y, &pieces);
            if slot(line) {
                canvas.pieces(0, y, &[("▸", Role::Text)]);
                let (style, width) = (canvas.role(Role::Select), canvas.width());
                canvas.restyle(0, y, width, style);
            }
        }
        let last = canvas.height().saturating_sub(1);
        let foot = self.foot(ui, run, now, usize::from(canvas.width()));
        canvas.pieces(0, last, &[(" ", Role::TextDim), (&foot, Role::TextDim)]);
    }

    /// The run joined with the fleet; made again when either changed, or a second went by.
    fn joined(&mut self, ui: &Ui, run: &Run, now: Time) -> Option<DrainProgress> {
        let snapshot = ui.newest.as_ref()?;
        let of = (snapshot.sequence, ui.runs_version, now.millis() / 1000);
        if self.drain.as_ref().is_none_or(|(made, _)| *made != of) {
            self.drain = Some((of, DrainProgress::of(run, snapshot, now)));
        }
        self.drain.as_ref().and_then(|(_, drain)| drain.clone())
    }

    /// Pods, budgets, steps, then evidence, newest first.
    fn lines(
        &mut self,
        canvas: &Canvas<'_>,
        ui: &Ui,
        run: &Run,
        drain: Option<&DrainProgress>,
        room: usize,
        now: Time,
    ) -> Vec<Line> {
        let width = usize::from(canvas.width());
        let mut lines = Vec::new();
        self.slots.clear();
        self.offer = None;
        if let Some(drain) = drain {
            let key = ui.keymap.key_of(Command::Operation("scale"), &[Mode::Menu, Mode::All]);
            let scaled = scaled_for(ui, self.op);
            self.offer = drain.held.iter().find_map(|held| held.offer.clone()).filter(|_| scaled.is_none());
            let budgets = drain::budgets(drain, scaled, key.as_deref(), width);
            let rows = room.saturating_sub(budgets.len() + 3).max(4);
            let (pods, slots) = drain::pods(drain, run, rows, self.every, width, now);
            (lines, self.slots) = (pods, slots);
            lines.extend(budgets);
            lines.push(Line::default());
            self.keep_cursor();
        }
        lines.extend(steps(run, width, now));
        lines.push(Line::default());
        lines.extend(run.evidence.iter().rev().map(|(at, text)| {
            Line::of(vec![(format!("{}Z  ", at.clock()), Role::TextDim), (text.to_string(), Role::Text)])
        }));
        lines
    }

    /// The cursor stays on its pod, wherever that is by now.
    fn keep_cursor(&mut self) {
        let is =
            |slot: &Slot| matches!((slot, self.cursor.1), (Slot::Pod(uid, ..), Some(own)) if *uid == own);
        match self.slots.iter().position(is) {
            Some(at) => self.cursor.0 = at,
            None => {
                let follow = self.follow;
                self.go(self.cursor.0.min(self.slots.len().saturating_sub(1)));
                self.follow = follow;
            }
        }
    }

    fn foot(&self, ui: &Ui, run: &Run, now: Time, width: usize) -> String {
        let unarmed = run.plan.touches.iter().filter(|id| ui.arming.left(**id, now).is_none()).count();
        let short = width < 100;
        match self.phase {
            Phase::Left | Phase::Over => run.result.to_string(),
            Phase::Undoing => "what was done is put back, last first".to_owned(),
            // What was confirmed is finished: half a drain or half a failover is worse than either.
            _ if unarmed > 0 && short => {
                "arming has ended: what was confirmed goes on, nothing new begins".to_owned()
            }
            _ if unarmed > 0 => {
                "arming has ended: this run goes on with what was confirmed, nothing new begins; Q stops it"
                    .to_owned()
            }
            _ if self.of_nodes && short => {
                "link lost = no further eviction; the next start offers to go on or uncordon".to_owned()
            }
            _ if self.of_nodes => {
                "if this link drops no further pod is evicted; the next start offers to go on or to uncordon"
                    .to_owned()
            }
            _ => {
                "if this link drops nothing further is sent; the next start offers to put it back".to_owned()
            }
        }
    }
}

fn phase(run: &Run) -> Phase {
    match run.state {
        RunState::Running => Phase::Running,
        RunState::Paused => Phase::Paused,
        RunState::Undoing => Phase::Undoing,
        RunState::Ended(_) if run.can_be_put_back() => Phase::Left,
        RunState::Ended(_) => Phase::Over,
    }
}

/// The run that scales something for as long as this one goes on, if there is one.
fn scaled_for(ui: &Ui, op: OpId) -> Option<&Run> {
    let waits =
        |run: &&Run| run.plan.steps.iter().any(|step| step.action == crate::operations::Action::AwaitRun(op));
    ui.runs().iter().filter(waits).find(|run| run.ended.is_none())
}

/// A line under the title.
#[derive(Default)]
struct Line {
    pieces: Vec<(String, Role)>,
    /// Which of the rows that the cursor can be on it is.
    slot: Option<usize>,
}

impl Line {
    fn of(pieces: Vec<(String, Role)>) -> Line {
        Line { pieces, slot: None }
    }
}

fn title(canvas: &mut Canvas<'_>, ui: &Ui, run: &Run, now: Time) {
    let word = format!(" {}  ", run.plan.operation.to_uppercase());
    // The word before says what is done; to one node, that is all there is to say.
    let what = match run.plan.subjects.as_slice() {
        [node] if matches!(run.plan.operation, "drain" | "cordon" | "uncordon") => &node.name,
        _ => &run.plan.title,
    };
    let drill = if run.plan.drill { "DRILL · no traffic moves · " } else { "" };
    let mut x = canvas.pieces(0, 0, &[(&word, Role::Title), (drill, Role::Warn), (what, Role::TextStrong)]);
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
    let (state, role) = state(run, ui);
    let took = format!(" {}", run.took(now));
    canvas.pieces(x, 0, &[(" · ", Role::TextDim), (&state, role), (&took, Role::Text)]);
}

/// What a run does or came to: `▲ done, 2 left to do`.
fn state(run: &Run, ui: &Ui) -> (String, Role) {
    let RunState::Ended(outcome) = run.state else {
        let (word, role) = match run.state {
            RunState::Paused => ("‖ paused", Role::Paused),
            RunState::Undoing => ("putting things back", Role::Warn),
            RunState::Running | RunState::Ended(_) => ("running", Role::Moving),
        };
        return (word.to_owned(), role);
    };
    let both = run.plan.recovery.as_ref().filter(|recovery| recovery.both_serve);
    let (glyph, role, more) = match (outcome, run.left_to_do().len(), both) {
        (Outcome::Done, 0, None) => ("✓", Role::Ok, String::new()),
        (Outcome::Done, 0, Some(recovery)) => {
            let from = ui.newest.as_ref().and_then(|s| s.fleet.cluster(recovery.from));
            let from = from.map_or("the other side", |cluster| &cluster.info.name);
            ("▲", Role::Warn, format!(", {from} still serves: by choice"))
        }
        (Outcome::Done, left, _) => ("▲", Role::Warn, format!(", {left} left to do")),
        (Outcome::Failed | Outcome::TimedOut, ..) => ("✖", Role::Crit, String::new()),
        (Outcome::Stopped, ..) => ("▲", Role::Warn, String::new()),
        (Outcome::Refused, ..) => ("⊘", Role::Denied, String::new()),
    };
    (format!("{glyph} {}{more}", outcome.word()), role)
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

/// The steps, with as much of their titles as there is room for.
fn steps(run: &Run, width: usize, now: Time) -> Vec<Line> {
    // Number, glyph, two times and the gaps between.
    let room = width.saturating_sub(24);
    let longest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let said = longest(&mut run.steps.iter().map(|step| step.evidence.chars().count())).min(room / 3);
    let titles = longest(&mut run.plan.steps.iter().map(|step| step.title.chars().count()));
    let title = titles.min(room.saturating_sub(said + 1)).max(8);
    let head = format!("  #   {:<title$} {:>6} {:>6} evidence", "step", "took", "of");
    let mut lines = vec![Line::of(vec![(head, Role::TextDim)])];
    lines.extend((0..run.steps.len()).map(|index| Line::of(step_line(run, index, title, now))));
    lines
}

type Pieces = Vec<(String, Role)>;

fn step_line(run: &Run, index: usize, width: usize, now: Time) -> Pieces {
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
    let title = crate::model::text::middle_cut(&step.title, width);
    vec![
        (format!("{:>3} ", index + 1), Role::TextDim),
        (format!("{glyph} "), role),
        (format!("{title:<width$} "), Role::Text),
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
