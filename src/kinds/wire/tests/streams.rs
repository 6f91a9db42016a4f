//! Lists, frames, events and statuses as servers send them, whole and broken.

use super::*;

#[test]
fn one_bad_item_costs_that_item_only() {
    let page = br#"{"kind":"AllList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[
        {"text":"a"}, null, 5, {"text":"b"}, {"text":"\ud800"}, {"text":"c"}, [], {"text":"d"}]}"#;
    let mut seen = Vec::new();
    let end = read_page(page, &mut |item: All<'_>| seen.push(item.text.to_string())).unwrap();
    assert_eq!(seen, ["a", "b", "c", "d"]);
    assert_eq!((end.items, end.bad, end.resource_version.as_str()), (4, 4, "9"));
}

/// What a page is read as when it comes in these pieces: the texts, and the end.
fn in_pieces(pieces: &[&[u8]]) -> Result<(Vec<String>, ListEnd), WireErrorKind> {
    let mut seen = Vec::new();
    let mut decoder = PageDecoder::new();
    let mut item = |bytes: &[u8]| {
        let first = first_item::<All<'_>>(bytes)?;
        Ok(first.map(|First { item, length }| {
            let item = item.map(|all| seen.push(all.text.to_string()));
            First { item, length }
        }))
    };
    for piece in pieces {
        decoder.feed(piece, &mut item).map_err(|e| e.kind)?;
    }
    let end = decoder.finish(&mut item).map_err(|e| e.kind)?;
    Ok((seen, end))
}

