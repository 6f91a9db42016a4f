//! Sessions: the one way to talk to a cluster.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use http_body_util::Full;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::credentials::{Credential, Credentials, Plugins, Refusal};
use super::faults;
use super::response::{Body, Hold};
use super::target::{ClusterTarget, Connection, Impersonation};
use super::transport::{Answer, Place, Spare, Transport, Wire};
use super::{Request, Response};
use crate::model::{Badge, Cause, ClusterId, Fault, Login, Span};

/// Requests under way at the same time that are no streams.
const AT_ONCE: usize = 8;

/// What we are called in audit logs.
const USER_AGENT: &str = concat!("quarterdeck/", env!("CARGO_PKG_VERSION"));

/// A connection to one cluster and our login there. Cloning shares both.
#[derive(Clone, Debug)]
pub struct Session {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: ClusterId,
    connection: Arc<Connection>,
    transport: Transport,
    credentials: Credentials,
    /// On every request: our name, whom we impersonate.
    headers: HeaderMap,
    /// The server's path before every path.
    prefix: String,
    places: Arc<Semaphore>,
    /// Until when the server, too busy for what it was asked, wants to be left in peace.
    peace: Mutex<Option<Instant>>,
    /// How long the last answers took to begin.
    pulse: Pulse,
    login: watch::Sender<Login>,
}

