//! Sheets as text: a table, JSON or CSV.

use std::io::{self, Write};

use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::cli::Output;
use crate::model::{Cell, Column, Time, Tone};
use crate::views::{Hint, Sheet, SheetRow};

/// Writes a sheet in the form that was asked for, with a line end. Rows are written one by one: a
/// large fleet's never stand in memory together.
pub(super) fn write(out: &mut dyn Write, sheet: &Sheet, output: Output) -> io::Result<()> {
    match output {
        Output::Table => table(out, sheet),
        Output::Json => json(out, sheet),
        Output::Csv => csv(out, sheet),
    }
}

/// The word for a tone in machine output; the glyphs of the screen are for people.
#[must_use]
pub(super) const fn tone_word(tone: Tone) -> &'static str {
    match tone {
        Tone::Ok => "ok",
        Tone::Paused => "paused",
        Tone::Moving => "moving",
        Tone::Connecting => "connecting",
        Tone::Denied => "denied",
        Tone::Unseen => "unseen",
        Tone::Warn => "warn",
        Tone::Crit => "crit",
    }
}

/// Columns as wide as their widest cell, the answer above and the footer below.
fn table(out: &mut dyn Write, sheet: &Sheet) -> io::Result<()> {
    let mut widths: Vec<usize> = sheet.columns.iter().map(|c| c.title.width()).collect();
    for row in sheet.rows.iter() {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.text.width());
        }
    }
    writeln!(out, "{}", sheet.answer)?;
    if sheet.rows.is_empty() {
        // Some panes answer with the same words.
        if sheet.empty.trim_end_matches('.') != sheet.answer.trim_end_matches('.') {
            writeln!(out, "{}", sheet.empty)?;
        }
        return hints(out, sheet);
    }
    let titles: Vec<String> = sheet.columns.iter().map(|c| c.title.to_uppercase()).collect();
    line(out, "STATE", titles.iter().map(String::as_str), sheet, &widths)?;
    for row in sheet.rows.iter() {
        line(out, tone_word(row.tone), row.cells.iter().map(|c| c.text.as_str()), sheet, &widths)?;
    }
    if !sheet.footer.is_empty() {
        writeln!(out, "{}", sheet.footer)?;
    }
    hints(out, sheet)
}

/// What can be done about what is missing, by commands: there are no keys here.
fn hints(out: &mut dyn Write, sheet: &Sheet) -> io::Result<()> {
    for hint in &sheet.hints {
        let words = match hint {
            Hint::Widen if !sheet.rows.is_empty() => continue,
            Hint::Widen => "leave out --namespace, or choose others with --context",
            Hint::AskAgain => "`quarterdeck doctor` says why clusters do not answer",
            Hint::LogIn => "`quarterdeck doctor` says which login is wanted",
            Hint::MissingRule => "`quarterdeck doctor` names the missing rules",
        };
        writeln!(out, "→ {words}")?;
    }
    Ok(())
}

fn line<'a>(
    out: &mut dyn Write,
    state: &str,
    cells: impl Iterator<Item = &'a str>,
    sheet: &Sheet,
    widths: &[usize],
) -> io::Result<()> {
    let mut text = format!("{state:<10}");
    for ((cell, column), width) in cells.zip(&sheet.columns).zip(widths) {
        let gap = " ".repeat(width.saturating_sub(cell.width()));
        let (before, after) = if column.right { (gap.as_str(), "") } else { ("", gap.as_str()) };
        text.extend(["  ", before, cell, after]);
    }
    writeln!(out, "{}", text.trim_end())
}

fn json(out: &mut dyn Write, sheet: &Sheet) -> io::Result<()> {
    /// The whole, with its rows as they come.
    #[derive(serde::Serialize)]
    struct Whole<'a> {
        answer: &'a str,
        rows: Rows<'a>,
        footer: &'a str,
    }
    struct Rows<'a>(&'a Sheet);
    impl serde::Serialize for Rows<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.rows.iter().map(|row| object(&self.0.columns, &row)))
        }
    }
    let whole = Whole { answer: &sheet.answer, rows: Rows(sheet), footer: &sheet.footer };
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    writeln!(out)
}

/// A row, by the names of its columns.
fn object(columns: &[Column], row: &SheetRow) -> Value {
    let mut object = Map::new();
    object.insert("state".to_owned(), json!(tone_word(row.tone)));
    object.insert("stale".to_owned(), json!(row.stale));
    let mut estimated = Vec::new();
    for (column, cell) in columns.iter().zip(&row.cells) {
        let (value, estimate) = if column.right { figure(cell) } else { (word(cell), false) };
        let name = if column.is_state() { "direction" } else { column.title.as_str() };
        object.insert(name.to_owned(), value);
        estimated.extend(estimate.then_some(name));
    }
    object.insert("estimated".to_owned(), json!(estimated));
    Value::Object(object)
}

/// A text as machines want it: a moment is RFC 3339, what is not there or not known is null, and
/// the arrows of changes are words.
fn word(cell: &Cell) -> Value {
    if let Some(at) = cell.at {
        return json!(at.rfc3339());
    }
    match plain(&cell.text) {
        "" | "·" | "-" | "?" => Value::Null,
        other => json!(other),
    }
}

/// The word for a glyph that fills a cell.
fn plain(text: &str) -> &str {
    match text {
        "↑" => "more",
        "↓" => "less",
        "⇄" => "swapped",
        // The state says it.
        "✖" | "▲" => "",
        other => other,
    }
}

