//! Who may list now: at most so many in the whole fleet, so many per cluster, and clusters on
//! screen first.
//!
//! A list of a big cluster is the only expensive thing that a console asks of a server (up to ten
//! seats of priority and fairness, where an open watch has none), and after an outage every watch
//! of the fleet may need one at once.
//!
//! A list that crawls costs this machine nothing, and must not keep others waiting for minutes: it
//! gives its place in the fleet back and keeps the one in its cluster.

mod queue;

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::model::{ClusterId, Kind};
use queue::Queue;
pub(super) use queue::Rank;

/// The desk where turns are asked for. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    calls: mpsc::UnboundedSender<Call>,
}

/// How often it is looked whether a list crawls.
const LOOK: Duration = Duration::from_secs(5);

/// A list of which less than this came between two looks crawls.
const CRAWL: u64 = 512 << 10;

/// A turn to list; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Turn {
    cluster: ClusterId,
    calls: mpsc::UnboundedSender<Call>,
    /// Whether it has a place in the fleet still.
    in_fleet: bool,
    received: u64,
    /// When it is looked next, and how much had come at the last look.
    look: Instant,
    before: u64,
}

#[derive(Debug)]
enum Call {
    Ask(Rank, ClusterId, Kind, oneshot::Sender<Turn>),
    /// It crawls: its place in the fleet is another's.
    Crawls,
    /// Of this cluster; whether it still had its place in the fleet.
    Back(ClusterId, bool),
    Focus(Vec<ClusterId>),
}

impl Admission {
    /// Opens a desk; it closes when the last clone, turn and place in the queue is gone.
    pub(super) fn open(fleet: usize, per_cluster: usize) -> Admission {
        let (calls, inbox) = mpsc::unbounded_channel();
        tokio::spawn(serve(Queue::new(fleet, per_cluster), inbox, calls.downgrade()));
        Admission { calls }
    }

    /// Asks for a turn. It comes by the receiver; dropping that leaves the queue.
    pub(super) fn ask(&self, rank: Rank, cluster: ClusterId, kind: Kind) -> oneshot::Receiver<Turn> {
        let (turn, receiver) = oneshot::channel();
        // A desk that is closed drops the sender, and so the receiver learns of it.
        let _ = self.calls.send(Call::Ask(rank, cluster, kind, turn));
        receiver
    }

    /// These clusters first, in this order.
    pub(super) fn focus(&self, clusters: Vec<ClusterId>) {
        let _ = self.calls.send(Call::Focus(clusters));
    }
}

impl Turn {
    fn new(cluster: ClusterId, calls: mpsc::UnboundedSender<Call>) -> Turn {
        Turn { cluster, calls, in_fleet: true, received: 0, look: Instant::now() + LOOK, before: 0 }
    }

    /// More of the list came.
    pub(super) fn received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// Looks whether the list crawls, for as long as it is called: it never ends. It may be dropped at
    /// any time and called again.
    pub(super) async fn watch_pace(&mut self) -> Infallible {
        while self.in_fleet {
            tokio::time::sleep_until(self.look).await;
            // Where nobody called for a while, it is this machine that is slow.
            let late = self.look.elapsed() > LOOK / 5;
            self.look = Instant::now() + LOOK;
            let came = self.received - std::mem::replace(&mut self.before, self.received);
            if came < CRAWL && !late {
                self.in_fleet = false;
                let _ = self.calls.send(Call::Crawls);
            }
        }
        futures::future::pending().await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.calls.send(Call::Back(self.cluster, self.in_fleet));
    }
}

async fn serve(
    mut queue: Queue<oneshot::Sender<Turn>>,
    mut inbox: mpsc::UnboundedReceiver<Call>,
    calls: mpsc::WeakUnboundedSender<Call>,
) {
    while let Some(call) = inbox.recv().await {
        match call {
            Call::Ask(rank, cluster, kind, turn) => queue.ask(rank, cluster, kind, turn),
            Call::Crawls => queue.crawls(),
            Call::Back(cluster, in_fleet) => queue.back(cluster, in_fleet),
            Call::Focus(clusters) => queue.focus(clusters),
        }
        while let Some((cluster, turn)) = queue.next(|turn| !turn.is_closed()) {
            let Some(calls) = calls.upgrade() else { return };
            // Whoever left meanwhile drops the turn, which gives it back.
            drop(turn.send(Turn::new(cluster, calls)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_go_and_come_back() {
        let desk = Admission::open(2, 1);
        let first = desk.ask(Rank::List, ClusterId(0), Kind::Pod).await.unwrap();
        let mut waiting = desk.ask(Rank::List, ClusterId(0), Kind::Node);
        let other = desk.ask(Rank::List, ClusterId(1), Kind::Pod).await.unwrap();
        assert!(waiting.try_recv().is_err());
        drop(first);
        let turn = waiting.await.unwrap();
        // Somebody who leaves the queue does not hold it up.
        drop(desk.ask(Rank::List, ClusterId(2), Kind::Pod));
        let last = desk.ask(Rank::List, ClusterId(2), Kind::Node);
        drop((turn, other));
        last.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn lists_that_crawl_keep_no_other_cluster_waiting() {
        let desk = Admission::open(2, 1);
        let mut slow = desk.ask(Rank::List, ClusterId(0), Kind::Pod).await.unwrap();
        let mut fast = desk.ask(Rank::List, ClusterId(1), Kind::Pod).await.unwrap();
        let mut waiting = desk.ask(Rank::List, ClusterId(2), Kind::Pod);
        let (began, feed) = (Instant::now(), async {
            for _ in 0..40 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                fast.received(1 << 20);
                let _ = tokio::time::timeout(Duration::ZERO, fast.watch_pace()).await;
            }
        });
        let turn = async {
            tokio::select! {
                turn = &mut waiting => turn.unwrap(),
                never = slow.watch_pace() => match never {},
            }
        };
        let (turn, ()) = tokio::join!(async { (turn.await, began.elapsed()) }, feed);
        assert_eq!(turn.1, LOOK, "the slow one gave its place to another, the fast one did not");
        // It keeps the one in its own cluster, and what it gave back it does not give back twice.
        let mut own = desk.ask(Rank::List, ClusterId(0), Kind::Node);
        let mut fourth = desk.ask(Rank::List, ClusterId(3), Kind::Node);
        tokio::task::yield_now().await;
        assert!(own.try_recv().is_err() && fourth.try_recv().is_err());
        drop(slow);
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(own.try_recv().is_err() && fourth.try_recv().is_err(), "the fleet is still full");
        drop((turn, fast));
        let (own, fourth) = tokio::join!(own, fourth);
        assert!(own.is_ok() && fourth.is_ok());
    }
}
