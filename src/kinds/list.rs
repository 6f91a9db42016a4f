//! Lists of a kind as they arrive: bytes in, records out, in either format.

use super::VersionDecl;
use super::wire::{First, Format, ListDecoder, ListEnd, PageDecoder, WireError};
use crate::model::Record;

/// The body of a list, or of a page of one, that is coming in. It holds a part of itself: an item,
/// or a little more.
#[derive(Debug)]
pub struct RecordList {
    version: &'static VersionDecl,
    decoder: Decoder,
    /// items in protobuf that are not of the kind, or have no name
    odd: usize,
}

#[derive(Debug)]
enum Decoder {
    Protobuf(ListDecoder),
    Json(PageDecoder),
}

impl RecordList {
    /// A list of this kind, at its start.
    #[must_use]
    pub fn new(version: &'static VersionDecl, format: Format) -> RecordList {
        let decoder = match format {
            Format::Protobuf => Decoder::Protobuf(ListDecoder::new()),
            Format::Json => Decoder::Json(PageDecoder::new()),
        };
        RecordList { version, decoder, odd: 0 }
    }

    /// Takes the next bytes and hands out the records that they complete, or some of them: JSON is
    /// read when enough of it has come.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Record)) -> Result<(), WireError> {
        let RecordList { version, decoder, odd } = self;
        match decoder {
            Decoder::Json(decoder) => decoder.feed(bytes, &mut |bytes| first(version, bytes, &mut each)),
            Decoder::Protobuf(decoder) => decoder.feed(bytes, &mut |item| match version.item(item) {
                Ok(record) => each(record),
                Err(_) => *odd += 1,
            }),
        }
    }

    /// How many items so far could not be read: too large, no objects, or without a name.
    #[must_use]
    pub fn bad(&self) -> usize {
        match &self.decoder {
            Decoder::Protobuf(decoder) => decoder.bad() + self.odd,
            Decoder::Json(decoder) => decoder.bad(),
        }
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.decoder {
            Decoder::Protobuf(decoder) => decoder.held(),
            Decoder::Json(decoder) => decoder.held(),
        }
    }

    /// Ends the body and hands out what is left: an error unless the list is complete.
    pub fn finish(self, mut each: impl FnMut(Record)) -> Result<ListEnd, WireError> {
        let RecordList { version, decoder, odd } = self;
        match decoder {
            Decoder::Json(decoder) => decoder.finish(&mut |bytes| first(version, bytes, &mut each)),
            Decoder::Protobuf(decoder) => {
                let end = decoder.finish()?;
                Ok(ListEnd { items: end.items - odd, bad: end.bad + odd, ..end })
            }
        }
    }
}

fn first(
    version: &VersionDecl,
    bytes: &[u8],
    each: &mut impl FnMut(Record),
) -> Result<Option<First<()>>, WireError> {
    let first = version.first(bytes)?;
    Ok(first.map(|First { item, length }| First { item: item.map(each), length }))
}
