//! The command line: panes, kinds, operations, contexts; what is typed is completed.

use super::Flow;
use super::help::doc;
use crate::input::{Command, Key, Operation};
use crate::model::{ClusterId, Kind, Text, Time};
use crate::theme::Role;
use crate::ui::Effect;
use crate::ui::canvas::{Canvas, cells};
use crate::ui::field::Field;
use crate::ui::screen::Ui;
use crate::ui::table::Filter;
use crate::views::Scope;

/// How many completions are shown.
const SHOWN: usize = 8;

/// The command line while it is typed.
#[derive(Default)]
pub(in crate::ui) struct CommandLine {
    pub(super) field: Field,
    /// Which earlier line is shown, counted from the newest.
    back: usize,
    /// Which completion is chosen.
    chosen: usize,
    error: Text,
}

/// What only the command line takes, and what it does.
pub(super) const LINES: [(&str, &str); 7] = [
    ("ctx", "narrow the scope to a cluster; * stands for anything"),
    ("ns", "narrow the scope to a namespace"),
    ("at", "the fleet as it was: :at 02:10, :at 5m, :at now"),
    ("kubeconfig", "open the clusters of this file instead"),
    ("failover init", "propose a recovery plan from what runs now"),
    ("theme", "try themes on, keep one"),
    ("q", "leave; asks if something runs"),
];

/// A line that could be meant.
struct Proposal {
    line: String,
    meaning: String,
}

impl CommandLine {
    pub(super) fn typed(&mut self, key: Key) -> Flow {
        self.error = Text::EMPTY;
        if self.field.key(key) {
            self.chosen = 0;
        }
        Flow::Keep
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        match command {
            Command::Back => return Flow::Close,
            Command::Accept => return self.accept(ui, now),
            Command::Complete => {
                if let Some(proposal) = proposals(ui, self.field.text()).into_iter().nth(self.chosen) {
                    self.field = Field::with(&proposal.line);
                    self.chosen = 0;
                }
            }
            Command::Up => {
                self.back = (self.back + 1).min(ui.history.len());
                self.recall(ui);
            }
            Command::Down if self.back > 0 => {
                self.back -= 1;
                self.recall(ui);
            }
            Command::Down => self.chosen += 1,
            Command::EraseWord => self.field.erase_word(),
            Command::EraseLine => self.field.erase_line(),
            _ => {}
        }
        Flow::Keep
    }

    fn recall(&mut self, ui: &Ui) {
        let line = ui.history.len().checked_sub(self.back).and_then(|at| ui.history.get(at));
        self.field = Field::with(line.map_or("", |line| line.as_str()));
    }

    fn accept(&mut self, ui: &mut Ui, now: Time) -> Flow {
        let line = self.field.text().trim().to_owned();
        if line.is_empty() {
            return Flow::Close;
        }
        match run(ui, &line, now) {
            Ok(()) => {
                ui.history.retain(|old| *old != line);
                ui.history.push(line);
                Flow::Close
            }
            Err(why) => {
                self.error = why;
                Flow::Keep
            }
        }
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, ui: &Ui) {
        let last = canvas.height().saturating_sub(1);
        let text = self.field.text();
        let end = self.field.draw(canvas, last, " :");
        let proposals = proposals(ui, text);
        let chosen = self.chosen.min(proposals.len().saturating_sub(1));
        let rest = proposals.get(chosen).and_then(|p| p.line.strip_prefix(text));
        if let Some(rest) = rest.filter(|_| !text.is_empty()) {
            canvas.pieces(end + u16::from(rest.is_empty()), last, &[(rest, Role::TextDim)]);
        }
        let shown = proposals.len().min(SHOWN);
        let first = (chosen + 1).saturating_sub(SHOWN);
        let mut y = last.saturating_sub(cells(shown) + u16::from(!self.error.is_empty()));
        let width = canvas.width();
        for (at, proposal) in proposals.iter().enumerate().skip(first).take(SHOWN) {
            canvas.part(0, y, width, 1).clear();
            let line = format!(" :{:<24} ", proposal.line);
            canvas.pieces(0, y, &[(&line, Role::Key), (&proposal.meaning, Role::Text)]);
            if at == chosen {
                let style = canvas.role(Role::Select);
                canvas.restyle(0, y, width, style);
            }
            y += 1;
        }
        if !self.error.is_empty() {
            canvas.part(0, y, width, 1).clear();
            canvas.pieces(1, y, &[(&self.error, Role::Warn)]);
        }
    }
}

