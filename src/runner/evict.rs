//! Evictions: every pod of a node at once, each as soon as its budget lets it go.
//!
//! At most [`SLOTS`] requests are in flight. A pod that waits holds none of them, and of the pods
//! of one budget only the first is asked for while the others wait their turn, so that a spent
//! budget costs one request every few seconds and delays nobody else.

mod answer;
mod guest;
mod left;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::api::{Api, ApiAnswer, ApiRequest};
use super::context::{Context, Recorded};
use super::gate::{Gate, Halt};
use super::scribe::Entry;
use super::steps::{AGAIN, End, SLOTS};
use crate::model::{ClusterId, Fault, Text, Time};
use crate::operations::{Action, EvictPod, PodProgress, PodState, Progress, Target};
use guest::{Guest, Stage};
use left::{Known, Left};

/// How long after a refusal a budget that the snapshot shows open is tried again.
const SOON: Duration = Duration::from_secs(1);
/// How long between two looks whether a pod is gone.
const LOOK: Duration = Duration::from_millis(1500);

/// Evicts the pods of an [`Action::Evict`] and waits until they are gone.
pub(super) async fn evict<A: Api>(ctx: &Arc<Context<A>>, gate: &mut Gate, action: &Action) -> End {
    let Action::Evict { node, pods, grace, at_once, kept, selector } = action else {
        return End::Failed("it is no eviction".into());
    };
    let now = Instant::now();
    let eviction = Eviction {
        ctx,
        node,
        grace: *grace,
        known: Known { kept, selector },
        at_once: at_once.map_or(usize::MAX, |most| most.max(1) as usize),
        guests: pods.iter().map(|pod| Guest::new(pod.clone(), now)).collect(),
        flying: FuturesUnordered::new(),
        lost: None,
        fatal: None,
    };
    eviction.run(gate).await
}

struct Eviction<'a, A> {
    ctx: &'a Arc<Context<A>>,
    node: &'a Target,
    grace: Option<u32>,
    known: Known<'a>,
    /// The most pods that may be on their way out at a time.
    at_once: usize,
    guests: Vec<Guest>,
    flying: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// The cluster does not answer: until it does nothing is asked of it but whether it is there.
    lost: Option<Lost>,
    /// The journal cannot be written, or the permit does not cover the cluster.
    fatal: Option<Text>,
}

struct Lost {
    since: Instant,
    try_at: Instant,
}

/// What a request in flight brings home.
enum Landed {
    Asked(usize, Recorded, Result<ApiAnswer, Fault>),
    Unrecorded(usize, Fault),
    Looked(usize, Result<ApiAnswer, Fault>),
    Pinged(Result<ApiAnswer, Fault>),
}

