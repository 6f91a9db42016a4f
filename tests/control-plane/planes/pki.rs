//! Keys and certificates, made afresh for every start.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::USERS;
use super::error::{Error, Result};

/// The directory with the certificate authority, the server's and the administrator's certificates, those of the
/// aggregation layer, the key for service accounts, and the users' tokens.
#[derive(Debug, Clone)]
pub(crate) struct Pki {
    dir: PathBuf,
}

impl Pki {
    /// Makes everything.
    pub(crate) fn write(dir: &Path) -> Result<Self> {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(dir)
            .map_err(Error::on(format!("cannot make {}", dir.display())))?;
        let pki = Self { dir: dir.to_owned() };
        pki.make().map_err(Error::on("cannot make keys"))?;
        Ok(pki)
    }

    /// The path of one of its files.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// `--flag=path` for a command line.
    pub(crate) fn flag(&self, flag: &str, file: &str) -> String {
        format!("--{flag}={}", self.path(file).display())
    }

    fn make(&self) -> std::result::Result<(), Box<dyn std::error::Error>> {
        let (ca_key, ca) = (KeyPair::generate()?, authority()?);
        self.file("ca.crt", &ca.self_signed(&ca_key)?.pem())?;
        let issuer = Issuer::from_params(&ca, &ca_key);

        let mut server =
            leaf("kube-apiserver", None, ["localhost", "127.0.0.1", "kubernetes"].map(str::to_owned))?;
        server.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        self.pair("apiserver", &server, &issuer)?;
        self.pair("admin", &leaf("admin", Some("system:masters"), [])?, &issuer)?;

        // An authority of its own: whoever the API server's own authority signs may not claim to be a proxy.
        let (front_key, front) = (KeyPair::generate()?, authority()?);
        self.file("front-proxy-ca.crt", &front.self_signed(&front_key)?.pem())?;
        let proxy = leaf("front-proxy-client", None, [])?;
        self.pair("front-proxy-client", &proxy, &Issuer::from_params(&front, &front_key))?;

        // The API server reads private keys in PKCS #8 only to sign; to verify it wants the public half.
        let service_accounts = KeyPair::generate()?;
        self.file("sa.key", &service_accounts.serialize_pem())?;
        self.file("sa.pub", &service_accounts.public_key_pem())?;

        let tokens: String =
            USERS.iter().map(|(user, _)| format!("{},{user},{user},fleet\n", token(user))).collect();
        self.file("tokens.csv", &tokens)?;
        Ok(())
    }

    fn pair(
        &self,
        name: &str,
        params: &CertificateParams,
        issuer: &Issuer<'_, &KeyPair>,
    ) -> std::result::Result<(), Box<dyn std::error::Error>> {
        let key = KeyPair::generate()?;
        self.file(&format!("{name}.key"), &key.serialize_pem())?;
        self.file(&format!("{name}.crt"), &params.signed_by(&key, issuer)?.pem())?;
        Ok(())
    }

    fn file(&self, name: &str, text: &str) -> std::io::Result<()> {
        private_file(&self.path(name), text)
    }
}

/// Writes a file that only its owner can read.
pub(crate) fn private_file(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// The token of a user. A fixed text: it opens only what listens on this machine and lives as long as the test.
pub(crate) fn token(user: &str) -> String {
    format!("{user}-token")
}

fn authority() -> std::result::Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "quarterdeck test fleet");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf<const N: usize>(
    name: &str,
    organisation: Option<&str>,
    names: [String; N],
) -> std::result::Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(organisation) = organisation {
        params.distinguished_name.push(DnType::OrganizationName, organisation);
    }
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}
