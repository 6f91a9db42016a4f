//! Gzip, a member for each event (RFC 1952), as servers since 1.37 compress watches: what is
//! written can be read at once, and whatever came before need not be kept.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// A member's head: deflate, no name, no time, an unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Room for what comes out of the compressor at one go.
const ROOM: usize = 4 << 10;

/// Writes members one after the other, with one compressor.
#[derive(Debug)]
pub(super) struct Members(Compress);

impl Default for Members {
    /// At the level of a real server (`defaultGzipContentEncodingLevel` is 1).
    fn default() -> Members {
        Members(Compress::new(Compression::fast(), false))
    }
}

impl Members {
    /// Adds a member with these bytes.
    pub(super) fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend(HEAD);
        self.0.reset();
        loop {
            let taken = usize::try_from(self.0.total_in()).unwrap_or(bytes.len());
            out.reserve(ROOM);
            // without a dictionary there is nothing that it could refuse
            match self.0.compress_vec(&bytes[taken..], out, FlushCompress::Finish) {
                Ok(Status::StreamEnd) | Err(_) => break,
                Ok(Status::Ok | Status::BufError) => {}
            }
        }
        let mut sum = Crc::new();
        sum.update(bytes);
        out.extend(sum.sum().to_le_bytes());
        // the length modulo 2^32, as the format has it
        out.extend((bytes.len() as u32).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_can_be_read_by_itself_and_all_of_them_together() {
        let random: Vec<u8> = (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let parts: [&[u8]; 4] = [b"one event\n", b"", &[b'x'; 1 << 20], &random];
        let (mut members, mut all) = (Members::default(), Vec::new());
        for part in parts {
            let from = all.len();
            members.write(part, &mut all);
            let mut alone = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&all[from..]), &mut alone).unwrap();
            assert_eq!(alone, part);
        }
        let mut whole = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&all[..]), &mut whole).unwrap();
        assert_eq!(whole, parts.concat());
    }
}
