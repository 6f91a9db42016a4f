//! Measures Quarterdeck as a whole process, on a pseudo-terminal, beside what it is compared with.
//!
//! ```text
//! cargo build --release && cargo run --example bench -- target/release/quarterdeck
//! cargo run --example bench -- target/release/quarterdeck --real
//! cargo run --release --example bench -- --decode
//! cargo run --release --example bench -- --views
//! ```
//!
//! The first prints G1, G9, G11 and G13 on an embedded fleet in a process of its own; `--real`
//! prints G29 and G30 on a real control plane with 10,000 pods, beside kubectl's time and memory
//! for the same table in the same run; `--decode` times the reading of one pod in both formats;
//! `--views` times each pane over 200,000 pods, and prints G12. The figures' meaning and targets are in the README.
//! Machines are noisy: compare within one run.

#[path = "../pty/session.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "it is the tests' own, and they use the rest of it")]
mod session;

#[path = "../control-plane/planes.rs"]
mod planes;

mod decode;
mod embedded;
mod process;
mod real;
mod views;

use std::path::PathBuf;

use color_eyre::eyre::{Result, eyre};

fn main() -> Result<()> {
    color_eyre::install()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "--decode") {
        return decode::measure();
    }
    if arguments.iter().any(|a| a == "--views") {
        return views::measure();
    }
    let real = arguments.iter().any(|a| a == "--real");
    let binary = arguments.iter().find(|a| !a.starts_with("--"));
    let binary = PathBuf::from(
        binary.ok_or_else(|| eyre!("usage: bench BINARY [--real], or bench --decode or --views"))?,
    );
    if real { real::measure(&binary) } else { embedded::measure(&binary) }
}

/// One row of the table: figure, what it is, what came out.
#[expect(clippy::print_stdout, reason = "printing is what it is for")]
fn row(figure: &str, what: &str, value: &str) {
    println!("| {figure:<4} | {what:<62} | {value:<34} |");
}

/// The value below which this share of the sorted values lies.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let place = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}
