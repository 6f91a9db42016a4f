//! The world of one schedule: time, the server, the machine, and what it shows of the server.

mod beside;
mod exchange;
mod trouble;

use super::super::*;
use super::server::{Past, Server};
use super::shown::Shown;
use beside::Beside;
use exchange::{Exchange, Place};

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
    pub(super) restore: Restore,
    /// What answers lists may be a replica that is some seconds behind.
    pub(super) lag: bool,
}

/// Whether the server is restored, and to what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Restore {
    Never,
    /// To a state whose version is far behind ever after.
    Old,
    /// To a state of moments ago: before anybody looks, its version is ahead again.
    Late,
}

/// What was asked for.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) lists: u32,
    pub(super) probes: u32,
    pub(super) watches: u32,
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
    beside: Option<Beside>,
    /// When a person asks.
    kick: Option<Time>,
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
            beside: None,
            kick: (faults.every != u64::MAX).then_some(now),
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
            let aside = self.beside.as_ref().map(|beside| beside.next);
            for at in [self.machine.wake(), next_input, aside, self.kick, self.up_at, self.admitted] {
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
        if self.beside.as_ref().is_some_and(|beside| beside.next <= self.now) {
            self.answer_beside()?;
        }
        if self.kick.is_some_and(|at| at <= self.now) {
            self.kick = Some(self.now + Span::from_seconds(i64::from(self.dice.below(60))));
            self.input(Input::Kick)?;
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
        if self.restorable() && over > TROUBLE / 2 {
            self.restore();
        }
        let chance = self.dice.roll() >> 8;
        self.server.change(self.now, chance);
        if self.dice.below(60) == 0 {
            self.server.compacted = self.server.version;
        }
    }

    fn restorable(&self) -> bool {
        match self.faults.restore {
            _ if self.restored.is_some() => false,
            Restore::Never => false,
            Restore::Old => true,
            Restore::Late => self.caught_up() && self.server.can_lose(),
        }
    }

    fn restore(&mut self) {
        self.restored = Some(self.now);
        self.note(|| "the server was restored".to_owned());
        let late = self.faults.restore == Restore::Late;
        self.shown.restored = late;
        if late {
            self.server.lose_the_last(self.dice.below(6));
        } else {
            self.server = self.snapshot.clone();
        }
        // Streams of the old server fall silent, come to the new one as they are, or end in good order. A new
        // one that is ahead would go on with them; but no stream outlives its server.
        let way = if late { 1 } else { self.dice.below(3) };
        if let Some(exchange) = &mut self.exchange {
            exchange.place = match (way, &exchange.place) {
                (0, _) => Place::Dead,
                (1, Place::Stream { at, bookmark, opened, .. }) => {
                    Place::Stream { at: *at, bookmark: *bookmark, opened: *opened, until: self.now }
                }
                _ => Place::Head,
            };
        }
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
                Output::AskBeside { ask, .. } => self.ask_beside(&ask),
                Output::Replaced => {
                    if self.restored.is_none() {
                        return Err("taken for another cluster".to_owned());
                    }
                    self.shown.apply(Change::Reset)?;
                    (self.exchange, self.beside) = (None, None);
                    let seed = self.dice.roll();
                    let machine = Machine::new(Kind::Namespace, seed, self.now);
                    self.machine = machine.streaming(self.faults.streaming);
                    return self.input(Input::Up);
                }
            }
        }
        if !self.machine.asks_beside() {
            self.beside = None;
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
            Ask::Probe { .. } => self.asked.probes += 1,
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
