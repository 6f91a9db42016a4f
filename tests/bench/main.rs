//! Measures Quarterdeck as a whole process, on a pseudo-terminal, beside what it is compared with.
//!
//! ```text
//! cargo build --release && cargo run --release --example bench -- target/release/quarterdeck
//! cargo run --release --example bench -- target/release/quarterdeck --size L
//! cargo run --release --example bench -- target/release/quarterdeck --real
//! cargo run --release --example bench -- --decode
//! cargo run --release --example bench -- --views
//! ```
//!
//! The first prints the figures of speed and memory on an embedded fleet of 20 clusters in a process
//! of its own (L/10), the second those of 200 (L): each with its target and, where there is one, the
//! floor that was measured in the same run. `--only sync,store,rest,keys,storm,outage,plugin,serve`
//! measures some of them; `--only refused` those of G19, which take five minutes. The table comes at
//! the end, in the order of the figures; what could not be measured is a row of its own. `--real`
//! prints G29 and G30 on a real control plane with 10,000 pods, beside kubectl's time and memory for
//! the same table in the same run, with `--k9s PROGRAM` and `--sofka PROGRAM` beside those of k9s and
//! sofka; `--decode` times the reading of one pod, and of a list, in both formats; `--views` times each
//! pane over 200,000 pods, and prints G12 without a terminal. Machines are noisy: compare within one run.

#[path = "../control-plane/planes.rs"]
mod planes;

mod decode;
mod floor;
mod keys;
mod outage;
mod plugin;
mod real;
mod refused;
mod relay;
mod rest;
mod screen;
mod serve;
mod size;
mod store;
mod storm;
mod sync;
mod table;
mod views;

use std::alloc::System;
use std::path::{Path, PathBuf};

use clap::Parser;
use color_eyre::eyre::{Result, eyre};

use size::Size;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts what this program itself holds, for the store's own bytes.
#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Measures Quarterdeck as a whole process
#[derive(Parser)]
struct Arguments {
    /// The program to be measured
    binary: Option<PathBuf>,
    /// The fleet: L, or a tenth of it
    #[arg(long, default_value = "L/10")]
    size: Size,
    /// Some of the figures only; `refused` takes five minutes and is measured only when it is named
    #[arg(long, value_delimiter = ',', value_parser = PARTS.map(|(name, _)| name))]
    only: Vec<String>,
    /// Measure on one real control plane, beside kubectl
    #[arg(long)]
    real: bool,
    #[command(flatten)]
    others: real::Others,
    /// Time the reading of pods alone
    #[arg(long)]
    decode: bool,
    /// Time the panes alone
    #[arg(long)]
    views: bool,
}

/// What measures some of the figures.
type Part = fn(&Path, Size) -> Result<()>;

/// The parts by name.
const PARTS: [(&str, Part); 9] = [
    ("sync", sync::measure),
    ("store", store::measure),
    ("rest", rest::measure),
    ("keys", keys::measure),
    ("storm", storm::measure),
    ("outage", outage::measure),
    ("plugin", plugin::measure),
    ("serve", serve::measure),
    (LONG, refused::measure),
];

/// The part that takes so long that it must be named.
const LONG: &str = "refused";

fn main() -> Result<()> {
    color_eyre::install()?;
    let arguments = Arguments::parse();
    if arguments.decode {
        return whole("from bytes to records, best of 5", "decode", decode::measure);
    }
    if arguments.views {
        return whole("200,000 pods in one process, without a terminal", "views", views::measure);
    }
    let binary = arguments.binary.ok_or_else(|| eyre!("which binary? usage: bench BINARY"))?;
    if arguments.real {
        return whole(&real::title(), "real", || real::measure(&binary, &arguments.others));
    }
    let size = arguments.size;
    let wanted = |name: &str| match arguments.only.as_slice() {
        [] => name != LONG,
        only => only.iter().any(|o| o == name),
    };
    let mut failed = Vec::new();
    for (name, part) in PARTS.into_iter().filter(|(name, _)| wanted(name)) {
        if let Err(error) = part(&binary, size) {
            cannot(name, &error);
            failed.push(name);
        }
    }
    table::print(&format!("{}, terminal {}x{}", size.scenario(), screen::SIZE.0, screen::SIZE.1));
    // Whoever runs this in a script must see that the table is not whole.
    if failed.is_empty() { Ok(()) } else { Err(eyre!("not all could be measured: {}", failed.join(", "))) }
}

/// One table of one part.
fn whole(title: &str, name: &str, measure: impl FnOnce() -> Result<()>) -> Result<()> {
    let measured = measure();
    if let Err(error) = &measured {
        cannot(name, error);
    }
    table::print(title);
    measured
}

/// A part that could not be measured is a row, and the others go on.
fn cannot(name: &str, error: &color_eyre::Report) {
    let why = format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
    let measured: String = why.chars().take(300).collect();
    table::row(&table::Row { what: &format!("{name}: it ended early"), measured, ..Default::default() });
}
