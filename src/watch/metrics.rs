//! What nodes and pods use, by metrics.k8s.io: it can be listed, not watched.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::clock::duration;
use super::machine::{Dice, delay};
use super::task::{Health, Shared};
use crate::cluster::Request;
use crate::kinds::metrics::{read_nodes, read_pods};
use crate::kinds::wire::{Format, ListEnd, WireError};
use crate::model::{Cause, Change, Fault, Usage};

/// How often it is asked for. metrics-server itself measures every 15 to 60 s.
const EVERY: Duration = Duration::from_secs(30);

/// How far apart two clusters are asked at least. In a large fleet the answers are more than all
/// its watches bring at rest, so there they come more seldom: 200 clusters once in 100 s.
const APART: Duration = Duration::from_millis(500);

/// Whose turn it is to ask: one cluster at a time in the whole fleet. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<Semaphore>);

impl Default for Pace {
    fn default() -> Pace {
        Pace(Arc::new(Semaphore::new(1)))
    }
}

impl Pace {
    /// Waits for the turn. It ends by itself, however long the server takes to answer.
    async fn turn(&self) {
        // It is never closed.
        if let Ok(turn) = Arc::clone(&self.0).acquire_owned().await {
            tokio::spawn(async move {
                tokio::time::sleep(APART).await;
                drop(turn);
            });
        }
    }
}

/// The largest list; 10,000 pods are about 5 MiB.
const LARGEST: usize = 256 << 20;

type Read = fn(Format, &[u8], &mut Usage) -> Result<ListEnd, WireError>;

/// Asks as long as there is somebody to tell, but not while the cluster does not answer.
pub(super) async fn run(mut shared: Shared, seed: u64) {
    let mut dice = Dice::new(seed);
    let mut tries = 0;
    loop {
        if shared.orders.wait_for(|orders| matches!(orders.health, Health::Up { .. })).await.is_err() {
            return;
        }
        shared.pace.turn().await;
        let wait = match usage(&shared).await {
            Ok(usage) => {
                tries = 0;
                let now = shared.clock.now();
                if shared.tell(now, Change::Usage(Box::new(usage))).await.is_err() {
                    return;
                }
                EVERY + Duration::from_millis(u64::from(dice.below(2_000)))
            }
            Err(fault) => {
                tries += 1;
                tracing::debug!(cluster = shared.session.id().0, %fault, "no metrics");
                duration(delay(fault.cause, tries, None, &mut dice)).max(EVERY)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// One answer about nodes and pods. Where only one of both may be read, that one.
async fn usage(shared: &Shared) -> Result<Usage, Fault> {
    let mut usage = Usage::default();
    let nodes = read(shared, "nodes", read_nodes, &mut usage).await;
    let pods = read(shared, "pods", read_pods, &mut usage).await;
    match (nodes, pods) {
        (Err(fault), Err(_)) => Err(fault),
        _ => Ok(usage),
    }
}

async fn read(shared: &Shared, what: &str, read: Read, usage: &mut Usage) -> Result<(), Fault> {
    let path = format!("/apis/metrics.k8s.io/v1beta1/{what}");
    let request = Request::get(path).accept(Format::Protobuf.accept()).gzip();
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
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn clusters_are_asked_one_after_the_other() {
        let (pace, began) = (Pace::default(), Instant::now());
        let turns = (0..5).map(|_| {
            let pace = pace.clone();
            async move {
                pace.turn().await;
                began.elapsed().as_millis()
            }
        });
        assert_eq!(futures::future::join_all(turns).await, [0, 500, 1000, 1500, 2000]);
    }
}
