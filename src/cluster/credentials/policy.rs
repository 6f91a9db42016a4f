//! Which plugins may run at all: `credentialPluginPolicy` of the user's kuberc.
//!
//! The rules are kubectl's: which file is `kubectl/pkg/kuberc.LoadKuberc` (`KUBERC=off` and
//! `KUBECTL_KUBERC=false` turn it off, `KUBERC` names a file, else `~/.kube/kuberc`); what it says
//! is `kubectl/pkg/config/v1beta1.Preference`; whether a plugin is on the list is
//! `client-go/plugin/pkg/client/auth/exec.checkAllowlistLocked`. Where kubectl would refuse to do
//! anything at all because the file is wrong, no plugin runs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::place::{self, Looked};
use crate::cluster::kubeconfig::Sources;

/// The largest kuberc that is read.
const LARGEST: u64 = 1 << 20;

/// The kuberc of a user. It is read again for each run of a plugin, as kubectl does.
#[derive(Clone, Debug, Default)]
pub(super) struct Kuberc {
    /// `None`: turned off, or there is no home directory.
    path: Option<PathBuf>,
    /// The user named it: then it must be there and right.
    explicit: bool,
    /// Its path for people.
    pub(super) shown: String,
}

/// What the policy is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Policy {
    AllowAll,
    DenyAll,
    /// Names and paths of plugins that may run.
    Allowlist(Vec<String>),
    /// The file is wrong: nothing may run. With it why.
    Wrong(String),
}

/// A policy, and what is wrong with its file though it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reading {
    pub(super) policy: Policy,
    pub(super) warning: Option<String>,
}

