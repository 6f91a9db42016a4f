//! The open watch: events, catching up, silence, its end.

use super::input::{Event, Output};
use super::{HEALTHY, Machine, PATIENCE, Phase, SILENCE, rules};
use crate::model::{Change, LinkState, Span, Time, Version};

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
    /// When the server is to end it.
    until: Time,
}

impl Machine {
    /// The watch was granted.
    pub(super) fn watching(&mut self, now: Time, until: Time, out: &mut Vec<Output>) {
        self.phase = Phase::Watching(Stream { since: now, caught_up: false, until });
        self.wake = Some(now + LULL);
        let fresh = self.link.heard.is_some_and(|heard| heard.age(now) <= FRESH);
        if fresh || self.link.live() {
            self.live(now, out);
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
        out.push(Output::Tell(match event {
            Event::Upsert(record) => Change::Upsert(record),
            Event::Gone(uid, version) => Change::Gone(kind, uid, version),
            _ => Change::Bookmark(kind, version),
        }));
        if stream.caught_up {
            self.wake = Some(now + SILENCE);
            self.heard(now, out);
        } else if let Some(as_of) = self.through(now, version) {
            self.caught_up(now, as_of, out);
        } else {
            // If it never pauses, versions are compared again: by then less is to be made up for.
            self.wake = Some((now + LULL).min(stream.since + PATIENCE));
        }
    }

    /// Something else than objects and their end came before the end.
    fn stream_broke(&mut self, now: Time, event: Event, out: &mut Vec<Output>) {
        match event {
            Event::Error(refusal) => self.refused(now, refusal, out),
            Event::Garbled(fault) => self.failed(now, fault, out),
            // A bookmark that is not the end only shows that the server lives.
            Event::Bookmark(_) => self.progress(now),
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
                self.proceed(now, out);
            }
            Phase::Watching(_) => self.failed(now, rules::ended_early(self.kind), out),
            Phase::Listing(_) | Phase::Probing | Phase::Opening { .. } => {
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
