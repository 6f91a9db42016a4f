//! Nodes by what people write: `ip-10-0-3-17`, `eks-use1/ip-10-0-3-17`.

use crate::cluster::ClusterTarget;
use crate::model::{Cluster, ClusterId, Fleet, Kind, ObjectKey, nearest};

/// The clusters that these words name; `None` when one of them names none, so that its node may
/// be anywhere. The error says which cluster there is not.
pub(super) fn clusters(
    targets: &[ClusterTarget],
    words: &[String],
) -> Result<Option<Vec<ClusterId>>, String> {
    let mut ids = Vec::new();
    for word in words {
        let Some((cluster, _)) = split(word) else { return Ok(None) };
        ids.push(target(targets, cluster)?.id);
    }
    Ok(Some(ids))
}

/// The target that people call so.
pub(super) fn target<'a>(targets: &'a [ClusterTarget], name: &str) -> Result<&'a ClusterTarget, String> {
    let is = |t: &&ClusterTarget| t.info.name == name || t.info.aliases.iter().any(|a| *a == name);
    targets.iter().find(is).ok_or_else(|| {
        let meant = nearest(name, targets.iter().map(|t| t.info.name.as_str()));
        format!("there is no cluster {name:?}{}", question(meant))
    })
}

/// Names of nodes have no slash; names of clusters may, as ARNs do.
fn split(word: &str) -> Option<(&str, &str)> {
    word.rsplit_once('/')
}

fn question(meant: Option<&str>) -> String {
    meant.map_or(String::new(), |meant| format!("; did you mean {meant}?"))
}

/// The node that a word names.
///
/// # Errors
/// There is none, or there are several, with the names that would do.
pub(super) fn find(fleet: &Fleet, word: &str) -> Result<ObjectKey, String> {
    if let Some((cluster, name)) = split(word) {
        let names = fleet.clusters.iter().map(|c| c.info.name.as_str());
        let cluster = fleet
            .by_name(cluster)
            .ok_or_else(|| format!("there is no cluster {cluster:?}{}", question(nearest(cluster, names))))?;
        return key(cluster, name).ok_or_else(|| {
            if cluster.table(Kind::Node).synced.is_none() {
                return format!(
                    "whether {} has a node {name:?} is not known: it did not answer",
                    cluster.info.name
                );
            }
            let meant = nearest(name, cluster.nodes().map(|n| n.meta.name.as_str()));
            format!("there is no node {name:?} in {}{}", cluster.info.name, question(meant))
        });
    }
    let found: Vec<(&str, ObjectKey)> =
        fleet.clusters.iter().filter_map(|c| Some((c.info.name.as_str(), key(c, word)?))).collect();
    match found.as_slice() {
        [(_, key)] => Ok(key.clone()),
        [] => {
            let all = fleet.clusters.iter().flat_map(|c| c.nodes()).map(|n| n.meta.name.as_str());
            Err(format!("there is no node {word:?}{}", question(nearest(word, all))))
        }
        several => {
            let names: Vec<String> = several.iter().map(|(cluster, _)| format!("{cluster}/{word}")).collect();
            Err(format!("{word} is in {} clusters; write {}", names.len(), names.join(" or ")))
        }
    }
}

fn key(cluster: &Cluster, name: &str) -> Option<ObjectKey> {
    Some(cluster.find(Kind::Node, "", name)?.key(cluster.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tier;
    use crate::operations::fixture::{World, snapshot};

    fn fleet() -> Fleet {
        snapshot(vec![
            World::new(0, "arn:aws:eks:x:1:cluster/a", Tier::Dev)
                .node("node-1", "", "")
                .node("node-2", "", ""),
            World::new(1, "b", Tier::Dev).node("node-1", "", "").node("other", "", ""),
        ])
        .fleet
    }

    #[test]
    fn nodes_are_found_by_name_and_by_cluster() {
        let found = |word: &str| find(&fleet(), word).map(|key| (key.cluster.0, key.name.to_string()));
        assert_eq!(found("node-2"), Ok((0, "node-2".to_owned())));
        assert_eq!(found("b/node-1"), Ok((1, "node-1".to_owned())));
        assert_eq!(found("arn:aws:eks:x:1:cluster/a/node-1"), Ok((0, "node-1".to_owned())));
    }

    #[test]
    fn what_is_not_clear_is_named() {
        let why = |word: &str| find(&fleet(), word).unwrap_err();
        assert_eq!(
            why("node-1"),
            "node-1 is in 2 clusters; write arn:aws:eks:x:1:cluster/a/node-1 or b/node-1"
        );
        assert_eq!(why("othr"), "there is no node \"othr\"; did you mean other?");
        assert_eq!(why("b/node-2"), "there is no node \"node-2\" in b; did you mean node-1?");
        assert!(why("c/node-2").starts_with("there is no cluster \"c\""));
        assert_eq!(why("something-else"), "there is no node \"something-else\"");
    }
}
