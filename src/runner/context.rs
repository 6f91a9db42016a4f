//! What every part of a run works with, and the only way to write: [`Context::intend`], then
//! [`Context::send`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, watch};

use super::Clock;
use super::api::{Api, ApiAnswer, ApiRequest};
use super::scribe::{Entry, Head, Scribe};
use crate::model::{Cause, ClusterId, Fault, Text, Time};
use crate::operations::{OpEvent, OpId, Permit, Plan, Progress};
use crate::views::Snapshot;

/// One run's surroundings.
pub(super) struct Context<A> {
    pub(super) op: OpId,
    pub(super) plan: Plan,
    pub(super) permit: Permit,
    pub(super) head: Head,
    pub(super) api: Arc<A>,
    pub(super) scribe: Scribe,
    pub(super) clock: Clock,
    pub(super) events: mpsc::Sender<OpEvent>,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The step that runs, for the journal.
    pub(super) at: AtomicUsize,
    /// Why it must not run beside what ran when it was submitted.
    pub(super) crossed: Option<Text>,
    /// Whether it sends something.
    pub(super) busy: watch::Sender<bool>,
    /// Whether the runs that were there when it was submitted still send something.
    pub(super) others: BTreeMap<OpId, watch::Receiver<bool>>,
}

/// The proof that a write is in the journal and permitted: without it nothing can be sent.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    cluster: ClusterId,
    seq: u64,
}

impl<A: Api> Context<A> {
    pub(super) fn now(&self) -> Time {
        (self.clock)()
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// What people call a cluster.
    pub(super) fn name(&self, id: ClusterId) -> Text {
        let snapshot = self.snapshots.borrow();
        let cluster = snapshot.fleet.cluster(id);
        cluster.map_or_else(|| Text::from(format!("cluster {}", id.0)), |c| c.info.name.clone())
    }

    /// Tells what happened. Whoever does not listen any more misses it; the journal does not.
    pub(super) async fn tell(&self, progress: Progress) {
        let _ = self.events.send(OpEvent { op: self.op, at: self.now(), progress }).await;
    }

    /// Tells a line of evidence.
    pub(super) async fn say(&self, line: impl Into<Text>) {
        self.tell(Progress::Evidence(line.into())).await;
    }

    /// Notes something in the journal.
    pub(super) async fn note(&self, entry: Entry) -> Result<u64, Fault> {
        let snapshot = self.snapshot();
        self.scribe.write(&self.head, &snapshot, entry).await
    }

    /// Notes in the journal what is about to be sent, if the permit covers its cluster.
    pub(super) async fn intend(&self, cluster: ClusterId, entry: Entry) -> Result<Recorded, Fault> {
        if !self.permit.clusters.contains(&cluster) {
            let what =
                format!("{} is not among the clusters that this plan may write to", self.name(cluster));
            return Err(Fault::new(Cause::Forbidden, what, "arm it and confirm the plan again"));
        }
        let seq = self.note(entry.with("at", self.at.load(Ordering::Relaxed))).await?;
        Ok(Recorded { cluster, seq })
    }

    /// Sends what was recorded.
    pub(super) async fn send(&self, recorded: &Recorded, request: ApiRequest) -> Result<ApiAnswer, Fault> {
        self.api.call(recorded.cluster, request).await
    }

    /// Notes what came of it. That this cannot be written is told, and stops the next intent.
    pub(super) async fn came(&self, recorded: &Recorded, entry: Entry, result: Result<&str, &str>) {
        let entry = entry.with("intent", recorded.seq);
        let entry = match result {
            Ok(said) => entry.with("result", said),
            Err(said) => entry.with("err", said),
        };
        if let Err(fault) = self.note(entry).await {
            self.say(fault.to_string()).await;
        }
    }

    /// Reads; needs no record.
    pub(super) async fn read(&self, cluster: ClusterId, request: ApiRequest) -> Result<ApiAnswer, Fault> {
        self.api.call(cluster, request).await
    }
}
