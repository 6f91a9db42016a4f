//! The filter line: the table follows while it is typed.

use super::Flow;
use crate::input::{Command, Key};
use crate::theme::Role;
use crate::ui::canvas::Canvas;
use crate::ui::field::Field;
use crate::ui::screen::Ui;
use crate::ui::table::{Filter, completions};

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
            table.refilter(Filter::parse(self.field.text()));
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
            Command::Complete => {
                if let Some(whole) = self.completion(ui) {
                    self.field = Field::with(&whole);
                }
            }
            Command::EraseWord => self.field.erase_word(),
            Command::EraseLine => self.field.erase_line(),
            _ => return Flow::Keep,
        }
        self.apply(ui);
        Flow::Keep
    }

    /// The likeliest whole of what was typed.
    fn completion(&self, ui: &Ui) -> Option<String> {
        let computed = ui.tables.get(ui.active)?.computed.as_ref()?;
        completions(self.field.text(), &computed.sheet, ui.snapshot()?).into_iter().next()
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, ui: &Ui) {
        let last = canvas.height().saturating_sub(1);
        let end = self.field.draw(canvas, last, " /");
        let whole = self.completion(ui);
        let rest = whole.as_deref().and_then(|whole| whole.strip_prefix(self.field.text())).unwrap_or("");
        let x = canvas.pieces(end + u16::from(rest.is_empty()), last, &[(rest, Role::TextDim)]) + 2;
        let Some(table) = ui.tables.get(ui.active) else { return };
        if let Some(problem) = &table.filter_problem {
            canvas.pieces(x, last, &[(problem, Role::Warn)]);
        } else if self.field.text().is_empty() {
            let forms = "words  !not  cluster: ns: sev:  cpu>500m age<2h  -l app=web  -f fuzzy";
            canvas.pieces(x, last, &[(forms, Role::TextDim)]);
        } else {
            canvas.pieces(x, last, &[(&table.listed_of_all(), Role::TextDim)]);
        }
    }
}
