//! Events of a watch: from a frame to what it says.

use std::sync::Arc;

use super::{Event, refusal, wire_fault};
use crate::kinds::VersionDecl;
use crate::kinds::wire::{Format, Identified, Identity, WatchEvent, WireError, read_event};
use crate::model::{Cause, Fault, Uid, Version};

/// What a frame says. Where only its object is broken, which one that is, so that it costs that
/// object only.
pub(super) fn event(version: &VersionDecl, format: Format, frame: &[u8]) -> Event {
    match version.event(format, frame) {
        Ok(WatchEvent::Added(record) | WatchEvent::Modified(record)) => {
            let meta = record.meta();
            if meta.uid.is_none() && meta.version != Version(0) {
                let what =
                    format!("{}: {}/{} has no uid", version.kind.names().plural, meta.namespace, meta.name);
                let fault = Fault::new(Cause::Garbled, what, "");
                return Event::Unreadable { uid: meta.uid, version: meta.version, fault };
            }
            Event::Upsert(Arc::new(record))
        }
        Ok(WatchEvent::Deleted(record)) => Event::Gone(record.meta().uid, record.meta().version),
        Ok(WatchEvent::Bookmark(bookmark)) => {
            Event::Bookmark(Version::parse(bookmark.resource_version()).unwrap_or_default())
        }
        Ok(WatchEvent::Error(status)) => Event::Error(refusal(0, None, &status)),
        Err(error) => broken(version, format, frame, error),
    }
}

/// A frame whose object cannot be read. It can be passed over when it says which object it is and at
/// which version: then nothing else can have been in it.
fn broken(version: &VersionDecl, format: Format, frame: &[u8], error: WireError) -> Event {
    let (Identity { name, namespace, uid, resource_version }, gone) =
        match read_event::<Identified<'_>>(format, frame) {
            Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => (object.metadata, false),
            Ok(WatchEvent::Deleted(object)) => (object.metadata, true),
            _ => return Event::Garbled(wire_fault(version, error)),
        };
    let Some(at) = Version::parse(&resource_version).filter(|at| *at != Version(0)) else {
        return Event::Garbled(wire_fault(version, error));
    };
    let uid = Uid::parse(&uid);
    if gone {
        return Event::Gone(uid, at);
    }
    let what = format!("{}: {namespace}/{name} ({uid}) cannot be read: {error}", version.kind.names().plural);
    Event::Unreadable { uid, version: at, fault: Fault::new(Cause::Garbled, what, "") }
}
