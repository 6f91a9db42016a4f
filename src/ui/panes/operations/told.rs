//! The other lenses of `@`: commands that were sent, notices, the journal.

use crate::model::{Cell, Column, Text, Tone, grouped};
use crate::operations::Run;
use crate::ui::pane::PaneInput;
use crate::ui::told::JournalLine;
use crate::views::{RowId, Sheet, SheetRow};

fn row(id: String, tone: Tone, cells: Vec<Cell>) -> SheetRow {
    SheetRow { id: RowId::Part(Text::from(id)), tone, cells, objects: Vec::new(), stale: false }
}

/// What runs did, as the kubectl commands that do the same; the newest run first.
pub(super) fn commands(input: &PaneInput<'_>) -> Sheet {
    let of = |run: &Run| -> Vec<SheetRow> {
        let line = |(at, command): (usize, &String)| {
            let cells = vec![
                Cell { text: run.began.clock().into(), ..Cell::when(run.began, input.now) },
                Cell::text(run.plan.operation),
                Cell::text(Text::clean(command)),
            ];
            row(format!("{} {at}", run.op.0), super::tone(run), cells)
        };
        run.plan.kubectl.iter().enumerate().map(line).collect()
    };
    let rows: Vec<SheetRow> = input.runs.iter().rev().flat_map(of).collect();
    Sheet {
        answer: Text::from(format!(
            "{} runs, as kubectl would say them: {} commands.",
            input.runs.len(),
            rows.len()
        )),
        columns: vec![
            Column::right("began", 8, 6),
            Column::left("run", 10, 5),
            Column::left("command", 0, 9),
        ],
        rows: rows.into(),
        empty: "No command was sent from here yet.".into(),
        ..Sheet::default()
    }
}

/// What was told on this screen, newest first.
pub(super) fn notices(input: &PaneInput<'_>) -> Sheet {
    let lines = input.told.notices.iter().enumerate().rev();
    let rows: Vec<SheetRow> = lines
        .map(|(number, (at, text))| {
            let when = Cell { text: at.clock().into(), ..Cell::when(*at, input.now) };
            row(format!("{number} {}", at.millis()), Tone::Ok, vec![when, Cell::text(text.clone())])
        })
        .collect();
    Sheet {
        answer: Text::from(format!("{} notices since this screen was opened.", rows.len())),
        columns: vec![Column::right("when", 8, 6), Column::left("notice", 0, 9)],
        rows: rows.into(),
        empty: "Nothing was told yet.".into(),
        ..Sheet::default()
    }
}

/// The end of the journal, newest first, and up to where its chain holds.
pub(super) fn journal(input: &PaneInput<'_>) -> Sheet {
    let columns = vec![
        Column::right("seq", 7, 5),
        Column::right("when", 8, 8),
        Column::left("what", 10, 9),
        Column::left("operation", 10, 6),
        Column::left("cluster", 14, 7),
        Column::left("objects", 30, 4),
        Column::left("result", 0, 10),
        Column::left("who", 12, 3),
    ];
    let sheet = |answer: String, rows: Vec<SheetRow>, empty: &str| Sheet {
        answer: answer.into(),
        columns: columns.clone(),
        rows: rows.into(),
        empty: Text::clean(empty),
        ..Sheet::default()
    };
    match &input.told.journal {
        None => sheet("… reading the journal".to_owned(), Vec::new(), "…"),
        Some(Err(why)) => sheet(format!("The journal is not to be trusted: {why}"), Vec::new(), why),
        Some(Ok(page)) => {
            let rows = page.records.iter().map(|record| journal_row(record, input)).collect();
            let verified = grouped(page.verified);
            let head = page.head.get(..8).unwrap_or(&page.head);
            let answer = format!("{verified} records, the chain is whole; head {head}. r reads it again.");
            sheet(answer, rows, "Nothing was done from here yet, so the journal is empty.")
        }
    }
}

fn journal_row(record: &JournalLine, input: &PaneInput<'_>) -> SheetRow {
    let when = record
        .at
        .map_or_else(|| Cell::text("?"), |at| Cell { text: at.clock().into(), ..Cell::when(at, input.now) });
    let seq = Cell::number(grouped(record.seq), i64::try_from(record.seq).unwrap_or(i64::MAX));
    let texts =
        [&record.action, &record.operation, &record.cluster, &record.objects, &record.result, &record.who];
    let cells = [seq, when].into_iter().chain(texts.map(|text| Cell::text(text.clone()))).collect();
    row(format!("record {}", record.seq), Tone::Ok, cells)
}
