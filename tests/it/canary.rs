//! Secrets stay where they are: tokens of our own in every place that credentials come from, every
//! feature run over the embedded fleet, and then everything that was shown or written is searched.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use quarterdeck::sim::{Fleet, Options, Role, Scenario};
use serde_json::json;

use super::ground::Ground;
use driver::Session;

const LIMIT: Duration = Duration::from_secs(90);

/// What must never be seen again, each with its place. Base64 of them is looked for, too.
const CANARIES: [(&str, &str); 10] = [
    ("a token", "canary-token-5b1f"),
    ("a token file", "canary-file-77aa"),
    ("a plugin's answer", "canary-exec-c0de"),
    ("a plugin's environment", "canary-env-19d3"),
    ("a plugin's error", "canary-stderr-e441"),
    ("a password", "canary-password-8c2b"),
    ("a client key", "canary-key-31fe"),
    ("a proxy's password", "canary-proxy-6d60"),
    ("a Secret", "canary-secret-a9b7"),
    ("a Secret's annotation", "canary-applied-d215"),
];

/// Everything that a person or a program could read, by its place.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    fn command(&mut self, place: &str, output: Output) {
        self.add(format!("stdout of {place}"), output.stdout);
        self.add(format!("stderr of {place}"), output.stderr);
    }

    /// Every file below a folder but those that the test itself put there.
    fn files(&mut self, folder: &Path, own: &[PathBuf]) -> usize {
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if own.contains(&path) {
                continue;
            }
            if path.is_dir() {
                count += self.files(&path, own);
            } else {
                self.add(path.display().to_string(), std::fs::read(&path).unwrap());
                count += 1;
            }
        }
        count
    }

    /// The places in which one of these words is.
    fn leaks(&self, words: &[(String, String)]) -> Vec<String> {
        let mut found = Vec::new();
        for (place, bytes) in &self.0 {
            let text = String::from_utf8_lossy(bytes);
            for (what, word) in words {
                // Within something else its base64 depends on where it begins there.
                let coded = (0..3).map(|at| base64(&word[at..]));
                for form in std::iter::once(word.clone()).chain(coded) {
                    if text.contains(&form) {
                        found.push(format!("{what} in {place}"));
                    }
                }
            }
        }
        found
    }
}

/// Base64 without what depends on the bytes after it.
fn base64(word: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = word.as_bytes().chunks_exact(3);
    whole
        .flat_map(|chunk| {
            let bits = u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
            [18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift & 63) as usize]))
        })
        .collect()
}

