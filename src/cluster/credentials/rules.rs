//! Which plugins may run, and the file that is run.

use std::ffi::OsString;
use std::path::PathBuf;

use super::place::{self, Looked};
use super::policy::{self, Kuberc, Policy};
use crate::cluster::kubeconfig::Sources;
use crate::cluster::target::PluginSpec;
use crate::model::{Cause, Fault, Problem};

/// What decides whether a plugin may run.
#[derive(Debug)]
pub(super) struct Rules {
    kuberc: Kuberc,
    /// Names and paths of plugins that may be where everybody can write.
    trusted: Vec<String>,
    /// Where commands without a slash are looked for.
    path: OsString,
}

impl Default for Rules {
    fn default() -> Rules {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Rules { kuberc: Kuberc::default(), trusted: Vec::new(), path }
    }
}

impl Rules {
    pub(super) fn of(sources: &Sources, trusted: Vec<String>) -> Rules {
        let path = sources.var("PATH").map(OsString::from).unwrap_or_default();
        Rules { kuberc: Kuberc::of(sources), trusted, path }
    }

    pub(super) fn problem(&self) -> Option<Problem> {
        let reading = self.kuberc.read();
        let what = match reading.policy {
            Policy::Wrong(why) => Some(format!("{why}; no credential plugin runs until it is mended")),
            _ => reading.warning,
        };
        what.map(|what| Problem::of(&self.kuberc.shown, what))
    }

    /// The file to run for a plugin. The file is looked for and the rules are read at each run:
    /// what a person mends holds at the next try.
    ///
    /// # Errors
    /// It is not there, kuberc forbids it, or somebody else could have put it there.
    pub(super) fn program(&self, spec: &PluginSpec) -> Result<PathBuf, Fault> {
        let name = spec.name();
        let no =
            |why: String, next: &str| Fault::new(Cause::Login, format!("{name} may not run: {why}"), next);
        let kuberc = &self.kuberc.shown;
        let policy = self.kuberc.read().policy;
        if policy == Policy::DenyAll {
            let why = format!("{kuberc} says credentialPluginPolicy: DenyAll");
            return Err(no(why, "change the policy there, or use a token or a client certificate"));
        }
        if let Policy::Wrong(why) = policy {
            return Err(no(format!("{kuberc}: {why}"), "mend that file; KUBERC=off leaves it out"));
        }
        let found = match place::look(&spec.command, &self.path) {
            Looked::At(found) => found,
            Looked::Current(found) => {
                let why = format!("PATH leads to {} in the current directory", found.display());
                return Err(no(
                    why,
                    "take relative folders out of PATH, or write its whole path in the kubeconfig",
                ));
            }
            Looked::Nowhere => return Err(missing(spec)),
        };
        if let Policy::Allowlist(list) = policy
            && !policy::listed(&list, &spec.command, &found, &self.path)
        {
            let why = format!("{} is not in the credentialPluginAllowlist of {kuberc}", found.display());
            return Err(no(why, &format!("add it there: - command: {}", found.display())));
        }
        if let Some(open) = place::open_to_all(&found)
            && !self.trusts(&found)
        {
            let why = format!("anybody on this machine can write to {}", open.display());
            let next = format!(
                "chmod o-w {}, or name it in the settings: trusted-plugins = [\"{}\"]",
                open.display(),
                found.display()
            );
            return Err(no(why, &next));
        }
        if let Some((theirs, owner)) = place::of_another(&found)
            && !self.trusts(&found)
        {
            let why = format!("{} belongs to another user ({owner})", theirs.display());
            let next = format!(
                "install it as yourself or as root, or name it in the settings: trusted-plugins = [\"{}\"]",
                found.display()
            );
            return Err(no(why, &next));
        }
        Ok(found)
    }

    fn trusts(&self, found: &std::path::Path) -> bool {
        let name = found.file_name().and_then(|name| name.to_str());
        self.trusted.iter().any(|trusted| found.to_str() == Some(trusted) || name == Some(trusted))
    }
}

fn missing(spec: &PluginSpec) -> Fault {
    let name = spec.name();
    let (what, or) = if spec.command.contains('/') {
        let what = format!("there is no credential plugin {}", spec.command);
        (what, "install it, or mend the command in the kubeconfig")
    } else {
        let what = format!("the credential plugin {name} is not installed");
        (what, "install it, or add its folder to PATH")
    };
    let next = if spec.install_hint.is_empty() { or } else { spec.install_hint.as_str() };
    Fault::new(Cause::Login, what, next)
}
