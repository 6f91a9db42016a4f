//! What was told: notices, and the journal as it was read last.

use std::sync::Arc;

use crate::model::{Text, Time};
use crate::operations::Unfinished;

/// Notices that are kept.
const NOTICES: usize = 1000;

/// What was told on this screen, and what the journal holds.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Notices, oldest first.
    pub notices: Vec<(Time, Text)>,
    /// The journal; `None` while it was not read.
    pub journal: Option<Result<JournalPage, Text>>,
    /// Runs of earlier processes that were cut off and that nobody decided about, oldest first.
    pub cut_off: Vec<Arc<Unfinished>>,
}

/// The end of the journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JournalPage {
    /// Up to which record its chain was checked.
    pub verified: u64,
    /// The hash of that record: noted elsewhere, it tells this chain from another one.
    pub head: String,
    /// Its last records, newest first.
    pub records: Vec<JournalLine>,
}

/// A record of the journal, as far as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalLine {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at: Option<Time>,
    /// What was done: `accepted`, `intent`, `result`, `step`, `undone`, `ended`, …
    pub action: Text,
    /// Of which operation.
    pub operation: Text,
    /// Where.
    pub cluster: Text,
    /// To what.
    pub objects: Text,
    /// Who did it.
    pub who: Text,
    /// What came of it.
    pub result: Text,
}

impl Told {
    /// Adds a notice; the oldest goes when there are too many.
    pub(super) fn notice(&mut self, at: Time, text: Text) {
        if self.notices.len() >= NOTICES {
            self.notices.drain(..NOTICES / 10);
        }
        self.notices.push((at, text));
    }
}
