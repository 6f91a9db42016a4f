//! Waiting, with a deadline.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::error::{Error, Result};

/// Asks `condition` again and again until it holds. Other people's servers tell nobody when they are ready, so each
/// asking has to take its time: it runs a program, or waits for something meanwhile.
///
/// # Errors
/// When it does not hold within `deadline`, named by `what`; or at once when the condition itself fails, which is for
/// what no waiting mends (a process that has exited).
pub fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !condition().map_err(Error::on(format!("while waiting until {what}")))? {
        if start.elapsed() > deadline {
            return Err(in_vain(deadline, what));
        }
    }
    Ok(())
}

/// Does what waits by itself, and may do so for ever.
///
/// # Errors
/// When it is not done within `deadline`; it goes on waiting then.
pub fn within<T: Send + 'static>(
    deadline: Duration,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (sender, done) = channel();
    std::thread::spawn(move || sender.send(work()));
    done.recv_timeout(deadline).map_err(|_| in_vain(deadline, what))
}

fn in_vain(deadline: Duration, what: &str) -> Error {
    Error::new(format!("waited {} s in vain until {what}", deadline.as_secs()))
}
