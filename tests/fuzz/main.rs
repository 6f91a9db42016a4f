//! Every parser of foreign bytes against mutated examples: no panic, and no memory that the input
//! does not pay for.
//!
//! A few thousand cases of each run with the other tests. `QUARTERDECK_FUZZ=10000000 cargo test
//! --release --test fuzz` runs as many of each; a case that fails says how to run it alone. What
//! only the watches can reach (gzip, whole answers) is in `watch::answer::tests::fuzz`, by the same
//! mutations.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a case that fails says how to run it alone")]

mod files;
mod mutate;
mod text;
mod wire;

use std::path::Path;

/// The files of a folder with this extension.
fn folder(path: &str, extension: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let mut files: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == extension));
    files.sort();
    assert!(!files.is_empty(), "{}", path.display());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Runs a target and looks how much memory the process took meanwhile, all of its threads together:
/// 64 MiB that were touched, and 1 GiB that were reserved (threads reserve, too).
fn run(target: &str, default: u64, examples: &[Vec<u8>], each: impl Fn(&[u8], &mut mutate::Chance)) {
    let before = memory();
    mutate::run(target, default, examples, each);
    if let (Some(before), Some(after)) = (before, memory()) {
        let touched = after.0.saturating_sub(before.0);
        let reserved = after.1.saturating_sub(before.1);
        assert!(touched <= 64 << 10, "{target}: {touched} KiB of memory");
        assert!(reserved <= 1 << 20, "{target}: {reserved} KiB of address space");
    }
}

/// The most memory that this process ever had, touched and reserved, in KiB. Where the system does
/// not say, nothing is checked.
fn memory() -> Option<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    Some((line("VmHWM:")?, line("VmPeak:")?))
}
