use super::*;
use crate::kinds;
use crate::kinds::wire::{ListMeta, write_event};
use crate::model::Kind;
use std::io::Write as _;

mod fuzz;

const LIST: Ask = Ask::List { token: None };
const WATCH: Ask = Ask::Watch { from: Version(1), timeout_seconds: 240 };

fn namespaces() -> &'static VersionDecl {
    kinds::of(Kind::Namespace).preferred()
}

fn object(name: &str, version: u64) -> String {
    format!(r#"{{"metadata":{{"name":"{name}","uid":"u-{name}","resourceVersion":"{version}"}}}}"#)
}

fn json_list(items: &[String]) -> Vec<u8> {
    let meta = r#"{"resourceVersion":"50","continue":"next","remainingItemCount":3}"#;
    format!(r#"{{"kind":"NamespaceList","metadata":{meta},"items":[{}]}}"#, items.join(",")).into_bytes()
}

fn protobuf_list(items: &[String]) -> Vec<u8> {
    let items: Vec<Vec<u8>> =
        items.iter().map(|item| namespaces().item_to_protobuf(item.as_bytes()).unwrap()).collect();
    let meta = ListMeta { resource_version: "50".into(), continue_token: "next".into(), remaining: Some(3) };
    kinds::wire::write_list("v1", "NamespaceList", &meta, items.iter().map(Vec::as_slice))
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// What a body in pieces of this size is read as.
fn read(ask: &Ask, format: Format, zipped: bool, body: &[u8], piece: usize) -> Vec<Input> {
    let mut answer = Answer::new(namespaces(), ask, format, zipped);
    let mut inputs = Vec::new();
    for bytes in body.chunks(piece) {
        if !answer.chunk(bytes, &mut inputs) {
            return inputs;
        }
    }
    answer.end(&mut inputs);
    inputs
}

fn names(inputs: &[Input]) -> Vec<String> {
    let records = inputs.iter().filter_map(|i| match i {
        Input::Records(records) => Some(records),
        _ => None,
    });
    records.flatten().map(|r| r.meta().name.to_string()).collect()
}

#[test]
fn lists_are_read_in_both_formats_zipped_or_not_in_any_pieces() {
    let items = [object("a", 3), object("b", 4), object("c", 5)];
    for (format, body) in [(Format::Json, json_list(&items)), (Format::Protobuf, protobuf_list(&items))] {
        for zipped in [false, true] {
            let body = if zipped { gzip(&body) } else { body.clone() };
            for piece in [1, 13, body.len()] {
                let inputs = read(&LIST, format, zipped, &body, piece);
                assert_eq!(names(&inputs), ["a", "b", "c"], "{format:?} {zipped} {piece}");
                let end = PageEnd {
                    version: Some(Version(50)),
                    token: Some("next".to_owned()),
                    remaining: Some(3),
                };
                assert_eq!(inputs.last(), Some(&Input::PageEnd(end)));
            }
        }
    }
}

#[test]
fn a_long_page_is_handed_over_as_it_comes() {
    let items: Vec<String> = (0..1200).map(|i| object(&format!("n{i}-{}", "x".repeat(200)), i + 1)).collect();
    for (format, body) in [(Format::Json, json_list(&items)), (Format::Protobuf, protobuf_list(&items))] {
        let inputs = read(&LIST, format, false, &body, 4096);
        let sizes: Vec<usize> = inputs
            .iter()
            .filter_map(|i| match i {
                Input::Records(records) => Some(records.len()),
                _ => None,
            })
            .collect();
        assert!(sizes.len() > 2 && sizes.iter().all(|n| *n <= BATCH), "{format:?}: {sizes:?}");
        assert_eq!(names(&inputs).len(), 1200);
    }
}

#[test]
fn lists_that_are_cut_or_no_lists_fail() {
    let items = [object("a", 3)];
    for (format, body) in [(Format::Json, json_list(&items)), (Format::Protobuf, protobuf_list(&items))] {
        let inputs = read(&LIST, format, false, &body[..body.len() - 1], 9);
        assert!(matches!(inputs.last(), Some(Input::Failed(f)) if f.cause == Cause::Closed), "{inputs:?}");
        let inputs = read(&LIST, format, true, &gzip(&body)[..40], 9);
        assert!(matches!(inputs.last(), Some(Input::Failed(f)) if f.cause == Cause::Closed), "{inputs:?}");
        let inputs = read(&LIST, format, true, &body, 9);
        assert!(matches!(inputs.last(), Some(Input::Failed(f)) if f.cause == Cause::Garbled), "{inputs:?}");
    }
    for body in [&b""[..], b"{}", br#"{"kind":"Status"}"#, b"<html>"] {
        let inputs = read(&LIST, Format::Json, false, body, 100);
        assert!(matches!(inputs.last(), Some(Input::Failed(_))), "{inputs:?}");
        assert!(names(&inputs).is_empty());
    }
}

fn stream(format: Format) -> Vec<u8> {
    let body = |json: &str| match format {
        Format::Json => json.as_bytes().to_vec(),
        Format::Protobuf => kinds::to_protobuf(Kind::Namespace, json.as_bytes()).unwrap(),
    };
    [
        write_event(format, "ADDED", &body(&object("a", 11))),
        write_event(format, "MODIFIED", &body(&object("a", 12))),
        write_event(format, "BOOKMARK", &body(&object("", 13))),
        write_event(format, "DELETED", &body(&object("a", 14))),
    ]
    .concat()
}

#[test]
fn watches_are_read_in_both_formats() {
    for format in [Format::Json, Format::Protobuf] {
        for (zipped, body) in [(false, stream(format)), (true, gzip(&stream(format)))] {
            for piece in [1, 10, body.len()] {
                let inputs = read(&WATCH, format, zipped, &body, piece);
                let seen: Vec<(&str, u64)> = inputs
                    .iter()
                    .map(|input| match input {
                        Input::Event(Event::Upsert(record)) => ("upsert", record.meta().version.0),
                        Input::Event(Event::Bookmark(version)) => ("bookmark", version.0),
                        Input::Event(Event::Gone(_, version)) => ("gone", version.0),
                        Input::Ended => ("end", 0),
                        other => panic!("{other:?}"),
                    })
                    .collect();
                let wanted = [("upsert", 11), ("upsert", 12), ("bookmark", 13), ("gone", 14), ("end", 0)];
                assert_eq!(seen, wanted, "{format:?} {zipped} {piece}");
            }
        }
    }
}

#[test]
fn streaming_lists_are_read_up_to_their_end_and_beyond() {
    const STREAM: Ask = Ask::Stream { timeout_seconds: 240 };
    let end = r#"{"metadata":{"resourceVersion":"13","annotations":{"k8s.io/initial-events-end":"true"}}}"#;
    let events = [
        ("ADDED", object("a", 11)),
        ("BOOKMARK", object("", 4)),
        ("ADDED", object("b", 12)),
        ("BOOKMARK", end.to_owned()),
        ("MODIFIED", object("a", 14)),
    ];
    // A member for each event, as servers since 1.37 send them.
    let body: Vec<u8> = events
        .iter()
        .flat_map(|(kind, json)| gzip(&write_event(Format::Json, kind, json.as_bytes())))
        .collect();
    for piece in [1, 10, body.len()] {
        let inputs = read(&STREAM, Format::Json, true, &body, piece);
        let after = inputs.iter().position(|i| matches!(i, Input::PageEnd(_))).unwrap();
        assert_eq!(names(&inputs[..after]), ["a", "b"]);
        let end = PageEnd { version: Some(Version(13)), ..PageEnd::default() };
        assert_eq!(inputs[after], Input::PageEnd(end));
        assert!(matches!(&inputs[after + 1..], [Input::Event(Event::Upsert(_)), Input::Ended]), "{inputs:?}");
    }
}

#[test]
fn garbled_events_are_known_as_such() {
    let garbled = [
        &b"{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"a\"\n"[..],
        b"what is this\n",
        b"{\"type\":\"RENAMED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}\n",
        b"{\"type\":\"ADDED\",\"object\":17}\n",
        b"\xff\xfe\n",
    ];
    for line in garbled {
        let inputs = read(&WATCH, Format::Json, false, line, 1000);
        assert!(matches!(inputs[0], Input::Event(Event::Garbled(_))), "{inputs:?}");
    }
    let cut = stream(Format::Protobuf);
    let inputs = read(&WATCH, Format::Protobuf, false, &cut[..cut.len() - 2], 1000);
    assert!(matches!(inputs.last(), Some(Input::Failed(f)) if f.cause == Cause::Closed), "{inputs:?}");
}

#[test]
fn an_event_whose_object_is_broken_says_which_one() {
    let seen = |format, kind: &str, body: &[u8]| {
        let bytes = [write_event(format, kind, body), stream(format)].concat();
        let mut inputs = read(&WATCH, format, false, &bytes, bytes.len());
        assert_eq!(inputs.len(), 6, "the events behind it are read: {inputs:?}");
        match inputs.swap_remove(0) {
            Input::Event(event) => event,
            other => panic!("{other:?}"),
        }
    };
    // The status is cut inside, and everything around it is whole.
    let mut bad = kinds::wire::enveloped("v1", "Namespace", |out| {
        let json = r#"{"metadata":{"name":"a","namespace":"n\u001b","uid":"u-a","resourceVersion":"12"}}"#;
        out.extend(namespaces().item_to_protobuf(json.as_bytes()).unwrap());
        out.extend([0x1a, 2, 0x0a, 9]);
    });
    let (uid, version) = (crate::model::Uid::parse("u-a"), Version(12));
    for kind in ["ADDED", "MODIFIED"] {
        match seen(Format::Protobuf, kind, &bad) {
            Event::Unreadable { uid: of, version: at, fault } => {
                assert_eq!((of, at), (uid, version));
                assert!(
                    fault.what.contains("namespaces: n␛/a (") && fault.cause == Cause::Garbled,
                    "{fault}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen(Format::Protobuf, "DELETED", &bad), Event::Gone(uid, version));
    // No name, or no id: nothing else of the frame is in doubt.
    let json = br#"{"metadata":{"uid":"u-a","resourceVersion":"12"}}"#;
    assert!(matches!(seen(Format::Json, "MODIFIED", json), Event::Unreadable { uid: of, .. } if of == uid));
    let json = br#"{"metadata":{"name":"a","resourceVersion":"12"}}"#;
    assert!(matches!(seen(Format::Json, "ADDED", json), Event::Unreadable { uid, .. } if uid.is_none()));
    // Where its metadata is broken too, it may have been anything.
    bad.truncate(bad.len() - 4);
    let at = bad.windows(3).position(|w| w == b"u-a").unwrap();
    bad[at - 1] = 0x7f;
    let bytes = write_event(Format::Protobuf, "MODIFIED", &bad);
    let inputs = read(&WATCH, Format::Protobuf, false, &bytes, bytes.len());
    assert!(matches!(inputs[0], Input::Event(Event::Garbled(_))), "{inputs:?}");
}

#[test]
fn objects_without_an_id_are_counted() {
    let items = [object("a", 3), r#"{"metadata":{"name":"b","resourceVersion":"4"}}"#.to_owned()];
    for (format, body) in [(Format::Json, json_list(&items)), (Format::Protobuf, protobuf_list(&items))] {
        for piece in [7, body.len()] {
            let inputs = read(&LIST, format, false, &body, piece);
            assert_eq!(names(&inputs), ["a"]);
            let counts = inputs.iter().filter_map(|input| match input {
                Input::Unreadable(count) => Some(*count),
                _ => None,
            });
            assert_eq!(counts.sum::<u64>(), 1, "{format:?}: {inputs:?}");
        }
    }
}

#[test]
fn nothing_is_read_behind_a_garbled_event() {
    // Ten million empty frames in ten kilobytes.
    let body = gzip(&vec![0; 40 << 20]);
    let inputs = read(&WATCH, Format::Protobuf, true, &body, body.len());
    assert!(matches!(inputs.as_slice(), [Input::Event(Event::Garbled(_))]), "{} inputs", inputs.len());
}

#[test]
fn error_events_say_what_the_status_says() {
    let event = |status: &str| {
        let line = format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n");
        match read(&WATCH, Format::Json, false, line.as_bytes(), 1000).swap_remove(0) {
            Input::Event(Event::Error(refusal)) => (refusal.status, refusal.message.to_string()),
            other => panic!("{other:?}"),
        }
    };
    let gone = r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#;
    assert_eq!(event(gone), (410, "too old".to_owned()));
    assert_eq!(event(r#"{"kind":"Status","reason":"Expired"}"#).0, 410);
    assert_eq!(event(r#"{"kind":"Status","code":500}"#).0, 500);
    assert_eq!(event(r#"{"status":3}"#).0, 0);
}