#[test]
fn a_page_is_the_same_wherever_it_is_cut_and_its_metadata_stand() {
    let items = r#""items": [ {"text":"a","children":[{"name":"]}"}]} ,null,{"text":"\u0041\""},7 ] "#;
    let meta = r#""metadata":{"resourceVersion":"9","continue":"x","remainingItemCount":4}"#;
    for page in [
        format!(r#"{{"kind":"AllList","apiVersion":"v1",{meta}, {items} }}"#),
        format!(" {{ {items},{meta},\n\"odd\":[1.5,{{}}],\t\"kind\" : \"AllList\" }}\n"),
    ] {
        let page = page.as_bytes();
        let (seen, end) = in_pieces(&[page]).unwrap();
        assert_eq!(seen, ["a", "A\""]);
        assert_eq!((end.items, end.bad, end.resource_version.as_str(), end.remaining), (2, 2, "9", Some(4)));
        for at in 0..page.len() {
            let (before, behind) = page.split_at(at);
            assert_eq!(in_pieces(&[before, behind]), Ok((seen.clone(), end.clone())), "cut at {at}");
            let complete = behind.trim_ascii().is_empty();
            let cut = in_pieces(&[before]);
            assert!(
                if complete { cut.is_ok() } else { cut == Err(WireErrorKind::Truncated) },
                "ends at {at}"
            );
        }
    }
}

#[test]
fn what_is_garbled_in_a_page_is_an_error() {
    let list = |items: &str| format!(r#"{{"kind":"AllList","items":[{items}]}}"#);
    for page in [
        list(r#"{"text":"a"} {"text":"b"}"#),
        list(r#"{"text":"a"},"#),
        list(r#"{"text" "a"}"#),
        list(",{}"),
        list("{}") + "{}",
        list("{}").replace(':', " "),
        list("{}").replace(']', "}"),
        r#"{"kind":"AllList",}"#.to_owned(),
        r#"{kind:"AllList"}"#.to_owned(),
    ] {
        assert_eq!(in_pieces(&[page.as_bytes()]), Err(WireErrorKind::Json), "{page}");
    }
}

#[test]
fn a_long_page_is_not_held() {
    let item = format!(r#"{{"text":"{}"}}"#, "x".repeat(9000));
    let page = format!(r#"{{"kind":"AllList","items":[{}]}}"#, vec![item; 500].join(","));
    let mut decoder = PageDecoder::new();
    let (mut most, mut seen) = (0, 0);
    for chunk in page.as_bytes().chunks(4000) {
        let item = &mut |bytes: &[u8]| {
            let first = first_item::<All<'_>>(bytes)?;
            seen += usize::from(first.is_some());
            Ok(first.map(|First { item, length }| First { item: item.map(drop), length }))
        };
        decoder.feed(chunk, item).unwrap();
        most = most.max(decoder.room());
    }
    assert!(seen > 450 && most <= 256 << 10, "{seen} items were read by the end, {most} bytes held at most");
}

#[test]
fn an_item_of_json_that_is_too_large_is_stepped_over() {
    let big = format!(r#"{{"text":"{}"}}"#, "}\\\"".repeat(LARGEST / 3 + 1_500_000));
    let page = format!(r#"{{"kind":"AllList","items":[{{"text":"a"}},{big}, {{"text":"b"}}]}}"#);
    let pieces: Vec<&[u8]> = page.as_bytes().chunks(1 << 20).collect();
    let (seen, end) = in_pieces(&pieces).unwrap();
    assert!(seen == ["a", "b"] && end.bad == 1, "{} items, {} bad", seen.len(), end.bad);
    let page = format!(r#"{{"kind":"AllList","metadata":{big},"items":[]}}"#);
    let pieces: Vec<&[u8]> = page.as_bytes().chunks(1 << 20).collect();
    assert_eq!(in_pieces(&pieces), Err(WireErrorKind::TooLong), "only an item can be done without");
}

#[test]
fn a_null_list_is_empty_and_what_is_no_list_is_refused() {
    let end = read_page::<All<'_>>(br#"{"kind":"AllList","items":null}"#, &mut drop).unwrap();
    assert_eq!(end.items, 0);
    for body in [&b"{}"[..], b"null", b"[]", br#"{"kind":"Status","code":500}"#] {
        let error = read_page::<All<'_>>(body, &mut drop).unwrap_err();
        assert_eq!(error.kind, WireErrorKind::NotAList);
    }
    let error = read_page::<All<'_>>(b"<html>Welcome to the hotel</html>", &mut drop).unwrap_err();
    assert_eq!(error.kind, WireErrorKind::Json);
    let error = read_page::<All<'_>>(b"", &mut drop).unwrap_err();
    assert_eq!(error.kind, WireErrorKind::Truncated);

    let mut decoder = ListDecoder::new();
    let status = enveloped("v1", "Status", |_| ());
    assert_eq!(decoder.feed(&status, &mut |_| ()).unwrap_err().kind, WireErrorKind::NotAList);
    let mut decoder = ListDecoder::new();
    assert_eq!(decoder.feed(b"<html>", &mut |_| ()).unwrap_err().kind, WireErrorKind::Envelope);
    assert_eq!(ListDecoder::new().finish().unwrap_err().kind, WireErrorKind::Truncated);
}

#[test]
fn an_item_that_is_too_large_is_stepped_over() {
    let big = vec![b' '; LARGEST + 1];
    let bytes = enveloped("v1", "AllList", |out| {
        All { small: 1, ..All::default() }.write(2, out);
        writer::bytes(2, &big, out);
        All { small: 2, ..All::default() }.write(2, out);
    });
    let mut decoder = ListDecoder::new();
    let mut seen = Vec::new();
    for chunk in bytes.chunks(1 << 16) {
        decoder.feed(chunk, &mut |item| seen.push(from_protobuf::<All<'_>>(item).unwrap().small)).unwrap();
    }
    let end = decoder.finish().unwrap();
    assert_eq!((seen, end.items, end.bad), (vec![1, 2], 2, 1));
}

#[test]
fn frames_are_bounded() {
    let mut frames = Frames::new(Format::Protobuf);
    let error = frames.feed(&[0xff, 0, 0, 0], &mut |_| ()).unwrap_err();
    assert_eq!(error.kind, WireErrorKind::TooLong);
    let mut frames = Frames::new(Format::Json);
    let line = vec![b' '; LARGEST];
    frames.feed(&line, &mut |_| ()).unwrap();
    assert_eq!(frames.feed(b"  ", &mut |_| ()).unwrap_err().kind, WireErrorKind::TooLong);
}

#[test]
fn bookmarks_are_read_whatever_their_object_is() {
    let bookmark = Bookmark {
        metadata: BookmarkMeta {
            resource_version: "1234".into(),
            annotations: [("k8s.io/initial-events-end".into(), "true".into())].into_iter().collect(),
        },
    };
    for format in [Format::Protobuf, Format::Json] {
        let frame = frame_of(format, "BOOKMARK", &bookmark);
        let WatchEvent::Bookmark(seen) = read_event::<All<'_>>(format, &frame).unwrap() else {
            panic!("not a bookmark")
        };
        assert_eq!(seen.resource_version(), "1234");
        assert!(seen.ends_initial_events());
    }
}

#[test]
fn an_error_event_carries_the_status() {
    let status = Status {
        status: "Failure".into(),
        message: "too old resource version: 1 (2)".into(),
        reason: "Expired".into(),
        code: 410,
        details: Some(StatusDetails {
            retry_after_seconds: 3,
            causes: vec![StatusCause { reason: "X".into(), ..StatusCause::default() }],
            ..StatusDetails::default()
        }),
        metadata: ListMeta { continue_token: "go on".into(), ..ListMeta::default() },
    };
    for format in [Format::Protobuf, Format::Json] {
        let frame = frame_of(format, "ERROR", &status);
        assert_eq!(
            read_event::<All<'_>>(format, &frame).unwrap(),
            WatchEvent::Error(Box::new(status.clone()))
        );
    }
    for format in [Format::Protobuf, Format::Json] {
        let body = write_body(format, "v1", "Status", &status);
        let read = Status::read(&body).unwrap();
        assert_eq!(read, status);
        assert_eq!(read.retry_after_seconds(), Some(3));
        assert_eq!(read.causes().len(), 1);
    }
}

#[test]
fn a_line_may_have_its_object_first() {
    let event = read_event::<All<'_>>(Format::Json, br#"{"object":{"small":3},"type":"DELETED"}"#).unwrap();
    assert_eq!(event, WatchEvent::Deleted(All { small: 3, ..All::default() }));
}

#[test]
fn garbled_lines_and_unknown_types_are_errors() {
    for (line, kind) in [
        (&br#"{"type":"ADDED","object":{"text":"a"}"#[..], WireErrorKind::Truncated),
        (br#"{"type":"ADDED"}"#, WireErrorKind::Truncated),
        (br#"{"type":"ADDED","object":null}"#, WireErrorKind::Json),
        (br#"{"type":"RENAMED","object":{}}"#, WireErrorKind::EventType),
        (br#"{"object":{}}"#, WireErrorKind::EventType),
        (b"{}", WireErrorKind::EventType),
        (b"1", WireErrorKind::EventType),
        (br#"{"type":"ADDED","object":{}}{"#, WireErrorKind::Json),
        (b"\xff\xfe", WireErrorKind::Json),
    ] {
        assert_eq!(read_event::<All<'_>>(Format::Json, line).unwrap_err().kind, kind);
    }
    let mut frame = Vec::new();
    writer::bytes(1, b"ADDED", &mut frame);
    let error = read_event::<All<'_>>(Format::Protobuf, &frame).unwrap_err();
    assert_eq!(error.kind, WireErrorKind::Truncated);
}

#[test]
fn formats_are_known_by_their_media_type() {
    assert_eq!(
        Format::of_content_type("application/vnd.kubernetes.protobuf;stream=watch"),
        Some(Format::Protobuf)
    );
    assert_eq!(Format::of_content_type("application/json"), Some(Format::Json));
    assert_eq!(Format::of_content_type("text/html; charset=utf-8"), None);
}
