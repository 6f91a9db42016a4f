//! The world of one schedule: time, the server, the network between, and what goes wrong.

use super::super::*;
use super::server::{Commit, Past, Server};
use super::shown::{Shown, uid};
use crate::model::{Cause, Meta, Namespace, Record, Text};

/// What goes wrong.
#[derive(Clone, Copy)]
pub(super) struct Faults {
    /// One input in about this many goes wrong.
    pub(super) every: u64,
    /// Streams may fall silent without being noticed below.
    pub(super) silence: bool,
    /// Lists come as streams.
    pub(super) streaming: bool,
    /// The server may be restored to an earlier state.
    pub(super) restore: bool,
    /// What answers lists may be a replica that is some seconds behind.
    pub(super) lag: bool,
}

/// What was asked for.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) lists: u32,
    pub(super) probes: u32,
    pub(super) watches: u32,
}

/// A request that runs.
struct Exchange {
    ask: Ask,
    /// When it goes on.
    next: Time,
    place: Place,
}

enum Place {
    Head,
    /// Items of a page from here on, of a list at this version.
    Page {
        from: usize,
        version: u64,
    },
    /// What a streaming list begins with, from here on.
    Initial {
        from: usize,
        version: u64,
        until: Time,
    },
    /// A watch that has delivered up to this version.
    Stream {
        at: u64,
        until: Time,
        bookmark: Time,
        opened: Time,
    },
    /// Nothing more will come, and nobody notices.
    Dead,
}

pub(super) struct World {
    now: Time,
    start: Time,
    dice: Dice,
    faults: Faults,
    machine: Machine,
    server: Server,
    snapshot: Server,
    restored: Option<Time>,
    /// Since when a replica answers that is as of then.
    lagging: Option<Time>,
    exchange: Option<Exchange>,
    /// When it is our turn to list.
    admitted: Option<Time>,
    up_at: Option<Time>,
    next_change: Time,
    pub(super) asked: Asked,
    shown: Shown,
    /// The last of what happened, when it is wanted.
    told: Option<std::collections::VecDeque<String>>,
}

/// How long things go wrong, and how long they then have to heal.
const TROUBLE: i64 = 900;
const QUIET: i64 = 500;
/// Items on a page of the model server.
const SIZE: usize = 3;

impl World {
    pub(super) fn new(seed: u64, faults: Faults, noting: bool) -> World {
        let now = Time::from_seconds(1_000_000);
        let snapshot = Server::new(now);
        let mut server = snapshot.clone();
        // A restore goes back by more than the server moves while nobody looks.
        server.version += 100_000;
        server.compacted = server.version;
        server.create(now);
        World {
            now,
            start: now,
            dice: Dice::new(seed ^ 0xfeed),
            faults,
            machine: Machine::new(Kind::Namespace, seed, now).streaming(faults.streaming),
            server,
            snapshot,
            restored: None,
            lagging: None,
            exchange: None,
            admitted: None,
            up_at: None,
            next_change: now,
            asked: Asked::default(),
            shown: Shown::default(),
            told: noting.then(std::collections::VecDeque::new),
        }
    }

    pub(super) fn story(&self) -> String {
        self.told.iter().flatten().map(|line| format!("  {line}\n")).collect()
    }

    pub(super) fn run(&mut self) -> Result<(), String> {
        self.input(Input::Up)?;
        let end = self.start + Span::from_seconds(TROUBLE + QUIET);
        // A link may be 15 s old, and what came over it 5 s older still; a silent stream is noticed
        // only by asking, after 75 s, and what is asked may hang for 12 s until that is said.
        // A replica that lags may be five seconds behind when the first list is read from it.
        let lag = if self.faults.lag { 5 } else { 0 };
        let limit = Span::from_seconds(lag + if self.faults.silence { 110 } else { 21 });
        let (mut second, mut past) = (self.now, Past::default());
        while self.now < end {
            let mut next = second.min(self.next_change);
            let next_input = self.exchange.as_ref().map(|e| e.next);
            for at in [self.machine.wake(), next_input, self.up_at, self.admitted] {
                next = at.map_or(next, |at| next.min(at));
            }
            self.now = self.now.max(next);
            self.turn()?;
            if self.now >= second {
                second = self.now + Span::from_seconds(1);
                // What a restored server has, it has only since then.
                if self.restored.is_none_or(|at| at.age(self.now) > limit) {
                    past.advance(&self.server, self.now - limit);
                    self.shown.honest(&self.server, &past, self.now)?;
                } else {
                    past = Past::default();
                }
            }
        }
        self.shown.equals(&self.server)
    }