impl<A: Api> Eviction<'_, A> {
    fn cluster(&self) -> ClusterId {
        self.node.cluster
    }

    async fn run(mut self, gate: &mut Gate) -> End {
        for index in 0..self.guests.len() {
            self.tell(index, PodState::Queued, Text::EMPTY, None).await;
        }
        let mut snapshots = self.ctx.snapshots.clone();
        let mut watching = true;
        loop {
            let look = gate.look();
            if look.is_err() || self.fatal.is_some() {
                return self.stop(look.err()).await;
            }
            if self.guests.iter().all(Guest::over) && self.flying.is_empty() {
                return self.result().await;
            }
            self.launch(look == Ok(true));
            let wake = self.wake(look == Ok(true));
            tokio::select! {
                Some(landed) = self.flying.next(), if !self.flying.is_empty() => self.land(landed).await,
                () = sleep_until(wake) => {}
                () = gate.changed() => {}
                changed = snapshots.changed(), if watching => watching = changed.is_ok(),
            }
        }
    }

    /// Starts what is due, as far as there are slots.
    fn launch(&mut self, held: bool) {
        let now = Instant::now();
        if let Some(lost) = &mut self.lost {
            if self.flying.is_empty() && now >= lost.try_at {
                lost.try_at = now + AGAIN;
                self.ping();
            }
            return;
        }
        self.hurry(now);
        for index in 0..self.guests.len() {
            if self.flying.len() < SLOTS && !held && self.may_ask(index, now) {
                self.ask(index);
            }
        }
        for index in 0..self.guests.len() {
            if self.flying.len() < SLOTS && matches!(self.guests[index].stage, Stage::Look(at) if at <= now) {
                self.look(index);
            }
        }
    }

    /// Whether a pod's time has come, it is the first of each of its budgets, and few enough are
    /// on their way out.
    fn may_ask(&self, index: usize, now: Instant) -> bool {
        let guest = &self.guests[index];
        matches!(guest.stage, Stage::Ask(at) if at <= now) && self.first(index) && self.has_room()
    }

    /// Whether one more pod may be on its way out. One that a budget refused is not on its way.
    fn has_room(&self) -> bool {
        let on_its_way =
            |guest: &&Guest| matches!(guest.stage, Stage::Asking | Stage::Look(_) | Stage::Looking);
        self.guests.iter().filter(on_its_way).count() < self.at_once
    }

    fn first(&self, index: usize) -> bool {
        let guest = &self.guests[index];
        !self.guests[..index].iter().any(|before| before.is_asked_for() && before.shares_budget(guest))
    }

    /// A refused pod is asked for sooner when the snapshot says that its budget has opened, unless
    /// the server itself said when to come back.
    fn hurry(&mut self, now: Instant) {
        let snapshot = self.ctx.snapshot();
        let Some(cluster) = snapshot.fleet.cluster(self.cluster()) else { return };
        for guest in &mut self.guests {
            let (Some(refusal), Stage::Ask(at)) = (&guest.refusal, &mut guest.stage) else { continue };
            let soon = refusal.at + SOON;
            if refusal.bound || *at <= soon {
                continue;
            }
            let open = cluster.budgets().any(|budget| {
                budget.meta.name == refusal.budget
                    && budget.meta.namespace == guest.pod.namespace
                    && budget.allowed > 0
                    && budget.observed >= budget.generation
            });
            if open {
                *at = soon.max(now);
            }
        }
    }

    /// When there is something to do again, if nothing lands before.
    fn wake(&self, held: bool) -> Option<Instant> {
        if let Some(lost) = &self.lost {
            return self.flying.is_empty().then_some(lost.try_at);
        }
        if self.flying.len() >= SLOTS {
            return None;
        }
        let room = self.has_room();
        let times = self.guests.iter().enumerate().filter_map(|(index, guest)| match guest.stage {
            Stage::Ask(at) if !held && room && self.first(index) => Some(at),
            Stage::Look(at) => Some(at),
            _ => None,
        });
        times.min()
    }

    fn ask(&mut self, index: usize) {
        let (ctx, cluster, grace) = (Arc::clone(self.ctx), self.cluster(), self.grace);
        let guest = &mut self.guests[index];
        guest.stage = Stage::Asking;
        guest.asked += 1;
        let (pod, recorded) = (guest.pod.clone(), guest.recorded.clone());
        self.flying.push(Box::pin(async move {
            let recorded = match recorded {
                Some(recorded) => recorded,
                // The first time it is told and recorded; what follows is the same intent.
                None => {
                    let progress = progress(&pod, PodState::Evicting, Text::EMPTY, None);
                    ctx.tell(Progress::Pod(progress)).await;
                    let verb = if pod.delete { "delete" } else { "evict" };
                    let entry = Entry::new("intent")
                        .on(&target(&pod, cluster))
                        .with("verb", verb)
                        .with("grace", grace);
                    match ctx.intend(cluster, entry).await {
                        Ok(recorded) => recorded,
                        Err(fault) => return Landed::Unrecorded(index, fault),
                    }
                }
            };
            let answer = ctx.send(&recorded, ApiRequest::evict(&pod, grace, false)).await;
            Landed::Asked(index, recorded, answer)
        }));
    }

    fn look(&mut self, index: usize) {
        let (ctx, cluster) = (Arc::clone(self.ctx), self.cluster());
        let guest = &mut self.guests[index];
        guest.stage = Stage::Looking;
        let pod = guest.pod.clone();
        self.flying.push(Box::pin(async move {
            Landed::Looked(index, ctx.read(cluster, ApiRequest::get_pod(&pod)).await)
        }));
    }

    fn ping(&mut self) {
        let (ctx, node) = (Arc::clone(self.ctx), self.node.clone());
        self.flying.push(Box::pin(async move {
            Landed::Pinged(ctx.read(node.cluster, ApiRequest::get(&node)).await)
        }));
    }

    /// The cluster does not answer: nothing more is evicted until it does.
    async fn lose(&mut self, fault: &Fault) {
        let now = Instant::now();
        if self.lost.is_some() {
            return;
        }
        self.lost = Some(Lost { since: now, try_at: now + AGAIN });
        let name = self.ctx.name(self.cluster());
        self.ctx
            .say(format!("{name} does not answer: {fault}; no further pod is evicted until it does"))
            .await;
        for index in 0..self.guests.len() {
            if self.guests[index].is_asked_for() {
                let why = Text::from(format!("{name} does not answer"));
                self.tell(index, PodState::Queued, why, Some(now + AGAIN)).await;
            }
        }
    }

    async fn found(&mut self) {
        if let Some(lost) = self.lost.take() {
            let name = self.ctx.name(self.cluster());
            self.ctx.say(format!("{name} answers again after {} s", lost.since.elapsed().as_secs())).await;
        }
    }

    async fn tell(&mut self, index: usize, state: PodState, why: Text, retry_at: Option<Instant>) {
        let retry_at = retry_at.map(|at| self.time(at));
        let guest = &mut self.guests[index];
        let told = (state.clone(), why.clone(), retry_at);
        if guest.told.as_ref() == Some(&told) {
            return;
        }
        guest.told = Some(told);
        let progress = progress(&guest.pod, state, why, retry_at);
        self.ctx.tell(Progress::Pod(progress)).await;
    }

    fn time(&self, at: Instant) -> Time {
        let ahead = at.saturating_duration_since(Instant::now());
        let millis = i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX);
        self.ctx.now() + crate::model::Span::from_millis(millis)
    }

    /// Ends early: what is in flight is waited for, for its outcome is a fact to know.
    async fn stop(mut self, halt: Option<Halt>) -> End {
        while let Some(landed) = self.flying.next().await {
            self.land(landed).await;
        }
        let left = self.left();
        match (self.fatal.take(), halt) {
            (Some(why), _) => End::NoRecord(format!("{why}; {left}").into()),
            (None, Some(halt)) => End::Halted(halt, left),
            (None, None) => End::Failed(left),
        }
    }

    /// `12 of 18 gone; left: shop/a (budget orders-api), …`.
    fn left(&self) -> Text {
        let gone = self.guests.iter().filter(|g| g.stage == Stage::Gone).count();
        let left: Vec<String> =
            self.guests.iter().filter(|g| g.stage != Stage::Gone).map(Guest::says).collect();
        let text = match left.len() {
            0 => format!("{gone} of {gone} gone"),
            1..=5 => format!("{gone} of {} gone; left: {}", self.guests.len(), left.join(", ")),
            more => format!(
                "{gone} of {} gone; left: {} and {} more",
                self.guests.len(),
                left[..4].join(", "),
                more - 4
            ),
        };
        text.into()
    }

    async fn result(self) -> End {
        let failed = self.guests.iter().any(|g| matches!(g.stage, Stage::Failed(_)));
        if failed {
            return End::Failed(self.left());
        }
        let Left { late, but, said } = left::on_node(self.ctx, self.node, &self.known).await;
        let said = format!("{}; {said}", self.left()).into();
        match but {
            _ if late => End::Failed(said),
            Some(but) => End::But(said, but.into()),
            None => End::Done(said),
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn progress(pod: &EvictPod, state: PodState, why: Text, retry_at: Option<Time>) -> PodProgress {
    PodProgress {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        uid: pod.uid,
        state,
        why,
        retry_at,
    }
}

fn target(pod: &EvictPod, cluster: ClusterId) -> Target {
    Target {
        cluster,
        api: Text::clean("v1"),
        plural: Text::clean("pods"),
        kind: Text::clean("Pod"),
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        uid: Some(pod.uid),
    }
}
