//! A filter on one sheet: its columns found, its clusters named.

use super::figure::{self, Measure, Operator};
use super::{Filter, Term, Test, contains};
use crate::model::{ClusterId, Text, Time};
use crate::views::{RowId, RowView, Sheet};

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
        let shows_time = |row: RowView<'_>| {
            row.cell(index).is_some_and(|cell| cell.at.is_some() || figure::surely_time(&cell.text))
        };
        let time = titles[index] == "age"
            || (0..sheet.rows.len()).take(SAMPLE).filter_map(|at| sheet.rows.look(at)).any(shows_time);
        let measure = if time { Measure::Time } else { Measure::Amount };
        let value = figure::read(operand, measure);
        if value.is_none() && !matches!(operator, Operator::Equal | Operator::Unequal) {
            let like = if time { "2h or 90s" } else { "3, 500m or 2Gi" };
            return Err(Text::from(format!("{name}: {operand:?} is no figure such as {like}")));
        }
        Ok(Column { index, measure, operator, operand: value })
    }

    /// Whether a row passes; what is not known passes no comparison.
    fn passes(&self, row: &RowView<'_>, text: &str, now: Time) -> bool {
        let Some(cell) = row.cell(self.index) else { return false };
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
    /// Whether a row is shown. `spare` is for what has to be written down to be looked through.
    pub(in crate::ui) fn passes(&self, row: &RowView<'_>, spare: &mut String) -> bool {
        self.filter
            .terms
            .iter()
            .zip(&self.columns)
            .all(|(term, column)| self.holds(term, column.as_ref(), row, spare))
    }

    fn holds(&self, term: &Term, column: Option<&Column>, row: &RowView<'_>, spare: &mut String) -> bool {
        let found = match &term.test {
            Test::Word(word) => says(row, word, spare, &|text| contains(text, word)),
            Test::Fuzzy(word) => says(row, word, spare, &|text| fuzzy(text, word)),
            Test::Cluster(name) => self.in_cluster(row, name),
            Test::Namespace(name) => in_namespace(row, name),
            Test::Tone(tone) => row.tone() == *tone,
            // A comparison that is not understood filters nothing.
            Test::Column(_, _, text) => match column {
                Some(column) => column.passes(row, text, self.now),
                None => return true,
            },
        };
        found != term.not
    }

    fn in_cluster(&self, row: &RowView<'_>, begin: &str) -> bool {
        let is = |id: ClusterId| self.places.get(usize::from(id.0)).is_some_and(|name| begins(name, begin));
        let row = match row {
            RowView::Made(row) => row,
            RowView::Listed(listed) => return begins(&listed.cluster().info.name, begin),
        };
        match &row.id {
            RowId::Cluster(id) | RowId::Signal(_, id, _) => is(*id),
            RowId::Object(key) => is(key.cluster),
            _ if !row.objects.is_empty() => row.objects.iter().any(|key| is(key.cluster)),
            // Rows of a namespace, a pool, a run: their cluster is in a cell.
            _ => row.cells.iter().any(|cell| begins(&cell.text, begin)),
        }
    }
}

fn in_namespace(row: &RowView<'_>, begin: &str) -> bool {
    let row = match row {
        RowView::Made(row) => row,
        RowView::Listed(listed) => return begins(&listed.record().meta().namespace, begin),
    };
    match &row.id {
        RowId::Object(key) => begins(&key.namespace, begin),
        RowId::Workload(_, namespace, _) => begins(namespace, begin),
        _ if !row.objects.is_empty() => row.objects.iter().any(|key| begins(&key.namespace, begin)),
        _ => row.cells.iter().any(|cell| begins(&cell.text, begin)),
    }
}

/// Whether a name begins with a word of lower case, whatever its own case.
fn begins(name: &str, word: &str) -> bool {
    let mut letters = name.chars().flat_map(char::to_lowercase);
    word.chars().all(|wanted| letters.next() == Some(wanted))
}

/// Whether a text of the row holds what is looked for.
fn says(row: &RowView<'_>, word: &str, spare: &mut String, found: &dyn Fn(&str) -> bool) -> bool {
    match row {
        RowView::Made(row) => row.cells.iter().any(|cell| found(&cell.text)),
        RowView::Listed(listed) => listed.says(word, spare, found),
    }
}

/// Whether the letters of a word come in a text, in this order.
fn fuzzy(text: &str, word: &str) -> bool {
    if text.is_ascii() && word.is_ascii() {
        let mut letters = text.bytes();
        return word.bytes().all(|wanted| letters.any(|letter| letter.to_ascii_lowercase() == wanted));
    }
    let mut letters = text.chars().flat_map(char::to_lowercase);
    word.chars().all(|wanted| letters.any(|letter| letter == wanted))
}
