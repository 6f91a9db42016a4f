//! The scenarios of this repository, and incidents that come and go.

use serde_json::Value;

use super::client::by_hand;
use crate::model::Span;
use crate::sim::{Control, Fleet, Scenario};

fn count(cluster: &Control, plural: &str, is: impl Fn(&Value) -> bool) -> usize {
    cluster.objects(plural).iter().filter(|o| is(o)).count()
}

fn waiting_for(reason: &'static str) -> impl Fn(&Value) -> bool {
    move |pod| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == reason
}

fn running(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running"
}

#[tokio::test]
async fn the_night_shift_begins_whole_and_its_incidents_come_and_go() {
    let fleet = Fleet::start(Scenario::night_shift().unwrap(), by_hand()).await.unwrap();
    let all: Vec<Control> = fleet.clusters().filter_map(|a| fleet.cluster(&a.name)).collect();
    let sum = |plural: &str| all.iter().map(|c| c.objects(plural).len()).sum::<usize>();
    assert_eq!(all.len(), 12);
    assert!((100..140).contains(&sum("nodes")), "{}", sum("nodes"));
    assert!((1_200..1_800).contains(&sum("pods")), "{}", sum("pods"));
    assert!(all.iter().all(|c| count(c, "pods", |p| !running(p)) == 0), "all is well when the curtain rises");

    let use1 = fleet.cluster("eks-use1").unwrap();
    let gke = fleet.cluster("gke-euw1").unwrap();
    let unready = |c: &Control| {
        count(c, "nodes", |n| n["status"]["conditions"].to_string().contains("NodeStatusUnknown"))
    };
    fleet.advance(Span::from_seconds(90));
    let stuck = |c: &Control| {
        count(c, "pods", waiting_for("ImagePullBackOff")) + count(c, "pods", waiting_for("ErrImagePull"))
    };
    assert!(stuck(&use1) > 10, "{}", stuck(&use1));
    assert!(unready(&gke) >= 2, "{}", unready(&gke));
    fleet.advance(Span::from_seconds(700));
    assert_eq!((stuck(&use1), unready(&gke)), (0, 0), "rolled back, and the zone is there again");
}

#[tokio::test]
async fn every_trouble_shows_as_it_does_in_real_clusters_and_passes() {
    let (_, text) = Scenario::SHIPPED.iter().find(|(name, _)| *name == "trouble").unwrap();
    let fleet = Fleet::start(Scenario::parse("trouble.toml", text).unwrap(), by_hand()).await.unwrap();
    let of = |name: &str| fleet.cluster(name).unwrap();
    let said = |name: &str, reason: &str, part: &str| {
        let is = |e: &Value| e["reason"] == reason && e["message"].as_str().is_some_and(|m| m.contains(part));
        count(&of(name), "events", is)
    };
    fleet.advance(Span::from_seconds(120));
    assert!(said("shop-eu", "Failed", "manifest for registry.acme.example/cart:2.10-rc not found") > 0);
    assert!(said("staging", "FailedCreate", "exceeded quota: quota, requested: ") > 0);
    fleet.advance(Span::from_seconds(110));
    let evicted = |p: &Value| p["status"]["reason"] == "Evicted";
    assert!(count(&of("ledger"), "pods", evicted) > 0);
    assert!(said("ledger", "EvictionThresholdMet", "Attempting to reclaim ephemeral-storage") > 0);
    fleet.advance(Span::from_seconds(100));
    let stuck = |p: &Value| waiting_for("ErrImagePull")(p) || waiting_for("ImagePullBackOff")(p);
    assert!(count(&of("shop-us"), "pods", stuck) > 0, "new machines have no images");
    assert!(said("shop-us", "Failed", "dial tcp: lookup registry.acme.example: i/o timeout") > 0);
    fleet.advance(Span::from_seconds(20));
    let blocked = |b: &Value| b["metadata"]["name"] == "web" && b["status"]["disruptionsAllowed"] == 0;
    assert_eq!(count(&of("shop-eu"), "poddisruptionbudgets", blocked), 1);
    fleet.advance(Span::from_seconds(20));
    let written = || of("ledger").objects("leases");
    let before = written();
    fleet.advance(Span::from_seconds(60));
    assert_eq!(written(), before, "a full store takes not even heartbeats");
    fleet.advance(Span::from_seconds(70));
    assert!(said("shop-eu", "NotTriggerScaleUp", "max node group size reached") > 0, "at its ceiling");
    // an hour later only what has ended still shows
    fleet.advance(Span::from_seconds(3600));
    for about in fleet.clusters() {
        let lives = |p: &&Value| !["Failed", "Succeeded"].contains(&p["status"]["phase"].as_str().unwrap());
        let pods = of(&about.name).objects("pods");
        let bad: Vec<&Value> = pods.iter().map(AsRef::as_ref).filter(lives).filter(|p| !running(p)).collect();
        assert!(bad.is_empty(), "{}: {} {}", about.name, bad[0]["metadata"]["name"], bad[0]["status"]);
    }
}

const CRASH: &str = r#"
name = "crash"
[[cluster]]
name = "one"
provider = "private"
version = "1.36"
[[cluster.pool]]
name = "p"
machines = ["metal-32c-128g"]
count = 2
[[workload]]
namespace = "a"
name = "w"
image = "w:1"
replicas = 2
[[incident]]
kind = "out-of-memory"
clusters = ["*"]
at = "5s"
lasts = "60s"
workloads = ["a/w"]
"#;

#[tokio::test]
async fn containers_fail_back_off_and_recover() {
    let scenario = Scenario::parse("crash.toml", CRASH).unwrap();
    let fleet = Fleet::start(scenario, by_hand()).await.unwrap();
    let one = fleet.cluster("one").unwrap();
    fleet.advance(Span::from_seconds(30));
    let failed = |p: &Value| {
        let status = &p["status"]["containerStatuses"][0];
        status["lastState"]["terminated"]["reason"] == "OOMKilled"
            && status["restartCount"].as_i64() >= Some(1)
    };
    assert_eq!(count(&one, "pods", failed), 2);
    fleet.advance(Span::from_seconds(200));
    let serving = |p: &Value| failed(p) && p["status"]["containerStatuses"][0]["ready"] == true;
    assert_eq!(count(&one, "pods", serving), 2, "they serve again and remember");
}

#[tokio::test]
async fn a_fleet_ends_when_it_is_dropped() {
    let fleet = Fleet::start(Scenario::sized(2, 2, 10), by_hand()).await.unwrap();
    let address = fleet.cluster("c000").unwrap().address();
    let config = fleet.kubeconfig(crate::sim::Role::Viewer);
    assert!(config.contains(&address) && config.contains("current-context: c000"));
    assert!(tokio::net::TcpStream::connect(&address).await.is_ok());
    drop(fleet);
    // the task that listens is cancelled when the runtime comes to it
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn what_the_document_shows_can_be_played() {
    let document = include_str!("../../../assets/scenarios/README.md");
    let shown: Vec<&str> =
        document.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!shown.is_empty());
    for text in shown {
        Scenario::parse("README.md", text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    }
}
