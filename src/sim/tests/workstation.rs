//! The machine on which somebody looks at the fleet, as faults leave it.

use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use super::client::{Client, by_hand, small};
use super::faults::{Hand, begin_text};
use crate::model::Span;
use crate::sim::{Fleet, Role, Scenario, Signal};

/// A kubeconfig as an object.
fn read(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn server(config: &Value, cluster: &str) -> String {
    let entry = config["clusters"].as_array().unwrap().iter().find(|c| c["name"] == cluster);
    entry.unwrap()["cluster"]["server"].as_str().unwrap().to_owned()
}

fn user<'a>(config: &'a Value, name: &str) -> &'a Value {
    &config["users"].as_array().unwrap().iter().find(|u| u["name"] == name).unwrap()["user"]
}

#[tokio::test]
async fn names_stop_resolving_by_cluster() {
    let mut fleet = small().await;
    let hand = Hand::open(&mut fleet).await;
    let mut workstation = fleet.workstation();
    let plugin = Path::new("/nowhere/login");
    let named = read(&workstation.files_by_name(plugin).kubeconfig.unwrap());
    assert!(server(&named, "alpha").starts_with("https://alpha.fleet.localhost:"));
    assert!(workstation.look_up("alpha.fleet.localhost").unwrap()[0].is_loopback());
    assert!(workstation.look_up("omega.fleet.localhost").is_err());
    hand.on(&json!({"fault": "unresolved"})).await;
    workstation.changed().await;
    assert!(workstation.look_up("alpha.fleet.localhost").is_err());
    assert!(workstation.look_up("beta.fleet.localhost").is_ok(), "another cluster");
    let config = read(&workstation.files_for_others(plugin).kubeconfig.unwrap());
    assert!(server(&config, "alpha").starts_with("https://alpha.invalid:"), "{config}");
    assert!(server(&config, "beta").starts_with("https://127.0.0.1:"), "{config}");
    hand.off().await;
    assert!(workstation.look_up("alpha.fleet.localhost").is_ok());
}

#[tokio::test]
async fn a_sleep_kills_connections_and_what_was_before_is_forgotten() {
    let mut fleet = small().await;
    let hand = Hand::open(&mut fleet).await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let version = client.get("/api/v1/pods").await.json()["metadata"]["resourceVersion"].clone();
    let asking = client.clone();
    hand.on(&json!({"fault": "sleep", "delay": "2m"})).await;
    assert_eq!(fleet.workstation().slept(), Span::from_seconds(120));
    let mut dead = tokio::spawn(async move { asking.reaches().await });
    let fresh = Client::new(&fleet, "alpha", Role::Admin);
    assert!(fresh.reaches().await, "a new connection is fine");
    assert!(futures::poll!(&mut dead).is_pending(), "and the old one is dead");
    let path = format!("/api/v1/pods?watch=true&resourceVersion={}", version.as_str().unwrap());
    let mut watch = fresh.watch(&path, "application/json").await;
    assert_eq!(watch.event().await.unwrap()["object"]["code"], 410);
    dead.abort();
}

/// Runs a plugin's text as a client would, for this cluster.
async fn log_in(text: &str, cluster: &str) -> std::process::Output {
    let mut command = tokio::process::Command::new("/bin/sh");
    command.args(["-c", text, "login", cluster]).stdin(std::process::Stdio::null()).kill_on_drop(true);
    command.output().await.unwrap()
}

