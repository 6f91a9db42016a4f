//! The embedded fleet itself, with nobody watching: what it takes to play so many clusters.

use std::path::Path;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, eyre};
use driver::Control;

use crate::size::Size;
use crate::storm::Counted;
use crate::table::{Row, row};
use driver::Fleet;
use driver::process;

/// How long each rate is looked at.
const LOOK: Duration = Duration::from_secs(20);

/// Changes of pods a second: the reference load, and a storm.
const RATES: [u32; 2] = [1_000, 20_000];

pub(crate) fn measure(binary: &Path, size: Size) -> Result<()> {
    let fleet = Fleet::serve(binary, &size.scenario())?;
    let control = fleet.control.as_ref().ok_or_else(|| eyre!("this program's demo has no --control"))?;
    row(&Row {
        figure: "–",
        what: "the embedded fleet: memory at rest",
        target: "4 GB",
        measured: format!("{:.0} MiB", process::memory_of(fleet.pid())?.0),
        ..Row::default()
    });
    RATES.into_iter().try_for_each(|rate| storm(&fleet, control, rate))
}

fn storm(fleet: &Fleet, control: &Control, rate: u32) -> Result<()> {
    let pid = fleet.pid();
    control.churn(rate)?;
    fleet.run_for(Duration::from_secs(3))?;
    let (counted, began, before) = (Counted::begin(control)?, Instant::now(), process::cpu(pid)?);
    fleet.run_for(LOOK)?;
    let made = counted.rate(control)?;
    let share = process::cpu(pid)?.saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    control.churn(0)?;
    row(&Row {
        figure: "–",
        what: &format!(
            "the embedded fleet, asked for {rate} changes of pods a second: made, cores, memory at most"
        ),
        target: "4 GB",
        measured: format!("{made:.0}, {share:.2}, {:.0} MiB", process::memory_of(pid)?.1),
        ..Row::default()
    });
    Ok(())
}
