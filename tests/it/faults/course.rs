//! Faults in the middle of a day, and at its beginning, on the way that people use.

use std::cell::Cell;
use std::time::Duration;

use quarterdeck::cluster::Names;
use quarterdeck::model::{Badge, Cause, Cluster, Fault, Kind, LinkState, Span};
use quarterdeck::sim::{Options, Pace, Role, Scenario};
use quarterdeck::watch::{self, Clock};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::rig::{Home, answer, ask, fails, plain, serve, server};
use crate::embedded::Embedded;
use crate::ground::{Ground, all_live, blocking, now};
use crate::versions::{here, there};

/// Whether a cluster is live and shown as it is, but for events.
fn same<'a>(fleet: &'a Embedded, name: &'a str) -> impl Fn(&Cluster) -> bool + 'a {
    let control = fleet.fleet.cluster(name).unwrap();
    move |cluster| {
        let mut kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Event);
        all_live(cluster) && kinds.all(|kind| here(cluster, kind) == there(&control, kind))
    }
}

fn fault(fleet: &Embedded, cluster: &str, fault: &str) {
    blocking(|| fleet.hand.fault_in(cluster, fault)).unwrap();
}

fn heal(fleet: &Embedded) {
    blocking(|| fleet.hand.heal()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_09_a_name_that_does_not_resolve_is_one_cluster_s() {
    let fleet = Embedded::still().await;
    let text = fleet.fleet.kubeconfig(Role::Admin);
    let far = fleet.fleet.cluster("far").unwrap().address();
    // A label of more than 63 characters is refused before anybody is asked.
    let lost = text.replace(&format!("https://{far}"), &format!("https://{}.example:6443", "a".repeat(64)));
    assert_ne!(lost, text);
    let mut ground = Ground::open(&lost);
    let cause = |c: &Cluster| c.link.fault.as_ref().map(|fault| fault.cause);
    ground.until("far", "its name is said not to resolve", |c| cause(c) == Some(Cause::Dns)).await;
    ground.until("near", "it is shown as it is", same(&fleet, "near")).await;
    assert!(!ground.cluster("far").link.live());
    ground.handle.shutdown().await;
}

/// A fleet of which the machine of whoever looks at it is looked after by the fleet, too.
fn on_its_workstation(fleet: &Embedded) -> Ground {
    let (names, sleeps) = (fleet.fleet.workstation(), fleet.fleet.workstation());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, names.files_by_name(&folder.path().join("login")).kubeconfig.unwrap()).unwrap();
    let names = Names::new(move |host| names.look_up(host));
    let options = watch::Options {
        clock: Clock::system().and_slept(move || sleeps.slept()),
        ..watch::Options::default()
    };
    Ground::open_file(&file, Some(names), now, options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_09_a_name_stops_resolving_and_resolves_again() {
    let fleet = Embedded::still().await;
    let mut ground = on_its_workstation(&fleet);
    for name in ["near", "far"] {
        ground.until(name, "it is shown as it is", same(&fleet, name)).await;
    }
    fault(&fleet, "near", r#"{"fault": "unresolved"}"#);
    fault(&fleet, "near", r#"{"fault": "reset"}"#);
    let cause = |c: &Cluster| c.link.fault.as_ref().map(|fault| fault.cause);
    let cluster = ground.until("near", "its name does not resolve", |c| cause(c) == Some(Cause::Dns)).await;
    assert!(cluster.link.fault.as_ref().unwrap().what.contains("near.fleet.localhost"), "{:?}", cluster.link);
    assert!(!here(&cluster, Kind::Pod).is_empty(), "what was last seen stays");
    assert!(all_live(&ground.cluster("far")));
    heal(&fleet);
    ground.wait_for("near", "it is shown as it is", Duration::from_secs(60), same(&fleet, "near")).await;
    ground.handle.shutdown().await;
}

/// The machine falls asleep while a connection is being made: on the other side nobody knows of it
/// any more. Waiting until it runs out of time would take ten seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_16_a_connection_in_the_making_is_given_up_after_sleep() {
    let fleet = Embedded::still().await;
    let mut ground = on_its_workstation(&fleet);
    ground.until("near", "it is shown as it is", same(&fleet, "near")).await;
    let taken = || blocking(|| fleet.hand.connections("near")).unwrap();
    let before = taken();
    fault(&fleet, "near", r#"{"fault": "handshake-hangs"}"#);
    fault(&fleet, "near", r#"{"fault": "reset"}"#);
    let connected = async {
        while taken() == before {
            tokio::task::yield_now().await;
        }
    };
    let connected = tokio::time::timeout(Duration::from_secs(60), connected).await;
    assert!(connected.is_ok(), "nobody connected");
    fault(&fleet, "near", r#"{"fault": "sleep", "delay": "10m"}"#);
    blocking(|| fleet.hand.heal_in("near", "handshake-hangs")).unwrap();
    let ran_out = Cell::new(false);
    let shown = |c: &Cluster| {
        let late = |fault: &Fault| fault.what.contains("within 10s");
        ran_out.set(ran_out.get() || c.link.fault.as_ref().is_some_and(late));
        same(&fleet, "near")(c)
    };
    ground.wait_for("near", "it is shown as it is", Duration::from_secs(60), shown).await;
    assert!(!ran_out.get(), "it was waited for a connection that the sleep had ended");
    ground.handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_28_44_lists_come_as_compressed_streams_where_servers_offer_that() {
    let fleet = Embedded::of_version("1.37").await;
    // Whoever lists in pages is refused.
    let lists = r#"{"fault": "error", "verb": "list", "kinds": ["pods"]}"#;
    blocking(|| fleet.hand.fault(lists)).unwrap();
    let mut ground = Ground::open(&fleet.fleet.kubeconfig(Role::Admin));
    ground.until("near", "its pods came as a stream", same(&fleet, "near")).await;
    let refused =
        |c: &Cluster| c.table(Kind::Pod).link.fault.as_ref().is_some_and(|f| f.cause == Cause::Server);
    ground.until("far", "its pods cannot be listed: it is older", refused).await;
    heal(&fleet);
    ground.handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_53_another_cluster_takes_over_in_good_order() {
    let fleet = Embedded::still().await;
    let mut ground = Ground::open(&fleet.fleet.kubeconfig(Role::Admin));
    let uids = |c: &Cluster| here(c, Kind::Node).into_keys().collect::<Vec<_>>();
    let old = uids(&*ground.until("near", "it is shown as it is", same(&fleet, "near")).await);
    fault(&fleet, "near", r#"{"fault": "replaced", "value": "gracefully"}"#);
    let another = |c: &Cluster| uids(c).iter().all(|uid| !old.contains(uid)) && same(&fleet, "near")(c);
    ground.wait_for("near", "the other cluster is shown", Duration::from_secs(60), another).await;
    ground.handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_16_versions_that_expired_while_the_machine_slept() {
    let fleet = Embedded::still().await;
    for minutes in [1, 10, 120] {
        let slept = Arc::new(AtomicI64::new(0));
        let asleep = Arc::clone(&slept);
        let clock = Clock::new(now, move || Span::from_seconds(asleep.load(Ordering::Relaxed)));
        let options = watch::Options { clock, ..watch::Options::default() };
        let mut ground = Ground::open_as(&fleet.fleet.kubeconfig(Role::Admin), now, options);
        ground.until("near", "it is shown as it is", same(&fleet, "near")).await;
        // Out of reach from when it sleeps until it is awake, and much is forgotten meanwhile.
        let near = fleet.fleet.cluster("near").unwrap();
        fault(&fleet, "near", r#"{"fault": "half-open"}"#);
        slept.fetch_add(minutes * 60, Ordering::Relaxed);
        let marked = |c: &Cluster| c.link.state == LinkState::Broken;
        ground.until("near", "it is marked", marked).await;
        blocking(|| fleet.fleet.advance(Span::from_seconds(minutes * 60)));
        near.compact();
        heal(&fleet);
        let shown = same(&fleet, "near");
        ground.wait_for("near", "it is shown as it is", Duration::from_secs(60), shown).await;
        ground.handle.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_20_what_may_not_be_read_in_one_namespace_is_said() {
    let fleet = Embedded::still().await;
    let near = fleet.fleet.cluster("near").unwrap();
    let mut ground = Ground::open(&fleet.fleet.kubeconfig(Role::Viewer));
    ground.until("near", "it is shown as it is", same(&fleet, "near")).await;
    assert!(near.deny("pods", Some("shop")));
    near.cut("pods");
    let denied = |c: &Cluster| {
        let others = c.tables.iter().all(|t| t.kind == Kind::Pod || t.link.live());
        c.table(Kind::Pod).link.state == LinkState::Denied && c.link.live() && others
    };
    let cluster = ground.until("near", "pods are denied, and nothing else is", denied).await;
    assert_eq!(cluster.table(Kind::Pod).link.fault.as_ref().unwrap().cause, Cause::Forbidden);
    assert!(!here(&cluster, Kind::Pod).is_empty(), "what was last seen stays");
    near.allow("pods", Some("shop"));
    ground.handle.retry(&[cluster.id]);
    ground.until("near", "it is shown as it is", same(&fleet, "near")).await;
    ground.handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_22_a_server_without_protobuf_is_read_as_json() {
    let fleet = Embedded::still().await;
    fault(&fleet, "near", r#"{"fault": "not-acceptable", "value": "protobuf"}"#);
    let mut ground = Ground::open(&fleet.fleet.kubeconfig(Role::Admin));
    ground.until("near", "it is shown as it is", same(&fleet, "near")).await;
    ground.until("near", "the badge", |c| c.badges.contains(&Badge::JsonOnly)).await;
    ground.until("far", "it is shown as it is", same(&fleet, "far")).await;
    assert!(!ground.cluster("far").badges.contains(&Badge::JsonOnly));
    // Whoever falls back to JSON for one request only would be refused the next.
    blocking(|| fleet.fleet.advance(Span::from_seconds(30)));
    fault(&fleet, "near", r#"{"fault": "reset"}"#);
    ground.until("near", "it is shown as it is, after a new connection", same(&fleet, "near")).await;
    ground.handle.shutdown().await;
}

/// Faults of the first answers of a connection: nothing was shown before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_23_24_first_answers_that_fail_are_asked_for_again() {
    for first in [
        r#"{"fault": "expired", "kinds": ["pods"], "verb": "list", "times": 2}"#,
        r#"{"fault": "error", "code": 500, "times": 4}"#,
        r#"{"fault": "unauthorized", "times": 1}"#,
        r#"{"fault": "empty-body", "times": 4}"#,
        r#"{"fault": "truncated-line", "times": 2}"#,
    ] {
        let fleet = Embedded::still().await;
        fault(&fleet, "near", first);
        let mut ground = Ground::open(&fleet.fleet.kubeconfig(Role::Admin));
        ground.until("near", first, same(&fleet, "near")).await;
        ground.until("far", first, same(&fleet, "far")).await;
        ground.handle.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_46_a_storm_is_weathered() {
    let options = Options { pace: Pace::Manual, ..Options::default() };
    let fleet = Embedded::of(Scenario::sized(2, 4, 200), options).await;
    let mut ground = Ground::open(&fleet.fleet.kubeconfig(Role::Admin));
    for name in ground.names() {
        ground.until(&name, "it is shown as it is", same(&fleet, &name)).await;
    }
    // At once, as many changes as there are otherwise in a hundred times the time.
    let before = blocking(|| fleet.hand.pod_changes()).unwrap();
    for rate in [10.0, 100.0] {
        fleet.fleet.set_churn(rate);
        blocking(|| fleet.fleet.advance(Span::from_seconds(30)));
    }
    assert!(blocking(|| fleet.hand.pod_changes()).unwrap() - before > 3_000);
    for name in ground.names() {
        let cluster = ground.until(&name, "it is shown as it is", same(&fleet, &name)).await;
        assert_eq!(cluster.table(Kind::Pod).repaired, 0);
    }
    ground.handle.shutdown().await;
}

#[tokio::test]
async fn class_57_a_server_that_moved_is_found_after_a_new_start() {
    let (old, new) = (gone().await, server(|_, stream| serve(stream, |_| answer(200, "new"))).await);
    let home = Home::new(&plain(old), "");
    let session = home.session();
    home.configure(&plain(new), "");
    // Where a request goes is not changed under whoever confirmed it.
    let fault = fails(&session, Cause::Refused).await;
    assert!(fault.what.contains(&old.to_string()), "{fault}");
    assert_eq!(ask(&home.session()).await.as_deref(), Ok("new"));
}

/// A port at which nothing listens any more.
async fn gone() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}