/// The value after `key: ` in the fleet's own kubeconfig, for the n-th time.
fn value(kubeconfig: &str, key: &str, n: usize) -> String {
    let mut lines = kubeconfig.lines().filter_map(|line| line.trim().strip_prefix(key));
    lines.nth(n).unwrap_or_else(|| panic!("no {key} in it")).trim().to_owned()
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// A kubeconfig whose credentials come from every place there is; alpha, beta and gamma can be
/// reached, the others fail in every way.
fn kubeconfig(fleet: &Fleet, folder: &Path) -> String {
    let own = fleet.kubeconfig(Role::Admin);
    let (authority, token) = (value(&own, "certificate-authority-data:", 0), value(&own, "token:", 0));
    let servers: Vec<String> = (0..3).map(|n| value(&own, "server:", n)).collect();
    let word = |n: usize| CANARIES[n].1;
    write(&folder.join("token"), &token);
    write(&folder.join("wrong-token"), word(1));
    let status = |token: &str| {
        json!({ "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                "status": { "token": token } })
    };
    let script = |name: &str, body: String| {
        let path = folder.join(name);
        write(&path, &format!("#!/bin/sh\n{body}\n"));
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path.display().to_string()
    };
    let good = script("good", format!("echo {} >&2\necho '{}'", word(4), status(&token)));
    let wrong = script("wrong", format!("echo '{}'", status(word(2))));
    // The last words of a plugin are shown, without what looks like a secret in them.
    let says = format!("echo login failed, token={0} >&2\necho Authorization: Bearer {0} >&2", word(4));
    let failing = script("failing", format!("{says}\necho $CANARY >&2\necho '{}'\nexit 3", status(word(2))));
    let garbled = script("garbled", format!("echo '{{\"kind\": \"{}\"'", word(2)));
    let exec = |command: &str| {
        json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": command,
            "interactiveMode": "Never", "env": [{ "name": "CANARY", "value": word(3) }] } })
    };
    let users = [
        ("alpha", json!({ "token": token })),
        ("beta", json!({ "tokenFile": folder.join("token") })),
        ("gamma", exec(&good)),
        ("wrong-token", json!({ "token": word(0) })),
        ("wrong-file", json!({ "tokenFile": folder.join("wrong-token") })),
        ("wrong-plugin", exec(&wrong)),
        ("failing-plugin", exec(&failing)),
        ("garbled-plugin", exec(&garbled)),
        ("basic", json!({ "username": "me", "password": word(5) })),
        (
            "key",
            json!({ "client-certificate-data": "bm90IGEgY2VydA==", "client-key-data": key_data(word(6)) }),
        ),
        ("proxied", json!({ "token": word(0) })),
    ];
    let cluster = |index: usize, name: &str| {
        let server = &servers[index.min(2)];
        let mut cluster = json!({ "server": server, "certificate-authority-data": authority });
        if name == "proxied" {
            cluster["proxy-url"] = format!("http://me:{}@127.0.0.1:1", word(7)).into();
        }
        json!({ "name": name, "cluster": cluster })
    };
    let clusters: Vec<_> = users.iter().enumerate().map(|(n, (name, _))| cluster(n, name)).collect();
    let contexts: Vec<_> = users
        .iter()
        .map(|(name, _)| json!({ "name": name, "context": { "cluster": name, "user": name } }))
        .collect();
    let users: Vec<_> = users.iter().map(|(name, user)| json!({ "name": name, "user": user })).collect();
    json!({ "apiVersion": "v1", "kind": "Config", "clusters": clusters, "users": users,
            "contexts": contexts, "current-context": "alpha" })
    .to_string()
}

/// What looks like a key and holds a canary.
fn key_data(word: &str) -> String {
    base64(&format!("-----BEGIN PRIVATE KEY-----\n{word}\n{word}\n-----END PRIVATE KEY-----\n   "))
}

struct Rig {
    home: tempfile::TempDir,
    file: PathBuf,
    seen: Seen,
}

impl Rig {
    fn run(&mut self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
        command.args(arguments).arg("--kubeconfig").arg(&self.file);
        command.env("QUARTERDECK_HOME", self.home.path()).env("RUST_LOG", "trace");
        let output = command.output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        self.seen.command(&arguments.join(" "), output);
        out
    }

    /// Shows a plan, then carries it out.
    fn carry_out(&mut self, arguments: &[&str]) {
        let shown = self.run(arguments);
        let hash = shown.lines().find_map(|line| line.strip_prefix("plan ")).unwrap_or_default().to_owned();
        assert_eq!(hash.len(), 64, "{arguments:?}: {shown}");
        self.run(&[arguments, &["--yes", &hash]].concat());
    }

