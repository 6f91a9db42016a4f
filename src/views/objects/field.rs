//! What stands in a cell before it is written: a table of 200,000 rows writes only those on screen,
//! and sorts and filters the others by their fields.

use std::fmt::{self, Write};

use crate::model::quantity::{Bytes, Cpu};
use crate::model::{Cell, Cluster, Pod, Span, Text, Used};

/// What stands in a cell, not written yet. Making one costs nothing.
pub(super) enum Field<'a> {
    /// A text of the record.
    Text(&'a Text),
    /// A word.
    Word(&'a str),
    /// A text that had to be put together.
    Made(String),
    /// A number.
    Number(i64),
    /// `3/5`, which sorts by the first.
    Of(i64, i64),
    /// Bytes.
    Bytes(i64),
    /// How long.
    Span(Span),
    /// A number that was measured too long ago: `~93`.
    Past(i64),
    /// The processor time that a pod uses; whether that was measured too long ago.
    PodCpu(&'a Cluster, &'a Pod, bool),
    /// The memory that a pod uses; whether that was measured too long ago.
    PodMemory(&'a Cluster, &'a Pod, bool),
}

/// Every character, in lower case, of a field that [`Field::is_figure`].
const OF_FIGURES: &str = "0123456789./?·-<~%, bdeghikmnpstuw";

/// Whether a word of lower case may be part of a figure at all.
pub(super) fn may_be_figure(word: &str) -> bool {
    word.chars().all(|c| OF_FIGURES.contains(c))
}

impl Field<'_> {
    /// The text, where it is there already.
    pub(super) fn known(&self) -> Option<&str> {
        match self {
            Field::Text(text) => Some(text),
            Field::Word(word) => Some(word),
            Field::Made(text) => Some(text),
            _ => None,
        }
    }

    /// What it is sorted by; `None` when that is its text.
    pub(super) fn sort(&self) -> Option<i64> {
        match self {
            Field::Text(_) | Field::Word(_) | Field::Made(_) => None,
            Field::Number(number) | Field::Past(number) | Field::Of(number, _) | Field::Bytes(number) => {
                Some(*number)
            }
            Field::Span(span) => Some(span.seconds()),
            Field::PodCpu(cluster, pod, _) => used(cluster, pod).map(|used| used.cpu),
            Field::PodMemory(cluster, pod, _) => used(cluster, pod).map(|used| used.memory),
        }
    }

    /// The cell.
    pub(super) fn cell(&self) -> Cell {
        let text = match self {
            Field::Text(text) => (*text).clone(),
            _ => Text::clean(&self.to_string()),
        };
        Cell { sort: self.sort(), ..Cell::text(text) }
    }

    /// Whether its text holds what `found` looks for; `spare` is for writing it down.
    pub(super) fn says(&self, spare: &mut String, found: &dyn Fn(&str) -> bool) -> bool {
        if let Some(text) = self.known() {
            return found(text);
        }
        spare.clear();
        write!(spare, "{self}").is_ok() && found(spare)
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Text(text) => f.write_str(text),
            Field::Word(word) => f.write_str(word),
            Field::Made(text) => f.write_str(text),
            Field::Number(number) => write!(f, "{number}"),
            Field::Past(number) => write!(f, "~{number}"),
            Field::Of(part, whole) => write!(f, "{part}/{whole}"),
            Field::Bytes(bytes) => write!(f, "{}", Bytes(*bytes)),
            Field::Span(span) => write!(f, "{span}"),
            Field::PodCpu(cluster, pod, old) => match used(cluster, pod) {
                Some(used) => write!(f, "{}{}", tilde(*old), Cpu(used.cpu)),
                None => f.write_str("?"),
            },
            Field::PodMemory(cluster, pod, old) => match used(cluster, pod) {
                Some(used) => write!(f, "{}{}", tilde(*old), Bytes(used.memory)),
                None => f.write_str("?"),
            },
        }
    }
}

const fn tilde(old: bool) -> &'static str {
    if old { "~" } else { "" }
}

/// What a pod uses, where that was measured.
fn used(cluster: &Cluster, pod: &Pod) -> Option<Used> {
    cluster.usage.pods.get(&pod.meta.namespace, &pod.meta.name)
}
