//! What commands do to the rows of a table: open, mark, copy, pause.

use std::borrow::Cow;

use super::Effect;
use super::overlays::{Item, Overlay, Pick};
use super::pane::Enter;
use super::screen::Ui;
use crate::input::{Command, Mode};
use crate::model::{ClusterId, Kind, ObjectKey, Span, Text, Time, many};
use crate::operations::{Control, OpId, RunState};
use crate::views::{RowId, Scope};

/// Why a key about a row does nothing when that row went between the drawing and the key.
pub(super) const REPLACED: &str = "the row under the cursor went just now: look again";

impl Ui {
    pub(super) fn run_on_table(&mut self, command: Command, now: Time) {
        let Some(table) = self.tables.get_mut(self.active) else { return };
        let of_all = matches!(command, Command::MarkAll | Command::Sort | Command::SortBack);
        if table.current().is_none() && needs_row(command) {
            return self.notice(now, format!("{command}: no row here"));
        }
        if needs_row(command) && !of_all && !table.aim(now) {
            return self.notice(now, REPLACED);
        }
        let before = table.at;
        if table.motion(command, now) {
            self.lower_top = 0;
            if matches!(command, Command::Next | Command::Previous) && table.at == before {
                self.notice(now, "no other row in trouble that way");
            }
            return;
        }
        match command {
            Command::Open => self.open_row(now),
            Command::Mark => self.mark(now),
            Command::MarkRange => self.mark_range(now),
            Command::MarkAll => {
                let rows = table.shown().map(|row| (row.id.clone(), row.objects.clone()));
                self.marks.extend(rows);
                self.tell_marks(now);
            }
            Command::Unmark => self.marks.clear(),
            Command::Mute => self.mute(now),
            Command::Copy => {
                let menu = Overlay::copy(self);
                self.overlays.extend(menu);
            }
            Command::Describe | Command::Yaml | Command::Logs | Command::PreviousLogs => {
                self.open_detail_of_row(command, now);
            }
            Command::Compare => self.compare(now),
            Command::PauseRun | Command::StopRun => match self.run_under_cursor() {
                Some(op) => self.control(op, command, now),
                None => self.notice(now, "no run here; @ lists them"),
            },
            _ => self.look_otherwise(command, now),
        }
    }

    /// Changes which rows are listed, and how.
    fn look_otherwise(&mut self, command: Command, now: Time) {
        let Some(table) = self.tables.get_mut(self.active) else { return };
        match command {
            Command::Filter => self.overlays.push(Overlay::filter(&table.pass.filter)),
            Command::OnlyBad => {
                table.pass.only_bad = !table.pass.only_bad;
                table.relist();
            }
            Command::ShowNew => {
                table.held_until = None;
                table.release = true;
                if table.withheld() == 0 {
                    self.notice(now, "no new rows wait");
                }
            }
            Command::Sort => {
                let menu = Overlay::sort(self);
                self.overlays.extend(menu);
            }
            Command::SortBack => table.sort_back(),
            Command::Lens => {
                let lenses = self.panes.get(self.active).map_or(0, |pane| pane.lenses.len());
                if lenses > 1 {
                    table.lens = (table.lens + 1) % lenses;
                    table.follow_first();
                    table.shift = 0;
                } else {
                    self.notice(now, "this pane has one way to look at it");
                }
                self.want_journal();
            }
            Command::Wide => table.wide = !table.wide,
            Command::Unmute => {
                let any = !table.muted.is_empty();
                table.muted.clear();
                table.relist();
                self.notice(now, if any { "every row is shown again" } else { "no row is muted" });
            }
            _ => self.notice(now, format!("{command} does nothing here; ? lists the keys")),
        }
    }

    fn mark(&mut self, now: Time) {
        let Some(table) = self.tables.get_mut(self.active) else { return };
        if table.on_ghost() {
            return self.notice(now, "gone: it cannot be marked");
        }
        let Some(row) = table.current().map(Cow::into_owned) else { return };
        table.anchor = Some(row.id.clone());
        if self.marks.remove(&row.id).is_none() {
            self.marks.insert(row.id, row.objects);
        }
        table.motion(Command::Down, now);
        self.tell_marks(now);
    }

    fn mark_range(&mut self, now: Time) {
        let Some(table) = self.tables.get_mut(self.active) else { return };
        let anchor = table.anchor.clone();
        let Some(from) = anchor.and_then(|id| table.find(&id)) else { return self.mark(now) };
        let to = table.at;
        let range = (from.min(to)..=from.max(to)).filter_map(|at| table.at_slot(at));
        self.marks.extend(range.map(|row| (row.id.clone(), row.objects.clone())));
        self.tell_marks(now);
    }

