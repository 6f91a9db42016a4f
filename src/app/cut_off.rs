//! Runs that another process of ours began on this machine: those that were never ended, and those
//! that go on.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::Time;
use crate::operations::{Elsewhere, Unfinished};
use crate::runner::{Who, journal};

/// In what unit `/proc` says when a process began (`USER_HZ` of the kernel's interface, which is the
/// same wherever this program runs).
const TICKS: u64 = 100;

/// By so much a clock may have been set, and the time of a start may be rounded.
const SLACK: Duration = Duration::from_secs(2);

/// The runs of a journal that nobody carries on any more.
pub(super) fn runs(journal: &Path) -> Vec<Unfinished> {
    journal::unfinished(journal, &Who::here().host, &alive)
}

/// The runs of a journal that other processes carry on.
pub(super) fn going(journal: &Path) -> Vec<Elsewhere> {
    journal::going(journal, &Who::here().host, u64::from(std::process::id()), &alive)
}

/// Whether a process of this number lives, may be one of ours, and was there at that time: in a
/// container the numbers begin anew with each start. Where that cannot be known it is taken to live:
/// what goes on must not be begun a second time.
fn alive(pid: u64, at: Time) -> bool {
    // Linux tells the dead that nobody has buried yet, and another program under an old number.
    let about = |of: &str| std::fs::read_to_string(format!("/proc/{of}/stat")).ok();
    if let Some(own) = about("self").as_deref().and_then(Stat::read) {
        let other = about(&pid.to_string());
        let Some(other) = other.as_deref().and_then(Stat::read) else { return false };
        let ours = other.name == own.name && !matches!(other.state, "Z" | "X");
        return ours && began(&other).is_none_or(|began| began <= time(at) + SLACK);
    }
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // A process of somebody else is not ours, and so not the one that was cut off.
    pid.is_some_and(|pid| match rustix::process::test_kill_process(pid) {
        Ok(()) => true,
        Err(error) => !matches!(error, rustix::io::Errno::SRCH | rustix::io::Errno::PERM),
    })
}

/// What `/proc/PID/stat` says of a process (`proc_pid_stat(5)`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stat<'a> {
    /// It may hold anything, brackets too.
    name: &'a str,
    state: &'a str,
    /// When it began, in ticks since the machine started.
    began: Option<u64>,
}

impl Stat<'_> {
    fn read(stat: &str) -> Option<Stat<'_>> {
        let (before, after) = stat.rsplit_once(')')?;
        let mut fields = after.split_whitespace();
        let state = fields.next()?;
        // The state is field 3, the time of the start field 22.
        let began = fields.nth(18).and_then(|ticks| ticks.parse().ok());
        Some(Stat { name: before.split_once('(')?.1, state, began })
    }
}

/// When a process began, by the clock on the wall.
fn began(process: &Stat<'_>) -> Option<SystemTime> {
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let up = Duration::try_from_secs_f64(uptime.split_whitespace().next()?.parse().ok()?).ok()?;
    let since_start = Duration::from_millis(process.began? * (1000 / TICKS));
    SystemTime::now().checked_sub(up.checked_sub(since_start)?)
}

fn time(at: Time) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_ended_one_does_not() {
        let own = u64::from(std::process::id());
        let far = Time::from_millis(i64::MAX / 2);
        assert!(alive(own, far));
        // Another process had its number before it began.
        assert!(!alive(own, Time::from_seconds(1_000_000_000)));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!alive(u64::from(pid), far));
        assert!(!alive(u64::MAX, far));
        let stat = Stat::read("12 (a) b) (c) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20");
        assert_eq!(stat, Some(Stat { name: "a) b) (c", state: "Z", began: Some(4711) }));
    }

    #[test]
    fn the_dead_are_dead_before_they_are_buried() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = u64::from(child.id());
        let began = std::time::Instant::now();
        // Nobody waits for it: it stays in the table of processes.
        let far = Time::from_millis(i64::MAX / 2);
        while alive(pid, far) && began.elapsed() < std::time::Duration::from_secs(20) {
            std::thread::yield_now();
        }
        assert!(!alive(pid, far));
        child.wait().unwrap();
    }
}
