//! What the reading of one pod, and of a page of them, costs in each format, from bytes to record.

use std::hint::black_box;
use std::time::Instant;

use color_eyre::eyre::{Result, eyre};
use quarterdeck::kinds::wire::{Format, ListMeta, write_list};
use quarterdeck::kinds::{self, VersionDecl};
use quarterdeck::model::Kind;

use crate::floor;
use crate::table::{Row, row};

/// Kubernetes' own test object of every field of a pod.
const PROTOBUF: &[u8] = include_bytes!("../fixtures/kubernetes/core.v1.Pod.pb");
const JSON: &[u8] = include_bytes!("../fixtures/kubernetes/core.v1.Pod.json");
const TURNS: u32 = 20_000;

/// Items of a page.
const PAGE: usize = 500;

pub(crate) fn measure() -> Result<()> {
    let version = kinds::of(Kind::Pod).preferred();
    for (format, name, bytes) in [(Format::Protobuf, "protobuf", PROTOBUF), (Format::Json, "JSON", JSON)] {
        version.object(format, bytes).map_err(|error| eyre!("the test object cannot be read: {error:?}"))?;
        let one = best(TURNS, || {
            drop(black_box(version.object(format, black_box(bytes))));
            Ok(())
        })?;
        report(&format!("one pod of every field, {} bytes of {name}", bytes.len()), String::new(), one);
        let page = page(version, format)?;
        let turns = TURNS / u32::try_from(PAGE)?;
        let each = best(turns, || floor::read(version, format, black_box(&page)).map(drop))? / PAGE as f64;
        let what = format!(
            "one of {PAGE} such pods of a page of {name} in pieces of 16 KiB; floor: the pod alone, and its bytes copied"
        );
        let copied = best(turns, || copy(black_box(&page)))? / PAGE as f64;
        report(&what, format!("{one:.1} us, {copied:.2} us"), each);
    }
    Ok(())
}

/// What no reader of a page that comes in pieces can be below: each byte is touched once.
fn copy(page: &[u8]) -> Result<()> {
    let mut buffer = Vec::with_capacity(16 << 10);
    for piece in page.chunks(16 << 10) {
        buffer.clear();
        buffer.extend_from_slice(piece);
        black_box(&buffer);
    }
    Ok(())
}

fn report(what: &str, floor: String, micros: f64) {
    row(&Row { what, floor, measured: format!("{micros:.1} us"), ..Row::default() });
}

/// Microseconds that it takes once.
fn best(turns: u32, mut what: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let began = Instant::now();
        for _ in 0..turns {
            what()?;
        }
        best = best.min(began.elapsed().as_secs_f64() * 1e6 / f64::from(turns));
    }
    Ok(best)
}

/// A page of the same pod again and again.
fn page(version: &VersionDecl, format: Format) -> Result<Vec<u8>> {
    let meta = ListMeta { resource_version: "5".into(), ..ListMeta::default() };
    Ok(match format {
        Format::Protobuf => {
            let item = version.item_to_protobuf(JSON).map_err(|error| eyre!("{error}"))?;
            write_list("v1", "PodList", &meta, std::iter::repeat_n(&item[..], PAGE))
        }
        Format::Json => {
            let item = std::str::from_utf8(JSON)?;
            let items = vec![item; PAGE].join(",");
            format!(r#"{{"kind":"PodList","metadata":{{"resourceVersion":"5"}},"items":[{items}]}}"#)
                .into_bytes()
        }
    })
}
