//! The initial list: pages of it, and its end.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashSet};

use super::input::{Ask, Output, PageEnd};
use super::{Machine, PATIENCE, Phase, Probe, Witness, rules};
use crate::model::{Change, Fault, LinkState, Record, Span, Time, Version};

/// More pages than any list has: a million objects of one kind are more than an apiserver holds.
const MOST_PAGES: usize = 2_000;

/// A page that takes longer than this has failed, even if bytes still trickle in.
const SLOWEST_PAGE: Span = Span::from_seconds(300);

/// How long to wait between looks at a server that is behind. An apiserver's own cache waits for
/// three seconds before it says that a version is too large for it (`blockTimeout` in its cacher).
const CATCH_UP: [Span; 3] = [Span::from_seconds(1), Span::from_seconds(2), Span::from_seconds(4)];

/// Looks that are farther apart than this are not looks in a row: there was an outage in between.
const IN_A_ROW: Span = Span::from_seconds(30);

/// The tokens of a list's pages, by their hashes: a server whose tokens lead in a circle must not be
/// followed.
#[derive(Debug, Default)]
pub(in crate::watch) struct Tokens(FxHashSet<u64>);

impl Tokens {
    /// Whether this token leads to a page that was not there yet, of a list that is not too long.
    pub(in crate::watch) fn lead_on(&mut self, token: &str) -> bool {
        self.0.len() + 1 < MOST_PAGES && self.0.insert(FxBuildHasher.hash_one(token))
    }
}

/// A list that is coming in.
#[derive(Debug)]
pub(super) struct Listing {
    /// When the first page was asked for: the list is as of then, however long it takes.
    since: Time,
    /// When the page was asked for.
    asked: Time,
    began: bool,
    /// Whether it comes as the beginning of a watch.
    stream: bool,
    got: u32,
    of: Option<u32>,
    tokens: Tokens,
    /// The lowest version of any page: a watch from there misses nothing.
    version: Option<Version>,
    newest: Option<Witness>,
}

impl Machine {
    pub(super) fn admitted(&mut self, now: Time, out: &mut Vec<Output>) {
        if !matches!(self.phase, Phase::Queued) {
            // The turn came too late.
            out.push(Output::Release);
            return;
        }
        let ask = match self.streaming {
            false => Ask::List { token: None },
            true => Ask::Stream { timeout_seconds: self.lifetime(now).0 },
        };
        self.phase = Phase::Listing(Listing {
            stream: self.streaming,
            since: now,
            asked: now,
            began: false,
            got: 0,
            of: None,
            tokens: Tokens::default(),
            version: None,
            newest: None,
        });
        self.await_answer(now);
        if self.link.state == LinkState::Waiting {
            self.set_state(now, LinkState::Connecting);
            self.tell(now, out);
        }
        out.push(Output::Ask { ask, json: self.json });
    }

    /// Whether a list comes in as a stream.
    pub(super) fn streams(&self) -> bool {
        matches!(&self.phase, Phase::Listing(Listing { stream: true, .. }))
    }

    /// Asks for the same list in pages, in the same turn, and from now on.
    pub(super) fn in_pages(&mut self, now: Time, out: &mut Vec<Output>) {
        self.streaming = false;
        out.push(Output::Stop);
        self.phase = Phase::Queued;
        self.admitted(now, out);
    }

    pub(super) fn uncompressed(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.streams() {
            self.in_pages(now, out);
        }
    }

    pub(super) fn page_opened(&mut self, now: Time, out: &mut Vec<Output>) {
        let Phase::Listing(listing) = &mut self.phase else { return };
        self.wake = Some(now + PATIENCE);
        if listing.began {
            return;
        }
        listing.began = true;
        if self.left_out() > 0 {
            // What could not be read may have been mended; what still cannot be is counted anew.
            self.unreadable = 0;
            self.lost.clear();
            self.tell_left_out(out);
        }
        out.push(Output::Tell(Change::Begin(self.kind)));
        self.set_state(now, LinkState::Listing { got: 0, of: None });
        if !self.shown {
            self.link.heard = Some(now);
        }
        self.tell(now, out);
    }

