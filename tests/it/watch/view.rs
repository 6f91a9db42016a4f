//! What a person would see: the real watches into the real store, and conditions on its snapshots.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use quarterdeck::cluster::{Plugins, Session, Sources, find_clusters};
use quarterdeck::model::{Cluster, ClusterId, Fleet, Kind, Link, Price, Span};
use quarterdeck::store::{self, Derive, Store};
use quarterdeck::views::Snapshot;
use quarterdeck::watch::{Clock, Handle, Options, Supervisor};
use tokio::sync::{mpsc, watch};

/// How long a condition may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct View {
    pub(crate) handle: Handle,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    slept: Arc<AtomicI64>,
}

impl View {
    /// Watches the clusters of a kubeconfig. It must be called within a runtime.
    pub(crate) fn of_kubeconfig(file: &Path) -> View {
        let found = find_clusters(&Sources { file: Some(file.to_owned()), ..Sources::default() }, &[]);
        let plugins = Plugins::default();
        let now = Clock::system().now();
        let derive =
            Derive { rules: Vec::new(), observers: Vec::new(), price: Arc::new(|_, _| Price::default()) };
        let infos = found.targets.iter().map(|target| Arc::new(target.info.clone()));
        let store = Store::new(infos, now, derive);
        let sessions = found.targets.iter().map(|target| Session::new(target, &plugins).unwrap());
        let (deltas, inbox) = mpsc::channel(64);
        let (publish, snapshots) = watch::channel(Arc::new(Snapshot::new(now, 0, Default::default())));
        let slept = Arc::new(AtomicI64::new(0));
        let asleep = Arc::clone(&slept);
        let clock =
            Clock::new(|| Clock::system().now(), move || Span::from_seconds(asleep.load(Ordering::Relaxed)));
        let options = Options { seed: 7, clock, ..Options::default() };
        let handle = Supervisor::start(sessions, deltas, options);
        tokio::spawn(store::run(store, inbox, publish, || Clock::system().now()));
        View { handle, snapshots, slept }
    }

    /// The machine sleeps for so many seconds.
    #[allow(dead_code, reason = "the machine sleeps in one of the two binaries only")]
    pub(crate) fn sleep(&self, seconds: i64) {
        self.slept.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Waits until the fleet is so; says which clusters are how when it never is.
    #[allow(dead_code, reason = "there is a fleet in one of the two binaries only")]
    pub(crate) async fn until_fleet(&mut self, what: &str, holds: impl Fn(&Fleet) -> bool) {
        let reached = self.snapshots.wait_for(|s| holds(&s.fleet));
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            let fleet = self.snapshots.borrow().fleet.clone();
            let links: Vec<_> =
                fleet.clusters.iter().map(|c| (c.info.name.clone(), c.link.clone())).collect();
            panic!("never so: {what}\n{links:#?}");
        }
    }

    /// Waits until a cluster is so; says what it is like when it never is.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Cluster) -> bool) -> Arc<Cluster> {
        let first = |s: &Arc<Snapshot>| s.fleet.cluster(ClusterId(0)).cloned();
        let reached = self.snapshots.wait_for(|s| first(s).is_some_and(|c| holds(&c)));
        let reached = tokio::time::timeout(PATIENCE, reached).await.map(|s| first(&s.unwrap()).unwrap());
        match reached {
            Ok(cluster) => cluster,
            Err(_) => {
                let cluster = first(&self.snapshots.borrow());
                let links: Vec<_> =
                    cluster.iter().flat_map(|c| &c.tables).map(|t| (t.kind, t.link.clone())).collect();
                panic!("never so: {what}\n{:?}\n{links:#?}", cluster.map(|c| c.link.clone()));
            }
        }
    }
}

pub(crate) fn names(cluster: &Cluster, kind: Kind) -> Vec<String> {
    let mut names: Vec<String> = cluster.records(kind).map(|r| r.meta().name.to_string()).collect();
    names.sort();
    names
}

pub(crate) fn link(cluster: &Cluster, kind: Kind) -> &Link {
    &cluster.table(kind).link
}

pub(crate) fn live(cluster: &Cluster, kind: Kind) -> bool {
    link(cluster, kind).live()
}
