//! `@` Operations: what runs, what waits, what ran.

use crate::model::{Cell, Column, Text, Time, Tone};
use crate::operations::{Outcome, PodState, Run, RunState, StepState, Unfinished};
use crate::ui::pane::{Enter, PaneDecl, PaneInput};
use crate::views::{Evidence, EvidenceLine, RowId, Sheet, SheetRow};

mod told;

/// What is shown, in the order of `b`. The journal is read when its lens is chosen.
pub(in crate::ui) const LENSES: &[&str] = &["runs", "commands", "notices", "journal"];

/// The pane.
pub const PANE: PaneDecl = PaneDecl {
    digit: '@',
    name: "operations",
    title: "Ops",
    question: "What runs, waits, ran?",
    lenses: LENSES,
    sheet,
    evidence,
    on_enter: |input, row| match &row.id {
        RowId::Run(op) => Enter::Run(crate::operations::OpId(*op)),
        id => {
            let run = input.told.cut_off.iter().find(|run| *id == cut_off_id(run));
            run.map_or(Enter::Nothing, |run| Enter::CutOff(run.seq))
        }
    },
};

fn cut_off_id(run: &Unfinished) -> RowId {
    RowId::Part(Text::from(format!("cut off {}", run.seq)))
}

/// What its lens shows.
#[must_use]
pub fn sheet(input: &PaneInput<'_>) -> Sheet {
    match LENSES.get(input.lens) {
        Some(&"commands") => told::commands(input),
        Some(&"notices") => told::notices(input),
        Some(&"journal") => told::journal(input),
        _ => runs(input),
    }
}

/// Runs: those that go on first, then the newest.
fn runs(input: &PaneInput<'_>) -> Sheet {
    let mut runs: Vec<&Run> = input.runs.iter().collect();
    runs.sort_by_key(|run| (run.ended.is_some(), std::cmp::Reverse(run.began)));
    Sheet {
        answer: answer(input.runs, input.now),
        columns: vec![
            Column::right("began", 8, 6),
            Column::left("what", 0, 9),
            Column::left("cluster", 14, 7),
            Column::right("progress", 9, 8),
            Column::right("took", 6, 5),
            Column::left("result", 24, 4),
            Column::left("way back", 9, 2),
        ],
        rows: cut_off_rows(input)
            .chain(runs.iter().map(|run| row(run, input)))
            .chain(plan_rows(input))
            .collect(),
        empty: "Nothing done from here yet. A arms a cluster.".into(),
        ..Sheet::default()
    }
}

fn answer(runs: &[Run], now: Time) -> Text {
    let ended = |run: &&Run| run.ended.is_some();
    let running = runs.iter().filter(|r| matches!(r.state, RunState::Running | RunState::Undoing)).count();
    let paused = runs.iter().filter(|r| r.state == RunState::Paused).count();
    let today = |at: Time| at.rfc3339().get(..10) == now.rfc3339().get(..10);
    let done: Vec<&Run> = runs.iter().filter(ended).filter(|r| r.ended.is_some_and(today)).collect();
    let failed = done.iter().filter(|r| r.state != RunState::Ended(Outcome::Done)).count();
    Text::from(format!(
        "{running} running, {paused} paused; {} ended today, {failed} of them not done.",
        done.len()
    ))
}

fn row(run: &Run, input: &PaneInput<'_>) -> SheetRow {
    let (done, all) = progress(run);
    let clusters: Vec<String> = run
        .plan
        .touches
        .iter()
        .map(|id| input.snapshot.fleet.cluster(*id).map_or("?".to_owned(), |c| c.info.name.to_string()))
        .collect();
    let subject = run.plan.subjects.first().map_or_else(String::new, |key| match run.plan.subjects.len() {
        1 => format!(" {}", key.path()),
        more => format!(" {} +{}", key.path(), more - 1),
    });
    let took = run.took(input.now);
    SheetRow {
        id: RowId::Run(run.op.0),
        tone: tone(run),
        cells: vec![
            Cell { text: run.began.clock().into(), ..Cell::when(run.began, input.now) },
            Cell::text(format!("{}{subject}", run.plan.title)),
            Cell::text(clusters.join(", ")),
            Cell::number(format!("{done}/{all}"), i64::try_from(done).unwrap_or(i64::MAX)),
            Cell::number(took.to_string(), took.millis()),
            Cell::text(result(run)),
            Cell::text(way_back(run)),
        ],
        objects: run.plan.subjects.clone(),
        stale: false,
    }
}

