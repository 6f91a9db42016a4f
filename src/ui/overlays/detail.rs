//! The detail of one object: what is known of it, YAML, events, logs.

use std::sync::Arc;

use serde_json::Value;

use super::Flow;
use crate::input::{Command, Key};
use crate::model::{Fault, Kind, ObjectKey, Record, Text, Time};
use crate::theme::Role;
use crate::ui::canvas::Canvas;
use crate::ui::field::Field;
use crate::ui::screen::Ui;
use crate::ui::text_view::TextView;
use crate::ui::{Detail, Effect, Reading};
use crate::views::Snapshot;

/// What is read of the object now.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Shown {
    Describe,
    Yaml,
    Events,
    Logs { previous: bool },
}

impl Shown {
    /// What a command reads.
    fn of(command: Command) -> Option<Shown> {
        match command {
            Command::Describe => Some(Shown::Describe),
            Command::Yaml => Some(Shown::Yaml),
            Command::Logs => Some(Shown::Logs { previous: false }),
            Command::PreviousLogs => Some(Shown::Logs { previous: true }),
            _ => None,
        }
    }

    fn of_pods(&self) -> bool {
        matches!(self, Shown::Logs { .. })
    }
}

/// One object on screen.
pub(in crate::ui) struct DetailView {
    key: ObjectKey,
    /// As last seen: the object may go while it is read.
    record: Option<Arc<Record>>,
    gone: Option<Time>,
    cluster: Text,
    shown: Shown,
    /// The snapshot that `text` was made from, where it was made from one.
    made_from: u64,
    waiting: bool,
    text: TextView,
    pub(super) search: Option<Field>,
}

impl DetailView {
    pub(super) fn open(ui: &mut Ui, key: &ObjectKey, command: Command, now: Time) -> DetailView {
        let shown = Shown::of(command).unwrap_or(Shown::Describe);
        let mut view = DetailView {
            key: key.clone(),
            record: None,
            gone: None,
            cluster: Text::EMPTY,
            shown: Shown::Describe,
            made_from: 0,
            waiting: false,
            text: TextView::default(),
            search: None,
        };
        let at = ui.shown_at(now);
        view.look(ui, at);
        view.show(ui, shown, at);
        view
    }

    /// Takes the newest state of the object, if it is still there.
    fn look(&mut self, ui: &Ui, now: Time) {
        let Some(snapshot) = ui.snapshot() else { return };
        if self.made_from == snapshot.sequence {
            return;
        }
        self.made_from = snapshot.sequence;
        let Some(cluster) = snapshot.fleet.cluster(self.key.cluster) else { return };
        self.cluster = cluster.info.name.clone();
        let found = cluster.records(self.key.kind).find(|r| r.meta().uid == self.key.uid);
        match found {
            Some(record) => {
                self.record = Some(Arc::clone(record));
                self.gone = None;
            }
            None if self.record.is_some() && self.gone.is_none() => self.gone = Some(now),
            None => {}
        }
        match self.shown {
            Shown::Describe => self.text.replace(self.described(now)),
            Shown::Events => self.text.replace(events(snapshot, &self.key)),
            _ => {}
        }
    }

    fn show(&mut self, ui: &mut Ui, shown: Shown, now: Time) {
        self.shown = shown;
        self.waiting = false;
        self.text = match &self.shown {
            Shown::Describe => TextView::new(self.described(now)),
            Shown::Events => TextView::new(ui.snapshot().map_or_else(Vec::new, |s| events(s, &self.key))),
            Shown::Yaml => self.ask(ui, Reading::Yaml),
            Shown::Logs { previous } => {
                let previous = *previous;
                let mut text = self.ask(ui, Reading::Logs { container: Text::EMPTY, previous });
                text.follow = true;
                text
            }
        };
    }

    fn ask(&mut self, ui: &mut Ui, reading: Reading) -> TextView {
        self.waiting = true;
        ui.effects.push(Effect::Read(Detail { object: self.key.clone(), reading }));
        TextView::default()
    }

    /// Takes what was asked for, if it is still what is shown.
    pub(in crate::ui) fn read(&mut self, detail: &Detail, result: &Result<String, Fault>) {
        let wanted = match (&self.shown, &detail.reading) {
            (Shown::Yaml, Reading::Yaml) => true,
            (Shown::Logs { previous }, Reading::Logs { previous: of, .. }) => previous == of,
            _ => false,
        };
        if detail.object != self.key || !wanted {
            return;
        }
        self.waiting = false;
        let follow = self.text.follow;
        let yaml = self.shown == Shown::Yaml;
        self.text = match result {
            Ok(text) if text.is_empty() => TextView::new(vec![("nothing was written".into(), Role::TextDim)]),
            Ok(text) => TextView::of(text, |line| if yaml { yaml_role(line) } else { Role::Text }),
            Err(fault) => TextView::new(vec![
                (fault.what.clone(), Role::Crit),
                (fault.next.clone(), Role::Text),
                ("r asks again".into(), Role::TextDim),
            ]),
        };
        self.text.follow = follow;
    }

