//! What is given out twice: versions of a restored cluster, names of a replaced one.

use serde_json::{Value, json};

use super::client::{Client, by_hand, small};
use super::faults::Hand;
use super::movement::seconds;
use crate::sim::{Fleet, Role, Scenario};

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
const JSON: &str = "application/json";

#[tokio::test]
async fn a_version_that_is_given_out_again_is_told_as_it_is_now() {
    let mut fleet = small().await;
    let hand = Hand::open(&mut fleet).await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let map = json!({"metadata": {"name": "m"}, "data": {"a": "0"}});
    client.post(MAPS, &map).await;
    let mut told = Vec::new();
    for text in ["first", "second"] {
        let from = client.get(MAPS).await.json()["metadata"]["resourceVersion"].clone();
        let path = format!("{MAPS}?watch=true&resourceVersion={}", from.as_str().unwrap());
        // two that share what is written
        let (mut one, mut other) = (client.watch(&path, JSON).await, client.watch(&path, JSON).await);
        client.patch(&format!("{MAPS}/m"), "merge", &json!({"data": {"a": text}})).await;
        for watch in [&mut one, &mut other] {
            let event = watch.until("MODIFIED").await;
            told.push((
                event["object"]["metadata"]["resourceVersion"].clone(),
                event["object"]["data"]["a"].clone(),
            ));
        }
        hand.on(&json!({"fault": "restore", "value": "1"})).await;
    }
    assert_eq!(told[0].0, told[2].0, "the same version");
    assert_eq!(told.iter().map(|t| &t.1).collect::<Vec<_>>(), ["first", "first", "second", "second"]);
}

const CORDONS: &str = r#"
name = "cordons"
[[cluster]]
name = "alpha"
provider = "private"
version = "1.36"
[[cluster.pool]]
name = "p"
machines = ["m6i.xlarge"]
count = 2
[[incident]]
kind = "cordon"
clusters = ["alpha"]
at = "5s"
lasts = "10s"
[[incident]]
kind = "cordon"
clusters = ["alpha"]
at = "60s"
"#;

#[tokio::test]
async fn a_replaced_cluster_goes_on_with_the_incidents_of_the_old_one() {
    let scenario = Scenario::parse("cordons.toml", CORDONS).unwrap();
    let mut fleet = Fleet::start(scenario, by_hand()).await.unwrap();
    let hand = Hand::open(&mut fleet).await;
    let alpha = fleet.cluster("alpha").unwrap();
    let cordoned = || alpha.objects("nodes").iter().filter(|n| n["spec"]["unschedulable"] == true).count();
    fleet.advance(seconds(6));
    assert_eq!(cordoned(), 1);
    fleet.advance(seconds(20));
    assert_eq!(cordoned(), 0, "over");
    hand.on(&json!({"fault": "replaced"})).await;
    for _ in 0..30 {
        fleet.advance(seconds(1));
        assert_eq!(cordoned(), 0, "what happened does not happen again");
    }
    fleet.advance(seconds(10));
    assert_eq!(cordoned(), 1, "what was to come does");
}

#[tokio::test]
async fn pages_are_of_their_own_selection() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let pods = "/api/v1/namespaces/shop/pods";
    let names = |list: &Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|p| p["metadata"]["name"].to_string()).collect()
    };
    let whole = names(&client.get(pods).await.json());
    let selected = client.get(&format!("{pods}?limit=1&labelSelector=app%3Dweb")).await.json();
    assert!(selected["metadata"].get("remainingItemCount").is_none(), "it is not counted");
    let first = client.get(&format!("{pods}?limit=1")).await.json();
    let next = |list: &Value| list["metadata"]["continue"].as_str().unwrap().to_owned();
    let rest = client.get(&format!("{pods}?limit=500&continue={}", next(&first))).await.json();
    assert_eq!(names(&rest), whole[1..], "not the list of another client");
    let web = client
        .get(&format!("{pods}?limit=500&labelSelector=app%3Dweb&continue={}", next(&first)))
        .await
        .json();
    assert_eq!(names(&web).len(), 4, "{:?}", names(&web));
    let huge = client.get(&format!("{pods}?limit=9223372036854775807&continue={}", next(&first))).await;
    assert_eq!(names(&huge.json()), whole[1..]);
    let cached = client.get(&format!("{pods}?limit=1&resourceVersion=0")).await.json();
    assert_eq!(names(&cached), whole, "the cache answers whole");
}
