//! The chain of a journal: walking over its lines and checking each against the one before.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use serde_json::{Value, json};

use super::{PATIENCE, hold};
use crate::model::Text;
use crate::operations::{canonical, sha256};

/// What the first record is chained to.
pub(super) const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

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
    // So that nothing is read that is half written. Where it cannot be locked it is read all the
    // same: at worst its last line is called torn.
    let _ = hold(PATIENCE, || file.try_lock_shared());
    walk(&mut file, Mark::default()).map(|walked| walked.found)
}

/// The hash of a record that has none yet.
pub(super) fn link(prev: &str, record: &Value) -> String {
    sha256(format!("{prev}{}", canonical(record)).as_bytes())
}

/// The end of a whole record's line, and what is known up to there: a walk can go on from it.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// Bytes before it.
    pub(super) offset: u64,
    /// Lines before it.
    pub(super) lines: usize,
    /// Records before it.
    pub(super) records: u64,
    /// The hash of the last of them.
    pub(super) head: String,
}

impl Default for Mark {
    fn default() -> Mark {
        Mark { offset: 0, lines: 0, records: 0, head: START.to_owned() }
    }
}

/// What a walk came to.
#[derive(Debug)]
pub(super) struct Walked {
    /// The last whole line.
    pub(super) mark: Mark,
    /// What there is in all.
    pub(super) found: Verified,
    /// How it ends.
    pub(super) end: End,
}

/// How a journal ends.
#[derive(Debug)]
pub(super) enum End {
    /// With a whole line, or it is empty.
    Whole,
    /// With a whole record whose line has no end.
    NoNewline,
    /// In the middle of a record: these bytes.
    Torn(Vec<u8>),
}

/// Walks over every line from a mark on.
pub(super) fn walk(file: &mut File, mut mark: Mark) -> Result<Walked, BadJournal> {
    let bad = |number: usize, what: &str| BadJournal { line: Some(number), what: Text::clean(what) };
    file.seek(io::SeekFrom::Start(mark.offset)).map_err(|error| bad(mark.lines + 1, &error.to_string()))?;
    let mut reader = BufReader::new(file);
    let mut found = Verified { records: mark.records, head: mark.head.clone(), torn: Vec::new() };
    let mut offset = mark.offset;
    // A line that is no record; the next one must vouch for it.
    let mut doubtful: Option<Vec<u8>> = None;
    for number in mark.lines + 1.. {
        let mut line = Vec::new();
        // A record is a few kilobytes; a line without an end must not fill the memory.
        let read = (&mut reader).take(16 << 20).read_until(b'\n', &mut line);
        let read = read.map_err(|error| bad(number, &error.to_string()))?;
        if read == 0 {
            break;
        }
        offset += read as u64;
        let whole = line.pop_if(|last| *last == b'\n').is_some();
        let record = std::str::from_utf8(&line).ok().and_then(|t| serde_json::from_str::<Value>(t).ok());
        match (record, doubtful.take()) {
            (None, Some(_)) => return Err(bad(number - 1, "it is no record")),
            (None, None) if whole => doubtful = Some(line),
            (None, None) if trailing(&line) => return Err(bad(number, "something follows its record")),
            (None, None) => {
                found.torn.push(number);
                return Ok(Walked { mark, found, end: End::Torn(line) });
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
                    return Ok(Walked { mark, found, end: End::NoNewline });
                }
                mark = Mark { offset, lines: number, records: found.records, head: found.head.clone() };
            }
        }
        if doubtful.is_some() && reader.fill_buf().is_ok_and(<[u8]>::is_empty) {
            return Err(bad(number, "it is no record"));
        }
    }
    Ok(Walked { mark, found, end: End::Whole })
}

/// What a record says of a torn line before it.
pub(super) fn vouch(torn: &[u8]) -> Value {
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
