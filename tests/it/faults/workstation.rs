//! Faults of the client's machine, switched on in a fleet that a process of its own plays, with its
//! files: logins, kubeconfigs, limits and signals.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use driver::Control;
use quarterdeck::cluster::{Sources, find_clusters};
use quarterdeck::model::{Cause, Cluster, Login};
use quarterdeck::watch;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::ground::{Ground, PATIENCE, all_live, blocking, now};

const SCENARIO: &str = r#"
name = "login"
[[cluster]]
name = "near"
provider = "private"
version = "1.36"
login = "plugin"
[[cluster.pool]]
name = "std"
machines = ["e2-standard-4"]
count = 1
[[cluster]]
name = "far"
provider = "private"
version = "1.36"
[[cluster.pool]]
name = "std"
machines = ["e2-standard-4"]
count = 1
"#;

/// The demo in a process and a home of its own.
struct Demo {
    home: tempfile::TempDir,
    child: Child,
    hand: Control,
}

impl Demo {
    async fn start() -> Demo {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("login.toml"), SCENARIO).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_quarterdeck"))
            .args(["demo", "--serve", "--control", "127.0.0.1:0", "--scenario", "login.toml"])
            .args(["--kubeconfig-out", "config"])
            .current_dir(home.path())
            .env("QUARTERDECK_HOME", home.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let hand = loop {
            let line = lines.next_line().await.unwrap().expect("it says where it is disturbed");
            if let Some(hand) = Control::said(&line) {
                break hand;
            }
        };
        Demo { home, child, hand }
    }

    fn config(&self) -> std::path::PathBuf {
        self.home.path().join("config")
    }

    fn fault(&self, cluster: &str, fault: &str) {
        blocking(|| self.hand.fault_in(cluster, fault)).unwrap();
    }

    fn heal(&self) {
        blocking(|| self.hand.heal()).unwrap();
    }

    /// Waits until a file of its is so: nobody tells when the process has written it.
    async fn until(&self, file: &Path, what: &str, holds: impl Fn(&str) -> bool) {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        let seen = async {
            while !holds(&std::fs::read_to_string(file).unwrap_or_default()) {
                looks.tick().await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        seen.unwrap_or_else(|_| panic!("{} never is so: {what}", file.display()));
    }
}

fn cause(cluster: &Cluster) -> Option<Cause> {
    cluster.link.fault.as_ref().map(|fault| fault.cause)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_56_a_login_that_is_over_fails_and_works_again() {
    let demo = Demo::start().await;
    let mut ground = Ground::open_file(&demo.config(), None, now, watch::Options::default());
    ground.live("near").await;
    ground.live("far").await;
    demo.fault("near", r#"{"fault": "login", "value": "fails"}"#);
    demo.fault("near", r#"{"fault": "reset"}"#);
    let refused = |c: &Cluster| cause(c) == Some(Cause::Login) && c.login == Login::Plugin;
    let cluster = ground.until("near", "its plugin fails", refused).await;
    let said = cluster.link.fault.as_ref().unwrap().to_string();
    assert!(said.contains("the identity provider is out of order"), "{said}");
    assert!(all_live(&ground.cluster("far")), "nobody else is concerned");
    demo.heal();
    let login = demo.home.path().join("config.login");
    demo.until(&login, "the plugin works", |text| !text.contains("out of order")).await;
    ground.handle.retry(&[cluster.id]);
    ground.live("near").await;
    ground.handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_57_a_kubeconfig_is_renewed_cut_and_gone() {
    let demo = Demo::start().await;
    let config = demo.config();
    let mut ground = Ground::open_file(&config, None, now, watch::Options::default());
    ground.live("far").await;
    let old = std::fs::read_to_string(&config).unwrap();
    demo.fault("far", r#"{"fault": "kubeconfig", "value": "renewed"}"#);
    demo.until(&config, "it has another token", |text| text != old && !text.is_empty()).await;
    // Whoever holds the old token is refused, and reads the file again.
    ground.get("far", "/api/v1/nodes").await;
    demo.fault("far", r#"{"fault": "reset"}"#);
    ground.live("far").await;
    ground.handle.shutdown().await;
    demo.heal();
    // What is cut short is said to be so by whoever begins with it.
    demo.fault("far", r#"{"fault": "kubeconfig"}"#);
    demo.until(&config, "it is cut", |text| !text.is_empty() && !text.contains("contexts:")).await;
    let sources = Sources { file: Some(config.clone()), ..Sources::default() };
    assert!(find_clusters(&sources, &[]).targets.iter().all(|target| target.connection.is_none()));
    demo.heal();
    demo.fault("far", r#"{"fault": "kubeconfig", "value": "gone"}"#);
    demo.until(&config, "it is gone", str::is_empty).await;
    assert!(!config.exists());
    demo.heal();
    demo.until(&config, "it is there again", |text| text.contains("contexts:")).await;
    demo.fault("far", r#"{"fault": "unresolved"}"#);
    demo.until(&config, "its server has no name", |text| text.contains("https://far.invalid:")).await;
    let mut ground = Ground::open_file(&config, None, now, watch::Options::default());
    ground.until("far", "its name does not resolve", |c| cause(c) == Some(Cause::Dns)).await;
    ground.live("near").await;
    ground.handle.shutdown().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_58_59_60_limits_and_signals_reach_the_process() {
    let mut demo = Demo::start().await;
    let limits = Path::new("/proc").join(demo.child.id().unwrap().to_string()).join("limits");
    let soft = |text: &str, name: &str| -> String {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().unwrap_or_default().to_owned()
    };
    let before = std::fs::read_to_string(&limits).unwrap();
    demo.fault("near", r#"{"fault": "few-files", "value": "77"}"#);
    demo.until(&limits, "few files", |text| soft(text, "Max open files") == "77").await;
    demo.fault("far", r#"{"fault": "disk-full"}"#);
    demo.until(&limits, "a full disk", |text| soft(text, "Max file size") == "0").await;
    demo.heal();
    let same = |name: &str, text: &str| soft(text, name) == soft(&before, name);
    demo.until(&limits, "as before", |text| same("Max open files", text) && same("Max file size", text))
        .await;
    demo.fault("near", r#"{"fault": "signal", "value": "SIGTERM"}"#);
    let ended = tokio::time::timeout(Duration::from_secs(60), demo.child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0), "it ends in good order");
}
