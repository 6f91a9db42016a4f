//! Faults below HTTP: connections that end, hang and crawl.

use std::time::Duration;

use quarterdeck::model::{Cause, Kind, LinkState};

use super::super::server::{Body, Misdeed, object};
use super::super::view::{View, link, pass};
use super::{lists, shown, shows, three, with};

const LIST: &str = "/pods?limit=2500";

#[tokio::test]
async fn reset_while_idle() {
    let (server, mut view) = shown().await;
    server.reset_connections();
    server.put("pods", "d");
    view.within(20, "d", shows(&["a", "b", "c", "d"])).await;
    assert_eq!(lists(&server), 1, "nothing was listed again");
}

#[tokio::test]
async fn a_list_that_is_cut_off_begins_again() {
    let (server, mut view) = with(LIST, Misdeed::Cut).await;
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
    assert_eq!(lists(&server), 2);
}

#[tokio::test]
async fn a_server_that_never_answers_a_request() {
    for containing in [LIST, "/pods?watch=true"] {
        let (server, mut view) = with(containing, Misdeed::Silence).await;
        let took = view.within(60, "all pods", shows(&["a", "b", "c"])).await;
        assert!((28..60).contains(&took), "{containing}: {took} s");
        assert!(server.count(containing) >= 2);
    }
}

#[tokio::test]
async fn a_list_that_trickles_in_gives_its_turn_back() {
    let page = format!(r#"{{"kind":"List","metadata":{{}},"items":[{}]}}"#, object("pods", "a", 7));
    let chunks = page.bytes().cycle().take(1000).map(|byte| vec![byte]).collect();
    let drip = Body { chunks, pause: Duration::from_secs(1), ..Body::of("") };
    let (_server, mut view) = with(LIST, Misdeed::Body(drip)).await;
    pass(60).await;
    assert!(matches!(link(&view.cluster(), Kind::Pod).state, LinkState::Listing { .. }));
    let took = view.within(400, "all pods", shows(&["a", "b", "c"])).await;
    assert!((200..350).contains(&took), "a page has five minutes: {took} s");
}

#[tokio::test]
async fn a_slow_list_is_waited_for() {
    // 200 KB at 5 KB a second.
    let names: Vec<String> = (0..2000).map(|i| format!("p{i:04}")).collect();
    let items: Vec<String> = names.iter().map(|name| object("pods", name, 9)).collect();
    let page =
        format!(r#"{{"kind":"List","metadata":{{"resourceVersion":"1009"}},"items":[{}]}}"#, items.join(","));
    let chunks = page.as_bytes().chunks(5000).map(<[u8]>::to_vec).collect();
    let slow = Body { chunks, pause: Duration::from_secs(1), ..Body::of("") };
    let (server, mut view) = with(LIST, Misdeed::Body(slow)).await;
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let took = view.within(120, "all of them", shows(&wanted)).await;
    assert!(took > 30, "{took} s");
    assert_eq!(lists(&server), 1);
}

#[tokio::test]
async fn a_far_server_is_live_all_the_same() {
    let server = three().await;
    server.slow(Duration::from_secs(5), Vec::new());
    let mut view = View::open(&server.kubeconfig());
    view.within(90, "all pods", shows(&["a", "b", "c"])).await;
    server.put("pods", "d");
    view.within(20, "d, over the open watch", shows(&["a", "b", "c", "d"])).await;
    // It goes on so: nothing takes it for dead.
    pass(120).await;
    let cluster = view.cluster();
    assert!(link(&cluster, Kind::Pod).live() && cluster.link.live(), "{:?}", cluster.link);
    assert!(cluster.tables.iter().all(|t| t.link.fault.as_ref().is_none_or(|f| f.cause == Cause::NotFound)));
}
