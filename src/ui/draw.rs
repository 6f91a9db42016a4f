//! Drawing the whole screen.

use ratatui::Frame;

use super::canvas::{Canvas, cells};
use super::frame;
use super::screen::{Focus, Ui};
use super::summary::Summary;
use super::table::{self, Look};
use super::tree::{TreePart, glyph_line};
use crate::input::{Command, Keymap, Mode};
use crate::model::{Time, grouped, spared};
use crate::theme::{Borders, Role, spark, tone_glyph};
use crate::views::{Chart, Evidence, Hint, Scope, Sheet};
use unicode_width::UnicodeWidthStr;

/// From this width on the tree stands beside the table.
pub(super) const WITH_TREE: u16 = 100;

/// From this width on a detail stands beside the table.
const DETAIL_BESIDE: u16 = 140;

/// Under this size only the answer and the worst rows are shown.
const SMALL: (u16, u16) = (60, 15);

impl Ui {
    /// Draws the screen as it is now. Whatever is computed was computed before.
    pub fn draw(&mut self, frame: &mut Frame<'_>, now: Time) {
        let area = frame.area();
        self.size = (area.width, area.height);
        self.summarise(now);
        self.rows_at = ratatui::layout::Rect::ZERO;
        if let Some(table) = self.table() {
            table.hide();
        }
        let theme = self.theme.clone();
        let mut canvas = Canvas::new(frame.buffer_mut(), area, &theme);
        canvas.clear();
        let mut overlays = std::mem::take(&mut self.overlays);
        let cover = overlays.iter().rposition(super::overlays::Overlay::covers);
        let beside =
            matches!(cover.and_then(|at| overlays.get(at)), Some(super::overlays::Overlay::Detail(_)))
                && area.width >= DETAIL_BESIDE;
        if cover.is_none() || beside {
            self.panes_screen(&mut canvas, now);
        } else {
            frame::header(self, &mut canvas, now);
        }
        let (width, height) = (area.width, area.height);
        for overlay in overlays.iter_mut().skip(cover.unwrap_or(0)) {
            if overlay.covers() {
                let x = if beside { width / 2 } else { 0 };
                let mut room = canvas.part(
                    x,
                    2.min(height / 4),
                    width - x,
                    height.saturating_sub(2.min(height / 4) + 2),
                );
                room.clear();
                overlay.draw(&mut room, self, now);
                if beside {
                    self.line_between(&mut canvas, x.saturating_sub(1), 2, height.saturating_sub(4));
                }
            } else {
                let mut room = canvas.part(0, 0, width, height.saturating_sub(1));
                let last = room.height().saturating_sub(1);
                room.part(0, last, width, 1).clear();
                overlay.draw(&mut room, self, now);
            }
        }
        let typing_below = overlays.last().is_some_and(|overlay| !overlay.covers());
        self.overlays = overlays;
        if height > 2 {
            if !typing_below {
                canvas.part(0, height - 2, width, 1).clear();
                frame::notices(self, &mut canvas, height - 2, now);
            }
            canvas.part(0, height - 1, width, 1).clear();
            frame::keys(self, &mut canvas, height - 1);
        }
        if theme.ascii {
            canvas.make_ascii();
        }
    }

    pub(super) fn tree_shown(&self) -> bool {
        let wide = self.tables.get(self.active).is_some_and(|table| table.wide);
        if self.size.0 >= WITH_TREE {
            !self.tree_hidden && !wide && self.summary.clusters.len() > 1
        } else {
            self.drawer
        }
    }

