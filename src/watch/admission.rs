//! Who may list now: at most so many in the whole fleet, so many per cluster, and clusters on
//! screen first.
//!
//! A list of a big cluster is the only expensive thing that a console asks of a server (up to ten
//! seats of priority and fairness, where an open watch has none), and after an outage every watch
//! of the fleet may need one at once.

mod queue;

use tokio::sync::{mpsc, oneshot};

use crate::model::{ClusterId, Kind};
use queue::Queue;
pub(super) use queue::Rank;

/// The desk where turns are asked for. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    calls: mpsc::UnboundedSender<Call>,
}

/// A turn to list; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Turn {
    cluster: ClusterId,
    calls: mpsc::UnboundedSender<Call>,
}

#[derive(Debug)]
enum Call {
    Ask(Rank, ClusterId, Kind, oneshot::Sender<Turn>),
    Back(ClusterId),
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

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.calls.send(Call::Back(self.cluster));
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
            Call::Back(cluster) => queue.back(cluster),
            Call::Focus(clusters) => queue.focus(clusters),
        }
        while let Some((cluster, turn)) = queue.next(|turn| !turn.is_closed()) {
            let Some(calls) = calls.upgrade() else { return };
            // Whoever left meanwhile drops the turn, which gives it back.
            drop(turn.send(Turn { cluster, calls }));
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
}
