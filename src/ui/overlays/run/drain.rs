//! The rows of a drain: its pods, what stays, and the budgets in its way.

use super::{Line, Slot};
use crate::model::text::middle_cut;
use crate::model::{Text, Time};
use crate::operations::{DrainProgress, GoingPod, HeldBudget, PodState, Run};
use crate::theme::{Role, bar};
use crate::ui::canvas::Canvas;
use crate::ui::panes::operations::progress;

/// Under this width sentences are short and lists stand on one line.
const NARROW: usize = 100;

/// Pods of a budget that are named.
const NAMED: usize = 4;

/// Cells of the state.
const STATE: usize = 15;

/// `12 of 18 gone, 2 leaving, 1 evicting, 3 wait on 1 budget. 11 of 12 new pods Ready`, and a bar.
pub(super) fn summary(canvas: &mut Canvas<'_>, y: u16, run: &Run, drain: &DrainProgress) -> u16 {
    let count = |is: &dyn Fn(&PodState) -> bool| run.pods.iter().filter(|(pod, _)| is(&pod.state)).count();
    let (gone, all) = progress(run);
    let leaving = count(&|s| *s == PodState::Leaving);
    let evicting = count(&|s| *s == PodState::Evicting);
    let waiting =
        count(&|s| matches!(s, PodState::WaitsOnBudget(_) | PodState::Queued | PodState::ServerBusy));
    let failed = count(&|s| *s == PodState::Failed);
    let mut text = format!("{gone} of {all} gone");
    for (number, what) in [(leaving, "leaving"), (evicting, "evicting")] {
        if number > 0 {
            text.push_str(&format!(", {number} {what}"));
        }
    }
    if waiting > 0 && run.ended.is_some() {
        text.push_str(&format!(", {waiting} left"));
    } else if waiting > 0 {
        text.push_str(&format!(", {waiting} wait"));
        text.push_str(&match budgets_of(run) {
            0 => String::new(),
            1 => " on 1 budget".to_owned(),
            n => format!(" on {n} budgets"),
        });
    }
    if failed > 0 {
        text.push_str(&format!(", {failed} refused for good"));
    }
    if drain.wanted > 0 {
        let (ready, wanted) = (drain.ready, drain.wanted);
        text.push_str(&match usize::from(canvas.width()) < NARROW {
            true => format!(". {ready}/{wanted} new ones Ready"),
            false => format!(". {ready} of {wanted} new pods Ready"),
        });
    }
    canvas.pieces(1, y, &[(&text, Role::TextStrong)]);
    let line = format!("{} {gone}/{all}", bar(gone, leaving + evicting, all, 24));
    canvas.pieces(1, y + 1, &[(&line, Role::Chart1)]);
    y + 3
}

