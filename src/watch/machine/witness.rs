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
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// Since when it is asked: the answer is as of no later time, however long it takes to arrive.
    pub(super) asked: Time,
    /// The highest version that was seen by then: a server that answers is not behind it.
    pub(super) highest: Version,
    question: Question,
}

/// What a probe asks beside the server's version.
#[derive(Clone, Debug)]
enum Question {
    /// Nothing: nobody bears witness.
    Nothing,
    /// At which version it has the witness; and the answer so far.
    Witness(Witness, Option<Version>),
    /// Nothing, since it would not say.
    Refused,
}

impl Probe {
    /// For the version alone.
    pub(super) fn of_version(now: Time, highest: Version) -> Probe {
        Probe { asked: now, highest, question: Question::Nothing }
    }

    /// What to ask the server for.
    pub(super) fn ask(&self) -> Ask {
        let of = match &self.question {
            Question::Witness(witness, _) => witness.place(),
            Question::Nothing | Question::Refused => None,
        };
        Ask::Probe { of }
    }

    /// Whether the witness is asked for.
    pub(super) fn asks_for_witness(&self) -> bool {
        matches!(self.question, Question::Witness(..))
    }

    /// What it brought.
    pub(super) fn testify(&mut self, records: &[Record]) {
        if let Question::Witness(witness, found) = &mut self.question
            && let Some(meta) = records.iter().map(Record::meta).find(|meta| meta.uid == witness.uid)
        {
            *found = Some(meta.version);
        }
    }
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
        matches!(&self.phase, Phase::Probing(probe) if probe.asks_for_witness())
    }

    /// The question for the server's version, and for the witness if there is one.
    pub(super) fn question(&self, now: Time) -> Probe {
        let witness = self.witness.clone().filter(|witness| witness.place().is_some());
        let question = witness.map_or(Question::Nothing, |witness| Question::Witness(witness, None));
        Probe { asked: now, highest: self.highest, question }
    }

    /// Asks for the server's version, and for the witness if there is one.
    pub(super) fn probe(&mut self, now: Time, out: &mut Vec<Output>) {
        self.ask_version(now, self.question(now), out);
    }

    /// Asks for the server's version alone: it would not say what it has of the witness.
    pub(super) fn probe_without_witness(&mut self, now: Time, out: &mut Vec<Output>) {
        self.stop(out);
        let question = Question::Refused;
        self.ask_version(now, Probe { asked: now, highest: self.highest, question }, out);
    }

    fn ask_version(&mut self, now: Time, probe: Probe, out: &mut Vec<Output>) {
        out.push(Output::Ask { ask: probe.ask(), json: self.json });
        self.phase = Phase::Probing(probe);
        self.await_answer(now);
    }

    /// A server at this version, which is not behind ours, has told what it has of the witness. Says whether it was
    /// restored.
    pub(super) fn contradicted(&mut self, probe: &Probe, version: Version) -> bool {
        match &probe.question {
            Question::Nothing => {}
            Question::Witness(witness, Some(found)) => return *found < witness.version,
            // An earlier one of which nothing was said yet stays: the stream broke before.
            Question::Witness(witness, None) => {
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
        if let Some(Probe { question, .. }) = &mut self.beside
            && matches!(question, Question::Witness(witness, _) if witness.uid == uid)
        {
            // Whether it is missing was told before the answer came.
            *question = Question::Nothing;
        }
    }

    /// The server was restored and is ahead of us all the same.
    pub(super) fn restored(&mut self, now: Time, out: &mut Vec<Output>) {
        self.replaced(now, rules::restored(self.kind), out);
    }
}
