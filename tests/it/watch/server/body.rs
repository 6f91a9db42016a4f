//! Bodies of answers: as they ought to be, and as a test wants them.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::sync::mpsc;

pub(super) type Chunks = mpsc::UnboundedReceiver<Result<Frame<Bytes>, std::io::Error>>;
pub(super) type Answer = http::Response<StreamBody<tokio_stream_of::Stream>>;

/// A receiver as a stream, without another dependency.
mod tokio_stream_of {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    pub(in super::super) struct Stream(pub(super) super::Chunks);

    impl futures::Stream for Stream {
        type Item = Result<super::Frame<super::Bytes>, std::io::Error>;
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.poll_recv(cx)
        }
    }
}

/// What to do with one request instead of answering it.
#[derive(Clone, Debug)]
pub(crate) enum Misdeed {
    /// Answer with this status.
    Status(u16),
    /// Refuse with this status and `Retry-After`.
    Later(u16, &'static str),
    /// Answer a watch with 200 and one line, then end.
    Line(String),
    /// Answer a watch with half a line, then break the connection.
    Cut,
    /// Answer with this content type and text.
    Page(&'static str, &'static str),
    /// Answer with 200 and these bytes.
    Body(Body),
    /// Never answer.
    Silence,
}

/// The body of an answer that is written by hand.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) gzip: bool,
    pub(crate) chunks: Vec<Vec<u8>>,
    /// Before each chunk but the first.
    pub(crate) pause: Duration,
    /// Whether it stays open behind the last chunk.
    pub(crate) open: bool,
}

impl Body {
    /// A whole body at once.
    pub(crate) fn of(bytes: impl Into<Vec<u8>>) -> Body {
        Body { gzip: false, chunks: vec![bytes.into()], pause: Duration::ZERO, open: false }
    }

    /// Lines of a watch that stays open behind them.
    pub(crate) fn lines(lines: &[String]) -> Body {
        Body { open: true, ..Body::of(lines.join("\n") + "\n") }
    }
}

pub(super) fn misdo(misdeed: Misdeed) -> Answer {
    let (sender, receiver) = mpsc::unbounded_channel();
    match misdeed {
        Misdeed::Status(status) => return status_answer(status),
        Misdeed::Later(status, after) => {
            let mut answer = status_answer(status);
            answer.headers_mut().insert("retry-after", after.parse().unwrap());
            return answer;
        }
        Misdeed::Page(kind, text) => return whole(kind, text.to_owned(), false),
        Misdeed::Body(body) => return by_hand(body),
        Misdeed::Silence => {}
        Misdeed::Line(line) => sender.send(Ok(Frame::data(Bytes::from(line + "\n")))).unwrap(),
        Misdeed::Cut => {
            sender.send(Ok(Frame::data(Bytes::from_static(b"{\"type\":\"MODIFIED\",\"obj")))).unwrap();
            sender.send(Err(std::io::Error::other("cut"))).unwrap();
        }
    }
    streaming(receiver)
}

fn by_hand(body: Body) -> Answer {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut answer = streaming(receiver);
    if body.gzip {
        answer.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    }
    tokio::spawn(async move {
        // the fault: chunks come this far apart, by the clock that tests move
        let mut drips = (body.pause > Duration::ZERO).then(|| tokio::time::interval(body.pause));
        for chunk in body.chunks {
            if let Some(drips) = &mut drips {
                drips.tick().await;
            }
            if sender.send(Ok(Frame::data(Bytes::from(chunk)))).is_err() {
                return;
            }
        }
        if body.open {
            sender.closed().await;
        }
    });
    answer
}

pub(super) fn status_answer(status: u16) -> Answer {
    let body = format!(r#"{{"kind":"Status","code":{status},"message":"status {status} by order"}}"#);
    let mut answer = whole("application/json", body, false);
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
    answer
}

pub(super) fn json(body: String, gzip: bool) -> Answer {
    whole("application/json", body, gzip)
}

pub(super) fn whole(kind: &str, body: String, gzip: bool) -> Answer {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut answer = streaming(receiver);
    answer.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
    let bytes = if gzip {
        answer.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        // In two members, as a proxy or a newer server may do.
        let (first, second) = body.as_bytes().split_at(body.len() / 2);
        [zipped(first), zipped(second)].concat()
    } else {
        body.into_bytes()
    };
    sender.send(Ok(Frame::data(Bytes::from(bytes)))).unwrap();
    answer
}

pub(super) fn streaming(receiver: Chunks) -> Answer {
    let mut answer = http::Response::new(StreamBody::new(tokio_stream_of::Stream(receiver)));
    answer.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
    answer
}

pub(crate) fn zipped(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}
