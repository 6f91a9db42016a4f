//! What servers send: objects, lists, watches and statuses in both formats.

use quarterdeck::kinds::discovery::{ServerVersion, read_groups};
use quarterdeck::kinds::metrics::{read_nodes, read_pods};
use quarterdeck::kinds::wire::{
    Format, Frames, ListDecoder, ListMeta, Status, WireErrorKind, write_event, write_list,
};
use quarterdeck::kinds::{ALL, RecordList, VersionDecl};
use quarterdeck::model::{Record, Usage};

use super::mutate::Chance;
use super::{folder, run, texts};

const OBJECTS: &str = "tests/fixtures/kubernetes";
const FORMATS: [Format; 2] = [Format::Json, Format::Protobuf];

fn bodies(format: Format) -> Vec<Vec<u8>> {
    folder(OBJECTS, if format == Format::Json { "json" } else { "pb" })
}

fn any(chance: &mut Chance) -> &'static VersionDecl {
    ALL[chance.below(ALL.len())].preferred()
}

/// Hands bytes over in pieces of chance.
fn pieces<'a>(bytes: &'a [u8], chance: &mut Chance) -> Vec<&'a [u8]> {
    let size = 1 + chance.below(bytes.len().max(1));
    bytes.chunks(size).collect()
}

/// What was read can be written.
fn sound(record: &Record) {
    assert!(!record.meta().name.is_empty());
    serde_json::to_vec(record).unwrap();
}

#[test]
fn objects() {
    for format in FORMATS {
        run("objects", 3000, &bodies(format), |bytes, chance| {
            if let Ok(record) = any(chance).object(format, bytes) {
                sound(&record);
            }
        });
    }
}

#[test]
fn lists() {
    let items: Vec<Vec<u8>> = ALL
        .iter()
        .zip(bodies(Format::Json).iter().cycle())
        .filter_map(|(decl, json)| decl.preferred().item_to_protobuf(json).ok())
        .collect();
    let meta = ListMeta { resource_version: "5".into(), continue_token: "next".into(), remaining: Some(9) };
    let list = |items: &[Vec<u8>]| write_list("v1", "PodList", &meta, items.iter().map(Vec::as_slice));
    let examples = [list(&items), list(&items[..1]), list(&[])];
    run("lists", 3000, &examples, |bytes, chance| {
        let version = any(chance);
        let read = |pieces: &[&[u8]]| {
            let mut decoder = ListDecoder::new();
            let mut seen = Vec::new();
            for piece in pieces {
                decoder.feed(piece, &mut |item| seen.push(version.item(item).ok())).map_err(|e| e.kind)?;
            }
            let end = decoder.finish().map_err(|e| e.kind)?;
            assert_eq!(end.items, seen.len());
            Ok::<_, WireErrorKind>((seen, end))
        };
        // However it arrives, it is the same.
        assert_eq!(read(&[bytes]), read(&pieces(bytes, chance)));
    });
}

#[test]
fn pages() {
    let objects: Vec<String> =
        bodies(Format::Json).into_iter().map(|json| String::from_utf8(json).unwrap()).collect();
    let page = |items: &[String]| {
        let items = items.join(",");
        format!(
            r#"{{"kind":"PodList","metadata":{{"resourceVersion":"7","continue":"x"}},"items":[{items}]}}"#
        )
    };
    let examples = [page(&objects[..3]), page(&objects[..1]), page(&[])].map(String::into_bytes);
    run("pages", 1500, &examples, |bytes, chance| {
        let version = any(chance);
        let read = |pieces: &[&[u8]]| {
            let (mut list, mut seen) = (RecordList::new(version, Format::Json), Vec::new());
            for piece in pieces {
                list.feed(piece, |record| seen.push(record)).map_err(drop)?;
            }
            let end = list.finish(|record| seen.push(record)).map_err(drop)?;
            assert_eq!(end.items, seen.len());
            Ok::<_, ()>((seen, end))
        };
        let whole = read(&[bytes]);
        whole.iter().flat_map(|(seen, _)| seen).for_each(sound);
        // However it arrives, it is the same. (What is broken may be noticed sooner or later.)
        assert_eq!(whole, read(&pieces(bytes, chance)));
    });
}

#[test]
fn watches() {
    for format in FORMATS {
        let bodies = bodies(format);
        let example = |kinds: &[&str]| -> Vec<u8> {
            let lines = kinds.iter().zip(&bodies).map(|(kind, body)| {
                let body = if format == Format::Json { body.trim_ascii() } else { body };
                write_event(format, kind, body)
            });
            lines.flatten().collect()
        };
        let examples =
            [example(&["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]), example(&["BOOKMARK"])];
        run("watches", 2000, &examples, |bytes, chance| {
            let version = any(chance);
            let read = |pieces: &[&[u8]]| {
                let (mut frames, mut seen) = (Frames::new(format), Vec::new());
                for piece in pieces {
                    frames.push(piece);
                    while let Some(frame) = frames.next_frame().map_err(|e| e.kind)? {
                        seen.push(version.event(format, frame).map(drop).map_err(|e| e.kind));
                    }
                }
                frames.finish().map(|()| seen).map_err(|e| e.kind)
            };
            assert_eq!(read(&[bytes]), read(&pieces(bytes, chance)));
        });
    }
}

#[test]
fn a_length_of_two_gigabytes_reserves_nothing() {
    let length = [0x12, 0xff, 0xff, 0xff, 0xff, 0x07];
    let examples = [[b"k8s\0".as_slice(), &length].concat(), length.to_vec(), b"\x7f\xff\xff\xff".to_vec()];
    run("lengths", 200, &examples, |bytes, chance| {
        let version = any(chance);
        let _ = version.object(Format::Protobuf, bytes);
        let _ = version.item(bytes);
        let _ = Status::read(bytes);
        let mut frames = Frames::new(Format::Protobuf);
        frames.push(bytes);
        let _ = frames.next_frame();
        let _ = ListDecoder::new().feed(bytes, &mut |_| ());
    });
}

#[test]
fn statuses_discovery_and_metrics() {
    let examples = texts(&[
        r#"{"kind":"Status","apiVersion":"v1","metadata":{"continue":"x"},"status":"Failure","message":"no","reason":"Expired","details":{"retryAfterSeconds":3,"causes":[{"reason":"r","message":"m","field":"f"}]},"code":410}"#,
        r#"{"kind":"APIGroupDiscoveryList","metadata":{},"items":[{"metadata":{"name":"apps"},"versions":[{"version":"v1","resources":[{"resource":"deployments","verbs":["list","watch"]}]}]}]}"#,
        r#"{"major":"1","minor":"36+","gitVersion":"v1.36.3"}"#,
        r#"{"kind":"NodeMetricsList","metadata":{},"items":[{"metadata":{"name":"n"},"timestamp":"2026-01-01T00:00:00Z","usage":{"cpu":"250m","memory":"1Ki"}}]}"#,
        r#"{"kind":"PodMetricsList","metadata":{},"items":[{"metadata":{"name":"p","namespace":"n"},"containers":[{"name":"c","usage":{"cpu":"1n","memory":"2Gi"}}]}]}"#,
    ]);
    run("statuses", 4000, &examples, |bytes, _| {
        if let Ok(status) = Status::read(bytes) {
            status.retry_after_seconds();
        }
        let _ = read_groups(bytes);
        let _ = ServerVersion::read(bytes).map(|version| version.minor());
        for format in FORMATS {
            let _ = read_nodes(format, bytes, &mut Usage::default());
            let _ = read_pods(format, bytes, &mut Usage::default());
        }
    });
}
