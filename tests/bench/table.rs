//! What is printed: a table as the README has it, in the order of the figures.

use std::sync::{Mutex, PoisonError};

/// One figure.
#[derive(Default)]
pub(crate) struct Row<'a> {
    /// Its name in the design: G1.
    pub(crate) figure: &'a str,
    pub(crate) what: &'a str,
    pub(crate) target: &'a str,
    /// What no program could be below, measured in the same run.
    pub(crate) floor: String,
    pub(crate) measured: String,
}

/// What was measured so far: the number of the figure, and the line.
static LINES: Mutex<Vec<(u32, String)>> = Mutex::new(Vec::new());

/// Keeps a row for the table. As a sign of life it is told at once, beside the table.
#[expect(clippy::print_stderr, reason = "telling is what it is for")]
pub(crate) fn row(row: &Row<'_>) {
    let Row { figure, what, target, floor, measured } = row;
    eprintln!("{figure:<4} {what}: {measured}");
    // What belongs to no figure comes last.
    let number = figure.strip_prefix('G').and_then(|n| n.parse().ok()).unwrap_or(u32::MAX);
    let line = format!("| {figure} | {what} | {target} | {floor} | {measured} |");
    LINES.lock().unwrap_or_else(PoisonError::into_inner).push((number, line));
}

/// Prints the table.
#[expect(clippy::print_stdout, reason = "printing is what it is for")]
pub(crate) fn print(title: &str) {
    let mut lines = std::mem::take(&mut *LINES.lock().unwrap_or_else(PoisonError::into_inner));
    lines.sort_by_key(|(number, _)| *number);
    println!("{title}\n");
    println!("| | figure | target | floor | measured |");
    println!("|---|---|---|---|---|");
    lines.iter().for_each(|(_, line)| println!("{line}"));
}

/// The value below which this share of the sorted values lies.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let place = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// The median and the 99th percentile.
pub(crate) fn spread(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (percentile(values, 0.5), percentile(values, 0.99))
}
