//! The rows that are always there: totals, tabs, the answer, notices, keys.

use super::canvas::{Canvas, cells};
use super::keys::scope_name;
use super::screen::{Focus, Ui};
use crate::input::Command;
use crate::model::{Cause, Face, Text, Time, Tone, grouped, many};
use crate::theme::{Role, tone_glyph};
use crate::views::health;
use unicode_width::UnicodeWidthStr;

/// Row 1: how many, how bad, how old, what it costs, what time it is, whether writes are possible.
pub(super) fn header(ui: &Ui, canvas: &mut Canvas<'_>, now: Time) {
    let right = right_pieces(ui, now);
    let right_width: u16 = right.iter().map(|(text, _)| cells(text.width())).sum();
    let room = canvas.width().saturating_sub(right_width + 2);
    let mut x = 1;
    let width = |piece: &Pieces| -> u16 { piece.iter().map(|(text, _)| cells(text.width())).sum() };
    for (piece, shorter) in left_pieces(ui, room >= 80) {
        let fits = |piece: &Pieces| x == 1 || x + width(piece) <= room;
        let Some(piece) = [Some(piece), shorter].into_iter().flatten().find(fits) else { continue };
        let pieces: Vec<(&str, Role)> = piece.iter().map(|(text, role)| (text.as_str(), *role)).collect();
        x = canvas.pieces(x, 0, &pieces) + if room >= 80 { 2 } else { 1 };
    }
    let start = canvas.width().saturating_sub(right_width + 1);
    let pieces: Vec<(&str, Role)> = right.iter().map(|(text, role)| (text.as_str(), *role)).collect();
    canvas.pieces(start, 0, &pieces);
}

type Pieces = Vec<(String, Role)>;

/// What stands left, in the order of worth; some with a shorter form for where there is less room.
fn left_pieces(ui: &Ui, wide: bool) -> Vec<(Pieces, Option<Pieces>)> {
    let summary = &ui.summary;
    let count = summary.header.clusters;
    let head = if wide { many(count, "cluster") } else { format!("{count}:") };
    let mut first: Pieces = vec![(head, Role::Text)];
    let totals = &summary.header;
    for (tone, n) in &totals.tones {
        first.push((format!(" {}{n}", tone_glyph(*tone)), crate::theme::tone_role(*tone)));
    }
    let mut pieces = vec![(first, None)];
    if wide {
        let count = |count: String, of: &str| vec![(count, Role::Text), (of.to_owned(), Role::TextDim)];
        pieces.push((count(totals.nodes.to_string(), " nodes"), None));
        pieces.push((count(totals.pods.to_string(), " pods"), None));
    }
    let source = format!(" {}", totals.cost.source());
    pieces.push((vec![(totals.rate(ui.unit), Role::Text), (source, Role::TextDim)], None));
    if let Some((name, age)) = totals.oldest.as_ref().filter(|(_, age)| age.seconds() > 0) {
        let oldest = |text: String| vec![("oldest ".to_owned(), Role::TextDim), (text, Role::Text)];
        let short = oldest(age.to_string());
        pieces.push(if wide { (oldest(format!("{age} {name}")), Some(short)) } else { (short, None) });
    }
    pieces
}

fn right_pieces(ui: &Ui, now: Time) -> Pieces {
    // Seconds only while something counts them: a fleet at rest sends nothing to the terminal.
    let clock = ui.face.clock(now, ui.counting(now));
    let mut pieces: Pieces = Vec::new();
    if let Some(frozen) = &ui.frozen {
        let when = match &ui.face {
            Face::Ago => format!("{}Z", frozen.at.clock()),
            face => face.moment(frozen.at, now),
        };
        let text = format!(" FROZEN {when}, {} ago ", frozen.at.age(now));
        pieces.push((text, Role::Frozen));
        pieces.push((" ".to_owned(), Role::Text));
    }
    if !ui.face.word().is_empty() {
        pieces.push((format!("{} ", ui.face.word()), Role::Moving));
    }
    pieces.push((format!("{clock}  "), Role::Text));
    let armed = ui.arming.armed(now);
    let left = armed.iter().map(|(_, left)| *left).min();
    match (armed.as_slice(), left) {
        ([(id, _)], Some(left)) => {
            let cluster = ui.newest.as_ref().and_then(|s| s.fleet.cluster(*id));
            let name = cluster.map_or_else(|| "?".to_owned(), |c| c.info.name.to_string());
            pieces.push((format!(" ARMED {name} {} ", countdown(left.seconds())), Role::Armed));
        }
        (many @ [_, ..], Some(left)) => {
            pieces.push((format!(" ARMED {}, {} ", many.len(), countdown(left.seconds())), Role::Armed));
        }
        _ => pieces.push(("READ-ONLY".to_owned(), Role::TextDim)),
    }
    pieces
}

