//! The task of one watch: carries out over a session what its machine decides.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Sleep};

use super::admission::{Admission, Rank, Turn};
use super::audit::Auditing;
use super::clock::{Clock, duration};
use super::exchange::Exchange;
use super::machine::{Event, Input, Machine, Output};
use super::metrics::Pace;
use crate::cluster::Session;
use crate::kinds::VersionDecl;
use crate::model::{Cause, Change, Delta, Fault, Kind, Time, Version};

/// What the cluster's task tells the tasks of its kinds.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    pub(super) health: Health,
    /// Grows when a person wants everything tried that waits.
    pub(super) kicks: u64,
}

/// The health of the cluster's connection.
#[derive(Clone, Debug)]
pub(super) enum Health {
    /// It answers, after this many outages.
    Up { outages: u64 },
    /// It does not.
    Down { fault: Fault, retry_at: Option<Time>, tries: u32 },
}

/// What the task of a kind tells the cluster's task.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Note {
    /// A request failed in a way that may mean that the whole connection is gone.
    Trouble(Kind, Fault),
    /// The server is another one than before.
    Replaced(Fault),
    /// Only JSON can be had.
    JsonOnly,
    /// Who answers may be another one than before.
    Doubt,
}

/// Where all the tasks of a cluster send to, and what they share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) session: Session,
    pub(super) desk: Admission,
    pub(super) deltas: mpsc::Sender<Delta>,
    pub(super) orders: watch::Receiver<Orders>,
    pub(super) notes: mpsc::Sender<Note>,
    pub(super) clock: Clock,
    /// When the cluster last gave a sign of life, in milliseconds since 1970.
    pub(super) heard: Arc<AtomicI64>,
    /// As of when what is on screen is, when it stems from earlier tasks.
    pub(super) known: Option<Time>,
    /// The highest version of each kind that was ever seen, by earlier tasks too.
    pub(super) highest: Arc<Highest>,
    /// Whether the server offers lists as compressed streams.
    pub(super) streaming: bool,
    /// Which kinds are live.
    pub(super) live: Arc<LiveKinds>,
    /// How the fleet is audited.
    pub(super) auditing: Auditing,
    /// When it is this cluster's turn to say what is used.
    pub(super) pace: Pace,
}

/// Which kinds of a cluster are live, by [`Kind::index`].
#[derive(Debug, Default)]
pub(super) struct LiveKinds([AtomicBool; Kind::COUNT]);

impl LiveKinds {
    fn set(&self, kind: Kind, live: bool) {
        self.0[kind.index()].store(live, Ordering::Relaxed);
    }

    pub(super) fn holds(&self, kind: Kind) -> bool {
        self.0[kind.index()].load(Ordering::Relaxed)
    }
}

/// The highest version of each kind that a cluster was ever seen to have, by [`Kind::index`]. It
/// outlives the tasks of the kinds, so that a restore is noticed that comes with an upgrade.
#[derive(Debug, Default)]
pub(super) struct Highest([AtomicU64; Kind::COUNT]);

impl Highest {
    fn raise(&self, kind: Kind, version: Version) {
        self.0[kind.index()].fetch_max(version.0, Ordering::Relaxed);
    }

    fn of(&self, kind: Kind) -> Version {
        Version(self.0[kind.index()].load(Ordering::Relaxed))
    }
}

/// Nobody takes what is sent any more: the task ends.
pub(super) struct Closed;

impl Shared {
    pub(super) async fn tell(&self, now: Time, change: Change) -> Result<(), Closed> {
        let delta = Delta { cluster: self.session.id(), at: now, change };
        self.deltas.send(delta).await.map_err(|_| Closed)
    }
}

/// Runs the watch of one kind until the cluster's task, or the store, is gone.
pub(super) async fn run(shared: Shared, version: &'static VersionDecl, seed: u64) {
    let machine = Machine::new(version.kind, seed, shared.clock.now());
    let machine = machine.after(shared.known, shared.highest.of(version.kind)).streaming(shared.streaming);
    let kicks = shared.orders.borrow().kicks;
    let task = Task {
        version,
        machine,
        exchange: None,
        beside: None,
        queued: None,
        turn: None,
        alarm: None,
        outages: None,
        kicks,
        json_came: false,
        shared,
    };
    let Closed = task.run().await;
}

struct Task {
    shared: Shared,
    version: &'static VersionDecl,
    machine: Machine,
    exchange: Option<Exchange>,
    /// The request beside an open watch.
    beside: Option<Exchange>,
    queued: Option<oneshot::Receiver<Turn>>,
    turn: Option<Turn>,
    alarm: Option<(Time, Pin<Box<Sleep>>)>,
    /// The outages up to which the machine knows that the cluster is up; `None` while it is down.
    outages: Option<u64>,
    kicks: u64,
    /// JSON came although protobuf was asked for, and the cluster's task was told.
    json_came: bool,
}

