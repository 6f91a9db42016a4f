//! Round trips in both formats, truncation at every byte, and what a server may send.

#![allow(unreachable_pub, reason = "the macro declares public types")]

use proptest::prelude::*;

use super::*;

mod streams;

super::wire! {
    /// Every type that a field can have.
    pub struct All<'a> {
        1 "text" text: Str<'a>,
        2 "flag" flag: bool,
        3 "small" small: i32,
        4 "large" large: i64,
        5 "pointer" pointer: Option<i32>,
        6 "textPointer" text_pointer: Option<Str<'a>>,
        7 "child" child: Child<'a>,
        8 "children" children: Vec<Child<'a>>,
        9 "labels" labels: Map<'a, Str<'a>>,
        10 "capacity" capacity: Map<'a, Quantity<'a>>,
        11 "time" time: Time,
        12 "microTime" micro_time: MicroTime,
        13 "limit" limit: Option<IntOrString<'a>>,
        14 inline source: Source<'a>,
        15 "names" names: Vec<Str<'a>>,
        300 "count" count: Count,
    }

    /// A nested message.
    pub struct Child<'a> {
        1 "name" name: Str<'a>,
        2 "amount" amount: Quantity<'a>,
    }

    /// A message that is flat in JSON.
    pub struct Source<'a> {
        2 "emptyDir" empty_dir: Present,
        3 "claim" claim: Option<Child<'a>>,
    }

    /// A message without text.
    pub struct Count {
        1 "ready" ready: i32,
    }
}

fn text() -> impl Strategy<Value = Str<'static>> {
    prop_oneof![Just(String::new()), "[a-z0-9./-]{1,200}", any::<String>()].prop_map(Str::from)
}

fn quantity() -> impl Strategy<Value = Quantity<'static>> {
    "[0-9]{1,9}(m|Ki|Mi)?".prop_map(|s| Quantity(Str::from(s)))
}

fn child() -> impl Strategy<Value = Child<'static>> {
    (text(), quantity()).prop_map(|(name, amount)| Child { name, amount })
}

fn all() -> impl Strategy<Value = All<'static>> {
    let limit = prop_oneof![
        any::<i32>().prop_map(IntOrString::Int),
        "[0-9]{1,3}%".prop_map(|s| IntOrString::Text(Str::from(s)))
    ];
    let seconds = -62_135_596_799i64..=253_402_300_799;
    let scalars = (text(), any::<(bool, i32, i64)>(), any::<Option<i32>>(), prop::option::of(text()));
    let nested = (
        child(),
        prop::collection::vec(child(), 0..4),
        prop::collection::vec((text(), text()), 0..4),
        prop::collection::vec((text(), quantity()), 0..4),
        prop::option::of(child()),
        prop::collection::vec(text(), 0..4),
    );
    let rest = (
        prop::option::of(seconds.clone()),
        prop::option::of((seconds, 0..1_000_000i64)),
        prop::option::of(limit),
        any::<(bool, i32)>(),
    );
    (scalars, nested, rest).prop_map(|(scalars, nested, (seconds, micros, limit, (empty_dir, ready)))| All {
        text: scalars.0,
        flag: scalars.1.0,
        small: scalars.1.1,
        large: scalars.1.2,
        pointer: scalars.2,
        text_pointer: scalars.3,
        child: nested.0,
        children: nested.1,
        labels: nested.2.into_iter().collect(),
        capacity: nested.3.into_iter().collect(),
        time: Time { seconds },
        micro_time: MicroTime { micros: micros.map(|(s, m)| s * 1_000_000 + m) },
        limit,
        source: Source { empty_dir: Present(empty_dir), claim: nested.4 },
        names: nested.5,
        count: Count { ready },
    })
}

