//! What a server is and serves: `/version`, and aggregated discovery
//! (`k8s.io/api/apidiscovery/v2/generated.proto`).

use super::wire::{Str, WireError, WireErrorKind, read_page, wire};
use super::{KindDecl, VersionDecl};

/// The `Accept` header that asks `/api` and `/apis` for aggregated discovery. A server older than
/// Kubernetes 1.26 answers something else, which is refused as not being a list of it.
pub const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

wire! {
    /// A group of the API.
    pub struct Group<'a> {
        1 "metadata" metadata: GroupName<'a>,
        2 "versions" versions: Vec<GroupVersion<'a>>,
    }

    /// The metadata of a group: its name, empty for the core group.
    pub struct GroupName<'a> {
        1 "name" name: Str<'a>,
    }

    /// A version of a group, the preferred one first.
    pub struct GroupVersion<'a> {
        1 "version" version: Str<'a>,
        2 "resources" resources: Vec<Resource<'a>>,
        /// `Current`, or `Stale` when the server behind it does not answer.
        3 "freshness" freshness: Str<'a>,
    }

    /// A resource of a version.
    pub struct Resource<'a> {
        1 "resource" plural: Str<'a>,
        2 "responseKind" kind: Option<ResponseKind<'a>>,
        /// `Namespaced` or `Cluster`.
        3 "scope" scope: Str<'a>,
        4 "singularResource" singular: Str<'a>,
        5 "verbs" verbs: Vec<Str<'a>>,
        6 "shortNames" short_names: Vec<Str<'a>>,
        7 "categories" categories: Vec<Str<'a>>,
        8 "subresources" subresources: Vec<Subresource<'a>>,
    }

    /// The kind of a resource's objects.
    pub struct ResponseKind<'a> {
        1 "group" group: Str<'a>,
        2 "version" version: Str<'a>,
        3 "kind" kind: Str<'a>,
    }

    /// A part of a resource with an address of its own: `scale`, `eviction`, `resize`.
    pub struct Subresource<'a> {
        1 "subresource" name: Str<'a>,
        4 "verbs" verbs: Vec<Str<'a>>,
    }
}

/// Reads the answer of `/api` or `/apis` in aggregated form.
pub fn read_groups(body: &[u8]) -> Result<Vec<Group<'_>>, WireError> {
    let mut groups = Vec::new();
    let end = read_page(body, &mut |group: Group<'_>| groups.push(group))?;
    match end.kind.as_str() {
        "APIGroupDiscoveryList" => Ok(groups),
        _ => Err(WireError::new(WireErrorKind::NotAList, 0)),
    }
}

/// The version of a kind to read: the first declared one that the server lets list and watch.
pub fn newest(decl: &KindDecl, groups: &[Group<'_>]) -> Option<&'static VersionDecl> {
    let plural = decl.kind.names().plural;
    decl.versions.iter().find(|wanted| {
        let served = resource(groups, wanted.group, wanted.version, plural);
        served.is_some_and(|resource| resource.allows("list") && resource.allows("watch"))
    })
}

/// A resource that the server serves.
pub fn resource<'g, 'a>(
    groups: &'g [Group<'a>],
    group: &str,
    version: &str,
    plural: &str,
) -> Option<&'g Resource<'a>> {
    let groups = groups.iter().filter(|g| g.metadata.name == *group);
    let mut versions = groups.flat_map(|g| &g.versions).filter(|v| v.version == *version);
    versions.find_map(|v| v.resources.iter().find(|r| r.plural == *plural))
}

impl Resource<'_> {
    /// Whether a verb is served.
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.iter().any(|v| *v == verb)
    }

    /// Whether its objects live in namespaces.
    pub fn namespaced(&self) -> bool {
        self.scope == "Namespaced"
    }
}

/// The answer of `/version`.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServerVersion {
    /// `1`
    pub major: String,
    /// `36`, or `36+`
    pub minor: String,
    /// `v1.36.3-eks-1a2b`
    pub git_version: String,
    /// `linux/amd64`
    pub platform: String,
}

impl ServerVersion {
    /// Reads the answer of `/version`.
    pub fn read(body: &[u8]) -> Result<Self, WireError> {
        serde_json::from_slice(body).map_err(|e| WireError::json(&e, body))
    }

    /// The minor version as a number: `36`.
    pub fn minor(&self) -> Option<u32> {
        self.minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use crate::model::Kind;

    #[test]
    fn the_newest_version_that_can_be_watched_is_chosen() {
        let body = br#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},
            "items":[
              {"metadata":{"name":"autoscaling","creationTimestamp":null},"versions":[
                {"version":"v2","freshness":"Current","resources":[
                  {"resource":"horizontalpodautoscalers","scope":"Namespaced","verbs":["get","list","watch"],
                   "responseKind":{"group":"","version":"","kind":"HorizontalPodAutoscaler"},
                   "subresources":[{"subresource":"status","verbs":["get"]}]}]}]},
              {"metadata":{"name":"policy"},"versions":[{"version":"v1","resources":[
                  {"resource":"poddisruptionbudgets","verbs":["list"]}]}]}]}"#;
        let groups = read_groups(body).unwrap();
        let version = newest(kinds::of(Kind::Autoscaler), &groups).unwrap();
        assert_eq!(version.api_version(), "autoscaling/v2");
        assert!(resource(&groups, "autoscaling", "v2", "horizontalpodautoscalers").unwrap().namespaced());
        assert!(newest(kinds::of(Kind::Budget), &groups).is_none());
        assert!(newest(kinds::of(Kind::Pod), &groups).is_none());
        let old = read_groups(br#"{"kind":"APIGroupList","groups":[]}"#).unwrap_err();
        assert_eq!(old.kind, WireErrorKind::NotAList);
    }

    #[test]
    fn versions_are_read() {
        let body = br#"{"major":"1","minor":"36+","gitVersion":"v1.36.3-eks-1a2b","goVersion":"go1.26",
            "platform":"linux/amd64","emulationMajor":"1"}"#;
        let version = ServerVersion::read(body).unwrap();
        assert_eq!((version.minor(), version.git_version.as_str()), (Some(36), "v1.36.3-eks-1a2b"));
        assert!(ServerVersion::read(b"<html>").is_err());
    }
}
