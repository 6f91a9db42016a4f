//! The menus of a table: what to sort by, what to copy.

use super::{Item, Overlay, Pick};
use crate::model::{ObjectKey, Text};
use crate::ui::screen::Ui;
use crate::views::SheetRow;

impl Overlay {
    /// The columns to sort by. Choosing the one that is sorted by turns it round.
    pub(in crate::ui) fn sort(ui: &Ui) -> Option<Overlay> {
        let table = ui.tables.get(ui.active)?;
        let columns = &table.computed.as_ref()?.sheet.columns;
        let item = |label: String, by| Item { label: label.into(), why_not: None, pick: Pick::Sort(by) };
        let mut items = vec![item("the pane's own order".to_owned(), None)];
        for (index, column) in columns.iter().enumerate().filter(|(_, column)| !column.title.is_empty()) {
            let (note, back) = match table.sort {
                Some((sorted, back)) if sorted == index => (
                    if back { "  ↓ now, again turns it round" } else { "  ↑ now, again turns it round" },
                    !back,
                ),
                _ => ("", false),
            };
            items.push(item(format!("{}{note}", column.title), Some((index, back))));
        }
        Some(Overlay::menu("sort by", items))
    }

    /// What of the cursor's row, of the marks and of the table can be copied.
    pub(in crate::ui) fn copy(ui: &Ui) -> Option<Overlay> {
        let table = ui.tables.get(ui.active)?;
        let mut items = Vec::new();
        let mut offer = |label: &str, text: String| {
            let seen: String = text.lines().next().unwrap_or_default().chars().take(60).collect();
            let label = Text::from(format!("{label:<22} {}", seen.replace('\t', "  ")));
            items.push(Item { label, why_not: None, pick: Pick::Copy(text) });
        };
        if let Some(row) = table.current() {
            if let [one] = row.objects.as_slice() {
                offer("the name", one.name.to_string());
                offer("kubectl", kubectl(ui, "get", one, " -o yaml"));
                offer("kubectl describe", kubectl(ui, "describe", one, ""));
            } else if !row.objects.is_empty() {
                let names: Vec<String> = row.objects.iter().map(|key| named(ui, key)).collect();
                offer(&format!("{} names", names.len()), names.join("\n"));
            }
            offer("the row", line(&row));
        }
        if !ui.marks.is_empty() {
            let names: Vec<String> = ui.marks.values().flatten().map(|key| named(ui, key)).collect();
            if !names.is_empty() {
                offer(&format!("{} marked", names.len()), names.join("\n"));
            }
        }
        let sheet = &table.computed.as_ref()?.sheet;
        offer("the answer", sheet.answer.to_string());
        let rows: Vec<String> = table.shown().map(|row| line(&row)).collect();
        if rows.len() > 1 {
            let titles: Vec<&str> = sheet.columns.iter().map(|column| column.title.as_str()).collect();
            let all = format!("{}\n{}", titles.join("\t"), rows.join("\n"));
            offer(&format!("all {} rows shown", rows.len()), all);
        }
        Some(Overlay::menu("copy to the terminal's clipboard", items))
    }
}

fn line(row: &SheetRow) -> String {
    row.cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join("\t")
}

fn cluster_name(ui: &Ui, key: &ObjectKey) -> String {
    let cluster = ui.snapshot().and_then(|s| s.fleet.cluster(key.cluster));
    cluster.map_or_else(|| "?".to_owned(), |cluster| cluster.info.name.to_string())
}

fn named(ui: &Ui, key: &ObjectKey) -> String {
    format!("{}\t{}\t{}", cluster_name(ui, key), key.kind.names().kind, key.path())
}

/// The command that reads the object elsewhere.
fn kubectl(ui: &Ui, verb: &str, key: &ObjectKey, options: &str) -> String {
    let namespace = if key.namespace.is_empty() { String::new() } else { format!(" -n {}", key.namespace) };
    let kind = key.kind.names().plural;
    format!("kubectl --context {}{namespace} {verb} {kind} {}{options}", cluster_name(ui, key), key.name)
}
