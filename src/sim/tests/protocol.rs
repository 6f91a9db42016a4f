//! The protocol: lists in pages, forms, patches, rights, reach.

use http::Method;
use serde_json::{Value, json};

use super::client::{Client, by_hand, small};
use crate::kinds;
use crate::model::Kind;
use crate::sim::{Fleet, Role, Scenario};

const PODS: &str = "/api/v1/pods";

fn names(list: &Value) -> Vec<String> {
    let name = |p: &Value| p["metadata"]["name"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn pages_show_one_moment_until_it_is_forgotten() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let whole = names(&client.get(PODS).await.json());
    let first = client.get(&format!("{PODS}?limit=5")).await.json();
    assert_eq!(first["metadata"]["remainingItemCount"], whole.len() - 5);
    assert!(first["items"][0]["kind"].is_null(), "items of built-in lists have no kind");
    let next = first["metadata"]["continue"].as_str().unwrap().to_owned();

    let gone = &whole[whole.len() - 1];
    assert_eq!(
        client.delete(&format!("/api/v1/namespaces/shop/pods/{gone}?gracePeriodSeconds=0")).await.code,
        200
    );
    let rest = client.get(&format!("{PODS}?limit=500&continue={next}")).await.json();
    assert_eq!(rest["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!([names(&first), names(&rest)].concat(), whole, "the second page is of the first one's moment");

    fleet.cluster("alpha").unwrap().compact();
    let expired = client.get(&format!("{PODS}?limit=500&continue={next}")).await;
    assert_eq!((expired.code, expired.json()["reason"].as_str()), (410, Some("Expired")));
    let next = expired.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    let rest = client.get(&format!("{PODS}?limit=500&continue={next}")).await.json();
    assert!(!names(&rest).contains(gone), "what follows a 410 is of now");
    assert_eq!(client.get(&format!("{PODS}?continue=nonsense")).await.code, 400);
}

#[tokio::test]
async fn lists_select_and_refuse_what_they_do_not_know() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let web = client.get(&format!("{PODS}?labelSelector=app%3Dweb")).await.json();
    assert_eq!(names(&web).len(), 4);
    let node = web["items"][0]["spec"]["nodeName"].as_str().unwrap();
    let there = client.get(&format!("{PODS}?fieldSelector=spec.nodeName%3D{node}")).await.json();
    assert!(there["items"].as_array().unwrap().iter().all(|p| p["spec"]["nodeName"] == node));
    assert_eq!(client.get(&format!("{PODS}?fieldSelector=spec.colour%3Dred")).await.code, 400);
    let ahead = client.get(&format!("{PODS}?resourceVersion=99999999")).await;
    assert_eq!((ahead.code, ahead.header("retry-after")), (504, "1"));
    assert_eq!(client.get("/apis/nothing.example/v1/things").await.code, 404);
}

#[tokio::test]
async fn answers_come_in_the_form_that_was_asked_for() {
    let fleet = Fleet::start(Scenario::sized(1, 3, 150), by_hand()).await.unwrap();
    let client = Client::new(&fleet, "c000", Role::Viewer);
    let table = client.get_as(PODS, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json").await;
    assert_eq!(table.json()["columnDefinitions"][2]["name"], "Status");
    assert_eq!(table.json()["rows"][0]["cells"][2], "Running");
    assert_eq!(table.json()["rows"][0]["object"]["kind"], "PartialObjectMetadata");

    let zipped = client.send(Method::GET, PODS, &[("accept-encoding", "gzip")], &Value::Null).await;
    assert_eq!(zipped.header("content-encoding"), "gzip");
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&zipped.body[..]), &mut plain).unwrap();
    let json: Value = serde_json::from_str(&plain).unwrap();
    let small = client.send(Method::GET, "/version", &[("accept-encoding", "gzip")], &Value::Null).await;
    assert_eq!(small.header("content-encoding"), "", "small bodies are not worth it");

    let wire = client.get_as(PODS, "application/vnd.kubernetes.protobuf, application/json").await;
    assert_eq!(wire.header("content-type"), "application/vnd.kubernetes.protobuf");
    let mut decoder = kinds::wire::ListDecoder::new();
    let pods = kinds::of(Kind::Pod).preferred();
    let mut read = Vec::new();
    decoder
        .feed(&wire.body, &mut |item| read.push(pods.item(item).unwrap().meta().name.to_string()))
        .unwrap();
    assert_eq!(read, names(&json), "both formats carry the same pods");

    let only = "application/vnd.kubernetes.protobuf";
    assert_eq!(client.get_as("/apis/karpenter.sh/v1/nodeclaims", only).await.code, 406);
}

#[tokio::test]
async fn every_watched_kind_is_served_in_protobuf() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Viewer);
    for decl in &kinds::ALL {
        let version = decl.preferred();
        let wire = client.get_as(&version.path(), "application/vnd.kubernetes.protobuf").await;
        assert_eq!(wire.code, 200, "{:?}", decl.kind);
        let count = client.get(&version.path()).await.json()["items"].as_array().unwrap().len();
        let mut decoder = kinds::wire::ListDecoder::new();
        let mut read = 0;
        decoder
            .feed(&wire.body, &mut |item| {
                assert_eq!(version.item(item).unwrap().kind(), decl.kind);
                read += 1;
            })
            .unwrap();
        assert_eq!(read, count, "{:?}", decl.kind);
    }
}

