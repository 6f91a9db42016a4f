//! One connection to one server, made when it is needed and made again when it is gone.
//!
//! Everything goes over one HTTP/2 connection, or as few as the server's limit of requests at a time
//! allows: whoever comes while it is being made waits for it, and shares its failure. Pings go out
//! even while nothing else does, so that a dead link is noticed within [`PING_EVERY`] and
//! [`PING_LIMIT`], and half a second for rounding ([`Together`]). A server that speaks only HTTP/1.1
//! gets a connection for each request under way; TCP keep-alive takes the place of pings there.

mod dial;
mod ending;
mod http1;
mod http2;
mod tls;
mod together;
mod tunnel;

pub use tls::towards_anybody;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1 as h1, http2 as h2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::dial::{Cuttable, Dialled};
pub(super) use self::ending::Ending;
pub(super) use self::http1::Spare;
use self::http2::Http2;
pub(super) use self::http2::Place;
use self::together::Together;
use super::credentials::ClientCertificate;
use super::faults;
use super::target::{Connection, Names, Pem};
use crate::model::Fault;

/// How often a ping goes out.
pub(super) const PING_EVERY: Duration = Duration::from_secs(7);

/// How long its answer may take: on a line with five seconds of latency that is how long it does.
pub(super) const PING_LIMIT: Duration = Duration::from_secs(6);

/// How much of one stream may be on its way unread.
const STREAM_WINDOW: u32 = 256 << 10;

/// How much of the whole connection may be on its way unread: as much as 100 streams, the most
/// that kube-apiserver allows on one connection, so that no unread stream stalls another.
const CONNECTION_WINDOW: u32 = 100 * STREAM_WINDOW;

/// For how long the files behind a TLS configuration are believed.
const TLS_FRESH: Duration = Duration::from_secs(60);

/// A request as hyper wants it.
pub(super) type Wire = http::Request<Full<Bytes>>;

/// The connection to one server.
#[derive(Debug)]
pub(super) struct Transport {
    target: Arc<Connection>,
    /// Who looks up its name, when not the system.
    names: Option<Names>,
    /// Host and port, for faults.
    server: Arc<str>,
    line: Mutex<Line>,
    /// Failed attempts to connect so far.
    failures: AtomicU64,
    spares: Arc<http1::Spares>,
    /// Ends every connection made so far, and the one that is being made. The lock is held for a look
    /// only, so that nobody has to wait for what is to be ended.
    cut: std::sync::Mutex<CancellationToken>,
    /// How many connections were made so far.
    made: watch::Sender<u64>,
    /// How many bytes came over all of them.
    received: Arc<AtomicU64>,
}

/// What there is of the connection.
#[derive(Debug, Default)]
struct Line {
    http2: http2::Pool,
    /// The server was seen to speak only HTTP/1.1.
    http1: bool,
    /// Which of a plugin's certificates we showed.
    identity: u64,
    tls: Option<(Instant, Arc<ClientConfig>)>,
    /// When the client certificate was last read again because the server refused it.
    shown_again: Option<Instant>,
    last_failure: Option<Fault>,
}

/// An HTTP/1.1 connection that is free.
#[derive(Debug)]
struct Http1 {
    sender: h1::SendRequest<Full<Bytes>>,
    ending: Arc<Ending>,
    cut: CancellationToken,
}

impl Http1 {
    fn usable(&self) -> bool {
        !self.sender.is_closed() && !self.cut.is_cancelled()
    }
}

/// A way to send one request.
enum Sender {
    Http2(Http2, Place),
    Http1(Http1),
}

impl From<Http2> for Sender {
    fn from(connection: Http2) -> Sender {
        let place = connection.place();
        Sender::Http2(connection, place)
    }
}

/// The head of an answer and what its body needs: the connection's end, its place on a connection
/// that carries others, or the connection itself when the body must be read before it can be used
/// again.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: http::Response<Incoming>,
    pub(super) ending: Arc<Ending>,
    pub(super) place: Option<Place>,
    pub(super) spare: Option<Spare>,
}

impl Transport {
    pub(super) fn new(target: Arc<Connection>, names: Option<Names>) -> Transport {
        Transport {
            server: Arc::from(target.authority()),
            target,
            names,
            line: Mutex::default(),
            failures: AtomicU64::new(0),
            spares: Arc::default(),
            cut: std::sync::Mutex::default(),
            made: watch::Sender::new(0),
            received: Arc::default(),
        }
    }

