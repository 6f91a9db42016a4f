//! Answers: JSON, protobuf, text and streams; gzip for large ones.

use std::convert::Infallible;
use std::io::Write;

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

pub(crate) type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

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
    Stream(UnsyncBoxBody<Bytes, Infallible>),
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
        if refusal.reason.is_empty() {
            return Answer::text(refusal.message.clone()).coded(refusal.code);
        }
        let media = if protobuf { Format::Protobuf } else { Format::Json }.media_type();
        let answer = Answer::bytes(media, encode::refusal(refusal, protobuf)).coded(refusal.code);
        Answer { retry_after: refusal.retry_after, ..answer }
    }

    /// A body that goes on.
    pub(super) fn stream(content_type: &str, chunks: impl Stream<Item = Bytes> + Send + 'static) -> Answer {
        use futures::StreamExt;
        let frames = chunks.map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
        let body = Body::Stream(StreamBody::new(frames).boxed_unsync());
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

    /// The answer as a response.
    pub(super) fn reply(self, gzip: bool) -> Reply {
        let mut zipped = false;
        let body = match self.body {
            Body::Whole(bytes) if gzip && bytes.len() > GZIP_ABOVE => match compressed(&bytes) {
                Ok(small) => {
                    zipped = true;
                    Full::new(Bytes::from(small)).boxed_unsync()
                }
                Err(_) => Full::new(Bytes::from(bytes)).boxed_unsync(),
            },
            Body::Whole(bytes) => Full::new(Bytes::from(bytes)).boxed_unsync(),
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
