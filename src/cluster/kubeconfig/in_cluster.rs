//! The service account of the pod that we run in.

use std::sync::Arc;

use super::Sources;
use crate::cluster::target::{Auth, ClusterTarget, Connection, Pem, Trust};
use crate::model::{ClusterId, ClusterInfo, Text};

/// The cluster around us, when there is one (`client-go/rest.InClusterConfig`).
pub(super) fn find(sources: &Sources) -> Option<ClusterTarget> {
    let host = sources.var("KUBERNETES_SERVICE_HOST")?;
    let port = sources.var("KUBERNETES_SERVICE_PORT")?;
    let folder = &sources.service_account;
    let token = folder.join("token");
    if !token.is_file() {
        return None;
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let server = format!("https://{host}:{port}");
    let ca = folder.join("ca.crt");
    Some(ClusterTarget {
        id: ClusterId(0),
        names: None,
        connection: Some(Arc::new(Connection {
            server: server.parse().ok()?,
            trust: if ca.is_file() { Trust::Ca(Pem::File(ca)) } else { Trust::System },
            tls_server_name: None,
            identity: None,
            auth: Auth::TokenFile { path: token, fallback: None },
            user: None,
            impersonation: None,
            proxy: None,
            compression: true,
        })),
        info: ClusterInfo {
            name: Text::clean("in-cluster"),
            server: Text::from(server),
            source: Text::from(folder.display().to_string()),
            ..ClusterInfo::default()
        },
    })
}
