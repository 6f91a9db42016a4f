//! Watches over a real connection: the real client and store against a server on loopback that
//! does what the test says.

mod faults;
mod fleet;
mod load;
mod server;
mod view;

use quarterdeck::model::{Badge, Cause, Cluster, Kind, LinkState, Login};
use server::{Body, Misdeed, Server, object};
use view::{View, link, live, names, pass};

const SOME: [&str; 3] = ["a", "b", "c"];

async fn with_pods() -> Server {
    let server = Server::start().await;
    SOME.iter().for_each(|name| server.put("pods", name));
    server.put("nodes", "n1");
    server
}

fn view_of(server: &Server) -> View {
    View::open(&server.kubeconfig())
}

async fn watched(server: &Server) -> View {
    let mut view = view_of(server);
    view.until("pods and nodes are live", |c| live(c, Kind::Pod) && live(c, Kind::Node)).await;
    view
}

fn has(wanted: &'static [&'static str]) -> impl Fn(&Cluster) -> bool {
    move |cluster| names(cluster, Kind::Pod) == wanted && live(cluster, Kind::Pod)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_is_listed_and_what_changes_is_seen() {
    let server = with_pods().await;
    server.page_size(2);
    let mut view = watched(&server).await;
    let cluster = view.until("all pods", has(&SOME)).await;
    assert_eq!(cluster.link.state, LinkState::Live);
    assert_eq!(cluster.version, "v1.36.3-test");
    assert_eq!(cluster.served.versions.len(), 3);
    assert!(cluster.badges.contains(&Badge::PlainHttp));
    assert_eq!(server.count("/api/v1/pods?limit=2500&continue="), 1, "the list came in two pages");
    server.put("pods", "d");
    server.remove("pods", "a");
    view.until("a is gone and d is there", has(&["b", "c", "d"])).await;
    let missing = |c: &Cluster| link(c, Kind::Deployment).state == LinkState::Missing;
    let cluster = view.until("what is not served is missing", missing).await;
    assert_eq!(link(&cluster, Kind::Deployment).fault.as_ref().unwrap().cause, Cause::NotFound);
    view.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_410_anywhere_leads_to_a_new_list() {
    let server = with_pods().await;
    server.page_size(2);
    server.once("/pods?limit=2500&continue=", Misdeed::Status(410));
    server.once("/pods?watch=true", Misdeed::Status(410));
    let gone = r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"#;
    server.once("/nodes?watch=true", Misdeed::Line(gone.to_owned()));
    let mut view = watched(&server).await;
    view.until("all pods", has(&SOME)).await;
    // One that failed at its second page, one whose watch was refused, one that stands.
    let firsts = server.count("/pods?limit=2500") - server.count("/pods?limit=2500&continue=");
    assert_eq!(firsts, 3);
    assert_eq!(server.count("/nodes?limit=2500"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_is_cut_goes_on_from_where_it_was() {
    let server = with_pods().await;
    server.once("/pods?watch=true", Misdeed::Cut);
    let mut view = watched(&server).await;
    server.put("pods", "d");
    view.until("everything", has(&["a", "b", "c", "d"])).await;
    server.break_connections();
    server.put("pods", "e");
    view.until("e", has(&["a", "b", "c", "d", "e"])).await;
    assert_eq!(server.count("/pods?limit=2500"), 1, "nothing was listed again");
    assert!(server.count("/pods?limit=1") > 0, "but versions were compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_is_denied_says_so_and_the_others_go_on() {
    let server = with_pods().await;
    server.always("/pods", 403);
    let mut view = view_of(&server);
    let denied = |c: &Cluster| link(c, Kind::Pod).state == LinkState::Denied && live(c, Kind::Node);
    let cluster = view.until("pods are denied", denied).await;
    let pods = link(&cluster, Kind::Pod);
    assert_eq!(pods.fault.as_ref().unwrap().cause, Cause::Forbidden);
    assert!(pods.fault.as_ref().unwrap().what.contains("by order"));
    assert!(pods.retry_at.unwrap() > pods.since);
    assert_eq!(cluster.link.state, LinkState::Live);
    server.forgive();
    view.handle().retry(&[]);
    view.until("pods after asking again", has(&SOME)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_without_protobuf_are_read_as_json() {
    let server = with_pods().await;
    server.once("/pods?limit=2500", Misdeed::Status(406));
    server.once("/nodes?limit=2500", Misdeed::Page("application/x-odd", "what?"));
    let mut view = watched(&server).await;
    view.until("all pods", has(&SOME)).await;
    view.until("the badge", |c| c.badges.contains(&Badge::JsonOnly)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_portal_is_not_taken_for_an_empty_cluster() {
    let server = with_pods().await;
    server.once("/version", Misdeed::Page("text/html; charset=utf-8", "<html>log in</html>"));
    server.once("/pods?limit=2500", Misdeed::Page("text/html", "<html>log in</html>"));
    let mut view = view_of(&server);
    let cluster = view.until("the portal is named", |c| c.link.fault.is_some()).await;
    assert_eq!(cluster.link.fault.as_ref().unwrap().cause, Cause::Proxy);
    view.until("all pods", has(&SOME)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_goes_away_is_marked_and_comes_back_without_a_list() {
    let server = with_pods().await;
    let mut view = watched(&server).await;
    server.go_dark();
    let gone = view.until("everything is marked", |c| {
        let marked = |kind| link(c, kind).state == LinkState::Broken && link(c, kind).fault.is_some();
        c.link.state == LinkState::Broken && marked(Kind::Pod) && marked(Kind::Node)
    });
    let cluster = gone.await;
    assert_eq!(names(&cluster, Kind::Pod), SOME, "what was last seen stays");
    assert!(cluster.link.heard.is_some() && link(&cluster, Kind::Pod).heard.is_some());
    view.until("it is tried again", |c| c.link.tries >= 2 && c.link.retry_at.is_some()).await;
    let asked = server.count("/pods");
    server.put("pods", "d");
    server.come_back();
    view.until("d after coming back", has(&["a", "b", "c", "d"])).await;
    assert_eq!(server.count("/pods?limit=2500"), 1, "nothing was listed again");
    assert!(server.count("/pods") <= asked + 2, "a comparison and a watch, no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_that_expired_during_an_outage_lead_to_a_new_list() {
    let server = with_pods().await;
    let mut view = watched(&server).await;
    server.go_dark();
    view.until("it is marked", |c| c.link.state == LinkState::Broken).await;
    server.remove("pods", "b");
    server.compact();
    server.come_back();
    view.handle().retry(&[]);
    view.until("b is gone", has(&["a", "c"])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_or_replaced_server_voids_what_was_known() {
    let ways: [fn(&Server); 2] = [Server::restore, Server::replace];
    for change in ways {
        let server = with_pods().await;
        let mut view = watched(&server).await;
        view.until("all pods", has(&SOME)).await;
        change(&server);
        server.put("pods", "new");
        view.until("only what the server has now", has(&["new"])).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_is_the_clusters_state() {
    let server = with_pods().await;
    server.always("/", 401);
    let mut view = view_of(&server);
    let cluster = view.until("it is denied", |c| c.link.state == LinkState::Denied).await;
    assert_eq!(cluster.link.fault.as_ref().unwrap().cause, Cause::Unauthorized);
    assert_eq!(cluster.login, Login::Expired, "said before the link is");
    server.forgive();
    view.handle().retry(&[]);
    view.until("all pods", has(&SOME)).await;
    // It is lost in the middle of the day.
    server.always("/", 401);
    server.break_connections();
    view.until("it is denied again", |c| {
        c.link.state == LinkState::Denied && link(c, Kind::Pod).state == LinkState::Denied
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_asked_for_where_they_are_served() {
    let server = with_pods().await;
    let mut view = watched(&server).await;
    // Pods may not be read: what nodes use is shown all the same.
    let cluster = view.until("usage", |c| c.usage_at.is_some()).await;
    assert!(cluster.served.metrics && cluster.usage.pods.is_empty());
    assert_eq!(cluster.usage.nodes["n1"].cpu, 250);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_sleep_everything_is_old_until_it_is_asked_again() {
    let server = with_pods().await;
    let mut view = watched(&server).await;
    // The old connection would go on well: sleep alone is the reason.
    server.take_no_connections();
    view.sleep(600);
    let cluster =
        view.until("all is marked", |c| !c.link.live() && c.tables.iter().all(|t| !t.link.live())).await;
    assert_eq!(cluster.link.state, LinkState::Broken);
    server.come_back();
    view.handle().retry(&[]);
    view.until("all pods", has(&SOME)).await;
    assert_eq!(server.count("/pods?limit=2500"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_was_never_reached_says_why() {
    let server = with_pods().await;
    server.take_no_connections();
    let mut view = view_of(&server);
    let cluster = view.until("it was tried", |c| c.link.tries >= 2).await;
    assert_eq!((cluster.link.state, cluster.link.heard), (LinkState::Broken, None));
    assert!(cluster.link.fault.is_some());
    server.come_back();
    view.until("all pods, without being asked", has(&SOME)).await;
}

#[tokio::test]
async fn a_machine_that_wakes_while_a_connection_is_being_made_makes_another() {
    // It takes connections and says nothing, as where packets get lost.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let kubeconfig = format!(
        "contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'https://{address}', insecure-skip-tls-verify: true}}}}]\n"
    );
    let (held, mut taken) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            held.send(stream).unwrap();
        }
    });
    let view = View::open(&kubeconfig);
    let _first = taken.recv().await.unwrap();
    view.sleep(600);
    // The second takes the place of what was being made before it slept; and it goes on trying.
    for _ in 0..3 {
        let mut waited = 0;
        while taken.try_recv().is_err() {
            assert!(waited < 30, "another connection within 30 s");
            waited += 1;
            pass(1).await;
        }
    }
}

#[tokio::test]
async fn a_cluster_that_another_takes_the_place_of_in_good_order_is_noticed() {
    let server = with_pods().await;
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "all pods", |f| has(&SOME)(&f.clusters[0])).await;
    pass(20).await;
    server.switch();
    server.put("pods", "new");
    view.within(20, "only what the server has now", |f| has(&["new"])(&f.clusters[0])).await;
}

#[tokio::test]
async fn an_upgrade_in_good_order_is_noticed() {
    let server = with_pods().await;
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "all pods", |f| has(&SOME)(&f.clusters[0])).await;
    pass(20).await;
    server.upgrade();
    server.end_watches();
    view.within(20, "the new version and what it serves", |f| {
        f.clusters[0].version == "v1.37.3-test" && live(&f.clusters[0], Kind::Service)
    })
    .await;
    view.within(20, "all pods", |f| has(&SOME)(&f.clusters[0])).await;
}

#[tokio::test]
async fn a_watch_that_crashes_leaves_nothing_live_that_nobody_watches() {
    let server = with_pods().await;
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "all pods", |f| has(&SOME)(&f.clusters[0]) && live(&f.clusters[0], Kind::Node)).await;
    server.take_no_connections();
    view.crash();
    server.put("pods", "d");
    view.within(3, "nothing is live", |f| f.clusters[0].tables.iter().all(|t| !t.link.live())).await;
    let fault = link(&view.cluster(), Kind::Node).fault.clone().unwrap();
    assert!(fault.what.contains("a bug in Quarterdeck"), "{fault}");
    server.come_back();
    view.within(40, "all pods", |f| has(&["a", "b", "c", "d"])(&f.clusters[0])).await;
}

#[tokio::test]
async fn a_server_behind_a_proxy_that_answers_pings_is_missed_when_it_says_nothing() {
    let server = with_pods().await;
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "all pods", |f| has(&SOME)(&f.clusters[0]) && live(&f.clusters[0], Kind::Node)).await;
    // Until it was looked whether that connection leads to the same server.
    pass(10).await;
    // Connections and pings are as before.
    (0..2).for_each(|_| server.once("/version", Misdeed::Silence));
    view.within(15, "it is not live", |f| !f.clusters[0].link.live()).await;
    let fault = view.cluster().link.fault.clone().unwrap();
    assert_eq!(fault.cause, Cause::Timeout, "{fault}");
    view.within(40, "all is live", |f| f.clusters[0].link.live() && live(&f.clusters[0], Kind::Pod)).await;
}

#[tokio::test]
async fn a_quiet_server_stays_live_though_it_is_too_busy_to_say_more() {
    let server = with_pods().await;
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "all pods", |f| has(&SOME)(&f.clusters[0]) && live(&f.clusters[0], Kind::Node)).await;
    // The look whether that connection leads to the same server is refused, too.
    server.always("/version", 429);
    server.forget_requests();
    let mut snapshots = 0;
    for _ in 0..40 {
        pass(1).await;
        assert!(view.cluster().link.live(), "{:?}", view.cluster().link);
        snapshots += 1;
    }
    let asked = server.count("/version");
    assert!((1..=snapshots / 4).contains(&asked), "asked {asked} times in {snapshots} s");
}

#[tokio::test]
async fn a_cluster_whose_own_task_crashes_is_watched_anew() {
    let server = with_pods().await;
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "all pods", |f| has(&SOME)(&f.clusters[0]) && live(&f.clusters[0], Kind::Node)).await;
    server.take_no_connections();
    view.crash_keeper();
    view.within(10, "nothing is live", |f| {
        !f.clusters[0].link.live() && f.clusters[0].tables.iter().all(|t| !t.link.live())
    })
    .await;
    let fault = view.cluster().link.fault.clone().unwrap();
    assert!(fault.what.contains("a bug in Quarterdeck"), "{fault}");
    server.put("pods", "d");
    server.come_back();
    view.within(40, "all pods", |f| has(&["a", "b", "c", "d"])(&f.clusters[0])).await;
}

#[tokio::test]
async fn an_event_whose_object_cannot_be_read_costs_that_object_only() {
    let server = with_pods().await;
    let at = server.version();
    let nameless = object("pods", "b", at + 1).replace("\"name\":\"b\",", "");
    let lines = [
        format!(r#"{{"type":"MODIFIED","object":{nameless}}}"#),
        format!(r#"{{"type":"ADDED","object":{}}}"#, object("pods", "x", at + 2)),
    ];
    server.once("/pods?watch=true", Misdeed::Body(Body::lines(&lines)));
    let mut view = View::open(&server.kubeconfig());
    view.within(20, "b is left out and x is there", |f| has(&["a", "c", "x"])(&f.clusters[0])).await;
    let cluster = view.cluster();
    assert_eq!(cluster.table(Kind::Pod).unreadable, 1, "and it is counted");
    assert_eq!(server.count("/pods?limit=2500"), 1, "nothing was listed again");
}
