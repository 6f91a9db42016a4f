//! The menus of a table: what to sort by, what to copy.

use super::{Item, Overlay, Pick};
use crate::model::{ObjectKey, Text, Time, grouped};
use crate::ui::screen::Ui;
use crate::views::SheetRow;

/// How many rows are copied at most. A terminal takes them in one OSC 52 sequence; several drop
/// what is longer than some 74 KB (xterm's limit, which tmux and others took over).
const MOST_COPIED: usize = 500;

impl Overlay {
    /// The columns to sort by. Choosing the one that is sorted by turns it round.
    pub(in crate::ui) fn sort(ui: &Ui) -> Option<Overlay> {
        let table = ui.tables.get(ui.active)?;
        let columns = &table.computed.as_ref()?.sheet.columns;
        let item = |label: String, by| Item { label: label.into(), why_not: None, pick: Pick::Sort(by) };
        let mut items = vec![item("the pane's own order".to_owned(), None)];
        for column in columns.iter().filter(|column| !column.title.is_empty()) {
            let (note, back) = match &table.sort {
                Some((sorted, back)) if *sorted == column.title => (
                    if *back { "  ↓ now, again turns it round" } else { "  ↑ now, again turns it round" },
                    !back,
                ),
                _ => ("", false),
            };
            items.push(item(format!("{}{note}", column.title), Some((column.title.clone(), back))));
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
        let rows = table.slots.len();
        if rows > 1 {
            let most =
                if rows > MOST_COPIED { format!(", the first {MOST_COPIED} of them") } else { String::new() };
            let label = format!("all {} rows shown{most}", grouped(rows as u64)).into();
            items.push(Item { label, why_not: None, pick: Pick::CopyRows });
        }
        Some(Overlay::menu("copy to the terminal's clipboard", items))
    }
}

impl Ui {
    /// Copies the rows that are shown, with their headings, as far as a terminal takes them.
    pub(in crate::ui) fn copy_rows(&mut self, now: Time) {
        let Some(table) = self.tables.get(self.active) else { return };
        let Some(computed) = &table.computed else { return };
        let titles: Vec<&str> = computed.sheet.columns.iter().map(|column| column.title.as_str()).collect();
        let rows: Vec<String> = table.shown().take(MOST_COPIED).map(|row| line(&row)).collect();
        self.copy_text(format!("{}\n{}", titles.join("\t"), rows.join("\n")), now);
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
