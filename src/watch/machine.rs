//! The state machine of one watch: (cluster, kind) → list, watch, and what to do when it fails.
//!
//! It is pure. Everything that happens is an [`Input`] with the time at which it happened;
//! everything to be done is an [`Output`]. Chance comes in as a seed. So the rules below are
//! table tests, and thousands of seeded schedules of faults run in a second.
//!
//! | what happens | what follows |
//! |---|---|
//! | the list is complete | watch from its version |
//! | a watch ends after its time | watch again from the last version, at once |
//! | a watch ends before its time | compare versions, watch again from the last version |
//! | a person asks | try again at once |
//! | the same while a watch is open | ask beside it; once the server answers, compare versions and watch again |
//! | 410, wherever it comes from | a list from scratch: at once the first time, then with back-off |
//! | an event that is garbled, of no known type, without a version, or older than the last | the same |
//! | an event whose object alone cannot be read | that object is left out, and counted |
//! | any other error | back-off, then compare versions, then watch from the last version |
//! | 403, 401, 404 | ask again after 10 s, then after minutes; at once when a person says so |
//! | 75 s without event or bookmark | compare versions, watch again from the last version |
//! | the same again, although the server's version moved on | a list from scratch |
//! | the server's version is behind ours | ask again soon: it may be a replica that lags |
//! | it stays behind | it is another cluster or an older state: start over |
//! | it has the newest object that was seen at an older version, or never says where it went | the same |
//!
//! Where a server offers it compressed, a list comes as the beginning of a watch (a streaming list):
//! the same items and the same end in one request. The watch that follows is asked for anew, not
//! compressed. Whatever goes wrong with a streaming list, the next one comes in pages.
//!
//! Back-off grows until a list is complete (for lists) or a stream has been healthy for
//! [`HEALTHY`] (for watches), never merely because a request was answered: a server that lists
//! well and breaks every watch is asked as seldom as one that does not answer.

mod backoff;
mod beside;
mod input;
mod listing;
mod rules;
#[cfg(test)]
mod simulate;
mod stream;
#[cfg(test)]
mod tests;
mod witness;

pub use backoff::{Dice, LONGEST_ASKED, delay};
pub use input::{Ask, Event, Input, Output, PageEnd, Refusal};

use rustc_hash::FxHashSet;

use crate::model::{Cause, Change, Fault, Kind, Link, LinkState, Span, Time, Uid, Version};
use listing::Listing;
pub(super) use listing::Tokens;
use stream::Stream;
use witness::{Missing, Probe, Witness};

/// Objects asked for in one page of a list. Paging costs the server nothing (measured), but each page
/// costs a round trip in which neither side works.
pub const PAGE: u32 = 2_500;

/// Objects that are handed on together: what channels hold at once. They come out of a page as it
/// arrives.
pub const BATCH: usize = 500;

/// A stream that lived this long, or brought this much time of news, forgives earlier failures.
pub const HEALTHY: Span = Span::from_seconds(60);

/// After how long without event or bookmark the server is asked for its version. Bookmarks come
/// about once a minute (`defaultBookmarkFrequency` in the apiserver's cacher).
pub const SILENCE: Span = Span::from_seconds(75);

/// The longest wait for the next sign of a request or a list before it counts as failed.
pub const PATIENCE: Span = Span::from_seconds(30);

/// How long a kind counts as live while no watch of it is open. To compare versions and to open the
/// next watch takes two round trips, ten seconds where each takes five; a server that makes them wait
/// longer says nothing, and what happens meanwhile is not seen.
const UNWATCHED: Span = Span::from_seconds(12);

/// How often a link's [`Link::heard`] is told anew.
const TELL: Span = Span::from_seconds(1);

