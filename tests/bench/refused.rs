//! G19: how often what fails or is forbidden is asked for, from the third to the fifth minute.

use std::path::Path;
use std::time::Duration;

use color_eyre::eyre::{Result, eyre};

use crate::screen;
use crate::size::Size;
use crate::table::{Row, row};
use driver::Fleet;

/// Before this, trying again soon is right.
const FIRST: Duration = Duration::from_secs(120);

/// What is looked at.
const LOOKED_AT: Duration = Duration::from_secs(180);

/// What is on in every cluster, of which kind, and the most requests for it in the time looked at.
const FAULTS: [(&str, &str, &str, &str); 2] = [
    ("forbidden", "pods", "403: requests for a kind of a cluster in 3 minutes", "1"),
    ("error", "nodes", "503: requests for a kind of a cluster in 3 minutes", "6"),
];

pub(crate) fn measure(binary: &Path, size: Size) -> Result<()> {
    let fleet = Fleet::serve(binary, &size.scenario())?;
    let control = fleet.control.as_ref().ok_or_else(|| eyre!("this program's demo has no --control"))?;
    let mut session = screen::open_complete(binary, &fleet, size)?;
    for (fault, kind, ..) in FAULTS {
        control.fault(&format!(r#"{{"fault": "{fault}", "kinds": ["{kind}"]}}"#))?;
    }
    // Open watches would go on.
    control.fault(r#"{"fault": "reset"}"#)?;
    let counts = || -> Result<[u64; 2]> {
        let happened = control.happened()?;
        let of = |fault: &str| happened.iter().filter(|(_, f, _)| f == fault).map(|(_, _, n)| n).sum();
        Ok(FAULTS.map(|(fault, ..)| of(fault)))
    };
    session.settle(FIRST, FIRST);
    let before = counts()?;
    if before.contains(&0) {
        return Err(eyre!("nothing was refused: {before:?}"));
    }
    session.settle(LOOKED_AT, LOOKED_AT);
    let after = counts()?;
    for ((_, _, what, target), (after, before)) in FAULTS.into_iter().zip(after.into_iter().zip(before)) {
        let each = (after - before) as f64 / size.clusters() as f64;
        row(&Row { figure: "G19", what, target, measured: format!("{each:.1}"), ..Row::default() });
    }
    Ok(())
}