    /// What the store keeps of the object, field by field.
    fn described(&self, now: Time) -> Vec<(Text, Role)> {
        let Some(record) = &self.record else {
            return vec![("not in what was seen of this cluster; b reads it as YAML".into(), Role::TextDim)];
        };
        let mut lines = Vec::new();
        let meta = record.meta();
        let mut say = |label: &str, text: String| {
            if !text.is_empty() {
                lines.push((Text::from(format!("{label:<22} {text}")), Role::Text));
            }
        };
        say("cluster", self.cluster.to_string());
        say("uid", meta.uid.to_string());
        say(
            "age",
            meta.created.map_or_else(|| "?".to_owned(), |at| format!("{} ({})", at.age(now), at.rfc3339())),
        );
        // The API server writes when it is to be gone: the moment of deletion and its grace period.
        say(
            "deleting",
            meta.deleting.map_or_else(String::new, |by| match now.age(by).seconds() {
                left @ 0.. => {
                    format!("to be gone by {}, {} left", by.rfc3339(), crate::model::Span::from_seconds(left))
                }
                _ => format!("was to be gone by {}, {} ago", by.rfc3339(), by.age(now)),
            }),
        );
        say("owner", meta.owner.as_ref().map_or_else(String::new, |o| format!("{} {}", o.kind, o.name)));
        let manager = meta.manager.as_ref();
        say(
            "managed by",
            manager.map_or_else(String::new, |m| format!("{} {}, which reverts edits", m.system, m.name)),
        );
        lines.push((Text::EMPTY, Role::Text));
        if let Ok(Value::Object(mut fields)) = serde_json::to_value(record.as_ref()) {
            let labels = fields.get("meta").and_then(|meta| meta.get("labels")).cloned();
            fields.shift_remove("meta");
            flatten("", &Value::Object(fields), 0, &mut lines);
            if let Some(labels) = labels {
                flatten("labels", &labels, 0, &mut lines);
            }
        }
        lines
    }

    pub(super) fn typed(&mut self, key: Key) -> Flow {
        if let Some(field) = &mut self.search
            && field.key(key)
        {
            self.text.search(field.text());
        }
        Flow::Keep
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        match command {
            Command::Back if self.search.take().is_some() => self.text.search(""),
            Command::Back => return Flow::Close,
            Command::Accept => self.search = None,
            Command::EraseWord | Command::EraseLine => {
                if let Some(field) = &mut self.search {
                    field.clear();
                }
            }
            Command::Filter => self.search = Some(Field::default()),
            Command::Lens => {
                let next = self.next_reading();
                self.show(ui, next, now);
            }
            Command::Describe | Command::Yaml | Command::Logs | Command::PreviousLogs => {
                match Shown::of(command).filter(|shown| self.key.kind == Kind::Pod || !shown.of_pods()) {
                    Some(shown) => self.show(ui, shown, now),
                    None => ui.notice(now, format!("{} has no logs of its own", self.key.kind.names().kind)),
                }
            }
            Command::Retry => {
                let again = self.shown.clone();
                self.show(ui, again, now);
            }
            Command::Copy => {
                ui.copy_text(self.text.text(), now);
            }
            Command::Next | Command::Previous if !self.text.searching() => {
                ui.notice(now, "nothing is searched for here yet");
            }
            _ if self.text.motion(command) => {}
            _ => return Flow::Ignored,
        }
        Flow::Keep
    }

    fn next_reading(&self) -> Shown {
        match self.shown {
            Shown::Describe => Shown::Yaml,
            Shown::Yaml => Shown::Events,
            Shown::Events if self.key.kind == Kind::Pod => Shown::Logs { previous: false },
            Shown::Logs { previous: false } => Shown::Logs { previous: true },
            Shown::Events | Shown::Logs { .. } => Shown::Describe,
        }
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>, ui: &Ui, now: Time) {
        self.look(ui, ui.shown_at(now));
        let title = format!(" {}  ", self.key.kind.names().kind);
        let path = self.key.path();
        let x = canvas.pieces(
            0,
            0,
            &[
                (&title, Role::Title),
                (&path, Role::TextStrong),
                (" · ", Role::TextDim),
                (&self.cluster, Role::Text),
            ],
        );
        if let Some(at) = self.gone {
            let text = format!(" · deleted {}Z, as last seen", at.clock());
            canvas.pieces(x, 0, &[(&text, Role::Warn)]);
        }
        let readings = [
            ("describe", self.shown == Shown::Describe),
            ("yaml", self.shown == Shown::Yaml),
            ("events", self.shown == Shown::Events),
            ("logs", self.shown == Shown::Logs { previous: false }),
            ("previous logs", self.shown == Shown::Logs { previous: true }),
        ];
        let all = if self.key.kind == Kind::Pod { 5 } else { 3 };
        let mut x = 1;
        for (name, active) in readings.into_iter().take(all) {
            x = if active {
                canvas.pieces(x, 1, &[("[", Role::Title), (name, Role::Title), ("]", Role::Title)]) + 1
            } else {
                canvas.pieces(x, 1, &[(name, Role::TextDim)]) + 2
            };
        }
        let height = canvas.height();
        let mut body = canvas.part(1, 3, u16::MAX, height.saturating_sub(4));
        if self.waiting {
            body.pieces(0, 0, &[("… asking the cluster", Role::Moving)]);
        } else {
            self.text.draw(&mut body);
        }
        let last = height.saturating_sub(1);
        match &self.search {
            Some(field) => {
                let x = field.draw(canvas, last, " /");
                let found = format!("   {} lines", self.text.matches());
                canvas.pieces(x + 1, last, &[(&found, Role::TextDim)]);
            }
            None => {
                let place = if self.text.follow { "following the end".to_owned() } else { self.text.place() };
                canvas.pieces(1, last, &[(&place, Role::TextDim)]);
            }
        }
    }
}

