//! The supervisor: one task per cluster, and what they share.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::admission::Admission;
use super::audit::Auditing;
use super::clock::{Clock, Sleeper};
use super::keeper::{Common, Keeper, Signals};
use super::machine::Dice;
use super::metrics::Pace;
use crate::cluster::Session;
use crate::model::{ClusterId, Delta, Span};

/// How a fleet is watched.
#[derive(Clone, Debug)]
pub struct Options {
    /// Lists that may run at the same time in the whole fleet.
    pub lists: usize,
    /// Lists that may run at the same time in one cluster.
    pub lists_per_cluster: usize,
    /// How often each kind is compared, object by object, with what its server lists.
    pub audit_every: Duration,
    /// How long nothing is asked for between two pages of such audits, in the whole fleet.
    pub audit_pause: Duration,
    /// The clock.
    pub clock: Clock,
    /// Where chance comes from: it spreads tries and the ends of watches.
    pub seed: u64,
}

impl Default for Options {
    /// 16 lists, 2 per cluster, audits every 20 minutes with a second between two pages, the
    /// machine's clock, a seed from the time.
    fn default() -> Options {
        let clock = Clock::system();
        let seed =
            u64::from_ne_bytes(clock.now().millis().to_ne_bytes()) ^ u64::from(std::process::id()) << 40;
        Options {
            lists: 16,
            lists_per_cluster: 2,
            audit_every: Duration::from_secs(20 * 60),
            audit_pause: Duration::from_secs(1),
            clock,
            seed,
        }
    }
}

/// Starts watching fleets.
#[derive(Debug)]
pub struct Supervisor;

impl Supervisor {
    /// Watches these clusters and sends what is learnt until the handle is dropped or shut down,
    /// or the receiver is. It must be called within a runtime of Tokio with timers and input and
    /// output enabled; the work is done on that runtime's threads.
    #[must_use = "dropping the handle stops the watches"]
    pub fn start(
        sessions: impl IntoIterator<Item = Session>,
        deltas: mpsc::Sender<Delta>,
        options: Options,
    ) -> Handle {
        let mut tasks = JoinSet::new();
        let (woke, receiver) = watch::channel((0, Span::ZERO));
        tasks.spawn(notice_sleep(woke, options.clock.clone()));
        let common = Common {
            desk: Admission::open(options.lists, options.lists_per_cluster),
            auditing: Auditing::new(options.audit_every, options.audit_pause),
            pace: Pace::default(),
        };
        let dice = Dice::new(options.seed);
        let mut handle =
            Handle { tasks, common, deltas, clock: options.clock, dice, woke: receiver, kicks: Vec::new() };
        for session in sessions {
            handle.add(session);
        }
        handle
    }
}

/// A fleet that is being watched. Dropping it stops everything at once.
#[derive(Debug)]
pub struct Handle {
    tasks: JoinSet<()>,
    common: Common,
    deltas: mpsc::Sender<Delta>,
    clock: Clock,
    dice: Dice,
    woke: watch::Receiver<(u64, Span)>,
    kicks: Vec<(ClusterId, watch::Sender<u64>)>,
}

impl Handle {
    /// Watches one more cluster.
    pub fn add(&mut self, session: Session) {
        self.common.pace.join();
        let (kick, kicks) = watch::channel(0);
        self.kicks.push((session.id(), kick));
        let signals = Signals { kicks, woke: self.woke.clone() };
        let keeper = Keeper::new(
            session,
            self.common.clone(),
            self.deltas.clone(),
            self.clock.clone(),
            self.dice.roll(),
            signals,
        );
        self.tasks.spawn(keeper.run());
    }

    /// Lists of these clusters come first, in this order: they are on screen.
    pub fn focus(&self, clusters: Vec<ClusterId>) {
        self.common.desk.focus(clusters);
    }

    /// Asks these clusters again now, and everything in them that waits; all of them when empty.
    pub fn retry(&self, clusters: &[ClusterId]) {
        for (cluster, kick) in &self.kicks {
            if clusters.is_empty() || clusters.contains(cluster) {
                kick.send_modify(|kicks| *kicks += 1);
            }
        }
    }

    /// Stops everything and waits until it has stopped.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

/// How often it is looked whether the machine slept.
const LOOK: Duration = Duration::from_secs(1);

/// Looks whether the machine or this process slept, and says for how long.
async fn notice_sleep(woke: watch::Sender<(u64, Span)>, clock: Clock) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut sleeper, mut last) = (Sleeper::default(), Instant::now());
    loop {
        ticks.tick().await;
        let late = last.elapsed().saturating_sub(LOOK);
        last = Instant::now();
        let late = Span::from_millis(i64::try_from(late.as_millis()).unwrap_or(i64::MAX));
        if let Some(slept) = sleeper.look(clock.slept(), late) {
            woke.send_modify(|(times, span)| {
                *times += 1;
                *span = slept;
            });
        }
    }
}