    fn panes_screen(&mut self, canvas: &mut Canvas<'_>, now: Time) {
        frame::header(self, canvas, now);
        if self.without_clusters() {
            return self.first_run(canvas);
        }
        if canvas.width() < SMALL.0 || canvas.height() < SMALL.1 {
            return self.small(canvas);
        }
        frame::tabs(self, canvas);
        let table = self.tables.get(self.active);
        let answer = table.and_then(|t| t.computed.as_ref()).map(|c| c.sheet.answer.clone());
        let answer = answer.unwrap_or_else(|| "…".into());
        canvas.pieces(1, 2, &[(&answer, Role::TextStrong)]);
        frame::state_line(self, canvas, 3);
        let height = canvas.height().saturating_sub(4 + 3);
        let (mut x, width) = (0, canvas.width());
        let tree = self.tree_shown();
        if tree {
            let beside = width >= WITH_TREE;
            let most = if beside { width / 3 } else { width };
            let tree_width = TreePart::width(&self.summary).min(most);
            self.tree_part(&mut canvas.part(0, 4, tree_width, height));
            if !beside {
                return;
            }
            self.line_between(canvas, tree_width, 4, height);
            x = tree_width + 1;
        }
        let mut body = canvas.part(x, 4, width - x, height);
        self.body(&mut body, now, width < WITH_TREE);
    }

    fn tree_part(&mut self, canvas: &mut Canvas<'_>) {
        let Some(snapshot) = self.snapshot().cloned() else { return };
        let size = (canvas.width(), canvas.height());
        self.tree.build(&snapshot, &self.summary, canvas.theme, size);
        let focus = self.focus == Focus::Tree && self.overlays.is_empty();
        self.tree.draw(canvas, focus);
    }

    fn line_between(&self, canvas: &mut Canvas<'_>, x: u16, y: u16, height: u16) {
        let line = match self.theme.borders {
            Borders::None => return,
            Borders::Line => "│",
            Borders::Ascii => "|",
        };
        for row in 0..height {
            canvas.pieces(x, y + row, &[(line, Role::Rule)]);
        }
    }

    /// Charts, the table, glyphs of groups, evidence, the footer.
    fn body(&mut self, canvas: &mut Canvas<'_>, now: Time, narrow: bool) {
        let active = self.active;
        let evidence = self.evidence(now);
        let Some(table) = self.tables.get_mut(active) else { return };
        let Some(computed) = table.computed.clone() else { return };
        let (width, height) = (canvas.width(), canvas.height());
        let most = match height {
            ..12 => 0,
            12..20 => 1,
            _ => 3,
        };
        let mut y = charts(canvas, &computed.sheet.charts, most);
        let last_line = match hint_words(&self.keymap, &computed.sheet.hints) {
            hints if hints.is_empty() => computed.sheet.footer.to_string(),
            hints if computed.sheet.footer.is_empty() => hints,
            hints => format!("{} · {hints}", computed.sheet.footer),
        };
        let footer = !last_line.is_empty() && height >= 12;
        let glyphs = narrow && height >= 16 && self.summary.clusters.len() > 1;
        let between = if footer { 1 + u16::from(height > 20) } else { 0 } + if glyphs { 2 } else { 0 };
        let free = height.saturating_sub(y + between);
        let room = free.saturating_sub(lower_height(free, &evidence, table.slots.len()));
        if table.slots.is_empty() {
            let text = nothing(table, &computed.sheet, &self.scope, &self.summary);
            canvas.pieces(1, y + 1, &[(&text, Role::Text)]);
        } else {
            let focus = self.focus == Focus::Table;
            let look = Look { focus, marks: &self.marks, face: &self.face, now };
            let mut part = canvas.part(0, y, width, room);
            let mut rows_at = part.area;
            rows_at.y += 1;
            rows_at.height = rows_at.height.saturating_sub(1);
            self.rows_at = rows_at;
            table::draw(&mut part, table, &look);
        }
        // What is below stands under the rows, not at the bottom: the eye is there.
        y += room.min(cells(table.slots.len()) + 2).max(2);
        if footer {
            canvas.pieces(1, y.min(height - 1), &[(&last_line, Role::TextDim)]);
            y += 1 + u16::from(height > 20);
        }
        if glyphs {
            glyph_line(canvas, y, &self.summary);
            y += 2;
        }
        let focus = self.focus == Focus::Lower;
        let rest = height.saturating_sub(y);
        self.lower_top = self.lower_top.min(evidence.lines.len().saturating_sub(1));
        let shown_at = self.shown_at(now);
        let when = |at: Time| self.face.moment(at, shown_at);
        let modes = self.modes();
        let key = |id| self.keymap.key_of(Command::Operation(id), &modes);
        let look = Proof { top: self.lower_top, focus, when: &when, key: &key };
        draw_evidence(&mut canvas.part(0, y, width, rest), &evidence, &look);
    }