    /// Every pane, an object in every reading, a plan that is run, the journal.
    fn screen(&mut self) {
        let home = self.home.path().to_str().unwrap().to_owned();
        let variables = [("QUARTERDECK_HOME", home.as_str()), ("HOME", &home), ("RUST_LOG", "trace")];
        let file = self.file.to_str().unwrap().to_owned();
        let program = Path::new(env!("CARGO_BIN_EXE_quarterdeck"));
        let mut session =
            Session::start(program, &["--kubeconfig", &file, "-c", "pods"], &variables, (160, 50));
        session.wait_for_text(LIMIT, "shop").unwrap();
        let ways = [
            "1",
            "2",
            "3",
            "4",
            "5",
            "0",
            "y",
            "\x1b",
            "d",
            "\x1b",
            "l",
            "\x1b",
            "@",
            "b",
            "b",
            "b",
            "r",
            ":nodes\r",
            "y",
            "\x1b",
            ":deploy\r",
            "y",
            "\x1b",
            "R",
            "\x1b",
            ":doctor\r",
            "?",
            "\x1b",
            "f",
        ];
        for keys in ways {
            session.keys(keys);
            session.settle(Duration::from_millis(400), Duration::from_secs(5));
            self.seen.add(format!("the screen after {keys:?}"), session.text());
        }
        session.keys("\x1b\x1b:q\r");
        assert!(session.wait_for_end(LIMIT).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_shown_or_written_by_anything() {
    let fleet = Fleet::start(Scenario::small().unwrap(), Options::default()).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let text = kubeconfig(&fleet, place.path());
    let file = place.path().join("config");
    write(&file, &text);
    let token = value(&fleet.kubeconfig(Role::Admin), "token:", 0);
    secret(&fleet).await;

    let rig = Rig { home: tempfile::tempdir().unwrap(), file, seen: Seen::default() };
    // What is run blocks, and the fleet lives on this runtime.
    let (seen, files) = tokio::task::spawn_blocking(move || used(rig)).await.unwrap();
    assert!(files >= 1, "nothing was written: there is nothing to be searched");

    let mut words: Vec<(String, String)> =
        CANARIES.iter().map(|(what, word)| ((*what).to_owned(), (*word).to_owned())).collect();
    words.push(("a working token".to_owned(), token));
    let leaks = seen.leaks(&words);
    assert!(leaks.is_empty(), "{leaks:#?}");

    // The search finds what is there: a canary in a file, plain and as base64 within something else.
    let control = tempfile::tempdir().unwrap();
    write(&control.path().join("plain"), &format!("x {} y", CANARIES[8].1));
    write(&control.path().join("coded"), &format!("data: {}", base64(&format!("{}  ", CANARIES[6].1))));
    let mut planted = Seen::default();
    assert_eq!(planted.files(control.path(), &[]), 2);
    let mut found = planted.leaks(&words);
    found.sort();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("a Secret in ") || found[1].contains("a Secret in "), "{found:?}");
    // What was looked through did show the fleet.
    let all: String = seen.0.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect();
    for shown in ["failing-plugin", "wrong-token", "alpha", "proxied", "apiVersion", "\"action\":\"intent\""]
    {
        assert!(all.contains(shown), "{shown} was never shown: the features did not run");
    }
}

/// A Secret with a canary in its data and one in the copy that kubectl keeps of it.
async fn secret(fleet: &Fleet) {
    let mut ground = Ground::open(&fleet.kubeconfig(Role::Admin));
    ground.live("alpha").await;
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": "pay", "namespace": "shop", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration":
                format!("{{\"stringData\":{{\"key\":\"{}\"}}}}", CANARIES[9].1) } },
        "stringData": { "key": CANARIES[8].1 },
    });
    ground.create("alpha", "/api/v1/namespaces/shop/secrets", &object).await;
    ground.handle.shutdown().await;
}

/// Runs everything, and gathers what came of it.
fn used(mut rig: Rig) -> (Seen, usize) {
    for arguments in [
        &["get", "fleet", "-o", "json"][..],
        &["get", "findings", "-o", "json"],
        &["get", "objects", "pods", "-o", "json"],
        &["get", "objects", "deployments", "-o", "csv"],
        &["get", "cost"],
        &["get", "objects", "secrets"],
        &["doctor", "--timeout", "20s"],
        &["runs"],
        &["failover", "init", "alpha", "beta"],
    ] {
        rig.run(arguments);
    }
    let nodes = rig.run(&["get", "objects", "nodes", "-o", "json", "--context", "alpha"]);
    let nodes: serde_json::Value = serde_json::from_str(&nodes).unwrap();
    let node = format!("alpha/{}", nodes["rows"][0]["name"].as_str().unwrap());
    let drain = ["drain", &node, "--context", "alpha", "--beyond-rules", "--delete-emptydir-data", "--force"];
    rig.carry_out(&["cordon", &node, "--context", "alpha"]);
    rig.carry_out(&drain);
    rig.carry_out(&["uncordon", &node, "--context", "alpha"]);
    rig.run(&["journal", "verify"]);
    rig.screen();
    let home = rig.home.path().to_owned();
    let files = rig.seen.files(&home, &[]);
    (rig.seen, files)
}
