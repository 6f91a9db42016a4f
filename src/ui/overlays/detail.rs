//! The detail of one object: what is known of it, YAML, events, logs.

mod words;

use std::sync::Arc;

use super::Flow;
use crate::input::{Command, Key};
use crate::model::{Fault, Kind, ObjectKey, Record, Text, Time, grouped};
use crate::theme::Role;
use crate::ui::canvas::Canvas;
use crate::ui::field::Field;
use crate::ui::screen::Ui;
use crate::ui::text_view::TextView;
use crate::ui::{Detail, Effect, LogNews, Reading};
use words::{described, events, yaml_role};

/// How many lines of a log are kept while it is followed; older ones make way.
const LOG_LINES: usize = 10_000;

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

/// How far a log that is followed has come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Log {
    /// Lines come as the container writes them.
    #[default]
    Open,
    /// It ended then: the container did, or what is wrong.
    Ended(Time, Option<Text>),
}

/// One object on screen.
pub(in crate::ui) struct DetailView {
    key: ObjectKey,
    /// As last seen: the object may go while it is read.
    record: Option<Arc<Record>>,
    gone: Option<Time>,
    cluster: Text,
    shown: Shown,
    /// Which container of the pod, in the order of its logs: those that serve, then init ones.
    container: usize,
    log: Log,
    /// Lines that came since the reader left the end.
    new: usize,
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
            container: 0,
            log: Log::Open,
            new: 0,
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
            // A state of the past may be from before the object was made.
            None if ui.frozen.is_some() => self.record = None,
            None if self.record.is_some() && self.gone.is_none() => self.gone = Some(now),
            None => {}
        }
        match self.shown {
            Shown::Describe => self.text.replace(self.described(now)),
            Shown::Events => self.text.replace(events(snapshot, &self.key)),
            _ => {}
        }
    }

    fn described(&self, now: Time) -> Vec<(Text, Role)> {
        match &self.record {
            Some(record) => described(record, &self.cluster, now),
            None => vec![(
                "not in what was seen of this cluster then; y reads it as it is now".into(),
                Role::TextDim,
            )],
        }
    }

    fn show(&mut self, ui: &mut Ui, shown: Shown, now: Time) {
        self.shown = shown;
        self.waiting = false;
        (self.log, self.new) = (Log::Open, 0);
        self.text = match &self.shown {
            Shown::Describe => TextView::new(self.described(now)),
            Shown::Events => TextView::new(ui.snapshot().map_or_else(Vec::new, |s| events(s, &self.key))),
            Shown::Yaml => self.ask(ui, Reading::Yaml),
            Shown::Logs { previous } => {
                let reading = self.reading(*previous);
                let mut text = self.ask(ui, reading);
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

    /// The containers of the pod, in the order of their logs.
    fn containers(&self) -> Vec<&Text> {
        let all = self.record.as_ref().and_then(|record| record.pod()).map_or(&[][..], |pod| &pod.containers);
        let serve = all.iter().filter(|container| !container.init);
        serve.chain(all.iter().filter(|container| container.init)).map(|container| &container.name).collect()
    }

    fn reading(&self, previous: bool) -> Reading {
        let container = self.containers().get(self.container).map_or(Text::EMPTY, |name| Text::clone(name));
        Reading::Logs { container, previous }
    }

    /// The log that is followed here, if one is.
    pub(in crate::ui) fn follows(&self) -> Option<Detail> {
        let follows = self.shown == Shown::Logs { previous: false } && self.log == Log::Open;
        follows.then(|| Detail { object: self.key.clone(), reading: self.reading(false) })
    }

    /// Takes what a followed log says.
    pub(in crate::ui) fn log(&mut self, detail: &Detail, news: &LogNews, now: Time) {
        if self.follows().as_ref() != Some(detail) {
            return;
        }
        self.waiting = false;
        match news {
            LogNews::Lines(lines) => {
                let lines: Vec<(Text, Role)> =
                    lines.lines().map(|line| (Text::clean(line), Role::Text)).collect();
                if !self.text.follow {
                    self.new += lines.len();
                }
                self.text.append(lines, LOG_LINES);
            }
            LogNews::Ended(fault) => {
                // Where nothing was said, why is what there is to read.
                if let Some(fault) = fault.as_ref().filter(|_| self.text.lines.is_empty()) {
                    let lines = [(fault.what.clone(), Role::Crit), (fault.next.clone(), Role::Text)];
                    self.text.append(lines.into(), LOG_LINES);
                }
                self.log = Log::Ended(now, fault.as_ref().map(|fault| fault.to_string().into()));
            }
        }
    }

    /// Takes what was asked for, if it is still what is shown.
    pub(in crate::ui) fn read(&mut self, detail: &Detail, result: &Result<String, Fault>) {
        let wanted = match &self.shown {
            Shown::Yaml => detail.reading == Reading::Yaml,
            Shown::Logs { previous } => detail.reading == self.reading(*previous),
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

    pub(super) fn typed(&mut self, key: Key) -> Flow {
        if let Some(field) = &mut self.search
            && field.key(key)
        {
            self.text.search(field.text());
        }
        Flow::Keep
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: Time) -> Flow {
        let now = ui.shown_at(now);
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
            Command::Describe | Command::Yaml | Command::PreviousLogs => {
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

    /// The reading after this one: every container's log, then that from before its last restart.
    fn next_reading(&mut self) -> Shown {
        let last = self.container + 1 >= self.containers().len();
        match self.shown {
            Shown::Describe => Shown::Yaml,
            Shown::Yaml => Shown::Events,
            Shown::Events if self.key.kind == Kind::Pod => {
                self.container = 0;
                Shown::Logs { previous: false }
            }
            Shown::Logs { previous: false } if !last => {
                self.container += 1;
                Shown::Logs { previous: false }
            }
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
        } else if ui.frozen.is_some() && matches!(self.shown, Shown::Yaml | Shown::Logs { .. }) {
            canvas.pieces(x, 0, &[(" · read now, not as of the frozen time", Role::Warn)]);
        }
        self.draw_readings(canvas);
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
                let place = self.place(ui);
                canvas.pieces(1, last, &[(&place, Role::TextDim)]);
            }
        }
    }

    fn draw_readings(&self, canvas: &mut Canvas<'_>) {
        let containers = self.containers();
        let which = match (containers.get(self.container), containers.len()) {
            (Some(name), 2..) => format!("logs {name} {}/{}", self.container + 1, containers.len()),
            _ => "logs".to_owned(),
        };
        let readings = [
            ("describe", self.shown == Shown::Describe),
            ("yaml", self.shown == Shown::Yaml),
            ("events", self.shown == Shown::Events),
            (which.as_str(), self.shown == Shown::Logs { previous: false }),
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
    }

    /// Where in the text one is, and whether more of it comes.
    fn place(&mut self, ui: &Ui) -> String {
        let place = self.text.place();
        if self.shown != (Shown::Logs { previous: false }) {
            return place;
        }
        if self.text.follow {
            self.new = 0;
        }
        match &self.log {
            Log::Open if self.text.follow => format!("{place} · following the end"),
            Log::Open => {
                let new = grouped(self.new as u64);
                let key = ui.keymap.key_of(Command::Bottom, &[crate::input::Mode::Text]);
                let key = key.map_or_else(String::new, |key| format!(", {key} follows"));
                format!("{place} · paused, {new} new{key}")
            }
            Log::Ended(at, why) => {
                let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
                format!("{place} · the log ended {}Z{why}; r reads it again", at.clock())
            }
        }
    }
}