impl Session {
    /// A session with a target; nothing is connected yet. `plugins` is the same for the whole
    /// fleet, so that equal plugins run once.
    ///
    /// # Errors
    /// The target is broken, or its token or impersonation fits no header.
    pub fn new(target: &ClusterTarget, plugins: &Plugins) -> Result<Session, Fault> {
        let broken = || Fault::new(Cause::Config, format!("{} has no connection", target.info.name), "");
        let Some(connection) = &target.connection else {
            return Err(target.info.broken.clone().unwrap_or_else(broken));
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if let Some(impersonation) = &connection.impersonation {
            impersonate(&mut headers, impersonation).ok_or_else(|| {
                let what = format!("{}: the user to impersonate fits no header", target.info.name);
                Fault::new(Cause::Config, what, "mend as, as-groups, as-uid or as-user-extra")
            })?;
        }
        Ok(Session {
            shared: Arc::new(Shared {
                id: target.id,
                transport: Transport::new(Arc::clone(connection), target.names.clone()),
                credentials: Credentials::new(connection, plugins)?,
                headers,
                prefix: connection.server.path().trim_end_matches('/').to_owned(),
                places: Arc::new(Semaphore::new(AT_ONCE)),
                peace: Mutex::default(),
                pulse: Pulse::default(),
                login: watch::Sender::new(Login::Unknown),
                connection: Arc::clone(connection),
            }),
        })
    }

    /// The cluster at the other end.
    #[must_use]
    pub fn id(&self) -> ClusterId {
        self.shared.id
    }

    /// Host and port of the server, as faults name it.
    #[must_use]
    pub fn server(&self) -> &str {
        self.shared.transport.server()
    }

    /// The certificate authority by which the server is known, in PEM; `None` where the system's
    /// are trusted or none is, or its file cannot be read now.
    #[must_use]
    pub fn ca(&self) -> Option<Vec<u8>> {
        self.shared.connection.ca()
    }

    /// What is peculiar about the connection and must be seen.
    #[must_use]
    pub fn badges(&self) -> Vec<Badge> {
        self.shared.connection.badges()
    }

    /// The state of our login there, as last seen.
    #[must_use]
    pub fn login(&self) -> Login {
        self.shared.login.borrow().clone()
    }

    /// The state of our login there, as it changes.
    #[must_use]
    pub fn login_changes(&self) -> watch::Receiver<Login> {
        self.shared.login.subscribe()
    }

    /// How long the server takes to begin its answers: of the last ones that were no streams,
    /// nineteen of twenty took no longer. `None` while there is none.
    #[must_use]
    pub fn p95(&self) -> Option<Span> {
        self.shared.pulse.p95()
    }

    /// For how long the server, too busy for what it was asked, still wants to be left in peace.
    #[must_use]
    pub fn peace(&self) -> Option<Span> {
        let until = *self.shared.peace.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until?.checked_duration_since(Instant::now())?;
        Some(Span::from_millis(i64::try_from(left.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Forgets that a credential plugin failed a moment ago: a person wants it tried again.
    pub fn try_login_again(&self) {
        self.shared.credentials.try_again();
    }

    /// Ends the connection and everything on it, at once and even while it is being made. The next
    /// request makes a new one. It is for a machine that woke from sleep, and for a server that is to
    /// be asked afresh.
    pub fn disconnect(&self) {
        self.shared.transport.disconnect();
    }

    /// How many connections were made so far, as that changes: at the end of a new one may be another
    /// server than before.
    #[must_use]
    pub fn connections(&self) -> watch::Receiver<u64> {
        self.shared.transport.made()
    }

    /// How many bytes came from the server so far, answers to pings included. While it grows, the
    /// server lives.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.shared.transport.received()
    }

    /// Sends a request and waits for the head of the answer. Every HTTP status is an answer; a
    /// fault is that there was none. Credentials that the server refuses are made anew, and the
    /// request is sent once more with those.
    ///
    /// Requests that are no streams (see [`Request::is_stream`]), and may wait ([`Request::at_once`]),
    /// wait for one of eight places, and hold it until their body is read or dropped.
    ///
    /// # Errors
    /// No connection, no credentials, or no answer in time.
    pub async fn send(&self, request: Request) -> Result<Response, Fault> {
        let shared = &*self.shared;
        let free = request.at_once || request.is_stream();
        // The semaphore is never closed.
        let place = if free { None } else { Arc::clone(&shared.places).acquire_owned().await.ok() };
        let credential = shared.telling(shared.credentials.get()).await;
        let mut credential = credential.map_err(|refusal| shared.refused(refusal))?;
        let asked = Instant::now();
        let mut answer = shared.send_as(&request, &credential).await?;
        if request.is_of_extension() {
            return Ok(shared.response(answer, place));
        }
        if answer.head.status().as_u16() == 401
            && let Some(newer) = shared.renewed(&credential, asked).await?
        {
            drop(answer);
            credential = newer;
            answer = shared.send_as(&request, &credential).await?;
        }
        shared.note_login(&answer, &credential);
        let response = shared.response(answer, place);
        // An eviction that a budget does not allow is refused so, too.
        if response.status == 429 && request.method == Method::GET {
            shared.leave_in_peace(response.retry_after);
        }
        Ok(response)
    }
}

impl Shared {
    async fn send_as(&self, request: &Request, credential: &Credential) -> Result<Answer, Fault> {
        let wire = self.wire(request, credential)?;
        let sent = self.transport.send(wire, credential.identity.as_deref());
        let asked = Instant::now();
        let answer = match request.timeout {
            None => sent.await,
            Some(limit) => match tokio::time::timeout(limit, sent).await {
                Ok(answer) => answer,
                Err(_) => Err(faults::no_answer(self.transport.server(), limit)),
            },
        };
        if answer.is_ok() && !request.is_stream() {
            self.pulse.note(asked.elapsed());
        }
        answer
    }

    /// Who we are from now on, when there is something newer to show than what was refused. What a
    /// client certificate says, the server learnt when the connection was made.
    async fn renewed(&self, refused: &Credential, asked: Instant) -> Result<Option<Credential>, Fault> {
        let newer = self.telling(self.credentials.renew(refused.serial)).await;
        if let Some(newer) = newer.map_err(|refusal| self.refused(refusal))? {
            return Ok(Some(newer));
        }
        let shown_again = self.transport.show_certificate_again(asked).await;
        Ok(shown_again.then(|| refused.clone()))
    }

    fn wire(&self, request: &Request, credential: &Credential) -> Result<Wire, Fault> {
        let no_path = || {
            let what = format!("{}: {} is no path", self.transport.server(), request.path);
            Fault::new(Cause::Config, what, "")
        };
        let server = &self.connection.server;
        let uri = Uri::builder()
            .scheme(server.scheme_str().unwrap_or("https"))
            .authority(server.authority().map_or("", |a| a.as_str()))
            .path_and_query(format!("{}{}", self.prefix, request.path))
            .build()
            .map_err(|_| no_path())?;
        let (content_type, body) = match &request.body {
            Some((content_type, body)) => (Some(*content_type), body.clone()),
            None => (None, bytes::Bytes::new()),
        };
        let mut wire = Wire::new(Full::new(body));
        *wire.method_mut() = request.method.clone();
        *wire.uri_mut() = uri;
        let headers = wire.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(ACCEPT, HeaderValue::from_static(request.accept));
        // Without the header a proxy may compress what nobody will inflate.
        let encoding = if request.gzip && self.connection.compression { "gzip" } else { "identity" };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some(authorization) = &credential.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Ok(wire)
    }

    fn response(&self, answer: Answer, place: Option<OwnedSemaphorePermit>) -> Response {
        let (head, body) = answer.head.into_parts();
        let held = Box::new(Held { place, _stream: answer.place, spare: answer.spare });
        let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        Response {
            status: head.status.as_u16(),
            content_type: text(CONTENT_TYPE).unwrap_or_default().to_owned(),
            gzip: text(CONTENT_ENCODING).is_some_and(|encoding| encoding.trim() == "gzip"),
            retry_after: text(RETRY_AFTER).and_then(seconds),
            audit_id: text(HeaderName::from_static("audit-id")).map(str::to_owned),
            body: Body::new(body, Arc::clone(self.transport.server()), answer.ending, Some(held)),
        }
    }

    /// Waits for a credential, and tells what its plugin asks of a person meanwhile.
    async fn telling<T>(&self, credential: impl Future<Output = T>) -> T {
        let Some(mut prompts) = self.credentials.prompts() else { return credential.await };
        tokio::pin!(credential);
        let mut told = None;
        loop {
            let prompt = tokio::select! {
                biased;
                done = &mut credential => return done,
                Ok(prompt) = prompts.wait_for(|p| p.is_some() && *p != told) => prompt.clone(),
            };
            if let Some(prompt) = &prompt {
                self.set_login(Login::Prompted(prompt.clone()));
            }
            told = prompt;
        }
    }

    /// What an answer says of our login.
    fn note_login(&self, answer: &Answer, credential: &Credential) {
        match answer.head.status().as_u16() {
            401 => self.set_login(Login::Expired),
            // Only who was let in is told these; anything else may come from something before the server.
            200..=299 | 403 | 404 | 409 | 410 | 422 | 429 => {
                self.set_login(Login::Good(credential.until));
            }
            _ => {}
        }
    }

    fn leave_in_peace(&self, pause: Option<Span>) {
        let pause = pause.and_then(|pause| u64::try_from(pause.millis()).ok()).map(Duration::from_millis);
        let mut peace = self.peace.lock().unwrap_or_else(PoisonError::into_inner);
        *peace = (*peace).max(pause.map(|pause| Instant::now() + pause));
    }

    fn refused(&self, refusal: Refusal) -> Fault {
        self.set_login(refusal.login);
        refusal.fault
    }

    fn set_login(&self, login: Login) {
        self.login.send_if_modified(|now| {
            let changed = *now != login;
            *now = login;
            changed
        });
    }
}

/// What an answer holds until its body was read: its place among the requests, and on its
/// connection; or its connection.
#[derive(Debug)]
struct Held {
    place: Option<OwnedSemaphorePermit>,
    _stream: Option<Place>,
    spare: Option<Spare>,
}

impl Hold for Held {
    fn done(self: Box<Self>) {
        if let Some(spare) = self.spare {
            spare.give_back();
        }
        drop(self.place);
    }
}

/// `Retry-After` in seconds, at most an hour.
fn seconds(text: &str) -> Option<Span> {
    let seconds: u64 = text.trim().parse().ok()?;
    Some(Span::from_seconds(i64::try_from(seconds.min(3600)).unwrap_or(3600)))
}

/// The headers of impersonation (`client-go/transport.impersonatingRoundTripper`).
fn impersonate(headers: &mut HeaderMap, whom: &Impersonation) -> Option<()> {
    let value = |text: &str| HeaderValue::from_str(text).ok();
    headers.insert("impersonate-user", value(&whom.user)?);
    if let Some(uid) = &whom.uid {
        headers.insert("impersonate-uid", value(uid)?);
    }
    for group in &whom.groups {
        headers.append("impersonate-group", value(group)?);
    }
    for (key, values) in &whom.extra {
        let name = format!("impersonate-extra-{}", escaped(key));
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        for one in values {
            headers.append(&name, value(one)?);
        }
    }
    Some(())
}

/// A key as part of a header's name: what no name may hold is percent-encoded, and so is `%`.
fn escaped(key: &str) -> String {
    let mut out = String::new();
    for byte in key.to_lowercase().bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

/// How long the last answers took to begin.
#[derive(Debug, Default)]
struct Pulse(Mutex<VecDeque<u32>>);

impl Pulse {
    /// How many are remembered.
    const LAST: usize = 64;

    fn note(&self, took: Duration) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == Pulse::LAST {
            last.pop_front();
        }
        last.push_back(u32::try_from(took.as_millis()).unwrap_or(u32::MAX));
    }

    fn p95(&self) -> Option<Span> {
        let mut last: Vec<u32> =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        last.sort_unstable();
        let rank = (last.len() * 95).div_ceil(100);
        last.get(rank.checked_sub(1)?).map(|millis| Span::from_millis(i64::from(*millis)))
    }
}

#[cfg(test)]
mod tests;
