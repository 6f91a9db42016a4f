//! Kubeconfig files: one per user, one context per plane.

use std::fmt::Write;
use std::path::Path;

use super::error::{Error, Result};
use super::pki::{Pki, private_file, token};

/// How a user proves who it is, as the lines below `user:`.
#[derive(Debug)]
pub(crate) struct Credential {
    user: String,
    lines: [String; 2],
}

impl Credential {
    /// The certificate of the administrator, the token of everyone else.
    pub(crate) fn of(pki: &Pki, user: &str) -> Self {
        let lines = if user == "admin" {
            ["crt", "key"].map(|end| {
                let what = if end == "crt" { "certificate" } else { "key" };
                format!("client-{what}: {}", quoted(&pki.path(&format!("admin.{end}"))))
            })
        } else {
            [format!("token: {}", token(user)), String::new()]
        };
        Self { user: user.to_owned(), lines }
    }
}

/// Writes the file: for the first credential a context of each cluster's name, for others `CLUSTER-USER`. The first
/// cluster's context is the current one.
pub(crate) fn write(
    path: &Path,
    pki: &Pki,
    clusters: &[(&str, &str)],
    credentials: &[Credential],
) -> Result<()> {
    let ca = quoted(&pki.path("ca.crt"));
    let current = clusters.first().map(|(name, _)| *name).unwrap_or_default();
    let mut text = format!("apiVersion: v1\nkind: Config\ncurrent-context: {current}\nclusters:\n");
    for (name, url) in clusters {
        let _ =
            writeln!(text, "- name: {name}\n  cluster:\n    server: {url}\n    certificate-authority: {ca}");
    }
    text.push_str("contexts:\n");
    for (at, Credential { user, .. }) in credentials.iter().enumerate() {
        for (cluster, _) in clusters {
            let name = if at == 0 { (*cluster).to_owned() } else { format!("{cluster}-{user}") };
            let _ = writeln!(text, "- name: {name}\n  context:\n    cluster: {cluster}\n    user: {user}");
        }
    }
    text.push_str("users:\n");
    for Credential { user, lines } in credentials {
        let _ = writeln!(text, "- name: {user}\n  user:");
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "    {line}");
        }
    }
    private_file(path, &text).map_err(Error::on(format!("cannot write {}", path.display())))
}

/// A path as a YAML string, whatever is in it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "''"))
}