    fn turn(&mut self) -> Result<(), String> {
        if self.up_at.is_some_and(|at| at <= self.now) {
            self.up_at = None;
            self.input(Input::Up)?;
        }
        if self.next_change <= self.now {
            self.change();
        }
        if self.exchange.as_ref().is_some_and(|e| e.next <= self.now) {
            self.transmit()?;
        }
        if self.admitted.is_some_and(|at| at <= self.now) {
            self.admitted = None;
            self.input(Input::Admitted)?;
        }
        if self.machine.wake().is_some_and(|wake| wake <= self.now) {
            self.input(Input::Timer)?;
        }
        Ok(())
    }

    /// Something happens at the server.
    fn change(&mut self) {
        let over = self.start.age(self.now).seconds();
        if over > TROUBLE {
            self.next_change = self.now + Span::from_seconds(100_000);
            return;
        }
        let pause = match self.dice.below(20) {
            0 => 150_000,
            n => i64::from(n) * 150,
        };
        self.next_change = self.now + Span::from_millis(pause);
        let chance = self.dice.roll() >> 8;
        self.server.change(self.now, chance);
        if self.dice.below(60) == 0 {
            self.server.compacted = self.server.version;
        }
        if self.faults.restore && self.restored.is_none() && over > TROUBLE / 2 {
            self.restored = Some(self.now);
            self.server = self.snapshot.clone();
            self.note(|| "the server was restored".to_owned());
            if let Some(exchange) = &mut self.exchange {
                // Streams of the old server fall silent, come to the new one as they are, or end in
                // good order.
                exchange.place = match (self.dice.below(3), &exchange.place) {
                    (0, _) => Place::Dead,
                    (1, Place::Stream { at, bookmark, opened, .. }) => {
                        Place::Stream { at: *at, bookmark: *bookmark, opened: *opened, until: self.now }
                    }
                    _ => Place::Head,
                };
            }
        }
    }

    fn troubled(&mut self) -> bool {
        self.start.age(self.now).seconds() < TROUBLE
            && self.faults.every != u64::MAX
            && self.dice.roll().is_multiple_of(self.faults.every)
    }

    /// The running request goes on by one input.
    fn transmit(&mut self) -> Result<(), String> {
        if self.troubled() {
            return self.trouble();
        }
        let pause = self.pause();
        let Some(exchange) = &mut self.exchange else { return Ok(()) };
        exchange.next = self.now + pause;
        match exchange.place {
            Place::Dead => {
                exchange.next = self.now + Span::from_seconds(100_000);
                Ok(())
            }
            Place::Head => self.head(),
            Place::Page { from, version } => self.page(from, version),
            Place::Initial { from, version, until } => self.initial(from, version, until),
            Place::Stream { at, until, bookmark, .. } => self.stream(at, until, bookmark),
        }
    }

    /// How long until the next input of a request: now and then minutes. Of an open watch only where
    /// that is a fault that may come, and not while what was missed comes in, since nobody can tell it
    /// from a quiet server.
    fn pause(&mut self) -> Span {
        let watch = matches!(&self.exchange, Some(Exchange { ask: Ask::Watch { .. }, .. }));
        let slow = !watch || (self.faults.silence && self.caught_up());
        let long = if slow && self.troubled() { self.dice.below(200_000) } else { 0 };
        Span::from_millis(i64::from(20 + self.dice.below(400) + long))
    }

    /// The version at which lists are answered. A replica lags for three seconds, then not for a
    /// minute.
    fn version(&mut self) -> u64 {
        if self.faults.lag && self.start.age(self.now).seconds() < TROUBLE && self.dice.below(3) == 0 {
            let rested = self.lagging.is_none_or(|since| since.age(self.now) > Span::from_seconds(60));
            self.lagging = if rested { Some(self.now) } else { self.lagging };
        }
        match self.lagging {
            Some(since) if since.age(self.now) < Span::from_seconds(3) => {
                let as_of = since - Span::from_seconds(2);
                let known = self.server.history.iter().take_while(|commit| commit.at <= as_of);
                known.last().map_or(0, |commit| commit.version).max(self.server.compacted)
            }
            _ => self.server.version,
        }
    }

