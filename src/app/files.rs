//! Files of our own: private, and written whole or not at all. And how many may be open.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A path as people type it: `~` is the home directory.
pub(super) fn from_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::model::Problem;

/// Writes a file of mode 0600 in a directory of mode 0700: beside its place first, then moved
/// there, so that nobody ever reads half of it.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, 0o600)
}

/// The same for a program, of mode 0700: nobody ever runs half of it.
pub(super) fn write_program(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, 0o700)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        make_private(folder)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let mut file = private(Path::new(&beside), mode)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// What is open besides connections: the terminal, the journal, plugins that run, the runtime.
const OTHERS: u64 = 48;

/// Makes room for connections to this many clusters, a second one to each while the first is
/// replaced: the usual limit of 256 or 1,024 open files may be raised by anybody up to the hard
/// one. Says so when that is too low to hold one connection each.
pub(super) fn make_room(clusters: usize) -> Option<Problem> {
    let clusters = clusters as u64;
    let limit = getrlimit(Resource::Nofile);
    let mut current = limit.current?;
    let wanted = clusters * 2 + OTHERS;
    if current < wanted {
        let raised = limit.maximum.map_or(wanted, |hard| hard.min(wanted)).max(current);
        if setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }).is_ok() {
            current = raised;
        }
    }
    let least = clusters + OTHERS;
    (current < least).then(|| {
        let what =
            format!("{current} files may be open, and {clusters} clusters need {least}: ulimit -n {wanted}");
        Problem::of("open files", what)
    })
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private(path: &Path, mode: u32) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_up_to_the_hard_limit() {
        let before = getrlimit(Resource::Nofile);
        assert_eq!(make_room(1), None);
        assert_eq!(getrlimit(Resource::Nofile), before, "there was room");
        if let Some(hard) = before.maximum {
            let problem = make_room(usize::try_from(hard).unwrap()).unwrap();
            assert!(problem.what.contains("ulimit -n"), "{problem}");
            assert_eq!(getrlimit(Resource::Nofile).current, Some(hard));
        }
    }

    #[test]
    fn files_are_private_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/report.md");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        let program = folder.path().join("a/b/login");
        write_program(&program, b"#!/bin/sh").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for (path, mode) in [(&path, 0o600), (&program, 0o700)] {
                assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
            }
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
    }
}
