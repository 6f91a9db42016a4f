//! Faults of the way that are of some requests: of one stream of a connection, and not of the others.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::client::{Client, Watch};
use super::faults::ground;
use crate::sim::{Fleet, Role};

const PODS: &str = "/api/v1/pods";
const NODES: &str = "/api/v1/nodes";
const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
const JSON: &str = "application/json";

/// A watch of everything from now on.
async fn watch(client: &Client, path: &str) -> Watch {
    let from = client.get(path).await.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    client.watch(&format!("{path}?watch=true&resourceVersion={from}"), JSON).await
}

async fn label(client: &Client, fleet: &Fleet, plural: &str, value: &str) {
    let object = fleet.cluster("alpha").unwrap().objects(plural)[0].clone();
    let meta = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
    let space = meta("namespace");
    let space = if space.is_empty() { String::new() } else { format!("namespaces/{space}/") };
    let path = format!("/api/v1/{space}{plural}/{}", meta("name"));
    let patch = json!({"metadata": {"labels": {"seen": value}}});
    assert_eq!(client.patch(&path, "merge", &patch).await.code, 200, "{path}");
}

#[tokio::test]
async fn only_the_streams_of_a_kind_are_at_fault() {
    let (fleet, hand, client) = ground().await;
    let good = client.whole(PODS).await.unwrap();
    let mut nodes = watch(&client, NODES).await;
    for (fault, reads) in [
        (json!({"fault": "reset-midway", "bytes": 500}), None),
        (json!({"fault": "close-midway", "bytes": 500}), Some(500)),
        (json!({"fault": "refusing"}), None),
        (json!({"fault": "reset-midway", "bytes": 100_000_000}), Some(good.len())),
    ] {
        let mut fault = fault.clone();
        fault["kinds"] = json!(["pods"]);
        hand.on(&fault).await;
        assert!(client.whole(NODES).await.is_some_and(|all| all.len() > 500), "{fault}");
        assert_eq!(client.whole(PODS).await.map(|read| read.len()), reads, "{fault}");
        assert!(hand.happened().await > 0, "{fault}");
        hand.off().await;
        assert_eq!(client.whole(PODS).await.map(|read| read.len()), Some(good.len()), "{fault} is over");
    }
    label(&client, &fleet, "nodes", "yes").await;
    assert_eq!(nodes.until("MODIFIED").await["object"]["metadata"]["labels"]["seen"], "yes");
}

#[tokio::test]
async fn some_requests_are_chosen_by_verb_and_number() {
    let (_fleet, hand, client) = ground().await;
    hand.on(&json!({"fault": "refusing", "verb": "list", "times": 1})).await;
    let one = format!("{NODES}/nobody");
    assert_eq!(client.get(&one).await.code, 404, "a get is no list");
    assert!(client.whole(NODES).await.is_none());
    assert!(client.whole(NODES).await.is_some(), "once");
    hand.off().await;
    hand.on(&json!({"fault": "close-midway", "bytes": 10, "nth": 2, "kinds": ["nodes"]})).await;
    let mut short = Vec::new();
    for _ in 0..4 {
        short.push(client.whole(NODES).await.is_some_and(|read| read.len() == 10));
    }
    assert_eq!(short, [false, true, false, true]);
}

#[tokio::test]
async fn watches_of_a_kind_are_reset_and_others_go_on() {
    let (fleet, hand, client) = ground().await;
    let (mut pods, mut nodes) = (watch(&client, PODS).await, watch(&client, NODES).await);
    hand.on(&json!({"fault": "reset", "kinds": ["pods"]})).await;
    while let Some(Ok(())) = pods.frame().await {}
    label(&client, &fleet, "nodes", "yes").await;
    nodes.until("MODIFIED").await;
    assert!(client.whole(PODS).await.is_some(), "it is over when it has happened");
}

#[tokio::test]
async fn a_stream_that_is_held_up_goes_on_when_the_fault_is_over() {
    let (fleet, hand, client) = ground().await;
    let (mut pods, mut nodes) = (watch(&client, PODS).await, watch(&client, NODES).await);
    hand.on(&json!({"fault": "half-open", "kinds": ["pods"], "verb": "watch"})).await;
    label(&client, &fleet, "pods", "late").await;
    label(&client, &fleet, "nodes", "soon").await;
    // what was told later has come, and what was told before has not
    assert_eq!(nodes.until("MODIFIED").await["object"]["metadata"]["labels"]["seen"], "soon");
    let mut waiting = Box::pin(pods.until("MODIFIED"));
    assert!(futures::poll!(&mut waiting).is_pending());
    hand.off().await;
    assert_eq!(waiting.await["object"]["metadata"]["labels"]["seen"], "late");
}

#[tokio::test]
async fn what_does_not_arrive_is_not_done_and_what_is_not_answered_is() {
    let (fleet, hand, client) = ground().await;
    let there = |name: &str| {
        let maps = fleet.cluster("alpha").unwrap().objects("configmaps");
        maps.iter().any(|map| map["metadata"]["name"] == name)
    };
    for (fault, done) in [("half-open", false), ("one-way", true)] {
        hand.on(&json!({"fault": fault, "kinds": ["configmaps"]})).await;
        let (asking, name) = (client.clone(), fault.to_owned());
        let mut asked =
            tokio::spawn(async move { asking.post(MAPS, &json!({"metadata": {"name": name}})).await.code });
        hand.met(1).await;
        hand.until("it is there", async || !done || there(fault)).await;
        assert_eq!(there(fault), done, "{fault}");
        assert!(client.whole(NODES).await.is_some(), "an answer that was on its way has come by now");
        assert!(futures::poll!(&mut asked).is_pending(), "{fault}: no answer");
        hand.off().await;
        assert_eq!(asked.await.unwrap(), 201, "{fault} is over");
    }
}

