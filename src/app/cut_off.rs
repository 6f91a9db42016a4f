//! Runs that an earlier process of ours began on this machine and never ended.

use std::path::Path;

use crate::operations::Unfinished;
use crate::runner::{Who, journal};

/// The runs of a journal that nobody carries on any more.
pub(super) fn runs(journal: &Path) -> Vec<Unfinished> {
    journal::unfinished(journal, &Who::here().host, &alive)
}

/// Whether a process of this number lives and may be one of ours. Where that cannot be known it is
/// taken to live: what goes on must not be begun a second time.
fn alive(pid: u64) -> bool {
    // Linux tells the dead that nobody has buried yet, and another program under an old number.
    let about = |of: &str| std::fs::read_to_string(format!("/proc/{of}/stat")).ok();
    if let Some(own) = about("self").as_deref().and_then(name_and_state) {
        let other = about(&pid.to_string());
        let other = other.as_deref().and_then(name_and_state);
        return other.is_some_and(|(name, state)| name == own.0 && !matches!(state, "Z" | "X"));
    }
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // A process of somebody else is not ours, and so not the one that was cut off.
    pid.is_some_and(|pid| match rustix::process::test_kill_process(pid) {
        Ok(()) => true,
        Err(error) => !matches!(error, rustix::io::Errno::SRCH | rustix::io::Errno::PERM),
    })
}

/// The name and the state of a process (`proc_pid_stat(5)`): the name may hold anything, brackets too.
fn name_and_state(stat: &str) -> Option<(&str, &str)> {
    let (before, after) = stat.rsplit_once(')')?;
    Some((before.split_once('(')?.1, after.split_whitespace().next()?))
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
        assert_eq!(name_and_state("12 (a) b) (c) Z 1 12"), Some(("a) b) (c", "Z")));
    }

    #[test]
    fn the_dead_are_dead_before_they_are_buried() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = u64::from(child.id());
        let began = std::time::Instant::now();
        // Nobody waits for it: it stays in the table of processes.
        while alive(pid) && began.elapsed() < std::time::Duration::from_secs(20) {
            std::thread::yield_now();
        }
        assert!(!alive(pid));
        child.wait().unwrap();
    }
}
