//! The journal: what was done, append-only and chained by hashes.
//!
//! JSON Lines, one record a line in canonical form, in a file of mode 0600 in a directory of mode
//! 0700. Each record carries `seq`, the hash of the record before it (`prev`) and its own:
//! `hash = SHA-256(prev ‖ canonical JSON of the record without hash)`. Every append reaches the
//! disk before it returns. A chain proves that nothing was edited; it cannot prove that nothing
//! was cut off its end.
//!
//! A writer that is killed in the middle of a line leaves it torn. It stays; the next record says
//! so in `torn` (its length and hash), so that a torn line and a damaged one are told apart.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::model::{Cause, Fault, Text};
use crate::operations::{canonical, sha256};

/// The form of the records.
const FORM: u64 = 1;

/// What the first record is chained to.
const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A journal that is open for writing; no other process can open it meanwhile.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    seq: u64,
    prev: String,
    end: End,
    /// A write failed half-way: the end of the file is not known any more.
    broken: bool,
}

/// What a journal that is whole holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Records.
    pub records: u64,
    /// The hash of the last one: note it elsewhere, and cutting off the end is found too.
    pub head: String,
    /// Lines, from 1, that were torn by a crash and are vouched for by the record after them, or
    /// are the last.
    pub torn: Vec<usize>,
}

/// Where a journal is not what was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadJournal {
    /// The first bad line, from 1; `None` when the file cannot be read at all.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub what: Text,
}

impl std::fmt::Display for BadJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => write!(f, "{}", self.what),
        }
    }
}

impl std::error::Error for BadJournal {}

impl Journal {
    /// Opens a journal for writing and makes it, and its directory, when it is not there.
    ///
    /// # Errors
    /// It cannot be made or read, it is damaged, or another process writes to it.
    pub fn open(path: &Path) -> Result<Journal, Fault> {
        let cannot = |error: io::Error| {
            let what = format!("the journal {} cannot be opened: {error}", path.display());
            Fault::new(Cause::Config, what, "without a journal nothing is written to any cluster")
        };
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            make_private_directory(directory).map_err(cannot)?;
        }
        let mut file = open_private(path).map_err(cannot)?;
        if let Err(error) = file.try_lock() {
            let what = format!("the journal {} is in use: {error}", path.display());
            return Err(Fault::new(
                Cause::Config,
                what,
                "another quarterdeck writes to it: end that one first",
            ));
        }
        let (found, end) = walk(&mut file).map_err(|bad| {
            let what = format!("the journal {} is damaged, {bad}", path.display());
            Fault::new(Cause::Config, what, "move it away and keep it: a new one is begun")
        })?;
        file.seek(io::SeekFrom::End(0)).map_err(cannot)?;
        let path = path.to_owned();
        Ok(Journal { file, path, seq: found.records, prev: found.head, end, broken: false })
    }

    /// Appends a record and waits until it is on the disk. `v`, `seq`, `prev`, `hash` and `torn`
    /// are set here.
    ///
    /// # Errors
    /// It could not be written whole. After that nothing more is: what the file ends with is not
    /// known any more.
    pub fn append(&mut self, fields: Map<String, Value>) -> Result<u64, Fault> {
        let fault = |what: String| {
            Fault::new(Cause::Config, what, "nothing is sent without a record; make room and start again")
        };
        if self.broken {
            return Err(fault(format!("the journal {} failed before", self.path.display())));
        }
        let mut record = fields;
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
        let before = if matches!(self.end, End::Whole) { "" } else { "\n" };
        let line = format!("{before}{}\n", canonical(&record));
        if let Err(error) = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data()) {
            self.broken = true;
            return Err(fault(format!("the journal {} cannot be written: {error}", self.path.display())));
        }
        self.end = End::Whole;
        self.seq += 1;
        self.prev = hash;
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

