//! Faults, switched on over the control endpoint and seen by a plain client.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Legacy;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::client::{Client, small};
use crate::model::Span;
use crate::sim::{Fleet, Role};

/// Longer than anything here takes on the slowest machine; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of a control endpoint.
pub(super) struct Hand {
    address: SocketAddr,
    token: String,
}

impl Hand {
    pub(super) async fn open(fleet: &mut Fleet) -> Hand {
        let (address, token) = fleet.open_control("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Hand { address, token }
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let client = Legacy::builder(TokioExecutor::new()).build_http();
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let response = client.request(request).await.unwrap();
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&body).unwrap())
    }

    pub(super) async fn on(&self, fault: &Value) {
        let (code, said) = self.send(Method::POST, "/clusters/alpha/faults", &fault.to_string()).await;
        assert_eq!((code, &said), (200, &json!({"clusters": 1})), "{fault}");
    }

    pub(super) async fn off(&self) {
        self.send(Method::DELETE, "/clusters/alpha/faults", "").await;
    }
}

impl Hand {
    /// How often the faults of a cluster that are on have happened.
    pub(super) async fn happened(&self) -> u64 {
        let (_, clusters) = self.send(Method::GET, "/clusters", "").await;
        let faults = clusters[0]["faults"].as_array().unwrap();
        faults.iter().map(|f| f["happened"].as_u64().unwrap()).sum()
    }

    /// Connections that the server of the first cluster took so far.
    pub(super) async fn connections(&self) -> u64 {
        let (_, clusters) = self.send(Method::GET, "/clusters", "").await;
        clusters[0]["connections"].as_u64().unwrap()
    }

    /// Waits until a fault has met so many.
    pub(super) async fn met(&self, times: u64) {
        self.until("the fault has happened", async || self.happened().await >= times).await;
    }

