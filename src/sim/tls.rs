//! Keys made at start: one authority for the fleet, one certificate for loopback, and the
//! certificates of servers that something is wrong with.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::faults::Certificate;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a certificate is over, or not yet begun.
const OFF: Duration = Duration::from_secs(3600);

/// The authority that clients are told to trust, and what servers need. Nothing of it is written
/// to a file.
pub(crate) struct Keys {
    /// The authority's certificate in PEM.
    pub(crate) authority: String,
    issuer: Issuer<'static, KeyPair>,
    /// What a listener speaks with when nothing is wrong.
    good: Arc<ServerConfig>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// Makes an authority and a certificate for 127.0.0.1, ::1 and localhost.
pub(crate) fn make_keys() -> Result<Keys, Error> {
    let (authority, issuer) = make_authority()?;
    let good = config(&issuer, Certificate::Good)?;
    Ok(Keys { authority, issuer, good })
}

impl Keys {
    /// What a listener speaks with that shows this certificate.
    pub(crate) fn server(&self, certificate: Certificate) -> Result<Arc<ServerConfig>, Error> {
        match certificate {
            Certificate::Good => Ok(self.good.clone()),
            Certificate::Foreign => config(&make_authority()?.1, certificate),
            Certificate::Expired | Certificate::TooNew => config(&self.issuer, certificate),
        }
    }
}

fn make_authority() -> Result<(String, Issuer<'static, KeyPair>), Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "quarterdeck embedded fleet");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?.pem();
    Ok((authority, Issuer::new(params, key)))
}

fn config(issuer: &Issuer<'static, KeyPair>, certificate: Certificate) -> Result<Arc<ServerConfig>, Error> {
    let names = ["localhost", "127.0.0.1", "::1", "kubernetes"].map(String::from);
    let mut leaf = CertificateParams::new(names.to_vec())?;
    leaf.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    leaf.use_authority_key_identifier_extension = true;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = rcgen::date_time_ymd(1970, 1, 1) + since_epoch;
    match certificate {
        Certificate::Expired => leaf.not_after = now - OFF,
        Certificate::TooNew => leaf.not_before = now + OFF,
        Certificate::Good | Certificate::Foreign => {}
    }
    let leaf_key = KeyPair::generate()?;
    let signed = leaf.signed_by(&leaf_key, issuer)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![signed.der().clone()], private)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

/// Base64 with padding, for `certificate-authority-data`.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        for (raw, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(raw.as_bytes()), coded);
        }
    }

    #[test]
    fn keys_are_made() {
        let keys = make_keys().unwrap();
        assert!(keys.authority.starts_with("-----BEGIN CERTIFICATE-----"));
        for certificate in
            [Certificate::Good, Certificate::Foreign, Certificate::Expired, Certificate::TooNew]
        {
            assert_eq!(keys.server(certificate).unwrap().alpn_protocols[0], b"h2");
        }
    }
}
