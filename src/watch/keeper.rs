//! The task of one cluster: connects, finds out what is served, keeps one watch per kind, and
//! notices when the connection is gone.
//!
//! While it is gone only this task asks, every few seconds; the kinds wait, are marked with the
//! cause, and go on from where they were when it answers again.

mod doubt;
mod inbox;
mod look;
mod report;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::admission::Admission;
use super::audit::{self, Auditing};
use super::clock::{Clock, duration};
use super::discover;
use super::machine::{Dice, LONGEST_ASKED, delay};
use super::metrics::{self, Pace};
use super::pulse::Pulse;
use super::task::{self, Closed, Health, Highest, LiveKinds, Note, Orders, Shared};
use crate::cluster::{Discovery, Session};
use crate::model::{Cause, Change, Delta, Fault, Kind, Link, LinkState, Login, Span, Time};
use doubt::{Beat, Doubts, Heard, LOOK_EVERY};
use inbox::Inbox;
use look::{Look, again};

/// For how long after a connection was lost it is tried every few seconds.
const FIRST_MINUTES: Span = Span::from_seconds(180);

/// How long nobody looks whether a server changed after it did: while the servers behind a balancer
/// are upgraded one by one, each look may meet another one.
const CALM: Duration = Duration::from_secs(60);

/// What comes to a cluster's task from outside.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    /// Grows when a person wants it tried now.
    pub(super) kicks: watch::Receiver<u64>,
    /// Grows when the machine slept; with it for how long.
    pub(super) woke: watch::Receiver<(u64, Span)>,
}

/// What the clusters of a fleet share, so that all of them together ask for no more than is fair.
#[derive(Clone, Debug)]
pub(super) struct Common {
    /// Who may list now.
    pub(super) desk: Admission,
    pub(super) auditing: Auditing,
    pub(super) pace: Pace,
}

/// How the watching of a cluster ended.
enum Over {
    /// It is another cluster, or an older state of it.
    Replaced(Fault),
    /// The same one serves something else than before.
    Changed,
    /// A task of ours crashed. It cannot be told which, so everything begins anew.
    Crashed,
}

/// The task.
pub(super) struct Keeper {
    session: Session,
    common: Common,
    deltas: mpsc::Sender<Delta>,
    clock: Clock,
    dice: Dice,
    signals: Signals,
    login: watch::Receiver<Login>,
    link: Link,
    heard: Arc<AtomicI64>,
    json_only: bool,
    pulse: Pulse,
    /// When it stopped answering.
    lost: Option<Time>,
    /// As of when what is on screen is, when it stems from earlier watches.
    known: Option<Time>,
    /// What earlier watches saw, of what is on screen.
    highest: Arc<Highest>,
    /// Which kinds are live.
    live: Arc<LiveKinds>,
    /// Watches that crashed.
    crashes: u32,
    /// How long nobody looks who answers, after the next connection.
    calm: Duration,
}

impl Keeper {
    pub(super) fn new(
        session: Session,
        common: Common,
        deltas: mpsc::Sender<Delta>,
        clock: Clock,
        seed: u64,
        signals: Signals,
    ) -> Keeper {
        Keeper {
            login: session.login_changes(),
            link: Link::waiting(clock.now()),
            session,
            common,
            deltas,
            clock,
            dice: Dice::new(seed),
            signals,
            heard: Arc::default(),
            json_only: false,
            pulse: Pulse::default(),
            lost: None,
            known: None,
            highest: Arc::default(),
            live: Arc::default(),
            crashes: 0,
            calm: LOOK_EVERY,
        }
    }

    /// Runs until the supervisor or the store is gone.
    pub(super) async fn run(mut self) {
        while let Ok(over) = self.once_unwinding().await {
            if self.begin_anew(over).await.is_err() {
                return;
            }
        }
    }

