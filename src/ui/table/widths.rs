//! How wide the cells of each column are.
//!
//! Of rows that are there all are measured. Of rows that are written when they are looked at some
//! are, all over the table, and then those that are shown; what was found once is remembered, so that
//! columns do not move to and fro while the table is scrolled.

use unicode_width::UnicodeWidthStr;

use super::{Slot, TableState};
use crate::views::{Sheet, SheetRow, SheetRows};

/// As far as a screen could show it.
const WIDEST: u16 = 400;

/// How many rows of a long table are measured.
const SAMPLE: usize = 256;

/// The widest cell of each column, heading included.
pub(super) fn of(sheet: &Sheet) -> Vec<u16> {
    let heading = |title: &str| u16::try_from(title.width() + 1).unwrap_or(WIDEST);
    let mut widest: Vec<u16> = sheet.columns.iter().map(|column| heading(&column.title)).collect();
    let step = match sheet.rows {
        SheetRows::Made(_) => 1,
        SheetRows::Listed(_) => (sheet.rows.len() / SAMPLE).max(1),
    };
    for row in (0..sheet.rows.len()).step_by(step).filter_map(|index| sheet.rows.get(index)) {
        widen(&mut widest, &row);
    }
    widest
}

fn widen(widest: &mut [u16], row: &SheetRow) {
    for (widest, cell) in widest.iter_mut().zip(&row.cells) {
        // Most texts are ASCII and shorter than what is already there: no need to look closer.
        if cell.text.len() > usize::from(*widest) {
            let width = u16::try_from(cell.text.width()).unwrap_or(WIDEST);
            *widest = (*widest).max(width.min(WIDEST));
        }
    }
}

impl TableState {
    /// Takes the widths of a new sheet; `same` says that it follows one of the same view.
    pub(super) fn take_widths(&mut self, same: bool) {
        let Some(computed) = &self.computed else { return };
        let before = std::mem::replace(&mut self.widest, computed.widest.clone());
        if same && matches!(computed.sheet.rows, SheetRows::Listed(_)) {
            for (widest, before) in self.widest.iter_mut().zip(before) {
                *widest = (*widest).max(before);
            }
        }
    }

    /// Makes room for the rows that are shown, where not all were measured.
    pub(super) fn widen(&mut self) {
        let Some(computed) = &self.computed else { return };
        let rows = &computed.sheet.rows;
        if !matches!(rows, SheetRows::Listed(_)) {
            return;
        }
        for slot in self.slots.iter().skip(self.top).take(self.page) {
            if let Slot::Row(index) = slot
                && let Some(row) = rows.get(*index as usize)
            {
                widen(&mut self.widest, &row);
            }
        }
    }
}
