//! Menus and short questions.

use std::sync::Arc;

use super::Flow;
use crate::input::{Command, Key};
use crate::model::{ClusterId, ObjectKey, Text, Time};
use crate::operations::{Control, OpId, OperationDecl, Options, Replicas, Unfinished};
use crate::theme::Role;
use crate::ui::Effect;
use crate::ui::canvas::{Canvas, cells};
use crate::ui::field::Field;
use crate::ui::screen::Ui;
use crate::ui::unfinished::Decision;

/// What choosing an item does.
#[derive(Clone)]
pub(in crate::ui) enum Pick {
    Nothing,
    Quit,
    Operation(&'static str),
    Plan(OperationDecl, Box<Options>),
    Object(ObjectKey),
    /// A reading of an object.
    Read(ObjectKey, Command),
    Control(OpId, Control),
    /// Sort by this column, and whether backwards; by the pane's own order when there is none.
    Sort(Option<(Text, bool)>),
    Copy(String),
    /// All rows of the table that are shown.
    CopyRows,
    Compare(Box<[ObjectKey; 2]>),
    /// The cluster that serves, of a recovery plan that is to be proposed.
    Primary(ClusterId),
    /// It and the cluster that is to take over.
    Propose(ClusterId, ClusterId),
    /// What is done about a run that was cut off.
    CutOff(Arc<Unfinished>, Decision),
}

/// A line of a menu.
#[derive(Clone)]
pub(in crate::ui) struct Item {
    pub(in crate::ui) label: Text,
    /// Why it cannot be chosen now; it stays listed.
    pub(in crate::ui) why_not: Option<Text>,
    pub(in crate::ui) pick: Pick,
}

/// A list to choose from, by cursor or by number.
pub(in crate::ui) struct Menu {
    title: Text,
    items: Vec<Item>,
    cursor: usize,
    top: usize,
    /// Whether keys from before it was drawn are dropped.
    pub(super) guarded: bool,
    pub(super) drawn: bool,
}

impl Menu {
    pub(super) fn new(title: &str, items: Vec<Item>) -> Menu {
        Menu { title: Text::clean(title), items, cursor: 0, top: 0, guarded: false, drawn: false }
    }

    /// The same menu, deaf to keys until it was drawn.
    pub(super) fn guarded(self) -> Menu {
        Menu { guarded: true, ..self }
    }

    pub(super) fn leaves(&self) -> bool {
        self.items.iter().any(|item| matches!(item.pick, Pick::Quit))
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        let last = self.items.len().saturating_sub(1);
        match command {
            Command::Down => self.cursor = (self.cursor + 1).min(last),
            Command::Up => self.cursor = self.cursor.saturating_sub(1),
            Command::HalfDown | Command::PageDown => self.cursor = (self.cursor + 10).min(last),
            Command::HalfUp | Command::PageUp => self.cursor = self.cursor.saturating_sub(10),
            Command::Top => self.cursor = 0,
            Command::Bottom => self.cursor = last,
            Command::Back => return Flow::Close,
            Command::Open => return self.choose(ui, self.cursor, now),
            Command::Pane(number @ 1..) if usize::from(number) <= self.items.len() => {
                return self.choose(ui, usize::from(number) - 1, now);
            }
            // An operation's own key chooses it here too.
            Command::Operation(id) => {
                let is = |item: &Item| matches!(item.pick, Pick::Operation(other) if other == id);
                if let Some(at) = self.items.iter().position(is) {
                    return self.choose(ui, at, now);
                }
                return Flow::Ignored;
            }
            _ => return Flow::Ignored,
        }
        Flow::Keep
    }

