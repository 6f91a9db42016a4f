//! Chance that repeats: everything random in a fleet follows from its seed.

/// A small generator (SplitMix64, Steele and others 2014). Not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator from a seed and a name, so that each cluster has its own.
    pub(crate) fn new(seed: u64, name: &str) -> Random {
        Random(name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; zero when that is zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 48 & 0x3fff | 0x8000,
            b & 0xffff_ffff_ffff
        )
    }

    /// A suffix as `generateName` makes it: without vowels, so that it spells nothing
    /// (`apimachinery/pkg/util/rand`).
    pub(crate) fn suffix(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..length).map(|_| char::from(LETTERS[self.below(LETTERS.len() as u64) as usize])).collect()
    }
}

/// A stable hash of a text, for template hashes and jitter.
pub(crate) fn hash(text: &str) -> u64 {
    Random::new(0, text).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_and_uuids_are_uuids() {
        let (mut a, mut b) = (Random::new(7, "x"), Random::new(7, "x"));
        assert_eq!(a.uuid(), b.uuid());
        assert_ne!(a.uuid(), Random::new(8, "x").uuid());
        let uid = crate::model::Uid::parse(&a.uuid());
        assert!(uid.wire().is_some());
        assert_eq!(a.suffix(5).len(), 5);
    }
}
