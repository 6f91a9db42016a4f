//! The embedded table of list prices, read in place.
//!
//! `assets/prices.bin`, little-endian: `QDPRICE2`, the date in ten bytes, how many types (u16)
//! and regions (u16); a block with the types' names, sorted (length u8, text); then each region,
//! sorted by provider and name: both texts, its multiplier against the home region (u32,
//! ten-thousandths; 0 unknown), its classes (u16; text and multiplier each), its rows (u16) and a
//! block with them. A block is its length (u32) and that many bytes of zlib.
//!
//! The rows are columns, so that they compress to a third: how much higher the type's place among
//! the names is than that of the row before (u16 each, sorted), the lowest bytes of all
//! micro-dollars an hour, then the next ones, up to the fourth; and what spot costs of that (u16,
//! ten-thousandths; 0 unknown), its low bytes and its high bytes. A region is inflated when it is
//! asked for first.

use std::io::Read;
use std::ops::Range;
use std::sync::OnceLock;

use flate2::read::ZlibDecoder;

static BYTES: &[u8] = include_bytes!("../../../assets/prices.bin");

/// The embedded table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    index: &'static Index,
}

/// A price from the list.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Quote {
    /// Micro-dollars an hour on demand.
    pub(super) micros: u32,
    /// What spot costs of it, in ten-thousandths; 0 unknown.
    pub(super) spot_ratio: u16,
}

/// Where things are in the bytes.
#[derive(Debug, Default)]
struct Index {
    date: &'static str,
    /// The names one after the other, and where each of them is.
    names: String,
    types: Vec<Range<usize>>,
    regions: Vec<Region>,
}

#[derive(Debug)]
struct Region {
    provider: &'static str,
    name: &'static str,
    multiplier: u32,
    classes: Vec<(&'static str, u32)>,
    count: usize,
    packed: &'static [u8],
    rows: OnceLock<Vec<Row>>,
}

/// A type, by its place among the names, and what it costs.
type Row = (u16, Quote);

/// The bytes of a row.
const ROW: usize = 8;

/// More than any block of this file inflates to.
const LARGEST: usize = 1 << 20;

/// The home region of a provider: every multiplier is against it.
const HOMES: [(&str, &str); 3] = [("aws", "us-east-1"), ("gcp", "us-central1"), ("azure", "eastus")];

impl Table {
    /// The table of this program. Its index is made at first use: about 170 regions.
    pub(super) fn embedded() -> Table {
        static INDEX: OnceLock<Index> = OnceLock::new();
        // The bytes are this program's own; were they not what they should be, no price is known.
        Table { index: INDEX.get_or_init(|| Reader(BYTES).index().unwrap_or_default()) }
    }

    pub(super) fn date(&self) -> &'static str {
        self.index.date
    }

    /// The price of this type in this region.
    pub(super) fn lookup(&self, provider: &str, region: &str, instance_type: &str) -> Option<Quote> {
        let Index { names, types, .. } = self.index;
        let id = types.binary_search_by_key(&instance_type, |place| &names[place.clone()]).ok()?;
        self.region(provider, region)?.quote(u16::try_from(id).ok()?)
    }

    /// The price of this type in the provider's home region, times what this region costs in
    /// comparison: by class where that is known, else in all.
    pub(super) fn estimate(&self, provider: &str, region: &str, instance_type: &str) -> Option<Quote> {
        let home = HOMES.iter().find(|(p, _)| *p == provider)?.1;
        let quote = self.lookup(provider, home, instance_type)?;
        let multiplier = self.region(provider, region).map_or(10_000, |r| r.multiplier_of(instance_type));
        let micros = u64::from(quote.micros) * u64::from(multiplier) / 10_000;
        Some(Quote { micros: u32::try_from(micros).ok()?, ..quote })
    }

    fn region(&self, provider: &str, name: &str) -> Option<&Region> {
        let regions = &self.index.regions;
        let place = regions.binary_search_by(|r| (r.provider, r.name).cmp(&(provider, name))).ok()?;
        Some(&regions[place])
    }
}

impl Region {
    fn quote(&self, id: u16) -> Option<Quote> {
        let rows = self.rows();
        let place = rows.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(rows[place].1)
    }

    fn rows(&self) -> &[Row] {
        self.rows.get_or_init(|| {
            inflated(self.packed).and_then(|bytes| rows(&bytes, self.count)).unwrap_or_default()
        })
    }

