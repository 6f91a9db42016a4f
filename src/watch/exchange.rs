//! Exchanges: one request of the machine, carried out over a session.

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, refusal};
use super::machine::{Ask, Input, PAGE, Refusal};
use crate::cluster::{Body, Request, Response, Session};
use crate::kinds::VersionDecl;
use crate::kinds::wire::{Format, Status};
use crate::model::{Cause, Fault, Text};

/// The largest error document that is read; a `Status` is a few hundred bytes.
const LARGEST_STATUS: usize = 256 << 10;

/// A request that runs, or the answer that comes in.
pub(super) struct Exchange {
    version: &'static VersionDecl,
    ask: Ask,
    json: bool,
    second_choice: bool,
    received: usize,
    stage: Stage,
}

enum Stage {
    Sending(BoxFuture<'static, Result<Response, Fault>>),
    Refused(BoxFuture<'static, Refusal>),
    Reading(Body, Box<Answer>),
    Over,
}

impl Exchange {
    /// Begins a request.
    pub(super) fn start(session: &Session, version: &'static VersionDecl, ask: Ask, json: bool) -> Exchange {
        let request = request(version, &ask, json);
        let session = session.clone();
        let sending = async move { session.send(request).await }.boxed();
        Exchange { version, ask, json, second_choice: false, received: 0, stage: Stage::Sending(sending) }
    }

    /// Whether JSON came although protobuf was asked for first.
    pub(super) fn second_choice(&self) -> bool {
        self.second_choice
    }

    /// How many bytes of the answer came since the last call.
    pub(super) fn take_received(&mut self) -> usize {
        std::mem::take(&mut self.received)
    }

    /// Waits for what happens next and appends it. It may be dropped at any time and called
    /// again. After the end it waits for ever.
    pub(super) async fn next(&mut self, inputs: &mut Vec<Input>) {
        match &mut self.stage {
            Stage::Sending(sending) => {
                let answer = sending.await;
                self.answered(answer, inputs);
            }
            Stage::Refused(reading) => {
                let refusal = reading.await;
                self.stage = Stage::Over;
                inputs.push(Input::Refused(refusal));
            }
            Stage::Reading(body, answer) => match before(answer.until(), body.chunk()).await {
                Some(Some(Ok(bytes))) => {
                    inputs.push(Input::Progress);
                    self.received += bytes.len();
                    if !answer.chunk(&bytes, inputs) {
                        self.stage = Stage::Over;
                    }
                }
                Some(Some(Err(fault))) => {
                    self.stage = Stage::Over;
                    inputs.push(Input::Failed(fault));
                }
                Some(None) => {
                    if let Stage::Reading(_, answer) = std::mem::replace(&mut self.stage, Stage::Over) {
                        answer.end(inputs);
                    }
                }
                None => {
                    inputs.push(Input::Failed(endless(self.version)));
                    self.stage = Stage::Over;
                }
            },
            Stage::Over => futures::future::pending().await,
        }
    }

    fn answered(&mut self, answer: Result<Response, Fault>, inputs: &mut Vec<Input>) {
        self.stage = Stage::Over;
        let response = match answer {
            Ok(response) => response,
            Err(fault) => return inputs.push(Input::Failed(fault)),
        };
        if !(200..300).contains(&response.status) {
            self.stage = Stage::Refused(read_refusal(response).boxed());
            return;
        }
        match Format::of_content_type(&response.content_type) {
            Some(_) if matches!(self.ask, Ask::Stream { .. }) && !response.gzip => {
                inputs.push(Input::Uncompressed);
            }
            Some(format) if format == Format::Json || !self.json => {
                self.second_choice = format == Format::Json && !self.json;
                let answer = Box::new(Answer::new(self.version, &self.ask, format, response.gzip));
                self.stage = Stage::Reading(response.body, answer);
                inputs.push(Input::Opened);
            }
            _ => inputs.push(self.unacceptable(&response.content_type)),
        }
    }

    /// A success that is neither protobuf nor JSON.
    fn unacceptable(&self, content_type: &str) -> Input {
        let plural = self.version.kind.names().plural;
        if content_type.starts_with("text/html") {
            let what = format!("{plural}: a web page came in place of an answer");
            return Input::Failed(Fault::new(
                Cause::Proxy,
                what,
                "a proxy or a login portal stands in between: open its page in a browser",
            ));
        }
        let kind = if content_type.is_empty() { "no type at all" } else { content_type };
        Input::Unacceptable(Fault::new(Cause::Garbled, format!("{plural}: the answer is of {kind}"), ""))
    }
}

/// What comes of `next`, or nothing when that moment is over before.
async fn before<T>(until: Option<Instant>, next: impl Future<Output = T>) -> Option<T> {
    match until {
        Some(until) => timeout_at(until, next).await.ok(),
        None => Some(next.await),
    }
}

/// An object of which much came, and that was not all of it for long.
fn endless(version: &VersionDecl) -> Fault {
    let what = format!("{}: an object does not come to its end", version.kind.names().plural);
    Fault::new(Cause::Timeout, what, "the link may be too slow for it")
}

async fn read_refusal(response: Response) -> Refusal {
    let (http, retry_after) = (response.status, response.retry_after);
    let page = response.content_type.starts_with("text/html");
    match response.bytes(LARGEST_STATUS).await {
        Ok(body) if !page => match Status::read(&body) {
            Ok(status) => refusal(http, retry_after, &status),
            Err(_) => {
                let start = String::from_utf8_lossy(&body[..body.len().min(200)]);
                Refusal { status: http, retry_after, message: Text::clean(start.trim()) }
            }
        },
        _ => Refusal { status: http, retry_after, message: Text::EMPTY },
    }
}

fn request(version: &VersionDecl, ask: &Ask, json: bool) -> Request {
    let format = if json { Format::Json } else { Format::Protobuf };
    let path = version.path();
    match ask {
        Ask::List { token } => {
            let next = token.as_ref().map(|t| format!("&continue={}", escaped(t))).unwrap_or_default();
            Request::get(format!("{path}?limit={PAGE}{next}")).accept(format.accept()).gzip()
        }
        Ask::Probe { of: None } => Request::get(format!("{path}?limit=1")).accept(format.accept()).gzip(),
        // Of one namespace, where a name is a key of the store: nothing has to be searched.
        Ask::Probe { of: Some((namespace, name)) } => {
            let (path, name) = (version.path_in(&escaped(namespace)), escaped(name));
            let query = format!("limit=1&fieldSelector=metadata.name%3D{name}");
            Request::get(format!("{path}?{query}")).accept(format.accept()).gzip()
        }
        // Compressed, a gzip member for each event. No version: the server's newest.
        Ask::Stream { timeout_seconds } => {
            let query = format!(
                "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
                 &allowWatchBookmarks=true&timeoutSeconds={timeout_seconds}"
            );
            Request::get(format!("{path}?{query}")).accept(format.accept_watch()).gzip()
        }
        // Not compressed: servers that would do so make a gzip member of every event.
        Ask::Watch { from, timeout_seconds } => {
            let query = format!(
                "watch=true&allowWatchBookmarks=true&timeoutSeconds={timeout_seconds}&resourceVersion={}",
                from.0
            );
            Request::get(format!("{path}?{query}")).accept(format.accept_watch())
        }
    }
}

/// A value of a query, percent-encoded (RFC 3986: all but unreserved characters).
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use crate::model::{Kind, Version};

    #[test]
    fn requests_are_what_kubernetes_expects() {
        let deployments = kinds::of(Kind::Deployment).preferred();
        let list = request(deployments, &Ask::List { token: None }, false);
        assert_eq!(list.path, "/apis/apps/v1/deployments?limit=2500");
        assert!(list.gzip && list.accept.starts_with("application/vnd.kubernetes.protobuf,"));
        let next = request(deployments, &Ask::List { token: Some("a+b/c=".to_owned()) }, true);
        assert_eq!(next.path, "/apis/apps/v1/deployments?limit=2500&continue=a%2Bb%2Fc%3D");
        assert_eq!(next.accept, "application/json");
        let stream = request(deployments, &Ask::Stream { timeout_seconds: 250 }, false);
        assert!(stream.path.contains("sendInitialEvents=true") && !stream.path.contains("resourceVersion="));
        assert!(stream.is_stream() && stream.gzip);
        let ask = Ask::Watch { from: Version(42), timeout_seconds: 250 };
        let watch = request(kinds::of(Kind::Pod).preferred(), &ask, false);
        assert_eq!(
            watch.path,
            "/api/v1/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds=250&resourceVersion=42"
        );
        assert!(watch.is_stream() && !watch.gzip);
    }
}
