//! Makes the embedded price table from two CSV files of list prices.
//!
//! ```text
//! cargo run --example prices -- INSTANCES.csv RATES.csv DATE assets/prices.bin
//! ```
//!
//! `INSTANCES.csv` has the columns provider, region, instance_type, vcpu, memory_gib, gpu_count,
//! gpu_model, on_demand_usd_per_hour, spot_usd_per_hour; `RATES.csv` has provider, category, item,
//! region, unit, usd, …, of which the categories `region_multiplier` and
//! `region_multiplier_class` are used. The layout that this writes is described, and read, in
//! `src/views/prices/table.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use color_eyre::eyre::{Result, ensure, eyre};

/// What one region has: its rows, its multiplier, the multipliers of its classes.
#[derive(Default)]
struct Region {
    rows: BTreeMap<u16, (u32, u16)>,
    multiplier: u32,
    classes: BTreeMap<String, u32>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [instances, rates, date, out] = arguments.as_slice() else {
        return Err(eyre!("usage: prices INSTANCES.csv RATES.csv DATE OUT"));
    };
    ensure!(date.len() == 10, "the date is written 2026-07-20");
    let instances = rows(Path::new(instances))?;
    let types: BTreeSet<&str> = instances.iter().map(|row| row[2].as_str()).collect();
    let ids: BTreeMap<&str, u16> = types.iter().zip(0..).map(|(name, id)| (*name, id)).collect();
    let mut regions: BTreeMap<(String, String), Region> = BTreeMap::new();
    for row in &instances {
        let (price, spot): (f64, Option<f64>) = (row[7].parse()?, row[8].parse().ok());
        let ratio = spot.map_or(0, |spot| round(spot / price * 10_000.0));
        let region = regions.entry((row[0].clone(), row[1].clone())).or_default();
        region.rows.insert(ids[row[2].as_str()], (round(price * 1e6), u16::try_from(ratio)?));
    }
    for row in rows(Path::new(rates))? {
        let Some(region) = regions.get_mut(&(row[0].clone(), row[3].clone())) else { continue };
        match row[1].as_str() {
            "region_multiplier" => region.multiplier = round(row[5].parse::<f64>()? * 10_000.0),
            "region_multiplier_class" => {
                region.classes.insert(row[2].clone(), round(row[5].parse::<f64>()? * 10_000.0));
            }
            _ => {}
        }
    }
    std::fs::write(out, encode(date, &types, &regions)?)?;
    Ok(())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "prices are small and positive")]
fn round(value: f64) -> u32 {
    value.round() as u32
}

fn encode(
    date: &str,
    types: &BTreeSet<&str>,
    regions: &BTreeMap<(String, String), Region>,
) -> Result<Vec<u8>> {
    let mut out = b"QDPRICE2".to_vec();
    out.extend(date.as_bytes());
    out.extend(u16::try_from(types.len())?.to_le_bytes());
    out.extend(u16::try_from(regions.len())?.to_le_bytes());
    let mut names = Vec::new();
    for name in types {
        text(&mut names, name)?;
    }
    block(&mut out, &names)?;
    for ((provider, name), region) in regions {
        text(&mut out, provider)?;
        text(&mut out, name)?;
        out.extend(region.multiplier.to_le_bytes());
        out.extend(u16::try_from(region.classes.len())?.to_le_bytes());
        for (class, multiplier) in &region.classes {
            text(&mut out, class)?;
            out.extend(multiplier.to_le_bytes());
        }
        out.extend(u16::try_from(region.rows.len())?.to_le_bytes());
        block(&mut out, &columns(&region.rows))?;
    }
    Ok(out)
}

fn columns(rows: &BTreeMap<u16, (u32, u16)>) -> Vec<u8> {
    let (mut out, mut before) = (Vec::new(), 0);
    for id in rows.keys() {
        out.extend((id - before).to_le_bytes());
        before = *id;
    }
    for byte in 0..4 {
        out.extend(rows.values().map(|(price, _)| price.to_le_bytes()[byte]));
    }
    for byte in 0..2 {
        out.extend(rows.values().map(|(_, ratio)| ratio.to_le_bytes()[byte]));
    }
    out
}

fn block(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    zlib.write_all(bytes)?;
    let packed = zlib.finish()?;
    out.extend(u32::try_from(packed.len())?.to_le_bytes());
    out.extend(packed);
    Ok(())
}

fn text(out: &mut Vec<u8>, text: &str) -> Result<()> {
    out.push(u8::try_from(text.len())?);
    out.extend(text.as_bytes());
    Ok(())
}

/// The rows of a CSV file without its heading. Fields in quotes may hold commas; the columns that
/// are used here never do, so the rest of a quoted field may be split without harm.
fn rows(path: &Path) -> Result<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(path)?;
    let rows = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect::<Vec<Vec<_>>>();
    ensure!(rows.iter().all(|row| row.len() >= 7), "{}: a row has too few columns", path.display());
    Ok(rows)
}
