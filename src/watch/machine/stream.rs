//! The open watch: events, catching up, silence, its end.

use super::input::{Event, Output};
use super::{HEALTHY, Machine, PATIENCE, Phase, SILENCE, rules};
use crate::model::{Audit, Change, LinkState, Span, Time, Uid, Version};

/// A watch that ends by itself earlier than this has failed, whatever it says.
const SHORT: Span = Span::from_seconds(10);

/// How much earlier than asked for a server may end a watch in its own time.
const EARLY: Span = Span::from_seconds(2);

/// After an opened watch delivered nothing for this long, what was missed is through: the server
/// sends it in one go.
const LULL: Span = Span::from_seconds(1);

/// What is older than this is not fresh: far less than [`LINK_LIMIT`](crate::model::LINK_LIMIT).
const FRESH: Span = Span::from_seconds(5);

/// An open watch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) since: Time,
    /// Whether what happened while no watch was open has come through. Before that a sign of
    /// life does not make what is shown any younger.
    pub(super) caught_up: bool,
    /// When it is, if nothing more comes before.
    lull: Time,
    /// When the server is to end it.
    until: Time,
}

impl Machine {
    /// The watch was granted.
    pub(super) fn watching(&mut self, now: Time, until: Time, out: &mut Vec<Output>) {
        self.phase = Phase::Watching(Stream { since: now, caught_up: false, lull: now + LULL, until });
        let fresh = self.link.heard.is_some_and(|heard| heard.age(now) <= FRESH);
        if fresh || self.link.live() {
            self.live(now, out);
        }
        self.await_lull(now);
    }

    /// Something came before all that was missed was through, an event or a part of one.
    pub(super) fn await_lull(&mut self, now: Time) {
        let live_until = self.live_until();
        if let Phase::Watching(stream) = &mut self.phase {
            stream.lull = now + LULL;
            // If it never pauses, versions are compared again: by then less is to be made up for.
            let wake = stream.lull.min(stream.since + PATIENCE);
            self.wake = Some(live_until.map_or(wake, |until| until.min(wake)));
        }
    }

    /// A watch that has not caught up is woken: by its lull, because it had none for too long, or
    /// because what is shown counts as live no longer.
    pub(super) fn catching_up(&mut self, now: Time, stream: Stream, out: &mut Vec<Output>) {
        let patience = stream.since + PATIENCE;
        if now >= patience {
            self.silent(now, out);
        } else if now >= stream.lull && self.missing.is_some() {
            self.relist(now, rules::unaccounted(self.kind), out);
        } else if now >= stream.lull {
            if let Some((had, _)) = self.compared {
                // Nothing is to come any more up to the version that the server had before.
                out.push(Output::Tell(Change::Audit(self.kind, Audit::Reached(had))));
            }
            self.caught_up(now, now, out);
        } else {
            self.no_longer_live(now, rules::catching_up(self.kind), out);
            self.wake = Some(stream.lull.min(patience));
        }
    }

    /// What was missed is through; what is shown is as of that time.
    pub(super) fn caught_up(&mut self, now: Time, as_of: Time, out: &mut Vec<Output>) {
        if let Phase::Watching(stream) = &mut self.phase {
            stream.caught_up = true;
            self.wake = Some(now + SILENCE);
            self.link.heard = Some(as_of);
            self.live(now, out);
        }
    }

    /// Nothing came for [`SILENCE`], not even a bookmark.
    pub(super) fn silent(&mut self, now: Time, out: &mut Vec<Output>) {
        self.silences += 1;
        let moved_on = self.compared.is_some_and(|(had, _)| Some(had) > self.resume);
        if self.silences >= 2 && moved_on {
            // Two streams in a row brought nothing: this way nothing may ever come through.
            self.silences = 0;
            self.resume = None;
        }
        self.ask_again(now, out);
    }

    fn live(&mut self, now: Time, out: &mut Vec<Output>) {
        self.set_state(now, LinkState::Live);
        self.link.fault = None;
        self.link.tries = 0;
        self.tell(now, out);
    }

