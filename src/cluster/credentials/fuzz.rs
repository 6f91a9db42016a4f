//! What plugins print and what a kuberc says, against mutated examples: no panic, and no secret that
//! comes through. The parsers that others can reach are in `tests/fuzz`.

use super::policy::{Kuberc, Policy};
use super::redact::last_words;
use super::{exec_api, place};
use crate::cluster::kubeconfig::Sources;
use crate::cluster::mutate;

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn answers_of_plugins() {
    const V1: &str = "client.authentication.k8s.io/v1";
    let examples = texts(&[
        r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t","expirationTimestamp":"2026-11-21T02:14:07Z"}}"#,
        r#"{"apiVersion":"client.authentication.k8s.io/v1","status":{"clientCertificateData":"a","clientKeyData":"b"}}"#,
        "apiVersion: client.authentication.k8s.io/v1\nkind: ExecCredential\nstatus:\n  token: &t abc\n  expirationTimestamp: *t\n",
    ]);
    mutate::run("answers of plugins", 5_000, &examples, |bytes, _| {
        if let Ok(answer) = exec_api::read(bytes, V1) {
            assert!(answer.token.is_some() || answer.identity.is_some());
        }
    });
}

#[test]
fn kubercs() {
    let examples = texts(&[
        "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: /usr/bin/aws\n- name: gke-gcloud-auth-plugin\n",
        "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n",
        "---\napiVersion: kubectl.config.k8s.io/v1alpha1\nkind: Preference\n---\n{}\n",
    ]);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("kuberc");
    let named = std::collections::BTreeMap::from([("KUBERC".to_owned(), file.display().to_string())]);
    let kuberc = Kuberc::of(&Sources { env: named, ..Sources::default() });
    mutate::run("kubercs", 1_500, &examples, |bytes, _| {
        std::fs::write(&file, bytes).unwrap();
        match kuberc.read().policy {
            Policy::Allowlist(list) => {
                let path = std::ffi::OsStr::new("/usr/bin:/bin");
                let found = std::path::Path::new("/usr/bin/aws");
                super::policy::listed(&list, "aws", found, path);
                list.iter().for_each(|entry| drop(place::clean(entry)));
            }
            Policy::Wrong(why) => assert!(!why.is_empty()),
            Policy::AllowAll | Policy::DenyAll => {}
        }
    });
}

#[test]
fn last_words_of_plugins() {
    const SECRET: &str = "hunter2-hunter2";
    let examples = texts(&[
        "error: token: abc123 is not valid\n",
        "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln\nexit\n",
        "AADSTS70043: the refresh token has expired\npassword=geheim --client-secret x\n",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n",
    ]);
    mutate::run("last words", 10_000, &examples, |bytes, chance| {
        let mut said = String::from_utf8_lossy(bytes).into_owned();
        for _ in 0..=chance.below(3) {
            let at = said.char_indices().map(|(at, _)| at).nth(chance.below(said.len() + 1));
            said.insert_str(at.unwrap_or(said.len()), SECRET);
        }
        let shown = last_words(&said, &["hunter2", SECRET]);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.chars().count() <= 301, "{shown}");
    });
}