    fn tell_marks(&mut self, now: Time) {
        let text = self.marks_text();
        if !text.is_empty() {
            self.notice(now, text);
        }
    }

    /// `5 marked in 3 clusters`.
    pub(super) fn marks_text(&self) -> String {
        let mut places: Vec<_> = self.marks.values().flatten().map(|key| key.cluster).collect();
        places.sort_unstable();
        places.dedup();
        match (self.marks.len(), places.len()) {
            (0, _) => String::new(),
            (n, 0) => format!("{n} marked"),
            (n, places) => format!("{n} marked in {}", many(places, "cluster")),
        }
    }

    fn mute(&mut self, now: Time) {
        let Some(table) = self.table() else { return };
        table.mute(now + Span::from_seconds(3600), now);
        self.notice(now, "muted for 1 h; it still counts, and :unmute shows it again");
    }

    /// Asks for the journal when its lens is on; says whether it is.
    pub(super) fn want_journal(&mut self) -> bool {
        let lens = self.tables.get(self.active).map_or(0, |table| table.lens);
        let lenses = self.panes.get(self.active).map_or(&[][..], |pane| pane.lenses);
        let journal = self.pane_name() == "operations" && lenses.get(lens) == Some(&"journal");
        self.effects.extend(journal.then_some(Effect::ReadJournal));
        journal
    }

    /// Puts text on the clipboard, by way of the terminal, which does not say whether it took it.
    pub(super) fn copy_text(&mut self, text: String, now: Time) {
        self.notice(now, format!("sent {} to the terminal's clipboard", lines(&text)));
        self.effects.push(Effect::Copy(text));
    }

    fn open_row(&mut self, now: Time) {
        let Some(row) = self.tables.get(self.active).and_then(|t| t.current()).map(Cow::into_owned) else {
            return;
        };
        let enter =
            self.with_input(now, |pane, input| (pane.on_enter)(input, &row)).unwrap_or(Enter::Nothing);
        match enter {
            Enter::Nothing => self.notice(now, "nothing opens here"),
            Enter::Scope(scope, digit) => {
                let scope = self.marked_clusters().unwrap_or(scope);
                let before = (self.active, self.scope.clone());
                self.set_scope(scope);
                if let Some(index) = self.panes.iter().position(|pane| pane.digit == digit) {
                    self.show(index);
                }
                self.last_view = Some(before);
            }
            Enter::Run(op) => self.overlays.push(Overlay::run(op)),
            Enter::CutOff(seq) => self.offer_again(seq, now),
            Enter::Login(cluster) => self.overlays.push(Overlay::login(self, cluster)),
            Enter::Detail(key) => self.open_detail(&key, Command::Describe, now),
            Enter::Objects => match row.objects.as_slice() {
                [] => self.notice(now, "no object behind this row"),
                [one] => self.open_detail(&one.clone(), Command::Describe, now),
                many => self.overlays.push(Overlay::objects(self, &row, many)),
            },
        }
    }

    /// The marks as a scope of several clusters, where all of them are clusters; they are taken.
    fn marked_clusters(&mut self) -> Option<Scope> {
        let cluster = |id: &RowId| match id {
            RowId::Cluster(id) => Some(*id),
            _ => None,
        };
        let ids: Option<Vec<ClusterId>> = self.marks.keys().map(cluster).collect();
        let ids = ids.filter(|ids| !ids.is_empty())?;
        self.marks.clear();
        Some(Scope::Clusters(ids))
    }

    fn open_detail_of_row(&mut self, command: Command, now: Time) {
        let Some(row) = self.tables.get(self.active).and_then(|t| t.current()).map(Cow::into_owned) else {
            return;
        };
        let logs = matches!(command, Command::Logs | Command::PreviousLogs);
        let wanted = |key: &&ObjectKey| !logs || key.kind == Kind::Pod;
        let own = match &row.id {
            RowId::Object(key) => Some(key.clone()),
            _ => None,
        };
        match own.iter().chain(&row.objects).find(wanted).cloned() {
            Some(key) => self.open_detail(&key, command, now),
            None if logs => {
                let mut workloads = row.objects;
                workloads.extend(own.filter(|own| !workloads.contains(own)));
                self.choose_pod(&workloads, command, now);
            }
            None => self.notice(now, "no object behind this row"),
        }
    }