#[tokio::test]
async fn streams_are_slow_and_late_by_kind() {
    let (_fleet, hand, client) = ground().await;
    let took = |client: Client| async move {
        let start = Instant::now();
        let read: Option<Bytes> = client.whole(NODES).await;
        (start.elapsed(), read.unwrap().len())
    };
    hand.on(&json!({"fault": "latency", "delay": "150ms", "kinds": ["nodes"]})).await;
    assert!(took(client.clone()).await.0 >= Duration::from_millis(150));
    hand.off().await;
    hand.on(&json!({"fault": "slow", "bytes": 40_000, "kinds": ["nodes"]})).await;
    let (time, bytes) = took(client.clone()).await;
    assert!(time >= Duration::from_secs_f64(bytes as f64 / 50_000.0), "{bytes} {time:?}");
}

#[tokio::test]
async fn the_first_request_of_a_kind_brings_faults_of_connections_about() {
    let (fleet, hand, client) = ground().await;
    let fresh = || Client::new(&fleet, "alpha", Role::Admin);
    for fault in ["handshake-hangs", "new-authority", "certificate-expired"] {
        hand.on(&json!({"fault": fault, "kinds": ["pods"]})).await;
        assert!(fresh().reaches().await && client.whole(NODES).await.is_some(), "{fault}: not yet");
        // the connection that it came over ends
        let asking = client.clone();
        let asked = tokio::spawn(async move { asking.whole(PODS).await.is_some() });
        hand.met(1).await;
        let (new, before) = (fresh(), hand.connections().await);
        let mut reached = tokio::spawn(async move { new.reaches().await });
        match fault {
            // it waits in the handshake
            "handshake-hangs" => {
                hand.until("it is connected", async || hand.connections().await > before).await;
                assert!(futures::poll!(&mut reached).is_pending());
            }
            _ => assert!(!(&mut reached).await.unwrap(), "{fault}"),
        }
        hand.off().await;
        let _ = asked.await;
        assert!(fresh().reaches().await, "{fault} is over");
    }
    hand.on(&json!({"fault": "go-away", "kinds": ["pods"], "times": 1})).await;
    assert!(client.whole(NODES).await.is_some());
    assert!(client.whole(PODS).await.is_some(), "what goes over it comes to its end");
    assert_eq!(hand.happened().await, 1);
    assert!(client.reaches().await, "by another connection");
}

#[tokio::test]
async fn a_version_that_is_withdrawn_is_not_served_and_comes_back() {
    let (_fleet, hand, client) = ground().await;
    const SCALERS: &str = "/apis/autoscaling/v2/horizontalpodautoscalers";
    let served = || async {
        let group = client.get("/apis/autoscaling").await.json();
        let versions = group["versions"].as_array().unwrap().clone();
        versions.iter().map(|v| v["version"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(served().await, ["v2", "v1"]);
    let mut open = watch(&client, SCALERS).await;
    hand.on(&json!({"fault": "withdrawn", "kinds": ["horizontalpodautoscalers"]})).await;
    while open.more().await {}
    assert_eq!((client.get(SCALERS).await.code, served().await), (404, vec!["v1".to_owned()]));
    assert_eq!(client.get("/apis/autoscaling/v1/horizontalpodautoscalers").await.code, 200);
    hand.off().await;
    assert_eq!((client.get(SCALERS).await.code, served().await.len()), (200, 2));

    // a custom resource of two versions
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema": {"type": "object",
            "x-kubernetes-preserve-unknown-fields": true}}})
    };
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [version("v1", true), version("v2", false)]},
    });
    let made = client.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await;
    assert_eq!(made.code, 201, "{}", made.json());
    let mut open = watch(&client, "/apis/example.com/v2/widgets").await;
    hand.on(&json!({"fault": "withdrawn", "kinds": ["widgets.example.com"], "value": "v2"})).await;
    while open.more().await {}
    let code = |version: &str| {
        let (client, path) = (client.clone(), format!("/apis/example.com/{version}/widgets"));
        async move { client.get(&path).await.code }
    };
    assert_eq!((code("v1").await, code("v2").await), (200, 404));
    let entry = client.get("/apis/example.com/v1").await.json();
    assert_eq!(entry["resources"].as_array().unwrap().len(), 1, "{entry}");
    hand.off().await;
    assert_eq!(code("v2").await, 200);
}

#[tokio::test]
async fn watches_are_compressed_where_the_server_is_new_enough() {
    let (_fleet, hand, client) = ground().await;
    let events = |path: &'static str, zips: &'static str| {
        let client = client.clone();
        async move {
            let path = format!("{path}?watch=true&timeoutSeconds=1");
            client.send(Method::GET, &path, &[("accept-encoding", zips)], &Value::Null).await
        }
    };
    assert_eq!(events(NODES, "gzip").await.header("content-encoding"), "", "1.36 does not");
    hand.on(&json!({"fault": "version", "value": "v1.37.0"})).await;
    assert_eq!(events(NODES, "identity").await.header("content-encoding"), "", "nobody asked");
    let zipped = events(NODES, "gzip").await;
    assert_eq!(zipped.header("content-encoding"), "gzip");
    // a member for each event
    let (mut rest, mut events) = (&zipped.body[..], Vec::new());
    while !rest.is_empty() {
        let mut member = flate2::bufread::GzDecoder::new(rest);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut member, &mut text).unwrap();
        rest = member.into_inner();
        events.push(serde_json::from_str::<Value>(&text).unwrap());
    }
    assert_eq!(events.iter().filter(|e| e["type"] == "ADDED").count(), 3, "{events:?}");
}
