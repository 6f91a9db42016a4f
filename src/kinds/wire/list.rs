//! Protobuf lists as they arrive: chunks of bytes in, complete items out. A list of any length
//! costs the memory of its largest item.

use super::envelope::{MAGIC, TypeMeta};
use super::reader::Wire;
use super::{Decode, Encode, LARGEST, Message, Reader, Str, Tag, WireError, WireErrorKind};

super::wire! {
    /// `ListMeta`: where in the server's history a list stands, and where its next page begins.
    pub struct ListMeta<'a> {
        2 "resourceVersion" resource_version: Str<'a>,
        3 "continue" continue_token: Str<'a>,
        4 "remainingItemCount" remaining: Option<i64>,
    }
}

/// What is known at the end of a list, or of a page of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListEnd {
    /// The kind as the server names it, such as `PodList`.
    pub kind: String,
    /// The version at which a watch goes on; empty for lists that have none (metrics).
    pub resource_version: String,
    /// The token of the next page; empty on the last one.
    pub continue_token: String,
    /// How many items follow on later pages, when the server says.
    pub remaining: Option<i64>,
    /// How many items were handed out.
    pub items: usize,
    /// How many items could not be: too large, or not objects.
    pub bad: usize,
}

impl ListEnd {
    pub(super) fn meta(&mut self, meta: &ListMeta<'_>) {
        self.resource_version = meta.resource_version.to_string();
        self.continue_token = meta.continue_token.to_string();
        self.remaining = meta.remaining;
    }

    /// A body that is not a list must not pass for an empty one: that would look like a cluster
    /// from which everything was deleted.
    pub(super) fn check(&self) -> Result<(), WireErrorKind> {
        if self.kind.ends_with("List") { Ok(()) } else { Err(WireErrorKind::NotAList) }
    }
}

/// Writes the body of a protobuf list of items that are already messages.
pub fn write_list<'i>(
    api_version: &str,
    list_kind: &str,
    meta: &ListMeta<'_>,
    items: impl IntoIterator<Item = &'i [u8]>,
) -> Vec<u8> {
    super::enveloped(api_version, list_kind, |out| {
        meta.write(1, out);
        for item in items {
            super::writer::bytes(2, item, out);
        }
    })
}

/// Decodes a protobuf list that comes in chunks.
///
/// ```text
/// decoder.push(chunk);
/// while let Some(item) = decoder.next_item()? { … }
/// // after the last chunk
/// let end = decoder.finish()?;
/// ```
#[derive(Debug, Default)]
pub struct ListDecoder {
    buffer: Vec<u8>,
    /// the next byte of `buffer` to read
    at: usize,
    /// how many bytes came before `buffer`
    before: usize,
    /// how many bytes to step over next, present or still to come
    skip: usize,
    place: Place,
    /// whether the list itself was there
    listed: bool,
    end: ListEnd,
}

/// Where in the body the decoder is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Magic,
    /// between two fields of `runtime.Unknown`
    Envelope,
    /// between two fields of the list, which has this many bytes left
    List(usize),
}

/// A field's tag, the length of that tag with the value's length, and the value's length.
struct Header {
    tag: Tag,
    head: usize,
    body: usize,
}