    /// Waits until something is so.
    pub(super) async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let wait = async {
            while !so().await {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
    }
}

/// Begins an incident.
pub(super) async fn begin(address: SocketAddr, token: &str, incident: &str) {
    begin_text(&Hand { address, token: token.to_owned() }, incident).await;
}

/// The same at an open endpoint.
pub(super) async fn begin_text(hand: &Hand, incident: &str) {
    let (code, said) = hand.send(Method::POST, "/incidents", incident).await;
    assert_eq!(code, 200, "{said}");
}

pub(super) async fn ground() -> (Fleet, Hand, Client) {
    let mut fleet = small().await;
    let hand = Hand::open(&mut fleet).await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    (fleet, hand, client)
}

const PODS: &str = "/api/v1/pods";
const JSON: &str = "application/json";

#[tokio::test]
async fn the_endpoint_asks_for_its_token_and_says_what_it_expects() {
    let (mut fleet, mut hand, _) = ground().await;
    let (code, clusters) = hand.send(Method::GET, "/clusters", "").await;
    assert_eq!((code, clusters[0]["name"].as_str()), (200, Some("alpha")));
    for (method, path, body, said) in [
        (Method::GET, "/", "", "expected GET /clusters"),
        (
            Method::POST,
            "/clusters/omega/faults",
            "{\"fault\":\"error\"}",
            "no cluster \"omega\"; expected one of alpha",
        ),
        (Method::POST, "/clusters/alpha/faults", "{\"fault\":\"gremlin\"}", "unknown variant `gremlin`"),
        (
            Method::POST,
            "/clusters/alpha/faults",
            "{\"fault\":\"error\",\"kinds\":[\"x\"]}",
            "no resource \"x\"",
        ),
        (
            Method::DELETE,
            "/clusters/alpha/faults/gremlin",
            "",
            "no fault \"gremlin\"; GET /faults lists them",
        ),
        (Method::PUT, "/churn", "{\"rate\":-1}", "between 0 and 1000000"),
        (Method::PUT, "/pace", "{\"speed\":1e9}", "between 0"),
        (
            Method::POST,
            "/incidents",
            "kind = \"crash\"\nclusters = [\"*\"]",
            "line 1: this kind of incident needs the key \"workloads\"",
        ),
    ] {
        let (code, answer) = hand.send(method, path, body).await;
        assert!(code >= 400 && answer["error"].as_str().unwrap().contains(said), "{path}: {answer}");
    }
    let (_, faults) = hand.send(Method::GET, "/faults", "").await;
    assert!(faults.as_array().unwrap().len() > 40);
    let everywhere = fleet.open_control("0.0.0.0:0".parse().unwrap()).await.unwrap_err();
    assert!(everywhere.to_string().contains("not an address of this machine alone"), "{everywhere}");
    hand.token.push('x');
    assert_eq!(hand.send(Method::GET, "/clusters", "").await.0, 401);
}

#[tokio::test]
async fn answers_fail_as_the_fault_says_and_are_right_again() {
    let (_fleet, hand, client) = ground().await;
    let good = client.get(PODS).await.json()["items"].as_array().unwrap().len();
    for (fault, code, reason) in [
        (json!({"fault": "error"}), 503, "ServiceUnavailable"),
        (json!({"fault": "error", "code": 504}), 504, "Timeout"),
        (json!({"fault": "too-many-requests", "retry-after": "3600"}), 429, "TooManyRequests"),
        (json!({"fault": "unauthorized"}), 401, "Unauthorized"),
        (json!({"fault": "forbidden", "kinds": ["pods"]}), 403, "Forbidden"),
        (json!({"fault": "not-acceptable"}), 406, "NotAcceptable"),
        (json!({"fault": "expired", "verb": "list"}), 410, "Expired"),
    ] {
        hand.on(&fault).await;
        let answer = client.get(PODS).await;
        assert_eq!((answer.code, answer.json()["reason"].as_str()), (code, Some(reason)), "{fault}");
        assert_eq!(answer.header("retry-after"), fault["retry-after"].as_str().unwrap_or_default());
        if fault["kinds"].is_array() {
            assert_eq!(client.get("/api/v1/nodes").await.code, 200, "another kind is fine");
        }
        hand.off().await;
    }
    hand.on(&json!({"fault": "captive-portal"})).await;
    assert!(client.get(PODS).await.header("content-type").starts_with("text/html"));
    hand.off().await;
    hand.on(&json!({"fault": "empty-body"})).await;
    assert_eq!((client.get(PODS).await.code, client.get(PODS).await.body.len()), (200, 0));
    hand.off().await;
    hand.on(&json!({"fault": "wrong-type", "value": "text/plain"})).await;
    assert_eq!(client.get(PODS).await.header("content-type"), "text/plain");
    hand.off().await;
    hand.on(&json!({"fault": "error", "times": 1})).await;
    assert_eq!((client.get(PODS).await.code, client.get(PODS).await.code), (503, 200), "once");
    hand.off().await;
    hand.on(&json!({"fault": "gzip-members", "bytes": 100})).await;
    let zipped = client.get(PODS).await;
    assert_eq!(zipped.header("content-encoding"), "gzip");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&zipped.body[..]), &mut text)
        .unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["items"].as_array().unwrap().len(), good);
    hand.off().await;
    hand.on(&json!({"fault": "gzip-bomb", "bytes": 4 << 20})).await;
    let bomb = client.get(PODS).await.body;
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    assert_eq!(
        std::io::copy(&mut flate2::read::MultiGzDecoder::new(&bomb[..]), &mut std::io::sink()).unwrap(),
        4 << 20
    );
    hand.off().await;
    assert_eq!(client.get(PODS).await.json()["items"].as_array().unwrap().len(), good);
}