/// A figure as machines want it, and whether it is an estimate, last seen or has an unknown part:
/// what the screen writes `~5.52`, `32 %`, `1,304+?`, `·`, `-` or `?` is 5.52, 32, 1304 and null. A
/// moment is RFC 3339; what is no number (`17/18`, `3d`) stays text.
fn figure(cell: &Cell) -> (Value, bool) {
    if let Some(at) = cell.at {
        return (json!(at.rfc3339()), false);
    }
    let said = cell.text.trim();
    if matches!(said, "" | "·" | "-" | "?" | "$?" | "⊘?") {
        return (Value::Null, false);
    }
    let sure = said.trim_start_matches('~').trim_end_matches("+?");
    let digits = sure.trim_end_matches(" %").replace(['$', ','], "");
    let estimate = sure.len() < said.len();
    match digits.parse::<i64>().map(Value::from).or_else(|_| digits.parse::<f64>().map(Value::from)) {
        Ok(number) if !number.is_null() => (number, estimate),
        _ => (json!(said), estimate),
    }
}

fn csv(out: &mut dyn Write, sheet: &Sheet) -> io::Result<()> {
    let titles = sheet.columns.iter().map(|c| if c.is_state() { "direction" } else { c.title.as_str() });
    csv_line(out, ["state", "stale"].into_iter().chain(titles))?;
    for row in sheet.rows.iter() {
        let own = [tone_word(row.tone), if row.stale { "true" } else { "false" }];
        let moments: Vec<Option<String>> = row.cells.iter().map(|cell| cell.at.map(Time::rfc3339)).collect();
        let cells = row.cells.iter().zip(&moments);
        let cells = cells.map(|(cell, moment)| moment.as_deref().unwrap_or_else(|| plain(&cell.text)));
        csv_line(out, own.into_iter().chain(cells))?;
    }
    Ok(())
}

/// One record by RFC 4180. A cell that a spreadsheet would take for a formula is set in quotes
/// with an apostrophe before it.
fn csv_line<'a>(out: &mut dyn Write, cells: impl Iterator<Item = &'a str>) -> io::Result<()> {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            write!(out, ",")?;
        }
        let formula = cell.starts_with(['=', '@', '\t']);
        if formula || cell.contains([',', '"', '\n']) {
            write!(out, "\"{}{}\"", if formula { "'" } else { "" }, cell.replace('"', "\"\""))?;
        } else {
            write!(out, "{cell}")?;
        }
    }
    write!(out, "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ClusterId;
    use crate::views::RowId;

    fn sheet(sheet: &Sheet, output: Output) -> String {
        let mut out = Vec::new();
        write(&mut out, sheet, output).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn sample() -> Sheet {
        Sheet {
            answer: "All is well.".into(),
            columns: vec![Column::left("name", 0, 1), Column::right("$/h", 8, 1)],
            rows: vec![SheetRow {
                id: RowId::Cluster(ClusterId(0)),
                tone: Tone::Warn,
                cells: vec![Cell::text("a, \"b\""), Cell::text("1.50")],
                objects: Vec::new(),
                stale: false,
            }]
            .into(),
            ..Sheet::default()
        }
    }

    #[test]
    fn every_form_holds_every_cell() {
        assert_eq!(
            sheet(&sample(), Output::Table),
            "All is well.\nSTATE       NAME     $/H\nwarn        a, \"b\"  1.50\n"
        );
        assert_eq!(
            sheet(&sample(), Output::Csv),
            "state,stale,name,$/h\r\nwarn,false,\"a, \"\"b\"\"\",1.50\r\n"
        );
        let value: Value = serde_json::from_str(&sheet(&sample(), Output::Json)).unwrap();
        assert_eq!(value["rows"][0]["$/h"], 1.5);
        assert_eq!(value["rows"][0]["state"], "warn");
    }

    #[test]
    fn hints_are_commands_and_never_in_machine_output() {
        let hints = vec![Hint::AskAgain, Hint::MissingRule, Hint::LogIn, Hint::Widen];
        let told = Sheet { hints, ..sample() };
        let text = sheet(&told, Output::Table);
        assert_eq!(text.matches("`quarterdeck doctor`").count(), 3);
        assert!(!text.contains("--context"), "there are rows: {text}");
        assert!(!sheet(&told, Output::Csv).contains("doctor"));
        let none = Sheet { rows: Vec::new().into(), hints: vec![Hint::Widen], ..sample() };
        assert!(sheet(&none, Output::Table).contains("--context"));
    }

    #[test]
    fn figures_are_numbers_for_machines() {
        for (said, value, estimate) in [
            ("~5.52", json!(5.52), true),
            ("4,027", json!(4027), false),
            ("32 %", json!(32), false),
            ("~1,304+?", json!(1304), true),
            ("+2.47", json!(2.47), false),
            ("$0.30", json!(0.3), false),
            ("·", Value::Null, false),
            ("?", Value::Null, false),
            ("17/18", json!("17/18"), false),
            ("<0.01", json!("<0.01"), false),
            ("3d", json!("3d"), false),
        ] {
            assert_eq!(figure(&Cell::text(said)), (value, estimate), "{said}");
        }
        let at = Time::parse("2026-11-21T02:14:07Z").unwrap();
        assert_eq!(figure(&Cell::when(at, at)).0, json!("2026-11-21T02:14:07Z"));
        assert_eq!(word(&Cell::when(at, at)), json!("2026-11-21T02:14:07Z"));
        assert_eq!((word(&Cell::text("·")), word(&Cell::text("↑"))), (Value::Null, json!("more")));
        assert_eq!(word(&Cell::text("12")), json!("12"), "a name may be a number");
    }

    #[test]
    fn cells_do_not_become_formulas() {
        let mut out = Vec::new();
        csv_line(&mut out, ["=1+1", "ok"].into_iter()).unwrap();
        assert_eq!(out, b"\"'=1+1\",ok\r\n");
    }
}
