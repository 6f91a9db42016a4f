//! Faults of the open watch: events that are garbled, odd, lost, too many or none.

use std::time::Duration;

use quarterdeck::model::{Kind, LinkState};

use super::super::server::{Body, Misdeed, Streams, object};
use super::super::view::{View, link, live, names, pass};
use super::{lists, shown, shows, three, with};

const WATCH: &str = "/pods?watch=true";

fn event(kind: &str, name: &str, version: u64) -> String {
    format!(r#"{{"type":"{kind}","object":{}}}"#, object("pods", name, version))
}

#[tokio::test]
async fn events_that_cannot_be_believed_lead_to_one_list() {
    let versioned = |version: &str| {
        format!(
            r#"{{"type":"MODIFIED","object":{{"metadata":{{"name":"a","uid":"pods-a","resourceVersion":{version}}}}}}}"#
        )
    };
    let lines: Vec<Vec<u8>> = vec![
        br#"{"type":"MODIFIED","object":{"metadata":{"name":"a""#.to_vec(),
        b"what is this".to_vec(),
        b"{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"\xff\xfe\",\"uid\":\xff}}}".to_vec(),
        event("RENAMED", "a", 5000).into_bytes(),
        br#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"#.to_vec(),
        br#"{"type":"ERROR","object":{"kind":"Status","reason":"Gone"}}"#.to_vec(),
        event("MODIFIED", "a", 1).into_bytes(),
        event("DELETED", "a", 999).into_bytes(),
        br#"{"type":"MODIFIED","object":{"metadata":{"name":"a","uid":"pods-a"}}}"#.to_vec(),
        versioned(r#""ten""#).into_bytes(),
        versioned(r#""99999999999999999999999999""#).into_bytes(),
        versioned(r#""-3""#).into_bytes(),
        versioned("null").into_bytes(),
        br#"{"type":"MODIFIED","object":null}"#.to_vec(),
        br#"{"type":"MODIFIED"}"#.to_vec(),
    ];
    for line in lines {
        let body = Body { open: true, ..Body::of([&line[..], b"\n"].concat()) };
        let (server, mut view) = with(WATCH, Misdeed::Body(body)).await;
        let what = String::from_utf8_lossy(&line).into_owned();
        view.within(20, &what, |f| shows(&["a", "b", "c"])(f) && lists(&server) == 2).await;
        server.put("pods", "d");
        view.within(20, &what, shows(&["a", "b", "c", "d"])).await;
        assert_eq!(lists(&server), 2, "{what}");
    }
}

#[tokio::test]
async fn an_error_event_resumes() {
    for status in [r#"{"kind":"Status","code":500}"#, r#"{"kind":"Status"}"#, "{}", "17"] {
        let line = format!(r#"{{"type":"ERROR","object":{status}}}"#);
        let (server, mut view) = with(WATCH, Misdeed::Body(Body::lines(&[line]))).await;
        server.put("pods", "d");
        view.within(20, status, shows(&["a", "b", "c", "d"])).await;
        assert!(lists(&server) <= 2, "{status}");
    }
}

#[tokio::test]
async fn a_line_without_end_is_given_up() {
    let chunks = std::iter::repeat_n(vec![b'x'; 1 << 20], 64).collect();
    let body = Body { chunks, open: true, ..Body::of("") };
    let (server, mut view) = with(WATCH, Misdeed::Body(body)).await;
    view.within(20, "a new list", |f| lists(&server) == 2 && shows(&["a", "b", "c"])(f)).await;
}

#[tokio::test]
async fn odd_events_do_no_harm() {
    let server = three().await;
    let at = server.version();
    let lines = [
        event("ADDED", "a", at + 1),
        event("ADDED", "a", at + 1),
        event("MODIFIED", "x", at + 2),
        event("DELETED", "y", at + 3),
        event("DELETED", "y", at + 3),
        String::new(),
    ];
    server.once(WATCH, Misdeed::Body(Body::lines(&lines)));
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "x is there", shows(&["a", "b", "c", "x"])).await;
    assert_eq!(lists(&server), 1);
}

#[tokio::test]
async fn what_was_lost_is_found_by_an_audit() {
    let server = three().await;
    let mut view = View::with(&server.kubeconfig(), Duration::from_secs(300));
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
    // One is new, one changed, one gone, and nobody was told.
    server.put_unsaid("pods", "new");
    server.put_unsaid("pods", "a");
    server.remove_unsaid("pods", "b");
    server.put("pods", "c");
    view.within(700, "what the server has", shows(&["a", "c", "new"])).await;
    let table = view.cluster();
    let table = table.table(Kind::Pod);
    assert_eq!((table.repaired, table.audited.is_some()), (3, true));
    // What is right is left alone.
    pass(700).await;
    assert_eq!(view.cluster().table(Kind::Pod).repaired, 3);
}

#[tokio::test]
async fn what_was_lost_is_found_when_asked() {
    let (server, mut view) = shown().await;
    server.put_unsaid("pods", "new");
    server.remove_unsaid("pods", "b");
    pass(5).await;
    assert_eq!(names(&view.cluster(), Kind::Pod), ["a", "b", "c"], "nobody was told");
    view.handle().retry(&[]);
    server.put("pods", "c");
    view.within(60, "what the server has", shows(&["a", "c", "new"])).await;
}

#[tokio::test]
async fn ten_minutes_of_silence() {
    let (server, mut view) = shown().await;
    server.forget_requests();
    for _ in 0..60 {
        pass(10).await;
        assert!(live(&view.cluster(), Kind::Pod) && view.cluster().link.live());
    }
    // A comparison and a watch every 75 s.
    let asked = server.count("/pods?");
    assert!((12..=20).contains(&asked), "{asked} requests");
    assert_eq!(lists(&server), 0);
    server.put("pods", "d");
    view.within(20, "d", shows(&["a", "b", "c", "d"])).await;
}

#[tokio::test]
async fn a_restore_behind_a_silent_stream() {
    let server = three().await;
    let held = Body { open: true, ..Body::of("\n") };
    server.once(WATCH, Misdeed::Body(held));
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
    server.restore_quietly();
    server.put("pods", "new");
    let took = view.within(120, "only what the server has now", shows(&["new"])).await;
    assert!(took <= 100, "75 s of silence, and a list: {took} s");
    assert_eq!(link(&view.cluster(), Kind::Pod).state, LinkState::Live);
}

#[tokio::test]
async fn a_storm_is_weathered() {
    let (server, mut view) = shown().await;
    for round in 0..20 {
        for pod in 0..200 {
            server.put("pods", &format!("s{}", (pod * 7 + round) % 150));
        }
    }
    let mut wanted: Vec<String> =
        (0..150).map(|i| format!("s{i}")).chain(["a", "b", "c"].map(str::to_owned)).collect();
    wanted.sort();
    let newest = server.version();
    view.within(30, "all of them at their newest", |f| {
        let pods = f.clusters[0].table(Kind::Pod);
        pods.version.0 == newest && names(&f.clusters[0], Kind::Pod) == wanted
    })
    .await;
    assert_eq!(lists(&server), 1);
}

#[tokio::test]
async fn a_huge_object_is_read() {
    let server = three().await;
    let huge = format!(
        r#"{{"type":"ADDED","object":{{"metadata":{{"name":"z","namespace":"ns","uid":"pods-z","resourceVersion":"{}","annotations":{{"k":"{}"}}}}}}}}"#,
        server.version() + 1,
        "x".repeat(19 << 20)
    );
    let chunks = [huge.into_bytes(), b"\n".to_vec()].concat().chunks(1 << 16).map(<[u8]>::to_vec).collect();
    server.once(WATCH, Misdeed::Body(Body { chunks, open: true, ..Body::of("") }));
    let mut view = View::open(&server.kubeconfig());
    view.within(60, "it is there", shows(&["a", "b", "c", "z"])).await;
    assert_eq!(lists(&server), 1);
    assert_eq!(view.cluster().table(Kind::Pod).rows.len(), 4);
}

#[tokio::test]
async fn streaming_lists_are_used_where_they_are_compressed() {
    for how in [Some(Streams::Compressed), Some(Streams::Plain), Some(Streams::Endless), None] {
        let server = three().await;
        server.upgrade();
        if let Some(how) = how {
            server.stream_lists(how);
        }
        let mut view = View::open(&server.kubeconfig());
        let took = view.within(120, "all pods", shows(&["a", "b", "c"])).await;
        server.put("pods", "d");
        server.remove("pods", "a");
        view.within(20, "what changed", shows(&["b", "c", "d"])).await;
        assert_eq!(server.count("/pods?watch=true&sendInitialEvents=true"), 1, "{how:?}");
        let compressed = how == Some(Streams::Compressed);
        assert_eq!(lists(&server), usize::from(!compressed), "{how:?}");
        assert_eq!(took > 25, how == Some(Streams::Endless), "{how:?}: {took} s");
        assert_eq!(server.count(WATCH) - 1, 1, "{how:?}: one plain watch");
    }
}

#[tokio::test]
async fn another_object_under_the_same_name_takes_its_place() {
    let server = three().await;
    // What was listed as b went, and nobody said so; another one is called b now.
    let page = |b: &str| {
        let items =
            [object("pods", "a", 9), object("pods", "b", 9).replace("pods-b", b), object("pods", "c", 9)];
        let version = server.version();
        format!(
            r#"{{"kind":"List","metadata":{{"resourceVersion":"{version}"}},"items":[{}]}}"#,
            items.join(",")
        )
    };
    server.once("/pods?limit=", Misdeed::Body(Body::of(page("another-b"))));
    let mut view = View::with(&server.kubeconfig(), Duration::from_secs(300));
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
    let other = quarterdeck::model::Uid::parse("another-b");
    assert!(view.cluster().table(Kind::Pod).rows.iter().any(|row| row.meta().uid == other));
    server.put("pods", "b");
    let taken = move |f: &quarterdeck::model::Fleet| {
        f.clusters[0].table(Kind::Pod).rows.iter().all(|row| row.meta().uid != other)
    };
    view.within(20, "the one that is there", taken).await;
    assert_eq!(view.cluster().table(Kind::Pod).rows.len(), 3);
}
