//! Whole answers, compressed or not, against mutated examples: no panic, and however the bytes are
//! cut on the way, the same is read. The other parsers are in `tests/fuzz`.

use super::*;
use crate::cluster::mutate;

/// What was read, without how it was bundled.
fn gist(inputs: Vec<Input>) -> (Vec<Record>, u64, Vec<Input>) {
    let (mut records, mut unreadable, mut others) = (Vec::new(), 0, Vec::new());
    for input in inputs {
        match input {
            Input::Records(more) => records.extend(more),
            Input::Unreadable(count) => unreadable += count,
            other => others.push(other),
        }
    }
    (records, unreadable, others)
}

fn broken(inputs: &[Input]) -> bool {
    inputs.iter().any(|input| matches!(input, Input::Failed(_) | Input::Event(Event::Garbled(_))))
}

#[test]
fn answers() {
    let items = [object("a", 3), object("b", 4), object("c", 5)];
    let rows = [
        (LIST, Format::Json, json_list(&items)),
        (LIST, Format::Protobuf, protobuf_list(&items)),
        (WATCH, Format::Json, stream(Format::Json)),
        (WATCH, Format::Protobuf, stream(Format::Protobuf)),
        (Ask::Stream { timeout_seconds: 240 }, Format::Json, stream(Format::Json)),
        (Ask::Stream { timeout_seconds: 240 }, Format::Protobuf, stream(Format::Protobuf)),
    ];
    for (ask, format, body) in rows {
        let members: Vec<u8> = body.chunks(40).flat_map(gzip).collect();
        for (zipped, examples) in [(false, vec![body.clone()]), (true, vec![gzip(&body), members])] {
            let target = format!("answers of {ask:?} in {format:?}, zipped: {zipped}");
            mutate::run(&target, 1000, &examples, |bytes, chance| {
                let piece = 1 + chance.below(bytes.len().max(1));
                let whole = gist(read(&ask, format, zipped, bytes, bytes.len().max(1)));
                let pieces = gist(read(&ask, format, zipped, bytes, piece));
                // What is broken may be noticed sooner or later, but it is noticed.
                assert_eq!(broken(&whole.2), broken(&pieces.2), "in pieces of {piece}");
                assert!(broken(&whole.2) || whole == pieces, "in pieces of {piece}");
                assert!(whole.2.len() <= bytes.len() + 1, "no more than the bytes can say");
            });
        }
    }
}