#[tokio::test]
async fn a_login_is_over_and_its_plugin_does_as_the_fault_says() {
    let text = "name = \"login\"\n[[cluster]]\nname = \"alpha\"\nprovider = \"private\"\nversion = \"1.36\"\nlogin = \"plugin\"\n\
                [[cluster.pool]]\nname = \"std\"\nmachines = [\"e2-standard-4\"]\ncount = 1\n";
    let scenario = Scenario::parse("login.toml", text).unwrap();
    let mut fleet = Fleet::start(scenario, by_hand()).await.unwrap();
    let hand = Hand::open(&mut fleet).await;
    let workstation = fleet.workstation();
    let files = || workstation.files_for_others(Path::new("/nowhere/login"));
    let config = read(&files().kubeconfig.unwrap());
    assert_eq!(user(&config, "admin@alpha")["exec"]["command"], "/nowhere/login", "{config}");
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let good = log_in(&files().plugin.unwrap(), "alpha").await;
    let good: Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!(good["status"]["token"], fleet.token(Role::Admin));
    for (value, code, prints) in [
        ("fails", 1, ""),
        ("prints-garbage", 0, "}{ this is no credential\n"),
        ("gives-none", 0, "\"status\":{}"),
        ("gives-expired", 0, "2001-01-01"),
        ("asks", 1, ""),
        ("floods", 0, "xxxxxxxx"),
    ] {
        hand.on(&json!({"fault": "login", "value": value})).await;
        assert_eq!(client.get("/api/v1/pods").await.code, 401, "{value}");
        let ran = log_in(&files().plugin.unwrap(), "alpha").await;
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.code() == Some(code) && said.contains(prints), "{value}: {ran:?}");
        assert!(value != "floods" || said.len() == 10_000_000);
        hand.off().await;
    }
    hand.on(&json!({"fault": "login"})).await;
    assert!(files().plugin.unwrap().contains("exec sleep"), "it hangs");
    hand.off().await;
    assert_eq!(client.get("/api/v1/pods").await.code, 200);
}

#[tokio::test]
async fn a_kubeconfig_is_cut_gone_or_has_another_token() {
    let mut fleet = small().await;
    let hand = Hand::open(&mut fleet).await;
    let workstation = fleet.workstation();
    let files = || workstation.files_for_others(Path::new("/nowhere/login"));
    let whole = files().kubeconfig.unwrap();
    assert_eq!(read(&whole)["contexts"].as_array().unwrap().len(), 3);
    assert_eq!(files().plugin, None);
    hand.on(&json!({"fault": "kubeconfig"})).await;
    let cut = files().kubeconfig.unwrap();
    assert!(whole.starts_with(&cut) && !cut.contains("contexts:") && cut.contains("name: alpha"), "{cut}");
    hand.off().await;
    hand.on(&json!({"fault": "kubeconfig", "value": "gone"})).await;
    assert_eq!(files().kubeconfig, None);
    hand.off().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    hand.on(&json!({"fault": "kubeconfig", "value": "renewed"})).await;
    assert_eq!(client.get("/api/v1/pods").await.code, 401, "the old token");
    let config = read(&files().kubeconfig.unwrap());
    let token = user(&config, "admin@alpha")["token"].as_str().unwrap().to_owned();
    assert_eq!(client.with_token(&token).get("/api/v1/pods").await.code, 200, "the new one");
    assert_eq!(
        user(&config, "admin@beta")["token"],
        fleet.token(Role::Admin),
        "another cluster's is as it was"
    );
}

#[tokio::test]
async fn limits_and_signals_are_told_to_whoever_plays_the_fleet() {
    let mut fleet = small().await;
    let hand = Hand::open(&mut fleet).await;
    let workstation = fleet.workstation();
    begin_text(
        &hand,
        "kind = \"fault\"\nfault = { name = \"few-files\", value = \"40\" }\nclusters = [\"*\"]",
    )
    .await;
    hand.on(&json!({"fault": "disk-full"})).await;
    hand.on(&json!({"fault": "signal", "value": "SIGWINCH"})).await;
    let local = workstation.local();
    assert_eq!((local.open_files, local.disk_full, local.signals), (Some(40), true, vec![Signal::Winch]));
    hand.send(Method::DELETE, "/clusters/*/faults", "").await;
    let local = workstation.local();
    assert_eq!((local.open_files, local.disk_full), (None, false));
}
