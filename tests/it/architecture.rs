//! The house is kept: imports point down, and pure rooms name nothing impure.

use std::fs;
use std::path::{Path, PathBuf};

/// Every room and its rank, as in the documentation of the library.
const RANKS: [(&str, u8); 16] = [
    ("model", 0),
    ("views", 1),
    ("input", 1),
    ("theme", 1),
    ("operations", 2),
    ("kinds", 2),
    ("config", 2),
    ("cluster", 3),
    ("store", 3),
    ("integrations", 3),
    ("ui", 3),
    ("watch", 4),
    ("runner", 4),
    ("sim", 4),
    ("app", 5),
    ("main", 6),
];

/// Rooms that do nothing by themselves: no client, no runtime, no file, no network, no clock.
const PURE: [&str; 6] = ["model", "views", "input", "theme", "operations", "ui"];

/// What a pure room must not name.
const IMPURE: [&str; 12] = [
    "kube::",
    "k8s_openapi",
    "tokio::",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "hyper::",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "std::thread",
];

/// The sources: path below `src`, room, text without tests and comments.
pub(crate) fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let below = path.strip_prefix(&root).unwrap().to_owned();
                let room = below.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
                found.push((below, room, code(&fs::read_to_string(&path).unwrap())));
            }
        }
    }
    found
}

/// The code of a file: what stands before its tests, without comments.
fn code(text: &str) -> String {
    let production = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = production.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn rank(room: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == room).map(|(_, rank)| *rank)
}

/// The rooms that a text names: `crate::room`, and the rooms of `use crate::{…}`.
fn named(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for rest in text.split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            let list = list.split("};").next().unwrap_or_default();
            rooms.extend(list.split(',').map(|item| first_word(item.trim())));
        } else {
            rooms.push(first_word(rest));
        }
    }
    rooms.retain(|room| rank(room).is_some());
    rooms
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn imports_point_to_a_lower_rank() {
    let mut wrong = Vec::new();
    for (path, room, text) in sources().iter().filter(|(_, room, _)| room != "lib") {
        let own = rank(room).unwrap_or_else(|| panic!("{}: the room {room} has no rank", path.display()));
        for other in named(text) {
            if other != *room && rank(&other).is_some_and(|rank| rank >= own) {
                wrong.push(format!("{}: {room} ({own}) names {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_name_nothing_impure() {
    let mut wrong = Vec::new();
    for (path, room, text) in sources() {
        if PURE.contains(&room.as_str()) {
            for name in IMPURE.iter().filter(|name| text.contains(**name)) {
                wrong.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn kinds_do_not_name_the_client() {
    for (path, room, text) in sources() {
        assert!(room != "kinds" || !text.contains("kube::"), "{}", path.display());
    }
}
