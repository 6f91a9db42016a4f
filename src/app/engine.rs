//! The engine: sessions, watches, store and runner, running together on the runtime.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::clock::now;
use super::opened::Opened;
use super::registry;
use crate::cluster::{ClusterTarget, Session};
use crate::model::{ClusterId, ClusterInfo, Time};
use crate::runner::SessionMap;
use crate::store::{self, Derive, Store};
use crate::views::prices::Prices;
use crate::views::{ExtrasOf, PriceOf, Scope, Snapshot};
use crate::watch::{self as watching, Supervisor};

/// Deltas on their way to the store. A full channel slows the watches, not the screen.
const DELTAS: usize = 1024;

/// Everything that keeps the fleet up to date. Dropping it stops it.
pub(super) struct Engine {
    /// What is known, newest only.
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The connections, by cluster; `None` where an entry is broken.
    pub(super) sessions: Vec<Option<Session>>,
    watches: Arc<Mutex<watching::Handle>>,
}

impl Engine {
    /// Starts watching the clusters that are opened. The first snapshot is there at once: every
    /// cluster, not connected yet.
    pub(super) fn start(opened: &Opened) -> Engine {
        let Opened { prices, workstation, .. } = opened;
        let (infos, sessions) = connections(opened);
        let another = {
            let prices = Arc::clone(prices);
            move || Store::new(infos.iter().cloned(), now(), derive(&prices))
        };
        let mut options = watching::Options::default();
        if let Some(workstation) = workstation.clone() {
            options.clock = options.clock.and_slept(move || workstation.slept());
        }
        let watched: Vec<Session> = sessions.iter().flatten().cloned().collect();
        let watch = move || {
            let (deltas, inbox) = mpsc::channel(DELTAS);
            (Supervisor::start(watched.iter().cloned(), deltas, options.clone()), inbox)
        };
        let mut store = another();
        let (outbox, snapshots) = watch::channel(Arc::new(store.snapshot(now())));
        let (handle, inbox) = watch();
        let watches = Arc::new(Mutex::new(handle));
        // Not to be kept alive by what only lives as long as it.
        let kept = Arc::downgrade(&watches);
        let watch_again = move || {
            let (handle, inbox) = watch();
            if let Some(watches) = kept.upgrade() {
                *locked(&watches) = handle;
            }
            inbox
        };
        tokio::spawn(store::keep((store, inbox), another, watch_again, outbox, now));
        Engine { snapshots, sessions, watches }
    }

    /// The connection to a cluster.
    pub(super) fn session(&self, id: ClusterId) -> Option<&Session> {
        self.sessions.get(usize::from(id.0))?.as_ref()
    }

    /// The connections as the runner wants them.
    pub(super) fn session_map(&self) -> SessionMap {
        Arc::new(self.sessions.iter().flatten().map(|s| (s.id(), s.clone())).collect())
    }

    /// Lists of the clusters in scope come first.
    pub(super) fn focus(&self, scope: &Scope) {
        let snapshot = self.snapshots.borrow();
        let shown = snapshot.fleet.clusters.iter().filter(|c| scope.holds(c)).map(|c| c.id).collect();
        locked(&self.watches).focus(shown);
    }

    /// Asks these clusters again now; all that wait when there are none. A credential plugin that
    /// failed a moment ago is run again, too.
    pub(super) fn retry(&self, clusters: &[ClusterId]) {
        let meant = |session: &&Session| clusters.is_empty() || clusters.contains(&session.id());
        self.sessions.iter().flatten().filter(meant).for_each(Session::try_login_again);
        locked(&self.watches).retry(clusters);
    }

    /// Waits until a condition holds of the newest snapshot, and returns that snapshot; the
    /// newest one as it is when time is up.
    pub(super) async fn wait_for(
        &mut self,
        limit: Duration,
        condition: impl Fn(&Snapshot, Time) -> bool,
    ) -> Result<Arc<Snapshot>, Arc<Snapshot>> {
        let holds = tokio::time::timeout(limit, async {
            loop {
                let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
                if condition(&snapshot, now()) {
                    return snapshot;
                }
                // Conditions may hold by time alone, so it is looked at again without news too.
                let news = self.snapshots.changed();
                if let Ok(Err(_)) = tokio::time::timeout(Duration::from_secs(1), news).await {
                    return snapshot;
                }
            }
        });
        let found = holds.await;
        found.map_err(|_| Arc::clone(&self.snapshots.borrow()))
    }
}

/// What is known of each cluster before it answers, and the way to it.
fn connections(opened: &Opened) -> (Vec<Arc<ClusterInfo>>, Vec<Option<Session>>) {
    let of = |target: &ClusterTarget| {
        let mut info = target.info.clone();
        let session = match (&info.broken, Session::new(target, &opened.plugins)) {
            (Some(_), _) => None,
            (None, Ok(session)) => Some(session),
            (None, Err(fault)) => {
                info.broken = Some(fault);
                None
            }
        };
        (Arc::new(info), session)
    };
    opened.targets.iter().map(of).unzip()
}

/// What is derived from records, by these prices.
fn derive(prices: &Arc<Prices>) -> Derive {
    let list = Arc::clone(prices);
    let price: PriceOf = Arc::new(move |info, node| list.price(info, node));
    let list = Arc::clone(prices);
    let extras: ExtrasOf = Arc::new(move |cluster| list.extras(cluster));
    Derive { rules: registry::rules(), observers: registry::observers(&price), price, extras }
}

fn locked(watches: &Mutex<watching::Handle>) -> MutexGuard<'_, watching::Handle> {
    watches.lock().unwrap_or_else(PoisonError::into_inner)
}
