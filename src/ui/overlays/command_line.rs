//! The command line: panes, kinds, operations, contexts; what is typed is completed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Flow;
use super::help::doc;
use crate::input::{Command, Key, Operation};
use crate::model::text::glob;
use crate::model::{Cluster, ClusterId, Kind, Record, Text, Time, many, nearest};
use crate::theme::Role;
use crate::ui::Effect;
use crate::ui::canvas::{Canvas, cells};
use crate::ui::field::Field;
use crate::ui::screen::Ui;
use crate::ui::table::Filter;
use crate::views::Scope;
use crate::views::health::counted;

/// How many completions are shown at once.
const SHOWN: usize = 8;

/// How many names are proposed at most.
const PROPOSED: usize = 64;

/// The command line while it is typed.
#[derive(Default)]
pub(in crate::ui) struct CommandLine {
    pub(super) field: Field,
    /// Which earlier line is shown, counted from the newest.
    back: usize,
    /// Which completion was gone to; the first is proposed before any was.
    chosen: Option<usize>,
    error: Text,
}

/// What only the command line takes, and what it does.
pub(super) const LINES: [(&str, &str); 7] = [
    ("ctx", "narrow the scope to a cluster; * stands for anything"),
    ("ns", "narrow the scope to a namespace"),
    ("at", "the fleet as it was: :at 02:10, :at 5m, :at now"),
    ("kubeconfig", "open the clusters of this file instead; without one, read the same again"),
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
            self.chosen = None;
        }
        Flow::Keep
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        match command {
            Command::Back => return Flow::Close,
            Command::Accept => return self.accept(ui, now),
            Command::Complete => {
                let chosen = self.chosen.take().unwrap_or(0);
                if let Some(proposal) = proposals(ui, self.field.text()).into_iter().nth(chosen) {
                    self.field = Field::with(&proposal.line);
                }
            }
            Command::Up if self.chosen.is_some() => {
                self.chosen = self.chosen.and_then(|chosen| chosen.checked_sub(1));
            }
            Command::Up => {
                self.back = (self.back + 1).min(ui.history.len());
                self.recall(ui);
            }
            Command::Down if self.back > 0 => {
                self.back -= 1;
                self.recall(ui);
            }
            Command::Down => {
                let last = proposals(ui, self.field.text()).len().checked_sub(1);
                let next = self.chosen.map_or(0, |chosen| chosen + 1);
                self.chosen = last.map(|last| next.min(last));
            }
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
        let gone_to = self.chosen.and_then(|at| proposals(ui, self.field.text()).into_iter().nth(at));
        let line = gone_to.map_or_else(|| self.field.text().trim().to_owned(), |proposal| proposal.line);
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
        let chosen = self.chosen.unwrap_or(0).min(proposals.len().saturating_sub(1));
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
            if Some(at) == self.chosen {
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
        self.given()
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
        "now" => return ui.go_to("now", now),
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
            table.pass.filter = Filter::parse(rest);
            table.follow_first();
            table.relist();
        }
        return Ok(());
    }
    if let Some(command) = Command::by_name(word, &operations(ui)) {
        ui.run(command, now);
        return Ok(());
    }
    let words = all(ui);
    let near = nearest(word, words.iter().map(|proposal| proposal.line.as_str()));
    Err(Text::from(format!(
        "no command {word}{}",
        near.map_or_else(String::new, |near| format!("; {near}?"))
    )))
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
        None => fleet.clusters.iter().filter(|c| glob(pattern, &c.info.name)).map(|c| c.id).collect(),
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
    let name = Text::clean(name);
    if name == "*" {
        ui.set_scope(id.map_or(Scope::All, |id| Scope::Clusters(vec![id])));
        return Ok(());
    }
    if let Some(snapshot) = ui.snapshot() {
        let meant = snapshot.fleet.clusters.iter().filter(|cluster| id.is_none_or(|id| cluster.id == id));
        let meant: Vec<&Cluster> = meant.map(Arc::as_ref).collect();
        // A scope in which nothing can be would say that nothing is wrong.
        if !meant.is_empty() && meant.iter().all(|cluster| lacks(cluster, &name)) {
            return Err(Text::from(format!("no namespace {name} in {}", many(meant.len(), "cluster"))));
        }
    }
    ui.set_scope(match id {
        Some(id) => Scope::Namespace(id, name),
        None => Scope::NamespaceEverywhere(name),
    });
    Ok(())
}

/// Whether a cluster is known to have no namespace of this name: every cluster has some.
fn lacks(cluster: &Cluster, name: &str) -> bool {
    let mut known = cluster.records(Kind::Namespace).peekable();
    counted(cluster, Kind::Namespace)
        && known.peek().is_some()
        && known.all(|record| record.meta().name != name)
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
    if let Some((word, name)) = typed.split_once(' ')
        && let Some(named) = names(ui, word, name)
    {
        let line = |(name, meaning): (String, String)| Proposal { line: format!("{word} {name}"), meaning };
        return named.into_iter().map(line).collect();
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

/// What may follow a word that takes a name, and what each is; `None` after other words.
fn names(ui: &Ui, word: &str, begun: &str) -> Option<Vec<(String, String)>> {
    let clusters = || ui.snapshot().into_iter().flat_map(|s| &s.fleet.clusters);
    let fits = |name: &str| name.starts_with(begun);
    let named: BTreeMap<String, String> = match word {
        "ctx" | "cluster" => {
            let fitting = clusters().filter(|c| fits(&c.info.name)).take(PROPOSED);
            let meaning = |c: &Cluster| format!("{} · {}", c.provider.name(), c.region);
            fitting.map(|c| (c.info.name.to_string(), meaning(c))).collect()
        }
        "ns" | "namespace" => {
            let spaces = clusters().filter(|c| ui.scope.holds(c)).flat_map(|c| c.records(Kind::Namespace));
            let fitting = spaces.filter(|space| fits(&space.meta().name));
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            fitting.for_each(|space| *counts.entry(space.meta().name.to_string()).or_default() += 1);
            counts
                .into_iter()
                .map(|(name, n)| (name, format!("in {}", many(n, "cluster"))))
                .take(PROPOSED)
                .collect()
        }
        verb => {
            let kinds = ui.operation(verb)?.applies_to;
            let within = clusters().filter(|c| ui.scope.holds(c));
            let objects =
                within.flat_map(|c| kinds.iter().flat_map(|kind| c.records(*kind)).map(move |r| (c, r)));
            let path = |(c, r): (&Arc<Cluster>, &Arc<Record>)| {
                let place = format!("{} · {}", r.kind().names().kind, c.info.name);
                let meta = r.meta();
                let held = !r.kind().names().namespaced || ui.scope.holds_namespace(&meta.namespace);
                let path = if meta.namespace.is_empty() {
                    meta.name.to_string()
                } else {
                    format!("{}/{}", meta.namespace, meta.name)
                };
                (held && (fits(&path) || fits(&meta.name))).then_some((path, place))
            };
            objects.filter_map(path).take(PROPOSED).collect()
        }
    };
    Some(named.into_iter().collect())
}
