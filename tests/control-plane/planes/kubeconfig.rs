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

/// Writes the file; the first plane's context is the current one.
pub(crate) fn write(
    path: &Path,
    pki: &Pki,
    clusters: &[(&str, &str)],
    credential: &Credential,
) -> Result<()> {
    let (mut servers, mut contexts) = (String::new(), String::new());
    let (user, ca) = (&credential.user, quoted(&pki.path("ca.crt")));
    for (name, url) in clusters {
        let cluster =
            format!("- name: {name}\n  cluster:\n    server: {url}\n    certificate-authority: {ca}\n");
        servers.push_str(&cluster);
        let context = format!("- name: {name}\n  context:\n    cluster: {name}\n    user: {user}\n");
        contexts.push_str(&context);
    }
    let current = clusters.first().map(|(name, _)| *name).unwrap_or_default();
    let mut text = format!("apiVersion: v1\nkind: Config\ncurrent-context: {current}\n");
    let _ = write!(text, "clusters:\n{servers}contexts:\n{contexts}users:\n- name: {user}\n  user:\n");
    for line in credential.lines.iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "    {line}");
    }
    private_file(path, &text).map_err(Error::on(format!("cannot write {}", path.display())))
}

/// A path as a YAML string, whatever is in it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "''"))
}
