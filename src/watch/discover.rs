//! What a server is and serves, asked when a connection was made.

use crate::cluster::{Request, Session};
use crate::kinds::discovery::{self, ServerVersion};
use crate::kinds::{self, VersionDecl};
use crate::model::{Cause, Fault, Kind, Served, Text};
use std::time::Duration;

/// How long the server may take for the head of an answer that says that it lives.
const SHORT: Duration = Duration::from_secs(5);

/// The largest answer of discovery; a cluster with 3,000 resources needs 4 MiB.
const LARGEST: usize = 64 << 20;

/// What was found out about a server.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) version: Text,
    pub(super) served: Served,
    /// The uid of `kube-system`, if we may read it: who this cluster is.
    pub(super) identity: Option<Text>,
    /// How each kind is read.
    pub(super) kinds: Vec<&'static VersionDecl>,
}

/// Asks everything.
pub(super) async fn discover(session: &Session) -> Result<Found, Fault> {
    let version = alive(session).await?;
    let identity = identity(session).await?;
    let core = groups(session, "/api").await?;
    let others = groups(session, "/apis").await?;
    let mut served = Served::default();
    let (Some(core), Some(others)) = (core, others) else {
        // Too old for aggregated discovery: every kind says for itself whether it is served.
        let kinds = kinds::ALL.iter().map(kinds::KindDecl::preferred).collect();
        served.metrics = true;
        return Ok(Found { version, served, identity, kinds });
    };
    let mut all = discovery::read_groups(&core).map_err(|e| garbled(session, &e))?;
    all.extend(discovery::read_groups(&others).map_err(|e| garbled(session, &e))?);
    served.groups =
        all.iter().map(|group| Text::clean(&group.metadata.name)).filter(|g| !g.is_empty()).collect();
    served.metrics = discovery::resource(&all, "metrics.k8s.io", "v1beta1", "pods").is_some();
    let mut chosen = Vec::with_capacity(Kind::COUNT);
    for decl in &kinds::ALL {
        let newest = discovery::newest(decl, &all);
        if let Some(version) = newest {
            served.versions.insert(decl.kind, Text::clean(version.version));
        }
        // What is not served is asked for all the same, every few minutes: it may come.
        chosen.push(newest.unwrap_or_else(|| decl.preferred()));
    }
    Ok(Found { version, served, identity, kinds: chosen })
}

/// Whether the server answers, and its version; empty when it does not say.
pub(super) async fn alive(session: &Session) -> Result<Text, Fault> {
    let response = session.send(Request::get("/version").timeout(SHORT)).await?;
    match response.status {
        // An answer, though not for us; whatever it refuses, it lives.
        403 | 404 => return Ok(Text::EMPTY),
        200..300 => {}
        _ => return Err(response.into_fault("say its version").await),
    }
    if response.content_type.starts_with("text/html") {
        return Err(response.into_fault("say its version").await);
    }
    let body = response.bytes(LARGEST).await?;
    let version = ServerVersion::read(&body).map_err(|e| garbled(session, &e))?;
    Ok(Text::clean(&version.git_version))
}

/// Who the cluster is; `None` when we may not know.
pub(super) async fn identity(session: &Session) -> Result<Option<Text>, Fault> {
    #[derive(serde::Deserialize)]
    struct Namespace {
        metadata: Metadata,
    }
    #[derive(serde::Deserialize)]
    struct Metadata {
        uid: String,
    }
    let response = session.send(Request::get("/api/v1/namespaces/kube-system").timeout(SHORT)).await?;
    if response.status != 200 {
        return Ok(None);
    }
    Ok(response.json::<Namespace>().await.ok().map(|namespace| Text::from(namespace.metadata.uid)))
}

/// One half of aggregated discovery; `None` from servers older than Kubernetes 1.26.
async fn groups(session: &Session, path: &str) -> Result<Option<bytes::Bytes>, Fault> {
    let response = session.send(Request::get(path).accept(discovery::ACCEPT).gzip()).await?;
    match response.status {
        200..300 if !response.content_type.contains("apidiscovery.k8s.io") => Ok(None),
        200..300 => response.bytes(LARGEST).await.map(Some),
        403 | 404 | 406 => Ok(None),
        _ => Err(response.into_fault("say what it serves").await),
    }
}

fn garbled(session: &Session, error: &crate::kinds::wire::WireError) -> Fault {
    let what = format!("{} answers what makes no sense: {error}", session.server());
    Fault::new(Cause::Garbled, what, "something may stand between here and the server")
}