    /// What proves the row under the cursor; computed again when the sheet was, or for another row.
    fn evidence(&mut self, now: Time) -> Evidence {
        let table = self.tables.get(self.active);
        let of = table.and_then(|t| Some((t.current()?, t.computed.as_ref()?.at)));
        let Some((row, at)) = of else { return Evidence::default() };
        if let Some((pane, id, of, evidence)) = &self.proof
            && (*pane, id, *of) == (self.active, &row.id, at)
        {
            return evidence.clone();
        }
        let made = || self.with_input(now, |pane, input| (pane.evidence)(input, &row));
        let evidence = spared(made).flatten().unwrap_or_default();
        self.proof = Some((self.active, row.id.clone(), at, evidence.clone()));
        evidence
    }

    /// The answer and the worst three.
    fn small(&mut self, canvas: &mut Canvas<'_>) {
        let Some(table) = self.tables.get(self.active) else { return };
        let Some(computed) = &table.computed else { return };
        canvas.pieces(1, 1, &[(&computed.sheet.answer, Role::TextStrong)]);
        let widest = computed.sheet.columns.iter().position(|column| column.width == 0).unwrap_or(0);
        // Rows of clusters, and of what is in them, say of which cluster they speak.
        let whose = computed.sheet.columns.iter().position(|column| &*column.title == "cluster");
        let whose = whose.filter(|place| *place != widest);
        let rest = canvas.height().saturating_sub(4);
        for (at, row) in table.shown().take(usize::from(rest.min(3))).enumerate() {
            let y = cells(at) + 2;
            let style = canvas.theme.tone(row.tone);
            canvas.put(0, y, tone_glyph(row.tone), style);
            let what = row.cells.get(widest).map_or("", |cell| cell.text.as_str());
            let name = whose.and_then(|at| row.cells.get(at)).map_or("", |cell| cell.text.as_str());
            let gap = if name.is_empty() { "" } else { " " };
            canvas.pieces(2, y, &[(name, Role::TextStrong), (gap, Role::Text), (what, Role::Text)]);
        }
    }
}

/// What stands where no rows are.
fn nothing(table: &table::TableState, sheet: &Sheet, scope: &Scope, summary: &Summary) -> String {
    let empty = sheet.empty.as_str();
    if table.looking() {
        return format!("Looking through {}…", grouped(table.total() as u64));
    }
    if table.total() > 0 && !table.pass.filter.is_empty() {
        return format!(
            "0 of {} match /{}. esc clears.",
            grouped(table.total() as u64),
            table.pass.filter.text
        );
    }
    if table.total() > 0 && table.pass.only_bad {
        return format!("All {} are ok. esc shows them.", table.total());
    }
    if *scope != Scope::All && empty.is_empty() {
        return "Nothing in this scope. esc widens.".to_owned();
    }
    if *scope != Scope::All && sheet.hints.contains(&Hint::Widen) {
        return format!("{empty} esc widens.");
    }
    if empty.is_empty() && summary.connecting() > 0 { "…".to_owned() } else { empty.to_owned() }
}

/// What can be done about what a sheet lacks, by its keys.
fn hint_words(keymap: &Keymap, hints: &[Hint]) -> String {
    let word = |hint: &Hint| {
        let (command, does) = match hint {
            Hint::Widen => return None,
            Hint::AskAgain => (Command::Retry, "asks again now"),
            Hint::LogIn => (Command::Open, "on such a row logs in"),
            Hint::MissingRule => (Command::Open, "shows the missing rule"),
        };
        Some(format!("{} {does}", keymap.key_of(command, &[Mode::Table])?))
    };
    hints.iter().filter_map(word).collect::<Vec<_>>().join(", ")
}

