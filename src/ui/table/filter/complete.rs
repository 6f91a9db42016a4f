//! What may follow what was typed of a filter.

use super::TONES;
use crate::model::{Kind, Text};
use crate::views::{Sheet, Snapshot};

/// Whole filters that begin with what was typed, the likeliest first: prefixes, columns, and the
/// names behind a prefix.
pub(in crate::ui) fn completions(typed: &str, sheet: &Sheet, snapshot: &Snapshot) -> Vec<String> {
    let start = typed.rfind(' ').map_or(0, |space| space + 1);
    let (before, last) = typed.split_at(start);
    let (not, term) = last.strip_prefix('!').map_or(("", last), |term| ("!", term));
    if term.is_empty() {
        return Vec::new();
    }
    let fitting = match term.split_once(':') {
        Some((prefix @ ("cluster" | "ctx"), name)) => {
            let names = snapshot.fleet.clusters.iter().map(|c| c.info.name.clone());
            named(prefix, name, names)
        }
        Some((prefix @ ("ns" | "namespace"), name)) => {
            let clusters = snapshot.fleet.clusters.iter();
            let spaces = clusters.flat_map(|c| c.records(Kind::Namespace)).map(|r| r.meta().name.clone());
            named(prefix, name, spaces)
        }
        Some((prefix @ ("sev" | "state"), name)) => {
            named(prefix, name, TONES.iter().map(|(t, _)| Text::from(*t)))
        }
        _ => {
            let prefixes = ["cluster:", "ns:", "sev:"].map(str::to_owned);
            let columns =
                sheet.columns.iter().filter(|c| c.right).map(|c| format!("{}>", c.title.replace(' ', "")));
            prefixes.into_iter().chain(columns).filter(|whole| whole.starts_with(term)).collect()
        }
    };
    fitting.into_iter().map(|whole| format!("{before}{not}{whole}")).collect()
}

fn named(prefix: &str, begin: &str, names: impl Iterator<Item = Text>) -> Vec<String> {
    let mut names: Vec<String> =
        names.filter(|name| name.starts_with(begin)).map(|name| format!("{prefix}:{name}")).collect();
    names.sort_unstable();
    names.dedup();
    names
}
