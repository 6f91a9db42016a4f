//! Drawing a table: only the rows that are on screen.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::{Filter, Slot, TableState, filter, fit};
use crate::model::{Column, Face, ObjectKey, Text, Time, Tone};
use crate::theme::{Role, tone_glyph};
use crate::ui::canvas::{Canvas, cells};
use crate::views::{RowId, SheetRow};

/// What drawing needs beside the table.
pub(in crate::ui) struct Look<'a> {
    pub(in crate::ui) focus: bool,
    pub(in crate::ui) marks: &'a BTreeMap<RowId, Vec<ObjectKey>>,
    pub(in crate::ui) face: &'a Face,
    pub(in crate::ui) now: Time,
}

/// Cells before the first column: cursor or mark, glyph, a space. A sheet with a column for the
/// glyph has none here.
fn margin(columns: &[Column]) -> u16 {
    if columns.iter().any(Column::is_state) { 2 } else { 3 }
}

/// Draws headings and rows.
pub(in crate::ui) fn draw(canvas: &mut Canvas<'_>, table: &mut TableState, look: &Look<'_>) {
    let Some(computed) = table.computed.clone() else { return };
    table.widen();
    let room = canvas.width().saturating_sub(margin(&computed.sheet.columns));
    let columns = fit(&computed.sheet.columns, &table.widest, room, table.shift);
    headings(canvas, table, &columns);
    table.page = usize::from(canvas.height().saturating_sub(1));
    table.scroll();
    table.drawn = table.current().map(|row| row.id.clone());
    table.cut = table.current().and_then(|row| cut(&row, &columns));
    let mut lines = Vec::with_capacity(table.page);
    for line in 0..table.page {
        let at = table.top + line;
        let y = cells(line + 1);
        let Some(slot) = table.slots.get(at) else { break };
        let (row, gone) = match (slot, &table.ghost) {
            (Slot::Row(index), _) => (table.row(*index), None),
            (Slot::Ghost, Some(ghost)) => (Some(Cow::Borrowed(&ghost.row)), Some(ghost.since)),
            (Slot::Ghost, None) => (None, None),
        };
        if let Some(row) = row {
            lines.push(row.id.clone());
            let drawn = Drawn { row: &row, gone, cursor: at == table.at };
            draw_row(canvas, y, &drawn, &columns, &computed.sheet.columns, &table.pass.filter, look);
        }
    }
    table.lines = lines;
}

fn headings(canvas: &mut Canvas<'_>, table: &TableState, columns: &[(usize, u16)]) {
    let Some(computed) = &table.computed else { return };
    let mut x = margin(&computed.sheet.columns);
    for (index, width) in columns {
        let Some(column) = computed.sheet.columns.get(*index) else { continue };
        let title = match &table.sort {
            Some((sorted, back)) if *sorted == column.title => {
                format!("{}{}", column.title, if *back { "↓" } else { "↑" })
            }
            _ => column.title.to_string(),
        };
        let style = canvas.role(Role::TextDim);
        // An arrow that has no room stands in the blank beside the column.
        let over = u16::from(cells(title.width()) > *width);
        canvas.cell(if column.right { x - over } else { x }, 0, &title, *width + over, column.right, style);
        x += width + 1;
    }
    // Columns that have no room are counted where there is room for that.
    let dropped = computed.sheet.columns.len().saturating_sub(columns.len());
    let text = format!("+{dropped}");
    let at = canvas.width().saturating_sub(cells(text.len()) + 1);
    if dropped > 0 && x <= at {
        canvas.pieces(at, 0, &[(&text, Role::TextDim)]);
    }
}

/// The first text of a row that does not fit its column.
fn cut(row: &SheetRow, columns: &[(usize, u16)]) -> Option<Text> {
    let cells = columns.iter().filter_map(|(index, width)| Some((row.cells.get(*index)?, *width)));
    let mut long = cells.filter(|(cell, width)| cell.text.width() > usize::from(*width));
    long.next().map(|(cell, _)| cell.text.clone())
}

struct Drawn<'a> {
    row: &'a SheetRow,
    gone: Option<Time>,
    cursor: bool,
}

fn draw_row(
    canvas: &mut Canvas<'_>,
    y: u16,
    drawn: &Drawn<'_>,
    columns: &[(usize, u16)],
    declared: &[Column],
    filter: &Filter,
    look: &Look<'_>,
) {
    let row = drawn.row;
    let marked = look.marks.contains_key(&row.id);
    let faded = row.stale || drawn.gone.is_some();
    let base = if faded { canvas.role(Role::Stale) } else { Style::new() };
    if marked {
        let style = canvas.role(Role::Mark);
        canvas.put(0, y, "*", style);
    } else if drawn.cursor {
        canvas.put(0, y, "▸", base);
    }
    // What is as last seen may be otherwise by now: the glyph says so where there are no colours, too.
    let tone = if row.stale { Tone::Unseen } else { row.tone };
    let state = if faded { base } else { canvas.theme.tone(tone) };
    let mut x = margin(declared);
    if x > 2 {
        canvas.put(1, y, tone_glyph(tone), state);
    }
    for (index, width) in columns {
        if let Some(cell) = row.cells.get(*index) {
            let own = cell.tone.filter(|_| !faded).map_or(base, |tone| canvas.theme.tone(tone));
            let style = if declared.get(*index).is_some_and(Column::is_state) { state } else { own };
            let right = declared.get(*index).is_some_and(|c| c.right);
            canvas.cell(x, y, &cell.text, *width, right, style);
            underline(canvas, x, y, *width, &cell.text, right, filter);
        }
        x += width + 1;
    }
    if let Some(since) = drawn.gone {
        let text = format!(" gone {} ", look.face.column(since, look.now));
        let at = canvas.width().saturating_sub(cells(text.len()));
        let style = canvas.role(Role::Warn);
        canvas.put(at, y, &text, style);
    }
    if drawn.cursor {
        let style = canvas.role(if look.focus { Role::Select } else { Role::SelectIdle });
        let width = canvas.width();
        canvas.restyle(0, y, width, style);
    }
}

/// Underlines what the filter found, where the cell shows the whole text.
fn underline(canvas: &mut Canvas<'_>, x: u16, y: u16, width: u16, text: &str, right: bool, by: &Filter) {
    let whole = cells(text.width());
    if by.is_empty() || whole > width {
        return;
    }
    let start = if right { x + width - whole } else { x };
    for range in by.found_words().filter_map(|word| filter::find(text, word)) {
        // A range of an ASCII word may lie inside no other character, so these cannot fail.
        let (Some(before), Some(found)) = (text.get(..range.start), text.get(range)) else { continue };
        let style = canvas.role(Role::Match);
        canvas.restyle(start + cells(before.width()), y, cells(found.width()), style);
    }
}
