//! What a person would see of the clusters of a test's own servers, with a clock that a test can
//! move on.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use quarterdeck::model::{Cluster, Fleet, Kind, Link, LinkState, Span, Time};
use quarterdeck::watch::{Clock, Handle, Options};
use tokio::time::Instant;

use super::super::ground::{Ground, PATIENCE, known};

pub(crate) struct View {
    ground: Ground,
    first: String,
    slept: Arc<AtomicI64>,
    broken: Arc<AtomicBool>,
    keeper_broken: Arc<AtomicBool>,
}

/// Audits are what their own tests are about.
const NO_AUDITS: Duration = Duration::from_secs(1_000_000);

impl View {
    /// Watches the clusters of a kubeconfig. It must be called within a runtime.
    pub(crate) fn open(kubeconfig: &str) -> View {
        View::with(kubeconfig, NO_AUDITS)
    }

    /// The same with audits this often, without pauses.
    pub(crate) fn with(kubeconfig: &str, audit_every: Duration) -> View {
        let slept = Arc::new(AtomicI64::new(0));
        let asleep = Arc::clone(&slept);
        let start = Instant::now();
        // By the runtime's clock, so that a test can move it on.
        let now = move || {
            let millis = i64::try_from(start.elapsed().as_millis()).unwrap();
            Time::from_millis(1_790_000_000_000 + millis)
        };
        let broken = Arc::new(AtomicBool::new(false));
        let breaks = Arc::clone(&broken);
        let watched = move || {
            assert!(!breaks.swap(false, Ordering::Relaxed), "a watch crashes, by order");
            now()
        };
        let keeper_broken = Arc::new(AtomicBool::new(false));
        let keeper_breaks = Arc::clone(&keeper_broken);
        let first = OnceLock::new();
        // Whoever looks whether the machine sleeps asks first; beside it only tasks of clusters ask.
        let slept_so_far = move || {
            let task = tokio::task::try_id();
            let keeper = *first.get_or_init(|| task) != task;
            assert!(
                !keeper || !keeper_breaks.swap(false, Ordering::Relaxed),
                "a cluster's task crashes, by order"
            );
            Span::from_seconds(asleep.load(Ordering::Relaxed))
        };
        let clock = Clock::new(watched, slept_so_far);
        let options =
            Options { seed: 7, clock, audit_every, audit_pause: Duration::ZERO, ..Options::default() };
        let ground = Ground::open_as(kubeconfig, now, options);
        let first = ground.names()[0].clone();
        View { ground, first, slept, broken, keeper_broken }
    }

    /// The watches.
    pub(crate) fn handle(&self) -> &Handle {
        &self.ground.handle
    }

    /// Ends the watches.
    pub(crate) async fn shutdown(self) {
        self.ground.handle.shutdown().await;
    }

    /// The machine sleeps for so many seconds.
    pub(crate) fn sleep(&self, seconds: i64) {
        self.slept.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The next task of the watches that asks what time it is crashes.
    pub(crate) fn crash(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// The next task of a whole cluster that asks for how long the machine slept crashes.
    pub(crate) fn crash_keeper(&self) {
        self.keeper_broken.store(true, Ordering::Relaxed);
    }

    /// The first cluster now.
    pub(crate) fn cluster(&self) -> Arc<Cluster> {
        self.ground.cluster(&self.first)
    }

    /// The whole fleet now.
    pub(crate) fn fleet(&self) -> Fleet {
        self.ground.snapshot().fleet.clone()
    }

    /// Waits until the fleet is so; says which clusters are how when it never is.
    pub(crate) async fn until_fleet(&mut self, what: &str, holds: impl Fn(&Fleet) -> bool) {
        let mut snapshots = self.ground.snapshots();
        if tokio::time::timeout(PATIENCE, snapshots.wait_for(|s| holds(&s.fleet))).await.is_err() {
            panic!("never so: {what}\n{}", links(&self.fleet()));
        }
    }

    /// Waits until the first cluster is so.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Cluster) -> bool) -> Arc<Cluster> {
        self.ground.until(&self.first.clone(), what, holds).await
    }

    /// Lets so many seconds pass, one by one, until the fleet is so; says how many did. For tests on
    /// a runtime of one thread.
    pub(crate) async fn within(&mut self, seconds: u32, what: &str, holds: impl Fn(&Fleet) -> bool) -> u32 {
        let mut snapshots = self.ground.snapshots();
        // What needs no time but the machine's own gets that first, however busy the machine is.
        let mut patience = Duration::from_secs(2);
        let clusters = u32::try_from(self.fleet().clusters.len()).unwrap();
        for passed in 0..=seconds {
            let now = snapshots.wait_for(|s| holds(&s.fleet));
            if tokio::time::timeout(patience, now).await.is_ok() {
                return passed;
            }
            patience = (Duration::from_millis(20) * clusters).min(Duration::from_millis(500));
            jump(Duration::from_secs(1) - patience).await;
        }
        panic!("not so within {seconds} s: {what}\n{}", links(&self.fleet()));
    }
}

/// What is wrong where, a line each.
fn links(fleet: &Fleet) -> String {
    let mut text = String::new();
    for cluster in &fleet.clusters {
        text += &format!("{}: {:?}\n", cluster.info.name, cluster.link);
        for table in cluster.tables.iter().filter(|t| t.link.state != LinkState::Missing) {
            let rows = table.rows.len();
            text += &format!("  {:?} at {:?}, {rows} rows: {:?}\n", table.kind, table.version, table.link);
        }
    }
    text
}

/// Turns of the runtime that what is due at one moment may take: each looks at the sockets once and
/// runs every task that is ready, and a request with its answer is some ten of them.
const TURNS: usize = 100;

/// Lets so many seconds pass, one by one, and in each happen what is due then. For tests on a runtime of
/// one thread.
pub(crate) async fn pass(seconds: u32) {
    for _ in 0..seconds {
        jump(Duration::from_secs(1)).await;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }
}

/// Moves the runtime's clock on. (A clock that stood still would run wild: while bytes are on their
/// way nothing is due, and then it jumps by itself.)
async fn jump(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

/// The names of all objects of a kind.
pub(crate) fn names(cluster: &Cluster, kind: Kind) -> Vec<String> {
    known(cluster, kind)
        .into_iter()
        .map(|name| name.rsplit('/').next().unwrap_or_default().to_owned())
        .collect()
}

pub(crate) fn link(cluster: &Cluster, kind: Kind) -> &Link {
    &cluster.table(kind).link
}

pub(crate) fn live(cluster: &Cluster, kind: Kind) -> bool {
    link(cluster, kind).live()
}
