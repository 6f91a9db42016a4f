//! Watch streams cut into frames. Pure: bytes in, complete frames out.
//!
//! A protobuf frame is a length of four bytes, big-endian, and that many bytes; a JSON frame is a
//! line. A stream that ends inside a frame is known as cut, which a plain line reader would take
//! for the last line.

use super::{Format, LARGEST, WireError, WireErrorKind};

/// Above this a buffer that has become empty is given back: a thousand quiet watches hold
/// nothing.
const KEPT: usize = 1 << 10;

/// Cuts a watch stream into frames.
#[derive(Debug)]
pub struct Frames {
    format: Format,
    buffer: Vec<u8>,
    at: usize,
    /// the bytes from `at` up to here hold no newline
    searched: usize,
    before: usize,
}

impl Frames {
    /// A framer at the start of a stream.
    pub fn new(format: Format) -> Self {
        Self { format, buffer: Vec::new(), at: 0, searched: 0, before: 0 }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.before += self.at;
        if self.at == self.buffer.len() && self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        } else {
            super::let_go(&mut self.buffer, self.at);
        }
        self.searched -= self.at.min(self.searched);
        self.at = 0;
        super::append(&mut self.buffer, bytes);
    }

    /// The next complete frame, or `None` when more bytes are needed. Empty lines are passed
    /// over.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, WireError> {
        let frame = match self.format {
            Format::Protobuf => self.counted()?,
            Format::Json => self.line()?,
        };
        match frame {
            Some((start, end)) => Ok(self.buffer.get(start..end)),
            None => {
                self.release();
                Ok(None)
            }
        }
    }

    /// Takes bytes and hands out the frames that they complete.
    pub fn feed(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) -> Result<(), WireError> {
        self.push(bytes);
        while let Some(frame) = self.next_frame()? {
            each(frame);
        }
        Ok(())
    }

    /// How many bytes it holds that are not read.
    pub fn held(&self) -> usize {
        self.buffer.len() - self.at
    }

    /// Ends the stream: an error if it was cut inside a frame.
    pub fn finish(&self) -> Result<(), WireError> {
        match self.buffer.get(self.at..).unwrap_or_default().trim_ascii().is_empty() {
            true if self.format == Format::Json || self.at == self.buffer.len() => Ok(()),
            _ => Err(WireError::new(WireErrorKind::Truncated, self.before + self.buffer.len())),
        }
    }

    fn error(&self, kind: WireErrorKind) -> WireError {
        WireError::new(kind, self.before + self.at)
    }

    fn release(&mut self) {
        if self.at == self.buffer.len() && self.buffer.capacity() > KEPT {
            self.before += self.at;
            (self.at, self.searched) = (0, 0);
            self.buffer = Vec::new();
        }
    }

    fn counted(&mut self) -> Result<Option<(usize, usize)>, WireError> {
        let Some(head) = self.buffer.get(self.at..).and_then(|unread| unread.first_chunk::<4>()) else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > LARGEST {
            return Err(self.error(WireErrorKind::TooLong));
        }
        let start = self.at + head.len();
        let end = start + length;
        if end > self.buffer.len() {
            return Ok(None);
        }
        self.at = end;
        Ok(Some((start, end)))
    }

    fn line(&mut self) -> Result<Option<(usize, usize)>, WireError> {
        loop {
            self.searched = self.searched.max(self.at);
            let Some(newline) = find_newline(&self.buffer, self.searched) else {
                self.searched = self.buffer.len();
                if self.buffer.len() - self.at > LARGEST {
                    return Err(self.error(WireErrorKind::TooLong));
                }
                return Ok(None);
            };
            let start = self.at;
            if newline - start > LARGEST {
                return Err(self.error(WireErrorKind::TooLong));
            }
            self.at = newline + 1;
            if !self.buffer.get(start..newline).unwrap_or_default().trim_ascii().is_empty() {
                return Ok(Some((start, newline)));
            }
        }
    }
}

/// The first newline at or behind `from`. `contains` looks at a word at a time where `position`
/// looks at a byte.
fn find_newline(bytes: &[u8], from: usize) -> Option<usize> {
    let mut start = from;
    for block in bytes.get(from..)?.chunks(512) {
        if block.contains(&b'\n') {
            return block.iter().position(|b| *b == b'\n').map(|at| start + at);
        }
        start += block.len();
    }
    None
}
