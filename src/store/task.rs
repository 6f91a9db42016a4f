//! The task that owns the store.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::Store;
use crate::model::{Change, Delta, Time};
use crate::views::Snapshot;

/// How far apart publishes are at least.
pub const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// How often it is asked whether a sample is due. Nothing is published when none is.
const TICK: Duration = Duration::from_secs(10);

/// Deltas taken at one go: some milliseconds of work when they are events. (A page of a list, or its
/// end, is as much as hundreds of them.)
const AT_ONCE: usize = 2048;

/// How long events gather after a few came, so that at many a second not every one wakes this task.
/// Lists do not wait, and storms do not: their batches are more than a few.
const GATHER: Duration = Duration::from_millis(25);
const FEW: usize = 128;

/// How long nothing is watched after a store crashed: first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Runs a store until every sender of deltas is gone; what was left then is published.
///
/// Publishes at most every [`PUBLISH_EVERY`] and only when something changed; the first sign of a
/// cluster is published at once. `clock` says what time it is.
pub async fn run(
    mut store: Store,
    mut deltas: mpsc::Receiver<Delta>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    clock: impl Fn() -> Time,
) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut batch = Vec::with_capacity(64);
    let (mut publish_at, mut gathered_at) = (Instant::now(), Instant::now());
    loop {
        tokio::select! {
            biased;
            () = sleep_until(publish_at), if store.changed() => {
                snapshots.send_replace(Arc::new(store.snapshot(clock())));
                publish_at = Instant::now() + PUBLISH_EVERY;
            }
            _ = ticks.tick() => store.tick(clock()),
            () = sleep_until(gathered_at), if gathered_at > Instant::now() => {}
            taken = deltas.recv_many(&mut batch, AT_ONCE), if gathered_at <= Instant::now() => {
                if taken == 0 {
                    break;
                }
                let few = taken <= FEW && batch.iter().all(|delta| is_event(&delta.change));
                for delta in batch.drain(..) {
                    store.apply(delta);
                }
                if store.urgent() {
                    publish_at = publish_at.min(Instant::now());
                } else if few {
                    gathered_at = Instant::now() + GATHER;
                }
            }
        }
    }
    if store.changed() {
        snapshots.send_replace(Arc::new(store.snapshot(clock())));
    }
}

/// Runs a store, and should it crash another one in its place, until every sender of deltas is gone.
///
/// A store that is gone would leave the last it published on screen, as if it were live: at once an
/// empty one is published instead. `watch` begins to fill it, after a pause that grows with every
/// crash; it is given where deltas go.
pub async fn keep(
    first: (Store, mpsc::Receiver<Delta>),
    another: impl Fn() -> Store,
    watch: impl Fn() -> mpsc::Receiver<Delta>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    clock: impl Fn() -> Time,
) {
    let (mut store, mut deltas) = first;
    let mut pause = FIRST_PAUSE;
    loop {
        let running = run(store, deltas, snapshots.clone(), &clock);
        if AssertUnwindSafe(running).catch_unwind().await.is_ok() {
            return;
        }
        store = another().after(snapshots.borrow().sequence);
        snapshots.send_replace(Arc::new(store.snapshot(clock())));
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        deltas = watch();
    }
}

