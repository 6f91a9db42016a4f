//! Protobuf over borrowed bytes: tags, integers, lengths, and stepping over what is not wanted.

use super::{Str, WireError, WireErrorKind};

/// Messages inside messages. The deepest path of any kind read here is 9.
const DEEPEST: u8 = 32;

/// The wire type of a protobuf field: how its end is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// An integer of one to ten bytes.
    Varint,
    /// Eight bytes.
    Fixed64,
    /// A length and that many bytes: text, messages, maps.
    Bytes,
    /// Fields up to a matching end; long out of use, only ever stepped over.
    Group,
    /// The end of a group.
    GroupEnd,
    /// Four bytes.
    Fixed32,
}

/// A field's number and wire type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// The number under which the `.proto` file declares the field.
    pub number: u32,
    /// How the field's end is found.
    pub wire: Wire,
}

/// A cursor over one protobuf message.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// where `bytes` starts in the input, for error offsets
    base: usize,
    depth: u8,
}

impl<'a> Reader<'a> {
    /// A cursor at the start of a message.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, base: 0, depth: 0 }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many bytes the message has.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    fn error(&self, kind: WireErrorKind) -> WireError {
        WireError::new(kind, self.base.saturating_add(self.at))
    }

    /// The next field's tag; `None` at the end of the message.
    #[inline]
    pub fn tag(&mut self) -> Result<Option<Tag>, WireError> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Bytes,
            3 => Wire::Group,
            4 => Wire::GroupEnd,
            5 => Wire::Fixed32,
            _ => return Err(self.error(WireErrorKind::Tag)),
        };
        match u32::try_from(key >> 3) {
            Ok(number) if number > 0 => Ok(Some(Tag { number, wire })),
            _ => Err(self.error(WireErrorKind::Tag)),
        }
    }

    /// An integer.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for index in 0..10 {
            let Some(byte) = self.bytes.get(self.at) else {
                return Err(self.error(WireErrorKind::Truncated));
            };
            self.at += 1;
            // the tenth byte holds one bit; what does not fit is dropped, as Go does
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error(WireErrorKind::Varint))
    }

    /// The bytes of a length-delimited field.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.varint()?;
        self.take(length)
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], WireError> {
        let end = usize::try_from(length).ok().and_then(|l| self.at.checked_add(l));
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => Err(self.error(WireErrorKind::Truncated)),
        }
    }

    /// Text; what is not UTF-8 is replaced, as Go's JSON encoder does, so that an odd byte in a
    /// container's last words costs that byte only.
    #[inline]
    pub fn text(&mut self) -> Result<Str<'a>, WireError> {
        self.bytes().map(Str::from_utf8)
    }

    /// A cursor over a nested message.
    #[inline]
    pub fn message(&mut self) -> Result<Reader<'a>, WireError> {
        if self.depth >= DEEPEST {
            return Err(self.error(WireErrorKind::Depth));
        }
        let bytes = self.bytes()?;
        let base = self.base.saturating_add(self.at - bytes.len());
        Ok(Reader { bytes, at: 0, base, depth: self.depth + 1 })
    }

    /// Steps over the field that `tag` opened.
    #[inline]
    pub fn skip(&mut self, tag: Tag) -> Result<(), WireError> {
        match tag.wire {
            Wire::Bytes => self.bytes().map(drop),
            Wire::Varint => self.varint().map(drop),
            Wire::Fixed64 => self.take(8).map(drop),
            Wire::Fixed32 => self.take(4).map(drop),
            Wire::Group => self.skip_group(tag.number),
            Wire::GroupEnd => Err(self.error(WireErrorKind::Tag)),
        }
    }

    fn skip_group(&mut self, number: u32) -> Result<(), WireError> {
        let mut open = vec![number];
        while let Some(innermost) = open.last().copied() {
            match self.tag()? {
                None => return Err(self.error(WireErrorKind::Truncated)),
                Some(Tag { wire: Wire::Group, .. }) if open.len() >= usize::from(DEEPEST) => {
                    return Err(self.error(WireErrorKind::Depth));
                }
                Some(Tag { wire: Wire::Group, number }) => open.push(number),
                Some(Tag { wire: Wire::GroupEnd, number }) if number == innermost => {
                    open.pop();
                }
                Some(tag) => self.skip(tag)?,
            }
        }
        Ok(())
    }
}