/// `14:59`.
fn countdown(seconds: i64) -> String {
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// Row 2: the panes and the scope.
pub(super) fn tabs(ui: &Ui, canvas: &mut Canvas<'_>) {
    let scope = scope_name(ui, &ui.scope);
    let full: usize = ui.panes.iter().map(|pane| pane.title.width() + 3).sum();
    let titles = full + scope.width() + 6 <= usize::from(canvas.width());
    let mut x = 0;
    for (index, pane) in ui.panes.iter().enumerate() {
        let active = index == ui.active;
        let running = if pane.digit == '@' && ui.running() > 0 {
            format!(" {}◐", ui.running())
        } else {
            String::new()
        };
        let name = match (titles || active, pane.title) {
            (true, title) => format!("{} {title}{running}", pane.digit),
            (false, _) => format!("{}{running}", pane.digit),
        };
        x = if active {
            let role = if ui.focus == Focus::Table { Role::TitleFocus } else { Role::Title };
            canvas.pieces(x, 1, &[("[", Role::Title), (&name, role), ("]", Role::Title)])
        } else {
            let gap = if index == ui.active + 1 && index > 0 { "" } else { " " };
            canvas.pieces(x, 1, &[(gap, Role::Text), (&name, Role::TextDim)])
        };
    }
    canvas.pieces(x + 3, 1, &[(&scope, Role::TextStrong)]);
}

/// The row under the answer: lens, filter, marks, what waits.
pub(super) fn state_line(ui: &Ui, canvas: &mut Canvas<'_>, y: u16) {
    let (Some(pane), Some(table)) = (ui.panes.get(ui.active), ui.tables.get(ui.active)) else { return };
    let mut x = 1;
    if pane.lenses.len() > 1 {
        x = canvas.pieces(x, y, &[("by ", Role::TextDim)]);
        for (index, lens) in pane.lenses.iter().enumerate() {
            x = if index == table.lens {
                canvas.pieces(x, y, &[("[", Role::Title), (lens, Role::Title), ("] ", Role::Title)])
            } else {
                canvas.pieces(x, y, &[(lens, Role::TextDim), (" ", Role::Text)])
            };
        }
        x += 1;
    }
    let mut say = |text: String, role: Role| x = canvas.pieces(x, y, &[(&text, role), ("  ", Role::Text)]);
    if pane.name == "objects" {
        say(ui.kind.names().plural.to_owned(), Role::Title);
    }
    if !table.pass.filter.is_empty() {
        say(format!("/{} · {}", table.pass.filter.text, table.listed_of_all()), Role::Title);
        if let Some(problem) = &table.filter_problem {
            say(problem.to_string(), Role::Warn);
        }
    }
    if table.pass.only_bad {
        say("only what is not ok".to_owned(), Role::Warn);
    }
    if !ui.marks.is_empty() {
        say(ui.marks_text(), Role::Mark);
    }
    if table.withheld() > 0 {
        let key = ui.keymap.key_of(Command::ShowNew, &ui.modes()).unwrap_or_else(|| ".".to_owned());
        say(format!("{} new, {key} shows", grouped(table.withheld() as u64)), Role::Moving);
    }
    if !table.muted.is_empty() {
        say(format!("{} muted", table.muted.len()), Role::TextDim);
    }
}

/// Last row but one: a notice, else what does not answer or must not be seen.
pub(super) fn notices(ui: &Ui, canvas: &mut Canvas<'_>, y: u16, now: Time) {
    if let Some(notice) = ui.shown_notice(now) {
        canvas.pieces(1, y, &[(notice, Role::Text)]);
        return;
    }
    let mut x = 1;
    if let Some((alarm, more)) = ui.alarms.newest() {
        let key = ui.keymap.key_of(Command::Previous, &ui.modes()).unwrap_or_else(|| "N".to_owned());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let text = format!(" {} {}{more}, {key} shows", ui.face.column(alarm.at, now), alarm.text);
        let glyph = tone_glyph(Tone::Crit);
        canvas.pieces(x, y, &[("new ", Role::TextStrong), (glyph, Role::Crit), (&text, Role::TextStrong)]);
        return;
    }
    let troubles = troubles(ui, ui.shown_at(now));
    if let Some(text) = connecting(ui, troubles.is_empty()) {
        x = canvas.pieces(x, y, &[("… ", Role::Moving), (&text, Role::Moving)]);
    }
    // What a narrow column cuts can be read here, while the column is on screen.
    let table = ui.tables.get(ui.active).filter(|table| table.drawn.is_some());
    if let Some(cut) = table.and_then(|table| table.cut.as_ref()) {
        let gap = if x > 1 { " · " } else { "" };
        x = canvas.pieces(x, y, &[(gap, Role::TextDim), ("▸ ", Role::TextDim), (cut, Role::Text)]);
    }
    for (at, (glyph, text, role)) in troubles.iter().enumerate() {
        let gap = if x > 1 { " · " } else { "" };
        let rest = format!(" · +{}", troubles.len() - at);
        let last = at + 1 == troubles.len();
        let width = cells(gap.width() + 2 + text.width()) + if last { 0 } else { cells(rest.width()) };
        // One is always said, however little room there is.
        if at > 0 && x + width > canvas.width() {
            canvas.pieces(x, y, &[(&rest, Role::TextDim)]);
            return;
        }
        x = canvas.pieces(
            x,
            y,
            &[(gap, Role::TextDim), (glyph, *role), (" ", Role::Text), (text, Role::Text)],
        );
    }
}

/// `20 of 24 clusters live, 3 connecting, 1 wants a login. Rows appear as they come.`, in few words
/// where there is more to say; `None` once no cluster connects.
fn connecting(ui: &Ui, alone: bool) -> Option<String> {
    let count = ui.summary.connecting();
    let snapshot = ui.snapshot().filter(|_| count > 0)?;
    let line = |line: &&super::summary::ClusterLine| {
        line.tone != Tone::Connecting && snapshot.fleet.cluster(line.id).is_some_and(|c| c.link.live())
    };
    let live = ui.summary.clusters.iter().filter(line).count();
    let logins = match ui.summary.clusters.iter().filter(|c| c.login).count() {
        0 => String::new(),
        1 => ", 1 wants a login".to_owned(),
        n => format!(", {n} want a login"),
    };
    let all = ui.summary.clusters.len();
    Some(match alone {
        true => format!(
            "{live} of {} live, {count} connecting{logins}. Rows appear as they come.",
            many(all, "cluster")
        ),
        false => format!("{live} of {all} live, {count} connecting{logins}"),
    })
}

/// What does not answer, what is not allowed, and when it is asked again.
fn troubles(ui: &Ui, now: Time) -> Vec<(&'static str, Text, Role)> {
    let Some(snapshot) = ui.snapshot() else { return Vec::new() };
    let hurt = ui.summary.clusters.iter().filter(|c| matches!(c.tone, Tone::Unseen | Tone::Denied));
    hurt.filter_map(|line| {
        let cluster = snapshot.fleet.cluster(line.id)?;
        let unseen = (line.tone == Tone::Unseen).then(|| health::fault(cluster)).flatten();
        let fault = cluster.link.fault.as_ref().or(unseen).map(|fault| fault.cause);
        let why = match fault {
            None if line.login => "login",
            None if line.tone == Tone::Denied => "not all may be read",
            None => "no answer",
            Some(cause) => cause.word(),
        };
        let again = match health::asked_again(cluster).map(|at| now.age(at).seconds()) {
            None => String::new(),
            Some(wait @ 1..) => format!(", retry in {wait} s"),
            Some(_) => ", asked again now".to_owned(),
        };
        let named = matches!(fault, None | Some(Cause::Login));
        let login = if line.login && !named { ", wants a login" } else { "" };
        let text = format!("{}: {why}{login}{again}", line.name);
        Some((tone_glyph(line.tone), text.into(), crate::theme::tone_role(line.tone)))
    })
    .collect()
}

/// Last row: the keys that work now.
pub(super) fn keys(ui: &Ui, canvas: &mut Canvas<'_>, y: u16) {
    if !ui.pending.is_empty() {
        let typed: Vec<String> = ui.pending.iter().map(|key| key.to_string()).collect();
        let mut x = canvas.pieces(1, y, &[(&typed.join(" "), Role::Key), (" … ", Role::TextDim)]);
        if let crate::input::Resolved::Pending(next) = ui.keymap.resolve(&ui.modes(), &ui.pending) {
            for (key, meaning) in next {
                x = canvas.pieces(
                    x,
                    y,
                    &[
                        (&key.to_string(), Role::Key),
                        (" ", Role::Text),
                        (&meaning, Role::Text),
                        ("  ", Role::Text),
                    ],
                );
            }
        }
        return;
    }
    let modes = ui.modes();
    let mut x = 1;
    let hints: Vec<(Command, String, String)> = hints(ui)
        .into_iter()
        .filter_map(|(command, label)| Some((command, ui.keymap.key_of(command, &modes)?, label)))
        .collect();
    let width = |key: &str, label: &str| cells(key.width() + label.width() + 3);
    // The key that lists all others is the last to drop.
    let help = |(command, ..): &&(Command, String, String)| *command == Command::Help;
    let kept = hints.iter().find(help).map_or(0, |(_, key, label)| width(key, label));
    for (command, key, label) in &hints {
        let rest = if *command == Command::Help { 0 } else { kept };
        if x + width(key, label) + rest > canvas.width() + 2 {
            continue;
        }
        x = canvas.pieces(
            x,
            y,
            &[(key, Role::Key), (" ", Role::Text), (label, Role::Text), ("  ", Role::Text)],
        );
    }
}

fn hints(ui: &Ui) -> Vec<(Command, String)> {
    use Command::{Actions, CommandLine, Filter, Freeze, Help, Lens, Logs, Mark, Open, Tree};
    let own = |hints: &[(Command, &str)]| {
        hints.iter().map(|(c, label)| (*c, (*label).to_owned())).collect::<Vec<_>>()
    };
    if let Some(overlay) = ui.overlays.last() {
        return own(&overlay.hints());
    }
    if ui.without_clusters() {
        return own(&[
            (Open, "play the demo fleet"),
            (Command::Retry, "look again"),
            (CommandLine, "command"),
        ]);
    }
    if ui.focus == Focus::Tree {
        return own(&[
            (Open, "scope"),
            (Command::Right, "unfold"),
            (Command::Left, "fold"),
            (Tree, "tree"),
            (Help, "keys"),
        ]);
    }
    let mut hints = own(&[(Open, "open"), (Mark, "mark"), (Filter, "filter"), (CommandLine, "command")]);
    if ui.panes.get(ui.active).is_some_and(|pane| pane.lenses.len() > 1) {
        hints.push((Lens, "by".to_owned()));
    }
    let row = ui.tables.get(ui.active).and_then(|table| table.current());
    let kinds: Vec<_> =
        row.as_ref().map_or_else(Vec::new, |row| row.objects.iter().map(|key| key.kind).collect());
    if kinds.contains(&crate::model::Kind::Pod) {
        hints.push((Logs, "logs".to_owned()));
    }
    hints.push((Actions, "actions".to_owned()));
    // What is gone for good is not recommended; the actions list it.
    let fits = |op: &&crate::operations::OperationDecl| {
        op.id != "delete" && op.applies_to.iter().any(|kind| kinds.contains(kind))
    };
    for op in ui.operations.iter().filter(fits).take(4) {
        hints.push((Command::Operation(op.id), format!("{}…", op.id)));
    }
    if ui.pane_name() == "operations" && row.is_some() {
        hints.extend(own(&[(Command::PauseRun, "pause"), (Command::StopRun, "stop…")]));
    }
    hints.extend(own(&[(Tree, "tree"), (Freeze, "freeze"), (Help, "keys")]));
    hints
}
