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

use super::Disturb;
use compare::{Difference, compare};
use script::Transcript;
pub use script::{MOVING, STILL, Script};
use talk::converse;

/// The embedded fleet says what a real server said, but for the differences that are known, and
/// every one of those is still there.
pub async fn ours(script: Script, ground: &dyn Disturb) {
    let found = compare(&converse(script, ground, true).await, &script.recorded());
    let known = script.differences();
    assert!(known.iter().all(|known| !known.why.is_empty()));
    let new: Vec<String> =
        found.iter().filter(|it| !known.iter().any(|k| k.covers(it))).map(Difference::to_string).collect();
    let gone: Vec<&str> =
        known.iter().filter(|k| !found.iter().any(|it| k.covers(it))).map(|k| k.at.as_str()).collect();
    assert!(new.is_empty(), "{} differences that are not listed:\n{}", new.len(), new.join("\n"));
    assert!(gone.is_empty(), "listed, and no difference any more: {gone:#?}");
}

/// A real server still says what was recorded; or records it.
pub async fn real(script: Script, ground: &dyn Disturb) {
    let said = converse(script, ground, false).await;
    if std::env::var_os("QUARTERDECK_RECORD").is_some() {
        script.record(&said);
        return;
    }
    agrees(script, &said, |_| true);
}

/// A server of an older minor says what was recorded too, but for the words in which it describes
/// the columns of tables – they are for people, and improve from minor to minor – and for
/// conversations about what is new in each.
pub async fn older(script: Script, ground: &dyn Disturb) {
    let new: BTreeSet<String> =
        script.conversations().into_iter().filter(|it| it.of_this_minor).map(|it| it.name).collect();
    let words = |place: &str| place.contains(".columnDefinitions[") && place.ends_with(".description");
    let is_new = |place: &str| place.split(" / ").next().is_some_and(|name| new.contains(name));
    agrees(script, &converse(script, ground, false).await, |place| !words(place) && !is_new(place));
}

/// Fails where what was said differs from the record in a place that counts.
fn agrees(script: Script, said: &Transcript, counts: impl Fn(&str) -> bool) {
    let found = compare(said, &script.recorded()).into_iter().filter(|it| counts(&it.place));
    let found: Vec<String> = found.map(|it| it.to_string()).collect();
    assert!(found.is_empty(), "the record is not what a real server says:\n{}", found.join("\n"));
}