#[tokio::test]
async fn pages_are_wrong_as_the_fault_says() {
    let (_fleet, hand, client) = ground().await;
    let page = |path: String| {
        let client = client.clone();
        async move { client.get(&path).await.json() }
    };
    let next = |page: &Value| page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
    hand.on(&json!({"fault": "no-limit"})).await;
    assert!(page(format!("{PODS}?limit=2")).await["items"].as_array().unwrap().len() > 2);
    hand.off().await;
    let first = page(format!("{PODS}?limit=2")).await;
    hand.on(&json!({"fault": "repeated-item"})).await;
    let second = page(format!("{PODS}?limit=2&continue={}", next(&first))).await;
    assert_eq!(second["items"][0], first["items"][1]);
    hand.off().await;
    hand.on(&json!({"fault": "expired-pages"})).await;
    assert_eq!(client.get(&format!("{PODS}?limit=2&continue={}", next(&first))).await.code, 410);
    assert_eq!(client.get(PODS).await.code, 200, "a first page is fine");
    hand.off().await;
    hand.on(&json!({"fault": "endless-pages"})).await;
    let last = page(format!("{PODS}?limit=500")).await;
    let again = page(format!("{PODS}?limit=500&continue={}", next(&last))).await;
    assert_eq!((&again["items"], next(&again).is_empty()), (&last["items"], false));
    hand.off().await;
    hand.on(&json!({"fault": "large-object", "bytes": 300_000})).await;
    assert!(client.get(PODS).await.body.len() > 300_000);
}

/// What a watch of config maps tells of one that is made, changed and deleted.
async fn told(client: &Client, name: &str) -> Vec<u8> {
    const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
    let from = client.get(MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut watch =
        client.watch(&format!("{MAPS}?watch=true&timeoutSeconds=1&resourceVersion={from}"), JSON).await;
    client.post(MAPS, &json!({"metadata": {"name": name}})).await;
    client.patch(&format!("{MAPS}/{name}"), "merge", &json!({"data": {"a": "b"}})).await;
    client.delete(&format!("{MAPS}/{name}")).await;
    while watch.more().await {}
    watch.buffer
}

#[tokio::test]
async fn events_are_wrong_as_the_fault_says() {
    let (_fleet, hand, client) = ground().await;
    let types = |bytes: &[u8]| -> Vec<String> {
        let lines = bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty());
        lines
            .map(|l| {
                serde_json::from_slice::<Value>(l)
                    .map_or("?".into(), |e| e["type"].as_str().unwrap().to_owned())
            })
            .collect()
    };
    for (i, (fault, expected)) in [
        (json!({"fault": "truncated-line"}), vec!["?", "?", "?"]),
        (json!({"fault": "garbage-line", "nth": 2}), vec!["ADDED", "?", "DELETED"]),
        (json!({"fault": "invalid-text", "times": 1}), vec!["?", "MODIFIED", "DELETED"]),
        (json!({"fault": "unknown-type", "times": 1}), vec!["SYNC", "MODIFIED", "DELETED"]),
        (json!({"fault": "duplicate", "nth": 3}), vec!["ADDED", "MODIFIED", "DELETED", "DELETED"]),
        (json!({"fault": "reorder", "times": 1}), vec!["MODIFIED", "ADDED", "DELETED"]),
        (json!({"fault": "older-version", "nth": 2}), vec!["ADDED", "MODIFIED", "MODIFIED", "DELETED"]),
        (json!({"fault": "unknown-deleted", "times": 1}), vec!["ADDED", "DELETED", "MODIFIED", "DELETED"]),
        (json!({"fault": "lost-delete"}), vec!["ADDED", "MODIFIED"]),
        (json!({"fault": "error-event", "nth": 3}), vec!["ADDED", "MODIFIED", "ERROR"]),
        (json!({"fault": "silence"}), vec![]),
        (json!({"fault": "lost-delete", "kinds": ["pods"]}), vec!["ADDED", "MODIFIED", "DELETED"]),
    ]
    .into_iter()
    .enumerate()
    {
        hand.on(&fault).await;
        let bytes = told(&client, &format!("m{i}")).await;
        assert_eq!(types(&bytes), expected, "{fault}: {}", String::from_utf8_lossy(&bytes));
        hand.off().await;
    }
    hand.on(&json!({"fault": "endless-line", "bytes": 3_000_000, "times": 1})).await;
    assert!(told(&client, "endless").await.len() > 3_000_000);
    hand.off().await;
    hand.on(&json!({"fault": "odd-version", "value": "soon", "times": 1})).await;
    assert!(String::from_utf8(told(&client, "odd").await).unwrap().contains("\"resourceVersion\":\"soon\""));
}