    fn head(&mut self) -> Result<(), String> {
        let now = self.version();
        let Some(exchange) = &mut self.exchange else { return Ok(()) };
        match exchange.ask.clone() {
            Ask::List { token } => {
                let (from, version) = match token.as_deref().and_then(|t| t.split_once(' ')) {
                    None => (0, now),
                    Some((from, version)) => (from.parse().unwrap_or(0), version.parse().unwrap_or(0)),
                };
                if version < self.server.compacted || version > self.server.version {
                    return self.refuse(410);
                }
                exchange.place = Place::Page { from, version };
            }
            Ask::Stream { timeout_seconds } => {
                let until = self.now + Span::from_seconds(i64::from(timeout_seconds));
                exchange.place = Place::Initial { from: 0, version: now, until };
            }
            Ask::Probe => exchange.place = Place::Page { from: 0, version: now },
            Ask::Watch { from, .. } if from.0 < self.server.compacted => {
                if self.dice.below(2) == 0 {
                    return self.refuse(410);
                }
                self.input(Input::Opened)?;
                return self.input(Input::Event(Event::Error(refusal(410))));
            }
            // A watch from a version ahead of the server is silent for ever.
            Ask::Watch { from, timeout_seconds } => {
                let bookmark = self.now + Span::from_seconds(60);
                let until = self.now + Span::from_seconds(i64::from(timeout_seconds));
                exchange.place = match from.0 > self.server.version {
                    true => Place::Dead,
                    false => Place::Stream { at: from.0, until, bookmark, opened: self.now },
                };
            }
        }
        self.input(Input::Opened)
    }

    fn page(&mut self, from: usize, version: u64) -> Result<(), String> {
        let state: Vec<(u64, u64)> = self.server.state(version).into_iter().collect();
        let probe = matches!(self.exchange.as_ref().map(|e| &e.ask), Some(Ask::Probe));
        let size = if probe { 1 } else { SIZE };
        let items = state.iter().skip(from).take(size).map(|(id, v)| record(*id, *v)).collect();
        let left = state.len().saturating_sub(from + size);
        let token = (left > 0).then(|| format!("{} {version}", from + size));
        self.exchange = None;
        self.input(Input::Records(items))?;
        self.input(Input::PageEnd(PageEnd {
            version: Some(Version(version)),
            token,
            remaining: u64::try_from(left).ok(),
        }))
    }

    /// Some of what a streaming list begins with, or its end, behind which the watch goes on.
    fn initial(&mut self, from: usize, version: u64, until: Time) -> Result<(), String> {
        let state: Vec<(u64, u64)> = self.server.state(version).into_iter().collect();
        let items: Vec<Record> = state.iter().skip(from).take(SIZE).map(|(id, v)| record(*id, *v)).collect();
        let Some(exchange) = &mut self.exchange else { return Ok(()) };
        if items.is_empty() {
            let bookmark = self.now + Span::from_seconds(60);
            exchange.place = Place::Stream { at: version, until, bookmark, opened: self.now };
            return self
                .input(Input::PageEnd(PageEnd { version: Some(Version(version)), ..PageEnd::default() }));
        }
        exchange.place = Place::Initial { from: from + SIZE, version, until };
        self.input(Input::Records(items))
    }

    fn stream(&mut self, at: u64, until: Time, bookmark: Time) -> Result<(), String> {
        if self.now >= until {
            self.exchange = None;
            return self.input(Input::Ended);
        }
        let next = self.server.after(at);
        let Some(Exchange { place: Place::Stream { at, bookmark: due, .. }, .. }) = &mut self.exchange else {
            return Ok(());
        };
        match next {
            Some(commit) => {
                *at = commit.version;
                let event = event(commit);
                self.input(Input::Event(event))
            }
            None if self.now >= bookmark => {
                *at = self.server.version;
                *due = self.now + Span::from_seconds(60);
                self.input(Input::Event(Event::Bookmark(Version(self.server.version))))
            }
            None => Ok(()),
        }
    }

    /// Whether a stream has been open for a while and has delivered everything.
    fn caught_up(&self) -> bool {
        match self.exchange {
            Some(Exchange { place: Place::Stream { opened, at, .. }, .. }) => {
                opened.age(self.now) > Span::from_seconds(2) && self.server.after(at).is_none()
            }
            _ => false,
        }
    }

    fn refuse(&mut self, status: u16) -> Result<(), String> {
        self.exchange = None;
        self.input(Input::Refused(refusal(status)))
    }

