//! Answers: from the bytes of a body, as they arrive, to what the machine is told.

mod event;

use super::inflate::{Broken, Inflate};
use super::large::Place;
use super::machine::{Ask, BATCH, Event, Input, PageEnd, Refusal};
use crate::kinds::wire::{Format, Frames, ListEnd, Status, WatchEvent, WireError, WireErrorKind};
use crate::kinds::{RecordList, VersionDecl};
use crate::model::{Cause, Fault, Record, Span, Text, Version};
use event::event;
use tokio::time::Instant;

/// The body of an answer that is coming in.
pub(super) struct Answer {
    version: &'static VersionDecl,
    inflate: Option<Inflate>,
    content: Content,
    place: Place,
}

/// What the body is.
enum Content {
    /// A list; with what was read and not handed over, how many objects of it had no id, and how much
    /// of it was said to be bad.
    List { list: RecordList, records: Vec<Record>, without_id: usize, told: usize },
    /// A watch.
    Stream { format: Format, frames: Frames, initial: Option<Vec<Record>> },
}

/// Why a body cannot be read on.
enum Trouble {
    Inflate(Broken),
    Wire(WireError),
    /// An event was garbled, which was said: what follows it is not read.
    Said,
    /// All answers together hold too much.
    Full,
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Trouble {
        Trouble::Inflate(broken)
    }
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Trouble {
        Trouble::Wire(error)
    }
}

impl Answer {
    /// An answer to `ask` about this kind, whose body is in this format.
    pub(super) fn new(version: &'static VersionDecl, ask: &Ask, format: Format, gzip: bool) -> Answer {
        let content = match (ask, format) {
            (Ask::Watch { .. }, _) => Content::Stream { format, frames: Frames::new(format), initial: None },
            (Ask::Stream { .. }, _) => {
                Content::Stream { format, frames: Frames::new(format), initial: Some(Vec::new()) }
            }
            (Ask::List { .. } | Ask::Probe { .. }, _) => Content::List {
                list: RecordList::new(version, format),
                records: Vec::new(),
                without_id: 0,
                told: 0,
            },
        };
        Answer { version, inflate: gzip.then(Inflate::new), content, place: Place::default() }
    }

    /// Takes the next bytes; false when nothing that follows can be read.
    pub(super) fn chunk(&mut self, bytes: &[u8], inputs: &mut Vec<Input>) -> bool {
        let Answer { version, inflate, content, place } = self;
        let mut take = |bytes: &[u8]| {
            content.take(version, bytes, inputs)?;
            if place.hold(content.held()) { Ok(()) } else { Err(Trouble::Full) }
        };
        let result = match inflate {
            Some(inflate) => inflate.feed(bytes, take),
            None => take(bytes),
        };
        content.hand_over(inputs);
        self.sound(result, inputs)
    }

    /// Until when it may hold what it does of an object, if that is much.
    pub(super) fn until(&self) -> Option<Instant> {
        self.place.until()
    }

    /// The body ended. With HTTP/2, and with HTTP/1.1 where the length was said, a cut is a fault and
    /// does not come here; where it was not, an end may be a cut: only the content tells.
    pub(super) fn end(mut self, inputs: &mut Vec<Input>) {
        if let Some(inflate) = self.inflate.take() {
            let Answer { version, content, .. } = &mut self;
            let result = inflate.finish(|bytes| content.take(version, bytes, inputs));
            if !self.sound(result, inputs) {
                return;
            }
        }
        let version = self.version;
        let end = match self.content {
            Content::List { list, mut records, mut without_id, told } => {
                let end = list.finish(|record| match record.meta().uid.is_none() {
                    true => without_id += 1,
                    false => records.push(record),
                });
                inputs.push(Input::Records(records));
                end.map(|end| (ListEnd { bad: end.bad + without_id, ..end }, told))
            }
            Content::Stream { frames, .. } => {
                inputs.push(match frames.finish() {
                    Ok(()) => Input::Ended,
                    Err(_) => {
                        Input::Failed(fault(version, Cause::Closed, "the watch was cut off inside an event"))
                    }
                });
                return;
            }
        };
        match end {
            Ok((end, told)) => page_end(&end, told, inputs),
            Err(error) => inputs.push(Input::Failed(wire_fault(version, error))),
        }
    }

    fn sound(&self, result: Result<(), Trouble>, inputs: &mut Vec<Input>) -> bool {
        let Err(trouble) = result else { return true };
        let fault = match trouble {
            Trouble::Inflate(Broken::NotGzip) => {
                fault(self.version, Cause::Garbled, "a compressed answer is no gzip")
            }
            Trouble::Inflate(Broken::Cut) => {
                fault(self.version, Cause::Closed, "a compressed answer was cut off")
            }
            Trouble::Inflate(Broken::Bomb) => {
                fault(self.version, Cause::Garbled, "a compressed answer is larger than any list or watch")
            }
            Trouble::Wire(error) => wire_fault(self.version, error),
            Trouble::Said => return false,
            Trouble::Full => {
                let what = "too many large objects come in from everywhere";
                inputs.push(Input::Failed(fault(self.version, Cause::Timeout, what)));
                return false;
            }
        };
        inputs.push(match self.content {
            // What was lost may have been anything.
            Content::Stream { .. } => Input::Event(Event::Garbled(fault)),
            Content::List { .. } => Input::Failed(fault),
        });
        false
    }
}

