//! Answers: JSON, protobuf, text and streams; gzip for large ones.

use std::io::{self, Write};

use crate::sim::json::Value;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::Stream;
use http::{HeaderValue, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

use super::encode;
use crate::kinds::wire::Format;
use crate::sim::refusal::Refusal;

/// Bodies above this are compressed when asked (KEP-1115; `defaultGzipThresholdBytes`).
const GZIP_ABOVE: usize = 128 << 10;

/// The body of an answer. An error breaks it off: with HTTP/2 its stream is reset.
pub(super) type Flow = UnsyncBoxBody<Bytes, io::Error>;

pub(crate) type Reply = Response<Flow>;

fn whole(bytes: Vec<u8>) -> Flow {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

/// An answer before it is put on the wire.
pub(super) struct Answer {
    code: u16,
    content_type: String,
    retry_after: Option<u32>,
    warnings: Vec<String>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    body: Body,
}

enum Body {
    Whole(Vec<u8>),
    Stream(Flow),
    /// Written as it is, compressed already.
    Zipped(Vec<u8>),
}

impl Answer {
    /// A JSON document.
    pub(super) fn json(code: u16, value: &Value) -> Answer {
        Answer::bytes("application/json", value.to_string().into_bytes()).coded(code)
    }

    /// Bytes of a media type.
    pub(super) fn bytes(content_type: &str, body: Vec<u8>) -> Answer {
        Answer {
            code: 200,
            content_type: content_type.into(),
            retry_after: None,
            warnings: Vec::new(),
            headers: Vec::new(),
            body: Body::Whole(body),
        }
    }

    /// Plain text.
    pub(super) fn text(text: impl Into<String>) -> Answer {
        Answer::bytes("text/plain; charset=utf-8", text.into().into_bytes())
    }

    /// A refused request.
    pub(super) fn refusal(refusal: &Refusal, protobuf: bool) -> Answer {
        if refusal.reason.is_empty() && refusal.code == 404 {
            return Answer::text(refusal.message.clone()).coded(refusal.code);
        }
        let media = if protobuf { Format::Protobuf } else { Format::Json }.media_type();
        let answer = Answer::bytes(media, encode::refusal(refusal, protobuf)).coded(refusal.code);
        Answer { retry_after: refusal.retry_after, ..answer }
    }

    /// A body that goes on.
    pub(super) fn stream(content_type: &str, chunks: impl Stream<Item = Bytes> + Send + 'static) -> Answer {
        use futures::StreamExt;
        Answer::flow(content_type, chunks.map(Ok))
    }

    /// A body that goes on, and may break off.
    pub(super) fn flow(
        content_type: &str,
        chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Answer {
        use futures::StreamExt;
        let body = Body::Stream(StreamBody::new(chunks.map(|c| c.map(Frame::data))).boxed_unsync());
        Answer {
            code: 200,
            content_type: content_type.into(),
            retry_after: None,
            warnings: Vec::new(),
            headers: Vec::new(),
            body,
        }
    }

    /// Nothing but a status.
    pub(super) fn empty(code: u16) -> Answer {
        Answer::bytes("", Vec::new()).coded(code)
    }

    /// The same answer with further headers.
    pub(super) fn with(self, headers: Vec<(header::HeaderName, HeaderValue)>) -> Answer {
        Answer { headers, ..self }
    }

    /// The same answer with warnings for the person behind the client.
    pub(super) fn warned(self, warnings: Vec<String>) -> Answer {
        Answer { warnings, ..self }
    }

    /// The same answer with another status.
    pub(super) fn coded(self, code: u16) -> Answer {
        Answer { code, ..self }
    }

    /// The same answer, said to be of another type.
    pub(super) fn typed(self, content_type: &str) -> Answer {
        Answer { content_type: content_type.into(), ..self }
    }

    /// The same answer, of which clients are told to wait so long.
    pub(super) fn wait(mut self, value: &str) -> Answer {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((header::RETRY_AFTER, value));
        }
        self
    }

    /// The same answer with its body compressed in pieces of so many bytes, each a member of its
    /// own. Of a body that goes on each piece is one, if the client takes that.
    pub(super) fn in_members(mut self, size: usize, gzip: bool) -> Answer {
        let body = match self.body {
            Body::Whole(bytes) => {
                let parts: io::Result<Vec<Vec<u8>>> = bytes.chunks(size.max(1)).map(compressed).collect();
                parts.map_or(Body::Whole(bytes), |parts| Body::Zipped(parts.concat()))
            }
            // one that is compressed already comes in members anyway
            Body::Stream(flow)
                if gzip && !self.headers.iter().any(|(n, _)| n == header::CONTENT_ENCODING) =>
            {
                self.headers.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
                let zip = |data: Bytes| compressed(&data).map_or(data, Bytes::from);
                Body::Stream(flow.map_frame(move |frame| frame.map_data(zip)).boxed_unsync())
            }
            other => other,
        };
        Answer { body, ..self }
    }

    /// So many compressed zeros: little to send, much to read.
    pub(super) fn bomb(content_type: &str, bytes: u64) -> Answer {
        const PART: usize = 1 << 20;
        let part = compressed(&vec![0; PART]).unwrap_or_default();
        let members = usize::try_from(bytes).unwrap_or(usize::MAX).div_ceil(PART).min(1 << 16);
        let answer = Answer::bytes(content_type, Vec::new());
        Answer { body: Body::Zipped(part.repeat(members)), ..answer }
    }

    /// The same answer that breaks off after the first half of its body.
    pub(super) fn broken_off(self) -> Answer {
        let broken = || Err(io::Error::from(io::ErrorKind::ConnectionAborted));
        match self.body {
            Body::Whole(mut bytes) | Body::Zipped(mut bytes) => {
                bytes.truncate(bytes.len() / 2);
                let flow =
                    Answer::flow(&self.content_type, futures::stream::iter([Ok(bytes.into()), broken()]));
                Answer { code: self.code, ..flow }
            }
            Body::Stream(_) => Answer::flow(&self.content_type, futures::stream::iter([broken()])),
        }
    }

    /// The same without its body, for who asked with HEAD.
    pub(super) fn bare(self) -> Answer {
        Answer { body: Body::Whole(Vec::new()), ..self }
    }

    /// The answer as a response.
    pub(super) fn reply(self, gzip: bool) -> Reply {
        let mut zipped = false;
        let body = match self.body {
            Body::Whole(bytes) if gzip && bytes.len() > GZIP_ABOVE => match compressed(&bytes) {
                Ok(small) => {
                    zipped = true;
                    whole(small)
                }
                Err(_) => whole(bytes),
            },
            Body::Whole(bytes) => whole(bytes),
            Body::Zipped(bytes) => {
                zipped = true;
                whole(bytes)
            }
            Body::Stream(stream) => stream,
        };
        let mut reply = Response::new(body);
        *reply.status_mut() = http::StatusCode::from_u16(self.code).unwrap_or_default();
        let headers = reply.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&self.content_type)
            && !self.content_type.is_empty()
        {
            headers.insert(header::CONTENT_TYPE, value);
        }
        headers.extend(self.headers);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        for warning in &self.warnings {
            // RFC 7234: code, agent, and text in quotes
            if let Ok(value) = HeaderValue::from_str(&format!("299 - {warning:?}")) {
                headers.append(header::WARNING, value);
            }
        }
        if zipped {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        reply
    }
}

/// Gzip at the level of a real server (`defaultGzipContentEncodingLevel` is 1).
fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}
