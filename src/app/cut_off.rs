//! Runs that an earlier process of ours began on this machine and never ended.

use std::path::Path;

use crate::operations::Unfinished;
use crate::runner::{Who, journal};

/// The runs of a journal that nobody carries on any more.
pub(super) fn runs(journal: &Path) -> Vec<Unfinished> {
    journal::unfinished(journal, &Who::here().host, &alive)
}

/// Whether a process of this number lives. Where that cannot be known it is taken to live: what
/// goes on must not be begun a second time.
fn alive(pid: u64) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // A process of somebody else is not ours, and so not the one that was cut off.
    pid.is_some_and(|pid| match rustix::process::test_kill_process(pid) {
        Ok(()) => true,
        Err(error) => !matches!(error, rustix::io::Errno::SRCH | rustix::io::Errno::PERM),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_ended_one_does_not() {
        assert!(alive(u64::from(std::process::id())));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!alive(u64::from(pid)));
        assert!(!alive(u64::MAX));
    }
}