    /// Something goes wrong with the running request.
    fn trouble(&mut self) -> Result<(), String> {
        let streaming =
            matches!(self.exchange, Some(Exchange { place: Place::Stream { .. } | Place::Dead, .. }));
        match self.dice.below(if streaming { 12 } else { 6 }) {
            0 => {
                // The whole cluster goes away for a while; pings need a moment to notice.
                self.up_at = Some(self.now + Span::from_seconds(i64::from(self.dice.below(200))));
                self.exchange = None;
                self.input(Input::Down { fault: fault(Cause::Timeout), retry_at: self.up_at, tries: 1 })
            }
            1 => self.fail(Cause::Closed),
            2 => self.fail(Cause::Garbled),
            // A path that dies just while what was missed comes in, and without pings noticing, is
            // not a fault that we can tell.
            3 if self.faults.silence && self.caught_up() => {
                if let Some(exchange) = &mut self.exchange {
                    exchange.place = Place::Dead;
                }
                Ok(())
            }
            3 => self.fail(Cause::Timeout),
            4 | 5 if !streaming => {
                const STATUSES: [u16; 10] = [400, 401, 403, 404, 406, 410, 429, 500, 503, 504];
                let index = usize::try_from(self.dice.below(10)).unwrap_or(0);
                self.refuse(STATUSES[index])
            }
            4 | 5 => {
                self.exchange = None;
                self.input(Input::Ended)
            }
            6 => self.mishap(Event::Garbled(fault(Cause::Garbled))),
            7 => self.mishap(Event::Upsert(Box::new(record(3, 0)))),
            8 => self.mishap(Event::Error(refusal(410))),
            9 => self.mishap(Event::Error(refusal(500))),
            // An old event again: the last one, or an older one.
            _ => {
                let Some(Exchange { place: Place::Stream { at, .. }, .. }) = self.exchange else {
                    return Ok(());
                };
                let known: Vec<Commit> =
                    self.server.history.iter().filter(|c| c.version <= at).copied().collect();
                let back = usize::try_from(self.dice.below(4)).unwrap_or(0);
                match known.iter().rev().nth(back) {
                    Some(commit) => self.mishap(event(*commit)),
                    None => Ok(()),
                }
            }
        }
    }

    fn fail(&mut self, cause: Cause) -> Result<(), String> {
        self.exchange = None;
        self.input(Input::Failed(fault(cause)))
    }

    fn mishap(&mut self, event: Event) -> Result<(), String> {
        self.input(Input::Event(event))
    }

    /// Gives the machine one input and does what it wants.
    fn input(&mut self, input: Input) -> Result<(), String> {
        self.note(|| format!("<- {input:?}"));
        let mut out = Vec::new();
        self.machine.step(self.now, input, &mut out);
        for output in out {
            self.note(|| format!("   -> {output:?}"));
            match output {
                Output::Stop => self.exchange = None,
                Output::Queue => {
                    // Others may be before us, for a minute.
                    let wait = if self.troubled() { self.dice.below(60_000) } else { 0 };
                    self.admitted = Some(self.now + Span::from_millis(i64::from(wait)));
                }
                Output::Release => self.admitted = None,
                Output::JsonOnly | Output::Doubt => {}
                Output::Tell(change) => self.shown.apply(change)?,
                Output::Ask { ask, .. } => self.ask(ask)?,
                Output::Replaced => {
                    if self.restored.is_none() {
                        return Err("taken for another cluster".to_owned());
                    }
                    self.shown.apply(Change::Reset)?;
                    self.exchange = None;
                    let seed = self.dice.roll();
                    let machine = Machine::new(Kind::Namespace, seed, self.now);
                    self.machine = machine.streaming(self.faults.streaming);
                    return self.input(Input::Up);
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, ask: Ask) -> Result<(), String> {
        if self.exchange.is_some() {
            return Err("a second request while one runs".to_owned());
        }
        match &ask {
            Ask::List { token: None } | Ask::Stream { .. } => self.asked.lists += 1,
            Ask::List { .. } => {}
            Ask::Probe => self.asked.probes += 1,
            Ask::Watch { .. } => self.asked.watches += 1,
        }
        // Until an answer begins it may be minutes, too.
        let late = if self.troubled() { self.dice.below(100_000) } else { 0 };
        let next = self.now + Span::from_millis(i64::from(self.dice.below(300) + late));
        self.exchange = Some(Exchange { ask, next, place: Place::Head });
        Ok(())
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let at = self.start.age(self.now);
        if let Some(told) = &mut self.told {
            if told.len() >= 60 {
                told.pop_front();
            }
            told.push_back(format!("{at:?} {}", line()));
        }
    }
}

fn fault(cause: Cause) -> Fault {
    Fault::new(cause, "simulated", "")
}

fn refusal(status: u16) -> Refusal {
    Refusal { status, retry_after: None, message: Text::EMPTY }
}

fn record(id: u64, version: u64) -> Record {
    let meta = Meta { uid: uid(id), version: Version(version), ..Meta::default() };
    Record::Namespace(Namespace { meta, ..Namespace::default() })
}

fn event(commit: Commit) -> Event {
    match commit.gone {
        true => Event::Gone(uid(commit.uid), Version(commit.version)),
        false => Event::Upsert(Box::new(record(commit.uid, commit.version))),
    }
}
