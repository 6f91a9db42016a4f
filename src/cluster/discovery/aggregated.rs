//! Aggregated discovery: `apidiscovery.k8s.io` v2, or v2beta1 before Kubernetes 1.30.

use super::{Group, Groups};
use crate::cluster::{Request, Session};
use crate::kinds::discovery::{self, ACCEPT, read_groups};
use crate::model::{Cause, Fault};

/// The largest answer that is read: of a thousand custom resources it is 2 MiB.
const LARGEST: usize = 32 << 20;

/// All groups, of `/api` and `/apis`; `None` from a server that does not aggregate.
pub(super) fn merged(core: Option<Groups>, named: Option<Groups>) -> Option<Groups> {
    let mut groups = core?;
    for (name, versions) in named? {
        groups.entry(name).or_default().extend(versions);
    }
    Some(groups)
}

/// The groups under one path; `None` from a server that does not aggregate.
pub(super) async fn list(session: &Session, path: &str) -> Result<Option<Groups>, Fault> {
    let answer = session.send(Request::get(path).accept(ACCEPT).gzip()).await?;
    match answer.status {
        200 if answer.content_type.contains("apidiscovery.k8s.io") => {
            let body = answer.bytes(LARGEST).await?;
            let read = read_groups(&body).map_err(|error| {
                let what = format!("{}: the list of API groups makes no sense: {error}", session.server());
                Fault::new(Cause::Garbled, what, "")
            })?;
            Ok(Some(read.iter().map(group).collect()))
        }
        200 | 404 | 406 => Ok(None),
        _ => Err(answer.into_fault("list its API groups").await),
    }
}

/// A version without resources is one whose API service is down.
fn group(group: &discovery::Group<'_>) -> (String, Group) {
    let versions = group.versions.iter().map(|version| {
        let resources = version.resources.iter().map(|resource| resource.plural.to_string()).collect();
        (version.version.to_string(), resources)
    });
    (group.metadata.name.to_string(), versions.collect())
}
