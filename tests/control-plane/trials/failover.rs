//! Failover between two real control planes.

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::failover;
use super::planes::{Binaries, Options};

/// Drill, run, way back, and a run without the primary.
pub(crate) fn all_ways(binaries: &Binaries) -> Outcome {
    let mut real = Real::start(binaries, 2, &Options::default())?;
    runtime()?.block_on(failover::all_ways(&mut real));
    Ok(())
}