    /// The same as [`Keeper::once`], which may crash itself: whatever was live then is watched by nobody.
    async fn once_unwinding(&mut self) -> Result<Over, Closed> {
        match AssertUnwindSafe(self.once()).catch_unwind().await {
            Ok(over) => over,
            Err(_) => {
                self.unwatched(&Over::Crashed).await?;
                Ok(Over::Crashed)
            }
        }
    }

    async fn begin_anew(&mut self, over: Over) -> Result<(), Closed> {
        self.known = self.last_sign();
        self.json_only = false;
        self.calm = if matches!(over, Over::Changed) { CALM } else { LOOK_EVERY };
        match over {
            Over::Changed => Ok(()),
            Over::Replaced(fault) => {
                tracing::warn!(cluster = self.session.id().0, %fault, "starting over");
                self.known = None;
                self.highest = Arc::default();
                self.tell(Change::Reset).await
            }
            Over::Crashed => {
                self.crashes = self.crashes.saturating_add(1);
                self.link.tries = self.crashes;
                self.rest(crashed(), |_, _, _| {}).await
            }
        }
    }

    /// From a new connection until everything has to begin anew.
    async fn once(&mut self) -> Result<Over, Closed> {
        let mut found = self.connect().await?;
        self.up().await?;
        self.tell_server(&found).await?;
        let kicks = *self.signals.kicks.borrow();
        let (orders, receiver) = watch::channel(Orders { health: Health::Up { outages: 0 }, kicks });
        let (notes, inbox) = mpsc::channel(64);
        self.live = Arc::default();
        let shared = Shared {
            session: self.session.clone(),
            desk: self.common.desk.clone(),
            deltas: self.deltas.clone(),
            orders: receiver,
            notes,
            clock: self.clock.clone(),
            heard: Arc::clone(&self.heard),
            known: self.known,
            highest: Arc::clone(&self.highest),
            streaming: discover::streams(&found.version),
            live: Arc::clone(&self.live),
            auditing: self.common.auditing.clone(),
            pace: self.common.pace.clone(),
        };
        // Dropped with this call: then nothing of the old connection is told any more.
        let mut watches = Watches { running: JoinSet::new(), shared };
        for version in discover::chosen(&found.served) {
            watches.start(version, self.dice.roll());
        }
        // Where they are not served they may come: what serves them is often the last to be ready.
        watches.running.spawn(metrics::run(watches.shared.clone(), self.dice.roll()));
        let audited = discover::chosen(&found.served).collect();
        watches.running.spawn(audit::run(watches.shared.clone(), audited, self.dice.roll()));
        let over = self.keep(&mut found, &mut watches, orders, inbox).await?;
        watches.running.shutdown().await;
        self.unwatched(&over).await?;
        Ok(over)
    }

    /// Marks what was live: nobody watches it until everything has begun anew.
    async fn unwatched(&mut self, over: &Over) -> Result<(), Closed> {
        let fault = match over {
            Over::Replaced(fault) => fault.clone(),
            Over::Changed => {
                Fault::new(Cause::Closed, "the server was upgraded; everything is listed anew", "")
            }
            Over::Crashed => crashed(),
        };
        let (now, heard) = (self.clock.now(), self.last_sign());
        for kind in Kind::ALL.into_iter().filter(|kind| self.live.holds(*kind)) {
            let state = LinkState::Broken;
            let link = Link { state, heard, fault: Some(fault.clone()), ..Link::waiting(now) };
            self.tell(Change::KindLink(kind, link)).await?;
        }
        Ok(())
    }

    /// Asks until the server says what it is.
    async fn connect(&mut self) -> Result<Discovery, Closed> {
        if self.link.state == LinkState::Waiting {
            self.set_state(LinkState::Connecting);
            self.tell_link().await?;
        }
        loop {
            let session = self.session.clone();
            let found = self.attend(|| discover::discover(&session)).await?;
            match found {
                Ok(found) => return Ok(found),
                Err(fault) => self.rest(fault, |_, _, _| {}).await?,
            }
        }
    }

