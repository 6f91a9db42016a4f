//! The newest object that was seen of a kind. Whoever answers next is asked for it: one who never had it so is a server
//! that was restored, though its version may be ahead of ours again by the time anybody looks.
//!
//! Objects grow newer and go, but never become older. So a server that has it at an older version was restored. One
//! that has it no more must say in the watch that follows that it went; one that does not, never had it.

use super::input::{Ask, Output};
use super::{Machine, Phase, rules};
use crate::model::{Record, Text, Time, Uid, Version};

/// An object that was seen.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    uid: Uid,
    namespace: Text,
    name: Text,
    version: Version,
}

/// An object that the server does not have any more, although nobody has said yet that it went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    uid: Uid,
    /// What the server's version was then: what happened until then, the watch says first.
    since: Version,
}

/// A question for the server's version, and for the witness.
#[derive(Debug)]
pub(super) struct Probe {
    /// Since when it is asked: the answer is as of no later time, however long it takes to arrive.
    pub(super) asked: Time,
    /// Whether the witness is asked for.
    of_witness: bool,
    /// At which version the server has it.
    found: Option<Version>,
}

impl Witness {
    /// The newest of these and what was the newest before them.
    pub(super) fn newest(known: Option<Witness>, records: &[Record]) -> Option<Witness> {
        let newest = records.iter().max_by_key(|record| record.meta().version);
        let newer =
            |record: &&Record| known.as_ref().is_none_or(|known| known.version < record.meta().version);
        newest.filter(newer).and_then(Witness::of).or(known)
    }

    /// Nothing where the name may not be what the server calls it.
    fn of(record: &Record) -> Option<Witness> {
        let meta = record.meta();
        let plain = |text: &Text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
        (!meta.name.is_empty() && plain(&meta.name) && plain(&meta.namespace)).then(|| Witness {
            uid: meta.uid,
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            version: meta.version,
        })
    }
}

impl Machine {
    /// Whether the witness is asked for.
    pub(super) fn asks_for_witness(&self) -> bool {
        matches!(self.phase, Phase::Probing(Probe { of_witness: true, .. }))
    }

    /// Asks for the server's version, and for the witness if there is one.
    pub(super) fn probe(&mut self, now: Time, with_witness: bool, out: &mut Vec<Output>) {
        let witness = self.witness.as_ref().filter(|_| with_witness);
        let of = witness.map(|w| (w.namespace.clone(), w.name.clone()));
        self.phase = Phase::Probing(Probe { asked: now, of_witness: of.is_some(), found: None });
        out.push(Output::Ask { ask: Ask::Probe { of }, json: self.json });
    }

    /// What a probe brought.
    pub(super) fn testify(&mut self, records: &[Record]) {
        let Some(witness) = &self.witness else { return };
        let found = records.iter().map(Record::meta).find(|meta| meta.uid == witness.uid);
        if let (Phase::Probing(probe), Some(found)) = (&mut self.phase, found) {
            probe.found = Some(found.version);
        }
    }

    /// A server at this version, which is not behind ours, has told what it has of the witness. Says whether it was
    /// restored.
    pub(super) fn contradicted(&mut self, version: Version) -> bool {
        let (Phase::Probing(probe), Some(witness)) = (&self.phase, &self.witness) else { return false };
        if !probe.of_witness {
            // It would not say: only a list tells.
            self.resume = None;
            return false;
        }
        if probe.found.is_none() {
            // An earlier one of which nothing was said yet stays: the stream broke before.
            self.missing.get_or_insert(Missing { uid: witness.uid, since: version });
        }
        probe.found.is_some_and(|found| found < witness.version)
    }

    /// Something was said about this object.
    fn accounted(&mut self, uid: Uid) {
        self.missing = self.missing.filter(|missing| missing.uid != uid);
    }

    /// Everything up to this version was said. Says whether what is missing was not among it.
    pub(super) fn unaccounted(&self, version: Version) -> bool {
        self.missing.is_some_and(|missing| version >= missing.since)
    }

    /// This came after everything else that was seen.
    pub(super) fn seen(&mut self, record: &Record) {
        self.accounted(record.meta().uid);
        self.witness = Witness::of(record);
    }

    /// It went, or cannot be read any more.
    pub(super) fn went(&mut self, uid: Uid) {
        self.accounted(uid);
        self.witness.take_if(|witness| witness.uid == uid);
    }

    /// The server was restored and is ahead of us all the same.
    pub(super) fn restored(&mut self, now: Time, out: &mut Vec<Output>) {
        self.replaced(now, rules::restored(self.kind), out);
    }
}