    fn choose(&mut self, ui: &mut Ui, at: usize, now: Time) -> Flow {
        let Some(item) = self.items.get(at).cloned() else { return Flow::Close };
        if let Some(why) = item.why_not {
            ui.notice(now, why);
            return Flow::Keep;
        }
        match item.pick {
            Pick::Nothing => {}
            Pick::Quit => ui.effects.push(Effect::Quit),
            Pick::Operation(id) => ui.open_plan(id, now),
            Pick::Plan(operation, options) => ui.plan_with(operation, Vec::new(), *options, now),
            Pick::Object(key) => {
                ui.open_detail(&key, Command::Describe, now);
                return Flow::Keep;
            }
            Pick::Read(key, command) => {
                ui.open_detail(&key, command, now);
                return Flow::Keep;
            }
            Pick::Sort(by) => {
                if let Some(table) = ui.table() {
                    table.sort = by;
                }
            }
            Pick::Compare(pair) => ui.compare_objects(&pair[0], &pair[1]),
            Pick::Primary(primary) => ui.ask_standby(primary, now),
            Pick::Propose(primary, standby) => ui.propose_recovery(primary, standby, None, now),
            Pick::Copy(text) => ui.copy_text(text, now),
            Pick::CopyRows => ui.copy_rows(now),
            Pick::Control(op, control) => ui.effects.push(Effect::Control(op, control)),
            Pick::CutOff(run, decision) => ui.decide(&run, decision, now),
        }
        Flow::Close
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>) {
        self.drawn = true;
        let title = canvas.role(Role::TextStrong);
        canvas.put(1, 1, &self.title, title);
        let page = usize::from(canvas.height().saturating_sub(3)).max(1);
        self.top = self.top.min(self.cursor).max((self.cursor + 1).saturating_sub(page));
        for line in 0..page {
            let at = self.top + line;
            let Some(item) = self.items.get(at) else { break };
            let y = cells(line + 3);
            let role = if item.why_not.is_some() { Role::TextDim } else { Role::Text };
            let style = canvas.role(role);
            let pointer = if at == self.cursor { "▸" } else { " " };
            canvas.put(0, y, pointer, style);
            let number = if at < 9 { format!("{}  ", at + 1) } else { "   ".to_owned() };
            let key = canvas.role(Role::Key);
            let x = canvas.put(1, y, &number, key);
            let x = canvas.put(x, y, &item.label, style);
            if let Some(why) = &item.why_not {
                let warn = canvas.role(Role::Warn);
                canvas.put(x, y, &format!("  · {why}"), warn);
            }
            if at == self.cursor {
                let width = canvas.width();
                let select = canvas.role(Role::Select);
                canvas.restyle(0, y, width, select);
            }
        }
    }
}

/// A question that is answered by typing: how many replicas.
pub(in crate::ui) struct Asked {
    operation: OperationDecl,
    subjects: Vec<ObjectKey>,
    options: Options,
    /// Each object: its path, its cluster, its replicas now.
    names: Vec<String>,
    field: Field,
    wrong: bool,
}

/// Lines on which the objects are named.
const NAMES: u16 = 3;

impl Asked {
    pub(super) fn replicas(
        ui: &Ui,
        operation: OperationDecl,
        subjects: Vec<ObjectKey>,
        options: Options,
    ) -> Asked {
        let fleet = ui.newest.as_ref().map(|snapshot| &snapshot.fleet);
        let named = |key: &ObjectKey| {
            let cluster = fleet.and_then(|fleet| fleet.cluster(key.cluster));
            let record = cluster.and_then(|c| c.find(key.kind, &key.namespace, &key.name));
            let now =
                record.and_then(|record| record.workload()).map_or("?".to_owned(), |w| w.desired.to_string());
            format!("{} {} {now}", key.path(), cluster.map_or("?", |c| c.info.name.as_str()))
        };
        let names = subjects.iter().map(named).collect();
        Asked { operation, subjects, options, names, field: Field::default(), wrong: false }
    }

    pub(super) fn typed(&mut self, key: Key) -> Flow {
        self.wrong = false;
        self.field.key(key);
        Flow::Keep
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        match command {
            Command::Back => Flow::Close,
            Command::Accept => {
                let Some(replicas) = Replicas::parse(self.field.text()) else {
                    self.wrong = true;
                    return Flow::Keep;
                };
                let options = Options { replicas: Some(replicas), ..self.options.clone() };
                ui.plan_with(self.operation, self.subjects.clone(), options, now);
                Flow::Close
            }
            Command::EraseWord | Command::EraseLine => {
                self.field.clear();
                Flow::Keep
            }
            _ => Flow::Keep,
        }
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>) {
        let last = canvas.height().saturating_sub(1);
        let width = canvas.width();
        let hint = if self.wrong { "a whole number, +2 or -1: " } else { "6, +2 or -1: " };
        let prompt = match self.names.as_slice() {
            [one] => format!(" {} {one} to how many replicas? {hint}", self.operation.id),
            _ => {
                let lines = self.named(usize::from(width).saturating_sub(2));
                let first = last.saturating_sub(cells(lines.len()));
                for (at, line) in lines.iter().enumerate() {
                    let y = first + cells(at);
                    canvas.part(0, y, width, 1).clear();
                    canvas.pieces(1, y, &[(line, Role::Text)]);
                }
                format!(" to how many replicas each? {hint}")
            }
        };
        self.field.draw(canvas, last, &prompt);
    }

    /// `scale 3 workloads: pay/api eks-use1 4, …`, on a few lines.
    fn named(&self, width: usize) -> Vec<String> {
        let mut lines = vec![format!("{} {} workloads:", self.operation.id, self.names.len())];
        for (at, name) in self.names.iter().enumerate() {
            let comma = if at + 1 < self.names.len() { "," } else { "" };
            let used = lines.last().map_or(0, |line| line.chars().count());
            if used + name.chars().count() + 2 > width {
                if lines.len() == usize::from(NAMES) {
                    lines.push(format!("and {} more", self.names.len() - at));
                    break;
                }
                lines.push(format!(" {name}{comma}"));
            } else if let Some(line) = lines.last_mut() {
                line.push_str(&format!(" {name}{comma}"));
            }
        }
        lines
    }
}