/// A row for each run of an earlier process that was cut off: somebody has to decide about it.
fn cut_off_rows(input: &PaneInput<'_>) -> impl Iterator<Item = SheetRow> {
    input.told.cut_off.iter().map(|run| {
        let back = if run.back.is_empty() { "none" } else { "yes" };
        let cluster = run.subjects.first().map_or_else(|| Text::clean("-"), |s| s.cluster.clone());
        SheetRow {
            id: cut_off_id(run),
            tone: Tone::Warn,
            cells: vec![
                Cell { text: run.at.clock().into(), ..Cell::when(run.at, input.now) },
                Cell::text(run.named()),
                Cell::text(cluster),
                Cell::text("-"),
                Cell::text("-"),
                Cell::text("was cut off: enter decides"),
                Cell::text(back),
            ],
            objects: Vec::new(),
            stale: false,
        }
    })
}

/// A row for each recovery plan: from where to where, and its last drill. A plan that was never
/// drilled, or whose drill failed, is nothing to rely on.
fn plan_rows(input: &PaneInput<'_>) -> impl Iterator<Item = SheetRow> {
    input.recoveries.plans.iter().map(|plan| {
        let drill = input.recoveries.drills.get(&plan.name);
        let (began, took, said) = match drill {
            None => (Cell::text("-"), Cell::text("-"), "never drilled".to_owned()),
            Some(drill) => {
                let took =
                    drill.took.map_or_else(|| Cell::text("-"), |t| Cell::number(t.to_string(), t.millis()));
                let word = if drill.done { "last drill done" } else { "last drill failed" };
                let began = Cell::when(drill.at, input.now);
                (began, took, format!("{word} {} ago", drill.at.age(input.now)))
            }
        };
        SheetRow {
            id: RowId::Part(Text::from(format!("recovery plan {}", plan.name))),
            tone: if drill.is_some_and(|drill| drill.done) { Tone::Ok } else { Tone::Warn },
            cells: vec![
                began,
                Cell::text(format!("recovery plan {}: {} → {}", plan.name, plan.primary, plan.standby)),
                Cell::text(plan.standby.clone()),
                Cell::text("-"),
                took,
                Cell::text(said),
                Cell::text("F"),
            ],
            objects: Vec::new(),
            stale: false,
        }
    })
}

/// Pods of an eviction where there are any, else steps: done of all.
#[must_use]
pub fn progress(run: &Run) -> (usize, usize) {
    if run.pods.is_empty() {
        let done = run.steps.iter().filter(|s| s.state == StepState::Done).count();
        return (done, run.steps.len());
    }
    (run.pods.iter().filter(|(pod, _)| pod.state == PodState::Gone).count(), run.pods.len())
}

/// How a run is.
#[must_use]
pub fn tone(run: &Run) -> Tone {
    match run.state {
        RunState::Running | RunState::Undoing => Tone::Moving,
        RunState::Paused => Tone::Paused,
        RunState::Ended(Outcome::Done) if !run.left_to_do().is_empty() => Tone::Warn,
        RunState::Ended(Outcome::Done) => Tone::Ok,
        RunState::Ended(Outcome::Stopped | Outcome::Refused) => Tone::Warn,
        RunState::Ended(Outcome::Failed | Outcome::TimedOut) => Tone::Crit,
    }
}

/// What a run came to, or the step that it is at.
fn result(run: &Run) -> Text {
    if run.ended.is_some() && !run.result.is_empty() {
        return run.result.clone();
    }
    match run.state {
        RunState::Ended(outcome) => Text::clean(outcome.word()),
        RunState::Paused => "paused".into(),
        RunState::Undoing => "putting things back".into(),
        RunState::Running => run
            .current()
            .and_then(|at| run.plan.steps.get(at))
            .map_or_else(|| "running".into(), |step| step.title.clone()),
    }
}

/// Whether what was done can be undone.
fn way_back(run: &Run) -> &'static str {
    let undoable = run.plan.steps.iter().filter(|step| !step.undo.is_empty()).count();
    match undoable {
        0 => "none",
        n if n == run.plan.steps.len() => "yes",
        _ => "part",
    }
}

/// The run's evidence, newest last.
fn evidence(input: &PaneInput<'_>, row: &SheetRow) -> Evidence {
    let Some(run) = input.runs.iter().find(|run| row.id == RowId::Run(run.op.0)) else {
        return Evidence::default();
    };
    let line = |(at, text): &(Time, Text)| EvidenceLine {
        at: Some(*at),
        text: text.clone(),
        ..EvidenceLine::default()
    };
    Evidence {
        title: Text::from(format!("{} · evidence", run.plan.title)),
        lines: run.evidence.iter().map(line).collect(),
        ..Evidence::default()
    }
}