    pub(super) fn records(&mut self, now: Time, records: Vec<Record>, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Probing(_)) {
            return self.testify(&records);
        }
        let Phase::Listing(listing) = &mut self.phase else { return };
        listing.newest = Witness::newest(listing.newest.take(), &records);
        listing.got = listing.got.saturating_add(u32::try_from(records.len()).unwrap_or(u32::MAX));
        self.link.state = LinkState::Listing { got: listing.got, of: listing.of };
        self.progress(now);
        if !records.is_empty() {
            out.push(Output::Tell(Change::Page(self.kind, records)));
        }
        self.heard(now, out);
    }

    /// More of a page came: patience begins anew, but a page that trickles in must not hold its
    /// turn for ever. More of a watch came: what was missed is not through yet.
    pub(super) fn progress(&mut self, now: Time) {
        match self.phase {
            Phase::Listing(Listing { asked, .. }) => {
                self.wake = Some((now + PATIENCE).min(asked + SLOWEST_PAGE));
            }
            Phase::Watching(stream) if !stream.caught_up => self.await_lull(now),
            _ => {}
        }
    }

    pub(super) fn page_end(&mut self, now: Time, end: PageEnd, out: &mut Vec<Output>) {
        match &mut self.phase {
            Phase::Probing(Probe { asked, .. }) => {
                let asked = *asked;
                self.compared(now, asked, end.version, out);
            }
            Phase::Listing(listing) => {
                let Some(version) = end.version else {
                    return self.failed(now, rules::list_unversioned(self.kind), out);
                };
                listing.version = Some(listing.version.map_or(version, |v| v.min(version)));
                match end.token {
                    None => self.synced(now, out),
                    Some(token) if listing.tokens.lead_on(&token) => {
                        self.next_page(now, token, end.remaining, out);
                    }
                    Some(_) => self.failed(now, rules::circular(self.kind), out),
                }
            }
            _ => {}
        }
    }

    fn next_page(&mut self, now: Time, token: String, remaining: Option<u64>, out: &mut Vec<Output>) {
        let Phase::Listing(listing) = &mut self.phase else { return };
        listing.asked = now;
        listing.of =
            remaining.and_then(|left| u32::try_from(left).ok()).map(|left| listing.got.saturating_add(left));
        self.link.state = LinkState::Listing { got: listing.got, of: listing.of };
        self.wake = Some(now + PATIENCE);
        self.tell(now, out);
        out.push(Output::Ask { ask: Ask::List { token: Some(token) }, json: self.json });
    }

    fn synced(&mut self, now: Time, out: &mut Vec<Output>) {
        let Phase::Listing(Listing { version: Some(version), since, stream, newest, .. }) = &mut self.phase
        else {
            return;
        };
        let (version, since, stream, newest) = (*version, *since, *stream, newest.take());
        out.push(Output::Release);
        // A list without a version is read from the server's quorum, so it is never behind what
        // the same server showed before, unless it is a replica of its own that lags.
        if version < self.highest {
            return self.behind(now, version, out);
        }
        self.behind = None;
        self.witness = newest;
        self.missing = None;
        self.resume = Some(version);
        self.highest = version;
        self.shown = true;
        self.verify = false;
        self.compared = Some((version, since));
        self.list_strikes = 0;
        self.link.tries = 0;
        self.link.fault = None;
        self.link.heard = Some(since);
        out.push(Output::Tell(Change::Synced(self.kind, version)));
        if stream {
            // What follows the list would come compressed, and what inflates it is kept for as long as
            // the watch is open: some hundred kilobytes for each kind of each cluster.
            out.push(Output::Stop);
        }
        self.proceed(now, out);
    }

    /// What the server's version says about ours.
    fn compared(&mut self, now: Time, asked: Time, version: Option<Version>, out: &mut Vec<Output>) {
        match version {
            None => self.failed(now, rules::list_unversioned(self.kind), out),
            Some(version) if version < self.highest => self.behind(now, version, out),
            Some(version) if self.contradicted(version) => self.restored(now, out),
            Some(version) => {
                self.behind = None;
                self.compared = Some((version, asked));
                self.verify = false;
                if self.resume == Some(version) && !self.link.live() {
                    // Nothing happened in between.
                    self.link.heard = Some(asked);
                }
                self.proceed(now, out);
            }
        }
    }

    /// The server is at an earlier version than was seen. A replica that lags catches up within
    /// seconds, so what is shown stays, marked as old, until the server was behind at every look.
    fn behind(&mut self, now: Time, version: Version, out: &mut Vec<Output>) {
        let looks = self.behind.filter(|(_, last)| last.age(now) <= IN_A_ROW).map_or(0, |(looks, _)| looks);
        let Some(pause) = CATCH_UP.get(looks) else {
            return self.replaced(now, rules::behind(self.kind, version, self.highest), out);
        };
        self.behind = Some((looks + 1, now));
        self.stop(out);
        self.phase = Phase::Resting;
        self.verify = true;
        let retry_at = now + *pause;
        self.wake = Some(retry_at);
        let fault = rules::lags(self.kind, version, self.highest);
        self.tell_trouble(now, LinkState::Broken, fault, Some(retry_at), 0, out);
    }

    /// It is another cluster, or an older state of it.
    pub(super) fn replaced(&mut self, now: Time, fault: Fault, out: &mut Vec<Output>) {
        self.behind = None;
        self.phase = Phase::Down;
        self.wake = None;
        self.resume = None;
        self.tell_trouble(now, LinkState::Broken, fault, None, 0, out);
        out.push(Output::Replaced);
    }
}
