//! Symptoms that ended lately: a container in a crash loop runs between two crashes, and says other things of
//! itself each time, and what people ask is since when it loops.

use rustc_hash::FxHashMap;

use crate::model::{Span, Symptom, SymptomCause, Time, Tone, Uid};

/// For how long an end may be none: the kubelet forgets a crash loop when the container ran for ten minutes
/// (`MaxContainerBackOff`, twice).
const LATELY: Span = Span::from_seconds(600);

/// The critical symptoms of objects that are there still, and when each ended.
#[derive(Default)]
pub(super) struct Ended(FxHashMap<Uid, Vec<(Symptom, Time)>>);

impl Ended {
    /// The symptom that an object has from now on, by the one that it had and the one that was found. One that
    /// stays keeps its beginning, and so does one that comes back.
    pub(super) fn follow(
        &mut self,
        uid: Uid,
        old: Option<&Symptom>,
        found: Option<Symptom>,
        at: Time,
    ) -> Option<Symptom> {
        let stays = |found: &Symptom| old.filter(|old| old.cause == found.cause);
        let symptom = found.map(|found| match stays(&found).or_else(|| self.recall(uid, &found.cause, at)) {
            Some(before) => lasting(found, before),
            None => found,
        });
        if let Some(old) = old.filter(|old| symptom.as_ref().is_none_or(|new| new.cause != old.cause)) {
            self.note(uid, old, at);
        }
        symptom
    }

    fn note(&mut self, uid: Uid, symptom: &Symptom, at: Time) {
        if symptom.tone < Tone::Crit {
            return;
        }
        let of = self.0.entry(uid).or_default();
        of.retain(|(other, ended)| other.cause != symptom.cause && ended.age(at) < LATELY);
        of.push((symptom.clone(), at));
    }

    fn recall(&self, uid: Uid, cause: &SymptomCause, at: Time) -> Option<&Symptom> {
        let (symptom, ended) = self.0.get(&uid)?.iter().find(|(symptom, _)| symptom.cause == *cause)?;
        (ended.age(at) < LATELY).then_some(symptom)
    }

    /// The object is gone.
    pub(super) fn forget(&mut self, uid: Uid) {
        self.0.remove(&uid);
    }
}

/// A symptom with the beginning of the same one as it was found before.
fn lasting(mut new: Symptom, old: &Symptom) -> Symptom {
    // What was found so stays as unsure as it was, until the object itself says more.
    (new.since, new.since_sure) = match old.since.cmp(&new.since) {
        std::cmp::Ordering::Less => (old.since, old.since_sure),
        std::cmp::Ordering::Equal => (old.since, old.since_sure || new.since_sure),
        std::cmp::Ordering::Greater => (new.since, new.since_sure),
    };
    new.counts_from = new.counts_from.min(old.counts_from);
    new
}
