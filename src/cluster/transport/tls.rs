//! TLS as a kubeconfig wants it: its CA or the system's, its client certificate, or the one that
//! a plugin made.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, WantsVerifier,
};
use rustls_platform_verifier::BuilderVerifierExt;
use secrecy::{ExposeSecret, SecretSlice};

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
    let refused = |error: Error| unusable(server, &error.to_string());
    let trusting = match &connection.trust {
        Trust::System => system().map_err(refused)?,
        Trust::Anything => {
            let builder = builder().map_err(refused)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody))
        }
        Trust::Ca(pem) => {
            let pem = read(pem, server, "certificate-authority")?;
            let roots = authorities(pem.expose_secret(), server)?;
            builder().map_err(refused)?.with_root_certificates(roots)
        }
    };
    let mut tls = if let Some(made) = instead {
        identified(
            trusting,
            made.certificate.expose_secret().as_bytes(),
            made.key.expose_secret().as_bytes(),
            server,
        )?
    } else if let Some(own) = &connection.identity {
        let certificate = read(&own.certificate, server, "client-certificate")?;
        let key = read(&own.key, server, "client-key")?;
        identified(trusting, certificate.expose_secret(), key.expose_secret(), server)?
    } else {
        trusting.with_no_client_auth()
    };
    tls.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(tls)
}

/// How to greet an https:// proxy: the system's CAs, HTTP/1.1.
pub(super) fn towards_proxy(shown: &str) -> Result<ClientConfig, Fault> {
    towards_anybody().map_err(|error| unusable(shown, &error.to_string()))
}

/// How to greet a server of the web, of which nothing is known: by the CAs that the system trusts.
/// On Linux their files are read, and `SSL_CERT_FILE` is heeded.
///
/// # Errors
/// There are none, or they cannot be read.
pub fn towards_anybody() -> Result<ClientConfig, Error> {
    Ok(system()?.with_no_client_auth())
}

/// A configuration begins, with the one crypto provider that is compiled in.
fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
}

fn system() -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    builder()?.with_platform_verifier()
}

/// The certificates of a CA file. As for Go, one that nobody can read does not keep the others from
/// being trusted.
fn authorities(pem: &[u8], server: &str) -> Result<RootCertStore, Fault> {
    let (mut roots, mut odd) = (RootCertStore::empty(), None);
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| unusable(server, "certificate-authority is not PEM"))?;
        if let Err(error) = roots.add(certificate) {
            odd = Some(error);
        }
    }
    match odd {
        _ if !roots.is_empty() => Ok(roots),
        Some(error) => Err(unusable(
            server,
            &format!("certificate-authority holds no certificate that can be read: {error}"),
        )),
        None => Err(unusable(server, "certificate-authority holds no certificate")),
    }
}

/// With a client certificate: its chain and its key, both PEM.
fn identified(
    trusting: ConfigBuilder<ClientConfig, WantsClientCert>,
    certificate: &[u8],
    key: &[u8],
    server: &str,
) -> Result<ClientConfig, Fault> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|_| unusable(server, "client-certificate is not PEM"))?;
    if chain.is_empty() {
        return Err(unusable(server, "client-certificate holds no certificate"));
    }
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|_| unusable(server, "client-key holds no key in PEM"))?;
    let unfit = |error| match error {
        Error::InconsistentKeys(_) => unusable(server, "client-key is not the key of client-certificate"),
        error => unusable(server, &format!("client-certificate and client-key: {error}")),
    };
    trusting.with_client_auth_cert(chain, key).map_err(unfit)
}

/// Takes anybody for the server, as `insecure-skip-tls-verify` asks.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        // All that there are: nothing is verified, so nobody need know how.
        vec![
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
        ]
    }
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
