//! From bytes to records, for any kind: the functions behind the table of kinds.

use super::meta::ObjectMeta;
use super::wire::{
    Envelope, First, Format, Message, WatchEvent, WireError, WireErrorKind, first_item, from_json,
    from_protobuf, read_event, to_protobuf as write,
};
use crate::model::Record;

/// A slim object that becomes a record.
pub(super) trait Watched<'a>: Message<'a> {
    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta<'a>;

    /// The record of it.
    fn record(&self) -> Record;
}

/// A slim object at any lifetime.
pub(super) trait Family {
    /// The object that borrows for this long.
    type Object<'a>: Watched<'a>;
}

/// An object without a name cannot be referred to, and is what `{}` would be read as.
fn record<'a>(object: &impl Watched<'a>) -> Result<Record, WireError> {
    match object.metadata().name.is_empty() {
        false => Ok(object.record()),
        true => Err(WireError::new(WireErrorKind::Nameless, 0)),
    }
}

pub(super) fn item<F: Family>(item: &[u8]) -> Result<Record, WireError> {
    record(&from_protobuf::<F::Object<'_>>(item)?)
}

pub(super) fn object<F: Family>(format: Format, body: &[u8]) -> Result<Record, WireError> {
    match format {
        Format::Json => record(&from_json::<F::Object<'_>>(body)?),
        Format::Protobuf => {
            let envelope = Envelope::open(body)?;
            item::<F>(envelope.raw).map_err(|e| e.shifted(envelope.raw_at))
        }
    }
}

/// An object without a name is no item, either.
pub(super) fn first<F: Family>(bytes: &[u8]) -> Result<Option<First<Record>>, WireError> {
    let first = first_item::<F::Object<'_>>(bytes)?;
    Ok(first.map(|First { item, length }| {
        let item = item.and_then(|object| record(&object).ok());
        First { item, length }
    }))
}

pub(super) fn event<F: Family>(format: Format, frame: &[u8]) -> Result<WatchEvent<'_, Record>, WireError> {
    Ok(match read_event::<F::Object<'_>>(format, frame)? {
        WatchEvent::Added(object) => WatchEvent::Added(record(&object)?),
        WatchEvent::Modified(object) => WatchEvent::Modified(record(&object)?),
        WatchEvent::Deleted(object) => WatchEvent::Deleted(record(&object)?),
        WatchEvent::Bookmark(bookmark) => WatchEvent::Bookmark(bookmark),
        WatchEvent::Error(status) => WatchEvent::Error(status),
    })
}

pub(super) fn to_protobuf<F: Family>(json: &[u8]) -> Result<Vec<u8>, WireError> {
    Ok(write(&from_json::<F::Object<'_>>(json)?))
}
