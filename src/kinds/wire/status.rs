//! `Status`: why a request, or a watch that had begun, failed
//! (`apimachinery/pkg/apis/meta/v1/generated.proto`). It comes in the format that was asked for.

use super::envelope::MAGIC;
use super::{Envelope, ListMeta, Reader, Str, WireError};

super::wire! {
    /// The server's answer to a request that failed.
    pub struct Status<'a> {
        /// Holds the token with which an expired paged list goes on from now.
        1 "metadata" metadata: ListMeta<'a>,
        /// `Success` or `Failure`.
        2 "status" status: Str<'a>,
        /// For people.
        3 "message" message: Str<'a>,
        /// For programs: `Expired`, `Forbidden`, `TooManyRequests`, …
        4 "reason" reason: Str<'a>,
        5 "details" details: Option<StatusDetails<'a>>,
        /// The HTTP status code; 0 when the server gave none.
        6 "code" code: i32,
    }

    /// What a `Status` is about.
    pub struct StatusDetails<'a> {
        1 "name" name: Str<'a>,
        2 "group" group: Str<'a>,
        3 "kind" kind: Str<'a>,
        4 "causes" causes: Vec<StatusCause<'a>>,
        5 "retryAfterSeconds" retry_after_seconds: i32,
        6 "uid" uid: Str<'a>,
    }

    /// One reason of several: a field that is not valid, a budget that forbids an eviction.
    pub struct StatusCause<'a> {
        1 "reason" reason: Str<'a>,
        2 "message" message: Str<'a>,
        3 "field" field: Str<'a>,
    }
}

impl<'a> Status<'a> {
    /// Reads the body of a failed request in either format.
    pub fn read(body: &'a [u8]) -> Result<Self, WireError> {
        if !body.starts_with(MAGIC) {
            return super::from_json(body);
        }
        let envelope = Envelope::open(body)?;
        let mut status = Self::default();
        super::Message::merge(&mut status, &mut Reader::new(envelope.raw))
            .map_err(|e| e.shifted(envelope.raw_at))?;
        Ok(status)
    }

    /// The single causes; empty when the server gave none.
    pub fn causes(&self) -> &[StatusCause<'a>] {
        self.details.as_ref().map_or(&[], |details| &details.causes)
    }

    /// How long the server asks to wait before the next try.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        let seconds = self.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        u32::try_from(seconds).ok().filter(|s| *s > 0)
    }
}
