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
    question: Question,
}

/// What a probe asks beside the server's version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Question {
    /// Nothing: nobody bears witness.
    Nothing,
    /// At which version it has the witness; and the answer so far.
    Witness(Option<Version>),
    /// Nothing, since it would not say.
    Refused,
}

impl Witness {
    /// The newest of these and what was the newest before them.
    pub(super) fn newest(known: Option<Witness>, records: &[Record]) -> Option<Witness> {
        let newest = records.iter().max_by_key(|record| record.meta().version);
        let newer =
            |record: &&Record| known.as_ref().is_none_or(|known| known.version < record.meta().version);
        newest.filter(newer).map(Witness::of).or(known)
    }

    fn of(record: &Record) -> Witness {
        let meta = record.meta();
        let (namespace, name) = (meta.namespace.clone(), meta.name.clone());
        Witness { uid: meta.uid, namespace, name, version: meta.version }
    }

    /// Namespace and name, unless that may not be what the server calls it.
    fn place(&self) -> Option<(Text, Text)> {
        let plain = |text: &Text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
        let known = !self.name.is_empty() && plain(&self.name) && plain(&self.namespace);
        known.then(|| (self.namespace.clone(), self.name.clone()))
    }
}

impl Machine {
    /// Whether the witness is asked for.
    pub(super) fn asks_for_witness(&self) -> bool {
        matches!(self.phase, Phase::Probing(Probe { question: Question::Witness(_), .. }))
    }

    /// Asks for the server's version, and for the witness if there is one.
    pub(super) fn probe(&mut self, now: Time, out: &mut Vec<Output>) {
        let of = self.witness.as_ref().and_then(Witness::place);
        let question = if of.is_some() { Question::Witness(None) } else { Question::Nothing };
        self.ask_version(now, question, of, out);
    }

    /// Asks for the server's version alone: it would not say what it has of the witness.
    pub(super) fn probe_without_witness(&mut self, now: Time, out: &mut Vec<Output>) {
        self.stop(out);
        self.ask_version(now, Question::Refused, None, out);
    }

    fn ask_version(
        &mut self,
        now: Time,
        question: Question,
        of: Option<(Text, Text)>,
        out: &mut Vec<Output>,
    ) {
        self.phase = Phase::Probing(Probe { asked: now, question });
        out.push(Output::Ask { ask: Ask::Probe { of }, json: self.json });
        self.await_answer(now);
    }

    /// What a probe brought.
    pub(super) fn testify(&mut self, records: &[Record]) {
        let Some(witness) = &self.witness else { return };
        let found = records.iter().map(Record::meta).find(|meta| meta.uid == witness.uid);
        if let (Phase::Probing(probe), Some(found)) = (&mut self.phase, found) {
            probe.question = Question::Witness(Some(found.version));
        }
    }

    /// A server at this version, which is not behind ours, has told what it has of the witness. Says whether it was
    /// restored.
    pub(super) fn contradicted(&mut self, version: Version) -> bool {
        let (Phase::Probing(probe), Some(witness)) = (&self.phase, &self.witness) else { return false };
        match probe.question {
            Question::Nothing => {}
            Question::Witness(Some(found)) => return found < witness.version,
            // An earlier one of which nothing was said yet stays: the stream broke before.
            Question::Witness(None) => {
                self.missing.get_or_insert(Missing { uid: witness.uid, since: version });
            }
            // Only a list tells.
            Question::Refused => self.resume = None,
        }
        false
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
        self.witness = Some(Witness::of(record));
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
