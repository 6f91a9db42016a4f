//! What nodes and pods use, by metrics.k8s.io: it can be listed, not watched.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::clock::duration;
use super::machine::{Dice, delay};
use super::pulse::Pulse;
use super::task::{Health, Shared};
use crate::cluster::Request;
use crate::kinds::metrics::{read_nodes, read_pods};
use crate::kinds::wire::{Format, ListEnd, WireError};
use crate::model::{Cause, Change, Fault, Usage};

/// How often a fleet is asked. metrics-server itself measures every 15 to 60 s; after 90 s what it
/// said is old ([`METRICS_LIMIT`](crate::model::METRICS_LIMIT)).
const EVERY: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(80);

/// In a large fleet the answers are more than all its watches bring at rest, so it is asked more
/// seldom: this long for each cluster.
const FOR_EACH: Duration = Duration::from_millis(400);

/// How far apart two clusters are asked at most.
const APART: Duration = Duration::from_millis(500);

/// In how short a time the whole fleet is asked, so that what each answer leads to (a new state, a
/// new screen) is done together, and then nothing for a while.
const ROUND: Duration = Duration::from_secs(2);

/// Whose turn it is to ask: one cluster at a time in the whole fleet, all of them in rounds. Cloning
/// shares it.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<Rounds>);

#[derive(Debug)]
struct Rounds {
    turn: Arc<Semaphore>,
    clusters: AtomicU32,
    began: Instant,
}

impl Default for Pace {
    fn default() -> Pace {
        let (turn, clusters) = (Arc::new(Semaphore::new(1)), AtomicU32::new(0));
        Pace(Arc::new(Rounds { turn, clusters, began: Instant::now() }))
    }
}

impl Pace {
    /// One more cluster takes part.
    pub(super) fn join(&self) {
        self.0.clusters.fetch_add(1, Ordering::Relaxed);
    }

    fn clusters(&self) -> u32 {
        self.0.clusters.load(Ordering::Relaxed).max(1)
    }

    /// Waits for the turn. It ends by itself, however long the server takes to answer.
    async fn turn(&self) {
        // It is never closed.
        if let Ok(turn) = Arc::clone(&self.0.turn).acquire_owned().await {
            let apart = APART.min(ROUND / self.clusters());
            tokio::spawn(async move {
                tokio::time::sleep(apart).await;
                drop(turn);
            });
        }
    }

    /// When the next round begins.
    fn next_round(&self) -> Instant {
        let every = (FOR_EACH * self.clusters()).clamp(*EVERY.start(), *EVERY.end());
        let rounds = self.0.began.elapsed().as_millis() / every.as_millis();
        self.0.began + every * (u32::try_from(rounds).unwrap_or(u32::MAX).saturating_add(1))
    }
}

/// The largest list, inflated; 10,000 pods are about 5 MiB in JSON, and 2 MiB in protobuf. It is held
/// whole, and twice as much may be while it grows.
const LARGEST: usize = 32 << 20;

type Read = fn(Format, &[u8], &mut Usage) -> Result<ListEnd, WireError>;

/// Asks as long as there is somebody to tell, but not while the cluster does not answer.
pub(super) async fn run(mut shared: Shared, seed: u64) {
    let mut dice = Dice::new(seed);
    let mut tries = 0;
    let mut pulse = Pulse::default();
    loop {
        if shared.orders.wait_for(|orders| matches!(orders.health, Health::Up { .. })).await.is_err() {
            return;
        }
        shared.pace.turn().await;
        let usage = usage(&shared).await;
        if let Some(latency) = pulse.news(&shared.session)
            && shared.tell(shared.clock.now(), latency).await.is_err()
        {
            return;
        }
        let next = match usage {
            Ok(usage) => {
                tries = 0;
                let now = shared.clock.now();
                if shared.tell(now, Change::Usage(Box::new(usage))).await.is_err() {
                    return;
                }
                shared.pace.next_round()
            }
            Err(fault) => {
                tries += 1;
                tracing::debug!(cluster = shared.session.id().0, %fault, "no metrics");
                Instant::now() + duration(delay(fault.cause, tries, None, &mut dice)).max(*EVERY.start())
            }
        };
        tokio::time::sleep_until(next).await;
    }
}

/// One answer about nodes and pods. Where only one of both may be read, or is served, that one; where
/// one of both fails otherwise there is none, and what was known stays at its age.
async fn usage(shared: &Shared) -> Result<Usage, Fault> {
    let mut usage = Usage::default();
    let nodes = read(shared, "nodes", read_nodes, &mut usage).await;
    let pods = read(shared, "pods", read_pods, &mut usage).await;
    enough(nodes, pods).map(|()| usage)
}

fn enough(nodes: Result<(), Fault>, pods: Result<(), Fault>) -> Result<(), Fault> {
    let left_out = |fault: &Fault| matches!(fault.cause, Cause::Forbidden | Cause::NotFound);
    match (nodes, pods) {
        (Err(fault), Err(_)) => Err(fault),
        (Err(fault), _) | (_, Err(fault)) if !left_out(&fault) => Err(fault),
        _ => Ok(()),
    }
}

async fn read(shared: &Shared, what: &str, read: Read, usage: &mut Usage) -> Result<(), Fault> {
    let path = format!("/apis/metrics.k8s.io/v1beta1/{what}");
    let request = Request::get(path).accept(Format::Protobuf.accept()).gzip().at_once();
    let response = shared.session.send(request).await?;
    if response.status != 200 {
        return Err(response.into_fault(&format!("list metrics of {what}")).await);
    }
    let garbled = |why: String| Fault::new(Cause::Garbled, format!("metrics of {what}: {why}"), "");
    let format = Format::of_content_type(&response.content_type)
        .ok_or_else(|| garbled(format!("the answer is of {}", response.content_type)))?;
    let body = response.bytes(LARGEST).await?;
    read(format, &body, usage).map(drop).map_err(|error| garbled(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of so many clusters is asked, in milliseconds, for so many rounds.
    async fn asked(clusters: u32, rounds: usize) -> Vec<u128> {
        let (pace, began) = (Pace::default(), Instant::now());
        (0..clusters).for_each(|_| pace.join());
        let turns = (0..clusters).map(|_| {
            let pace = pace.clone();
            async move {
                let mut at = Vec::new();
                for _ in 0..rounds {
                    pace.turn().await;
                    at.push(began.elapsed().as_millis());
                    tokio::time::sleep_until(pace.next_round()).await;
                }
                at
            }
        });
        let mut all = futures::future::join_all(turns).await.concat();
        all.sort_unstable();
        all
    }

    #[test]
    fn half_an_answer_takes_the_place_of_none_that_was_whole() {
        let fault = |cause| Err(Fault::new(cause, "test", ""));
        for cause in [Cause::Forbidden, Cause::NotFound] {
            assert!(enough(fault(cause), Ok(())).is_ok() && enough(Ok(()), fault(cause)).is_ok());
            assert!(enough(fault(cause), fault(cause)).is_err());
        }
        for cause in [Cause::Server, Cause::Timeout, Cause::Busy] {
            assert!(enough(fault(cause), Ok(())).is_err() && enough(Ok(()), fault(cause)).is_err());
        }
        assert!(enough(Ok(()), Ok(())).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn clusters_are_asked_one_after_the_other_in_rounds() {
        assert_eq!(asked(3, 2).await, [0, 500, 1000, 30_000, 30_500, 31_000]);
        let many = asked(200, 2).await;
        assert!(many[199] <= 2_000 && many[200] == 80_000 && many[399] <= 82_000, "{many:?}");
    }
}
