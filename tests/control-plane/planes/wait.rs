//! Waiting for a condition, with a deadline; the only place where the harness sleeps.

use std::time::{Duration, Instant};

use super::error::{Error, Result};

const INTERVAL: Duration = Duration::from_millis(50);

/// Asks `condition` again and again until it holds.
///
/// # Errors
/// When it does not hold within `deadline`, named by `what`; or at once when the condition itself fails, which is for
/// what no waiting mends (a process that has exited).
pub fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    loop {
        if condition().map_err(Error::on(format!("while waiting until {what}")))? {
            return Ok(());
        }
        if start.elapsed() > deadline {
            return Err(Error::new(format!("waited {} s in vain until {what}", deadline.as_secs())));
        }
        // Other people's processes tell nobody when they are ready: they can only be asked.
        std::thread::sleep(INTERVAL);
    }
}
