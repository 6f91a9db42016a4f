//! Discovery group by group, for servers that do not aggregate.

use serde::Deserialize;

use super::{Group, Groups};
use crate::cluster::{Request, Session};
use crate::model::Fault;

#[derive(Deserialize)]
struct CoreVersions {
    #[serde(default)]
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct GroupList {
    #[serde(default)]
    groups: Vec<GroupItem>,
}

#[derive(Deserialize)]
struct GroupItem {
    #[serde(default)]
    name: String,
    #[serde(default)]
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
struct GroupVersion {
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct ResourceList {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    /// `pods`, and `pods/log` for a subresource.
    #[serde(default)]
    name: String,
}

/// All groups, with the resources of the wanted ones.
pub(super) async fn groups(session: &Session, wanted: &[&str]) -> Result<Groups, Fault> {
    let mut versions: Vec<(String, Vec<String>)> = Vec::new();
    let core: CoreVersions = get(session, "/api").await?;
    versions.push((String::new(), core.versions));
    let list: GroupList = get(session, "/apis").await?;
    versions.extend(list.groups.into_iter().map(|group| {
        let versions = group.versions.into_iter().map(|v| v.version).collect();
        (group.name, versions)
    }));
    let mut groups = Groups::new();
    for (name, versions) in versions {
        let mut group = Group::new();
        if wanted.contains(&name.as_str()) {
            for version in versions {
                group.extend(resources(session, &name, version).await?);
            }
        }
        groups.insert(name, group);
    }
    Ok(groups)
}

/// The resources of one version; `None` when its API service does not answer.
async fn resources(
    session: &Session,
    group: &str,
    version: String,
) -> Result<Option<<Group as IntoIterator>::Item>, Fault> {
    let path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let answer = session.send(Request::get(path)).await?;
    if answer.status != 200 {
        return Ok(None);
    }
    let list: ResourceList = answer.json().await?;
    Ok(Some((version, list.resources.into_iter().map(|resource| resource.name).collect())))
}

async fn get<T: serde::de::DeserializeOwned>(session: &Session, path: &str) -> Result<T, Fault> {
    let answer = session.send(Request::get(path)).await?;
    match answer.status {
        200 => answer.json().await,
        _ => Err(answer.into_fault("list its API groups").await),
    }
}
