//! JSON lists as they arrive: bytes in, items out, each read in place.
//!
//! A JSON reader borrows from a slice and cannot stop in the middle of an object. So what has
//! come is read for as long as it lasts, and an item of which a part is still on its way is begun
//! again when there is more: at least [`ENOUGH`], and twice as much as the last time. That costs
//! a few percent of the reading, where finding the bounds of every item first would cost a third,
//! and a list of any length costs the memory of its largest item.

use std::marker::PhantomData;

use serde::de::{DeserializeSeed, IgnoredAny};

use super::step_over::StepOver;
use super::{LARGEST, ListEnd, ListMeta, Message, Slot, Str, WireError, WireErrorKind};

/// How many bytes are collected before they are read: some ten pods.
const ENOUGH: usize = 128 << 10;

/// What stands first in the bytes that a list goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First<T> {
    /// The item; `None` for a value that is no object of the kind.
    pub item: Option<T>,
    /// How many bytes it takes.
    pub length: usize,
}

/// Reads the item that stands first in `bytes`; `None` when its end is not among them.
///
/// An item that is not an object, or that only breaks a rule of JSON's text (an impossible
/// escape), is no item but has a length. An error means that this is not JSON.
pub fn first_item<'a, M: Message<'a>>(bytes: &'a [u8]) -> Result<Option<First<M>>, WireError> {
    let mut item = M::default();
    let broken = match first(bytes, Slot(&mut item)) {
        Ok(read) => return Ok(read.map(|(fits, length)| First { item: fits.then_some(item), length })),
        Err(error) => error,
    };
    // The second error would be of the same bytes; the first says more exactly where.
    let passed = first(bytes, PhantomData::<IgnoredAny>).map_err(|_| broken)?;
    Ok(passed.map(|(_, length)| First { item: None, length }))
}

/// Reads the value that stands first in `bytes`, and says how long it is; `None` when its end is
/// not among them. (A value that ends where the bytes do may be a number that goes on.)
fn first<'a, S: DeserializeSeed<'a>>(
    bytes: &'a [u8],
    seed: S,
) -> Result<Option<(S::Value, usize)>, WireError> {
    let mut source = serde_json::Deserializer::from_slice(bytes);
    match seed.deserialize(&mut source) {
        Ok(value) => {
            let length = source.into_iter::<IgnoredAny>().byte_offset();
            Ok((length < bytes.len()).then_some((value, length)))
        }
        Err(error) if error.is_eof() => Ok(None),
        Err(error) => match WireError::json(&error, bytes) {
            // A number that is cut behind its point is said to be wrong there.
            at_the_end if at_the_end.offset >= bytes.len() => Ok(None),
            inside => Err(inside),
        },
    }
}

/// Reads a JSON list that is here as a whole and hands out its items.
pub fn read_page<'a, M: Message<'a>>(page: &'a [u8], each: &mut impl FnMut(M)) -> Result<ListEnd, WireError> {
    let mut parts = Parts::default();
    let read = parts.read(page, &mut |bytes: &'a [u8]| {
        let first = first_item::<M>(bytes)?;
        Ok(first.map(|First { item, length }| First { item: item.map(&mut *each), length }))
    })?;
    parts.finish(page.len(), read == page.len())
}

/// Reads the item that stands first in some bytes, as [`first_item`] does, and keeps it.
pub trait ReadFirst: FnMut(&[u8]) -> Result<Option<First<()>>, WireError> {}

impl<F: FnMut(&[u8]) -> Result<Option<First<()>>, WireError>> ReadFirst for F {}

/// Decodes a JSON list that comes in chunks.
#[derive(Debug, Default)]
pub struct PageDecoder {
    buffer: Vec<u8>,
    /// how many bytes came before `buffer`
    before: usize,
    /// how many bytes there must be before it is worth while to read on
    wanted: usize,
    /// an item that is too large to be read
    passing: Option<StepOver>,
    parts: Parts,
}

impl PageDecoder {
    /// A decoder at the start of a body.
    pub fn new() -> Self {
        Self { wanted: ENOUGH, ..Self::default() }
    }

    /// Takes the next chunk of the body, and has `item` read the items that are complete.
    pub fn feed(&mut self, chunk: &[u8], item: &mut impl ReadFirst) -> Result<(), WireError> {
        let mut chunk = chunk;
        if let Some(passing) = &mut self.passing {
            let passed = passing.pass(chunk);
            self.before += passed;
            chunk = chunk.get(passed..).unwrap_or_default();
            if chunk.is_empty() {
                return Ok(());
            }
            self.passing = None;
            self.parts.passed();
        }
        self.buffer.extend_from_slice(chunk);
        if self.buffer.len() < self.wanted {
            return Ok(());
        }
        self.read(item)?;
        if self.buffer.len() > LARGEST {
            self.pass()?;
        }
        self.wanted = ENOUGH.max(2 * self.buffer.len()).min(LARGEST + 1);
        Ok(())
    }

    /// How many values so far were no items.
    pub fn bad(&self) -> usize {
        self.parts.end.bad
    }

    /// How many bytes it holds.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// How many bytes it has taken from the allocator.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.buffer.capacity()
    }

    /// Ends the body: an error unless the list is complete.
    pub fn finish(mut self, item: &mut impl ReadFirst) -> Result<ListEnd, WireError> {
        self.read(item)?;
        let all = self.buffer.is_empty() && self.passing.is_none();
        self.parts.finish(self.before + self.buffer.len(), all)
    }

    /// Reads what is complete, and drops it.
    fn read(&mut self, item: &mut impl ReadFirst) -> Result<(), WireError> {
        let read = self.parts.read(&self.buffer, item).map_err(|e| e.shifted(self.before))?;
        self.before += read;
        super::let_go(&mut self.buffer, read);
        Ok(())
    }

    /// Begins to step over what is larger than anything that is read: an item, and nothing else.
    fn pass(&mut self) -> Result<(), WireError> {
        if self.parts.place != Place::Item {
            return Err(WireError::new(WireErrorKind::TooLong, self.before));
        }
        let mut passing = StepOver::default();
        self.before += passing.pass(&self.buffer);
        self.buffer = Vec::new();
        self.passing = Some(passing);
        Ok(())
    }
}