impl Reading {
    fn of(policy: Policy) -> Reading {
        Reading { policy, warning: None }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Preference {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    credential_plugin_policy: Option<String>,
    credential_plugin_allowlist: Option<Vec<Option<Entry>>>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Entry {
    /// Since 1.36.
    #[serde(default)]
    command: String,
    /// Its name in 1.35.
    #[serde(default)]
    name: String,
}

impl Kuberc {
    pub(super) fn of(sources: &Sources) -> Kuberc {
        let off = sources.var("KUBECTL_KUBERC").is_some_and(|gate| gate.eq_ignore_ascii_case("false"));
        let (path, explicit) = match sources.var("KUBERC") {
            _ if off => (None, false),
            Some("off") => (None, false),
            Some(path) => (Some(PathBuf::from(path)), true),
            None => (sources.home.as_ref().map(|home| home.join(".kube/kuberc")), false),
        };
        let shown = path.as_ref().map_or_else(String::new, |path| sources.shown(path));
        Kuberc { path, explicit, shown }
    }

    /// The policy that holds now.
    pub(super) fn read(&self) -> Reading {
        let Some(path) = &self.path else { return Reading::of(Policy::AllowAll) };
        let text = match text(path) {
            Ok(text) => text,
            Err(error) if !self.explicit && error.kind() == std::io::ErrorKind::NotFound => {
                return Reading::of(Policy::AllowAll);
            }
            Err(error) => return self.unusable(format!("it cannot be read: {error}")),
        };
        let mut tried = false;
        for document in documents(&text) {
            tried = true;
            match serde_saphyr::from_str::<Preference>(&document) {
                Ok(preference) if preference.kind == "Preference" => match preference.api_version.as_str() {
                    "kubectl.config.k8s.io/v1beta1" => return preference.policy(),
                    // It has no policy.
                    "kubectl.config.k8s.io/v1alpha1" => return Reading::of(Policy::AllowAll),
                    _ => {}
                },
                _ => {}
            }
        }
        if tried {
            return self.unusable("it holds no Preference of kubectl.config.k8s.io/v1beta1".to_owned());
        }
        Reading::of(Policy::AllowAll)
    }

    /// kubectl stops at a file that it was told to read, and only warns of its own.
    fn unusable(&self, why: String) -> Reading {
        if self.explicit {
            return Reading::of(Policy::Wrong(why));
        }
        let why = format!("{why}; like kubectl, every credential plugin may run");
        Reading { policy: Policy::AllowAll, warning: Some(why) }
    }
}

impl Preference {
    fn policy(self) -> Reading {
        // A key that is misspelt is a policy that its writer believes in.
        let known = ["aliases", "defaults"];
        let unknown: Vec<&str> =
            self.rest.keys().map(String::as_str).filter(|key| !known.contains(key)).collect();
        let warning = (!unknown.is_empty()).then(|| format!("unknown keys: {}", unknown.join(", ")));
        let name = self.credential_plugin_policy.as_deref().unwrap_or_default();
        let policy = match (name, self.credential_plugin_allowlist) {
            ("" | "AllowAll", None) => Policy::AllowAll,
            ("DenyAll", None) => Policy::DenyAll,
            ("" | "AllowAll" | "DenyAll", Some(_)) => Policy::Wrong(format!(
                "credentialPluginAllowlist is there, but credentialPluginPolicy is {}",
                if name.is_empty() { "not set" } else { name }
            )),
            ("Allowlist", None) => Policy::Wrong(
                "credentialPluginPolicy is Allowlist without a credentialPluginAllowlist".into(),
            ),
            ("Allowlist", Some(list)) => allowlist(list).unwrap_or_else(Policy::Wrong),
            (other, _) => Policy::Wrong(format!(
                "credentialPluginPolicy is {other}; expected AllowAll, DenyAll or Allowlist"
            )),
        };
        Reading { policy, warning }
    }
}

fn allowlist(list: Vec<Option<Entry>>) -> Result<Policy, String> {
    if list.is_empty() {
        return Err("credentialPluginAllowlist is empty; DenyAll says so".to_owned());
    }
    let mut commands = Vec::with_capacity(list.len());
    for (at, entry) in (1..).zip(list) {
        let Entry { command, name } = entry.unwrap_or(Entry { command: String::new(), name: String::new() });
        if !command.is_empty() && !name.is_empty() && command != name {
            return Err(format!("entry {at} of credentialPluginAllowlist has both a command and a name"));
        }
        let command = if command.is_empty() { name } else { command };
        if command.is_empty() {
            return Err(format!("entry {at} of credentialPluginAllowlist is empty"));
        }
        if place::clean(&command) != command {
            return Err(format!(
                "entry {at} of credentialPluginAllowlist is no plain path: {command}; write {}",
                place::clean(&command)
            ));
        }
        commands.push(command);
    }
    Ok(Policy::Allowlist(commands))
}

/// Whether a plugin is on the list: by the words of the kubeconfig, by the path that they lead
/// to, or because an entry of the same file name leads to the same path.
pub(super) fn listed(list: &[String], command: &str, found: &Path, path: &OsStr) -> bool {
    let same = |entry: &String| {
        if entry == command || Path::new(entry) == found {
            return true;
        }
        Path::new(entry).file_name() == found.file_name()
            && matches!(place::look(entry, path), Looked::At(at) if at == found)
    };
    list.iter().any(same)
}

fn text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// The documents of a YAML text that hold anything.
fn documents(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.lines() {
        if line.starts_with("---") {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    all.retain(|document| !document.trim().is_empty());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kuberc(text: &str, explicit: bool) -> Reading {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".kube")).unwrap();
        let path = home.path().join(".kube/kuberc");
        std::fs::write(&path, text).unwrap();
        let mut sources = Sources { home: Some(home.path().to_owned()), ..Sources::default() };
        if explicit {
            sources.env.insert("KUBERC".to_owned(), path.display().to_string());
        }
        Kuberc::of(&sources).read()
    }

    fn policy(text: &str) -> Policy {
        kuberc(&format!("apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n{text}"), false).policy
    }

    #[test]
    fn policies_are_kubectls() {
        assert_eq!(policy(""), Policy::AllowAll);
        assert_eq!(policy("credentialPluginPolicy: AllowAll"), Policy::AllowAll);
        assert_eq!(policy("credentialPluginPolicy: DenyAll\naliases: []"), Policy::DenyAll);
        let list = "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{command: aws}, {name: /usr/bin/kubelogin}]";
        assert_eq!(policy(list), Policy::Allowlist(vec!["aws".into(), "/usr/bin/kubelogin".into()]));
        for (text, says) in [
            ("credentialPluginPolicy: Denyall", "is Denyall; expected"),
            ("credentialPluginPolicy: Allowlist", "without a credentialPluginAllowlist"),
            ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: []", "is empty"),
            ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{}]", "entry 1"),
            (
                "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{command: a}, {command: /a/../b}]",
                "entry 2 of credentialPluginAllowlist is no plain path: /a/../b; write /b",
            ),
            (
                "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{command: a, name: b}]",
                "both a command and a name",
            ),
            ("credentialPluginAllowlist: [{command: a}]", "credentialPluginPolicy is not set"),
            ("credentialPluginPolicy: DenyAll\ncredentialPluginAllowlist: []", "is DenyAll"),
        ] {
            let Policy::Wrong(why) = policy(text) else { panic!("{text}") };
            assert!(why.contains(says), "{why} / {says}");
        }
    }

    #[test]
    fn the_first_preference_of_a_file_holds() {
        let text = "---\n# mine\n---\nkind: Other\n---\napiVersion: kubectl.config.k8s.io/v1beta1\n\
            kind: Preference\ncredentialPluginPolicy: DenyAll\n---\n\
            apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n";
        assert_eq!(kuberc(text, false).policy, Policy::DenyAll);
        let old = "apiVersion: kubectl.config.k8s.io/v1alpha1\nkind: Preference\noverrides: []\n";
        assert_eq!(kuberc(old, true), Reading::of(Policy::AllowAll));
    }

    #[test]
    fn a_file_that_is_wrong_stops_plugins_only_when_it_was_named() {
        for text in ["[", "kind: Other", "apiVersion: v1\nkind: Preference"] {
            assert!(matches!(kuberc(text, true).policy, Policy::Wrong(_)), "{text}");
            let own = kuberc(text, false);
            assert_eq!(own.policy, Policy::AllowAll);
            assert!(own.warning.unwrap().contains("every credential plugin may run"));
        }
        assert_eq!(kuberc("\n", true), Reading::of(Policy::AllowAll), "empty is no preference");
        let misspelt =
            "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolcy: DenyAll";
        assert_eq!(kuberc(misspelt, false).warning.as_deref(), Some("unknown keys: credentialPluginPolcy"));
    }

    #[test]
    fn the_environment_names_the_file_or_turns_it_off() {
        let home = tempfile::tempdir().unwrap();
        let mut sources = Sources { home: Some(home.path().to_owned()), ..Sources::default() };
        let of = |sources: &Sources| Kuberc::of(sources);
        assert_eq!(of(&sources).shown, "~/.kube/kuberc");
        assert_eq!(of(&sources).read().policy, Policy::AllowAll, "none is there");
        sources.env.insert("KUBERC".to_owned(), "/nonexistent/kuberc".to_owned());
        assert!(matches!(of(&sources).read().policy, Policy::Wrong(_)), "one that is named must be there");
        sources.env.insert("KUBECTL_KUBERC".to_owned(), "False".to_owned());
        assert_eq!(of(&sources).read().policy, Policy::AllowAll);
        sources.env.remove("KUBECTL_KUBERC");
        sources.env.insert("KUBERC".to_owned(), "off".to_owned());
        assert_eq!(of(&sources).read().policy, Policy::AllowAll);
    }
}
