//! The task of one cluster: connects, finds out what is served, keeps one watch per kind, and
//! notices when the connection is gone.
//!
//! While it is gone only this task asks, every few seconds; the kinds wait, are marked with the
//! cause, and go on from where they were when it answers again.

mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::admission::Admission;
use super::audit::{self, Auditing};
use super::clock::{Clock, duration};
use super::discover;
use super::machine::{Dice, delay};
use super::metrics::{self, Pace};
use super::task::{self, Closed, Health, Note, Orders, Shared};
use crate::cluster::{self, Discovery, Session};
use crate::model::{Cause, Change, Delta, Fault, Kind, Link, LinkState, Login, Span, Time};

/// For how long after a connection was lost it is tried every few seconds.
const FIRST_MINUTES: Span = Span::from_seconds(180);

/// The watches of one connection usually fail together. When a second one does within this time,
/// the connection is gone and the cluster is marked at once.
const TOGETHER: Duration = Duration::from_millis(50);

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
    /// When it stopped answering.
    lost: Option<Time>,
    /// As of when what is on screen is, when it stems from earlier watches.
    known: Option<Time>,
    /// Watches that crashed.
    crashes: u32,
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
            lost: None,
            known: None,
            crashes: 0,
        }
    }

    /// Runs until the supervisor or the store is gone.
    pub(super) async fn run(mut self) {
        loop {
            match self.once().await {
                Ok(over) => {
                    if self.begin_anew(over).await.is_err() {
                        return;
                    }
                }
                Err(Closed) => return,
            }
        }
    }

    async fn begin_anew(&mut self, over: Over) -> Result<(), Closed> {
        let heard = self.heard.load(Ordering::Relaxed);
        self.known = (heard > 0).then(|| Time::from_millis(heard));
        match over {
            Over::Changed => Ok(()),
            Over::Replaced(fault) => {
                tracing::warn!(cluster = self.session.id().0, %fault, "starting over");
                self.known = None;
                self.tell(Change::Reset).await
            }
            Over::Crashed => {
                self.crashes = self.crashes.saturating_add(1);
                self.link.tries = self.crashes;
                let fault =
                    Fault::new(Cause::Config, "a watch of this cluster crashed: a bug in Quarterdeck", "");
                self.rest(fault, |_, _, _| {}).await
            }
        }
    }

    /// From a new connection until everything has to begin anew.
    async fn once(&mut self) -> Result<Over, Closed> {
        let found = self.connect().await?;
        self.up().await?;
        self.tell_server(&found).await?;
        let (orders, receiver) = watch::channel(Orders { health: Health::Up { outages: 0 }, kicks: 0 });
        let (notes, inbox) = mpsc::channel(64);
        let shared = Shared {
            session: self.session.clone(),
            desk: self.common.desk.clone(),
            deltas: self.deltas.clone(),
            orders: receiver,
            notes,
            clock: self.clock.clone(),
            heard: Arc::clone(&self.heard),
            known: self.known,
            streaming: discover::streams(&found.version),
            live: Arc::default(),
            auditing: self.common.auditing.clone(),
            pace: self.common.pace.clone(),
        };
        // Dropped with this call: then nothing of the old connection is told any more.
        let mut watches = Watches { running: JoinSet::new(), shared };
        for version in discover::chosen(&found.served) {
            watches.start(version, self.dice.roll());
        }
        if found.served.metrics {
            watches.running.spawn(metrics::run(watches.shared.clone(), self.dice.roll()));
        }
        let audited = discover::chosen(&found.served).collect();
        watches.running.spawn(audit::run(watches.shared.clone(), audited, self.dice.roll()));
        let over = self.keep(&found, &mut watches, orders, inbox).await;
        watches.running.shutdown().await;
        over
    }

    /// Asks until the server says what it is.
    async fn connect(&mut self) -> Result<Discovery, Closed> {
        if self.link.state == LinkState::Waiting {
            self.set_state(LinkState::Connecting);
            self.tell_link().await?;
        }
        loop {
            let session = self.session.clone();
            let found = self.attend(discover::discover(&session)).await?;
            match found {
                Ok(found) => return Ok(found),
                Err(fault) => self.rest(fault, |_, _, _| {}).await?,
            }
        }
    }

    /// Keeps the watches going until everything has to begin anew.
    async fn keep(
        &mut self,
        found: &Discovery,
        watches: &mut Watches,
        orders: watch::Sender<Orders>,
        mut inbox: mpsc::Receiver<Note>,
    ) -> Result<Over, Closed> {
        let mut outages = 0;
        loop {
            let mut fault = None;
            tokio::select! {
                note = inbox.recv() => match note {
                    Some(Note::Replaced(fault)) => return Ok(Over::Replaced(fault)),
                    Some(Note::JsonOnly) => {
                        if !std::mem::replace(&mut self.json_only, true) {
                            self.tell_server(found).await?;
                        }
                    }
                    Some(Note::Trouble(kind, trouble)) => fault = self.examine(kind, trouble, &mut inbox).await?,
                    None => return Err(Closed),
                },
                login = self.login.changed() => {
                    if login.is_ok() {
                        self.tell_login().await?;
                    }
                }
                kick = self.signals.kicks.changed() => {
                    kick.map_err(|_| Closed)?;
                    orders.send_modify(|orders| orders.kicks += 1);
                }
                woke = self.signals.woke.changed() => {
                    woke.map_err(|_| Closed)?;
                    fault = Some(self.slept().await);
                }
                Some(ended) = watches.running.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(cluster = self.session.id().0, %error, "a watch crashed");
                        return Ok(Over::Crashed);
                    }
                }
            }
            if let Some(fault) = fault {
                if let Some(over) = self.outage(found, fault, &orders).await? {
                    return Ok(over);
                }
                outages += 1;
                orders.send_modify(|orders| orders.health = Health::Up { outages });
                while let Ok(note) = inbox.try_recv() {
                    if let Note::Replaced(fault) = note {
                        return Ok(Over::Replaced(fault));
                    }
                }
            }
        }
    }

    /// Whether a watch's trouble is the whole connection's.
    async fn examine(
        &mut self,
        kind: Kind,
        trouble: Fault,
        inbox: &mut mpsc::Receiver<Note>,
    ) -> Result<Option<Fault>, Closed> {
        if let Ok(Some(Note::Trouble(other, _))) = tokio::time::timeout(TOGETHER, inbox.recv()).await
            && other != kind
        {
            return Ok(Some(trouble));
        }
        let session = self.session.clone();
        Ok(self.attend(cluster::version(&session)).await?.err())
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
            let answer = self.attend(again(&session, found)).await?;
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
        let retry_at = Some(now + pause);
        down(&fault, retry_at, self.link.tries);
        self.mark(fault, retry_at).await?;
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
            self.session.disconnect().await;
        }
        Ok(())
    }

    fn pause(&mut self, cause: Cause, now: Time) -> Span {
        let tries = self.link.tries;
        let login = matches!(cause, Cause::Unauthorized | Cause::Login | Cause::Forbidden);
        let longest = match self.lost {
            _ if login || self.crashes > 0 => return delay(cause, tries, None, &mut self.dice),
            Some(lost) if lost.age(now) > FIRST_MINUTES => 24_000,
            _ => 4_000,
        };
        let base = delay(Cause::Closed, tries, None, &mut self.dice).millis().min(longest);
        Span::from_millis(base + i64::from(self.dice.below(1_000)))
    }

    /// Does something while logins are told and the store is there.
    async fn attend<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Closed> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                login = self.login.changed() => {
                    if login.is_ok() {
                        self.tell_login().await?;
                    }
                }
                () = self.deltas.closed() => return Err(Closed),
            }
        }
    }

    /// The machine slept: whatever was open is dead, even if nobody noticed.
    async fn slept(&mut self) -> Fault {
        let slept = self.signals.woke.borrow_and_update().1;
        self.session.disconnect().await;
        Fault::new(Cause::Closed, format!("this machine slept for {slept}"), "")
    }
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

/// Asks whether it is there again, and still the same.
async fn again(session: &Session, found: &Discovery) -> Result<Option<Over>, Fault> {
    let version = cluster::version(session).await?;
    let identity = cluster::identity(session).await?;
    if found.identity.is_some() && identity.is_some() && found.identity != identity {
        let what = format!("{} is another cluster than before", session.server());
        return Ok(Some(Over::Replaced(Fault::new(Cause::Replaced, what, ""))));
    }
    // An upgrade may serve other versions of kinds.
    Ok((version != found.version).then_some(Over::Changed))
}
