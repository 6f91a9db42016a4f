//! Faults of HTTP: refusals, and answers that are no answers.

use quarterdeck::model::{Cause, Fleet, Kind, LinkState, Login, Version};

use super::super::server::{Body, Misdeed, object, zipped};
use super::super::view::{View, link, names, pass};
use super::{lists, shown, shows, three, with};
use crate::faults::program::Program;

const LIST: &str = "/pods?limit=2500";
const WATCH: &str = "/pods?watch=true";
const PROBE: &str = "/pods?limit=1";

#[tokio::test]
async fn busy_servers_are_asked_when_they_say() {
    // What was asked for, and the shortest and longest wait that follows.
    let rows: [(Misdeed, u32, u32); 6] = [
        (Misdeed::Status(429), 0, 15),
        (Misdeed::Later(429, "0"), 0, 15),
        (Misdeed::Later(429, "9"), 7, 25),
        (Misdeed::Later(429, "3600"), 100, 195),
        (Misdeed::Later(429, "18446744073709551615"), 0, 195),
        (Misdeed::Later(429, "Fri, 31 Dec 1999 23:59:59 GMT"), 0, 15),
    ];
    for (misdeed, shortest, longest) in rows {
        for containing in [LIST, WATCH] {
            let (_server, mut view) = with(containing, misdeed.clone()).await;
            let busy = |f: &Fleet| {
                link(&f.clusters[0], Kind::Pod).fault.as_ref().is_some_and(|f| f.cause == Cause::Busy)
            };
            view.within(15, "it says so", busy).await;
            let took = view.within(200, "all pods", shows(&["a", "b", "c"])).await;
            assert!((shortest..=longest).contains(&took), "{misdeed:?} {containing}: {took} s");
        }
    }
}

#[tokio::test]
async fn refusals_heal() {
    for (status, longest) in [(401, 40), (500, 15), (503, 15), (504, 15), (400, 15), (302, 15)] {
        for containing in [LIST, WATCH, "/version"] {
            let (_server, mut view) = with(containing, Misdeed::Status(status)).await;
            view.within(
                longest,
                &format!("all pods after {status} of {containing}"),
                shows(&["a", "b", "c"]),
            )
            .await;
        }
        // The comparison of versions after a connection was lost.
        let (server, mut view) = shown().await;
        server.once(PROBE, Misdeed::Status(status));
        server.put("pods", "d");
        server.break_connections();
        view.within(longest, &format!("d after {status}"), shows(&["a", "b", "c", "d"])).await;
        assert!(server.count(PROBE) >= 2, "{status}: it was refused, and asked for again");
    }
}

#[tokio::test]
async fn what_is_taken_away_is_noticed_when_asked() {
    let (server, mut view) = shown().await;
    pass(3).await;
    // A server looks at what we may see only when a request begins.
    server.always("/pods", 403);
    pass(3).await;
    assert!(link(&view.cluster(), Kind::Pod).live());
    view.handle().retry(&[]);
    view.within(20, "pods are denied", |f| link(&f.clusters[0], Kind::Pod).state == LinkState::Denied).await;
    assert_eq!(names(&view.cluster(), Kind::Pod).len(), 3, "what was last seen stays");
    server.forgive();
    view.handle().retry(&[]);
    view.within(20, "all pods again", shows(&["a", "b", "c"])).await;
}

#[tokio::test]
async fn a_server_that_is_too_busy_at_first_is_left_in_peace_for_two_minutes_at_most() {
    let (server, mut view) = with("/version", Misdeed::Later(429, "3600")).await;
    pass(118).await;
    assert_eq!(server.count("/version"), 1);
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
    // Nor does it rule what comes after it.
    server.go_dark();
    view.within(20, "it is gone", |f| !f.clusters[0].link.live()).await;
    server.come_back();
    view.within(20, "it is back", |f| f.clusters[0].link.live()).await;
}

#[tokio::test]
async fn a_server_that_is_too_busy_when_asked_is_watched_on() {
    let (server, mut view) = shown().await;
    pass(3).await;
    let watched = |view: &View| Kind::ALL.iter().filter(|k| link(&view.cluster(), **k).live()).count();
    let before = watched(&view);
    server.always("limit=1", 429);
    server.forget_requests();
    view.handle().retry(&[]);
    pass(3).await;
    assert!(server.count("limit=1") >= 1, "it was asked");
    server.put("pods", "d");
    view.within(2, "what is new", shows(&["a", "b", "c", "d"])).await;
    assert_eq!(watched(&view), before);
    assert_eq!(server.count("watch=true"), 0, "no watch is opened anew");
}