/// How many budgets are in the way.
fn budgets_of(run: &Run) -> usize {
    let mut names: Vec<(&Text, &Text)> = run
        .pods
        .iter()
        .filter_map(|(pod, _)| match &pod.state {
            PodState::WaitsOnBudget(budget) => Some((&pod.namespace, budget)),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// The pods, in at most so many rows unless `every` one is wanted, and what stays.
pub(super) fn pods(
    drain: &DrainProgress,
    run: &Run,
    rows: usize,
    every: bool,
    width: usize,
    now: Time,
) -> (Vec<Line>, Vec<Slot>) {
    let now = run.ended.map_or(now, |ended| ended.min(now));
    let name = (width / 4).clamp(26, 60);
    let head = format!("{:<name$} {:<STATE$} {:>6} why", "pod", "state", "for");
    let mut lines = vec![Line::of(vec![(head, Role::TextDim)])];
    let mut slots = Vec::new();
    let gone = drain.pods.iter().filter(|pod| pod.progress.state == PodState::Gone).count();
    let too_many = drain.pods.len().saturating_sub(rows);
    // One row tells of those that have none, so one more of them has to go.
    let hidden = if every || too_many == 0 { 0 } else { (too_many + 1).min(gone) };
    let shown = drain.pods.len() - hidden;
    for pod in &drain.pods[..shown] {
        lines.push(Line { slot: Some(slots.len()), ..pod_line(pod, name, width, now) });
        slots.push(Slot::Pod(pod.progress.uid, pod.object.clone(), pod.why.clone()));
    }
    if hidden > 0 {
        let text = more(&drain.pods[shown..]);
        let pieces = vec![
            (format!("{:<name$} ", format!("+{hidden} more")), Role::Text),
            (format!("{:<STATE$} ", "gone"), Role::Ok),
            (format!("{:>6} {text}", ""), Role::TextDim),
        ];
        lines.push(Line { slot: Some(slots.len()), ..Line::of(pieces) });
        slots.push(Slot::More);
    }
    if !drain.stays.is_empty() {
        let stays = middle_cut(&drain.stays, name);
        lines.push(Line::of(vec![(format!("{stays:<name$} stay"), Role::TextDim)]));
    }
    (lines, slots)
}

/// What is said of pods that are gone and not shown one by one.
fn more(pods: &[GoingPod]) -> String {
    let ready = pods.iter().filter(|pod| pod.ready_elsewhere).count();
    let open = pods.iter().filter(|pod| !pod.settled).count();
    match (ready, open) {
        (ready, _) if ready == pods.len() => "all Ready elsewhere".to_owned(),
        (ready, 0) => format!("{ready} Ready elsewhere, the others start no more"),
        (ready, open) => format!("{ready} Ready elsewhere, {open} not yet"),
    }
}

fn pod_line(pod: &GoingPod, name: usize, width: usize, now: Time) -> Line {
    let (state, role) = match &pod.progress.state {
        _ if pod.left => ("left", Role::TextDim),
        PodState::Queued => ("waits its turn", Role::TextDim),
        PodState::Evicting => ("evicting", Role::Moving),
        PodState::WaitsOnBudget(_) => ("waits on budget", Role::Warn),
        PodState::ServerBusy => ("server is busy", Role::Warn),
        PodState::Leaving => ("leaving", Role::Moving),
        PodState::Gone => ("gone", Role::Ok),
        PodState::Failed => ("refused", Role::Crit),
    };
    let path = middle_cut(&format!("{}/{}", pod.progress.namespace, pod.progress.name), name);
    let room = width.saturating_sub(name + STATE + 11);
    let why = if pod.why.chars().count() <= room { &pod.why } else { &pod.short };
    Line::of(vec![
        (format!("{path:<name$} "), Role::Text),
        (format!("{state:<STATE$} "), role),
        (format!("{:>6} ", pod.since.age(now).to_string()), Role::Text),
        (why.to_string(), Role::TextDim),
    ])
}

/// The budgets in the way: what they need, which pods would open them, and what can be done from
/// here. `scaled` is the run that does it already.
pub(super) fn budgets(
    drain: &DrainProgress,
    scaled: Option<&Run>,
    key: Option<&str>,
    width: usize,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for held in &drain.held {
        lines.push(Line::default());
        lines.push(budget_line(held, width));
        lines.extend(not_ready(held, width));
    }
    if let Some(run) = scaled {
        let text = format!("{}; put back then", run.plan.title);
        lines.push(Line::of(vec![("scaled ".to_owned(), Role::TextDim), (text, Role::Text)]));
    } else if let (Some(offer), Some(key)) = (drain.held.iter().find_map(|held| held.offer.as_ref()), key) {
        let text = format!(
            "scale {} {} → {} for this drain, put back at the end",
            offer.workload.name, offer.from, offer.to
        );
        lines.push(Line::of(vec![
            ("offer  ".to_owned(), Role::TextDim),
            (format!("{key}  "), Role::Key),
            (text, Role::Text),
        ]));
    }
    lines
}

fn budget_line(held: &HeldBudget, width: usize) -> Line {
    let (needs, has, counts) = held.counts;
    let are = if held.not_ready.is_empty() { "" } else { "; not Ready are:" };
    let narrow = width < NARROW;
    let opens = match held.missing {
        None => format!("it needs all {counts} that it counts, so it never opens by itself{are}"),
        Some(0 | 1) if narrow => "opens with 1 more Ready:".to_owned(),
        Some(n) if narrow => format!("opens with {n} more Ready:"),
        Some(0 | 1) => format!("opens with 1 more Ready pod{are}"),
        Some(n) => format!("opens with {n} more Ready pods{are}"),
    };
    let name = &held.name;
    let text = match narrow {
        true => format!("{name} needs {needs} healthy, has {has} of {counts}; {opens}"),
        false => {
            format!("{}/{name} · needs {needs} healthy, has {has} of {counts} · {opens}", held.namespace)
        }
    };
    Line::of(vec![("budget ".to_owned(), Role::TextDim), (text, Role::Text)])
}

fn not_ready(held: &HeldBudget, width: usize) -> Vec<Line> {
    let more = held.not_ready.len().saturating_sub(NAMED);
    let mut words: Vec<String> =
        held.not_ready.iter().take(NAMED).map(|pod| format!("{} {}", pod.name, pod.why)).collect();
    if more > 0 {
        words.push(format!("+{more} more"));
    }
    if words.is_empty() {
        return Vec::new();
    }
    if width < NARROW {
        return vec![Line::of(vec![(words.join(" · "), Role::Text)])];
    }
    words.into_iter().map(|text| Line::of(vec![(text, Role::Text)])).collect()
}
