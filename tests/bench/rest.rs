//! G9: what it uses when nothing happens.

use std::path::Path;
use std::time::{Duration, Instant};

use color_eyre::eyre::Result;

use crate::screen;
use crate::size::Size;
use crate::table::{Row, row};
use driver::Fleet;
use driver::process;

/// How long a start takes, with all that follows it.
const START: Duration = Duration::from_secs(40);

pub(crate) fn measure(binary: &Path, size: Size) -> Result<()> {
    let fleet = Fleet::serve(binary, &size.scenario())?;
    let mut session = screen::open_complete(binary, &fleet, size)?;
    let pid = process::of(&session)?;
    // What follows a start is over: first metrics, first audits.
    session.settle(START, START);
    // Metrics are asked for in rounds: one of them at L, two at L/10.
    let idle = Duration::from_secs(size.pick(80, 60));
    let (before, began) = (process::cpu(pid)?, Instant::now());
    let bytes = session.settle(idle, idle);
    let used = process::cpu(pid)?.saturating_sub(before);
    row(&Row {
        figure: "G9",
        what: &format!("idle for {} s: share of a core", idle.as_secs()),
        target: "0.5 %",
        measured: format!("{:.2} %", used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0),
        ..Row::default()
    });
    row(&Row {
        figure: "G9",
        what: "the same: bytes to the terminal (ages and the clock)",
        target: "0",
        measured: bytes.to_string(),
        ..Row::default()
    });
    Ok(())
}