#[tokio::test]
async fn the_server_s_state_goes_back_and_identities_change() {
    let (fleet, hand, client) = ground().await;
    let alpha = fleet.cluster("alpha").unwrap();
    let version = || async {
        client.get(PODS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let before = version().await;
    let scale = json!({"spec": {"replicas": 1}});
    client.patch("/apis/apps/v1/namespaces/shop/deployments/web", "merge", &scale).await;
    fleet.advance(Span::from_seconds(10));
    assert!(version().await > before);
    let of_web = || alpha.objects("pods").iter().filter(|p| p["metadata"]["labels"]["app"] == "web").count();
    assert_eq!(of_web(), 1);
    let back = version().await - before;
    hand.on(&json!({"fault": "restore", "value": back.to_string()})).await;
    assert_eq!((version().await, of_web()), (before, 4), "as it was");

    let uids =
        || -> Vec<Value> { alpha.objects("nodes").iter().map(|n| n["metadata"]["uid"].clone()).collect() };
    let old = uids();
    hand.on(&json!({"fault": "new-identity", "kinds": ["nodes"], "times": 1})).await;
    assert_eq!(uids().iter().filter(|u| !old.contains(u)).count(), 1);
    hand.on(&json!({"fault": "replaced"})).await;
    assert!(uids().iter().all(|u| !old.contains(u)), "another cluster");
    hand.on(&json!({"fault": "version", "value": "v1.99.0"})).await;
    assert_eq!(client.get("/version").await.json()["gitVersion"], "v1.99.0");
    hand.off().await;
    assert_ne!(client.get("/version").await.json()["gitVersion"], "v1.99.0");
}

#[tokio::test]
async fn the_way_to_a_server_fails_as_the_fault_says() {
    let (fleet, hand, client) = ground().await;
    let fresh = || Client::new(&fleet, "alpha", Role::Admin);
    for fault in ["refusing", "new-authority", "certificate-expired", "certificate-too-new"] {
        hand.on(&json!({"fault": fault})).await;
        assert!(!fresh().reaches().await, "{fault}");
        hand.off().await;
        assert!(fresh().reaches().await, "{fault} is over");
    }
    for (fault, what) in
        [("reset-midway", "a reset"), ("close-midway", "an end"), ("reset-stream", "a break")]
    {
        hand.on(&json!({"fault": fault, "bytes": 5000})).await;
        assert!(fresh().whole(PODS).await.is_none(), "{what} in the middle");
        hand.off().await;
        assert!(fresh().whole(PODS).await.is_some(), "{fault} is over");
    }
    // a watch ends when its connection is reset
    let mut watch = client.watch(&format!("{PODS}?watch=true"), JSON).await;
    assert!(watch.more().await);
    hand.on(&json!({"fault": "reset"})).await;
    while let Some(Ok(_)) = watch.frame().await {}
    for fault in ["half-open", "one-way", "handshake-hangs"] {
        hand.on(&json!({"fault": fault})).await;
        let client = fresh();
        let asked = tokio::spawn(async move { client.reaches().await });
        // nothing can be waited for where nothing happens: it must not have answered after a while
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!asked.is_finished(), "{fault}");
        hand.off().await;
        assert!(asked.await.unwrap(), "{fault} is over");
    }
    hand.on(&json!({"fault": "latency", "delay": "150ms"})).await;
    let start = std::time::Instant::now();
    assert!(fresh().reaches().await);
    assert!(
        start.elapsed() >= Duration::from_millis(300),
        "a handshake and a request: {:?}",
        start.elapsed()
    );
    hand.off().await;
    hand.on(&json!({"fault": "slow", "bytes": 40_000})).await;
    let start = std::time::Instant::now();
    let size = fresh().get(PODS).await.body.len();
    assert!(
        start.elapsed() >= Duration::from_secs_f64(size as f64 / 50_000.0),
        "{size} {:?}",
        start.elapsed()
    );
    hand.off().await;
    hand.on(&json!({"fault": "go-away"})).await;
    assert!(client.reaches().await, "by another connection");
}

#[tokio::test]
async fn churn_pace_and_incidents_are_said_while_it_runs() {
    let (fleet, hand, _) = ground().await;
    let (_, said) = hand.send(Method::PUT, "/churn", "{\"rate\": 50}").await;
    assert!((said["rate"].as_f64().unwrap() - 50.0).abs() < 0.001, "{said}");
    let changes = || async {
        let (_, clusters) = hand.send(Method::GET, "/clusters", "").await;
        clusters.as_array().unwrap().iter().map(|c| c["pod-changes"].as_u64().unwrap()).sum::<u64>()
    };
    let before = changes().await;
    let (code, _) = hand.send(Method::POST, "/advance", "{\"by\": \"10s\"}").await;
    assert_eq!(code, 200);
    let made = changes().await - before;
    assert!((450..=550).contains(&made), "{made}");
    let incident =
        "kind = \"node-pressure\"\npressure = \"memory\"\nclusters = [\"alpha\"]\nlasts = \"1m\"\n";
    assert_eq!(hand.send(Method::POST, "/incidents", incident).await.1, json!({"clusters": ["alpha"]}));
    let (_, _) = hand.send(Method::POST, "/advance", "{\"by\": \"2s\"}").await;
    let alpha = fleet.cluster("alpha").unwrap();
    let evicted = alpha.objects("pods").iter().filter(|p| p["status"]["reason"] == "Evicted").count();
    assert!(evicted > 0);
    let tainted = |n: &Value| n["spec"]["taints"].to_string().contains("node.kubernetes.io/memory-pressure");
    assert_eq!(alpha.objects("nodes").iter().filter(|n| tainted(n)).count(), 1);
    hand.send(Method::POST, "/advance", "{\"by\": \"2m\"}").await;
    assert_eq!(alpha.objects("nodes").iter().filter(|n| tainted(n)).count(), 0, "it has enough again");
}

#[tokio::test]
async fn what_watches_were_not_told_yet_is_counted() {
    let (_fleet, hand, client) = ground().await;
    let untold = async || {
        let (_, clusters) = hand.send(Method::GET, "/clusters", "").await;
        clusters.as_array().unwrap().iter().map(|c| c["untold"].as_u64().unwrap()).sum::<u64>()
    };
    hand.on(&json!({"fault": "silence"})).await;
    let watch =
        tokio::spawn(async move { client.get(&format!("{PODS}?watch=true&timeoutSeconds=60")).await });
    hand.send(Method::PUT, "/churn", "{\"rate\": 50}").await;
    let until = async |wanted: fn(u64) -> bool| {
        let wait = async {
            while !wanted(untold().await) {
                hand.send(Method::POST, "/advance", "{\"by\": \"1s\"}").await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it is counted otherwise");
    };
    until(|untold| untold > 0).await;
    hand.send(Method::PUT, "/churn", "{\"rate\": 0}").await;
    hand.off().await;
    until(|untold| untold == 0).await;
    assert!(!watch.is_finished(), "it was told, and not ended");
    watch.abort();
}

#[tokio::test]
async fn a_fault_that_happens_once_waits_for_what_it_can_happen_to() {
    let (_fleet, hand, client) = ground().await;
    hand.on(&json!({"fault": "expired", "times": 1})).await;
    for path in ["/version", "/api/v1", "/apis", "/api/v1/namespaces/shop"] {
        assert_eq!(client.get(path).await.code, 200, "{path} cannot expire");
    }
    assert_eq!(client.get(PODS).await.code, 410);
    assert_eq!(client.get(PODS).await.code, 200, "once");
    // a watch in pieces that are compressed each
    hand.on(&json!({"fault": "gzip-members", "kinds": ["nodes"]})).await;
    let zipped = [("accept-encoding", "gzip")];
    let path = "/api/v1/nodes?watch=true&timeoutSeconds=1";
    let answer = client.send(Method::GET, path, &zipped, &Value::Null).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&answer.body[..]), &mut text)
        .unwrap();
    assert_eq!(text.lines().filter(|l| l.contains("ADDED")).count(), 3);
}