    /// How many connections were made so far, as that changes.
    pub(super) fn made(&self) -> watch::Receiver<u64> {
        self.made.subscribe()
    }

    /// How many bytes came so far, answers to pings included.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Host and port, for faults.
    pub(super) fn server(&self) -> &Arc<str> {
        &self.server
    }

    /// Sends a request. A connection that turns out to be gone before anything was sent on it is
    /// made again once. What comes with the answer must live as long as its body is read.
    pub(super) async fn send(
        &self,
        mut request: Wire,
        identity: Option<&ClientCertificate>,
    ) -> Result<Answer, Fault> {
        let mut first = true;
        loop {
            let sender = self.sender(identity).await?;
            match self.send_on(sender, request).await {
                Ok(answer) => return Ok(answer),
                Err((_, Some(unsent))) if first => {
                    first = false;
                    request = unsent;
                }
                Err((fault, _)) => return Err(fault),
            }
        }
    }

    async fn send_on(&self, sender: Sender, request: Wire) -> Result<Answer, (Fault, Option<Wire>)> {
        let apart = |mut error: hyper::client::conn::TrySendError<Wire>, ending: &Ending| {
            let unsent = error.take_message();
            (ending.explain(error.error()), unsent)
        };
        match sender {
            Sender::Http2(mut connection, place) => {
                let sent = connection.sender.try_send_request(request).await;
                let head = sent.map_err(|e| apart(e, &connection.ending))?;
                connection.answered();
                Ok(Answer { head, ending: connection.ending, place: Some(place), spare: None })
            }
            Sender::Http1(mut free) => {
                let request = http1::origin_form(request);
                if let Err(error) = free.sender.ready().await {
                    return Err((free.ending.explain(&error), Some(request)));
                }
                let head = free.sender.try_send_request(request).await.map_err(|e| apart(e, &free.ending))?;
                let ending = Arc::clone(&free.ending);
                Ok(Answer { head, ending, place: None, spare: Some(Spare::new(free, &self.spares)) })
            }
        }
    }

    /// A sender on the connection there is, or on a new one.
    async fn sender(&self, identity: Option<&ClientCertificate>) -> Result<Sender, Fault> {
        let failures = self.failures.load(Ordering::Acquire);
        let mut line = self.line.lock().await;
        let serial = identity.map_or(0, |identity| identity.serial);
        if line.identity != serial {
            // Streams under way end by themselves; new ones are sent as whom we are now.
            *line = Line { identity: serial, shown_again: line.shown_again, ..Line::default() };
            self.spares.clear();
        }
        if let Some(connection) = line.http2.with_room() {
            return Ok(connection.into());
        }
        let cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if line.http1 {
            if let Some(spare) = self.spares.take() {
                return Ok(Sender::Http1(spare));
            }
            let tls = self.tls(&mut line, identity)?;
            drop(line);
            return self.dial_beside(tls, cut).await;
        }
        if let Some(full) = line.http2.least_busy() {
            // Watches do not end: whoever waited for one of their places would wait for minutes.
            if line.http2.may_grow() {
                match self.dial_alone(&mut line, identity, cut).await {
                    Ok(sender) => return Ok(sender),
                    Err(fault) => tracing::debug!(%fault, "no further connection"),
                }
            }
            return Ok(full.into());
        }
        if self.failures.load(Ordering::Acquire) != failures
            && let Some(fault) = &line.last_failure
        {
            return Err(fault.clone());
        }
        let result = self.dial_alone(&mut line, identity, cut.clone()).await;
        // That it was given up here says nothing to those who wait.
        if let Err(fault) = &result
            && !cut.is_cancelled()
        {
            line.last_failure = Some(fault.clone());
            self.failures.fetch_add(1, Ordering::AcqRel);
        }
        result
    }

    /// Makes the one connection, or one more where the server takes too few requests on it, while
    /// everybody else waits for it.
    async fn dial_alone(
        &self,
        line: &mut Line,
        identity: Option<&ClientCertificate>,
        cut: CancellationToken,
    ) -> Result<Sender, Fault> {
        let tls = self.tls(line, identity)?;
        let dialled = self.dial(tls, &cut).await?;
        line.http1 = !dialled.http2;
        if line.http1 {
            return self.start_http1(dialled, cut).await.map(Sender::Http1);
        }
        let http2 = self.start_http2(dialled, cut).await?;
        line.http2.add(http2.clone());
        Ok(http2.into())
    }