/// Whether this is something small that happens while a watch is live.
fn is_event(change: &Change) -> bool {
    matches!(change, Change::Upsert(_) | Change::Gone(..) | Change::Bookmark(..) | Change::KindLink(..))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::model::{ClusterId, ClusterInfo, Extras, Kind, Link, LinkState, Login, Price, Version};
    use crate::store::{Derive, load};

    fn now() -> Time {
        Time::from_seconds(1_000_000)
    }

    fn start() -> (mpsc::Sender<Delta>, watch::Receiver<Arc<Snapshot>>, tokio::task::JoinHandle<()>) {
        let mut store = store();
        let (deltas, inbox) = mpsc::channel(16);
        let (outbox, snapshots) = watch::channel(Arc::new(store.snapshot(now())));
        (deltas, snapshots, tokio::spawn(run(store, inbox, outbox, now)))
    }

    fn delta(change: Change) -> Delta {
        Delta { cluster: ClusterId(0), at: now(), change }
    }

    fn store() -> Store {
        let derive = Derive {
            rules: Vec::new(),
            observers: Vec::new(),
            price: Arc::new(|_, _| Price::default()),
            extras: Arc::new(|_| Extras::default()),
        };
        Store::new([Arc::new(ClusterInfo::default())], now(), derive)
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_crashes_shows_nothing_as_live_and_is_filled_anew() {
        let mut first = store();
        let (outbox, mut snapshots) = watch::channel(Arc::new(first.snapshot(now())));
        let (mut deltas, inbox) = mpsc::channel(16);
        let (told, mut begun) = mpsc::unbounded_channel();
        let watch = move || {
            let (deltas, inbox) = mpsc::channel(16);
            told.send(deltas).unwrap();
            inbox
        };
        let breaks = Arc::new(AtomicBool::new(false));
        let broken = Arc::clone(&breaks);
        let clock = move || {
            assert!(!broken.swap(false, Ordering::Relaxed), "the store crashes, by order");
            now()
        };
        let task = tokio::spawn(keep((first, inbox), store, watch, outbox, clock));
        let live = |snapshot: &Arc<Snapshot>| snapshot.fleet.clusters[0].link.live();
        let link = Link { state: LinkState::Live, heard: Some(now()), ..Link::waiting(now()) };
        let mut newest = 0;
        for _ in 0..3 {
            deltas.send(delta(Change::Link(link.clone()))).await.unwrap();
            let before = snapshots.wait_for(live).await.unwrap().sequence;
            breaks.store(true, Ordering::Relaxed);
            deltas.send(delta(Change::Login(Login::Wanted))).await.unwrap();
            let after = snapshots.wait_for(|snapshot| !live(snapshot)).await.unwrap().sequence;
            assert!(newest < before && before < after, "it is news to who looks");
            newest = after;
            deltas = begun.recv().await.unwrap();
        }
        drop(deltas);
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn it_publishes_ten_times_a_second_at_most_and_only_changes() {
        let (deltas, mut snapshots, task) = start();
        let began = Instant::now();
        let feed = tokio::spawn(async move {
            for version in 1..=100 {
                let pod = load::pod(0, version);
                deltas.send(delta(Change::Upsert(Arc::new(pod)))).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // Nothing to see: no publish.
            deltas.send(delta(Change::Bookmark(Kind::Pod, Version(5000)))).await.unwrap();
            let live = Link { state: LinkState::Live, heard: Some(now()), ..Link::waiting(now()) };
            deltas.send(delta(Change::KindLink(Kind::Pod, live.clone()))).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let later = Link { heard: Some(now() + crate::model::Span::from_seconds(9)), ..live };
            deltas.send(delta(Change::KindLink(Kind::Pod, later))).await.unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
        });
        let mut publishes = 0;
        while snapshots.changed().await.is_ok() {
            publishes += 1;
            let pods = snapshots.borrow_and_update().fleet.clusters[0].pods().count();
            assert_eq!(pods, 1);
            assert!(began.elapsed() <= Duration::from_millis(1200));
        }
        feed.await.unwrap();
        task.await.unwrap();
        assert!((9..=12).contains(&publishes), "{publishes}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_sign_of_a_cluster_is_published_at_once() {
        let (deltas, mut snapshots, _task) = start();
        deltas.send(delta(Change::Upsert(Arc::new(load::pod(0, 1))))).await.unwrap();
        snapshots.changed().await.unwrap();
        snapshots.borrow_and_update();
        let before = Instant::now();
        let link = Link { state: LinkState::Live, heard: Some(now()), ..Link::waiting(now()) };
        deltas.send(delta(Change::Link(link))).await.unwrap();
        snapshots.changed().await.unwrap();
        assert!(snapshots.borrow_and_update().fleet.clusters[0].link.live());
        assert!(before.elapsed() <= GATHER, "at once, but for the pod that came just before");
        // From then on it waits for its turn.
        deltas.send(delta(Change::Link(Link { tries: 1, ..Link::waiting(now()) }))).await.unwrap();
        snapshots.changed().await.unwrap();
        assert!(before.elapsed() >= PUBLISH_EVERY);
    }

    #[tokio::test(start_paused = true)]
    async fn lists_do_not_wait_for_events_to_gather() {
        let (deltas, mut snapshots, _task) = start();
        // More than there is room for in the channel, without a pause.
        let began = Instant::now();
        deltas.send(delta(Change::Begin(Kind::Pod))).await.unwrap();
        for page in 0..40 {
            deltas.send(delta(Change::Page(Kind::Pod, vec![load::pod(page, 1)]))).await.unwrap();
        }
        deltas.send(delta(Change::Synced(Kind::Pod, Version(1)))).await.unwrap();
        snapshots.wait_for(|s| s.fleet.clusters[0].pods().count() == 40).await.unwrap();
        assert!(began.elapsed() <= PUBLISH_EVERY);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_at_the_end_is_published() {
        let (deltas, snapshots, task) = start();
        deltas.send(delta(Change::Upsert(Arc::new(load::pod(7, 1))))).await.unwrap();
        drop(deltas);
        task.await.unwrap();
        assert_eq!(snapshots.borrow().fleet.clusters[0].pods().count(), 1);
    }
}
