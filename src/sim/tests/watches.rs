//! Watches: changes, bookmarks, expiry, forms.

use serde_json::{Value, json};

use super::client::{Client, small};
use crate::kinds::{self, wire};
use crate::model::Kind;
use crate::sim::Role;

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
const JSON: &str = "application/json";

fn map(name: &str, tier: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"tier": tier}}, "data": {"a": "b"}})
}

async fn version(client: &Client, path: &str) -> String {
    client.get(path).await.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_watch_tells_what_changed_since_a_version() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let from = version(&client, MAPS).await;
    client.post(MAPS, &map("early", "x")).await;
    let mut all = client.watch(&format!("{MAPS}?watch=true&resourceVersion={from}"), JSON).await;
    let path = format!("{MAPS}?watch=1&resourceVersion={from}&labelSelector=tier%3Dgold");
    let mut gold = client.watch(&path, JSON).await;
    assert_eq!(all.event().await.unwrap()["object"]["metadata"]["name"], "early");
    client.post(MAPS, &map("late", "gold")).await;
    let relabel = json!({"metadata": {"labels": {"tier": "tin"}}});
    client.patch(&format!("{MAPS}/late"), "merge", &relabel).await;
    client.delete(&format!("{MAPS}/early")).await;
    let (mut told, mut modified) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let event = all.event().await.unwrap();
        if event["type"] == "MODIFIED" {
            modified = event["object"]["metadata"]["resourceVersion"].clone();
        }
        told.push(format!("{} {}", event["type"], event["object"]["metadata"]["name"]).replace('"', ""));
    }
    assert_eq!(told, ["ADDED late", "MODIFIED late", "DELETED early"]);
    assert_eq!(gold.event().await.unwrap()["type"], "ADDED");
    let gone = gold.event().await.unwrap();
    assert_eq!(gone["type"], "DELETED", "what is not selected any more is gone");
    assert_eq!(gone["object"]["metadata"]["labels"]["tier"], "gold", "as it was when it was selected");
    assert_eq!(gone["object"]["metadata"]["resourceVersion"], modified, "at the version that took it out");
}

#[tokio::test]
async fn bookmarks_move_on_and_forgotten_versions_are_refused() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let from = version(&client, MAPS).await;
    let path = format!("{MAPS}?watch=true&allowWatchBookmarks=true&resourceVersion={from}");
    let mut watch = client.watch(&path, JSON).await;
    // another resource changes: the version of this one's bookmarks grows with it
    client
        .patch("/apis/apps/v1/namespaces/shop/deployments/web", "merge", &json!({"spec": {"replicas": 5}}))
        .await;
    let newer = |b: &Value| {
        let version = b["object"]["metadata"]["resourceVersion"].as_str().unwrap();
        version.parse::<u64>().unwrap() > from.parse::<u64>().unwrap()
    };
    // those that were under way before it changed say the version before
    while !newer(&watch.until("BOOKMARK").await) {}

    fleet.cluster("alpha").unwrap().compact();
    let mut old = client.watch(&path, JSON).await;
    let error = old.event().await.unwrap();
    assert_eq!((error["type"].as_str(), error["object"]["code"].as_u64()), (Some("ERROR"), Some(410)));
    assert_eq!(old.event().await, None, "the watch ends with its error");
    client.post(MAPS, &map("after", "x")).await;
    assert_eq!(watch.until("ADDED").await["object"]["metadata"]["name"], "after", "an open watch goes on");
}

#[tokio::test]
async fn a_watch_can_begin_with_everything() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Viewer);
    let streaming = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = client.watch(&format!("/api/v1/nodes?watch=true&{streaming}"), JSON).await;
    let mut added = 0;
    let end = loop {
        let event = watch.event().await.unwrap();
        match event["type"].as_str() {
            Some("ADDED") => added += 1,
            _ => break event,
        }
    };
    assert_eq!(added, 3);
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test]
async fn watches_come_as_tables_and_as_protobuf() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut rows = client.watch("/api/v1/nodes?watch=true", table).await;
    let (first, second) = (rows.event().await.unwrap(), rows.event().await.unwrap());
    assert_eq!(first["object"]["kind"], "Table");
    assert!(!first["object"]["columnDefinitions"].as_array().unwrap().is_empty());
    assert!(second["object"]["columnDefinitions"].is_null(), "columns are told once");

    let accept = "application/vnd.kubernetes.protobuf;stream=watch, application/json;stream=watch";
    let path = "/api/v1/nodes?watch=true&allowWatchBookmarks=true";
    let mut wire = client.watch(path, accept).await;
    let mut frames = wire::Frames::new(wire::Format::Protobuf);
    let mut nodes = 0;
    let node = kinds::of(Kind::Node).preferred();
    'reading: loop {
        assert!(wire.more().await);
        frames.push(&std::mem::take(&mut wire.buffer));
        while let Some(frame) = frames.next_frame().unwrap() {
            match node.event(wire::Format::Protobuf, frame).unwrap() {
                wire::WatchEvent::Added(record) => {
                    assert!(record.node().is_some());
                    nodes += 1;
                }
                wire::WatchEvent::Bookmark(_) => break 'reading,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(nodes, 3);
}

#[tokio::test]
async fn a_denial_ends_open_watches() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let from = version(&client, MAPS).await;
    let path = format!("{MAPS}?watch=true&resourceVersion={from}");
    let mut watch = client.watch(&path, JSON).await;
    fleet.cluster("alpha").unwrap().deny("configmaps", None);
    assert_eq!(watch.event().await, None);
    assert_eq!(client.get(&path).await.code, 403);
}

#[tokio::test]
async fn watches_of_what_clients_defined_end_with_its_definition() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({"metadata": {"name": "widgets.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
    }});
    assert_eq!(client.post(definitions, &definition).await.code, 201);
    let widgets = "/apis/example.com/v1/namespaces/shop/widgets";
    assert_eq!(client.post(widgets, &json!({"metadata": {"name": "Odd_Name"}})).await.code, 422);
    let made = client.post(widgets, &json!({"metadata": {"name": "w"}})).await;
    assert_eq!(made.code, 201);
    let blind = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}});
    let put =
        client.send(http::Method::PUT, &format!("{widgets}/w"), &[("content-type", JSON)], &blind).await;
    assert_eq!(put.code, 422);
    assert!(
        put.json()["message"]
            .as_str()
            .unwrap()
            .contains("metadata.resourceVersion: Invalid value: 0: must be specified for an update")
    );
    let mut watch = client.watch(&format!("{widgets}?watch=true"), JSON).await;
    assert_eq!(watch.event().await.unwrap()["type"], "ADDED");
    client.delete(&format!("{definitions}/widgets.example.com")).await;
    assert_eq!(watch.event().await.unwrap()["type"], "DELETED", "what goes with it is told");
    assert_eq!(watch.event().await, None);
    assert_eq!(client.get(widgets).await.code, 404);
}
