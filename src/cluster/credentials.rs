//! Credentials: who we are to a server, made when it is asked for and made again when it ends.
//!
//! Plugins are run once for the whole fleet per distinct command, arguments, environment and
//! cluster information ([`Plugins`]). A plugin never touches the terminal, has 20 s, and what it
//! prints is never shown but for the last, redacted words of its errors.

mod exec_api;
mod plugin;
mod process;
mod redact;
mod token_file;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use self::plugin::Plugin;
use self::token_file::TokenFile;
use super::target::{Auth, PluginSpec};
use crate::model::{Cause, Fault, Login, Time};

/// Plugins that run at the same time.
const PLUGINS_AT_ONCE: usize = 4;

/// What a request shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Credential {
    /// The `Authorization` header; marked as sensitive, so it does not print.
    pub(super) authorization: Option<HeaderValue>,
    /// The client certificate that a plugin made.
    pub(super) identity: Option<Arc<PluginIdentity>>,
    /// When it ends, if that is known.
    pub(super) until: Option<Time>,
    /// Which of its source's credentials it is; every new one has a higher number.
    pub(super) serial: u64,
}

/// A client certificate that a plugin made, in PEM.
#[derive(Debug)]
pub(super) struct PluginIdentity {
    pub(super) certificate: SecretString,
    pub(super) key: SecretString,
    /// Changes with every certificate.
    pub(super) serial: u64,
}

/// Why there is no credential, and what that makes of our login.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) fault: Fault,
    pub(super) login: Login,
}

/// The credential plugins of the whole fleet. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Plugins {
    known: Arc<Mutex<HashMap<PluginSpec, Arc<Plugin>>>>,
    slots: Arc<Semaphore>,
}

impl Default for Plugins {
    fn default() -> Plugins {
        Plugins { known: Arc::default(), slots: Arc::new(Semaphore::new(PLUGINS_AT_ONCE)) }
    }
}

impl Plugins {
    fn plugin(&self, spec: &PluginSpec) -> Arc<Plugin> {
        // Held for a look-up only.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Plugin::new(spec.clone(), Arc::clone(&self.slots)));
        Arc::clone(known.entry(spec.clone()).or_insert_with(make))
    }
}

/// Where the credential of one user comes from.
#[derive(Debug)]
pub(super) enum Credentials {
    Fixed(Credential),
    File(TokenFile),
    Plugin(Arc<Plugin>),
}

impl Credentials {
    pub(super) fn new(auth: &Auth, plugins: &Plugins) -> Result<Credentials, Fault> {
        let fixed = |authorization| Credential { authorization, ..Credential::default() };
        Ok(match auth {
            Auth::Nothing => Credentials::Fixed(fixed(None)),
            Auth::Token(token) => Credentials::Fixed(fixed(Some(bearer(token)?))),
            Auth::Basic { user, password } => Credentials::Fixed(fixed(Some(basic(user, password)?))),
            Auth::TokenFile { path, fallback } => {
                let fallback = fallback.as_ref().map(bearer).transpose()?;
                Credentials::File(TokenFile::new(path.clone(), fallback))
            }
            Auth::Plugin(spec) => Credentials::Plugin(plugins.plugin(spec)),
        })
    }

    /// The credential to use now.
    pub(super) async fn get(&self) -> Result<Credential, Refusal> {
        match self {
            Credentials::Fixed(credential) => Ok(credential.clone()),
            Credentials::File(file) => file.get().await,
            Credentials::Plugin(plugin) => plugin.get().await,
        }
    }

    /// A newer credential than the one that was refused; `None` when there is none to be had.
    pub(super) async fn renew(&self, refused: u64) -> Result<Option<Credential>, Refusal> {
        match self {
            Credentials::Fixed(_) => Ok(None),
            Credentials::File(file) => file.renew(refused).await,
            Credentials::Plugin(plugin) => plugin.renew(refused).await,
        }
    }
}

/// The header of a token; a token that fits no header is an error that does not show it.
fn bearer(token: &SecretString) -> Result<HeaderValue, Fault> {
    let text = SecretString::from(format!("Bearer {}", token.expose_secret().trim()));
    sensitive(&text).ok_or_else(|| {
        Fault::new(Cause::Config, "the token holds characters that no token has", "log in again")
    })
}

fn basic(user: &str, password: &SecretString) -> Result<HeaderValue, Fault> {
    let both = SecretString::from(format!("{user}:{}", password.expose_secret()));
    let encoded = base64::engine::general_purpose::STANDARD.encode(both.expose_secret());
    let text = SecretString::from(format!("Basic {encoded}"));
    sensitive(&text)
        .ok_or_else(|| Fault::new(Cause::Config, "user and password fit no header", "mend the kubeconfig"))
}

fn sensitive(text: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text.expose_secret()).ok()?;
    value.set_sensitive(true);
    Some(value)
}