#[tokio::test]
async fn patches_apply_by_their_kind() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let path = "/apis/apps/v1/namespaces/shop/deployments/web";
    let image = |d: &Value| d["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let old = client.get(path).await.json();

    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "w:2"}]}}}});
    let strategic = client.patch(path, "strategic-merge", &patch).await.json();
    assert_eq!(image(&strategic), "w:2");
    assert_eq!(strategic["metadata"]["generation"], 2);
    let container = &strategic["spec"]["template"]["spec"]["containers"][0];
    assert!(!container["resources"].is_null(), "the rest of the container stays");

    let patch = json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]);
    assert_eq!(client.patch(path, "json", &patch).await.json()["spec"]["replicas"], 2);
    let patch = json!([{"op": "test", "path": "/spec/replicas", "value": 9}]);
    assert_eq!(client.patch(path, "json", &patch).await.code, 422);

    let dry = client.patch(&format!("{path}?dryRun=All"), "merge", &json!({"spec": {"replicas": 7}})).await;
    assert_eq!(dry.json()["spec"]["replicas"], 7);
    assert_eq!(client.get(path).await.json()["spec"]["replicas"], 2, "a dry run changes nothing");

    let merged = client.patch(path, "merge", &json!({"status": {"replicas": 99}})).await.json();
    assert_ne!(merged["status"]["replicas"], 99, "a write to the object leaves its status alone");
    let stale = json!({"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}});
    assert_eq!(client.patch(path, "merge", &stale).await.code, 409);
    assert_eq!(client.patch(path, "unheard-of", &json!({})).await.code, 415);

    let scale = client.patch(&format!("{path}/scale"), "merge", &json!({"spec": {"replicas": 5}})).await;
    assert_eq!((scale.code, scale.json()["kind"].as_str()), (200, Some("Scale")));
    assert_eq!(scale.json()["status"]["selector"], "app=web");
    assert_eq!(client.get(path).await.json()["spec"]["replicas"], 5);
    let bad = client.patch(&format!("{path}/scale"), "merge", &json!({"spec": {"replicas": -1}})).await;
    assert_eq!(bad.code, 422);
}

#[tokio::test]
async fn roles_and_denials_hold() {
    let fleet = small().await;
    let [admin, viewer, nopods, _] = Role::ALL.map(|role| Client::new(&fleet, "alpha", role));
    let refused = viewer.delete("/api/v1/nodes/x").await;
    assert_eq!(refused.code, 403);
    assert_eq!(
        refused.json()["message"],
        "nodes \"x\" is forbidden: User \"viewer\" cannot delete resource \"nodes\" in API group \"\" at the cluster scope"
    );
    assert_eq!((nopods.get(PODS).await.code, nopods.get("/api/v1/nodes").await.code), (403, 200));
    let mut nobody = Client::new(&fleet, "alpha", Role::Viewer);
    nobody = nobody.with_token("guess");
    assert_eq!(nobody.get("/version").await.code, 401);

    let may = |client: &Client, verb: &str, resource: &str, namespace: &str| {
        let (client, namespace) = (client.clone(), namespace.to_owned());
        let attributes = json!({"verb": verb, "resource": resource, "namespace": namespace});
        async move {
            let body = json!({"spec": {"resourceAttributes": attributes}});
            let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
            client.post(path, &body).await.json()["status"]["allowed"] == true
        }
    };
    assert!(may(&admin, "patch", "nodes", "").await && !may(&viewer, "patch", "nodes", "").await);
    let cluster = fleet.cluster("alpha").unwrap();
    assert!(cluster.deny("pods", Some("shop")));
    assert_eq!(admin.get("/api/v1/namespaces/shop/pods").await.code, 403);
    assert_eq!(admin.get(PODS).await.code, 403, "the list of all namespaces needs the right to each");
    assert!(may(&admin, "list", "pods", "monitoring").await && !may(&admin, "list", "pods", "shop").await);
    cluster.allow("pods", Some("shop"));
    assert_eq!(admin.get(PODS).await.code, 200);
}

#[tokio::test]
async fn a_cluster_stops_falls_silent_and_comes_back() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Viewer);
    let cluster = fleet.cluster("alpha").unwrap();
    assert!(client.reaches().await);
    cluster.stop().unwrap();
    let fresh = Client::new(&fleet, "alpha", Role::Viewer);
    assert!(!fresh.reaches().await, "connecting is refused");
    cluster.start().unwrap();
    assert!(fresh.reaches().await, "the same port answers again");

    cluster.freeze().unwrap();
    let asked = tokio::spawn(async move { fresh.reaches().await });
    let silent = tokio::time::timeout(std::time::Duration::from_millis(60), client.get("/readyz")).await;
    assert!(silent.is_err() && !asked.is_finished());
    cluster.thaw().unwrap();
    assert!(asked.await.unwrap(), "what was asked in the silence is answered after it");
}

