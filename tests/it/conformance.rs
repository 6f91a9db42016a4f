//! The embedded fleet beside a real server, and the custom resources of the ecosystem in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use quarterdeck::cluster::{Plugins, Request, Session, Sources, find_clusters};
use quarterdeck::sim::{Fleet, Options, Pace, Role, Scenario};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::embedded::Embedded;
use super::ground::conversation::{MOVING, STILL, Script, converse, differences};

/// A difference that is known: where it is, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    at: String,
    why: String,
}

impl Known {
    /// Whether this is the difference at that place; `*` stands for anything.
    fn covers(&self, place: &str) -> bool {
        let mut parts = self.at.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = place.strip_prefix(first) else { return false };
        parts.all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }
}

/// The embedded fleet says what a real server said, but for the differences that a file lists, and
/// every one of those is still there.
async fn agrees(script: Script, known: &str, fleet: &Embedded) {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        difference: Vec<Known>,
    }
    let text = std::fs::read_to_string(script.record().with_file_name(known)).unwrap();
    let known = toml::from_str::<File>(&text).unwrap_or_else(|e| panic!("{e}")).difference;
    assert!(known.iter().all(|known| !known.why.is_empty()));
    let found = differences(script, &converse(script, fleet, true).await, false);
    let listed = |place: &str| known.iter().any(|k| k.covers(place));
    let new: Vec<String> = found.iter().filter(|it| !listed(&it.place)).map(ToString::to_string).collect();
    let there = |k: &&Known| found.iter().any(|it| k.covers(&it.place));
    let gone: Vec<&str> = known.iter().filter(|k| !there(k)).map(|k| k.at.as_str()).collect();
    assert!(new.is_empty(), "{} differences that are not listed:\n{}", new.len(), new.join("\n"));
    assert!(gone.is_empty(), "listed, and no difference any more: {gone:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_fleet_says_what_a_real_server_says() {
    agrees(STILL, "differences.toml", &Embedded::still().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_fleet_does_what_real_controllers_do() {
    agrees(MOVING, "differences-moving.toml", &Embedded::fast().await).await;
}

/// Every CRD that lies beside the repository, if any does.
fn definitions() -> Vec<(PathBuf, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/crds");
    let mut folders = vec![root];
    let mut out = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                // templates of charts are no YAML
                let Ok(documents) = serde_saphyr::from_multiple::<Value>(&text) else { continue };
                let crds = documents.into_iter().filter(|d| d["kind"] == "CustomResourceDefinition");
                out.extend(crds.map(|d| (path.clone(), d)));
            }
        }
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

/// The least object that fits a schema, as far as a schema can say.
fn least(schema: &Value) -> Value {
    if let Some(default) = schema.get("default") {
        return default.clone();
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return json!(1);
    }
    let number = |key: &str| schema[key].as_u64().unwrap_or(0) as usize;
    match schema["type"].as_str() {
        Some("object") => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let mut map = Map::new();
            for name in required.iter().filter_map(Value::as_str) {
                map.insert(name.to_owned(), least(&schema["properties"][name]));
            }
            for n in map.len()..number("minProperties") {
                map.insert(format!("k{n}"), least(&schema["additionalProperties"]));
            }
            Value::Object(map)
        }
        Some("array") => (0..number("minItems")).map(|_| least(&schema["items"])).collect(),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(false),
        Some("string") => json!("x".repeat(number("minLength").max(1))),
        _ => json!({}),
    }
}

async fn ask(session: &Session, request: Request) -> (u16, Value) {
    let response = session.send(request).await.unwrap();
    let status = response.status;
    (status, serde_json::from_slice(&response.bytes(64 << 20).await.unwrap()).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ecosystem_s_custom_resources_are_served() {
    let definitions = definitions();
    if definitions.is_empty() {
        return; // no CRDs beside the repository
    }
    let options = Options { pace: Pace::Manual, bookmarks: Duration::from_secs(1), ..Options::default() };
    let fleet = Fleet::start(Scenario::sized(1, 1, 10), options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, fleet.kubeconfig(Role::Admin)).unwrap();
    let found = find_clusters(&Sources { file: Some(file), ..Sources::default() }, &[]);
    let session = Session::new(&found.targets[0], &Plugins::default()).unwrap();
    let root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let mut made = 0;
    for (path, definition) in &definitions {
        let place = path.display();
        let (status, said) = ask(&session, Request::post(root, definition.to_string())).await;
        // some folders hold the same definition in two versions
        assert!([201, 409].contains(&status), "{place}: {status} {said}");
        let spec = &definition["spec"];
        let (group, plural) = (spec["group"].as_str().unwrap(), spec["names"]["plural"].as_str().unwrap());
        let namespaced = spec["scope"] == "Namespaced";
        for version in spec["versions"].as_array().unwrap().iter().filter(|v| v["served"] == true) {
            let name = version["name"].as_str().unwrap();
            let space = if namespaced { "/namespaces/default" } else { "" };
            let all = format!("/apis/{group}/{name}{space}/{plural}");
            let mut object = least(&version["schema"]["openAPIV3Schema"]);
            object["apiVersion"] = json!(format!("{group}/{name}"));
            object["kind"] = spec["names"]["kind"].clone();
            object["metadata"] = json!({ "name": format!("probe-{name}") });
            let (status, said) = ask(&session, Request::post(&*all, object.to_string())).await;
            assert!([201, 409].contains(&status), "{place} {name}: {status} {said}");
            let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
            let (status, said) = ask(&session, Request::get(&*all).accept(table)).await;
            assert_eq!(status, 200, "{place} {name}");
            let columns = version["additionalPrinterColumns"].as_array().map_or(1, Vec::len) + 1;
            let cells = said["rows"][0]["cells"].as_array().map_or(0, Vec::len);
            assert_eq!(cells, columns, "{place} {name}: {said}");
            made += 1;
        }
    }
    assert!(made >= definitions.len() / 2, "{made}");
    let (_, groups) = ask(&session, Request::get("/apis")).await;
    assert!(groups["groups"].as_array().unwrap().iter().any(|g| g["name"] == "argoproj.io"));
}
