//! Connections to servers that speak HTTP/2: each carries as many requests at a time as the server
//! allows on it. One is enough for most; where it is not, there are more.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::{Connection, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_util::sync::CancellationToken;

use super::Ending;
use super::dial::Cuttable;

/// How many connections there are to one server at most. A server that takes one request at a time
/// needs one for each watch, as one that speaks only HTTP/1.1 does.
const MOST: usize = 64;

/// What is behind a connection's senders: it must be polled, and knows the server's limits.
type Driver = Connection<TokioIo<Cuttable>, Full<Bytes>, TokioExecutor>;

/// A connection; cloning shares it.
#[derive(Clone)]
pub(super) struct Http2 {
    pub(super) sender: SendRequest<Full<Bytes>>,
    pub(super) ending: Arc<Ending>,
    cut: CancellationToken,
    /// Every [`Place`] is a weak reference to it.
    places: Arc<()>,
    /// Until it ends. Locked for a poll or a look.
    driver: Arc<Mutex<Option<Driver>>>,
    /// Whether an answer came over it: the server's settings, and with them its limit of requests at a
    /// time, come before.
    answered: Arc<AtomicBool>,
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2").field("busy", &self.busy()).finish_non_exhaustive()
    }
}

/// A request under way on a connection, until the body of its answer was read or dropped.
#[derive(Debug)]
pub(in crate::cluster) struct Place {
    _of: Weak<()>,
}

impl Http2 {
    /// A connection whose handshake is done. It is carried on by a task of its own until it ends.
    pub(super) fn start(
        sender: SendRequest<Full<Bytes>>,
        driver: Driver,
        ending: Arc<Ending>,
        cut: CancellationToken,
    ) -> Http2 {
        let driver = Arc::new(Mutex::new(Some(driver)));
        let driven = Arc::clone(&driver);
        tokio::spawn(std::future::poll_fn(move |cx| {
            let mut driver = driven.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(connection) = driver.as_mut() else { return Poll::Ready(()) };
            // Its error reaches every stream on it; nobody else asks.
            let done = Pin::new(connection).poll(cx).map(drop);
            if done.is_ready() {
                *driver = None;
            }
            done
        }));
        let (places, answered) = Default::default();
        Http2 { sender, ending, cut, places, driver, answered }
    }

    pub(super) fn place(&self) -> Place {
        Place { _of: Arc::downgrade(&self.places) }
    }

    /// An answer began.
    pub(super) fn answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    fn usable(&self) -> bool {
        !self.sender.is_closed() && !self.cut.is_cancelled()
    }

    /// Requests under way.
    fn busy(&self) -> usize {
        Arc::weak_count(&self.places)
    }

    /// How many requests at a time the server takes on it, once that is known.
    fn limit(&self) -> Option<usize> {
        if !self.answered.load(Ordering::Relaxed) {
            return None;
        }
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        driver.as_ref().map(|driver| driver.current_max_send_streams().max(1))
    }
}

/// The connections to one server.
#[derive(Debug, Default)]
pub(super) struct Pool {
    open: Vec<Http2>,
    /// How many requests at a time the last connection that answered took.
    limit: Option<usize>,
}

impl Pool {
    pub(super) fn add(&mut self, connection: Http2) {
        self.open.push(connection);
    }

    /// The first connection on which there is room for one more request.
    pub(super) fn with_room(&mut self) -> Option<Http2> {
        self.open.retain(Http2::usable);
        self.limit = self.open.iter().find_map(Http2::limit).or(self.limit);
        let limit = self.limit.unwrap_or(usize::MAX);
        let free = |c: &&Http2| c.busy() < c.limit().unwrap_or(limit);
        let found = self.open.iter().find(free).cloned();
        if found.is_some() {
            self.let_go();
        }
        found
    }

    /// The connection with the fewest requests, when every one is full.
    pub(super) fn least_busy(&self) -> Option<Http2> {
        self.open.iter().min_by_key(|c| c.busy()).cloned()
    }

    /// Whether there may be one more.
    pub(super) fn may_grow(&self) -> bool {
        self.open.len() < MOST
    }

    /// Lets connections go that were made beside the first and have nothing to do, all but one.
    fn let_go(&mut self) {
        let mut idle = 0;
        self.open.retain(|c| {
            idle += usize::from(c.busy() == 0);
            c.busy() > 0 || idle <= 1
        });
    }
}