/// One watch.
#[derive(Debug)]
pub struct Machine {
    kind: Kind,
    dice: Dice,
    /// The server, or something before it, cannot be asked for protobuf.
    json: bool,
    /// Lists are asked for as streams.
    streaming: bool,
    phase: Phase,
    /// Where a watch goes on; `None` when only a new list helps.
    resume: Option<Version>,
    /// The highest version ever seen: the server must never be behind it.
    highest: Version,
    /// Whether a list was ever complete, so that something is on screen.
    shown: bool,
    /// Whether the server's version must be compared before a watch counts.
    verify: bool,
    /// A version that the server had, and when.
    compared: Option<(Version, Time)>,
    /// How often in a row the server was behind, and when that was seen last.
    behind: Option<(usize, Time)>,
    /// The newest object that was seen.
    witness: Option<Witness>,
    missing: Option<Missing>,
    /// When something was asked beside the open watch.
    beside: Option<Time>,
    /// Streams in a row that brought nothing at all.
    silences: u32,
    /// Failures since the last complete list.
    list_strikes: u32,
    /// Troubles of the stream since it was last healthy.
    stream_strikes: u32,
    /// When something must happen if nothing does.
    wake: Option<Time>,
    /// How long the request that runs is waited for.
    patience: Time,
    /// When the last open watch ended.
    unwatched: Time,
    link: Link,
    /// The last sign of life on the connection, whichever watch it was for.
    vouched: Option<Time>,
    told: Option<Time>,
    /// Objects of the last list that could not be read, and changes of objects that say not which.
    unreadable: u64,
    /// Objects whose last change could not be read.
    lost: FxHashSet<Uid>,
    /// Events older than the last one: counted, never passed on.
    older: u64,
}

/// What the machine is doing.
#[derive(Debug)]
enum Phase {
    /// The cluster does not answer (or did not yet): nothing is asked.
    Down,
    /// Waiting for its turn to list.
    Queued,
    /// A list is coming in.
    Listing(Listing),
    /// The server is asked for its version.
    Probing(Probe),
    /// A watch was asked for that the server is to end then.
    Opening { until: Time },
    /// A watch is open.
    Watching(Stream),
    /// Waiting before the next try.
    Resting,
}

impl Machine {
    /// A watch that has not begun. It begins with [`Input::Up`].
    #[must_use]
    pub fn new(kind: Kind, seed: u64, now: Time) -> Machine {
        Machine {
            kind,
            dice: Dice::new(seed),
            json: false,
            streaming: false,
            phase: Phase::Down,
            resume: None,
            highest: Version(0),
            shown: false,
            verify: false,
            compared: None,
            behind: None,
            witness: None,
            missing: None,
            beside: None,
            silences: 0,
            list_strikes: 0,
            stream_strikes: 0,
            wake: None,
            patience: now,
            unwatched: now,
            link: Link::waiting(now),
            vouched: None,
            told: None,
            unreadable: 0,
            lost: FxHashSet::default(),
            older: 0,
        }
    }

    /// The same, when something is on screen already that is as of that time, and earlier watches
    /// of this kind saw that version: a server that is behind it was restored or replaced.
    #[must_use]
    pub fn after(mut self, known: Option<Time>, highest: Version) -> Machine {
        self.shown = known.is_some();
        self.link.heard = known;
        self.highest = highest;
        self
    }

    /// The same, for a server that offers its lists as compressed streams. Where that turns out
    /// not to work, lists come in pages all the same.
    #[must_use]
    pub fn streaming(mut self, offered: bool) -> Machine {
        self.streaming = offered;
        self
    }

    /// The kind that is watched.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// When [`Input::Timer`] is due; it may change with every step.
    #[must_use]
    pub fn wake(&self) -> Option<Time> {
        self.wake
    }

    /// The health of this watch.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The highest version ever seen.
    #[must_use]
    pub fn highest(&self) -> Version {
        self.highest
    }

    /// Whether its lists have failed since the last complete one.
    #[must_use]
    pub fn lists_fail(&self) -> bool {
        self.list_strikes > 0
    }