/// Rows for the evidence: what it needs, at most two fifths, none when there is little room.
fn lower_height(height: u16, evidence: &Evidence, rows: usize) -> u16 {
    if evidence.title.is_empty() && evidence.lines.is_empty() || height < 10 {
        return 0;
    }
    let spare = height.saturating_sub(cells(rows) + 2);
    let charts = if evidence.charts.is_empty() { 0 } else { cells(evidence.charts.len()) + 1 };
    (cells(evidence.lines.len()) + charts + 2).min((height / 5 * 2).max(spare))
}

/// Draws charts, a line each and so many at most, and says where what follows may begin.
fn charts(canvas: &mut Canvas<'_>, charts: &[Chart], most: usize) -> u16 {
    // The last says most: where there is room for one line, it is that.
    let shown = charts.len().min(most);
    let charts = &charts[charts.len() - shown..];
    let label = charts.iter().map(|c| c.label.width()).max().unwrap_or(0);
    let before = charts.iter().map(|c| c.ends.0.width()).max().unwrap_or(0);
    for (at, chart) in charts.iter().enumerate() {
        let y = cells(at);
        let after = chart.ends.1.width() + chart.note.width() + 4;
        let room = usize::from(canvas.width()).saturating_sub(label + before + after + 6).min(60);
        let line = spark(&chart.values, room);
        let head = format!("{:<label$} {:>before$} ", chart.label, chart.ends.0);
        let tail = format!(" {}", chart.ends.1);
        let note = format!("   {}", chart.note);
        canvas.pieces(
            1,
            y,
            &[(&head, Role::Text), (&line, Role::Chart1), (&tail, Role::TextStrong), (&note, Role::TextDim)],
        );
    }
    if shown == 0 { 0 } else { cells(shown) + 1 }
}

/// How evidence is drawn.
struct Proof<'a> {
    /// The first line that is shown.
    top: usize,
    focus: bool,
    when: &'a dyn Fn(Time) -> String,
    /// The key of an operation.
    key: &'a dyn Fn(&'static str) -> Option<String>,
}

fn draw_evidence(canvas: &mut Canvas<'_>, evidence: &Evidence, look: &Proof<'_>) {
    let role = if look.focus { Role::TitleFocus } else { Role::Title };
    canvas.pieces(1, 0, &[(&evidence.title, role)]);
    let below = canvas.height().saturating_sub(1);
    let most = usize::from(below >= 5);
    let head = 1 + charts(&mut canvas.part(0, 1, canvas.width(), below), &evidence.charts, most);
    let label = evidence.lines.iter().map(|line| line.label.width()).max().unwrap_or(0);
    let room = usize::from(canvas.height().saturating_sub(head));
    let times = evidence.lines.iter().filter_map(|line| line.at);
    let times = times.map(|at| (look.when)(at).width() + 2).max().unwrap_or(0);
    for (at, line) in evidence.lines.iter().skip(look.top).take(room).enumerate() {
        let y = cells(at) + head;
        let time = format!("{:<times$}", line.at.map(look.when).unwrap_or_default());
        let mut x = canvas.pieces(
            1,
            y,
            &[(&time, Role::TextDim), (&format!("{:<label$} ", line.label), Role::TextDim)],
        );
        if line.tone > crate::model::Tone::Ok {
            let role = crate::theme::tone_role(line.tone);
            x = canvas.pieces(x, y, &[(tone_glyph(line.tone), role), (" ", Role::Text)]);
        }
        if let Some(key) = line.offer.and_then(|id| (look.key)(id)) {
            x = canvas.pieces(x, y, &[(&key, Role::Key), (" ", Role::Text)]);
        }
        canvas.pieces(x, y, &[(&line.text, Role::Text)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::EvidenceLine;

    #[test]
    fn evidence_never_takes_the_room_of_the_rows_it_proves() {
        let lines = vec![EvidenceLine { text: "x".into(), ..EvidenceLine::default() }; 40];
        let evidence = Evidence { title: "proof".into(), lines, ..Evidence::default() };
        for height in 10..60 {
            for rows in 1..80_usize {
                let left = height - lower_height(height, &evidence, rows);
                // The heading, the rows and a blank; or three fifths, where they need more.
                assert!(left >= (cells(rows) + 2).min(height - height / 5 * 2), "{height} {rows}: {left}");
            }
        }
    }
}