    pub(super) fn event(&mut self, now: Time, event: Event, out: &mut Vec<Output>) {
        if self.streams() {
            return self.stream_broke(now, event, out);
        }
        let Phase::Watching(stream) = self.phase else { return };
        let kind = self.kind;
        let version = match &event {
            Event::Upsert(record) => record.meta().version,
            Event::Gone(_, version) | Event::Bookmark(version) => *version,
            Event::Unreadable { version, .. } => *version,
            Event::Error(refusal) => return self.refused(now, refusal.clone(), out),
            Event::Garbled(fault) => return self.garbled(now, fault.clone(), out),
        };
        if version == Version(0) {
            return self.relist(now, rules::unversioned(kind), out);
        }
        // Within one kind a watch delivers in order of versions, so an older event means that
        // something before us mixes streams up: what it says cannot be sorted in any more.
        if self.resume.is_some_and(|last| version < last) {
            self.older += 1;
            return self.relist(now, rules::out_of_order(kind), out);
        }
        self.silences = 0;
        self.resume = Some(version);
        self.highest = self.highest.max(version);
        match event {
            Event::Upsert(record) => {
                self.seen(&record);
                self.read_again(record.meta().uid, out);
                out.push(Output::Tell(Change::Upsert(record)));
            }
            Event::Gone(uid, version) => {
                self.went(uid);
                self.read_again(uid, out);
                out.push(Output::Tell(Change::Gone(kind, uid, version)));
            }
            Event::Unreadable { uid, version, .. } => self.leave_out(uid, version, out),
            _ => out.push(Output::Tell(Change::Bookmark(kind, version))),
        }
        if self.unaccounted(version) {
            return self.restored(now, out);
        }
        if stream.caught_up {
            self.wake = Some(now + SILENCE);
            self.heard(now, out);
        } else if let Some(as_of) = self.through(now, version) {
            self.caught_up(now, as_of, out);
        } else {
            self.await_lull(now);
        }
    }

    /// An object changed and cannot be read: it is left out as it would be from a list, since what is
    /// shown of it is no longer so.
    fn leave_out(&mut self, uid: Uid, version: Version, out: &mut Vec<Output>) {
        if uid.is_none() {
            // It was never shown: nothing could tell it from others.
            self.unreadable += 1;
            self.tell_left_out(out);
            return out.push(Output::Tell(Change::Bookmark(self.kind, version)));
        }
        self.went(uid);
        if self.lost.insert(uid) {
            self.tell_left_out(out);
        }
        out.push(Output::Tell(Change::Gone(self.kind, uid, version)));
    }

    /// An object can be read, or is gone.
    fn read_again(&mut self, uid: Uid, out: &mut Vec<Output>) {
        if self.lost.remove(&uid) {
            self.tell_left_out(out);
        }
    }

    /// Something else than objects and their end came before the end.
    fn stream_broke(&mut self, now: Time, event: Event, out: &mut Vec<Output>) {
        match event {
            Event::Error(refusal) => self.refused(now, refusal, out),
            Event::Garbled(fault) => self.failed(now, fault, out),
            // A bookmark that is not the end only shows that the server lives.
            Event::Bookmark(_) => self.progress(now),
            Event::Unreadable { .. } => self.unreadable(now, 1, out),
            Event::Upsert(_) | Event::Gone(..) => self.failed(now, rules::out_of_order(self.kind), out),
        }
    }

    /// As of when what is shown is, if an event of this version shows that nothing older is
    /// still to come.
    fn through(&self, now: Time, version: Version) -> Option<Time> {
        let (had, at) = self.compared?;
        (version >= had && at.age(now) <= FRESH).then_some(at)
    }

    pub(super) fn ended(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Watching(stream) if stream.since.age(now) >= SHORT => {
                self.forgive(now);
                out.push(Output::Stop);
                let early = now + EARLY < stream.until;
                if stream.caught_up && !early {
                    // The server ended it in its own time: up to here nothing was missed. One that is
                    // ended early may have been too slow for the server, and then something was.
                    self.link.heard = Some(now);
                    self.compared = self.resume.map(|version| (version, now));
                }
                // A server that shuts down ends its watches in good order, too. What answers next
                // may be another one, or have been restored meanwhile: it would take a watch from
                // a version that it never had, and be silent.
                self.verify |= early;
                out.extend(early.then_some(Output::Doubt));
                self.proceed(now, out);
            }
            Phase::Watching(_) => {
                out.push(Output::Doubt);
                self.failed(now, rules::ended_early(self.kind), out);
            }
            Phase::Listing(_) | Phase::Probing(_) | Phase::Opening { .. } => {
                self.failed(now, rules::cut_off(self.kind), out);
            }
            Phase::Down | Phase::Queued | Phase::Resting => {}
        }
    }

    /// Forgets earlier troubles of the stream when it has been healthy for long enough.
    pub(super) fn forgive(&mut self, now: Time) {
        if let Phase::Watching(stream) = self.phase
            && stream.since.age(now) >= HEALTHY
        {
            self.stream_strikes = 0;
        }
    }
}