    /// Opens the logs of the pod that workloads own; asks which where they own several.
    fn choose_pod(&mut self, workloads: &[ObjectKey], command: Command, now: Time) {
        let Some(snapshot) = self.snapshot().cloned() else { return };
        let mut items = Vec::new();
        for key in workloads {
            let Some(cluster) = snapshot.fleet.cluster(key.cluster) else { continue };
            for record in cluster.records(Kind::Pod) {
                let Some(pod) = record.pod().filter(|pod| pod.meta.namespace == key.namespace) else {
                    continue;
                };
                if pod.workload().is_some_and(|(kind, name)| kind == key.kind && name == key.name) {
                    let state = if pod.ready { "ready" } else { "not ready" };
                    let label = format!("{:<16} {:<9} {}", cluster.info.name, state, pod.meta.name);
                    let pick = Pick::Read(record.key(cluster.id), command);
                    items.push(Item { label: label.into(), why_not: None, pick });
                }
            }
        }
        // What is not well is why one reads logs.
        items.sort_by_key(|item| !item.label.contains("not ready"));
        match items.as_slice() {
            [] => self.notice(now, "no pod behind this row, so no logs"),
            [Item { pick: Pick::Read(key, _), .. }] => self.open_detail(&key.clone(), command, now),
            _ => self.overlays.push(Overlay::menu("the logs of which pod", items)),
        }
    }

    /// Opens the detail of an object at a reading.
    pub(super) fn open_detail(&mut self, key: &ObjectKey, command: Command, now: Time) {
        let overlay = Overlay::detail(self, key, command, now);
        self.overlays.push(overlay);
    }

    /// The run that the cursor is on.
    fn run_under_cursor(&self) -> Option<OpId> {
        match self.tables.get(self.active)?.current()?.id {
            RowId::Run(op) => Some(OpId(op)),
            _ => None,
        }
    }

    fn can_be_put_back(&self, op: OpId) -> bool {
        self.runs.iter().any(|run| run.op == op && run.can_be_put_back())
    }

    /// The first cluster that a run writes to and that is not armed now.
    fn unarmed(&self, op: OpId, now: Time) -> Option<Text> {
        let run = self.runs.iter().find(|run| run.op == op)?;
        let id = run.plan.touches.iter().find(|id| self.arming.left(**id, now).is_none())?;
        let cluster = self.newest.as_ref().and_then(|snapshot| snapshot.fleet.cluster(*id));
        Some(cluster.map_or_else(|| "its cluster".into(), |cluster| cluster.info.name.clone()))
    }

    /// Pauses, resumes, or asks how to stop a run; of one that ended, whether to put it back.
    pub(super) fn control(&mut self, op: OpId, command: Command, now: Time) {
        match (self.run_state(op), command) {
            (Some(RunState::Ended(_)), Command::StopRun) if self.can_be_put_back(op) => {
                // It was confirmed for then, and this is another moment.
                if let Some(name) = self.unarmed(op, now) {
                    let key = self.keymap.key_of(Command::Arm, &[Mode::Table, Mode::All]);
                    let key = key.map_or(String::new(), |key| format!(": {key}"));
                    return self.notice(now, format!("arm {name} first{key}"));
                }
                let overlay = Overlay::put_back(self, op);
                self.overlays.push(overlay);
            }
            (None | Some(RunState::Ended(_)), _) => self.notice(now, "it ended already"),
            (Some(RunState::Paused), Command::PauseRun) => {
                self.effects.push(Effect::Control(op, Control::Resume));
            }
            (Some(_), Command::PauseRun) => self.effects.push(Effect::Control(op, Control::Pause)),
            (Some(_), _) => {
                let overlay = Overlay::stop(self, op);
                self.overlays.push(overlay);
            }
        }
    }
}

/// Whether a command is about the row under the cursor, or about rows at all.
const fn needs_row(command: Command) -> bool {
    use Command::{
        Compare, Copy, Describe, Logs, Mark, MarkAll, MarkRange, Mute, Open, PauseRun, PreviousLogs, Sort,
        SortBack, StopRun, Yaml,
    };
    matches!(
        command,
        Open | Mark
            | MarkRange
            | MarkAll
            | Mute
            | Describe
            | Yaml
            | Logs
            | PreviousLogs
            | Compare
            | Copy
            | Sort
            | SortBack
            | PauseRun
            | StopRun
    )
}

/// `1 line`, `31 lines`.
fn lines(text: &str) -> String {
    match text.lines().count() {
        1 => "1 line".to_owned(),
        n => format!("{n} lines"),
    }
}
