//! What the reading of one pod costs in each format, from bytes to record.

use std::hint::black_box;
use std::time::Instant;

use color_eyre::eyre::{Result, eyre};
use quarterdeck::kinds::{self, wire::Format};
use quarterdeck::model::Kind;

use crate::row;

/// Kubernetes' own test object of every field of a pod.
const PROTOBUF: &[u8] = include_bytes!("../fixtures/kubernetes/core.v1.Pod.pb");
const JSON: &[u8] = include_bytes!("../fixtures/kubernetes/core.v1.Pod.json");
const TURNS: u32 = 20_000;

pub(crate) fn measure() -> Result<()> {
    let version = kinds::of(Kind::Pod).preferred();
    for (format, name, bytes) in [(Format::Protobuf, "protobuf", PROTOBUF), (Format::Json, "JSON", JSON)] {
        version.object(format, bytes).map_err(|error| eyre!("the test object cannot be read: {error:?}"))?;
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let began = Instant::now();
            for _ in 0..TURNS {
                drop(black_box(version.object(format, black_box(bytes))));
            }
            best = best.min(began.elapsed().as_secs_f64() * 1e6 / f64::from(TURNS));
        }
        let what = format!("one pod of every field, {} bytes of {name}, to its record", bytes.len());
        row("", &what, &format!("{best:.1} us, best of 5"));
    }
    Ok(())
}