    /// Keeps the watches going until everything has to begin anew.
    async fn keep(
        &mut self,
        found: &mut Discovery,
        watches: &mut Watches,
        orders: watch::Sender<Orders>,
        inbox: mpsc::Receiver<Note>,
    ) -> Result<Over, Closed> {
        let mut outages = 0;
        let mut inbox = Inbox::new(inbox);
        let session = self.session.clone();
        let (mut doubts, mut beat) = (Doubts::new(&session, self.calm), Beat::new(&session));
        loop {
            let look = tokio::select! {
                note = inbox.next() => match note {
                    Some(Note::Replaced(fault)) => Look::Over(Over::Replaced(fault)),
                    Some(Note::JsonOnly) => {
                        if !std::mem::replace(&mut self.json_only, true) {
                            self.tell_server(found).await?;
                        }
                        Look::Well
                    }
                    Some(Note::Doubt) => {
                        doubts.raise();
                        Look::Well
                    }
                    Some(Note::Trouble(kind, trouble)) => {
                        if inbox.another_fails(kind).await {
                            Look::Gone(trouble)
                        } else {
                            let look = self.look(found).await?;
                            doubts.settled();
                            look
                        }
                    }
                    None => return Err(Closed),
                },
                login = self.login.changed() => {
                    if login.is_ok() {
                        self.tell_login().await?;
                    }
                    Look::Well
                }
                kick = self.signals.kicks.changed() => {
                    kick.map_err(|_| Closed)?;
                    doubts.raise_now();
                    Look::Well
                }
                woke = self.signals.woke.changed() => {
                    woke.map_err(|_| Closed)?;
                    Look::Gone(self.slept())
                }
                () = doubts.due() => {
                    let look = self.look(found).await?;
                    doubts.settled();
                    look
                }
                heard = beat.next(&self.clock, &session) => match heard {
                    Heard::Words(at) => {
                        self.heard.store(at.millis(), Ordering::Relaxed);
                        Look::Well
                    }
                    Heard::Nothing => self.ask().await?,
                    Heard::Slept => Look::Well,
                },
                Some(ended) = watches.running.join_next() => match ended {
                    Ok(()) => Look::Well,
                    Err(error) => {
                        tracing::error!(cluster = self.session.id().0, %error, "a watch crashed");
                        Look::Over(Over::Crashed)
                    }
                },
            };
            match look {
                Look::Well => {}
                Look::Unsure => doubts.raise(),
                Look::Over(over) => return Ok(over),
                Look::Gone(fault) => {
                    if let Some(over) = self.outage(found, fault, &orders).await? {
                        return Ok(over);
                    }
                    outages += 1;
                    orders.send_modify(|orders| orders.health = Health::Up { outages });
                    inbox.forget_troubles();
                    doubts.settled();
                }
            }
            // Some may have come while something else was waited for.
            let kicks = *self.signals.kicks.borrow_and_update();
            orders.send_if_modified(|orders| std::mem::replace(&mut orders.kicks, kicks) != kicks);
        }
    }

    /// The cluster does not answer: marks everything, and asks until it does.
    async fn outage(
        &mut self,
        found: &Discovery,
        fault: Fault,
        orders: &watch::Sender<Orders>,
    ) -> Result<Option<Over>, Closed> {
        let down = |fault: &Fault, retry_at, tries| {
            let health = Health::Down { fault: fault.clone(), retry_at, tries };
            orders.send_modify(|orders| orders.health = health);
        };
        down(&fault, None, 0);
        self.mark(fault, None).await?;
        loop {
            let session = self.session.clone();
            let answer = self.attend(|| again(&session, found)).await?;
            match answer {
                Ok(None) => {
                    self.up().await?;
                    return Ok(None);
                }
                Ok(over) => return Ok(over),
                Err(fault) => self.rest(fault, down).await?,
            }
        }
    }

