//! A filter on one sheet: its columns found, its clusters named.

use super::figure::{self, Measure, Operator};
use super::{Filter, Term, Test, contains};
use crate::model::{ClusterId, Text, Time};
use crate::views::{RowId, Sheet, SheetRow};

/// As many rows show what a column measures.
const SAMPLE: usize = 200;

/// A filter that is ready for the rows of one sheet.
pub(in crate::ui) struct Bound<'a> {
    filter: &'a Filter,
    /// For each term that compares: the column, how, and with what.
    columns: Vec<Option<Column>>,
    places: &'a [Text],
    now: Time,
    /// What is wrong with the filter here.
    pub(in crate::ui) problem: Option<Text>,
}

struct Column {
    index: usize,
    measure: Measure,
    operator: Operator,
    /// The operand; `None` when it is compared as a text.
    operand: Option<f64>,
}

impl Filter {
    /// The filter for a sheet; `places` are the names of clusters by id.
    pub(in crate::ui) fn bind<'a>(&'a self, sheet: &Sheet, places: &'a [Text], now: Time) -> Bound<'a> {
        let mut problem = self.problem.clone();
        let columns = self.terms.iter().map(|term| match &term.test {
            Test::Column(name, operator, operand) => match Column::find(sheet, name, *operator, operand) {
                Ok(column) => Some(column),
                Err(why) => {
                    problem.get_or_insert(why);
                    None
                }
            },
            _ => None,
        });
        let columns = columns.collect();
        Bound { filter: self, columns, places, now, problem }
    }
}

impl Column {
    fn find(sheet: &Sheet, name: &str, operator: Operator, operand: &str) -> Result<Column, Text> {
        let titles: Vec<String> =
            sheet.columns.iter().map(|c| c.title.to_lowercase().replace(' ', "")).collect();
        let exact = titles.iter().position(|title| title == name);
        let begins = || titles.iter().position(|title| title.starts_with(name));
        let index = exact.or_else(begins).ok_or_else(|| {
            let known: Vec<&str> = titles.iter().map(String::as_str).filter(|t| !t.is_empty()).collect();
            let label = if operator == Operator::Equal {
                format!("; a label is -l {name}={operand}")
            } else {
                String::new()
            };
            Text::from(format!("no column {name} here: {}{label}", known.join(" ")))
        })?;
        let cells = || sheet.rows.iter().take(SAMPLE).filter_map(|row| row.cells.get(index));
        let time = cells().any(|cell| cell.at.is_some() || figure::surely_time(&cell.text))
            || titles[index] == "age";
        let measure = if time { Measure::Time } else { Measure::Amount };
        let value = figure::read(operand, measure);
        if value.is_none() && !matches!(operator, Operator::Equal | Operator::Unequal) {
            let like = if time { "2h or 90s" } else { "3, 500m or 2Gi" };
            return Err(Text::from(format!("{name}: {operand:?} is no figure such as {like}")));
        }
        Ok(Column { index, measure, operator, operand: value })
    }

    /// Whether a row passes; what is not known passes no comparison.
    fn passes(&self, row: &SheetRow, text: &str, now: Time) -> bool {
        let Some(cell) = row.cells.get(self.index) else { return false };
        let Some(operand) = self.operand else {
            return self.operator.holds(cell.text.to_lowercase().as_str().cmp(text.to_lowercase().as_str()));
        };
        let value = match cell.at {
            Some(at) => Some(at.age(now).millis() as f64 / 1000.0),
            None => figure::read(&cell.text, self.measure),
        };
        value
            .and_then(|value| value.partial_cmp(&operand))
            .is_some_and(|ordering| self.operator.holds(ordering))
    }
}

impl Bound<'_> {
    /// Whether a row is shown.
    pub(in crate::ui) fn passes(&self, row: &SheetRow) -> bool {
        self.filter
            .terms
            .iter()
            .zip(&self.columns)
            .all(|(term, column)| self.holds(term, column.as_ref(), row))
    }

    fn holds(&self, term: &Term, column: Option<&Column>, row: &SheetRow) -> bool {
        let found = match &term.test {
            Test::Word(word) => in_cells(row, word),
            Test::Fuzzy(word) => row.cells.iter().any(|cell| fuzzy(&cell.text, word)),
            Test::Cluster(name) => self.in_cluster(row, name),
            Test::Namespace(name) => in_namespace(row, name),
            Test::Tone(tone) => row.tone == *tone,
            // A comparison that is not understood filters nothing.
            Test::Column(_, _, text) => match column {
                Some(column) => column.passes(row, text, self.now),
                None => return true,
            },
        };
        found != term.not
    }

    fn in_cluster(&self, row: &SheetRow, begin: &str) -> bool {
        let is = |id: ClusterId| {
            self.places.get(usize::from(id.0)).is_some_and(|name| name.to_lowercase().starts_with(begin))
        };
        match &row.id {
            RowId::Cluster(id) | RowId::Signal(_, id, _) => is(*id),
            RowId::Object(key) => is(key.cluster),
            _ if !row.objects.is_empty() => row.objects.iter().any(|key| is(key.cluster)),
            // Rows of a namespace, a pool, a run: their cluster is in a cell.
            _ => row.cells.iter().any(|cell| cell.text.to_lowercase().starts_with(begin)),
        }
    }
}

fn in_namespace(row: &SheetRow, begin: &str) -> bool {
    let begins = |namespace: &str| namespace.to_lowercase().starts_with(begin);
    match &row.id {
        RowId::Object(key) => begins(&key.namespace),
        RowId::Workload(_, namespace, _) => begins(namespace),
        _ if !row.objects.is_empty() => row.objects.iter().any(|key| begins(&key.namespace)),
        _ => row.cells.iter().any(|cell| begins(&cell.text)),
    }
}

fn in_cells(row: &SheetRow, word: &str) -> bool {
    row.cells.iter().any(|cell| contains(&cell.text, word))
}

/// Whether the letters of a word come in a text, in this order.
fn fuzzy(text: &str, word: &str) -> bool {
    let mut letters = text.chars().flat_map(char::to_lowercase);
    word.chars().all(|wanted| letters.any(|letter| letter == wanted))
}
