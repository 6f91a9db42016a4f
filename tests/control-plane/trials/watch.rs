//! Watches of real servers.

use std::time::Duration;

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::watch;
use super::planes::{Binaries, Options};

/// Every kind is seen as the server has it; outages are noticed; what is denied is said.
pub(crate) fn fleet(binaries: &Binaries) -> Outcome {
    let mut real = Real::start(binaries, 2, &Options::default())?;
    runtime()?.block_on(async {
        watch::everything_is_seen(&mut real).await;
        watch::frozen(&mut real).await;
        watch::denied(&mut real).await;
        watch::stopped(&mut real).await;
    });
    Ok(())
}

/// Versions that etcd has compacted lead to new lists.
pub(crate) fn compaction(binaries: &Binaries) -> Outcome {
    let options = Options {
        controllers: false,
        kwok: false,
        nodes: false,
        compaction: Some(Duration::from_secs(2)),
        ..Options::default()
    };
    let mut real = Real::start(binaries, 2, &options)?;
    runtime()?.block_on(watch::forgotten(&mut real));
    Ok(())
}