/// Checks a journal from its first line to its last.
///
/// # Errors
/// The first line that is not what was written.
pub fn verify(path: &Path) -> Result<Verified, BadJournal> {
    let unreadable = |error: io::Error| BadJournal {
        line: None,
        what: format!("{} cannot be read: {error}", path.display()).into(),
    };
    let mut file = File::open(path).map_err(unreadable)?;
    walk(&mut file).map(|(verified, _)| verified)
}

/// The hash of a record that has none yet.
fn link(prev: &str, record: &Value) -> String {
    sha256(format!("{prev}{}", canonical(record)).as_bytes())
}

/// How a journal ends.
#[derive(Debug)]
enum End {
    /// With a whole line, or it is empty.
    Whole,
    /// With a whole record whose line has no end.
    NoNewline,
    /// In the middle of a record: these bytes.
    Torn(Vec<u8>),
}

/// Walks over every line.
fn walk(file: &mut File) -> Result<(Verified, End), BadJournal> {
    let mut reader = BufReader::new(file);
    let mut found = Verified { head: START.to_owned(), ..Verified::default() };
    // A line that is no record; the next one must vouch for it.
    let mut doubtful: Option<Vec<u8>> = None;
    for number in 1.. {
        let mut line = Vec::new();
        let bad = |number: usize, what: &str| BadJournal { line: Some(number), what: Text::clean(what) };
        // A record is a few kilobytes; a line without an end must not fill the memory.
        let read = (&mut reader).take(16 << 20).read_until(b'\n', &mut line);
        if read.map_err(|error| bad(number, &error.to_string()))? == 0 {
            break;
        }
        let whole = line.pop_if(|last| *last == b'\n').is_some();
        let record = std::str::from_utf8(&line).ok().and_then(|t| serde_json::from_str::<Value>(t).ok());
        match (record, doubtful.take()) {
            (None, Some(_)) => return Err(bad(number - 1, "it is no record")),
            (None, None) if whole => doubtful = Some(line),
            (None, None) if trailing(&line) => return Err(bad(number, "something follows its record")),
            (None, None) => {
                found.torn.push(number);
                return Ok((found, End::Torn(line)));
            }
            (Some(record), before) => {
                if let Some(torn) = before {
                    if record["torn"] != vouch(&torn) {
                        return Err(bad(number - 1, "it is no record"));
                    }
                    found.torn.push(number - 1);
                } else if record.get("torn").is_some() {
                    return Err(bad(number, "it speaks of a torn line before it that is not there"));
                }
                check(&record, &line, &found).map_err(|what| bad(number, &what))?;
                found.records += 1;
                found.head = record["hash"].as_str().unwrap_or_default().to_owned();
                if !whole {
                    return Ok((found, End::NoNewline));
                }
            }
        }
        if doubtful.is_some() && reader.fill_buf().is_ok_and(<[u8]>::is_empty) {
            return Err(bad(number, "it is no record"));
        }
    }
    Ok((found, End::Whole))
}

/// What a record says of a torn line before it.
fn vouch(torn: &[u8]) -> Value {
    json!({ "bytes": torn.len(), "sha256": sha256(torn) })
}

/// Whether a record is complete in these bytes and something follows it.
fn trailing(body: &[u8]) -> bool {
    let mut stream = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    matches!(stream.next(), Some(Ok(_))) && stream.byte_offset() < body.len()
}

