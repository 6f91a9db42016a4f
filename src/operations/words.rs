//! The words that all operations share: confirmation, kubectl lines, lists of names, targets.

use super::{Confirmation, Target};
use crate::model::{Cluster, ClusterId, EMBEDDED, Fleet, ObjectKey, Text, Tier};

/// What has to be typed for a plan that writes to these clusters: `yes`; for one production
/// cluster its name; for several clusters their number: `6 clusters`.
pub(super) fn confirmation(fleet: &Fleet, touches: &[ClusterId]) -> Confirmation {
    let prod = |id: &ClusterId| fleet.cluster(*id).is_none_or(|c| c.info.tier == Tier::Prod);
    let word = match touches {
        [] => Text::clean("yes"),
        [one] if prod(one) => name_of(fleet, *one),
        [_] => Text::clean("yes"),
        several => Text::from(format!("{} clusters", several.len())),
    };
    Confirmation { word }
}

/// What people call a cluster.
pub(super) fn name_of(fleet: &Fleet, id: ClusterId) -> Text {
    fleet.cluster(id).map_or_else(|| Text::from(format!("cluster {}", id.0)), |c| c.info.name.clone())
}

/// The clusters of these objects, each once, in order.
pub(super) fn clusters_of(subjects: &[ObjectKey]) -> Vec<ClusterId> {
    let mut ids: Vec<ClusterId> = subjects.iter().map(|s| s.cluster).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A kubectl command for one cluster; every word is quoted as a POSIX shell needs it.
pub(super) fn kubectl(cluster: &Cluster, words: &[&str]) -> String {
    let mut out = "kubectl".to_owned();
    if let Some(file) = file_of(&cluster.info.source) {
        out = format!("{out} --kubeconfig {file}");
    }
    out = format!("{out} --context {}", quoted(&cluster.info.name));
    for word in words {
        out.push(' ');
        out.push_str(&quoted(word));
    }
    out
}

/// The file that kubectl must be told, for a shell; `None` for the one that it reads by itself and
/// for clusters that no file names.
fn file_of(source: &str) -> Option<String> {
    let own = source.is_empty()
        || source == EMBEDDED
        || source.ends_with("/.kube/config")
        || source.ends_with("/serviceaccount");
    // A shell does not see a tilde between quotes.
    let shell = |source: &str| match source.strip_prefix("~/") {
        Some(rest) => format!("~/{}", quoted(rest)),
        None => quoted(source),
    };
    (!own).then(|| shell(source))
}

/// A word as a POSIX shell reads it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// `1 node`, `4 nodes`.
pub(super) use crate::model::many as count;

/// The first names and how many more: `a, b, c and 4 more`.
pub(super) fn some<T: std::fmt::Display>(names: &[T], most: usize) -> String {
    let shown: Vec<String> = names.iter().take(most).map(ToString::to_string).collect();
    match names.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What to write to, for an object of a watched kind.
pub(super) fn target(key: &ObjectKey, version: &str) -> Target {
    let names = key.kind.names();
    let api = if names.group.is_empty() { version.to_owned() } else { format!("{}/{version}", names.group) };
    Target {
        cluster: key.cluster,
        api: api.into(),
        plural: Text::clean(names.plural),
        kind: Text::clean(names.kind),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        uid: Some(key.uid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("arn:aws:eks:eu-west-1:1:cluster/a"), "arn:aws:eks:eu-west-1:1:cluster/a");
        assert_eq!(quoted("it's; rm -rf"), r"'it'\''s; rm -rf'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn kubectl_is_told_a_file_that_it_would_not_read() {
        assert_eq!(file_of("~/.kube/config"), None);
        assert_eq!(file_of(""), None);
        assert_eq!(file_of(EMBEDDED), None);
        assert_eq!(file_of("~/my fleet.yaml").unwrap(), "~/'my fleet.yaml'");
        assert_eq!(file_of("/etc/eu.yaml").unwrap(), "/etc/eu.yaml");
    }

    #[test]
    fn names_are_listed_up_to_a_number() {
        assert_eq!(some(&["a", "b"], 2), "a, b");
        assert_eq!(some(&["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!((count(1, "node"), count(3, "node")), ("1 node".to_owned(), "3 nodes".to_owned()));
    }
}