impl ListDecoder {
    /// A decoder at the start of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next chunk of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        self.before += self.at;
        super::let_go(&mut self.buffer, self.at);
        self.at = 0;
        super::append(&mut self.buffer, chunk);
    }

    /// The next item's message, or `None` when more bytes are needed.
    pub fn next_item(&mut self) -> Result<Option<&[u8]>, WireError> {
        loop {
            let stepped = self.skip.min(self.buffer.len() - self.at);
            self.at += stepped;
            self.skip -= stepped;
            if self.skip > 0 {
                return Ok(None);
            }
            let go_on = match self.place {
                Place::Magic => self.magic()?,
                Place::Envelope | Place::List(0) => self.envelope()?,
                Place::List(left) => match self.field(left)? {
                    Step::Item(length) => {
                        let item = self.at - length..self.at;
                        return Ok(self.buffer.get(item));
                    }
                    Step::Next => true,
                    Step::More => false,
                },
            };
            if !go_on {
                return Ok(None);
            }
        }
    }

    /// Takes a chunk and hands out the items that it completes.
    pub fn feed(&mut self, chunk: &[u8], each: &mut impl FnMut(&[u8])) -> Result<(), WireError> {
        self.push(chunk);
        while let Some(item) = self.next_item()? {
            each(item);
        }
        Ok(())
    }

    /// How many items so far could not be handed out: they are too large.
    pub fn bad(&self) -> usize {
        self.end.bad
    }

    /// How many bytes it holds that are not read.
    pub fn held(&self) -> usize {
        self.buffer.len() - self.at
    }

    /// Ends the body: an error unless the list is complete. Every item must have been taken.
    pub fn finish(self) -> Result<ListEnd, WireError> {
        let complete = self.listed
            && self.skip == 0
            && self.at == self.buffer.len()
            && matches!(self.place, Place::Envelope | Place::List(0));
        if !complete {
            return Err(WireError::new(WireErrorKind::Truncated, self.before + self.buffer.len()));
        }
        self.end.check().map_err(|kind| self.error(kind))?;
        Ok(self.end)
    }

    fn error(&self, kind: WireErrorKind) -> WireError {
        WireError::new(kind, self.before + self.at)
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    fn magic(&mut self) -> Result<bool, WireError> {
        match self.unread().get(..MAGIC.len()) {
            Some(start) if start == MAGIC => {
                self.at += MAGIC.len();
                self.place = Place::Envelope;
                Ok(true)
            }
            None if MAGIC.starts_with(self.unread()) => Ok(false),
            _ => Err(self.error(WireErrorKind::Envelope)),
        }
    }

    /// Reads one field of the envelope; false when more bytes are needed.
    fn envelope(&mut self) -> Result<bool, WireError> {
        self.place = Place::Envelope;
        let Some(Header { tag, head, body }) = self.header()? else { return Ok(false) };
        match tag {
            Tag { number: 1, wire: Wire::Bytes } => {
                let Some(meta) = self.message::<TypeMeta<'_>>(head, body)? else { return Ok(false) };
                self.end.kind = meta.kind.to_string();
                self.end.check().map_err(|kind| self.error(kind))?;
                self.at += head + body;
            }
            Tag { number: 2, wire: Wire::Bytes } => {
                self.end.check().map_err(|kind| self.error(kind))?;
                self.at += head;
                self.place = Place::List(body);
                self.listed = true;
            }
            _ => {
                self.at += head;
                self.skip = body;
            }
        }
        Ok(true)
    }

    /// Reads one field of the list, which has `left` bytes left.
    fn field(&mut self, left: usize) -> Result<Step, WireError> {
        let Some(Header { tag, head, body }) = self.header()? else { return Ok(Step::More) };
        let length = head.saturating_add(body);
        let Some(left) = left.checked_sub(length) else {
            return Err(self.error(WireErrorKind::Truncated));
        };
        match tag {
            Tag { number: 1, wire: Wire::Bytes } => {
                let known = self.message::<ListMeta<'_>>(head, body)?.map(|meta| {
                    let mut end = self.end.clone();
                    end.meta(&meta);
                    end
                });
                let Some(end) = known else { return Ok(Step::More) };
                self.end = end;
                self.at += length;
            }
            Tag { number: 2, wire: Wire::Bytes } if body <= LARGEST => {
                if self.unread().len() < length {
                    return Ok(Step::More);
                }
                self.at += length;
                self.place = Place::List(left);
                self.end.items += 1;
                return Ok(Step::Item(body));
            }
            other => {
                self.end.bad += usize::from(other.number == 2);
                self.at += head;
                self.skip = body;
            }
        }
        self.place = Place::List(left);
        Ok(Step::Next)
    }

    /// A message that has to be there as a whole; `None` when more bytes are needed.
    fn message<'a, M: Message<'a>>(&'a self, head: usize, body: usize) -> Result<Option<M>, WireError> {
        if body > LARGEST {
            return Err(self.error(WireErrorKind::TooLong));
        }
        let Some(bytes) = self.unread().get(head..head + body) else { return Ok(None) };
        let at = self.before + self.at + head;
        super::from_protobuf(bytes).map(Some).map_err(|e| e.shifted(at))
    }

    /// The header of the next field; `None` when more bytes are needed.
    fn header(&self) -> Result<Option<Header>, WireError> {
        let start = self.unread();
        if start.is_empty() {
            return Ok(None);
        }
        match read_header(start) {
            Ok(header) => Ok(Some(header)),
            Err(WireError { kind: WireErrorKind::Truncated, .. }) => Ok(None),
            Err(error) => Err(error.shifted(self.before + self.at)),
        }
    }
}

/// What one field of the list was.
enum Step {
    /// an item of this length, which ends where the decoder is
    Item(usize),
    Next,
    More,
}

fn read_header(start: &[u8]) -> Result<Header, WireError> {
    let mut reader = Reader::new(start);
    let truncated = WireError::new(WireErrorKind::Truncated, 0);
    let tag = reader.tag()?.ok_or(truncated)?;
    let body = match tag.wire {
        Wire::Bytes => {
            let mut length = 0i64;
            length.read(&mut reader)?;
            usize::try_from(length).map_err(|_| WireError::new(WireErrorKind::Varint, reader.position()))?
        }
        Wire::Varint => {
            reader.varint()?;
            0
        }
        Wire::Fixed64 => 8,
        Wire::Fixed32 => 4,
        Wire::Group | Wire::GroupEnd => return Err(WireError::new(WireErrorKind::Tag, reader.position())),
    };
    Ok(Header { tag, head: reader.position(), body })
}
