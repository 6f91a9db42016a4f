//! From a context to a connection: the cluster's half. Everything that can be wrong is found
//! here, before anything is shown.

use http::Uri;
use kube::config::{Cluster, NamedContext};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::ExposeSecret;

use super::Sources;
use super::file::ConfigFile;
use super::merge::{Entry, Merged};
use super::user;
use crate::cluster::proxy;
use crate::cluster::target::{Connection, Pem, Trust};
use crate::model::{Cause, Fault};

/// What is wrong and what to do: [`connection`] adds where.
pub(super) type Wrong = (String, &'static str);

pub(super) const MEND: &str = "mend the entry in the kubeconfig; :kubeconfig reads it again";

/// How to reach the cluster of a context.
pub(super) fn connection(
    merged: &Merged<'_>,
    context: &Entry<'_, NamedContext>,
    sources: &Sources,
) -> Result<Connection, Fault> {
    resolve(merged, context, sources).map_err(|(what, next)| {
        let name = &context.entry.name;
        // What is wrong comes first: the row of the cluster has room for that much.
        Fault::new(Cause::Config, format!("{what} ({}, context {name})", context.file.place(name)), next)
    })
}

fn resolve(
    merged: &Merged<'_>,
    named: &Entry<'_, NamedContext>,
    sources: &Sources,
) -> Result<Connection, Wrong> {
    let wrong = |what: &str| (what.to_owned(), MEND);
    let context = named.entry.context.as_ref().ok_or_else(|| wrong("it is empty"))?;
    if context.cluster.is_empty() {
        return Err(wrong("it names no cluster"));
    }
    let found = merged.clusters.get(context.cluster.as_str());
    let cluster = found.ok_or_else(|| wrong(&format!("there is no cluster {}", context.cluster)))?;
    let server = server(cluster.entry)?;
    let user_name = context.user.as_deref().unwrap_or_default();
    let entry = merged.users.get(user_name);
    let user = match entry {
        Some(user) => user::resolve(user, cluster)?,
        None if user_name.is_empty() => user::User::default(),
        None => return Err(wrong(&format!("there is no user {user_name}"))),
    };
    let proxy = proxy::towards(&server, cluster.entry.proxy_url.as_deref(), |name| sources.var(name))
        .map_err(|what| (what, "mend proxy-url in the kubeconfig or HTTPS_PROXY"))?;
    let name = cluster.entry.tls_server_name.clone().filter(|name| !name.is_empty());
    if let Some(name) = &name
        && rustls::pki_types::ServerName::try_from(name.as_str()).is_err()
    {
        return Err(wrong(&format!("tls-server-name {name} is no host name")));
    }
    Ok(Connection {
        trust: trust(cluster.entry, cluster.file)?,
        server,
        tls_server_name: name,
        identity: user.identity,
        auth: user.auth,
        user: entry.map(|entry| entry.file.user(user_name)),
        impersonation: user.impersonation,
        proxy,
        compression: cluster.entry.disable_compression != Some(true),
    })
}

fn server(cluster: &Cluster) -> Result<Uri, Wrong> {
    let written = cluster.server.as_deref().unwrap_or_default();
    if written.is_empty() {
        return Err(("its cluster names no server".to_owned(), MEND));
    }
    // Like kubectl: without a scheme it is plain HTTP, which nobody means.
    let uri = written.parse::<Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some_and(|h| !h.is_empty())
    });
    let userinfo = uri.as_ref().and_then(Uri::authority).is_some_and(|a| a.as_str().contains('@'));
    uri.filter(|_| !userinfo).ok_or_else(|| ("its server is no https:// or http:// address".to_owned(), MEND))
}

fn trust(cluster: &Cluster, file: &ConfigFile) -> Result<Trust, Wrong> {
    if cluster.insecure_skip_tls_verify == Some(true) {
        return Ok(Trust::Anything);
    }
    let pem = pem(
        "certificate-authority",
        cluster.certificate_authority_data.as_deref(),
        cluster.certificate_authority.as_deref(),
        file,
    )?;
    let Some(pem) = pem else { return Ok(Trust::System) };
    let data = readable("certificate-authority", &pem)?;
    certificates("certificate-authority", data.expose_secret())?;
    Ok(Trust::Ca(pem))
}

/// PEM of an entry that can be data or a file; data wins.
pub(super) fn pem(
    what: &str,
    data: Option<&str>,
    path: Option<&str>,
    file: &ConfigFile,
) -> Result<Option<Pem>, Wrong> {
    use base64::Engine;
    if let Some(data) = data.filter(|d| !d.is_empty()) {
        let compact: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(compact);
        let bytes = bytes.map_err(|_| (format!("{what}-data is not base64"), MEND))?;
        return Ok(Some(Pem::Data(bytes.into())));
    }
    Ok(path.filter(|p| !p.is_empty()).map(|path| Pem::File(file.path(path))))
}

pub(super) fn readable(what: &str, pem: &Pem) -> Result<secrecy::SecretSlice<u8>, Wrong> {
    pem.read().map_err(|error| {
        let path = match pem {
            Pem::File(path) => path.display().to_string(),
            Pem::Data(_) => String::new(),
        };
        (
            format!("{what} {path} cannot be read: {error}"),
            "restore the file, and let :kubeconfig read the entry again",
        )
    })
}

pub(super) fn certificates(what: &str, pem: &[u8]) -> Result<(), Wrong> {
    let no = || (format!("{what} holds no certificate in PEM form"), MEND);
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    if all.map_err(|_| no())?.is_empty() { Err(no()) } else { Ok(()) }
}
