//! Targets: the clusters that a kubeconfig names, and how to reach each. Nothing is connected yet.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use http::Uri;
use hyper_util::client::proxy::matcher::Intercept;
use secrecy::{SecretSlice, SecretString};

use crate::model::{Badge, ClusterId, ClusterInfo, Fault, Text};

/// One cluster to show: who it is, and how to reach it.
#[derive(Clone, Debug)]
pub struct ClusterTarget {
    /// Its id: its place in the list.
    pub id: ClusterId,
    /// What is known before it answers. When [`ClusterInfo::broken`] is set, there is no connection.
    pub info: ClusterInfo,
    /// How to reach it; `None` for a broken entry.
    pub connection: Option<Arc<Connection>>,
    /// Who looks up the name of its server; `None` is the system.
    pub names: Option<Names>,
}

/// Looks up names of servers in place of the system: of servers that nobody else knows. It is asked
/// for addresses, too, and must not block.
#[derive(Clone)]
pub struct Names(Arc<LookUp>);

type LookUp = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

impl Names {
    /// Names that this function looks up.
    pub fn new(look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Names {
        Names(Arc::new(look_up))
    }

    pub(super) fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        (self.0)(host)
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

/// How to reach a cluster and who we are there. It prints without secrets.
#[derive(Debug)]
pub struct Connection {
    /// Scheme, host, port and the path before every path.
    pub(super) server: Uri,
    pub(super) trust: Trust,
    /// The name in the certificate, when it is not the host.
    pub(super) tls_server_name: Option<String>,
    pub(super) identity: Option<Identity>,
    pub(super) auth: Auth,
    /// Where the entry of its user is written.
    pub(super) user: Option<Written>,
    pub(super) impersonation: Option<Impersonation>,
    pub(super) proxy: Option<Intercept>,
    /// Whether answers may be compressed.
    pub(super) compression: bool,
}

/// Which certificates are believed.
#[derive(Debug)]
pub(super) enum Trust {
    /// Those that the operating system trusts.
    System,
    /// Those of this CA.
    Ca(Pem),
    /// Any.
    Anything,
}

/// Certificates or keys in PEM, as data or in a file that may be renewed while we run.
#[derive(Debug)]
pub(super) enum Pem {
    Data(SecretSlice<u8>),
    File(PathBuf),
}

/// Who we are, by certificate.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) certificate: Pem,
    pub(super) key: Pem,
}

/// Who we are, by header.
#[derive(Debug)]
pub(super) enum Auth {
    /// Nobody, or whoever the certificate says.
    Nothing,
    Token(SecretString),
    /// Read again each minute; the fallback is for a file that cannot be read.
    TokenFile {
        path: PathBuf,
        fallback: Option<SecretString>,
    },
    Basic {
        user: String,
        password: SecretString,
    },
    Plugin(Arc<PluginSpec>),
}

/// An entry of a kubeconfig, to be read again when what it said is refused: tools that log in write
/// their token or certificate there (`oc login`, `kubeadm certs renew`).
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// The file as it was read.
    pub(super) state: Option<FileState>,
}

/// What tells two states of a file apart: when it was written, and how long it is.
pub(super) type FileState = (SystemTime, u64);

/// The state of a file now; `None` when it cannot be looked at.
pub(super) fn file_state(path: &Path) -> Option<FileState> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// Whom requests are made as (`Impersonate-…` headers).
#[derive(Debug, Default)]
pub(super) struct Impersonation {
    pub(super) user: String,
    pub(super) uid: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) extra: Vec<(String, Vec<String>)>,
}

/// A credential plugin: what is run. Equal specifications share one run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PluginSpec {
    /// A name to be found in `PATH`, or an absolute path.
    pub(super) command: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// `client.authentication.k8s.io/v1` or `…/v1beta1`.
    pub(super) api_version: &'static str,
    /// `spec.cluster` as JSON, when the plugin wants it.
    pub(super) cluster: Option<String>,
    /// It cannot work without a person at the terminal.
    pub(super) needs_person: bool,
    /// What the kubeconfig says to do when the command is missing.
    pub(super) install_hint: String,
}

/// Arguments and environment may hold secrets: only the command is printed.
impl fmt::Debug for PluginSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSpec").field("command", &self.command).finish_non_exhaustive()
    }
}

impl PluginSpec {
    /// The command without its folder, for people.
    pub(super) fn name(&self) -> &str {
        self.command.rsplit('/').next().unwrap_or(&self.command)
    }
}

impl Connection {
    /// Host and port, as faults name the server.
    #[must_use]
    pub fn authority(&self) -> String {
        let port = self.port();
        match self.server.host() {
            Some(host) => format!("{host}:{port}"),
            None => self.server.to_string(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.server.port_u16().unwrap_or(if self.is_tls() { 443 } else { 80 })
    }

    pub(super) fn is_tls(&self) -> bool {
        self.server.scheme_str() != Some("http")
    }

    /// What is peculiar about the connection and must be seen.
    #[must_use]
    pub fn badges(&self) -> Vec<Badge> {
        let mut badges = Vec::new();
        if !self.is_tls() {
            badges.push(Badge::PlainHttp);
        } else if matches!(self.trust, Trust::Anything) {
            badges.push(Badge::SkipVerify);
        }
        if let Some(as_whom) = &self.impersonation {
            badges.push(Badge::Impersonating(Text::clean(&as_whom.user)));
        }
        if let Some(proxy) = &self.proxy {
            badges.push(Badge::Proxy(Text::clean(proxy.uri().authority().map_or("", |a| a.as_str()))));
        }
        badges
    }

    /// The certificate authority that is trusted, when it is a given one that can be read.
    pub(super) fn ca(&self) -> Option<Vec<u8>> {
        use secrecy::ExposeSecret;
        match &self.trust {
            Trust::Ca(pem) => pem.read().ok().map(|bytes| bytes.expose_secret().to_vec()),
            Trust::System | Trust::Anything => None,
        }
    }
}

impl Pem {
    /// The bytes, read anew when they are in a file.
    pub(super) fn read(&self) -> io::Result<SecretSlice<u8>> {
        use secrecy::ExposeSecret;
        match self {
            Pem::Data(data) => Ok(data.expose_secret().to_vec().into()),
            Pem::File(path) => Ok(std::fs::read(path)?.into()),
        }
    }
}

impl ClusterTarget {
    pub(super) fn broken(info: ClusterInfo, fault: Fault) -> ClusterTarget {
        ClusterTarget {
            id: ClusterId(0),
            info: ClusterInfo { broken: Some(fault), ..info },
            connection: None,
            names: None,
        }
    }
}
