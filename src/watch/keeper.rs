//! The task of one cluster: connects, finds out what is served, keeps one watch per kind, and
//! notices when the connection is gone.
//!
//! While it is gone only this task asks, every few seconds; the kinds wait, are marked with the
//! cause, and go on from where they were when it answers again.

mod report;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::admission::Admission;
use super::audit::{self, Auditing};
use super::clock::{Clock, duration};
use super::discover;
use super::machine::{Dice, delay};
use super::metrics::{self, Pace};
use super::pulse::Pulse;
use super::task::{self, Closed, Health, Highest, Note, Orders, Shared};
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
    pulse: Pulse,
    /// When it stopped answering.
    lost: Option<Time>,
    /// As of when what is on screen is, when it stems from earlier watches.
    known: Option<Time>,
    /// What earlier watches saw, of what is on screen.
    highest: Arc<Highest>,
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
            pulse: Pulse::default(),
            lost: None,
            known: None,
            highest: Arc::default(),
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
                self.highest = Arc::default();
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
        let kicks = *self.signals.kicks.borrow();
        let (orders, receiver) = watch::channel(Orders { health: Health::Up { outages: 0 }, kicks });
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
            highest: Arc::clone(&self.highest),
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
        // Where they are not served they may come: what serves them is often the last to be ready.
        watches.running.spawn(metrics::run(watches.shared.clone(), self.dice.roll()));
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
        found: &Discovery,
        watches: &mut Watches,
        orders: watch::Sender<Orders>,
        inbox: mpsc::Receiver<Note>,
    ) -> Result<Over, Closed> {
        let mut outages = 0;
        let mut inbox = Inbox { notes: inbox, held: VecDeque::new() };
        loop {
            let mut fault = None;
            tokio::select! {
                note = inbox.next() => match note {
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
                kick = self.signals.kicks.changed() => kick.map_err(|_| Closed)?,
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
                inbox.forget_troubles();
            }
            // Some may have come while something else was waited for.
            let kicks = *self.signals.kicks.borrow_and_update();
            orders.send_if_modified(|orders| std::mem::replace(&mut orders.kicks, kicks) != kicks);
        }
    }

    /// Whether a watch's trouble is the whole connection's.
    async fn examine(
        &mut self,
        kind: Kind,
        trouble: Fault,
        inbox: &mut Inbox,
    ) -> Result<Option<Fault>, Closed> {
        if inbox.another_fails(kind).await {
            return Ok(Some(trouble));
        }
        let (session, woke) = (self.session.clone(), self.signals.woke.borrow().0);
        let fault = self.attend(|| cluster::version(&session)).await?.err();
        if self.signals.woke.borrow().0 != woke {
            return Ok(Some(self.slept().await));
        }
        Ok(fault)
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

    /// Does something while logins are told and the store is there. When a person wants it tried
    /// now, or the machine wakes, it begins anew: what it waits for may never come.
    async fn attend<T, W: Future<Output = T>>(&mut self, work: impl Fn() -> W) -> Result<T, Closed> {
        loop {
            let doing = work();
            tokio::pin!(doing);
            let slept = loop {
                tokio::select! {
                    done = &mut doing => return Ok(done),
                    login = self.login.changed() => {
                        if login.is_ok() {
                            self.tell_login().await?;
                        }
                    }
                    kick = self.signals.kicks.changed() => break kick.map(|()| false),
                    woke = self.signals.woke.changed() => break woke.map(|()| true),
                    () = self.deltas.closed() => return Err(Closed),
                }
            };
            if slept.map_err(|_| Closed)? {
                self.session.disconnect().await;
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

/// What the tasks of the kinds say.
struct Inbox {
    notes: mpsc::Receiver<Note>,
    /// What came while only troubles were listened to.
    held: VecDeque<Note>,
}

impl Inbox {
    async fn next(&mut self) -> Option<Note> {
        match self.held.pop_front() {
            Some(note) => Some(note),
            None => self.notes.recv().await,
        }
    }

    /// Whether the watch of another kind fails within the time in which all of a connection do.
    async fn another_fails(&mut self, kind: Kind) -> bool {
        let until = Instant::now() + TOGETHER;
        while let Ok(Some(note)) = tokio::time::timeout_at(until, self.notes.recv()).await {
            match note {
                Note::Trouble(other, _) if other != kind => return true,
                Note::Trouble(..) => {}
                other => self.held.push_back(other),
            }
        }
        false
    }

    /// Forgets what was said of a connection that is gone. What was said of the server holds.
    fn forget_troubles(&mut self) {
        while let Ok(note) = self.notes.try_recv() {
            if !matches!(note, Note::Trouble(..)) {
                self.held.push_back(note);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_said_beside_a_trouble_is_not_lost() {
        let (notes, inbox) = mpsc::channel(8);
        let mut inbox = Inbox { notes: inbox, held: VecDeque::new() };
        let trouble = |kind| Note::Trouble(kind, Fault::new(Cause::Closed, "test", ""));
        let replaced = Note::Replaced(Fault::new(Cause::Replaced, "test", ""));
        for note in [Note::JsonOnly, trouble(Kind::Pod), replaced.clone()] {
            notes.try_send(note).unwrap();
        }
        assert!(!inbox.another_fails(Kind::Pod).await, "the same kind twice is not the connection");
        notes.try_send(trouble(Kind::Node)).unwrap();
        assert!(inbox.another_fails(Kind::Pod).await);
        notes.try_send(trouble(Kind::Node)).unwrap();
        notes.try_send(Note::JsonOnly).unwrap();
        inbox.forget_troubles();
        drop(notes);
        let rest = [inbox.next().await, inbox.next().await, inbox.next().await, inbox.next().await];
        assert_eq!(rest, [Some(Note::JsonOnly), Some(replaced), Some(Note::JsonOnly), None]);
    }
}
