//! Watches that are wrong because a fault is on: what becomes of one event.

use super::encode::{Form, Writer};
use super::faulty;
use crate::sim::faults::{FaultFile, FaultName};
use crate::sim::fields::{name, set};
use crate::sim::json::{Value, json};

/// Faults of single events.
pub(super) const EVENTS: [FaultName; 14] = [
    FaultName::TruncatedLine,
    FaultName::GarbageLine,
    FaultName::InvalidText,
    FaultName::EndlessLine,
    FaultName::UnknownType,
    FaultName::ErrorEvent,
    FaultName::Duplicate,
    FaultName::Reorder,
    FaultName::OlderVersion,
    FaultName::OddVersion,
    FaultName::UnknownModified,
    FaultName::UnknownDeleted,
    FaultName::LostDelete,
    FaultName::LargeObject,
];

/// An event that is about to be sent.
pub(super) struct Event<'a> {
    pub(super) kind: &'a str,
    pub(super) object: &'a Value,
    /// What the object was before.
    pub(super) before: Option<&'a Value>,
}

/// What a watch keeps from one spoiled event to the next.
#[derive(Debug, Default)]
pub(super) struct Spoiler {
    /// An event that is sent after the one that follows it.
    held: Vec<u8>,
    /// Bytes of a line without end that are still to be sent.
    endless: u64,
}

/// Bytes of a line without end that are sent at once.
const CHUNK: u64 = 1 << 20;

impl Spoiler {
    /// What goes on by itself: its next part; nothing when there is no more of it.
    pub(super) fn goes_on(&mut self) -> Vec<u8> {
        let part = self.endless.min(CHUNK);
        self.endless -= part;
        vec![b'x'; usize::try_from(part).unwrap_or(0)]
    }

    /// What was held back and is sent after all.
    pub(super) fn release(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Writes an event as a fault leaves it.
    pub(super) fn write(&mut self, fault: &FaultFile, event: &Event<'_>, writer: &Writer, out: &mut Vec<u8>) {
        let framed = |kind: &str, object: &Value| writer.form.event(kind, &writer.object(object, true));
        let good = || framed(event.kind, event.object);
        match fault.fault {
            FaultName::TruncatedLine => {
                let mut line = good();
                let end = if is_text(writer) { &b"\n"[..] } else { &[] };
                line.truncate(line.len() / 2);
                out.extend(line);
                out.extend(end);
            }
            FaultName::GarbageLine if is_text(writer) => out.extend(b"}{ this is no event\n"),
            // a frame of eleven bytes that is no message
            FaultName::GarbageLine => out.extend(b"\x00\x00\x00\x0bgarbage \xff\xff\xff"),
            FaultName::InvalidText => out.extend(invalid(good(), name(event.object))),
            FaultName::EndlessLine => {
                self.endless = fault.bytes.unwrap_or(1 << 30);
                match is_text(writer) {
                    true => out.extend(br#"{"type":"MODIFIED","object":{"metadata":{"name":""#),
                    false => {
                        let length = u32::try_from(self.endless).unwrap_or(u32::MAX);
                        out.extend(length.to_be_bytes());
                    }
                }
            }
            FaultName::UnknownType => out.extend(framed("SYNC", event.object)),
            FaultName::ErrorEvent => out.extend(writer.form.event("ERROR", &error(fault, writer))),
            FaultName::Duplicate => {
                out.extend(good());
                out.extend(good());
            }
            FaultName::Reorder if self.held.is_empty() => self.held = good(),
            FaultName::OlderVersion => {
                out.extend(good());
                if let Some(before) = event.before {
                    out.extend(framed("MODIFIED", before));
                }
            }
            FaultName::OddVersion => {
                let mut odd = event.object.clone();
                set(&mut odd, "metadata.resourceVersion", fault.value.as_deref().unwrap_or_default());
                out.extend(framed(event.kind, &odd));
            }
            FaultName::UnknownModified | FaultName::UnknownDeleted => {
                out.extend(good());
                let kind = if fault.fault == FaultName::UnknownModified { "MODIFIED" } else { "DELETED" };
                out.extend(framed(kind, &ghost(event.object)));
            }
            FaultName::LostDelete if event.kind == "DELETED" => {}
            FaultName::LargeObject => {
                let large = faulty::large(event.object, fault.bytes.unwrap_or(20_000_000));
                out.extend(framed(event.kind, &large));
            }
            _ => {
                out.extend(good());
                out.append(&mut self.held);
            }
        }
    }
}

fn is_text(writer: &Writer) -> bool {
    !matches!(writer.form, Form::Protobuf(_))
}

/// The line with bytes that are no UTF-8 in place of the object's name.
fn invalid(mut line: Vec<u8>, name: &str) -> Vec<u8> {
    if let Some(at) = line.windows(name.len().max(1)).position(|w| w == name.as_bytes()) {
        line[at..at + name.len()].fill(0xff);
    }
    line
}

/// An object like this one that was never there.
fn ghost(object: &Value) -> Value {
    let mut ghost = object.clone();
    set(&mut ghost, "metadata.name", format!("{}-ghost", name(object)));
    set(&mut ghost, "metadata.uid", "00000000-0000-4000-8000-000000000000");
    ghost
}

/// The document of an ERROR.
fn error(fault: &FaultFile, writer: &Writer) -> Vec<u8> {
    let protobuf = !is_text(writer);
    match fault.code.unwrap_or(410) {
        // of no code, and no Status at all: codes that no server answers with
        100 => br#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"oops"}"#
            .to_vec(),
        101 => json!({ "kind": "Pod", "metadata": { "name": "not-a-status" } }).to_string().into_bytes(),
        410 => super::encode::refusal(&crate::sim::refusal::Refusal::expired(1, 2), protobuf),
        code => {
            let refusal = crate::sim::refusal::Refusal::of(code, "InternalError", "an error on request");
            super::encode::refusal(&refusal, protobuf)
        }
    }
}
