//! Two things side by side in one text: the same object in two clusters, two objects, or the
//! cells of two rows. What a server makes by itself is left out.

use std::borrow::Cow;

use similar::{ChangeTag, TextDiff};

use super::{Flow, Item, Overlay, Pick};
use crate::input::{Command, Key};
use crate::model::{Column, Fault, ObjectKey, Text};
use crate::theme::Role;
use crate::ui::canvas::Canvas;
use crate::ui::field::Field;
use crate::ui::screen::Ui;
use crate::ui::text_view::TextView;
use crate::ui::{Detail, Effect, Reading};
use crate::views::{RowId, SheetRow};

/// Equal lines around a change that are shown.
const AROUND: usize = 3;

/// A comparison on screen.
pub(in crate::ui) struct CompareView {
    names: [Text; 2],
    /// The objects that are read; none when rows are compared.
    keys: Option<[ObjectKey; 2]>,
    sides: [Option<Result<String, Text>>; 2],
    /// Whether what is equal is shown too.
    whole: bool,
    changes: usize,
    text: TextView,
    pub(super) search: Option<Field>,
}

impl CompareView {
    fn of(names: [Text; 2], keys: Option<[ObjectKey; 2]>) -> CompareView {
        CompareView {
            names,
            keys,
            sides: [None, None],
            whole: false,
            changes: 0,
            text: TextView::default(),
            search: None,
        }
    }

    /// Asks for both objects.
    pub(super) fn objects(ui: &mut Ui, left: &ObjectKey, right: &ObjectKey) -> CompareView {
        let same_name =
            (left.kind, &left.namespace, &left.name) == (right.kind, &right.namespace, &right.name);
        let name = |key: &ObjectKey| {
            let cluster = ui.snapshot().and_then(|s| s.fleet.cluster(key.cluster));
            let cluster = cluster.map_or_else(|| Text::from("?"), |c| c.info.name.clone());
            let object = format!("{} {}", key.kind.names().kind, key.path());
            Text::from(if same_name {
                format!("{cluster} · {object}")
            } else {
                format!("{object} · {cluster}")
            })
        };
        let view = CompareView::of([name(left), name(right)], Some([left.clone(), right.clone()]));
        for key in [left, right] {
            ui.effects.push(Effect::Read(Detail { object: key.clone(), reading: Reading::Written }));
        }
        view
    }

    /// Compares what two rows say, column by column.
    fn rows(columns: &[Column], left: &SheetRow, right: &SheetRow) -> CompareView {
        let widest = columns.iter().position(|column| column.width == 0).unwrap_or(0);
        let name = |row: &SheetRow| row.cells.get(widest).map(|cell| cell.text.clone()).unwrap_or_default();
        let mut view = CompareView::of([name(left), name(right)], None);
        let mut lines = Vec::new();
        let pairs = columns.iter().zip(left.cells.iter().zip(&right.cells));
        for (column, (old, new)) in pairs.filter(|(column, _)| !column.title.is_empty()) {
            let line = |sign, text: &Text| Text::from(format!("{sign} {:<20} {text}", column.title));
            if old.text == new.text {
                lines.push((line(' ', &old.text), Role::Text));
            } else {
                view.changes += 2;
                lines.push((line('-', &old.text), Role::DiffDel));
                lines.push((line('+', &new.text), Role::DiffAdd));
            }
        }
        view.text = TextView::new(lines);
        view.whole = true;
        view
    }

    /// Takes what was asked for.
    pub(in crate::ui) fn read(&mut self, detail: &Detail, result: &Result<String, Fault>) {
        let Some(keys) = self.keys.as_ref().filter(|_| detail.reading == Reading::Written) else { return };
        for (side, key) in self.sides.iter_mut().zip(keys) {
            if *key == detail.object {
                *side = Some(
                    result.clone().map_err(|fault| Text::from(format!("{} {}", fault.what, fault.next))),
                );
            }
        }
        self.compare();
    }