#[tokio::test]
async fn a_kind_that_is_no_longer_served() {
    let (server, mut view) = shown().await;
    server.retire("pods");
    server.break_connections();
    view.within(20, "pods are missing", |f| link(&f.clusters[0], Kind::Pod).state == LinkState::Missing)
        .await;
    server.forget_requests();
    pass(240).await;
    assert!(server.count("/api/v1/pods") <= 2, "it is left in peace");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_asked_for_again() {
    let not_gzip = Body { gzip: true, ..Body::of("this is no gzip") };
    let cut_gzip = Body { gzip: true, ..Body::of(&zipped(b"{\"kind\":\"List\"")[..9]) };
    for containing in [LIST, WATCH] {
        let odd = [
            Misdeed::Body(Body::of("")),
            Misdeed::Body(Body::of("null")),
            Misdeed::Body(Body::of(r#"{"kind":"Status","code":500}"#)),
            Misdeed::Body(Body::of("[")),
            Misdeed::Page("text/plain", "what?"),
            Misdeed::Page("", ""),
            Misdeed::Body(not_gzip.clone()),
            Misdeed::Body(cut_gzip.clone()),
        ];
        for misdeed in odd {
            let what = format!("{misdeed:?}");
            let (_server, mut view) = with(containing, misdeed).await;
            view.within(20, &what[..what.len().min(80)], shows(&["a", "b", "c"])).await;
        }
    }
}

/// The limit is ignored, and the page is more than a client wants to hold: what it takes in is its
/// rows, not the page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ignores_the_limit() {
    let list = |pods: usize| {
        let filler = "x".repeat(1 << 10);
        let annotated = format!(r#""annotations":{{"k":"{filler}"}},"name""#);
        let items: Vec<String> = (0..pods)
            .map(|i| object("pods", &format!("p{i:06}"), 9).replace(r#""name""#, &annotated))
            .collect();
        let list = r#"{"kind":"List","metadata":{"resourceVersion":"1009"},"items":["#;
        Misdeed::Body(Body::of(format!("{list}{}]}}", items.join(","))))
    };
    let mut peaks = Vec::new();
    for pods in [0, 100_000] {
        let server = three().await;
        server.once(LIST, list(pods));
        let arguments = ["get", "objects", "pods", "-n", "nowhere", "-o", "csv"];
        let ran = Program::run(&server.kubeconfig(), &arguments, "").await;
        assert_eq!(ran.code, Some(0), "{} {}", ran.out, ran.err);
        assert_eq!(lists(&server), 1, "the page was taken as it is");
        peaks.push(ran.peak);
    }
    // A row of these is some 600 bytes; the page is 110 MB.
    let more = peaks[1].saturating_sub(peaks[0]) >> 20;
    assert!(more < 60 + 64, "{more} MiB more than for no pod");
}

#[tokio::test]
async fn an_object_on_two_pages_is_one() {
    let page = |next: &str, name: &str| {
        let meta = format!(r#""resourceVersion":"1009","continue":"{next}""#);
        Body::of(format!(
            r#"{{"kind":"List","metadata":{{{meta}}},"items":[{},{}]}}"#,
            object("pods", "a", 9),
            object("pods", name, 9)
        ))
    };
    let (server, mut view) = with(LIST, Misdeed::Body(page("more", "b"))).await;
    server.once("/pods?limit=2500&continue=more", Misdeed::Body(page("", "c")));
    view.within(20, "each once", shows(&["a", "b", "c"])).await;
    assert_eq!(lists(&server), 1);
}

#[tokio::test]
async fn an_upgrade_is_noticed() {
    let (server, mut view) = shown().await;
    server.go_dark();
    view.within(30, "it is gone", |f| !f.clusters[0].link.live()).await;
    server.upgrade();
    server.come_back();
    view.within(30, "the new version and what it serves", |f| {
        f.clusters[0].version == "v1.37.3-test" && link(&f.clusters[0], Kind::Service).live()
    })
    .await;
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
}

#[tokio::test]
async fn an_upgrade_behind_open_connections_is_noticed_when_asked() {
    let (server, mut view) = shown().await;
    server.upgrade();
    view.handle().retry(&[]);
    // Sooner than anybody looks by himself.
    view.within(2, "the new version", |f| f.clusters[0].version == "v1.37.3-test").await;
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
}

#[tokio::test]
async fn a_replica_that_lags_is_waited_for() {
    let (server, mut view) = shown().await;
    server.lag(5);
    server.break_connections();
    let lags = |f: &Fleet| {
        let fault = &link(&f.clusters[0], Kind::Pod).fault;
        fault.as_ref().is_some_and(|fault| fault.what.contains("it lags"))
    };
    view.within(30, "it is said", lags).await;
    assert_eq!(names(&view.cluster(), Kind::Pod), ["a", "b", "c"], "what was last seen stays");
    server.lag(0);
    view.within(15, "all pods", shows(&["a", "b", "c"])).await;
    assert_eq!(lists(&server), 1, "nothing was listed again");
}

#[tokio::test]
async fn a_restore_that_comes_with_an_upgrade_is_noticed() {
    let (server, mut view) = shown().await;
    server.go_dark();
    view.within(30, "it is gone", |f| !f.clusters[0].link.live()).await;
    // The upgrade failed: etcd and the binaries are those of before.
    server.upgrade();
    server.restore_quietly();
    server.put("pods", "new");
    server.come_back();
    view.within(60, "only what the server has now", shows(&["new"])).await;
}

#[tokio::test]
async fn a_restore_that_was_caught_up_with_is_noticed() {
    // What the last change made is not there any more, or is as it was before.
    for (last, left) in [("d", &["a", "b", "c"][..]), ("c", &["a", "b", "c"])] {
        let (server, mut view) = shown().await;
        server.put("pods", last);
        let version = server.version();
        let newest = move |f: &Fleet| f.clusters[0].pods().any(|pod| pod.meta.version == Version(version));
        view.within(10, "the last change", newest).await;
        server.restore_and_go_on();
        view.within(15, "what the server has now", |f| shows(left)(f) && !newest(f)).await;
        let asked = format!("/api/v1/namespaces/ns/pods?limit=1&fieldSelector=metadata.name%3D{last}");
        assert!(server.count(&asked) > 0, "{last}");
    }
}

#[tokio::test]
async fn an_answer_that_stalls_is_not_waited_for() {
    let stalled = || Misdeed::Body(Body { open: true, ..Body::of("{") });
    let server = three().await;
    server.once("/version", stalled());
    let mut view = View::open(&server.kubeconfig());
    let took = view.within(20, "all pods", shows(&["a", "b", "c"])).await;
    assert!((7..=14).contains(&took), "{took} s");
    // Who asks to try it again does not wait for the old try.
    let server = three().await;
    server.once("/version", stalled());
    let mut view = View::open(&server.kubeconfig());
    pass(2).await;
    assert_eq!(view.cluster().link.state, LinkState::Connecting);
    view.handle().retry(&[]);
    view.within(3, "all pods", shows(&["a", "b", "c"])).await;
}

#[tokio::test]
async fn metrics_that_come_later_are_shown() {
    let kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let server = three().await;
    server.once("/apis", Misdeed::Page(kind, r#"{"kind":"APIGroupDiscoveryList","items":[]}"#));
    server.once("/apis/metrics.k8s.io/v1beta1/nodes", Misdeed::Status(404));
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
    assert!(!view.cluster().served.metrics);
    view.within(500, "usage", |f| f.clusters[0].usage_at.is_some()).await;
}

#[tokio::test]
async fn a_metrics_server_that_refuses_is_not_the_clusters_login() {
    let server = three().await;
    server.always("/apis/metrics.k8s.io/", 401);
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
    pass(90).await;
    assert!(server.count("/apis/metrics.k8s.io/") >= 2);
    let cluster = view.cluster();
    assert_eq!((&cluster.login, cluster.link.live()), (&Login::Good(None), true));
}

#[tokio::test]
async fn tokens_that_lead_in_a_circle_are_not_followed() {
    let server = three().await;
    let page = |next: &str| {
        let meta = format!(r#""resourceVersion":"1009","continue":"{next}""#);
        Misdeed::Body(Body::of(format!(
            r#"{{"kind":"List","metadata":{{{meta}}},"items":[{}]}}"#,
            object("pods", "a", 9)
        )))
    };
    // Longest first: the text of the first page's request is in those of the others.
    for (containing, next) in
        [("/pods?limit=", "x"), ("continue=x", "y"), ("continue=y", "z"), ("continue=z", "y")]
    {
        server.once(containing, page(next));
    }
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "the real list", shows(&["a", "b", "c"])).await;
    assert_eq!(server.count("continue="), 3, "y is not asked for twice");
}

#[tokio::test]
async fn a_server_that_forbids_everything_is_asked_seldom_and_heals_when_asked() {
    let server = three().await;
    server.always("/api/v1/", 403);
    let mut view = View::open(&server.kubeconfig());
    let denied = |f: &Fleet| {
        let cluster = &f.clusters[0];
        let refused = |kind| link(cluster, kind).state == LinkState::Denied;
        cluster.link.live() && [Kind::Pod, Kind::Node, Kind::Namespace].into_iter().all(refused)
    };
    view.within(20, "every kind says so", denied).await;
    assert_eq!(view.cluster().login, Login::Good(None), "who is refused is known");
    pass(120).await;
    server.forget_requests();
    pass(1800).await;
    assert!((2..=6).contains(&server.count("/api/v1/pods")), "{}", server.count("/api/v1/pods"));
    assert!(denied(&view.fleet()));
    server.forgive();
    view.handle().retry(&[]);
    view.within(20, "all pods", shows(&["a", "b", "c"])).await;
}