/// As a list of `All` from a server.
fn protobuf_list(items: &[All<'_>]) -> Vec<u8> {
    enveloped("v1", "AllList", |out| {
        let meta =
            ListMeta { resource_version: "42".into(), continue_token: "next".into(), remaining: Some(7) };
        meta.write(1, out);
        for item in items {
            item.write(2, out);
        }
    })
}

fn json_list(items: &[All<'_>]) -> Vec<u8> {
    let items = String::from_utf8(to_json(&items)).unwrap();
    format!(
        "{{\"kind\":\"AllList\",\"items\":{items},\
         \"metadata\":{{\"resourceVersion\":\"42\",\"continue\":\"next\",\"remainingItemCount\":7}}}}"
    )
    .into_bytes()
}

proptest! {
    #[test]
    fn protobuf_gives_back_what_was_written(all in all()) {
        let bytes = to_protobuf(&all);
        prop_assert_eq!(&from_protobuf::<All<'_>>(&bytes).unwrap(), &all);
    }

    #[test]
    fn json_gives_back_what_was_written(all in all()) {
        let bytes = to_json(&all);
        prop_assert_eq!(&from_json::<All<'_>>(&bytes).unwrap(), &all);
    }

    #[test]
    fn a_cut_message_never_panics(all in all()) {
        let (protobuf, json) = (to_protobuf(&all), to_json(&all));
        for end in 0..protobuf.len() {
            let _ = from_protobuf::<All<'_>>(&protobuf[..end]);
        }
        for end in 0..json.len() {
            prop_assert!(from_json::<All<'_>>(&json[..end]).is_err());
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = from_protobuf::<All<'_>>(&bytes);
        let _ = from_json::<All<'_>>(&bytes);
        let _ = Envelope::open(&bytes);
        let _ = Status::read(&bytes);
        let _ = read_page::<All<'_>>(&bytes, &mut drop);
        for format in [Format::Protobuf, Format::Json] {
            let _ = read_event::<All<'_>>(format, &bytes);
            let mut frames = Frames::new(format);
            let _ = frames.feed(&bytes, &mut |_| ());
            let _ = frames.finish();
        }
        let mut decoder = ListDecoder::new();
        let _ = decoder.feed(&[b"k8s\0", &bytes[..]].concat(), &mut |_| ());
        let _ = decoder.finish();
    }

    #[test]
    fn a_changed_byte_never_panics(all in all(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = to_protobuf(&all);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        let _ = from_protobuf::<All<'_>>(&bytes);
    }

    #[test]
    fn a_list_is_the_same_in_chunks_of_any_size(
        items in prop::collection::vec(all(), 0..4),
        size in 1usize..200,
    ) {
        let bytes = protobuf_list(&items);
        let mut decoder = ListDecoder::new();
        let mut seen = Vec::new();
        for chunk in bytes.chunks(size) {
            decoder.feed(chunk, &mut |item| seen.push(item.to_vec())).unwrap();
        }
        let end = decoder.finish().unwrap();
        prop_assert_eq!(seen, items.iter().map(to_protobuf).collect::<Vec<_>>());

        let json = json_list(&items);
        let mut from_json = Vec::new();
        prop_assert_eq!(&read_page(&json, &mut |item: All<'_>| from_json.push(item)).unwrap(), &end);
        prop_assert_eq!(&from_json, &items);
        prop_assert_eq!(end.items, items.len());
        prop_assert_eq!((end.resource_version.as_str(), end.continue_token.as_str()), ("42", "next"));
    }

    #[test]
    fn a_cut_list_is_known_as_cut(items in prop::collection::vec(all(), 0..3)) {
        let bytes = protobuf_list(&items);
        let closing = bytes.len() - 4; // two empty fields of the envelope, after the list
        for end in 0..closing {
            let mut decoder = ListDecoder::new();
            prop_assert!(decoder.feed(&bytes[..end], &mut |_| ()).is_ok());
            prop_assert_eq!(decoder.finish().unwrap_err().kind, WireErrorKind::Truncated, "at {}", end);
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in(items in prop::collection::vec(all(), 0..5), size in 1usize..100) {
        for format in [Format::Protobuf, Format::Json] {
            let stream: Vec<u8> = items.iter().flat_map(|item| event_of(format, "ADDED", item)).collect();
            let mut frames = Frames::new(format);
            let mut count = 0;
            for chunk in stream.chunks(size) {
                frames.push(chunk);
                while let Some(frame) = frames.next_frame().unwrap() {
                    let event = read_event::<All<'_>>(format, frame).unwrap();
                    prop_assert_eq!(&event, &WatchEvent::Added(items[count].clone()));
                    count += 1;
                }
            }
            prop_assert_eq!(count, items.len());
            prop_assert!(frames.finish().is_ok());
            if !stream.is_empty() {
                let mut cut = Frames::new(format);
                cut.feed(&stream[..stream.len() - 1], &mut |_| ()).unwrap();
                prop_assert_eq!(cut.finish().unwrap_err().kind, WireErrorKind::Truncated);
            }
        }
    }
}

/// A frame around any message, in either format.
fn event_of<'a>(format: Format, kind: &str, object: &impl Message<'a>) -> Vec<u8> {
    write_event(format, kind, &write_body(format, "v1", "All", object))
}

/// The frame of one event, without its length or newline.
fn frame_of<'a>(format: Format, kind: &str, object: &impl Message<'a>) -> Vec<u8> {
    let mut frames = Frames::new(format);
    frames.push(&event_of(format, kind, object));
    frames.next_frame().unwrap().unwrap().to_vec()
}

#[test]
fn unknown_fields_and_other_wire_types_are_stepped_over() {
    let mut bytes = Vec::new();
    writer::integer(99, 5, &mut bytes);
    writer::bytes(98, b"something", &mut bytes);
    for (number, wire, body) in [(97, reader::Wire::Fixed64, 8usize), (96, reader::Wire::Fixed32, 4)] {
        writer::tag(number, wire, &mut bytes);
        bytes.extend(vec![7; body]);
    }
    writer::tag(95, reader::Wire::Group, &mut bytes);
    writer::tag(94, reader::Wire::Group, &mut bytes);
    writer::integer(1, 1, &mut bytes);
    writer::tag(94, reader::Wire::GroupEnd, &mut bytes);
    writer::tag(95, reader::Wire::GroupEnd, &mut bytes);
    // `text` as an integer, `flag` as text
    writer::integer(1, 1, &mut bytes);
    writer::bytes(2, b"x", &mut bytes);
    writer::integer(3, -4, &mut bytes);
    assert_eq!(from_protobuf::<All<'_>>(&bytes).unwrap(), All { small: -4, ..All::default() });
}

#[test]
fn a_group_without_end_is_an_error() {
    let mut bytes = Vec::new();
    for _ in 0..100 {
        writer::tag(95, reader::Wire::Group, &mut bytes);
    }
    assert_eq!(from_protobuf::<All<'_>>(&bytes).unwrap_err().kind, WireErrorKind::Depth);
    assert_eq!(from_protobuf::<All<'_>>(&bytes[..4]).unwrap_err().kind, WireErrorKind::Truncated);
}

#[test]
fn errors_say_where() {
    let mut bytes = Vec::new();
    writer::integer(3, 1, &mut bytes);
    writer::nested(7, &mut bytes, |out| out.extend([0x0a, 50, b'x']));
    let error = from_protobuf::<All<'_>>(&bytes).unwrap_err();
    assert_eq!(error, WireError::new(WireErrorKind::Truncated, 6));
    assert_eq!(error.to_string(), "the data ends too early (byte 6)");
    let error = from_json::<All<'_>>(b"{\n\"text\": \n oops}").unwrap_err();
    assert_eq!(error, WireError::new(WireErrorKind::Json, 13));
}

#[test]
fn null_and_values_of_another_type_are_the_default() {
    let nulls = br#"{"text":null,"flag":null,"small":null,"large":null,"pointer":null,
        "textPointer":null,"child":null,"children":null,"labels":null,"capacity":null,"time":null,
        "microTime":null,"limit":null,"emptyDir":null,"claim":null,"names":null,"count":null}"#;
    assert_eq!(from_json::<All<'_>>(nulls).unwrap(), All::default());
    let others = br#"{"text":1,"flag":"x","small":[1],"large":1.5,"pointer":"x","textPointer":{"a":[]},
        "child":"x","children":{"a":1},"labels":[1,2],"capacity":"x","time":5,"microTime":"yesterday",
        "limit":{},"claim":[[]],"names":[null,3],"count":true,"small":99999999999,"other":{"a":[{}]}}"#;
    assert_eq!(from_json::<All<'_>>(others).unwrap(), All::default());
}

#[test]
fn text_is_borrowed_unless_it_was_escaped() {
    let all: All<'_> = from_json(br#"{"text":"plain","textPointer":"a\tb","names":["x","\u00e9"]}"#).unwrap();
    assert!(all.text.is_borrowed());
    let escaped = all.text_pointer.unwrap();
    assert!(!escaped.is_borrowed());
    assert_eq!(escaped, "a\tb");
    assert!(all.names[0].is_borrowed());
    assert_eq!(all.names[1], "é");
}

#[test]
fn invalid_utf8_in_protobuf_is_replaced() {
    let mut bytes = Vec::new();
    writer::bytes(1, b"last words \xff.", &mut bytes);
    assert_eq!(from_protobuf::<All<'_>>(&bytes).unwrap().text, "last words \u{fffd}.");
}

#[test]
fn times_are_read_as_go_writes_them() {
    let json = br#"{"time":"2026-11-21T08:30:00Z","microTime":"2026-11-21T08:30:00.123456Z"}"#;
    let all: All<'_> = from_json(json).unwrap();
    assert_eq!(all.time.seconds, Some(1_795_249_800));
    assert_eq!(all.micro_time.micros, Some(1_795_249_800_123_456));
    assert_eq!(to_json(&all), json);
    let offset: All<'_> = from_json(br#"{"time":"2026-11-21T10:30:00.9+02:00"}"#).unwrap();
    assert_eq!(offset.time, all.time);
    for none in ["0001-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-21", "", "2026-11-21T08:30:00"] {
        let json = format!("{{\"time\":\"{none}\"}}");
        assert_eq!(from_json::<All<'_>>(json.as_bytes()).unwrap().time.seconds, None, "{none}");
    }
    // an empty message is no moment, 1970 is one
    let mut bytes = Vec::new();
    writer::bytes(11, &[], &mut bytes);
    assert_eq!(from_protobuf::<All<'_>>(&bytes).unwrap().time.seconds, None);
    let epoch = All { time: Time { seconds: Some(0) }, ..All::default() };
    assert_eq!(from_protobuf::<All<'_>>(&to_protobuf(&epoch)).unwrap(), epoch);
}

#[test]
fn quantities_may_be_numbers_in_json() {
    let all: All<'_> = from_json(br#"{"capacity":{"cpu":2,"memory":"1Gi","x":0.5}}"#).unwrap();
    let seen: Vec<_> = all.capacity.iter().map(|(k, v)| (k, v.as_str())).collect();
    assert_eq!(seen, [("cpu", "2"), ("memory", "1Gi"), ("x", "0.5")]);
}
