//! The journal for the screen: its end, and up to where its chain holds.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use crate::model::{Text, Time};
use crate::runner::journal::verify;
use crate::ui::{JournalLine, JournalPage};

/// Records that are shown; older ones are in the file.
const SHOWN: usize = 1000;

/// Reads the end of the journal and checks all of it.
///
/// # Errors
/// It cannot be read, or is not what was written.
pub(super) fn read(path: &Path) -> Result<JournalPage, Text> {
    if !path.exists() {
        return Ok(JournalPage::default());
    }
    let verified = verify(path).map_err(|bad| Text::from(format!("{}: {bad}", path.display())))?;
    let file =
        std::fs::File::open(path).map_err(|error| Text::from(format!("{}: {error}", path.display())))?;
    let mut last = VecDeque::with_capacity(SHOWN);
    // What is no record here was vouched for as torn by the check.
    for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
        let Ok(record) = serde_json::from_slice::<Value>(&line) else { continue };
        if last.len() == SHOWN {
            last.pop_front();
        }
        last.push_back(shown(&record));
    }
    Ok(JournalPage {
        verified: verified.records,
        head: verified.head,
        records: last.into_iter().rev().collect(),
    })
}

fn shown(record: &Value) -> JournalLine {
    let text = |value: &Value| match value {
        Value::String(text) => Text::clean(text),
        Value::Null => Text::EMPTY,
        other => Text::clean(&other.to_string()),
    };
    let objects: Vec<String> = record["objects"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|object| {
            let namespace = object["ns"].as_str().filter(|ns| !ns.is_empty());
            let name = object["name"].as_str().unwrap_or_default();
            namespace.map_or_else(|| name.to_owned(), |ns| format!("{ns}/{name}"))
        })
        .collect();
    let said: Vec<Text> = ["title", "step", "verb", "err", "evidence", "result"]
        .into_iter()
        .map(|field| text(&record[field]))
        .filter(|text| !text.is_empty())
        .collect();
    JournalLine {
        seq: record["seq"].as_u64().unwrap_or_default(),
        at: record["ts"].as_str().and_then(Time::parse),
        action: text(&record["action"]),
        operation: text(&record["operation"]),
        cluster: text(&record["cluster"]["name"]),
        objects: Text::clean(&objects.join(", ")),
        who: Text::clean(&format!(
            "{}@{}",
            record["os_user"].as_str().unwrap_or("?"),
            record["host"].as_str().unwrap_or("?")
        )),
        result: Text::clean(&said.iter().map(Text::as_str).collect::<Vec<_>>().join(" · ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::Journal;

    #[test]
    fn the_end_of_a_journal_is_shown_newest_first_and_a_damaged_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        assert_eq!(read(&path), Ok(JournalPage::default()));
        let mut journal = Journal::open(&path).unwrap();
        for action in ["accepted", "ended"] {
            let record = serde_json::json!({
                "ts": "2026-11-21T02:14:07Z", "action": action, "operation": "drain", "os_user": "ada",
                "host": "bastion", "cluster": { "name": "eks-use1" }, "title": "drain 1 node",
                "objects": [{ "ns": "", "name": "n\u{1b}1" }, { "ns": "shop", "name": "web" }],
            });
            let Value::Object(fields) = record else { unreachable!() };
            journal.append(fields).unwrap();
        }
        let page = read(&path).unwrap();
        assert_eq!((page.verified, page.records.len()), (2, 2));
        let newest = &page.records[0];
        assert_eq!((newest.seq, newest.action.as_str(), newest.cluster.as_str()), (2, "ended", "eks-use1"));
        assert_eq!((newest.objects.as_str(), newest.who.as_str()), ("n␛1, shop/web", "ada@bastion"));
        let text = std::fs::read_to_string(&path).unwrap().replace("drain 1 node", "drain 2 node");
        std::fs::write(&path, text).unwrap();
        let why = read(&path).unwrap_err();
        assert!(why.contains("journal.jsonl") && why.contains("line 1"), "{why}");
    }
}
