//! Aggregated discovery: `apidiscovery.k8s.io` v2, or v2beta1 before Kubernetes 1.30.

use serde::Deserialize;

use super::{Group, Groups};
use crate::cluster::{Request, Session};
use crate::model::Fault;

/// Newest first; a server that knows neither answers in the plain form.
const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    version: String,
    /// Empty, with freshness `Stale`, while its API service is down.
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    resource: String,
}

/// All groups; `None` from a server that does not aggregate.
pub(super) async fn groups(session: &Session) -> Result<Option<Groups>, Fault> {
    let (core, named) = tokio::try_join!(list(session, "/api"), list(session, "/apis"))?;
    let (Some(core), Some(named)) = (core, named) else { return Ok(None) };
    let mut groups = Groups::new();
    for item in core.items.into_iter().chain(named.items) {
        let group = groups.entry(item.metadata.name).or_default();
        group.extend(item.versions.into_iter().map(resources));
    }
    Ok(Some(groups))
}

async fn list(session: &Session, path: &str) -> Result<Option<List>, Fault> {
    let answer = session.send(Request::get(path).accept(ACCEPT).gzip()).await?;
    match answer.status {
        200 if answer.content_type.contains("apidiscovery.k8s.io") => answer.json().await.map(Some),
        200 | 404 | 406 => Ok(None),
        _ => Err(answer.into_fault("list its API groups").await),
    }
}

fn resources(version: Version) -> <Group as IntoIterator>::Item {
    (version.version, version.resources.into_iter().map(|r| r.resource).collect())
}
