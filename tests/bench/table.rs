//! What is printed: a table as the README has it.

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

/// The head of a table.
#[expect(clippy::print_stdout, reason = "printing is what it is for")]
pub(crate) fn head(title: &str) {
    println!("{title}\n");
    println!("| | figure | target | floor | measured |");
    println!("|---|---|---|---|---|");
}

/// Prints a row.
#[expect(clippy::print_stdout, reason = "printing is what it is for")]
pub(crate) fn row(row: &Row<'_>) {
    println!("| {} | {} | {} | {} | {} |", row.figure, row.what, row.target, row.floor, row.measured);
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
