//! Filters: words that must be there, `!words` that must not, and words for one column.

use crate::model::ObjectKey;
use crate::views::SheetRow;

/// A filter as typed, and its words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::ui) struct Filter {
    /// As typed.
    pub(in crate::ui) text: String,
    words: Vec<Word>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Word {
    not: bool,
    place: Place,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Anywhere,
    Cluster,
    Namespace,
    Tone,
}

impl Filter {
    /// A filter from what was typed. Words of one place that exclude nothing must all be there.
    pub(in crate::ui) fn parse(text: &str) -> Filter {
        let words = text.split_whitespace().filter_map(Word::parse).collect();
        Filter { text: text.to_owned(), words }
    }

    pub(in crate::ui) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(in crate::ui) fn passes(&self, row: &SheetRow) -> bool {
        self.words.iter().all(|word| word.found(row) != word.not)
    }

    /// The words that rows were found by, for marking them.
    pub(in crate::ui) fn found_words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter(|w| !w.not && w.place == Place::Anywhere).map(|w| w.text.as_str())
    }
}

impl Word {
    fn parse(raw: &str) -> Option<Word> {
        let (not, rest) = raw.strip_prefix('!').map_or((false, raw), |rest| (true, rest));
        let (place, text) = match rest.split_once(':') {
            Some(("cluster" | "ctx", text)) => (Place::Cluster, text),
            Some(("ns" | "namespace", text)) => (Place::Namespace, text),
            Some(("sev" | "state", text)) => (Place::Tone, text),
            _ => (Place::Anywhere, rest),
        };
        (!text.is_empty()).then(|| Word { not, place, text: text.to_lowercase() })
    }

    fn found(&self, row: &SheetRow) -> bool {
        let in_cells = |row: &SheetRow| row.cells.iter().any(|cell| contains(&cell.text, &self.text));
        match self.place {
            Place::Anywhere => in_cells(row),
            // Names of clusters are in cells; only their ids are in keys.
            Place::Cluster => in_cells(row),
            Place::Namespace => {
                let namespace = |key: &ObjectKey| contains(&key.namespace, &self.text);
                if row.objects.is_empty() { in_cells(row) } else { row.objects.iter().any(namespace) }
            }
            Place::Tone => format!("{:?}", row.tone).to_lowercase().starts_with(&self.text),
        }
    }
}

/// Whether a text contains a lower-case word, whatever its case.
pub(in crate::ui) fn contains(text: &str, word: &str) -> bool {
    find(text, word).is_some()
}

/// Where a lower-case word is in a text: its byte range.
pub(in crate::ui) fn find(text: &str, word: &str) -> Option<std::ops::Range<usize>> {
    if word.is_empty() {
        return None;
    }
    if word.is_ascii() {
        let (hay, needle) = (text.as_bytes(), word.as_bytes());
        let at = hay.windows(needle.len()).position(|window| window.eq_ignore_ascii_case(needle))?;
        return Some(at..at + needle.len());
    }
    // Beyond ASCII lower case can change lengths: only the exact letters are sought there.
    text.find(word).map(|at| at..at + word.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cell, ClusterId, Kind, Text, Tone, Uid};
    use crate::views::RowId;

    fn row(cells: &[&str], namespace: &str) -> SheetRow {
        let key = ObjectKey {
            cluster: ClusterId(0),
            kind: Kind::Pod,
            namespace: namespace.into(),
            name: "x".into(),
            uid: Uid::parse("x"),
        };
        SheetRow {
            id: RowId::Part(Text::EMPTY),
            tone: Tone::Crit,
            cells: cells.iter().map(|c| Cell::text(*c)).collect(),
            objects: vec![key],
            stale: false,
        }
    }

    #[test]
    fn words_are_found_or_not() {
        let row = row(&["Pay-API", "eks-use1"], "billing");
        for yes in ["", "pay", "PAY eks", "!web", "ns:bill", "cluster:use1", "sev:crit", "!sev:warn", "!"] {
            assert!(Filter::parse(yes).passes(&row), "{yes}");
        }
        for no in ["web", "pay web", "!pay", "ns:pay", "!ns:billing", "cluster:gke", "sev:ok"] {
            assert!(!Filter::parse(no).passes(&row), "{no}");
        }
        assert_eq!(find("größe ÖL", "öl"), None);
        assert_eq!(find("größe", "öß"), Some(2..6));
    }
}
