//! The journal: what was done, append-only and chained by hashes.
//!
//! JSON Lines, one record a line in canonical form, in a file of mode 0600 in a directory of mode
//! 0700. Each record carries `seq`, the hash of the record before it (`prev`) and its own:
//! `hash = SHA-256(prev ‖ canonical JSON of the record without hash)`. Every append reaches the
//! disk before it returns. Whoever can write the file can write another
//! chain: a head that was noted elsewhere tells one from the other, and whether the end was cut off.
//!
//! A writer that is killed in the middle of a line leaves it torn. It stays; the next record says
//! so in `torn` (its length and hash), so that a torn line and a damaged one are told apart.

mod chain;
#[cfg(test)]
mod tests;
mod unfinished;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::model::{Cause, Fault};
use crate::operations::canonical;
use chain::{End, Mark, Walked, link, vouch, walk};

pub use chain::{BadJournal, Verified, verify};
pub use unfinished::{Alive, going, unfinished};

/// The form of the records.
const FORM: u64 = 1;

/// How long another process may hold the journal: it does so for one record only.
const PATIENCE: Duration = Duration::from_secs(10);

/// A journal that is open for writing. Several processes may have it open: it is locked for each
/// record, and what another wrote meanwhile is checked and followed.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// The last whole line.
    mark: Mark,
    /// Bytes in it, as far as they are known.
    len: u64,
    seq: u64,
    prev: String,
    end: End,
    /// A write failed half-way: the end of the file is not known any more.
    broken: bool,
    patience: Duration,
}

impl Journal {
    /// Opens a journal for writing and makes it, and its directory, when it is not there.
    ///
    /// # Errors
    /// It cannot be made or read, it is damaged, or another process does not let go of it.
    pub fn open(path: &Path) -> Result<Journal, Fault> {
        let cannot = |error: io::Error| {
            let what = format!("the journal {} cannot be opened: {error}", path.display());
            Fault::new(Cause::Config, what, "without a journal nothing is written to any cluster")
        };
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            make_private_directory(directory).map_err(cannot)?;
        }
        let mut journal = Journal {
            file: open_private(path).map_err(cannot)?,
            path: path.to_owned(),
            mark: Mark::default(),
            len: 0,
            seq: 0,
            prev: String::new(),
            end: End::Whole,
            broken: false,
            patience: PATIENCE,
        };
        journal.locked(Journal::read_on)?;
        Ok(journal)
    }

    /// Appends a record and waits until it is on the disk. `v`, `seq`, `prev`, `hash` and `torn`
    /// are set here.
    ///
    /// # Errors
    /// Another process does not let go of the journal or damaged it, or the record could not be
    /// written whole. After the last nothing more is: what the file ends with is not known any more.
    pub fn append(&mut self, fields: Map<String, Value>) -> Result<u64, Fault> {
        if self.broken {
            return Err(unwritten(format!("the journal {} failed before", self.path.display())));
        }
        self.locked(|journal| {
            if journal.file_len()? != journal.len {
                journal.read_on()?;
            }
            journal.write(fields)
        })
    }

    /// Does something while no other process writes.
    fn locked<T>(&mut self, act: impl FnOnce(&mut Journal) -> Result<T, Fault>) -> Result<T, Fault> {
        hold(self.patience, || self.file.try_lock()).map_err(|error| {
            let what = format!("the journal {} is in use: {error}", self.path.display());
            Fault::new(Cause::Config, what, "another quarterdeck holds it and does not go on: end that one")
        })?;
        let result = act(self);
        // The lock goes with the file in any case; this only lets others go on sooner.
        let _ = self.file.unlock();
        result
    }

    fn file_len(&self) -> Result<u64, Fault> {
        let cannot =
            |error| unwritten(format!("the journal {} cannot be read: {error}", self.path.display()));
        self.file.metadata().map(|about| about.len()).map_err(cannot)
    }

    /// Reads what was written since the last whole line that is known.
    fn read_on(&mut self) -> Result<(), Fault> {
        let damaged = |what: String| {
            let what = format!("the journal {} {what}", self.path.display());
            Fault::new(Cause::Config, what, "move it away and keep it: a new one is begun")
        };
        let len = self.file_len()?;
        if len < self.len {
            return Err(damaged(format!("was cut: {} bytes of its end are gone", self.len - len)));
        }
        let walked = walk(&mut self.file, self.mark.clone());
        let Walked { mark, found, end } = walked.map_err(|bad| damaged(format!("is damaged, {bad}")))?;
        (self.mark, self.len, self.seq, self.prev, self.end) = (mark, len, found.records, found.head, end);
        Ok(())
    }

    fn write(&mut self, mut record: Map<String, Value>) -> Result<u64, Fault> {
        record.insert("v".to_owned(), FORM.into());
        record.insert("seq".to_owned(), (self.seq + 1).into());
        record.insert("prev".to_owned(), self.prev.as_str().into());
        if let End::Torn(torn) = &self.end {
            record.insert("torn".to_owned(), vouch(torn));
        }
        let mut record = Value::Object(record);
        let hash = link(&self.prev, &record);
        record["hash"] = hash.as_str().into();
        // A line that has no end yet ends here.
        let (before, lines) = if matches!(self.end, End::Whole) { ("", 1) } else { ("\n", 2) };
        let line = format!("{before}{}\n", canonical(&record));
        if let Err(error) = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data()) {
            self.broken = true;
            return Err(unwritten(format!("the journal {} cannot be written: {error}", self.path.display())));
        }
        self.len += line.len() as u64;
        self.seq += 1;
        self.prev = hash;
        self.end = End::Whole;
        let lines = self.mark.lines + lines;
        self.mark = Mark { offset: self.len, lines, records: self.seq, head: self.prev.clone() };
        Ok(self.seq)
    }

    /// From now on it behaves as after a full disk.
    #[cfg(test)]
    pub(super) fn break_it(&mut self) {
        self.broken = true;
    }

    /// Whether the last writer was killed in the middle of a line.
    #[must_use]
    pub fn found_torn(&self) -> bool {
        matches!(self.end, End::Torn(_))
    }
}

fn unwritten(what: String) -> Fault {
    Fault::new(Cause::Config, what, "nothing is sent without a record; make room and start again")
}

/// Takes a lock as soon as whoever has it lets go. The system knows no lock with a limit.
fn hold(patience: Duration, take: impl Fn() -> Result<(), TryLockError>) -> Result<(), TryLockError> {
    let until = Instant::now() + patience;
    loop {
        match take() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

fn make_private_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A link in its place could lead our records into any file of ours.
        let no_follow = rustix::fs::OFlags::NOFOLLOW.bits();
        options.mode(0o600).custom_flags(i32::try_from(no_follow).unwrap_or_default());
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        // A new file is on the disk only when its directory is.
        let directory = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()?;
    }
    Ok(file)
}