    /// The multiplier of a type's class (AWS: the letter, with `-amd` or `-arm`), else the region's.
    fn multiplier_of(&self, instance_type: &str) -> u32 {
        let family = instance_type.split('.').next().unwrap_or_default();
        let letters = family.find(|c: char| c.is_ascii_digit()).unwrap_or(family.len());
        let (class, rest) = family.split_at(letters);
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let maker = match rest.chars().next() {
            Some('a') => "-amd",
            Some('g') => "-arm",
            _ => "",
        };
        let class = format!("{class}{maker}");
        let by_class = self.classes.iter().find(|(name, _)| *name == class).map(|(_, m)| *m);
        by_class.or((self.multiplier > 0).then_some(self.multiplier)).unwrap_or(10_000)
    }
}

fn inflated(block: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(block).take(LARGEST as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// So many rows from their columns.
fn rows(columns: &[u8], count: usize) -> Option<Vec<Row>> {
    (columns.len() == count * ROW).then_some(())?;
    let byte = |column: usize, row: usize| columns[column * count + row];
    let mut id = 0_u16;
    let row = |row: usize| {
        id = id.checked_add(u16::from_le_bytes([columns[2 * row], columns[2 * row + 1]]))?;
        let micros = u32::from_le_bytes([byte(2, row), byte(3, row), byte(4, row), byte(5, row)]);
        Some((id, Quote { micros, spot_ratio: u16::from_le_bytes([byte(6, row), byte(7, row)]) }))
    };
    (0..count).map(row).collect()
}

/// Where each of so many texts is, one after the other with their lengths before them.
fn places(names: &[u8], count: u16) -> Option<Vec<Range<usize>>> {
    let mut at = 0;
    let mut place = |_| {
        let (start, length) = (at + 1, usize::from(*names.get(at)?));
        at = start + length;
        names.get(start..at).map(|_| start..at)
    };
    (0..count).map(&mut place).collect()
}

/// Reads the bytes from front to back; `None` as soon as they are not what they should be.
struct Reader(&'static [u8]);

impl Reader {
    fn index(mut self) -> Option<Index> {
        (self.bytes(8)? == b"QDPRICE2").then_some(())?;
        let date = std::str::from_utf8(self.bytes(10)?).ok()?;
        let (types, regions) = (self.u16()?, self.u16()?);
        let names = inflated(self.block()?)?;
        let types = places(&names, types)?;
        let names = String::from_utf8(names).ok()?;
        types.iter().all(|place| names.get(place.clone()).is_some()).then_some(())?;
        Some(Index {
            date,
            names,
            types,
            regions: (0..regions).map(|_| self.region()).collect::<Option<_>>()?,
        })
    }

    fn region(&mut self) -> Option<Region> {
        let (provider, name, multiplier) = (self.text()?, self.text()?, self.u32()?);
        let classes = self.u16()?;
        let classes = (0..classes).map(|_| Some((self.text()?, self.u32()?))).collect::<Option<_>>()?;
        let count = usize::from(self.u16()?);
        Some(Region {
            provider,
            name,
            multiplier,
            classes,
            count,
            packed: self.block()?,
            rows: OnceLock::new(),
        })
    }

    fn block(&mut self) -> Option<&'static [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.bytes(length)
    }

    fn bytes(&mut self, count: usize) -> Option<&'static [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.bytes(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'static str> {
        let length = usize::from(self.bytes(1)?[0]);
        std::str::from_utf8(self.bytes(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let table = Table::embedded();
        assert_eq!(table.date().len(), 10);
        let Index { names, types, regions, .. } = table.index;
        assert!(types.is_sorted_by_key(|place| &names[place.clone()]));
        assert!(regions.is_sorted_by_key(|r| (r.provider, r.name)));
        assert!(
            regions.iter().all(|r| r.rows().len() == r.count && r.rows().is_sorted_by_key(|(id, _)| *id))
        );
        let rows: usize = regions.iter().map(|r| r.count).sum();
        assert!(rows > 90_000, "{rows}");
    }

    #[test]
    fn classes_are_told_from_types() {
        let region = Region {
            provider: "aws",
            name: "x",
            multiplier: 12_000,
            classes: vec![("m", 11_000), ("m-arm", 11_500), ("m-amd", 11_200)],
            count: 0,
            packed: &[],
            rows: OnceLock::new(),
        };
        assert_eq!(region.multiplier_of("m6i.large"), 11_000);
        assert_eq!(region.multiplier_of("m7g.large"), 11_500);
        assert_eq!(region.multiplier_of("m6a.large"), 11_200);
        assert_eq!(region.multiplier_of("x1e.large"), 12_000);
    }
}