#[tokio::test]
async fn discovery_names_what_is_served() {
    let fleet = small().await;
    let client = Client::new(&fleet, "beta", Role::Viewer);
    assert_eq!(client.get("/version").await.json()["gitVersion"], "v1.35.3-gke.1200");
    let groups = client.get("/apis").await.json();
    let has = |g: &str| groups["groups"].as_array().unwrap().iter().any(|x| x["name"] == g);
    assert!(has("apps") && has("events.k8s.io") && has("metrics.k8s.io"));
    let core = client.get("/api/v1").await.json();
    let eviction = core["resources"].as_array().unwrap().iter().find(|r| r["name"] == "pods/eviction");
    assert_eq!(eviction.unwrap()["group"], "policy");
    let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let aggregated = client.get_as("/apis", v2).await;
    assert_eq!(
        (aggregated.header("content-type"), aggregated.json()["kind"].as_str()),
        (v2, Some("APIGroupDiscoveryList"))
    );
    let metrics = client.get("/apis/metrics.k8s.io/v1beta1/nodes").await.json();
    assert_eq!(metrics["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn usage_is_the_same_in_both_formats() {
    use crate::kinds::metrics::{read_nodes, read_pods};
    use crate::kinds::wire::Format;
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let (mut by_json, mut by_protobuf) = (crate::model::Usage::default(), crate::model::Usage::default());
    for (format, usage) in [(Format::Json, &mut by_json), (Format::Protobuf, &mut by_protobuf)] {
        for (plural, read) in [("nodes", read_nodes as fn(_, &[u8], &mut _) -> _), ("pods", read_pods)] {
            let path = format!("/apis/metrics.k8s.io/v1beta1/{plural}");
            let answer = client.get_as(&path, format.accept()).await;
            assert_eq!(Format::of_content_type(answer.header("content-type")), Some(format), "{plural}");
            let end = read(format, &answer.body, usage).unwrap();
            assert!(end.items > 0 && end.bad == 0, "{plural}");
        }
    }
    assert_eq!(by_json, by_protobuf);
}

#[tokio::test]
async fn a_server_can_be_started_at_once_after_it_was_stopped() {
    let fleet = small().await;
    let alpha = fleet.cluster("alpha").unwrap();
    for _ in 0..20 {
        alpha.stop().unwrap();
        alpha.start().unwrap();
    }
    let client = Client::new(&fleet, "alpha", Role::Admin);
    assert_eq!(client.get(PODS).await.code, 200);
}

#[tokio::test]
async fn yaml_and_tables_say_what_a_real_server_says() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let web = "/apis/apps/v1/namespaces/shop/deployments/web";
    let yaml = client.get_as(web, "application/yaml").await;
    assert_eq!((yaml.code, yaml.header("content-type")), (200, "application/yaml"));
    let read: Value = serde_saphyr::from_str(std::str::from_utf8(&yaml.body).unwrap()).unwrap();
    assert_eq!(read, client.get(web).await.json());

    let services = "/api/v1/namespaces/shop/services";
    let service = |name: &str, kind: &str, port: Value| {
        json!({"metadata": {"name": name}, "spec": {"type": kind, "selector": {"app": "named"},
               "ports": [{"name": "web", "port": 80, "targetPort": port}]}})
    };
    client.post(services, &service("balanced", "LoadBalancer", json!(8080))).await;
    client.post(services, &service("named", "ClusterIP", json!("http"))).await;
    let table = client.get_as(services, "application/json;as=Table;v=v1;g=meta.k8s.io").await.json();
    let cells = |name: &str| {
        let rows = table["rows"].as_array().unwrap();
        rows.iter().find(|r| r["cells"][0] == name).map(|r| r["cells"].clone()).unwrap()
    };
    assert_eq!((&cells("balanced")[3], &cells("named")[3]), (&json!("<pending>"), &json!("<none>")));

    let pod = json!({"metadata": {"name": "named", "labels": {"app": "named"}}, "spec": {"containers": [
        {"name": "c", "image": "x:1", "ports": [{"name": "http", "containerPort": 9090}]}]}});
    assert_eq!(client.post("/api/v1/namespaces/shop/pods", &pod).await.code, 201);
    fleet.advance(crate::model::Span::from_seconds(10));
    let pod = client.get("/api/v1/namespaces/shop/pods/named").await.json();
    let node =
        client.get(&format!("/api/v1/nodes/{}", pod["spec"]["nodeName"].as_str().unwrap())).await.json();
    assert_eq!(pod["status"]["hostIP"], node["status"]["addresses"][0]["address"]);
    let endpoints = client.get("/api/v1/namespaces/shop/endpoints/named").await.json();
    assert_eq!(endpoints["subsets"][0]["ports"][0]["port"], 9090, "by its name");
    // a service that is replaced without its address keeps it
    let path = format!("{services}/named");
    let mut kept = client.get(&path).await.json();
    let own = kept["spec"]["clusterIP"].take();
    kept["spec"].as_object_mut().unwrap().retain(|k, _| !k.starts_with("clusterIP"));
    let put = client.send(Method::PUT, &path, &[("content-type", "application/json")], &kept).await;
    assert_eq!((put.code, &put.json()["spec"]["clusterIP"]), (200, &own));
}

#[tokio::test]
async fn a_patch_is_as_large_as_it_may_be() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let path = "/apis/apps/v1/namespaces/shop/deployments/web";
    let step = json!({"op": "test", "path": "/spec/replicas", "value": 4});
    let steps = |n: usize| Value::Array(vec![step.clone(); n]);
    assert_eq!(client.patch(path, "json", &steps(10_000)).await.code, 200);
    let refused = client.patch(path, "json", &steps(10_001)).await;
    assert_eq!(refused.code, 413);
    let said = "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001";
    assert_eq!(refused.json()["message"], said);
}
