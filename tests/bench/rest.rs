//! G9: what it uses when nothing happens.

use std::path::Path;
use std::time::{Duration, Instant};

use color_eyre::eyre::Result;

use crate::fleet::{Fleet, Size};
use crate::table::{Row, row};
use crate::{process, screen};

/// Longer than metrics are asked for anew.
const IDLE: Duration = Duration::from_secs(40);

pub(crate) fn measure(binary: &Path, size: Size) -> Result<()> {
    let fleet = Fleet::serve(binary, &size.scenario())?;
    let mut session = screen::open_complete(binary, &fleet, size)?;
    let pid = process::of(&session)?;
    // What follows a start is over: first metrics, first audits.
    session.settle(IDLE, IDLE);
    let (before, began) = (process::cpu(pid)?, Instant::now());
    let bytes = session.settle(IDLE, IDLE);
    let used = process::cpu(pid)?.saturating_sub(before);
    row(&Row {
        figure: "G9",
        what: "idle for 40 s: share of a core",
        target: "0.5 %",
        measured: format!("{:.2} %", used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0),
        ..Row::default()
    });
    row(&Row {
        figure: "G9",
        what: "idle for 40 s: bytes to the terminal (ages and the clock)",
        target: "0",
        measured: bytes.to_string(),
        ..Row::default()
    });
    Ok(())
}
