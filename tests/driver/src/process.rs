//! What a process uses, by /proc.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use color_eyre::eyre::{Result, eyre};

use crate::Session;

/// The process of a screen.
pub fn of(session: &Session) -> Result<u32> {
    session.pid().ok_or_else(|| eyre!("the program has ended"))
}

/// Resident memory now and at most, in MiB.
pub fn memory(pid: u32) -> Option<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mib = |key: &str| -> Option<f64> {
        let line = status.lines().find(|line| line.starts_with(key))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
    };
    Some((mib("VmRSS:")?, mib("VmHWM:")?))
}

/// The same, or an error.
pub fn memory_of(pid: u32) -> Result<(f64, f64)> {
    memory(pid).ok_or_else(|| eyre!("no memory of process {pid} in /proc"))
}

/// CPU time so far, of all its threads. The kernel counts in hundredths of a second.
pub fn cpu(pid: u32) -> Result<Duration> {
    let read = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command's name may hold spaces; what follows its closing bracket does not.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * 10))
    };
    read().ok_or_else(|| eyre!("no CPU time of process {pid} in /proc"))
}

/// How many descriptors it has open, and how many of them are established TCP connections.
pub fn descriptors(pid: u32) -> Result<(usize, usize)> {
    let links =
        fs::read_dir(format!("/proc/{pid}/fd"))?.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let links: Vec<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let mut established = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // 01 is TCP_ESTABLISHED (include/net/tcp_states.h); the tenth field is the inode.
            if let (Some(&"01"), Some(inode)) = (fields.get(3), fields.get(9)) {
                established.insert(format!("socket:[{inode}]"));
            }
        }
    }
    let connections = links.iter().filter(|link| established.contains(*link)).count();
    Ok((links.len(), connections))
}
