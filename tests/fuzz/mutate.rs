//! Seeded mutation of good examples: the same number is always the same case.

/// Chance from a seed (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below this; 0 when that is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % (limit.max(1) as u64)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.roll().to_le_bytes()[0]
    }
}

/// What breaks parsers: huge lengths and numbers, ends of things, and foreign text.
const ODD: [&[u8]; 34] = [
    b"\xff\xff\xff\xff\x07",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x08",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"k8s\0",
    b"\x1f\x8b\x08\0",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\x1b[2J",
    "\u{202e}\u{2066}\u{200b}".as_bytes(),
    b"\"",
    b"\\",
    b"\\ud800",
    b"{",
    b"}",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"]",
    b":",
    b",",
    b"\n",
    b"\0",
    b"null",
    b"-1",
    b"1e400",
    b"99999999999999999999999999999999",
    b"-9223372036854775808",
    b"0x",
    b"&a *a",
    b"<<: ",
    b"---\n",
];

/// An example with one to eight changes.
pub(crate) fn mutated(examples: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = examples.get(chance.below(examples.len())).cloned().unwrap_or_default();
    for _ in 0..=chance.below(8) {
        change(&mut bytes, examples, chance);
    }
    // Duplicated ranges must not grow without end.
    bytes.truncate(4 << 20);
    bytes
}

fn change(bytes: &mut Vec<u8>, examples: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    let length = chance.below(bytes.len() - at + 1).min(1 << chance.below(12));
    match chance.below(8) {
        0 => {
            let byte = chance.byte();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        1 => {
            let bit = chance.below(8);
            if let Some(place) = bytes.get_mut(at) {
                *place ^= 1 << bit;
            }
        }
        2 => drop(bytes.drain(at..at + length)),
        3 => {
            let range = bytes[at..at + length].to_vec();
            let to = chance.below(bytes.len() + 1);
            bytes.splice(to..to, range);
        }
        4 => {
            let odd = ODD[chance.below(ODD.len())];
            bytes.splice(at..at, odd.iter().copied());
        }
        5 => {
            let odd = ODD[chance.below(ODD.len())];
            let end = (at + odd.len()).min(bytes.len());
            bytes.splice(at..end, odd.iter().copied());
        }
        6 => bytes.truncate(at),
        _ => {
            let other = &examples[chance.below(examples.len())];
            let from = chance.below(other.len() + 1);
            let part = &other[from..(from + length).min(other.len())];
            bytes.splice(at..at, part.iter().copied());
        }
    }
}

/// How many cases a target runs: `QUARTERDECK_FUZZ` of them, or a few.
fn cases(default: u64) -> u64 {
    std::env::var("QUARTERDECK_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Says which case it was when one panics.
struct Witness<'a> {
    target: &'a str,
    case: u64,
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("case {0} of {1}: run it alone with QUARTERDECK_FUZZ_CASE={0}", self.case, self.target);
        }
    }
}

/// Runs a target on case after case; on one alone when `QUARTERDECK_FUZZ_CASE` names it.
pub(crate) fn run(target: &str, default: u64, examples: &[Vec<u8>], each: impl Fn(&[u8], &mut Chance)) {
    let alone = std::env::var("QUARTERDECK_FUZZ_CASE").ok().and_then(|n| n.parse().ok());
    let range = alone.map_or(0..cases(default), |case: u64| case..case + 1);
    for case in range {
        let witness = Witness { target, case };
        let mut chance = Chance::new(case);
        let bytes = mutated(examples, &mut chance);
        each(&bytes, &mut chance);
        drop(witness);
    }
}