    /// Marks the cluster, says so, and waits before the next try: shorter when a person asks or
    /// the machine wakes.
    async fn rest(&mut self, fault: Fault, down: impl Fn(&Fault, Option<Time>, u32)) -> Result<(), Closed> {
        self.link.tries = self.link.tries.saturating_add(1);
        let now = self.clock.now();
        let pause = self.pause(fault.cause, now);
        let by_proxy = fault.cause == Cause::Proxy;
        let retry_at = Some(now + pause);
        down(&fault, retry_at, self.link.tries);
        self.mark(fault, retry_at).await?;
        if by_proxy {
            // A proxy may keep a dead way to the server for as long as our connection to it lives.
            self.session.disconnect();
        }
        let mut slept = false;
        tokio::select! {
            () = tokio::time::sleep(duration(pause)) => {}
            kick = self.signals.kicks.changed() => kick.map_err(|_| Closed)?,
            woke = self.signals.woke.changed() => {
                woke.map_err(|_| Closed)?;
                slept = true;
            }
            () = self.deltas.closed() => return Err(Closed),
        }
        if slept {
            self.session.disconnect();
        }
        Ok(())
    }

    fn pause(&mut self, cause: Cause, now: Time) -> Span {
        let tries = self.link.tries;
        let login = matches!(cause, Cause::Unauthorized | Cause::Login | Cause::Forbidden);
        let longest = match self.lost {
            _ if login || self.crashes > 0 => return delay(cause, tries, None, &mut self.dice),
            Some(lost) if lost.age(now) > FIRST_MINUTES => 24_000,
            _ => 3_500,
        };
        let base = delay(Cause::Closed, tries, None, &mut self.dice).millis().min(longest);
        let asked = self.session.peace().filter(|_| cause == Cause::Busy);
        let base = asked.map_or(base, |asked| base.max(asked.min(LONGEST_ASKED).millis()));
        Span::from_millis(base + i64::from(self.dice.below(1_000)))
    }

    /// Does something while logins are told and the store is there. When the machine wakes, it begins
    /// anew: what it waits for may never come.
    async fn attend<T, W: Future<Output = T>>(&mut self, work: impl Fn() -> W) -> Result<T, Closed> {
        loop {
            if let Some(done) = self.attend_awake(&work).await? {
                return Ok(done);
            }
            self.session.disconnect();
        }
    }

    /// The same until the machine wakes from sleep; then nothing. When a person wants it tried now, it
    /// begins anew.
    async fn attend_awake<T, W: Future<Output = T>>(
        &mut self,
        work: impl Fn() -> W,
    ) -> Result<Option<T>, Closed> {
        loop {
            let doing = work();
            tokio::pin!(doing);
            loop {
                tokio::select! {
                    done = &mut doing => return Ok(Some(done)),
                    login = self.login.changed() => {
                        if login.is_ok() {
                            self.tell_login().await?;
                        }
                    }
                    kick = self.signals.kicks.changed() => {
                        kick.map_err(|_| Closed)?;
                        break;
                    }
                    woke = self.signals.woke.changed() => return woke.map(|()| None).map_err(|_| Closed),
                    () = self.deltas.closed() => return Err(Closed),
                }
            }
        }
    }

    /// The machine slept: whatever was open is dead, even if nobody noticed.
    fn slept(&mut self) -> Fault {
        let slept = self.signals.woke.borrow_and_update().1;
        self.session.disconnect();
        Fault::new(Cause::Closed, format!("this machine slept for {slept}"), "")
    }
}

fn crashed() -> Fault {
    Fault::new(Cause::Config, "a watch of this cluster crashed: a bug in Quarterdeck", "")
}

/// The tasks under a cluster's.
struct Watches {
    running: JoinSet<()>,
    shared: Shared,
}

impl Watches {
    fn start(&mut self, version: &'static crate::kinds::VersionDecl, seed: u64) {
        self.running.spawn(task::run(self.shared.clone(), version, seed));
    }
}