    fn compare(&mut self) {
        let [Some(left), Some(right)] = &self.sides else { return };
        let (left, right) = match (left, right) {
            (Ok(left), Ok(right)) => (left, right),
            (Err(why), _) | (_, Err(why)) => {
                self.text = TextView::new(vec![(why.clone(), Role::Crit)]);
                return;
            }
        };
        let diff = TextDiff::from_lines(left.as_str(), right.as_str());
        let around = if self.whole { usize::MAX / 4 } else { AROUND };
        let mut lines = Vec::new();
        self.changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal).count();
        for (at, group) in diff.grouped_ops(around).iter().enumerate() {
            if at > 0 {
                lines.push(("  …".into(), Role::TextDim));
            }
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let (sign, role) = match change.tag() {
                    ChangeTag::Delete => ('-', Role::DiffDel),
                    ChangeTag::Insert => ('+', Role::DiffAdd),
                    ChangeTag::Equal => (' ', Role::Text),
                };
                lines.push((Text::clean(&format!("{sign} {}", change.value().trim_end())), role));
            }
        }
        if self.changes == 0 {
            lines = vec![("They are the same, but for what servers make by themselves.".into(), Role::Ok)];
        }
        self.text.replace(lines);
    }

    pub(super) fn typed(&mut self, key: Key) -> Flow {
        if let Some(field) = &mut self.search
            && field.key(key)
        {
            self.text.search(field.text());
        }
        Flow::Keep
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command, now: crate::model::Time) -> Flow {
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
            Command::Lens if self.keys.is_some() => {
                self.whole = !self.whole;
                self.compare();
            }
            Command::Copy => ui.copy_text(self.text.text(), now),
            Command::Next | Command::Previous if !self.text.searching() => {
                let changed = |role| matches!(role, Role::DiffAdd | Role::DiffDel);
                self.text.step(command == Command::Next, changed);
            }
            _ if self.text.motion(command) => {}
            _ => return Flow::Ignored,
        }
        Flow::Keep
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>) {
        let [left, right] = &self.names;
        canvas.pieces(0, 0, &[(" COMPARE  ", Role::Title), ("- ", Role::DiffDel), (left, Role::TextStrong)]);
        canvas.pieces(10, 1, &[("+ ", Role::DiffAdd), (right, Role::TextStrong)]);
        let height = canvas.height();
        let mut body = canvas.part(1, 3, u16::MAX, height.saturating_sub(4));
        if self.keys.is_some() && self.sides.iter().any(Option::is_none) {
            body.pieces(0, 0, &[("… asking the clusters", Role::Moving)]);
        } else {
            self.text.draw(&mut body);
        }
        let last = height.saturating_sub(1);
        if let Some(field) = &self.search {
            field.draw(canvas, last, " /");
            return;
        }
        let what = if self.keys.is_some() {
            " · status, uids, versions and managed fields are left out"
        } else {
            ""
        };
        let shown = if self.whole { "all lines" } else { "changes only" };
        let foot = format!("{} lines differ · {shown}{what} · {}", self.changes, self.text.place());
        canvas.pieces(1, last, &[(&foot, Role::TextDim)]);
    }
}

impl Ui {
    /// Compares two marked rows, or the cursor's object with the same one elsewhere.
    pub(in crate::ui) fn compare(&mut self, now: crate::model::Time) {
        let marked: Vec<Vec<ObjectKey>> = self.marks.values().cloned().collect();
        match marked.as_slice() {
            [] => self.compare_elsewhere(now),
            [left, right] => match (left.as_slice(), right.as_slice()) {
                ([left], [right]) => self.compare_objects(&left.clone(), &right.clone()),
                _ => self.compare_rows(now),
            },
            many => self.notice(now, format!("= compares two rows; {} are marked", many.len())),
        }
    }

    /// Compares two objects.
    pub(in crate::ui) fn compare_objects(&mut self, left: &ObjectKey, right: &ObjectKey) {
        let view = CompareView::objects(self, left, right);
        self.overlays.push(Overlay::Compare(Box::new(view)));
    }

    fn compare_rows(&mut self, now: crate::model::Time) {
        let Some(table) = self.tables.get(self.active) else { return };
        let Some(computed) = table.computed.as_ref() else { return };
        // In the order in which they stand.
        let mut places: Vec<usize> =
            self.marks.keys().filter_map(|id| computed.sheet.rows.find(id)).collect();
        places.sort_unstable();
        let rows: Vec<_> = places.into_iter().filter_map(|at| computed.sheet.rows.get(at)).collect();
        let [left, right] = rows.as_slice() else {
            return self.notice(now, "= compares two rows of this pane, or two rows of one object each");
        };
        let view = CompareView::rows(&computed.sheet.columns, left, right);
        self.overlays.push(Overlay::Compare(Box::new(view)));
    }

    /// The cursor's object, or its workload, in this cluster and another.
    fn compare_elsewhere(&mut self, now: crate::model::Time) {
        let Some(row) = self.tables.get(self.active).and_then(|t| t.current()).map(Cow::into_owned) else {
            return;
        };
        let own = match &row.id {
            RowId::Object(key) => Some(key.clone()),
            _ => row.objects.first().cloned(),
        };
        let Some(own) = own else {
            return self.notice(now, "no object behind this row: mark two rows to compare them");
        };
        let twins = self.twins(&own);
        match twins.as_slice() {
            [] => {
                let text = format!("no other cluster has {} {}", own.kind.names().kind, own.path());
                self.notice(now, text);
            }
            [one] => self.compare_objects(&own, &one.clone()),
            many => {
                let name = |key: &ObjectKey| {
                    let cluster = self.snapshot().and_then(|s| s.fleet.cluster(key.cluster));
                    cluster.map_or_else(|| Text::from("?"), |c| c.info.name.clone())
                };
                let item = |other: &ObjectKey| Item {
                    label: Text::from(format!("{} → {}", name(&own), name(other))),
                    why_not: None,
                    pick: Pick::Compare(Box::new([own.clone(), other.clone()])),
                };
                let items = many.iter().map(item).collect();
                let title = format!("compare {} {} with that of", own.kind.names().kind, own.path());
                self.overlays.push(Overlay::menu(&title, items));
            }
        }
    }

    /// Objects of the same kind, namespace and name in other clusters.
    fn twins(&self, own: &ObjectKey) -> Vec<ObjectKey> {
        let clusters = self.snapshot().into_iter().flat_map(|s| &s.fleet.clusters);
        clusters
            .filter(|cluster| cluster.id != own.cluster)
            .filter_map(|c| Some(c.find(own.kind, &own.namespace, &own.name)?.key(c.id)))
            .collect()
    }
}
