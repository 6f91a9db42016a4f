use serde_json::{Value, json};

use super::*;
use crate::cluster::Plugins;
use crate::cluster::target::Trust;
use crate::cluster::test_server::{Answer, Server, answer, connection, endless, target};
use crate::model::Cause;

const DECLARED: &[Declared<'static>] = &[
    (Kind::Pod, "", &["v1"]),
    (Kind::Autoscaler, "autoscaling", &["v2", "v1"]),
    (Kind::Budget, "policy", &["v1"]),
    (Kind::Deployment, "apps", &["v1"]),
];

const UID: &str = "8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60";

fn json_answer(content_type: &str, body: &Value) -> Answer {
    let mut answer = answer(200, body.to_string());
    answer.headers_mut().insert("content-type", content_type.parse().unwrap());
    answer
}

/// What every server answers; the rest is a test's.
fn common(path: &str) -> Option<Answer> {
    match path {
        "/version" => Some(answer(200, r#"{"gitVersion":"v1.36.3-eks-1"}"#)),
        "/api/v1/namespaces/kube-system" => Some(answer(200, json!({"metadata": {"uid": UID}}).to_string())),
        _ => None,
    }
}

async fn discover_at(
    answers: impl Fn(&str, &str) -> Answer + Send + Sync + 'static,
) -> Result<Discovery, Fault> {
    let server = Server::start(None, move |request| {
        let accept = request.headers()["accept"].to_str().unwrap().to_owned();
        answers(request.uri().path(), &accept)
    })
    .await;
    let target = target(connection(&server.url(), Trust::System));
    discover(&Session::new(&target, &Plugins::default()).unwrap(), DECLARED).await
}

fn expected() -> Served {
    Served {
        versions: [(Kind::Pod, "v1"), (Kind::Autoscaler, "v2"), (Kind::Deployment, "v1")]
            .into_iter()
            .map(|(kind, version)| (kind, Text::clean(version)))
            .collect(),
        groups: ["apps", "autoscaling", "broken.example", "metrics.k8s.io", "policy"].map(Text::clean).into(),
        metrics: true,
    }
}

fn item(name: &str, versions: &[(&str, &[&str])]) -> Value {
    let resources = |names: &[&str]| names.iter().map(|name| json!({"resource": name})).collect::<Vec<_>>();
    let versions: Vec<_> =
        versions.iter().map(|(v, names)| json!({"version": v, "resources": resources(names)})).collect();
    json!({"metadata": {"name": name}, "versions": versions})
}

#[tokio::test]
async fn aggregated_discovery_takes_the_newest_version_that_is_declared() {
    let found = discover_at(|path, accept| {
        let kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        match path {
            "/api" => json_answer(
                kind,
                &json!({"kind": "APIGroupDiscoveryList", "items": [item("", &[("v1", &["pods", "nodes"])])]}),
            ),
            "/apis" => {
                assert!(accept.contains("v=v2;as=APIGroupDiscoveryList"));
                let items = [
                    item(
                        "autoscaling",
                        &[
                            ("v3", &["horizontalpodautoscalers"]),
                            ("v2", &["horizontalpodautoscalers"]),
                            ("v1", &["horizontalpodautoscalers"]),
                        ],
                    ),
                    item("apps", &[("v1", &["deployments"])]),
                    item("policy", &[("v1", &["podsecuritypolicies"])]),
                    item("metrics.k8s.io", &[("v1beta1", &["nodes", "pods"])]),
                    item("broken.example", &[("v1", &[])]),
                ];
                json_answer(kind, &json!({"kind": "APIGroupDiscoveryList", "items": items}))
            }
            other => common(other).unwrap_or_else(|| answer(404, "")),
        }
    })
    .await
    .unwrap();
    assert_eq!(found.version, "v1.36.3-eks-1");
    assert_eq!(found.served, expected());
    assert_eq!(found.identity, Some(Uid::parse(UID)));
}

#[tokio::test]
async fn older_servers_are_asked_group_by_group() {
    let resources = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
        answer(200, json!({"resources": names}).to_string())
    };
    let found = discover_at(move |path, _| match path {
        "/api" => json_answer("application/json", &json!({"versions": ["v1"]})),
        "/api/v1" => resources(&["pods", "pods/log"]),
        "/apis" => {
            let group = |name: &str, versions: &[&str]| {
                let versions: Vec<_> = versions.iter().map(|v| json!({"version": v})).collect();
                json!({"name": name, "versions": versions})
            };
            let groups = [
                group("autoscaling", &["v1", "v2"]),
                group("apps", &["v1"]),
                group("policy", &["v1"]),
                group("metrics.k8s.io", &["v1beta1"]),
                group("broken.example", &["v1"]),
            ];
            json_answer("application/json", &json!({"groups": groups}))
        }
        "/apis/autoscaling/v1" | "/apis/autoscaling/v2" => resources(&["horizontalpodautoscalers"]),
        "/apis/apps/v1" => resources(&["deployments", "deployments/scale"]),
        "/apis/policy/v1" => answer(503, "service unavailable"),
        "/apis/metrics.k8s.io/v1beta1" => resources(&["nodes", "pods"]),
        other => common(other).unwrap_or_else(|| panic!("nobody declares {other}")),
    })
    .await
    .unwrap();
    assert_eq!(found.served, expected());
}

#[tokio::test]
async fn what_is_forbidden_is_told_or_left_out() {
    let refuse = |path: &'static str, status: u16| {
        discover_at(move |asked, _| match asked {
            asked if asked == path => answer(status, r#"{"message":"no","reason":"Forbidden"}"#),
            "/api" | "/apis" => {
                json_answer("x;g=apidiscovery.k8s.io", &json!({"kind": "APIGroupDiscoveryList", "items": []}))
            }
            other => common(other).unwrap_or_else(|| answer(404, "")),
        })
    };
    let found = refuse("/api/v1/namespaces/kube-system", 403).await.unwrap();
    assert_eq!(found.identity, None);
    let fault = refuse("/api/v1/namespaces/kube-system", 503).await.unwrap_err();
    assert_eq!(fault.cause, Cause::Server, "who it is, is not known: it is no other cluster for that");
    let found = refuse("/version", 403).await.unwrap();
    assert_eq!(found.version, Text::EMPTY, "hardened servers do not say");
    assert_eq!(refuse("/version", 404).await.unwrap_err().cause, Cause::NotFound);
    let fault = refuse("/apis", 401).await.unwrap_err();
    assert_eq!(fault.cause, Cause::Unauthorized);
    assert!(fault.what.contains("refused to list its API groups"), "{fault}");
}

#[tokio::test]
async fn an_answer_that_begins_and_does_not_go_on_is_given_up() {
    for path in ["/version", "/api/v1/namespaces/kube-system", "/apis"] {
        let began = tokio::time::Instant::now();
        let (asked, mut stalls) = tokio::sync::mpsc::unbounded_channel();
        let found = tokio::spawn(discover_at(move |at, _| match at {
            at if at == path => {
                asked.send(()).unwrap();
                let mut answer = endless("{");
                let kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
                answer.headers_mut().insert("content-type", kind.parse().unwrap());
                answer
            }
            "/api" => {
                json_answer("x;g=apidiscovery.k8s.io", &json!({"kind": "APIGroupDiscoveryList", "items": []}))
            }
            "/apis" => {
                json_answer("x;g=apidiscovery.k8s.io", &json!({"kind": "APIGroupDiscoveryList", "items": []}))
            }
            other => common(other).unwrap_or_else(|| answer(404, "")),
        }));
        stalls.recv().await.unwrap();
        tokio::time::pause();
        let fault = found.await.unwrap().unwrap_err();
        tokio::time::resume();
        assert_eq!(fault.cause, Cause::Timeout, "{path}");
        assert!(fault.what.contains("did not go on"), "{fault}");
        assert!(began.elapsed().as_secs() <= 40, "{path}");
    }
}
