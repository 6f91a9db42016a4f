//! Compressed bodies as they arrive: any number of gzip members, bounded.
//!
//! Servers since Kubernetes 1.37 compress a watch as one member per event, so a member's end is
//! not the body's end, and what a member holds must come out as soon as it is in.

use std::io::Write;

use flate2::write::MultiGzDecoder;

/// How much compressed data is inflated at one go; deflate makes at most 1,032 bytes of one, so
/// this bounds what is held.
const SLICE: usize = 4 << 10;

/// Room that is kept from slice to slice. Lists inflate to some twenty times: less would be given back and asked for
/// again at every slice.
const ROOM: usize = 64 * SLICE;

/// Up to here any ratio is believed.
const BELIEVED: u64 = 64 << 20;

/// Above it, no list or watch compresses better than this. (Lists of equal pods: about 60.)
const STEEPEST: u64 = 300;

/// Inflates a body piece by piece.
pub(super) struct Inflate {
    decoder: MultiGzDecoder<Vec<u8>>,
    taken: u64,
    given: u64,
}

impl Inflate {
    pub(super) fn new() -> Inflate {
        Inflate { decoder: MultiGzDecoder::new(Vec::new()), taken: 0, given: 0 }
    }

    /// Takes the next bytes and hands out what they inflate to.
    pub(super) fn feed<E: From<Broken>>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for slice in bytes.chunks(SLICE) {
            self.decoder.write_all(slice).and_then(|()| self.decoder.flush()).map_err(|_| Broken::NotGzip)?;
            let out = self.decoder.get_mut();
            self.taken += slice.len() as u64;
            self.given += out.len() as u64;
            if self.given > BELIEVED && self.given / self.taken > STEEPEST {
                return Err(Broken::Bomb.into());
            }
            let result = each(out);
            out.clear();
            out.shrink_to(ROOM);
            result?;
        }
        Ok(())
    }

    /// Ends the body: hands out the rest, and is an error if a member was cut.
    pub(super) fn finish<E: From<Broken>>(
        mut self,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.decoder.try_finish().map_err(|_| Broken::Cut)?;
        each(self.decoder.get_ref())
    }
}

/// Why a body could not be inflated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Broken {
    NotGzip,
    Cut,
    Bomb,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn inflated(body: &[u8], piece: usize) -> Result<Vec<u8>, Broken> {
        let (mut inflate, mut whole) = (Inflate::new(), Vec::new());
        for bytes in body.chunks(piece) {
            inflate.feed(bytes, |out| {
                whole.extend_from_slice(out);
                Ok::<(), Broken>(())
            })?;
        }
        inflate.finish(|out| {
            whole.extend_from_slice(out);
            Ok::<(), Broken>(())
        })?;
        Ok(whole)
    }

    #[test]
    fn many_members_in_any_pieces() {
        let body = [gzip(b"one "), gzip(b""), gzip(b"two "), gzip(&[b'x'; 100_000])].concat();
        for piece in [1, 7, 1000, body.len()] {
            let whole = inflated(&body, piece).unwrap();
            assert!(whole.starts_with(b"one two xxx") && whole.len() == 100_008, "{piece}");
        }
    }

    #[test]
    fn what_a_member_holds_comes_out_when_it_is_in() {
        let mut inflate = Inflate::new();
        for event in ["first\n", "second\n"] {
            let mut out = Vec::new();
            inflate
                .feed(&gzip(event.as_bytes()), |bytes| {
                    out.extend_from_slice(bytes);
                    Ok::<(), Broken>(())
                })
                .unwrap();
            assert_eq!(out, event.as_bytes());
        }
    }

    #[test]
    fn an_event_that_is_flushed_inside_a_member_comes_out() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"event\n").unwrap();
        encoder.flush().unwrap();
        let sent = encoder.get_ref().clone();
        let mut out = Vec::new();
        let mut inflate = Inflate::new();
        inflate
            .feed(&sent, |bytes| {
                out.extend_from_slice(bytes);
                Ok::<(), Broken>(())
            })
            .unwrap();
        assert_eq!(out, b"event\n");
    }

    #[test]
    fn broken_bodies_are_told_apart() {
        assert_eq!(inflated(b"this is no gzip at all", 5), Err(Broken::NotGzip));
        let body = gzip(&[7; 5000]);
        assert_eq!(inflated(&body[..body.len() - 3], 9), Err(Broken::Cut));
        let bomb = gzip(&vec![0; 200 << 20]);
        assert_eq!(inflated(&bomb, 10_000), Err(Broken::Bomb));
    }
}