/// Where in a list the next byte stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// before the list
    #[default]
    Start,
    /// before a key, or the end of a list that has none
    FirstKey,
    /// before a key
    Key,
    /// before the value of a key
    Value(Key),
    /// behind such a value
    AfterValue,
    /// before an item, or the end of no items
    FirstItem,
    /// before an item
    Item,
    /// behind an item
    AfterItem,
    /// behind the list
    End,
}

/// The keys of a list that say anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Metadata,
    Kind,
    Items,
    Other,
}

/// The parts of a list, one after the other. `metadata` may stand before the items or behind.
#[derive(Debug, Default)]
struct Parts {
    place: Place,
    end: ListEnd,
}

impl Parts {
    /// Reads the parts that are complete, and says how many bytes they take.
    fn read<'a, F>(&mut self, bytes: &'a [u8], item: &mut F) -> Result<usize, WireError>
    where
        F: FnMut(&'a [u8]) -> Result<Option<First<()>>, WireError>,
    {
        let mut at = 0;
        loop {
            at += bytes.iter().skip(at).take_while(|b| b" \n\r\t".contains(b)).count();
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(next) = rest.first() else { return Ok(at) };
            match self.part(*next, rest, item).map_err(|e| e.shifted(at))? {
                Some(length) => at += length,
                None => return Ok(at),
            }
        }
    }

    /// Reads one part, which begins with this byte; `None` when its end is not there yet.
    fn part<'a, F>(&mut self, next: u8, rest: &'a [u8], item: &mut F) -> Result<Option<usize>, WireError>
    where
        F: FnMut(&'a [u8]) -> Result<Option<First<()>>, WireError>,
    {
        let (place, length) = match (self.place, next) {
            (Place::Start, b'{') => (Place::FirstKey, 1),
            (Place::FirstKey | Place::AfterValue, b'}') => (Place::End, 1),
            (Place::FirstKey | Place::Key, b'"') => match key(rest)? {
                Some((key, length)) => (Place::Value(key), length),
                None => return Ok(None),
            },
            (Place::AfterValue, b',') => (Place::Key, 1),
            (Place::Value(Key::Items), b'[') => (Place::FirstItem, 1),
            (Place::Value(key), _) => match self.value(key, rest)? {
                Some(length) => (Place::AfterValue, length),
                None => return Ok(None),
            },
            (Place::FirstItem | Place::AfterItem, b']') => (Place::AfterValue, 1),
            (Place::AfterItem, b',') => (Place::Item, 1),
            (Place::FirstItem | Place::Item, _) => {
                self.place = Place::Item;
                let Some(First { item, length }) = item(rest)? else { return Ok(None) };
                match item {
                    Some(()) => self.end.items += 1,
                    None => self.end.bad += 1,
                }
                (Place::AfterItem, length)
            }
            // `null` is JSON, though no list; `<html>` is neither.
            (Place::Start, _) => {
                first(rest, PhantomData::<IgnoredAny>)?;
                return Err(WireError::new(WireErrorKind::NotAList, 0));
            }
            _ => return Err(WireError::new(WireErrorKind::Json, 0)),
        };
        self.place = place;
        Ok(Some(length))
    }

    /// Reads the value of a key.
    fn value(&mut self, key: Key, rest: &[u8]) -> Result<Option<usize>, WireError> {
        Ok(match key {
            Key::Metadata => {
                let mut meta = ListMeta::default();
                let read = first(rest, Slot(&mut meta))?;
                if read.is_some() {
                    self.end.meta(&meta);
                }
                read.map(|(_, length)| length)
            }
            Key::Kind => {
                let mut kind = Str::default();
                let read = first(rest, Slot(&mut kind))?;
                if read.is_some() {
                    self.end.kind = kind.to_string();
                }
                read.map(|(_, length)| length)
            }
            Key::Items | Key::Other => first(rest, PhantomData::<IgnoredAny>)?.map(|(_, length)| length),
        })
    }

    /// An item was stepped over.
    fn passed(&mut self) {
        self.end.bad += 1;
        self.place = Place::AfterItem;
    }

    /// Ends a body of this length, of which all was read, or not.
    fn finish(self, length: usize, all: bool) -> Result<ListEnd, WireError> {
        if !all || self.place != Place::End {
            return Err(WireError::new(WireErrorKind::Truncated, length));
        }
        self.end.check().map_err(|kind| WireError::new(kind, 0))?;
        Ok(self.end)
    }
}

/// Reads a key and the colon behind it; `None` when they are not there yet.
fn key(rest: &[u8]) -> Result<Option<(Key, usize)>, WireError> {
    let Some((key, length)) = first(rest, PhantomData::<Str<'_>>)? else { return Ok(None) };
    let behind = rest.get(length..).unwrap_or_default();
    let space = behind.iter().take_while(|b| b" \n\r\t".contains(b)).count();
    let key = match key.as_str() {
        "metadata" => Key::Metadata,
        "kind" => Key::Kind,
        "items" => Key::Items,
        _ => Key::Other,
    };
    match behind.get(space) {
        Some(b':') => Ok(Some((key, length + space + 1))),
        Some(_) => Err(WireError::new(WireErrorKind::Json, length + space)),
        None => Ok(None),
    }
}