/// What woke the task.
enum Woken {
    Orders,
    Admitted(Turn),
    Timer,
    Exchange,
    Beside,
}

impl Task {
    async fn run(mut self) -> Closed {
        if let Err(closed) = self.follow_orders().await {
            return closed;
        }
        let (mut inputs, mut aside) = (Vec::new(), Vec::new());
        loop {
            let woken = match self.wait(&mut inputs, &mut aside).await {
                Ok(woken) => woken,
                Err(closed) => return closed,
            };
            let result = match woken {
                Woken::Orders => self.follow_orders().await,
                Woken::Timer => self.ring().await,
                Woken::Admitted(turn) => {
                    self.turn = Some(turn);
                    self.step(self.now(), Input::Admitted).await.map(drop)
                }
                Woken::Exchange => self.take(&mut inputs).await,
                Woken::Beside => self.take_beside(&mut aside).await,
            };
            if let Err(closed) = result {
                return closed;
            }
        }
    }

    /// Waits for the next thing. What comes in is preferred to the timer: time that the store
    /// took to make room is not the server's silence.
    async fn wait(&mut self, inputs: &mut Vec<Input>, aside: &mut Vec<Input>) -> Result<Woken, Closed> {
        self.set_alarm();
        let Task { shared, exchange, beside, queued, turn: held, alarm, .. } = self;
        tokio::select! {
            biased;
            changed = shared.orders.changed() => changed.map(|()| Woken::Orders).map_err(|_| Closed),
            turn = or_never(queued.as_mut()) => {
                *queued = None;
                turn.map(Woken::Admitted).map_err(|_| Closed)
            }
            // Short, and never kept from its end by a watch that always has more.
            () = next(beside, aside) => Ok(Woken::Beside),
            () = next(exchange, inputs) => Ok(Woken::Exchange),
            never = async {
                match held {
                    Some(turn) => turn.watch_pace().await,
                    None => futures::future::pending().await,
                }
            } => match never {},
            () = or_never(alarm.as_mut().map(|(_, sleep)| sleep.as_mut())) => Ok(Woken::Timer),
        }
    }

    /// Sets the alarm for when the machine wants it. One that rings too early is left: every event
    /// puts off when a stream counts as silent, and setting it anew costs more than the event.
    fn set_alarm(&mut self) {
        match (self.machine.wake(), &self.alarm) {
            (None, _) => self.alarm = None,
            (Some(wake), Some((due, _))) if wake >= *due => {}
            (Some(wake), _) => self.set_alarm_from(self.now(), wake),
        }
    }

    fn set_alarm_from(&mut self, now: Time, wake: Time) {
        let until = Instant::now() + duration(now.age(wake));
        self.alarm = Some((wake, Box::pin(tokio::time::sleep_until(until))));
    }

    /// The alarm rings: it is time for the machine, or it is set for when that is.
    async fn ring(&mut self) -> Result<(), Closed> {
        // The alarm was set by the clock that only goes forward; the other one may have been set
        // back meanwhile.
        let now = self.alarm.take().map_or(self.now(), |(due, _)| due.max(self.now()));
        match self.machine.wake() {
            Some(wake) if wake > now => {
                self.set_alarm_from(now, wake);
                Ok(())
            }
            _ => self.step(now, Input::Timer).await.map(drop),
        }
    }

    fn now(&self) -> Time {
        self.shared.clock.now()
    }

    async fn follow_orders(&mut self) -> Result<(), Closed> {
        let orders = self.shared.orders.borrow_and_update().clone();
        let now = self.now();
        match orders.health {
            Health::Down { fault, retry_at, tries } => {
                self.outages = None;
                self.step(now, Input::Down { fault, retry_at, tries }).await?;
            }
            Health::Up { outages } => {
                if self.outages.is_some_and(|known| known != outages) {
                    // It went and came back between two looks.
                    let fault = Fault::new(Cause::Closed, "the connection was made anew", "");
                    self.step(now, Input::Down { fault, retry_at: None, tries: 0 }).await?;
                }
                self.outages = Some(outages);
                self.step(now, Input::Up).await?;
            }
        }
        if orders.kicks != self.kicks {
            self.kicks = orders.kicks;
            self.step(now, Input::Kick).await?;
        }
        Ok(())
    }