impl Content {
    /// How many bytes it holds of what is not complete.
    fn held(&self) -> usize {
        match self {
            Content::List { list, .. } => list.held(),
            Content::Stream { frames, .. } => frames.held(),
        }
    }

    fn take(&mut self, version: &VersionDecl, bytes: &[u8], inputs: &mut Vec<Input>) -> Result<(), Trouble> {
        match self {
            Content::List { list, records, without_id, .. } => list.feed(bytes, |record| {
                // Nothing could tell it from others: it is as good as unreadable.
                if record.meta().uid.is_none() {
                    *without_id += 1;
                    return;
                }
                records.push(record);
                if records.len() >= BATCH {
                    inputs.push(Input::Records(std::mem::take(records)));
                }
            })?,
            Content::Stream { format, frames, initial } => {
                frames.push(bytes);
                while let Some(frame) = frames.next_frame()? {
                    match initial {
                        None => inputs.push(Input::Event(event(version, *format, frame))),
                        Some(records) => {
                            if initial_event(version, *format, frame, records, inputs) {
                                *initial = None;
                            }
                        }
                    }
                    if let Some(Input::Event(Event::Garbled(_))) = inputs.last() {
                        return Err(Trouble::Said);
                    }
                }
            }
        }
        Ok(())
    }

    /// Hands over what is complete, so that rows appear as they come.
    fn hand_over(&mut self, inputs: &mut Vec<Input>) {
        if let Content::Stream { initial: Some(records), .. } = self
            && records.len() >= BATCH / 4
        {
            inputs.push(Input::Records(std::mem::take(records)));
        }
        if let Content::List { list, records, without_id, told } = self {
            if records.len() >= BATCH / 4 {
                inputs.push(Input::Records(std::mem::take(records)));
            }
            let bad = list.bad() + *without_id;
            if bad > *told {
                inputs.push(Input::Unreadable((bad - *told) as u64));
                *told = bad;
            }
        }
    }
}

/// Takes an event of a streaming list: objects are kept with those before, and the end of the
/// list hands them over. Says whether that was the end.
fn initial_event(
    version: &VersionDecl,
    format: Format,
    frame: &[u8],
    records: &mut Vec<Record>,
    inputs: &mut Vec<Input>,
) -> bool {
    let end = match version.event(format, frame) {
        Ok(WatchEvent::Added(record)) if !record.meta().uid.is_none() => {
            records.push(record);
            if records.len() < BATCH {
                return false;
            }
            None
        }
        Ok(WatchEvent::Bookmark(bookmark)) if bookmark.ends_initial_events() => {
            let version = Version::parse(bookmark.resource_version()).filter(|v| *v != Version(0));
            Some(Input::PageEnd(PageEnd { version, ..PageEnd::default() }))
        }
        // An object without a name or an id costs itself only, as in any list.
        Ok(WatchEvent::Added(_)) | Err(WireError { kind: WireErrorKind::Nameless, .. }) => {
            inputs.push(Input::Unreadable(1));
            return false;
        }
        _ => {
            inputs.push(Input::Event(event(version, format, frame)));
            return false;
        }
    };
    inputs.push(Input::Records(std::mem::take(records)));
    let ended = end.is_some();
    inputs.extend(end);
    ended
}

fn page_end(end: &ListEnd, told: usize, inputs: &mut Vec<Input>) {
    inputs.push(Input::Unreadable(end.bad.saturating_sub(told) as u64));
    inputs.push(Input::PageEnd(PageEnd {
        version: Version::parse(&end.resource_version).filter(|v| *v != Version(0)),
        token: (!end.continue_token.is_empty()).then(|| end.continue_token.clone()),
        remaining: end.remaining.and_then(|n| u64::try_from(n).ok()),
    }));
}

/// What a `Status` says. An HTTP status of 0 means that it came inside a watch; then its own code
/// counts, or its reason where it has no code.
pub(super) fn refusal(http: u16, retry_after: Option<Span>, status: &Status<'_>) -> Refusal {
    let code = match (http, u16::try_from(status.code).unwrap_or(0)) {
        (0, 0) => match status.reason.as_str() {
            "Expired" | "Gone" => 410,
            "Unauthorized" => 401,
            "Forbidden" => 403,
            "NotFound" => 404,
            "TooManyRequests" => 429,
            _ => 0,
        },
        (0, code) => code,
        (http, _) => http,
    };
    let asked = status.retry_after_seconds().map(|s| Span::from_seconds(i64::from(s)));
    Refusal { status: code, retry_after: retry_after.or(asked), message: Text::clean(&status.message) }
}

fn wire_fault(version: &VersionDecl, error: WireError) -> Fault {
    let cause = if error.kind == WireErrorKind::Truncated { Cause::Closed } else { Cause::Garbled };
    fault(version, cause, &error.to_string())
}

fn fault(version: &VersionDecl, cause: Cause, what: &str) -> Fault {
    Fault::new(cause, format!("{}: {what}", version.kind.names().plural), "")
}

#[cfg(test)]
mod tests;