fn check(record: &Value, body: &[u8], before: &Verified) -> Result<(), String> {
    let Some(map) = record.as_object() else { return Err("it is no record".to_owned()) };
    if record["seq"] != json!(before.records + 1) {
        return Err(format!("its number is {}; expected {}", record["seq"], before.records + 1));
    }
    if record["prev"] != before.head.as_str() {
        return Err("it does not follow the record before it".to_owned());
    }
    let mut bare = map.clone();
    let hash = bare.remove("hash");
    if hash != Some(link(&before.head, &Value::Object(bare)).into()) || canonical(record).as_bytes() != body {
        return Err("it was changed: its hash does not fit".to_owned());
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(action: &str) -> Map<String, Value> {
        let value = json!({ "action": action, "objects": [{ "name": "n\u{e9}0", "ns": "" }], "ts": "2026-11-21T02:14:07Z" });
        value.as_object().unwrap().clone()
    }

    fn written(actions: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        for action in actions {
            journal.append(fields(action)).unwrap();
        }
        (directory, path)
    }

    #[test]
    fn records_are_chained_over_restarts() {
        let (_keep, path) = written(&["cordon", "evict"]);
        Journal::open(&path).unwrap().append(fields("uncordon")).unwrap();
        let verified = verify(&path).unwrap();
        assert_eq!((verified.records, verified.torn.len()), (3, 0));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines[0]["prev"], START);
        assert_eq!(lines[2]["prev"], lines[1]["hash"]);
        assert_eq!((&lines[2]["seq"], &lines[2]["v"]), (&json!(3), &json!(1)));
        assert_eq!(verified.head, lines[2]["hash"].as_str().unwrap());
    }

    #[test]
    fn any_changed_byte_is_found_and_its_line_is_named() {
        let (_keep, path) = written(&["cordon", "evict", "uncordon"]);
        let good = std::fs::read(&path).unwrap();
        let mut line = 1;
        for index in 0..good.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut bad = good.clone();
                bad[index] ^= flip;
                std::fs::write(&path, &bad).unwrap();
                let found = verify(&path).unwrap_err();
                assert_eq!(found.line, Some(line), "byte {index} ^ {flip:#x}: {found}");
            }
            line += usize::from(good[index] == b'\n');
        }
        // A line taken out of the middle, and two that change places.
        let text = String::from_utf8(good).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        std::fs::write(&path, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
        assert_eq!(verify(&path).unwrap_err().line, Some(2));
        std::fs::write(&path, format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2])).unwrap();
        assert_eq!(verify(&path).unwrap_err().line, Some(1));
        assert!(Journal::open(&path).unwrap_err().what.contains("is damaged, line 1"));
    }

    #[test]
    fn a_torn_end_is_reported_and_continued_after() {
        let (_keep, path) = written(&["cordon", "evict"]);
        let good = std::fs::read(&path).unwrap();
        let first = good.iter().position(|b| *b == b'\n').unwrap() + 1;
        for cut in first + 1..good.len() {
            std::fs::write(&path, &good[..cut]).unwrap();
            // Without its last byte the record is whole and only its line is not.
            let torn = if cut + 1 == good.len() { vec![] } else { vec![2] };
            assert_eq!(verify(&path).unwrap().torn, torn, "{cut}");
            let mut journal = Journal::open(&path).unwrap();
            assert_eq!(journal.found_torn(), !torn.is_empty());
            journal.append(fields("evict")).unwrap();
            journal.append(fields("uncordon")).unwrap();
            drop(journal);
            let verified = verify(&path).unwrap();
            let records = if torn.is_empty() { 4 } else { 3 };
            assert_eq!((verified.records, verified.torn), (records, torn), "{cut}");
        }
        // What vouches for a torn line finds it changed, too.
        std::fs::write(&path, &good[..first + 40]).unwrap();
        Journal::open(&path).unwrap().append(fields("evict")).unwrap();
        let mut bad = std::fs::read(&path).unwrap();
        bad[first + 1] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        assert_eq!(verify(&path).unwrap_err().line, Some(2));
    }

    #[test]
    fn only_one_writes_and_only_the_owner_reads() {
        let (_keep, path) = written(&["cordon"]);
        let first = Journal::open(&path).unwrap();
        assert!(Journal::open(&path).unwrap_err().what.contains("is in use"));
        drop(first);
        assert!(Journal::open(&path).is_ok());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
            let link = path.with_file_name("link.jsonl");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            assert!(Journal::open(&link).is_err());
        }
    }
}