    /// How many objects are left out because they could not be read.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.unreadable + self.lost.len() as u64
    }

    /// How many events came that were older than the one before them.
    #[must_use]
    pub fn older(&self) -> u64 {
        self.older
    }

    /// Takes one thing that happened and appends what is to be done about it, in order.
    pub fn step(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Up => self.up(now, out),
            Input::Down { fault, retry_at, tries } => {
                self.was_current();
                self.down(now, fault, retry_at, tries, out);
            }
            Input::Kick => self.kick(now, out),
            Input::Timer => self.timer(now, out),
            Input::Admitted => self.admitted(now, out),
            Input::Opened => self.opened(now, out),
            Input::Progress => self.progress(now),
            Input::Records(records) => self.records(now, records, out),
            Input::Unreadable(count) => self.unreadable(now, count, out),
            Input::PageEnd(end) => self.page_end(now, end, out),
            Input::Event(event) => self.event(now, event, out),
            Input::Ended => self.ended(now, out),
            Input::Refused(refusal) => self.refused(now, refusal, out),
            Input::Unacceptable(fault) => self.unacceptable(now, fault, out),
            Input::Uncompressed => self.uncompressed(now, out),
            Input::Beside(input) => self.beside(now, *input, out),
            Input::Failed(fault) => {
                // What is garbled may be an event that was lost.
                if fault.cause != Cause::Garbled {
                    self.was_current();
                }
                self.failed(now, fault, out);
            }
        }
        self.forget_beside(now);
    }

    fn up(&mut self, now: Time, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Down) {
            self.proceed(now, out);
        }
    }

    fn down(&mut self, now: Time, fault: Fault, retry_at: Option<Time>, tries: u32, out: &mut Vec<Output>) {
        self.forgive(now);
        self.stop(out);
        self.phase = Phase::Down;
        self.verify = true;
        self.wake = None;
        // What is refused, or not served, is so still for all that anybody knows.
        if !self.link.refused() {
            let state = rules::state_of(fault.cause);
            self.tell_trouble(now, state, fault, retry_at, tries, out);
        }
    }

    fn kick(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Resting => self.proceed(now, out),
            Phase::Watching(stream) if stream.caught_up => self.ask_beside(now, out),
            _ => {}
        }
    }

    /// Drops an open watch, compares versions and watches again: what is shown was right up to
    /// the last event, so it stays live meanwhile.
    fn ask_again(&mut self, now: Time, out: &mut Vec<Output>) {
        self.forgive(now);
        self.stop(out);
        self.verify = true;
        self.proceed(now, out);
    }

    fn timer(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.wake.is_none_or(|wake| now < wake) {
            return;
        }
        match self.phase {
            Phase::Down => self.wake = None,
            // Only what is live is woken while it waits for its turn.
            Phase::Queued => {
                self.no_longer_live(now, rules::unwatched(self.kind), out);
                self.wake = None;
            }
            Phase::Resting => self.proceed(now, out),
            Phase::Listing(_) | Phase::Probing(_) | Phase::Opening { .. } if now < self.patience => {
                self.no_longer_live(now, rules::too_slow(self.kind, UNWATCHED), out);
            }
            // Its end does not come: not every server that sends such lists can end them.
            Phase::Listing(_) if self.streams() => self.in_pages(now, out),
            Phase::Listing(_) | Phase::Probing(_) | Phase::Opening { .. } => {
                let fault = rules::too_slow(self.kind, PATIENCE);
                self.failed(now, fault, out);
            }
            Phase::Watching(stream) if !stream.caught_up => self.catching_up(now, stream, out),
            Phase::Watching(_) => self.silent(now, out),
        }
    }

    /// Does the next thing on the way to an open watch.
    fn proceed(&mut self, now: Time, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Watching(_)) {
            self.unwatched = now;
        }
        self.wake = None;
        self.link.retry_at = None;
        let Some(from) = self.resume else {
            self.phase = Phase::Queued;
            self.wake = self.live_until();
            out.push(Output::Queue);
            self.tell(now, out);
            return;
        };
        if self.verify {
            self.probe(now, out);
        } else {
            let (timeout_seconds, until) = self.lifetime(now);
            self.phase = Phase::Opening { until };
            out.push(Output::Ask { ask: Ask::Watch { from, timeout_seconds }, json: self.json });
            self.await_answer(now);
        }
        self.tell(now, out);
    }

    /// Begins to wait for the next sign of a request on the way to an open watch.
    fn await_answer(&mut self, now: Time) {
        self.patience = now + PATIENCE;
        self.wake = Some(self.live_until().map_or(self.patience, |until| until.min(self.patience)));
    }

    /// Until when what is shown counts as live if nothing more comes; `None` when it does not.
    fn live_until(&self) -> Option<Time> {
        let seen = self.link.heard.map_or(self.unwatched, |heard| heard.max(self.unwatched));
        self.link.live().then(|| seen + UNWATCHED)
    }

    /// What happens is not seen for too long: says so, and goes on waiting for what was asked for.
    fn no_longer_live(&mut self, now: Time, fault: Fault, out: &mut Vec<Output>) {
        self.wake = Some(self.patience);
        self.tell_trouble(now, LinkState::Broken, fault, None, self.stream_strikes, out);
    }

    /// How long a watch is to last, and when that is. Random, so that the watches of a fleet do not
    /// all end together.
    fn lifetime(&mut self, now: Time) -> (u32, Time) {
        let seconds = 240 + self.dice.below(51);
        (seconds, now + Span::from_seconds(i64::from(seconds)))
    }

    fn opened(&mut self, now: Time, out: &mut Vec<Output>) {
        match &mut self.phase {
            Phase::Listing(_) => self.page_opened(now, out),
            Phase::Probing(_) => self.await_answer(now),
            Phase::Opening { until } => {
                let until = *until;
                self.watching(now, until, out);
            }
            _ => {}
        }
    }

    fn unreadable(&mut self, now: Time, count: u64, out: &mut Vec<Output>) {
        if count > 0 && !matches!(self.phase, Phase::Probing(_)) {
            self.unreadable += count;
            self.tell_left_out(out);
            self.heard(now, out);
        }
    }

    fn tell_left_out(&self, out: &mut Vec<Output>) {
        out.push(Output::Tell(Change::Unreadable(self.kind, self.left_out())));
    }

    /// Drops whatever request runs, and the turn to list.
    fn stop(&mut self, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Queued => out.push(Output::Release),
            Phase::Listing(_) => {
                out.extend([Output::Stop, Output::Release, Output::Tell(Change::Void(self.kind))]);
            }
            Phase::Probing(_) | Phase::Opening { .. } | Phase::Watching(_) => out.push(Output::Stop),
            Phase::Down | Phase::Resting => {}
        }
    }

    /// Notes when the connection last gave a sign of life.
    pub(super) fn vouch(&mut self, heard: Option<Time>) {
        self.vouched = heard.or(self.vouched);
    }

    /// The connection or the stream broke. As long as it lived, an open watch that was live had all that
    /// happened: of a kind that seldom changes too, what is shown is as old as the connection's last
    /// sign of life, not as its own last event. So all kinds of a cluster, and the cluster, are of
    /// one age.
    fn was_current(&mut self) {
        let watching = matches!(self.phase, Phase::Watching(stream) if stream.caught_up);
        if watching && self.link.live() {
            self.link.heard = self.vouched.or(self.link.heard);
        }
    }

    /// Notes a sign of life. While something older is on screen it does not count: the age that
    /// is shown must be that of what is shown.
    fn heard(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.shown && !self.link.live() {
            return;
        }
        self.link.heard = Some(now);
        // The age of a live link is zero, whenever it was heard last.
        if self.link.live() {
            return;
        }
        if self.told.is_none_or(|told| told.age(now) >= TELL) {
            self.tell(now, out);
        }
    }

    fn set_state(&mut self, now: Time, state: LinkState) {
        if std::mem::discriminant(&state) != std::mem::discriminant(&self.link.state) {
            self.link.since = now;
        }
        self.link.state = state;
    }

    fn tell(&mut self, now: Time, out: &mut Vec<Output>) {
        self.told = Some(now);
        out.push(Output::Tell(Change::KindLink(self.kind, self.link.clone())));
    }

    fn tell_trouble(
        &mut self,
        now: Time,
        state: LinkState,
        fault: Fault,
        retry_at: Option<Time>,
        tries: u32,
        out: &mut Vec<Output>,
    ) {
        self.set_state(now, state);
        self.link.fault = Some(fault);
        self.link.retry_at = retry_at;
        self.link.tries = tries;
        self.tell(now, out);
    }
}
