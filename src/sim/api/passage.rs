//! The way of one request and of its answer, with the faults of the way that are on for requests of
//! its kind: over HTTP/2 they are of one stream, and what else goes over the connection goes on.
//!
//! Over HTTP/1.1 an answer that is broken off ends its connection, as it must there.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http_body_util::{BodyExt, StreamBody};
use hyper::Request;
use hyper::body::{Body, Frame};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::faulty;
use super::reply::{Flow, Reply};
use crate::sim::cluster::Shared;
use crate::sim::faults::state::meet;
use crate::sim::faults::{FaultFile, FaultName};

/// Faults of the way that lie on a stream for as long as they are on.
const LASTING: [FaultName; 7] = [
    FaultName::ResetMidway,
    FaultName::CloseMidway,
    FaultName::HalfOpen,
    FaultName::OneWay,
    FaultName::Slow,
    FaultName::Latency,
    FaultName::Refusing,
];

/// The way of one request.
pub(super) struct Passage {
    shared: Arc<Shared>,
    group: String,
    plural: String,
    verb: &'static str,
    /// The change of faults at which it began.
    since: u64,
    changed: watch::Receiver<u64>,
    /// Faults that happen to some requests, and to this one.
    own: Vec<FaultFile>,
    /// What is wrong now, as of the last change.
    now: Vec<FaultFile>,
}

impl Passage {
    /// A request came. What waited for such a one is met.
    pub(super) fn begin<B>(shared: &Arc<Shared>, line: &Notify, request: &Request<B>) -> Passage {
        let path: Vec<&str> = request.uri().path().split('/').filter(|s| !s.is_empty()).collect();
        let query = request.uri().query().unwrap_or_default();
        let watch = query.split('&').any(|pair| ["watch=true", "watch=1"].contains(&pair));
        let (about, verb) = faulty::about(&path, request.method(), watch);
        let changed = shared.hear_of_faults();
        let mut own = Vec::new();
        let (mut since, troubled, waits) = shared.read(|world| {
            let faults = &world.trouble;
            if faults.none() {
                return (faults.changes, false, false);
            }
            own = LASTING.into_iter().filter_map(|name| faults.strike_some(name, about, verb)).collect();
            if faults.strike(&[FaultName::GoAway], about, verb).is_some() {
                line.notify_one();
            }
            (faults.changes, true, faults.all().any(|a| a.file.fault.of_greetings()))
        });
        if waits && shared.with(|world| meet(world, about, verb)) {
            shared.carry_out();
            since = shared.read(|world| world.trouble.changes);
        }
        let (group, plural) = (about.0.to_owned(), about.1.to_owned());
        let mut passage =
            Passage { shared: shared.clone(), group, plural, verb, since, changed, own, now: Vec::new() };
        if troubled {
            passage.look();
        }
        passage
    }

    /// Waits until the request has arrived.
    ///
    /// # Errors
    /// It is refused, or broken off.
    pub(super) async fn arrive(&mut self) -> Result<(), h2::Error> {
        if self.on(FaultName::Refusing).is_some() {
            return Err(Reason::REFUSED_STREAM.into());
        }
        if let Some(file) = self.on(FaultName::Latency) {
            let latency = file.delay_or(5);
            sleep(latency).await;
        }
        self.wait_while(&[FaultName::HalfOpen]).await
    }

    /// Waits until the answer may leave.
    ///
    /// # Errors
    /// It is broken off.
    pub(super) async fn leave(&mut self) -> Result<(), h2::Error> {
        self.wait_while(&[FaultName::HalfOpen, FaultName::OneWay]).await
    }

    /// The answer with its body as it comes through.
    pub(super) fn carry(self, reply: Reply) -> Reply {
        // a short answer where nothing is wrong is through before anything can be
        if self.now.is_empty() && reply.body().size_hint().exact().is_some() {
            return reply;
        }
        reply.map(|body| {
            let carried = Carried { passage: self, body, rest: Bytes::new(), left: 0, ended: false };
            StreamBody::new(futures::stream::unfold(carried, Carried::next)).boxed_unsync()
        })
    }

