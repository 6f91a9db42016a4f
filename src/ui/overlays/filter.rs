//! The filter line: the table follows while it is typed.

use super::Flow;
use crate::input::{Command, Key};
use crate::ui::canvas::Canvas;
use crate::ui::field::Field;
use crate::ui::screen::Ui;
use crate::ui::table::Filter;

/// The filter while it is typed.
pub(in crate::ui) struct FilterLine {
    field: Field,
}

impl FilterLine {
    pub(super) fn new(filter: &Filter) -> FilterLine {
        FilterLine { field: Field::with(&filter.text) }
    }

    fn apply(&self, ui: &mut Ui) {
        if let Some(table) = ui.table() {
            table.filter = Filter::parse(self.field.text());
            table.relist();
        }
    }

    pub(super) fn typed(&mut self, ui: &mut Ui, key: Key) -> Flow {
        if self.field.key(key) {
            self.apply(ui);
        }
        Flow::Keep
    }

    pub(super) fn paste(&mut self, ui: &mut Ui, text: &str) {
        self.field.paste(text);
        self.apply(ui);
    }

    pub(super) fn command(&mut self, ui: &mut Ui, command: Command) -> Flow {
        match command {
            Command::Accept => return Flow::Close,
            Command::Back => {
                self.field.clear();
                self.apply(ui);
                return Flow::Close;
            }
            Command::EraseWord => self.field.erase_word(),
            Command::EraseLine => self.field.erase_line(),
            _ => return Flow::Keep,
        }
        self.apply(ui);
        Flow::Keep
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>) {
        let last = canvas.height().saturating_sub(1);
        self.field.draw(canvas, last, " /");
    }
}
