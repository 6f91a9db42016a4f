//! Files that people write, and those that we wrote and something broke.

use quarterdeck::cluster::{Plugins, Session, Sources, find_clusters};
use quarterdeck::model::Source;
use quarterdeck::runner::Journal;
use quarterdeck::runner::journal::verify;
use quarterdeck::sim::Scenario;
use quarterdeck::theme::Depth;
use quarterdeck::{config, input, theme};

use super::{folder, run, texts};

fn source(bytes: &[u8]) -> Source {
    Source { file: "mutated.toml".to_owned(), text: String::from_utf8_lossy(bytes).into_owned() }
}

#[test]
fn settings() {
    let examples = texts(&[
        "theme = \"dark\"\nkeymap = \"vim\"\nascii = true\nmouse = false\n",
        "[[cluster]]\nname = \"prod-*\"\ntier = \"prod\"\ngroup = [\"a\", \"b\"]\n[cluster.tags]\nteam = \"x\"\n",
    ]);
    run("settings", 5000, &examples, |bytes, _| {
        let loaded = config::parse(&source(bytes));
        loaded.problems.iter().for_each(|problem| drop(problem.to_string()));
    });
}

#[test]
fn keymaps() {
    run("keymaps", 800, &folder("keymaps", "toml"), |bytes, _| {
        let own = source(bytes);
        let (keymap, problems) = input::load("own", &|name| (name == "own").then(|| own.clone()), &[]);
        let _ = keymap.bindings(input::Mode::All);
        problems.iter().for_each(|problem| drop(problem.to_string()));
    });
}

#[test]
fn themes() {
    run("themes", 1500, &folder("themes", "toml"), |bytes, _| {
        let own = source(bytes);
        let _ = theme::load("own", &|name| (name == "own").then(|| own.clone()), Depth::True, false);
    });
}

#[test]
fn scenarios() {
    let shipped: Vec<&str> = Scenario::SHIPPED.iter().map(|(_, text)| *text).collect();
    run("scenarios", 300, &texts(&shipped), |bytes, _| {
        let _ = Scenario::parse("mutated.toml", &String::from_utf8_lossy(bytes)).map_err(|e| e.to_string());
    });
}

#[test]
fn kubeconfigs() {
    let examples = texts(&[
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {cluster: a, user: a}\nclusters:\n- name: a\n  cluster: {server: 'https://127.0.0.1:6443', certificate-authority-data: aGk=}\nusers:\n- name: a\n  user: {token: secret}\n",
        "{\"contexts\":[{\"name\":\"b\",\"context\":{\"cluster\":\"b\",\"user\":\"b\"}}],\"clusters\":[{\"name\":\"b\",\"cluster\":{\"server\":\"https://[::1]:1\",\"proxy-url\":\"http://127.0.0.1:3128\"}}],\"users\":[{\"name\":\"b\",\"user\":{\"exec\":{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"command\":\"x\",\"args\":[\"y\"],\"env\":[{\"name\":\"k\",\"value\":\"v\"}]}}}]}",
    ]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    run("kubeconfigs", 600, &examples, |bytes, _| {
        std::fs::write(&file, bytes).unwrap();
        let found = find_clusters(&Sources { file: Some(file.clone()), ..Sources::default() }, &[]);
        for target in &found.targets {
            let _ = Session::new(target, &Plugins::default()).map_err(|fault| fault.to_string());
        }
    });
}

#[test]
fn journals() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.jsonl");
    let mut journal = Journal::open(&file).unwrap();
    for n in 0..5 {
        let fields = serde_json::json!({ "event": "step", "number": n, "object": "shop/web" });
        journal.append(fields.as_object().unwrap().clone()).unwrap();
    }
    drop(journal);
    let good = std::fs::read(&file).unwrap();
    assert!(verify(&file).is_ok());
    run("journals", 800, std::slice::from_ref(&good), |bytes, _| {
        std::fs::write(&file, bytes).unwrap();
        // What is whole begins as it was written: a chain shows changes, but not what was cut off.
        if let Ok(found) = verify(&file) {
            let lines = good.split_inclusive(|b| *b == b'\n').take(usize::try_from(found.records).unwrap());
            assert!(bytes.starts_with(&lines.flatten().copied().collect::<Vec<u8>>()));
        }
    });
}
