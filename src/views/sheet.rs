//! Sheets: what a pane shows, as data. The screen draws them; `quarterdeck get` prints them.

mod rows;

pub use rows::{RowView, SheetRows};

use crate::model::{Cell, ClusterId, Column, ObjectKey, SymptomCause, Text, Time, Tone};

/// What a pane shows: an answer, then rows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sheet {
    /// The pane's question answered in one sentence.
    pub answer: Text,
    /// Small charts above the table.
    pub charts: Vec<Chart>,
    /// The columns, in the order in which they stand; narrow screens drop by their worth. The
    /// state glyph is not a column: it is the row's tone.
    pub columns: Vec<Column>,
    /// The rows, in the pane's own order.
    pub rows: SheetRows,
    /// What stands there when there are no rows.
    pub empty: Text,
    /// The last line under the table: sources, doubts, what is not counted.
    pub footer: Text,
    /// What can be done about what is missing.
    pub hints: Vec<Hint>,
}

/// What a person can do about what a sheet lacks. The screen says with which key, the command line
/// with which command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Hint {
    /// Look at more: nothing is in this scope.
    Widen,
    /// Ask the clusters that do not answer again.
    AskAgain,
    /// See which rule is missing where reading is not allowed.
    MissingRule,
    /// Log in where a login is wanted.
    LogIn,
}

/// A row: who it is, how it is, what its cells say.
#[derive(Clone, PartialEq, Debug)]
pub struct SheetRow {
    /// What the cursor and the marks hold on to.
    pub id: RowId,
    /// Its glyph and colour.
    pub tone: Tone,
    /// One cell for each column.
    pub cells: Vec<Cell>,
    /// The objects behind it: what verbs act on.
    pub objects: Vec<ObjectKey>,
    /// Whether it is older than its limit: drawn dim.
    pub stale: bool,
}

/// What a row is, for as long as it exists.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RowId {
    /// A cluster.
    Cluster(ClusterId),
    /// One object.
    Object(ObjectKey),
    /// A finding, over clusters.
    Finding(SymptomCause),
    /// A workload of the same kind, namespace and name in any cluster.
    Workload(Text, Text, Text),
    /// Something that happened: when, where and the place in that cluster's ring.
    Signal(Time, ClusterId, u32),
    /// A named part of a pane: a pool, a namespace, a capacity type, a group.
    Part(Text),
    /// A run of an operation.
    Run(u32),
    /// The sum of the other rows: it stays last however they are sorted.
    Total,
}

/// A small chart: a label, a line of values, and what stands at its ends.
#[derive(Clone, PartialEq, Debug)]
pub struct Chart {
    /// What it shows.
    pub label: Text,
    /// The values, oldest first; `None` where nothing is known.
    pub values: Vec<Option<f64>>,
    /// What stands before and after the line.
    pub ends: (Text, Text),
    /// A word behind it: the time that it spans.
    pub note: Text,
}

/// The evidence of a row: lines under the table, in time order where they have a time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Evidence {
    /// The title over them.
    pub title: Text,
    /// Small charts between the title and the lines.
    pub charts: Vec<Chart>,
    /// The lines.
    pub lines: Vec<EvidenceLine>,
}

/// A line of evidence.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EvidenceLine {
    /// When it happened, if it is that kind of line.
    pub at: Option<Time>,
    /// `first`, `spread`, `serving`, `now`, `hint`, …
    pub label: Text,
    /// The sentence.
    pub text: Text,
    /// How worrying it is.
    pub tone: Tone,
    /// The operation that does what the line offers, by its id: the screen says with which key.
    pub offer: Option<&'static str>,
}