fn operations(ui: &Ui) -> Vec<Operation> {
    ui.operations.iter().map(|op| Operation { id: op.id, key: op.key }).collect()
}

impl Ui {
    /// Does what a line after `:` asks for; what is wrong with it is a notice.
    pub fn command(&mut self, line: &str, now: Time) -> Vec<Effect> {
        if let Err(why) = run(self, line.trim(), now) {
            self.notice(now, why);
        }
        std::mem::take(&mut self.effects)
    }
}

/// Does what a line asks for, or says why not.
fn run(ui: &mut Ui, line: &str, now: Time) -> Result<(), Text> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match word {
        "q" | "q!" | "quit" | "exit" => ui.run(Command::Quit, now),
        "ctx" | "cluster" => return context(ui, rest),
        "ns" | "namespace" if !rest.is_empty() => return namespace(ui, rest),
        "at" if rest.is_empty() => return Err(ui.history_begins(now)),
        "at" => return ui.go_to(rest, now),
        "kubeconfig" => return ui.open_file(rest),
        "theme" => ui.run(Command::Themes, now),
        "failover" if rest == "init" => return ui.failover_init("", now),
        "failover" if rest.starts_with("init ") => return ui.failover_init(&rest[5..], now),
        _ => return pane_kind_or_operation(ui, word, rest, now),
    }
    Ok(())
}

fn pane_kind_or_operation(ui: &mut Ui, word: &str, rest: &str, now: Time) -> Result<(), Text> {
    if let Some(index) = ui.panes.iter().position(|pane| pane.name == word) {
        ui.show(index);
        return Ok(());
    }
    if let Some(operation) = ui.operation(word) {
        if rest.is_empty() {
            ui.open_plan(operation.id, now);
            return Ok(());
        }
        let subjects = ui.named(operation.applies_to, rest);
        let clusters: std::collections::BTreeSet<ClusterId> =
            subjects.iter().map(|key| key.cluster).collect();
        return match clusters.len() {
            0 => Err(Text::from(format!("nothing in scope is called {rest}"))),
            1 => {
                ui.plan_on(operation, subjects, now);
                Ok(())
            }
            n => Err(Text::from(format!("{rest} is in {n} clusters; :ctx narrows the scope to one"))),
        };
    }
    if let Some(kind) = Kind::by_any_name(word) {
        let index =
            ui.panes.iter().position(|pane| pane.name == "objects").ok_or("there is no objects pane")?;
        ui.kind = kind;
        ui.show(index);
        if let Some(table) = ui.table() {
            table.filter = Filter::parse(rest);
            table.follow_first();
            table.relist();
        }
        return Ok(());
    }
    if let Some(command) = Command::by_name(word, &operations(ui)) {
        ui.run(command, now);
        return Ok(());
    }
    Err(Text::from(format!("no command {word}{}", nearest(ui, word))))
}

/// Clusters by name; `*` stands for anything.
fn context(ui: &mut Ui, pattern: &str) -> Result<(), Text> {
    if pattern.is_empty() || pattern == "*" {
        ui.set_scope(Scope::All);
        return Ok(());
    }
    let Some(snapshot) = ui.snapshot().cloned() else { return Err("no cluster was seen yet".into()) };
    let fleet = &snapshot.fleet;
    let ids: Vec<ClusterId> = match fleet.by_name(pattern) {
        Some(cluster) => vec![cluster.id],
        None => fleet.clusters.iter().filter(|c| matches(pattern, &c.info.name)).map(|c| c.id).collect(),
    };
    if ids.is_empty() {
        return Err(Text::from(format!("no cluster is called {pattern}")));
    }
    ui.set_scope(Scope::Clusters(ids));
    Ok(())
}

