use serde_json::json;

use super::chain::START;
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
fn two_consoles_write_in_turn_and_one_chain_comes_of_it() {
    let (_keep, path) = written(&["cordon"]);
    let (mut one, mut other) = (Journal::open(&path).unwrap(), Journal::open(&path).unwrap());
    assert_eq!(other.append(fields("evict")).unwrap(), 2);
    assert_eq!(one.append(fields("uncordon")).unwrap(), 3);
    assert_eq!(one.append(fields("scale")).unwrap(), 4);
    assert_eq!(other.append(fields("evict")).unwrap(), 5);
    assert_eq!(verify(&path).unwrap().records, 5);
    // One is killed in the middle of a line, without and with its last byte; the other goes on.
    let good = std::fs::read(&path).unwrap();
    let last = good.iter().rposition(|b| *b == b'{').unwrap();
    for (cut, torn) in [(last, vec![5]), (good.len() - 1, vec![])] {
        std::fs::write(&path, &good[..cut]).unwrap();
        let (mut one, mut other) = (Journal::open(&path).unwrap(), Journal::open(&path).unwrap());
        one.append(fields("scale")).unwrap();
        other.append(fields("drain")).unwrap();
        one.append(fields("scale")).unwrap();
        assert_eq!(verify(&path).unwrap().torn, torn);
    }
}

#[test]
fn two_consoles_write_at_once() {
    let (_keep, path) = written(&[]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut journal = Journal::open(&path).unwrap();
                for _ in 0..20 {
                    journal.append(fields("evict")).unwrap();
                }
            });
        }
    });
    assert_eq!(verify(&path).unwrap().records, 80);
}

#[test]
fn what_another_wrote_is_checked_before_it_is_followed() {
    let (_keep, path) = written(&["cordon", "evict"]);
    let mut journal = Journal::open(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&good[..], b"{\"seq\":3}\n"].concat()).unwrap();
    let fault = journal.append(fields("evict")).unwrap_err();
    assert!(fault.what.contains("is damaged, line 3"), "{fault}");
    std::fs::write(&path, &good[..good.len() / 2]).unwrap();
    let fault = journal.append(fields("evict")).unwrap_err();
    assert!(fault.what.contains("was cut"), "{fault}");
}

#[test]
fn one_writes_at_a_time_and_only_the_owner_reads() {
    let (_keep, path) = written(&["cordon"]);
    let mut journal = Journal::open(&path).unwrap();
    journal.patience = Duration::ZERO;
    let other = File::open(&path).unwrap();
    other.lock().unwrap();
    let fault = journal.append(fields("evict")).unwrap_err();
    assert!(fault.what.contains("is in use"), "{fault}");
    other.unlock().unwrap();
    assert_eq!(journal.append(fields("evict")).unwrap(), 2);
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
