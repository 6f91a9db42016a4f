//! Discovery: what a server is and what it serves of what we declare.
//!
//! Aggregated discovery is two requests (Kubernetes 1.26 and later); older servers are asked
//! group by group, and only for the groups that somebody declares. An API service that is down
//! takes its own group away and nothing else.

mod aggregated;
mod plain;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{Request, Session};
use crate::model::{Cause, Fault, Kind, Served, Text, Uid};

/// A kind that is wanted: its group, and the versions that can be read, newest first.
pub type Declared<'a> = (Kind, &'a str, &'a [&'a str]);

/// What a server says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Discovery {
    /// `v1.36.3-eks-…`
    pub version: Text,
    /// What it serves of what is declared.
    pub served: Served,
    /// The uid of the namespace kube-system, which stands for the cluster: another uid at the
    /// same address is another cluster. `None` when we may not read it.
    pub identity: Option<Uid>,
}

/// What a group serves: versions, each with its resources by plural name.
type Group = BTreeMap<String, Vec<String>>;

/// All groups by name; the core group is the empty name.
type Groups = BTreeMap<String, Group>;

const METRICS: &str = "metrics.k8s.io";

/// How long a server may take to say what it is: until its answer begins, a new connection included,
/// and until it is complete. To log in may take longer.
pub const ALIVE_LIMIT: Duration = Duration::from_secs(8);

/// Asks a server what it is and what it serves.
///
/// # Errors
/// No answer to `/version`, or none about its groups.
pub async fn discover(session: &Session, declared: &[Declared<'_>]) -> Result<Discovery, Fault> {
    // The first request makes the connection and shows whether we are let in.
    let version = version(session).await?;
    let wanted: Vec<&str> = declared.iter().map(|(_, group, _)| *group).chain([METRICS]).collect();
    let (core, named, identity) = tokio::join!(
        aggregated::list(session, "/api"),
        aggregated::list(session, "/apis"),
        identity(session)
    );
    let busy = [core.as_ref().err(), named.as_ref().err(), identity.as_ref().err()];
    let (core, named, identity) = if busy.into_iter().flatten().any(|fault| fault.cause == Cause::Busy) {
        // A server that takes one request at a time refuses those that come together.
        (
            aggregated::list(session, "/api").await?,
            aggregated::list(session, "/apis").await?,
            self::identity(session).await?,
        )
    } else {
        (core?, named?, identity?)
    };
    let groups = match aggregated::merged(core, named) {
        Some(groups) => groups,
        None => plain::groups(session, &wanted).await?,
    };
    Ok(Discovery { version, served: served(&groups, declared), identity })
}

/// Asks a server for its version alone: the shortest way to know whether it answers. Empty when
/// it answers, but may not say.
///
/// # Errors
/// No answer in time ([`ALIVE_LIMIT`]), or one that says that the server cannot serve us.
pub async fn version(session: &Session) -> Result<Text, Fault> {
    version_within(session, ALIVE_LIMIT).await
}

/// The same within this time.
///
/// # Errors
/// As for [`version`].
pub async fn version_within(session: &Session, limit: Duration) -> Result<Text, Fault> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(rename = "gitVersion", default)]
        git_version: String,
    }
    let answer = session.send(Request::get("/version").timeout(limit).at_once()).await?;
    match answer.status {
        // Hardened servers keep it from most; whoever refuses, lives.
        403 => Ok(Text::EMPTY),
        200 => Ok(Text::clean(&answer.json_within::<Version>(limit).await?.git_version)),
        _ => Err(answer.into_fault("say its version").await),
    }
}

/// The uid of kube-system; `None` when we may not read it (403) or there is no such namespace (404).
///
/// # Errors
/// No answer in time ([`ALIVE_LIMIT`]), an error of the server, or nothing that makes sense.
pub async fn identity(session: &Session) -> Result<Option<Uid>, Fault> {
    #[derive(Deserialize)]
    struct Namespace {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default)]
        uid: String,
    }
    let request = Request::get("/api/v1/namespaces/kube-system").timeout(ALIVE_LIMIT).at_once();
    let answer = session.send(request).await?;
    match answer.status {
        200 => {}
        403 | 404 => return Ok(None),
        _ => return Err(answer.into_fault("show the namespace kube-system").await),
    }
    let uid = answer.json_within::<Namespace>(ALIVE_LIMIT).await?.metadata.uid;
    Ok(Some(uid).filter(|uid| !uid.is_empty()).map(|uid| Uid::parse(&uid)))
}

fn served(groups: &Groups, declared: &[Declared<'_>]) -> Served {
    let serves = |group: &Group, version: &str, plural: &str| {
        group.get(version).is_some_and(|resources| resources.iter().any(|r| r == plural))
    };
    let mut versions = BTreeMap::new();
    for (kind, group, readable) in declared {
        let plural = kind.names().plural;
        let found = groups.get(*group).and_then(|group| readable.iter().find(|v| serves(group, v, plural)));
        if let Some(version) = found {
            versions.insert(*kind, Text::clean(version));
        }
    }
    let metrics = groups.get(METRICS).is_some_and(|group| {
        group.values().any(|resources| resources.iter().any(|resource| resource == "pods"))
    });
    let groups = groups.keys().filter(|name| !name.is_empty()).map(|name| Text::clean(name)).collect();
    Served { versions, groups, metrics }
}

#[cfg(test)]
mod tests;
