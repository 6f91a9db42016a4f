//! The control endpoint: a running fleet is disturbed over HTTP, for tests and benches.
//!
//! It listens on loopback only and asks for a token, because any program of this machine, and any
//! page in a browser, can reach loopback. What it takes and says is in the README of the scenarios.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::faults::{self, FaultFile, FaultName};
use super::fleet::Hands;
use super::scenario::{Length, fits};
use crate::model::Span;

/// The largest body that is read.
const LARGEST: usize = 64 << 10;

/// A running endpoint. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Endpoint {
    task: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts an endpoint; says where it listens.
///
/// # Errors
/// When the address is not of loopback, or is taken.
pub(super) async fn start(at: SocketAddr, token: String, hands: Hands) -> io::Result<(Endpoint, SocketAddr)> {
    if !at.ip().is_loopback() {
        let why = format!("{at} is not an address of this machine alone: expected one such as 127.0.0.1:0");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let listener = TcpListener::bind(at).await?;
    let address = listener.local_addr()?;
    let served = Arc::new(Served { token, hands });
    let task = tokio::spawn(accept(listener, served));
    Ok((Endpoint { task }, address))
}

struct Served {
    token: String,
    hands: Hands,
}

async fn accept(listener: TcpListener, served: Arc<Served>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let served = served.clone();
                let service = service_fn(move |request| {
                    let served = served.clone();
                    async move { Ok::<_, Infallible>(served.serve(request).await) }
                });
                connections.spawn(async move {
                    // errors of a connection are the client's to see
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// What is wrong with a request.
struct Wrong(StatusCode, String);

fn wrong(why: impl Into<String>) -> Wrong {
    Wrong(StatusCode::BAD_REQUEST, why.into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    rate: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Speed {
    speed: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    by: Length,
}

impl Served {
    async fn serve(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (code, body) = match self.answer(request).await {
            Ok(body) => (StatusCode::OK, body),
            Err(Wrong(code, why)) => (code, json!({ "error": why })),
        };
        let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
        *response.status_mut() = code;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        response
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Value, Wrong> {
        let (head, body) = request.into_parts();
        let given = head.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        if given.and_then(|v| v.strip_prefix("Bearer ")) != Some(self.token.as_str()) {
            let why = "expected the header \"Authorization: Bearer TOKEN\" with the token that was printed";
            return Err(Wrong(StatusCode::UNAUTHORIZED, why.to_owned()));
        }
        let whole = Limited::new(body, LARGEST).collect().await;
        let body = whole.map_err(|_| wrong(format!("a body has at most {LARGEST} bytes")))?.to_bytes();
        let path: Vec<&str> = head.uri.path().split('/').filter(|p| !p.is_empty()).collect();
        let hands = &self.hands;
        match (&head.method, path.as_slice()) {
            (&Method::GET, ["clusters"]) => Ok(clusters(hands)),
            (&Method::GET, ["faults"]) => Ok(names()),
            (&Method::POST, ["clusters", pattern, "faults"]) => switch_on(hands, pattern, &read(&body)?),
            (&Method::DELETE, ["clusters", pattern, "faults"]) => switch_off(hands, pattern, None),
            (&Method::DELETE, ["clusters", pattern, "faults", name]) => {
                switch_off(hands, pattern, Some(name))
            }
            (&Method::POST, ["incidents"]) => {
                let text = std::str::from_utf8(&body).map_err(|_| wrong("expected an incident in TOML"))?;
                let concerned = hands.begin(text).map_err(wrong)?;
                Ok(json!({ "clusters": concerned }))
            }
            (&Method::GET, ["churn"]) => Ok(json!({ "rate": hands.churn() })),
            (&Method::PUT, ["churn"]) => {
                let Rate { rate } = read(&body)?;
                if !(0.0..=1_000_000.0).contains(&rate) {
                    return Err(wrong("expected a rate between 0 and 1000000 changes a second"));
                }
                hands.set_churn(rate);
                Ok(json!({ "rate": hands.churn() }))
            }
            (&Method::GET, ["pace"]) => Ok(pace(hands)),
            (&Method::PUT, ["pace"]) => {
                let Speed { speed } = read(&body)?;
                if !(0.0..=10_000.0).contains(&speed) {
                    return Err(wrong("expected a speed between 0, which stands still, and 10000"));
                }
                hands.clock.set_speed(speed);
                Ok(pace(hands))
            }
            (&Method::POST, ["advance"]) => {
                let Advance { by } = read(&body)?;
                hands.advance(by.0.min(Span::from_seconds(86_400)));
                Ok(pace(hands))
            }
            _ => {
                let why = format!(
                    "no {} {}; expected GET /clusters, GET /faults, POST or DELETE /clusters/NAME/faults, POST \
                     /incidents, GET or PUT /churn, GET or PUT /pace, or POST /advance",
                    head.method,
                    head.uri.path()
                );
                Err(Wrong(StatusCode::NOT_FOUND, why))
            }
        }
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Wrong> {
    serde_json::from_slice(body).map_err(|e| wrong(e.to_string()))
}

fn pace(hands: &Hands) -> Value {
    json!({ "speed": hands.clock.speed(), "now": hands.clock.now().rfc3339() })
}

fn names() -> Value {
    let about = |fault: &FaultName| {
        let (name, classes, says) = fault.about();
        json!({ "fault": name, "classes": classes, "says": says, "once": fault.once(), "values": fault.values() })
    };
    FaultName::ALL.iter().map(about).collect()
}

fn clusters(hands: &Hands) -> Value {
    let one = |member: &Arc<super::fleet::Member>| {
        let (about, connections) = (&member.about, member.connections());
        member.shared.read(|world| {
            let on: Vec<Value> = world
                .trouble
                .all()
                .map(|a| {
                    let file = &a.file;
                    json!({ "fault": file.fault.about().0, "kinds": file.kinds, "happened": a.happened(),
                            "incident": a.incident })
                })
                .collect();
            let count = |res| world.store.list(res, None).count();
            json!({
                "name": about.name, "provider": format!("{:?}", about.provider).to_lowercase(),
                "region": about.region, "address": member.address().to_string(), "version": world.version,
                "reach": format!("{:?}", faults::way(world.reach, &world.trouble).reach).to_lowercase(),
                "nodes": count(super::resources::Res::Nodes), "pods": count(super::resources::Res::Pods),
                "connections": connections, "stuck": member.stuck(), "faults": on, "changes": world.store.version(), "pod-changes": world.churn.total(),
                "untold": member.shared.untold(world),
            })
        })
    };
    hands.members.iter().map(one).collect()
}

/// The clusters that a pattern means.
fn meant<'a>(hands: &'a Hands, pattern: &str) -> Result<Vec<&'a Arc<super::fleet::Member>>, Wrong> {
    let meant: Vec<_> = hands.members.iter().filter(|m| fits(pattern, &m.about.name)).collect();
    if meant.is_empty() {
        let names: Vec<&str> = hands.members.iter().map(|m| m.about.name.as_str()).collect();
        return Err(wrong(format!("no cluster {pattern:?}; expected one of {}", names.join(", "))));
    }
    Ok(meant)
}

fn switch_on(hands: &Hands, pattern: &str, fault: &FaultFile) -> Result<Value, Wrong> {
    if let Some(mistake) = fault.mistake() {
        return Err(wrong(mistake));
    }
    let meant = meant(hands, pattern)?;
    for member in &meant {
        let done = member.change(|world| faults::state::switch_on(world, None, fault));
        done.map_err(|e| wrong(format!("{}: {e}", member.about.name)))?;
    }
    Ok(json!({ "clusters": meant.len() }))
}

/// Switches off one fault or all of them, whoever switched them on.
fn switch_off(hands: &Hands, pattern: &str, name: Option<&str>) -> Result<Value, Wrong> {
    if let Some(name) = name.filter(|name| FaultName::ALL.iter().all(|fault| fault.about().0 != *name)) {
        let why = format!("no fault {name:?}; GET /faults lists them");
        return Err(Wrong(StatusCode::NOT_FOUND, why));
    }
    let mut off = 0;
    for member in meant(hands, pattern)? {
        let done = member.change(|world| {
            faults::state::switch_off(world, |a| name.is_none_or(|n| a.file.fault.about().0 == n))
        });
        off += done.map_err(|e| wrong(format!("{}: {e}", member.about.name)))?;
    }
    Ok(json!({ "off": off }))
}
