//! Conversations with a server, as data, and what is said in them: lists for both grounds.
//!
//! What a real server said is kept in `tests/fixtures/conformance`. The embedded fleet is compared
//! with it wherever tests run; real planes are compared with it where they can be started, and
//! write it anew with `QUARTERDECK_RECORD=1`. Where the embedded fleet differs on purpose, the list
//! of differences says so, with the reason.

#[path = "conversation/compare.rs"]
mod compare;
#[path = "conversation/plain.rs"]
mod plain;
#[path = "conversation/script.rs"]
mod script;
#[path = "conversation/talk.rs"]
mod talk;

use std::collections::BTreeSet;

use compare::{Difference, compare};
use script::Transcript;
pub(crate) use script::{MOVING, STILL, Script};
pub(crate) use talk::converse;

/// Where what was said differs from what a real server said. One of an older minor may describe the
/// columns of tables in other words – they are for people, and improve from minor to minor – and is
/// not held to conversations about what is new in each.
pub(crate) fn differences(script: Script, said: &Transcript, older: bool) -> Vec<Difference> {
    let new: BTreeSet<String> =
        script.conversations().into_iter().filter(|it| it.of_this_minor).map(|it| it.name).collect();
    let words = |place: &str| place.contains(".columnDefinitions[") && place.ends_with(".description");
    let is_new = |place: &str| place.split(" / ").next().is_some_and(|name| new.contains(name));
    let counts = |it: &Difference| !(older && (words(&it.place) || is_new(&it.place)));
    compare(said, &script.recorded()).into_iter().filter(counts).collect()
}
