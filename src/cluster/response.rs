//! Answers: their head, and their body as it comes.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::faults;
use super::transport::Ending;
use crate::kinds::wire::Status;
use crate::model::{Cause, Fault, Span, Text};

/// The largest document read at once by [`Response::json`], inflated.
const LARGEST_DOCUMENT: usize = 32 << 20;

/// The largest error document that is read; a `Status` is a few hundred bytes.
const LARGEST_STATUS: usize = 256 << 10;

/// How long the next bytes of a document may take.
const NEXT_LIMIT: Duration = Duration::from_secs(30);

/// The head of an answer, and its body still to come.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// `application/json` and the like, with parameters; empty when the server gave none.
    pub content_type: String,
    /// Whether the body is compressed.
    pub gzip: bool,
    /// How long the server asks to wait. Only the form in seconds is read: it is the one that
    /// kube-apiserver writes. It is bounded to an hour.
    pub retry_after: Option<Span>,
    /// By what the server's audit log knows the request (`Audit-Id`).
    pub audit_id: Option<String>,
    /// What follows.
    pub body: Body,
}

/// What a server says of a request that it refused (`meta/v1 Status`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatusMessage {
    /// For people; when the answer is no `Status`, its first words.
    pub message: Text,
    /// For programs: `Forbidden`, `TooManyRequests`; empty when the server gave none.
    pub reason: Text,
}

/// A body as it comes, compressed or not. Dropping it ends its stream.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    server: Arc<str>,
    ending: Arc<Ending>,
    hold: Option<Box<dyn Hold>>,
}

/// What a body keeps until its end: a place among the requests in flight, a connection that can
/// be used again.
pub(super) trait Hold: Send + Sync + std::fmt::Debug {
    /// The body was read to its end.
    fn done(self: Box<Self>);
}

impl Body {
    pub(super) fn new(
        incoming: Incoming,
        server: Arc<str>,
        ending: Arc<Ending>,
        hold: Option<Box<dyn Hold>>,
    ) -> Body {
        Body { incoming, server, ending, hold }
    }

    /// The next bytes as the server sent them, not inflated; `None` at the end.
    ///
    /// # Errors
    /// The connection ended, or pings went unanswered, before the body was complete.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, Fault>> {
        loop {
            match self.incoming.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Some(Ok(data));
                    }
                }
                Some(Err(error)) => {
                    self.hold = None;
                    return Some(Err(self.ending.explain(&error)));
                }
                None => {
                    if let Some(hold) = self.hold.take() {
                        hold.done();
                    }
                    return None;
                }
            }
        }
    }
}

impl Response {
    /// The whole body, inflated.
    ///
    /// # Errors
    /// The connection broke, nothing came for 30 s, the compressed data is no gzip, or the body is
    /// larger than `limit` bytes.
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, Fault> {
        let mut whole = if self.gzip {
            Whole::Zipped(Box::new(MultiGzDecoder::new(Vec::new())))
        } else {
            Whole::Plain(BytesMut::new())
        };
        loop {
            let next = tokio::time::timeout(NEXT_LIMIT, self.body.chunk()).await;
            let Some(chunk) = next.map_err(|_| faults::stalled(&self.body.server, NEXT_LIMIT))? else {
                break;
            };
            whole.add(&chunk?, limit, &self.body.server)?;
        }
        whole.end(limit, &self.body.server)
    }

    /// The whole body read as JSON, up to 32 MiB.
    ///
    /// # Errors
    /// As [`Response::bytes`], or it is not what was asked for.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Fault> {
        let server = Arc::clone(&self.body.server);
        if self.content_type.starts_with("text/html") {
            return Err(faults::web_page(&server));
        }
        let bytes = self.bytes(LARGEST_DOCUMENT).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let what = format!("{server} sent JSON that makes no sense: {error}");
            Fault::new(Cause::Garbled, what, "something between here and the server may have changed it")
        })
    }

    /// The same, when all of it must be there within this time.
    ///
    /// # Errors
    /// As [`Response::json`], or it took longer.
    pub async fn json_within<T: DeserializeOwned>(self, limit: Duration) -> Result<T, Fault> {
        let server = Arc::clone(&self.body.server);
        let read = tokio::time::timeout(limit, self.json()).await;
        read.unwrap_or_else(|_| Err(faults::stalled(&server, limit)))
    }

    /// What the server says of a request that it refused. An answer that cannot be read, or that
    /// is no `Status`, gives its first words, as does a page for people, and an empty reason.
    pub async fn status_message(self) -> StatusMessage {
        let html = self.content_type.starts_with("text/html");
        match self.bytes(LARGEST_STATUS).await {
            Ok(bytes) if html => {
                StatusMessage { message: Text::clean(&of_page(&bytes)), reason: Text::EMPTY }
            }
            Ok(bytes) => read_status(&bytes),
            Err(_) => StatusMessage::default(),
        }
    }

    /// The fault that this answer is, when its status is not that of success. `doing` says what
    /// was asked: `list pods`.
    pub async fn into_fault(self, doing: &str) -> Fault {
        let (status, server) = (self.status, Arc::clone(&self.body.server));
        let web = self.content_type.starts_with("text/html");
        let said = self.status_message().await;
        faults::refused_by_server(status, &server, doing, &said, web)
    }
}