    /// Gives the machine what came in, until it drops the exchange from which it came.
    async fn take(&mut self, inputs: &mut Vec<Input>) -> Result<(), Closed> {
        let now = self.now();
        if let (Some(turn), Some(exchange)) = (&mut self.turn, &mut self.exchange) {
            turn.received(exchange.take_received());
        }
        // That nothing came, or that the stream broke, is no sign of life.
        if inputs.iter().any(|input| !matches!(input, Input::Failed(_))) {
            // Not the highest: a wall clock can be set back.
            self.shared.heard.store(now.millis(), Ordering::Relaxed);
        }
        if !self.json_came && self.exchange.as_ref().is_some_and(Exchange::second_choice) {
            self.json_came = true;
            self.note(Note::JsonOnly);
        }
        let mut dropped = false;
        for input in inputs.drain(..) {
            if dropped {
                break;
            }
            dropped = self.step(now, input).await?;
        }
        Ok(())
    }

    /// Gives the machine what came in beside the open watch.
    async fn take_beside(&mut self, inputs: &mut Vec<Input>) -> Result<(), Closed> {
        let now = self.now();
        for input in inputs.drain(..) {
            self.step(now, Input::Beside(Box::new(input))).await?;
        }
        Ok(())
    }

    /// Gives the machine one input and does what it wants; true when the exchange is dropped.
    async fn step(&mut self, now: Time, input: Input) -> Result<bool, Closed> {
        let trouble = trouble(&input);
        let was_timer = input == Input::Timer;
        let lost = match &input {
            Input::Event(Event::Unreadable { fault, .. }) => Some((fault.clone(), self.machine.left_out())),
            _ => None,
        };
        let mut outputs = Vec::new();
        let heard = self.shared.heard.load(Ordering::Relaxed);
        self.machine.vouch((heard > 0).then(|| Time::from_millis(heard)));
        self.machine.step(now, input, &mut outputs);
        if let Some((fault, before)) = lost
            && self.machine.left_out() > before
        {
            tracing::warn!(cluster = self.shared.session.id().0, %fault, "left out");
        }
        self.shared.live.set(self.version.kind, self.machine.link().live());
        self.shared.highest.raise(self.version.kind, self.machine.highest());
        let mut dropped = false;
        for output in outputs {
            match output {
                Output::Ask { ask, json } => {
                    dropped = true;
                    self.exchange = Some(Exchange::start(&self.shared.session, self.version, ask, json));
                }
                Output::AskBeside { ask, json } => {
                    self.beside = Some(Exchange::start(&self.shared.session, self.version, ask, json));
                }
                Output::Stop => {
                    dropped = true;
                    self.exchange = None;
                }
                Output::Queue => {
                    let id = self.shared.session.id();
                    let rank = if self.machine.lists_fail() { Rank::Again } else { Rank::List };
                    self.queued = Some(self.shared.desk.ask(rank, id, self.version.kind));
                }
                Output::Release => {
                    self.queued = None;
                    self.turn = None;
                }
                Output::Tell(change) => self.shared.tell(now, change).await?,
                Output::JsonOnly => self.note(Note::JsonOnly),
                Output::Doubt => self.note(Note::Doubt),
                Output::Replaced => {
                    let fault = self.machine.link().fault.clone();
                    let fault = fault.unwrap_or_else(|| Fault::new(Cause::Replaced, "another server", ""));
                    // This one must not be lost.
                    self.shared.notes.send(Note::Replaced(fault)).await.map_err(|_| Closed)?;
                }
            }
        }
        self.beside.take_if(|_| !self.machine.asks_beside());
        let late = || self.machine.link().fault.clone().filter(|f| was_timer && f.cause == Cause::Timeout);
        if let Some(fault) = trouble.or_else(late) {
            self.note(Note::Trouble(self.version.kind, fault));
        }
        Ok(dropped)
    }

    /// Tells the cluster's task; when it has too much to do already, it knows.
    fn note(&self, note: Note) {
        if self.shared.notes.try_send(note).is_err() {
            tracing::debug!(kind = ?self.version.kind, "the cluster's task is busy");
        }
    }
}

/// The fault of an input that may mean that the whole connection is gone.
fn trouble(input: &Input) -> Option<Fault> {
    match input {
        Input::Failed(fault) if fault.cause != Cause::Garbled => Some(fault.clone()),
        Input::Refused(refusal) if refusal.status == 401 => {
            Some(Fault::new(Cause::Unauthorized, &refusal.message, ""))
        }
        _ => None,
    }
}

/// Waits for what a request brings that may not run.
async fn next(exchange: &mut Option<Exchange>, inputs: &mut Vec<Input>) {
    match exchange {
        Some(exchange) => exchange.next(inputs).await,
        None => futures::future::pending().await,
    }
}

/// Waits for a future that may not be there.
async fn or_never<F: Future + Unpin>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => futures::future::pending().await,
    }
}
