//! The commands without the screen: the built program against the embedded fleet.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quarterdeck::sim::{Control, Fleet, Options, Role, Scenario};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};

/// A fleet, and a home for the program beside it.
struct Rig {
    fleet: Fleet,
    home: TempDir,
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Rig {
    async fn start() -> Rig {
        let fleet = Fleet::start(Scenario::small().unwrap(), Options::default()).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("kubeconfig"), fleet.kubeconfig(Role::Admin)).unwrap();
        Rig { fleet, home }
    }

    fn cluster(&self, name: &str) -> Control {
        self.fleet.cluster(name).unwrap()
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        run(self.home.path(), &self.path("kubeconfig"), arguments).await
    }
}

async fn run(home: &Path, kubeconfig: &Path, arguments: &[&str]) -> Ended {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
    command.args(arguments).arg("--kubeconfig").arg(kubeconfig).env("QUARTERDECK_HOME", home);
    let Output { status, stdout, stderr } = command.kill_on_drop(true).output().await.unwrap();
    Ended {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

impl Ended {
    /// The output of a command that must have ended so.
    fn with(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The plan's hash, from its last line.
    fn hash(&self) -> String {
        let line = self.out.lines().find(|line| line.starts_with("plan ")).unwrap();
        line["plan ".len()..].to_owned()
    }
}

/// The names of the nodes on which pods of a workload run.
fn nodes_of(pods: &[Arc<Value>], workload: &str) -> Vec<String> {
    let of = |pod: &&Arc<Value>| {
        pod["metadata"]["name"].as_str().unwrap().strip_prefix(workload).is_some_and(|r| r.starts_with('-'))
    };
    pods.iter().filter(of).filter_map(|pod| Some(pod["spec"]["nodeName"].as_str()?.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_are_printed_in_three_forms() {
    let rig = Rig::start().await;
    let table = rig.run(&["get", "objects", "nodes"]).await.with(0).out;
    let titles = table.lines().nth(1).unwrap();
    assert!(titles.starts_with("STATE") && titles.contains("CLUSTER") && titles.ends_with("AGE"), "{table}");
    assert_eq!(table.lines().filter(|line| line.contains("alpha")).count(), 3, "{table}");

    let json = rig.run(&["get", "fleet", "-o", "json"]).await.with(0).json();
    assert_eq!(json["rows"].as_array().unwrap().len(), 3, "{json}");

    let csv =
        rig.run(&["get", "objects", "po", "-n", "shop", "-o", "csv", "--context", "beta"]).await.with(0);
    let lines: Vec<&str> = csv.out.lines().collect();
    assert!(lines[0].starts_with("state,stale,cluster,namespace,name,"), "{}", csv.out);
    assert_eq!(lines.len(), 1 + 8, "{}", csv.out);
    assert!(lines[1..].iter().all(|line| line.contains(",beta,shop,")), "{}", csv.out);

    for view in [&["placement"][..], &["scaling"], &["cost", "--by", "namespace"], &["findings"]] {
        let ended = rig.run(&[&["get"], view].concat()).await.with(0);
        assert!(!ended.out.is_empty() && ended.err.is_empty(), "{view:?}: {}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_wrongly_says_what_was_expected() {
    let rig = Rig::start().await;
    for (arguments, expected) in [
        (&["get", "objects", "podz"][..], "pods?"),
        (&["get", "cost", "--by", "team"], "expected cluster, namespace, workload, pool"),
        (&["get", "findings", "--until", "findings=0"], "as in findings==0"),
        (&["get", "fleet", "--context", "none-*"], "no cluster that matches none-*"),
        (&["drain", "gama/x"], "did you mean gamma?"),
        (&["cordon", "alpha/nothing-like-it"], "there is no node \"nothing-like-it\" in alpha"),
        (&["drain", "x", "--pod-selector", "a=(b"], "--pod-selector"),
        (&["failover", "plan", "nowhere"], "there is no recovery plan nowhere"),
    ] {
        let ended = rig.run(arguments).await.with(2);
        assert!(ended.err.contains(expected) && ended.out.is_empty(), "{arguments:?}: {}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_are_waited_for_and_decide_the_exit_code() {
    let rig = Rig::start().await;
    rig.run(&["get", "findings", "--fail-on", "warn", "--until", "findings==0"]).await.with(0);
    let late = rig.run(&["get", "objects", "pods", "--until", "rows==999", "--timeout", "3s"]).await.with(5);
    assert!(late.err.contains("rows==999 did not come true in time"), "{}", late.err);
    assert!(late.out.contains("shop"), "what is known is printed: {}", late.out);

    let gamma = rig.cluster("gamma");
    gamma.silence(gamma.objects("nodes")[0]["metadata"]["name"].as_str().unwrap());
    let until = ["get", "findings", "--until", "findings>=1", "--timeout", "90s", "-o", "json"];
    let found = rig.run(&until).await.with(0).json();
    assert!(found["rows"].to_string().contains("gamma"), "{found}");
    rig.run(&["get", "findings", "--fail-on", "warn"]).await.with(1);
    // Elsewhere nothing is wrong.
    rig.run(&["get", "findings", "--fail-on", "warn", "--context", "!gamma"]).await.with(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_runs_only_by_the_hash_of_its_plan() {
    let rig = Rig::start().await;
    let alpha = rig.cluster("alpha");
    let pods = alpha.objects("pods");
    // Not the node of a pod whose volume keeps it in its zone.
    let bound = nodes_of(&pods, "db");
    let node = nodes_of(&pods, "web").into_iter().find(|node| !bound.contains(node)).unwrap();
    let name = format!("alpha/{node}");
    let cordoned = || {
        let nodes = alpha.objects("nodes");
        nodes.iter().any(|n| n["metadata"]["name"] == *node && n["spec"]["unschedulable"] == true)
    };

    let plan = rig.run(&["drain", &name]).await.with(0);
    assert!(plan.out.starts_with("drain 1 node\n") && plan.out.contains("dry run: "), "{}", plan.out);
    assert!(plan.out.contains(&format!(" --context alpha drain {node} --ignore-daemonsets")));
    let hash = plan.hash();
    assert_eq!(rig.run(&["drain", &node, "-o", "json"]).await.with(0).json()["hash"], hash.as_str());

    let wrong = rig.run(&["drain", &name, "--yes", "0123456789ab"]).await.with(4);
    assert!(wrong.err.contains("is not the hash of this plan"), "{}", wrong.err);
    rig.run(&["drain", &name, "--yes", "sure"]).await.with(2);
    // The hash covers what was decided.
    rig.run(&["drain", &name, "--grace-period", "1", "--yes", &hash]).await.with(4);
    assert!(!cordoned(), "nothing was changed");

    let ran = rig.run(&["drain", &name, "--yes", &hash[..8]]).await.with(0);
    assert!(ran.out.starts_with("done in ") && ran.out.contains(": drain 1 node: done"), "{}", ran.out);
    assert!(ran.err.contains("cordon") && ran.err.contains("is gone"), "{}", ran.err);
    assert!(cordoned());
    let pods = alpha.objects("pods");
    assert!(!nodes_of(&pods, "web").contains(&node) && !nodes_of(&pods, "cart").contains(&node));

    let again = rig.run(&["drain", &name]).await.with(0);
    assert!(again.out.starts_with("nothing to do: "), "{}", again.out);
    let back = rig.run(&["uncordon", &name]).await.with(0).hash();
    let lines = rig.run(&["uncordon", &name, "--yes", &back, "-o", "json"]).await.with(0).out;
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["progress"]["Ended"][0], "done", "{lines}");
    assert!(!cordoned());

    let verified = rig.run(&["journal", "verify"]).await.with(0);
    assert!(verified.out.contains("whole"), "{}", verified.out);
    let journal = rig.path("data/journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen("accepted", "rejected", 1)).unwrap();
    assert!(rig.run(&["journal", "verify"]).await.with(1).out.contains("damaged, line"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_would_lose_data_stay_until_a_flag_says_otherwise() {
    let rig = Rig::start().await;
    let gamma = rig.cluster("gamma");
    let node = gamma.objects("nodes")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let kept = rig.run(&["drain", &format!("gamma/{node}")]).await.with(0);
    assert!(kept.out.contains("(--delete-emptydir-data: accept)"), "{}", kept.out);
    assert!(kept.out.contains("evict 2 pods from"), "{}", kept.out);
    let accepted = rig.run(&["drain", &format!("gamma/{node}"), "--delete-emptydir-data"]).await.with(0);
    assert!(accepted.out.contains("evict 4 pods from"), "{}", accepted.out);
    assert_ne!(kept.hash(), accepted.hash());
}

/// A node from which a drain takes seconds: one of its pods waits until the budget of another
/// opens, which needs a new pod first.
fn slow_node(cluster: &Control) -> String {
    let nodes = nodes_of(&cluster.objects("pods"), "web");
    let twice = |node: &&String| nodes.iter().filter(|other| other == node).count() > 1;
    nodes.iter().find(twice).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_that_takes_too_long_ends_and_says_what_is_left() {
    let rig = Rig::start().await;
    let name = format!("beta/{}", slow_node(&rig.cluster("beta")));
    let drain = ["drain", &name, "--timeout", "1s"];
    let hash = rig.run(&drain).await.with(0).hash();
    let ended = rig.run(&[&drain[..], &["--yes", &hash]].concat()).await.with(5);
    assert!(ended.out.starts_with("timed out after "), "{}", ended.out);
    assert!(
        ended.err.contains("left as it is: cordon ") && ended.err.contains("back: uncordon"),
        "{}",
        ended.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_stops_a_drain_in_order() {
    let rig = Rig::start().await;
    let name = format!("beta/{}", slow_node(&rig.cluster("beta")));
    let hash = rig.run(&["drain", &name]).await.with(0).hash();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
    command.args(["drain", &name, "--yes", &hash, "--kubeconfig"]).arg(rig.path("kubeconfig"));
    command.env("QUARTERDECK_HOME", rig.home.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().unwrap().contains("waits for its turn") {}
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut told = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        told.push_str(&line);
    }
    let ended = child.wait_with_output().await.unwrap();
    let out = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(4), "{out}{told}");
    assert!(
        out.starts_with("stopped after ") && told.contains("stopping before the next request"),
        "{out}{told}"
    );
    assert!(rig.run(&["journal", "verify"]).await.with(0).out.contains("whole"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_is_measured_reported_and_put_back() {
    let rig = Rig::start().await;
    let folder = rig.path("config/recovery");
    std::fs::create_dir_all(&folder).unwrap();
    let file = "version = 1\nname = 'carts'\nprimary = 'alpha'\nstandby = 'beta'\ntarget = '5m'\n\
                [[workload]]\nkind = 'Deployment'\nnamespace = 'shop'\nname = 'cart'\nreplicas = 3\n\
                [probe]\nready = true\n";
    std::fs::write(folder.join("carts.toml"), file).unwrap();
    let beta = rig.cluster("beta");
    let least = || {
        let all = beta.objects("horizontalpodautoscalers");
        all.iter().find(|h| h["metadata"]["name"] == "cart").unwrap()["spec"]["minReplicas"].clone()
    };
    assert_eq!(least(), 2);

    let plan = rig.run(&["failover", "plan", "carts"]).await.with(0);
    assert!(
        plan.out.starts_with("fail over carts: alpha → beta\n") && plan.out.contains("fit"),
        "{}",
        plan.out
    );
    rig.run(&["failover", "plan", "carts", "--yes", &plan.hash()]).await.with(2);
    rig.run(&["failover", "drill", "carts", "--yes", &plan.hash()]).await.with(4);

    let drill = rig.run(&["failover", "drill", "carts"]).await.with(0);
    assert_ne!(drill.hash(), plan.hash());
    let reports = rig.path("reports");
    let arguments =
        ["failover", "drill", "carts", "--yes", &drill.hash(), "--reports", reports.to_str().unwrap()];
    let ran = rig.run(&arguments).await.with(0);
    assert!(ran.out.contains("recovery time: ") && ran.out.contains(", promised 5m"), "{}", ran.out);
    let path = ran.out.lines().find_map(|line| line.strip_prefix("report: ")).unwrap();
    let json = std::fs::read_to_string(Path::new(path).with_extension("json")).unwrap();
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["drill"], &report["outcome"]), (&Value::from(true), &Value::from("done")));
    assert_eq!(report["recovery"]["met"], true);
    assert_eq!(least(), 2, "the standby is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_refuses_is_named_and_not_waited_for() {
    let rig = Rig::start().await;
    rig.cluster("gamma").stop().unwrap();
    let began = Instant::now();
    let got = rig.run(&["get", "objects", "nodes", "--timeout", "90s"]).await.with(3);
    assert!(began.elapsed() < Duration::from_secs(60), "it was not waited for");
    assert!(got.err.starts_with("gamma: ") && got.out.contains("alpha"), "{}\n{}", got.out, got.err);
    rig.run(&["drain", "gamma/any"]).await.with(3);
    let doctor = rig.run(&["doctor", "--timeout", "30s"]).await.with(3).out;
    assert!(doctor.lines().any(|line| line.starts_with("bad   gamma")), "{doctor}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_two_users_have_contexts_for_is_counted_once() {
    let rig = Rig::start().await;
    let nodes = async || rig.run(&["get", "objects", "nodes", "--output", "json"]).await.with(0).json();
    let once = nodes().await["rows"].as_array().unwrap().len();
    let reader = "contexts:\n- name: a-reader\n  context:\n    cluster: alpha\n    user: viewer\n";
    let both = rig.fleet.kubeconfig_with_users().replace("contexts:\n", reader);
    std::fs::write(rig.path("kubeconfig"), both).unwrap();
    let twice = nodes().await;
    assert_eq!(twice["rows"].as_array().unwrap().len(), once, "{twice}");
    let fleet = rig.run(&["get", "fleet"]).await.out;
    let has = |words: &str| fleet.contains(words);
    assert!(
        has("a-reader") && (has("the same cluster as alpha") || has("the same cluster as a-reader")),
        "{fleet}"
    );
    let doctor = rig.run(&["doctor"]).await.out;
    assert!(doctor.contains("the same cluster as "), "{doctor}");
    // Who is asked for by name is shown.
    let reader = rig.run(&["get", "objects", "nodes", "--context", "a-reader"]).await.with(0).out;
    assert!(reader.contains("a-reader"), "{reader}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_says_what_is_wrong_where() {
    let rig = Rig::start().await;
    std::fs::create_dir_all(rig.path("config")).unwrap();
    std::fs::write(rig.path("config/settings.toml"), "ascii = true\ncolour = 'red'\n").unwrap();
    rig.cluster("beta").deny("events", None);
    // What may not be read is denied: the fleet is not wholly known.
    let doctor = rig.run(&["doctor"]).await.with(3).out;
    let has = |start: &str, text: &str| {
        assert!(doctor.lines().any(|l| l.starts_with(start) && l.contains(text)), "{start} {text}: {doctor}");
    };
    has("warn  settings", "settings.toml:2: ");
    has("ok    kubeconfig", "3 contexts");
    has("ok    journal", "nothing was done yet");
    has("ok    alpha", "answers, v1.36");
    has("ok    alpha", "may patch nodes (cordon)");
    has("ok    alpha", "metrics are served");
    has("warn  beta", "may not be read: events");

    std::fs::write(rig.path("kubeconfig"), rig.fleet.kubeconfig(Role::Viewer)).unwrap();
    let viewer = rig.run(&["doctor", "--context", "alpha"]).await.with(0).out;
    assert!(viewer.contains("may not create pods/eviction (drain)"), "{viewer}");
    let refused = rig.run(&["cordon", &format!("alpha/{}", first_node(&rig))]).await.with(3);
    assert!(refused.out.contains("no nodes patch") && !refused.err.contains("--yes"), "{}", refused.out);
    // Confirmed or not, nothing begins that the cluster would not let through.
    rig.run(&["cordon", &format!("alpha/{}", first_node(&rig)), "--yes", &refused.hash()]).await.with(3);
}

fn first_node(rig: &Rig) -> String {
    rig.cluster("alpha").objects("nodes")[0]["metadata"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_table_of_commands_needs_no_cluster() {
    let home = tempfile::tempdir().unwrap();
    let table = run(home.path(), &home.path().join("none"), &["commands"]).await.with(0).out;
    assert!(table.starts_with("| keys | command |") && table.contains("| quit |"), "{table}");
    let none = run(home.path(), &home.path().join("none"), &["get", "fleet"]).await.with(2);
    assert!(none.err.contains("there is no cluster; looked at"), "{}", none.err);
    let nothing = run(home.path(), &home.path().join("none"), &["journal", "verify"]).await.with(0);
    assert!(nothing.out.contains("nothing was done yet"), "{}", nothing.out);
}