/// A `Status` comes in the format that was asked for: JSON or protobuf.
fn read_status(body: &[u8]) -> StatusMessage {
    match Status::read(body) {
        Ok(status) => {
            StatusMessage { message: Text::clean(&status.message), reason: Text::clean(&status.reason) }
        }
        Err(_) => {
            let start = &body[..body.len().min(200)];
            StatusMessage { message: Text::from(String::from_utf8_lossy(start).trim()), reason: Text::EMPTY }
        }
    }
}

/// How much of a page for people is told, in characters.
const PAGE_WORDS: usize = 100;

/// `a web page: 502 Bad Gateway Connect call failed`: what a proxy or a portal says of itself is in no header.
fn of_page(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(&page[..page.len().min(16 << 10)]);
    let mut words = String::new();
    // What stands before the first tag is nothing; behind a tag is text, but not that of scripts and styles.
    for (tag, text) in page.split('<').skip(1).filter_map(|piece| piece.split_once('>')) {
        let code = ["script", "style"].iter().any(|name| tag.to_ascii_lowercase().starts_with(name));
        for word in text.split_whitespace().filter(|_| !code) {
            words.extend([" ", word]);
        }
    }
    match words.trim() {
        "" => "a web page".to_owned(),
        said => format!("a web page: {}", said.chars().take(PAGE_WORDS).collect::<String>()),
    }
}

/// A body that is kept whole. A compressed one is inflated as it comes, so that it is held once.
enum Whole {
    Plain(BytesMut),
    Zipped(Box<MultiGzDecoder<Vec<u8>>>),
}

/// How much compressed data is inflated at one go: to a thousand times as much, at most.
const SLICE: usize = 4 << 10;

impl Whole {
    fn add(&mut self, bytes: &[u8], limit: usize, server: &str) -> Result<(), Fault> {
        let bounded = |len: usize| if len > limit { Err(too_large(server, limit)) } else { Ok(()) };
        match self {
            Whole::Plain(whole) => {
                bounded(whole.len() + bytes.len())?;
                whole.extend_from_slice(bytes);
            }
            Whole::Zipped(inflate) => {
                for slice in bytes.chunks(SLICE) {
                    inflate.write_all(slice).map_err(|error| no_gzip(server, &error))?;
                    bounded(inflate.get_ref().len())?;
                }
            }
        }
        Ok(())
    }

    fn end(self, limit: usize, server: &str) -> Result<Bytes, Fault> {
        match self {
            Whole::Plain(whole) => Ok(whole.freeze()),
            Whole::Zipped(inflate) => {
                let whole = inflate.finish().map_err(|error| no_gzip(server, &error))?;
                if whole.len() > limit { Err(too_large(server, limit)) } else { Ok(Bytes::from(whole)) }
            }
        }
    }
}

fn no_gzip(server: &str, error: &std::io::Error) -> Fault {
    Fault::new(Cause::Garbled, format!("{server} sent a compressed body that is no gzip: {error}"), "")
}

fn too_large(server: &str, limit: usize) -> Fault {
    let what = format!("{server} sent more than {} KiB, which is not what was asked for", limit >> 10);
    Fault::new(Cause::Garbled, what, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflate(body: &[u8], limit: usize, server: &str) -> Result<Bytes, Fault> {
        let mut whole = Whole::Zipped(Box::new(MultiGzDecoder::new(Vec::new())));
        body.chunks(1000).try_for_each(|chunk| whole.add(chunk, limit, server))?;
        whole.end(limit, server)
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_member_is_inflated_and_bombs_are_not() {
        let two = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(inflate(&two, 100, "s").unwrap(), Bytes::from_static(b"one two"));
        let bomb = gzip(&vec![0; 10 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(inflate(&bomb, 1 << 20, "s").unwrap_err().cause, Cause::Garbled);
        assert_eq!(inflate(b"plain", 100, "s").unwrap_err().cause, Cause::Garbled);
    }

    #[test]
    fn a_status_is_read_and_made_harmless() {
        let said =
            read_status(br#"{"kind":"Status","message":"no\u001b[2J","reason":"Forbidden","code":403}"#);
        assert_eq!(said.message, "no␛[2J");
        assert_eq!(said.reason, "Forbidden");
        assert_eq!(read_status(b"upstream connect error\n").message, "upstream connect error");
        assert_eq!(read_status(br#"{"message":null}"#), StatusMessage::default());
    }

    #[test]
    fn a_status_may_be_protobuf() {
        use crate::kinds::wire::{Format, write_body};
        let status = Status { message: "gone".into(), reason: "Expired".into(), ..Status::default() };
        let body = write_body(Format::Protobuf, "v1", "Status", &status);
        assert!(body.starts_with(b"k8s\0"));
        let said = StatusMessage { message: Text::clean("gone"), reason: Text::clean("Expired") };
        assert_eq!(read_status(&body), said);
    }

    #[test]
    fn a_page_for_people_says_what_it_says_to_them() {
        let page =
            b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title><style>b { x: y }</style></head>
            <body><h1>Sorry</h1><script>alert(1)</script><p>[Errno 111] <b>Connect</b>\ncall failed";
        assert_eq!(of_page(page), "a web page: 502 Bad Gateway Sorry [Errno 111] Connect call failed");
        for empty in ["", "no tags", "<html><body></body></html>", "<"] {
            assert_eq!(of_page(empty.as_bytes()), "a web page");
        }
        let long = format!("<p>{}", "é".repeat(5_000));
        assert_eq!(of_page(long.as_bytes()).chars().count(), "a web page: ".len() + PAGE_WORDS);
    }
}