    /// What is wrong of these.
    fn on(&self, name: FaultName) -> Option<&FaultFile> {
        self.now.iter().find(|file| file.fault == name)
    }

    /// Takes note of what is wrong now; says whether the answer is broken off.
    fn look(&mut self) -> bool {
        self.changed.borrow_and_update();
        let about = (self.group.as_str(), self.plural.as_str());
        let (now, broken) = self.shared.read(|world| {
            let faults = &world.trouble;
            let own = self.own.iter().filter(|own| faults.all().any(|a| a.file == **own)).cloned();
            let lies = |name: &FaultName| faults.on_the_way(*name, about, self.verb, &self.now);
            let lying = LASTING.iter().filter_map(lies).cloned();
            let now: Vec<FaultFile> = if faults.none() { Vec::new() } else { own.chain(lying).collect() };
            (now, faults.broken_off(self.since, about, self.verb))
        });
        self.now = now;
        broken
    }

    async fn wait_while(&mut self, names: &[FaultName]) -> Result<(), h2::Error> {
        while self.now.iter().any(|file| names.contains(&file.fault)) {
            // the sender lives as long as the shared state that this holds
            let _ = self.changed.changed().await;
            if self.look() {
                return Err(Reason::INTERNAL_ERROR.into());
            }
        }
        Ok(())
    }
}

/// The body of an answer on its way.
struct Carried {
    passage: Passage,
    body: Flow,
    /// What was taken from the body and has not left.
    rest: Bytes,
    /// Bytes that left.
    left: u64,
    ended: bool,
}

impl Carried {
    async fn next(mut self) -> Option<(io::Result<Frame<Bytes>>, Carried)> {
        if self.ended {
            return None;
        }
        loop {
            if self.passage.changed.has_changed().unwrap_or(false) && self.passage.look() {
                return Some(self.broken());
            }
            let stays = [FaultName::HalfOpen, FaultName::OneWay];
            if self.passage.now.iter().any(|file| stays.contains(&file.fault)) {
                let _ = self.passage.changed.changed().await;
                self.passage.changed.mark_changed();
                continue;
            }
            if !self.rest.is_empty() {
                return self.part().await;
            }
            tokio::select! {
                frame = self.body.frame() => match frame? {
                    Ok(frame) => match frame.into_data() {
                        Ok(data) => self.rest = data,
                        Err(other) => return Some((Ok(other), self)),
                    },
                    Err(error) => {
                        self.ended = true;
                        return Some((Err(error), self));
                    }
                },
                _ = self.passage.changed.changed() => self.passage.changed.mark_changed(),
            }
        }
    }

    /// As much as may leave now.
    async fn part(mut self) -> Option<(io::Result<Frame<Bytes>>, Carried)> {
        let mut most = self.rest.len() as u64;
        for (name, resets) in [(FaultName::ResetMidway, true), (FaultName::CloseMidway, false)] {
            let Some(file) = self.passage.on(name) else { continue };
            let limit = file.bytes.unwrap_or(4096);
            if self.left >= limit {
                return if resets { Some(self.broken()) } else { None };
            }
            most = most.min(limit - self.left);
        }
        let rate = self.passage.on(FaultName::Slow).map(|file| file.bytes.unwrap_or(50_000).max(1));
        if let Some(rate) = rate {
            most = most.min((rate / 10).max(1));
            sleep(Duration::from_secs_f64(most as f64 / rate as f64)).await;
        }
        let part = self.rest.split_to(usize::try_from(most).unwrap_or(self.rest.len()));
        self.left += part.len() as u64;
        Some((Ok(Frame::data(part)), self))
    }

    fn broken(mut self) -> (io::Result<Frame<Bytes>>, Carried) {
        self.ended = true;
        (Err(io::ErrorKind::ConnectionAborted.into()), self)
    }
}