fn namespace(ui: &mut Ui, name: &str) -> Result<(), Text> {
    let id = match &ui.scope {
        Scope::Clusters(ids) if ids.len() == 1 => ids.first().copied(),
        Scope::Namespace(id, _) | Scope::Pool(id, _) => Some(*id),
        _ => None,
    };
    let Some(id) = id else {
        // Over several clusters a namespace is a filter.
        if let Some(table) = ui.table() {
            table.filter = Filter::parse(&format!("ns:{name}"));
            table.relist();
        }
        return Ok(());
    };
    ui.set_scope(Scope::Namespace(id, Text::clean(name)));
    Ok(())
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or(""),
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn nearest(ui: &Ui, word: &str) -> String {
    let words = all(ui);
    let near = words.iter().map(|p| (strsim::damerau_levenshtein(&p.line, word), &p.line)).min();
    // A third of the letters may be wrong: with more of them wrong it is another word.
    near.filter(|(distance, _)| *distance <= 2 && distance * 3 <= word.chars().count())
        .map_or_else(String::new, |(_, line)| format!("; {line}?"))
}

/// Everything that can be said first.
fn all(ui: &Ui) -> Vec<Proposal> {
    let say = |line: &str, meaning: String| Proposal { line: line.to_owned(), meaning };
    let mut all: Vec<Proposal> =
        ui.panes.iter().map(|pane| say(pane.name, format!("{}: {}", pane.title, pane.question))).collect();
    all.extend(ui.operations.iter().map(|op| say(op.id, op.title.to_owned())));
    if ui.panes.iter().any(|pane| pane.name == "objects") {
        all.extend(
            Kind::ALL.into_iter().map(|kind| say(kind.names().plural, "objects of this kind".to_owned())),
        );
    }
    all.extend(LINES.iter().map(|(line, meaning)| say(line, (*meaning).to_owned())));
    let twice = |name: &str| LINES.iter().any(|(line, _)| *line == name);
    all.extend(
        Command::TABLE.iter().filter(|row| !twice(row.name)).map(|row| say(row.name, doc(ui, row.command))),
    );
    all
}

/// What begins with what was typed; after a word, what may follow it.
fn proposals(ui: &Ui, typed: &str) -> Vec<Proposal> {
    if let Some((word @ ("ctx" | "cluster"), name)) = typed.split_once(' ') {
        let Some(snapshot) = ui.snapshot() else { return Vec::new() };
        let fitting = snapshot.fleet.clusters.iter().filter(|c| c.info.name.starts_with(name));
        let line = |c: &std::sync::Arc<crate::model::Cluster>| Proposal {
            line: format!("{word} {}", c.info.name),
            meaning: format!("{} · {}", c.provider.name(), c.region),
        };
        return fitting.take(SHOWN * 4).map(line).collect();
    }
    let mut fitting = all(ui);
    fitting.retain(|proposal| proposal.line.starts_with(typed));
    for proposal in &mut fitting {
        if let Some(kind) = Kind::by_any_name(&proposal.line).filter(|k| k.names().plural == proposal.line) {
            let clusters = ui.snapshot().into_iter().flat_map(|s| &s.fleet.clusters);
            let count: usize = clusters.filter(|c| ui.scope.holds(c)).map(|c| c.table(kind).rows.len()).sum();
            proposal.meaning = format!("{} objects", crate::model::grouped(count as u64));
        }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name) in
            [("eks-*", "eks-use1"), ("*use1", "eks-use1"), ("e*-*1", "eks-use1"), ("a", "a")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("eks-*", "gke"), ("*1", "eks-use2"), ("a", "ab"), ("aa*aa", "aaa")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