    /// One more connection to a server that speaks HTTP/1.1. Should it have learned HTTP/2 since,
    /// the connection serves this request, and the next one finds out.
    async fn dial_beside(
        &self,
        tls: Option<Arc<ClientConfig>>,
        cut: CancellationToken,
    ) -> Result<Sender, Fault> {
        let dialled = self.dial(tls, &cut).await?;
        if dialled.http2 {
            let http2 = self.start_http2(dialled, cut).await?;
            let mut line = self.line.lock().await;
            line.http1 = false;
            line.http2.add(http2.clone());
            return Ok(http2.into());
        }
        self.start_http1(dialled, cut).await.map(Sender::Http1)
    }

    /// A stream to the server, unless it is given up meanwhile.
    async fn dial(&self, tls: Option<Arc<ClientConfig>>, cut: &CancellationToken) -> Result<Dialled, Fault> {
        tokio::select! {
            dialled = dial::dial(&self.target, self.names.as_ref(), tls, &self.server) => dialled,
            () = cut.cancelled() => Err(faults::given_up(&self.server)),
        }
    }

    async fn start_http2(&self, dialled: Dialled, cut: CancellationToken) -> Result<Http2, Fault> {
        let ending = Ending::new(&self.server);
        let stream = self.cuttable(dialled, &cut, &ending);
        let (sender, connection) = h2::Builder::new(TokioExecutor::new())
            .timer(Together::default())
            .adaptive_window(false)
            // Until the server has said how many it takes: what is too much it would refuse.
            .initial_max_send_streams(1)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_LIMIT)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ending.explain(&error))?;
        Ok(Http2::start(sender, connection, ending, cut))
    }

    async fn start_http1(&self, dialled: Dialled, cut: CancellationToken) -> Result<Http1, Fault> {
        let ending = Ending::new(&self.server);
        let stream = self.cuttable(dialled, &cut, &ending);
        let started = h1::Builder::new().handshake(TokioIo::new(stream)).await;
        let (sender, connection) = started.map_err(|error| ending.explain(&error))?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Http1 { sender, ending, cut })
    }

    fn cuttable(&self, dialled: Dialled, cut: &CancellationToken, ending: &Arc<Ending>) -> Cuttable {
        self.made.send_modify(|made| *made += 1);
        Cuttable::new(dialled.stream, cut.clone(), Arc::clone(ending), Arc::clone(&self.received))
    }

    /// The TLS configuration, made anew when its files may have changed.
    fn tls(
        &self,
        line: &mut Line,
        identity: Option<&ClientCertificate>,
    ) -> Result<Option<Arc<ClientConfig>>, Fault> {
        if !self.target.is_tls() {
            return Ok(None);
        }
        if let Some((made, config)) = &line.tls
            && made.elapsed() < TLS_FRESH
        {
            return Ok(Some(Arc::clone(config)));
        }
        let config = Arc::new(tls::towards_server(&self.target, identity, &self.server)?);
        line.tls = Some((Instant::now(), Arc::clone(&config)));
        Ok(Some(config))
    }

    /// Leaves the connection to what runs on it, and makes the next one with the client certificate
    /// that is in its files then. It is for a request of that time which the server did not take as
    /// ours; says whether to send it again. Not more than once a minute.
    pub(super) async fn show_certificate_again(&self, asked: Instant) -> bool {
        let files = self.target.identity.as_ref().is_some_and(|own| matches!(own.certificate, Pem::File(_)));
        if !files {
            return false;
        }
        let mut line = self.line.lock().await;
        match line.shown_again {
            // It was sent over the connection before.
            Some(at) if at > asked => return true,
            Some(at) if at.elapsed() < TLS_FRESH => return false,
            _ => {}
        }
        *line = Line {
            identity: line.identity,
            http1: line.http1,
            shown_again: Some(Instant::now()),
            ..Line::default()
        };
        self.spares.clear();
        true
    }

    /// Ends every connection and everything on it, and the one that is being made; the next request
    /// makes a new one.
    pub(super) fn disconnect(&self) {
        std::mem::take(&mut *self.cut.lock().unwrap_or_else(PoisonError::into_inner)).cancel();
        self.spares.clear();
    }
}

#[cfg(test)]
mod tests;