/// Events about the object, newest first.
fn events(snapshot: &Snapshot, key: &ObjectKey) -> Vec<(Text, Role)> {
    let Some(cluster) = snapshot.fleet.cluster(key.cluster) else { return Vec::new() };
    let kind = key.kind.names().kind;
    let mut found: Vec<_> = cluster
        .records(Kind::Event)
        .filter_map(|record| record.event())
        .filter(|event| {
            let about = &event.regarding;
            // Of nodes the uid is often the node's name, so nodes go by name.
            about.uid == key.uid
                || (about.kind == kind && about.name == key.name && about.namespace == key.namespace)
        })
        .collect();
    found.sort_by_key(|event| std::cmp::Reverse(event.last.or(event.first)));
    if found.is_empty() {
        return vec![("no events; clusters forget them after an hour".into(), Role::TextDim)];
    }
    found
        .into_iter()
        .map(|event| {
            let at = event
                .last
                .or(event.first)
                .map_or_else(|| "        ?".to_owned(), |at| format!("{}Z", at.clock()));
            let times = if event.count > 1 { format!(" ×{}", event.count) } else { String::new() };
            let text = format!("{at}  {:<24} {}{times}  {}", event.reason, event.message, event.component);
            (Text::from(text), if event.warning { Role::Warn } else { Role::Text })
        })
        .collect()
}

/// A number as kubectl writes it: CPU is kept in milli-cores, memory and sizes in bytes.
fn quantity(name: &str, number: &serde_json::Number) -> String {
    const UNITS: [(&str, i64); 4] = [("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match (name, number.as_i64()) {
        ("cpu", Some(milli)) if milli % 1000 != 0 => format!("{milli}m"),
        ("cpu", Some(milli)) => (milli / 1000).to_string(),
        ("memory" | "size", Some(bytes)) if bytes != 0 => {
            let whole = UNITS.iter().find(|(_, unit)| bytes % unit == 0);
            whole.map_or_else(|| bytes.to_string(), |(suffix, unit)| format!("{}{suffix}", bytes / unit))
        }
        _ => number.to_string(),
    }
}

/// Fields as lines; what is empty is left out.
fn flatten(name: &str, value: &Value, depth: usize, lines: &mut Vec<(Text, Role)>) {
    let pad = "  ".repeat(depth.min(12));
    let label = name.replace('_', " ");
    let mut line = |text: &str, role| {
        lines.push((
            Text::from(format!("{pad}{label:<w$} {text}", w = 22_usize.saturating_sub(pad.len()))),
            role,
        ))
    };
    match value {
        Value::Null => {}
        Value::Bool(false) => {}
        Value::Bool(true) => line("yes", Role::Text),
        Value::Number(number) => line(&quantity(name, number), Role::Text),
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => line(text, Role::Text),
        Value::Array(items) if items.is_empty() => {}
        Value::Array(items) if items.iter().all(|i| !i.is_object() && !i.is_array()) => {
            let words: Vec<String> =
                items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned)).collect();
            line(&words.join(", "), Role::Text);
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(&format!("{name} {}", at + 1), item, depth, lines);
            }
        }
        Value::Object(fields) if fields.is_empty() => {}
        Value::Object(fields) => {
            let inner = if name.is_empty() { depth } else { depth + 1 };
            if !name.is_empty() {
                line("", Role::Title);
            }
            for (name, value) in fields {
                flatten(name, value, inner, lines);
            }
        }
    }
}

fn yaml_role(line: &str) -> Role {
    match line.trim_start() {
        rest if rest.starts_with('#') => Role::TextDim,
        rest if rest.ends_with(':') => Role::Title,
        _ => Role::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_in_the_words_of_kubectl() {
        let say = |name: &str, number: i64| quantity(name, &number.into());
        assert_eq!((say("cpu", 1500), say("cpu", 2000)), ("1500m".to_owned(), "2".to_owned()));
        assert_eq!(say("memory", 2_147_483_648), "2Gi");
        assert_eq!(say("memory", 1_610_612_736), "1536Mi");
        assert_eq!((say("size", 1000), say("pods", 110)), ("1000".to_owned(), "110".to_owned()));
    }
}
