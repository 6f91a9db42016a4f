//! TLS as a kubeconfig wants it: its CA or the system's, its client certificate, or the one that
//! a plugin made.

use base64::Engine;
use kube::client::ConfigExt;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::cluster::credentials::ClientCertificate;
use crate::cluster::target::{Connection, Pem, Trust};
use crate::model::{Cause, Fault};

/// HTTP/2 first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// How to greet the server. Files are read anew, since certificates are renewed while we run.
pub(super) fn towards_server(
    connection: &Connection,
    instead: Option<&ClientCertificate>,
    server: &str,
) -> Result<ClientConfig, Fault> {
    // With only one crypto provider compiled in, kube leaves its installation to the program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = kube::Config::new(connection.server.clone());
    match &connection.trust {
        Trust::System => {}
        // Without a root the system's are loaded, which fails where there are none.
        Trust::Anything => {
            config.accept_invalid_certs = true;
            config.root_cert = Some(Vec::new());
        }
        Trust::Ca(pem) => {
            let pem = read(pem, server, "certificate-authority")?;
            let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose_secret()).collect();
            let all = all.map_err(|_| unusable(server, "certificate-authority is not PEM"))?;
            config.root_cert = Some(all.into_iter().map(|der| der.as_ref().to_vec()).collect());
        }
    }
    if let Some(made) = instead {
        config.auth_info.client_certificate_data = Some(encoded(made.certificate.expose_secret().as_bytes()));
        config.auth_info.client_key_data =
            Some(SecretString::from(encoded(made.key.expose_secret().as_bytes())));
    } else if let Some(own) = &connection.identity {
        let certificate = read(&own.certificate, server, "client-certificate")?;
        let key = read(&own.key, server, "client-key")?;
        config.auth_info.client_certificate_data = Some(encoded(certificate.expose_secret()));
        config.auth_info.client_key_data = Some(SecretString::from(encoded(key.expose_secret())));
    }
    let mut tls = config.rustls_client_config().map_err(|error| unusable(server, &error.to_string()))?;
    tls.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(tls)
}

/// How to greet an https:// proxy: the system's CAs, HTTP/1.1.
pub(super) fn towards_proxy(proxy: &http::Uri, shown: &str) -> Result<ClientConfig, Fault> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = kube::Config::new(proxy.clone());
    config.rustls_client_config().map_err(|error| unusable(shown, &error.to_string()))
}

/// The name that the server's certificate must bear.
pub(super) fn server_name(name: &str, server: &str) -> Result<ServerName<'static>, Fault> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned())
        .map_err(|_| unusable(server, &format!("{name} is no name that a certificate can bear")))
}

fn read(pem: &Pem, server: &str, what: &str) -> Result<SecretSlice<u8>, Fault> {
    pem.read().map_err(|error| unusable(server, &format!("{what} cannot be read: {error}")))
}

fn unusable(server: &str, why: &str) -> Fault {
    Fault::new(Cause::Config, format!("{server}: TLS cannot be set up: {why}"), "fetch the kubeconfig again")
}

fn encoded(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
