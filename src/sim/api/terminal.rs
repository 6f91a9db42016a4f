//! `exec` and `attach` over WebSocket (`v4.channel.k8s.io` and `v5.channel.k8s.io`). Nothing is
//! really run on this machine: what answers is the shell of the embedded fleet (`sim::shell`).

mod line;
mod session;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sim::json::{Value, json};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use self::session::Session;
use super::call::Call;
use super::logs::{self, Log};
use super::reply::Answer;
use super::target::Target;
use crate::sim::cluster::Shared;
use crate::sim::queue::Id;
use crate::sim::refusal::Refusal;
use crate::sim::{shell, tls};

/// What RFC 6455 adds to a client's key before it is hashed.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const CLOSE: u8 = 255;

/// A request to speak WebSocket instead of HTTP.
#[derive(Debug)]
pub(super) struct Upgrade {
    on: OnUpgrade,
    key: String,
    protocol: &'static str,
}

impl Upgrade {
    /// The upgrade that a request asks for, if it is one of those.
    pub(super) fn read(request: &mut hyper::Request<hyper::body::Incoming>) -> Option<Upgrade> {
        let word = |headers: &HeaderMap, name| {
            headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
        };
        if !word(request.headers(), header::UPGRADE).eq_ignore_ascii_case("websocket") {
            return None;
        }
        let offered = word(request.headers(), header::SEC_WEBSOCKET_PROTOCOL);
        let known = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
        let protocol = known.into_iter().find(|k| offered.split(',').any(|o| o.trim() == *k))?;
        let key = word(request.headers(), header::SEC_WEBSOCKET_KEY);
        Some(Upgrade { on: hyper::upgrade::on(request), key, protocol })
    }

    /// The headers that accept it.
    fn headers(&self) -> Vec<(header::HeaderName, HeaderValue)> {
        let digest = ring::digest::digest(
            &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
            format!("{}{GUID}", self.key).as_bytes(),
        );
        let accept = HeaderValue::from_str(&tls::base64(digest.as_ref()));
        let mut out = vec![
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::CONNECTION, HeaderValue::from_static("Upgrade")),
            (header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(self.protocol)),
        ];
        out.extend(accept.map(|a| (header::SEC_WEBSOCKET_ACCEPT, a)));
        out
    }
}

/// What a container is asked to do.
enum Wish {
    /// To run a program.
    Run { command: Vec<String>, session: Session },
    /// To show what its own program says.
    Watch(Log),
}

/// Answers `exec` and `attach`.
pub(super) fn serve(
    shared: &Arc<Shared>,
    call: &Call,
    target: &Target,
    upgrade: Option<Upgrade>,
) -> Result<Answer, Refusal> {
    let now = shared.now();
    let pod = shared.read(|w| w.store.need(target.slot, target.space(), target.named()))?;
    let container = logs::container(&pod, call.query.get("container"))?.to_owned();
    // only what runs can be talked to
    let log = Log::of(&pod, &container, false, false, now)?;
    if log.over() {
        // as the kubelet says it
        return Err(Refusal::internal(format!("container not found ({container:?})")));
    }
    let shell = |container: &Value| shared.read(|world| session::shell(world, &pod, container));
    let own = session::container(&pod, &container).cloned().unwrap_or_default();
    let (input, tty) = (call.query.flag("stdin"), call.query.flag("tty"));
    let session =
        |ends| Session { shell: shell(&own), input, tty, ends, keys: VecDeque::new(), closed: false };
    let wish = if target.subresource() == "exec" {
        let command: Vec<String> = call.query.all("command").map(str::to_owned).collect();
        if command.is_empty() {
            return Err(Refusal::bad_request("you must specify at least 1 command for the container"));
        }
        Wish::Run { command, session: session(None) }
    } else if input && shell::waits(&pod, &own, now) {
        // what the container runs waits for somebody who types, and ends with it
        let ends = Some((Id::of(&pod), container));
        Wish::Run { command: shell::program(&own), session: session(ends) }
    } else {
        Wish::Watch(log)
    };
    let Some(upgrade) = upgrade else {
        return Err(Refusal::bad_request(
            "you must upgrade to WebSocket with v4.channel.k8s.io or v5.channel.k8s.io",
        ));
    };
    let headers = upgrade.headers();
    let shared = shared.clone();
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.on.await else { return };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        // a client that hangs up ends this, and needs no answer
        let _ = talk(&mut socket, &shared, wish).await;
        // Go takes a close without a code for a broken connection
        let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let _ = socket.close(Some(normal)).await;
    });
    Ok(Answer::empty(StatusCode::SWITCHING_PROTOCOLS.as_u16()).with(headers))
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Sent = Result<(), tokio_tungstenite::tungstenite::Error>;

async fn send(socket: &mut Socket, channel: u8, text: &str) -> Sent {
    let mut frame = Vec::with_capacity(text.len() + 1);
    frame.push(channel);
    frame.extend_from_slice(text.as_bytes());
    socket.send(Message::Binary(Bytes::from(frame))).await
}

async fn talk(socket: &mut Socket, shared: &Arc<Shared>, wish: Wish) -> Sent {
    let code = match wish {
        Wish::Run { command, session } => session.run(socket, shared, &command).await?,
        Wish::Watch(log) => {
            watch(socket, shared, &log).await?;
            0
        }
    };
    send(socket, ERROR, &status(code).to_string()).await
}

/// Shows what a container says from now on, until it ends or the client does.
async fn watch(socket: &mut Socket, shared: &Arc<Shared>, log: &Log) -> Sent {
    let mut next = log.lines_by(shared.now());
    loop {
        tokio::select! {
            frame = socket.next() => if over(frame) { return Ok(()) },
            () = tokio::time::sleep(logs::LOOK) => {
                let last = log.lines_by(shared.now());
                if last > next {
                    send(socket, STDOUT, &log.between(next, last)).await?;
                    next = last;
                }
                if !log.runs(shared) {
                    return Ok(());
                }
            }
        }
    }
}

/// Whether the client has hung up or closed its input.
fn over(frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> bool {
    match frame {
        None | Some(Err(_) | Ok(Message::Close(_))) => true,
        Some(Ok(Message::Binary(bytes))) => bytes.first() == Some(&CLOSE),
        Some(Ok(_)) => false,
    }
}

/// How a command ended, as the last word of the error channel.
fn status(code: i32) -> Value {
    if code == 0 {
        return json!({ "metadata": {}, "status": "Success" });
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    })
}
