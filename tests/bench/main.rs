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
//! floor that was measured in the same run. `--only sync,rest,keys,storm,outage` measures some of
//! them. `--real` prints G29 and G30 on a real control plane with 10,000 pods, beside kubectl's time
//! and memory for the same table in the same run; `--decode` times the reading of one pod, and of a
//! list, in both formats; `--views` times each pane over 200,000 pods, and prints G12 without a
//! terminal. Machines are noisy: compare within one run.

#[path = "../pty/session.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "it is the tests' own, and they use the rest of it")]
mod session;

#[path = "../control-plane/planes.rs"]
mod planes;

mod control;
mod decode;
mod fleet;
mod floor;
mod keys;
mod outage;
mod process;
mod real;
mod relay;
mod rest;
mod screen;
mod storm;
mod sync;
mod table;
mod views;

use std::path::PathBuf;

use clap::Parser;
use color_eyre::eyre::{Result, eyre};

use fleet::Size;

/// Measures Quarterdeck as a whole process
#[derive(Parser)]
struct Arguments {
    /// The program to be measured
    binary: Option<PathBuf>,
    /// The fleet: L, or a tenth of it
    #[arg(long, default_value = "L/10")]
    size: Size,
    /// Some of the figures only
    #[arg(long, value_delimiter = ',', value_parser = ["sync", "rest", "keys", "storm", "outage"])]
    only: Vec<String>,
    /// Measure on one real control plane, beside kubectl
    #[arg(long)]
    real: bool,
    /// Time the reading of pods alone
    #[arg(long)]
    decode: bool,
    /// Time the panes alone
    #[arg(long)]
    views: bool,
}

fn main() -> Result<()> {
    color_eyre::install()?;
    let arguments = Arguments::parse();
    if arguments.decode {
        return decode::measure();
    }
    if arguments.views {
        return views::measure();
    }
    let binary = arguments.binary.ok_or_else(|| eyre!("which binary? usage: bench BINARY"))?;
    if arguments.real {
        return real::measure(&binary);
    }
    let wanted = |part: &str| arguments.only.is_empty() || arguments.only.iter().any(|o| o == part);
    table::head(&format!("{}, terminal {}x{}", arguments.size.scenario(), screen::SIZE.0, screen::SIZE.1));
    if wanted("sync") {
        sync::measure(&binary, arguments.size)?;
    }
    if wanted("rest") {
        rest::measure(&binary, arguments.size)?;
    }
    if wanted("keys") {
        keys::measure(&binary, arguments.size)?;
    }
    if wanted("storm") {
        storm::measure(&binary, arguments.size)?;
    }
    if wanted("outage") {
        outage::measure(&binary, arguments.size)?;
    }
    Ok(())
}
