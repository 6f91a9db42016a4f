//! Credentials: who we are to a server, made when it is asked for and made again when it ends.
//!
//! Plugins are run once for the whole fleet per distinct command, arguments, environment and
//! cluster information ([`Plugins`]), if kuberc and the place where they are allow it. A plugin
//! never touches the terminal and has 20 s, or 15 minutes once it asked a person to log in in a
//! browser. What it prints is never shown but for the page and the code of that, and the last,
//! redacted words of its errors.

mod entry;
mod exec_api;
#[cfg(test)]
mod fuzz;
pub(super) mod place;
mod plugin;
mod policy;
mod process;
mod prompt;
mod redact;
mod rules;
mod token_file;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, watch};

use self::entry::Entry;
use self::plugin::Plugin;
use self::rules::Rules;
use self::token_file::TokenFile;
use super::kubeconfig::Sources;
use super::target::{Auth, Connection, PluginSpec};
use crate::model::{Cause, Fault, Login, Problem, Prompt, Time};

/// Plugins that run at the same time.
const PLUGINS_AT_ONCE: usize = 4;

/// What a request shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Credential {
    /// The `Authorization` header; marked as sensitive, so it does not print.
    pub(super) authorization: Option<HeaderValue>,
    /// The client certificate to show, where it is not the connection's own.
    pub(super) identity: Option<Arc<ClientCertificate>>,
    /// When it ends, if that is known.
    pub(super) until: Option<Time>,
    /// Which of its source's credentials it is; every new one has a higher number.
    pub(super) serial: u64,
}

/// A client certificate that a plugin made, or that was written into a kubeconfig since, in PEM.
#[derive(Debug)]
pub(super) struct ClientCertificate {
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
    rules: Arc<Rules>,
    slots: Arc<Semaphore>,
}

impl Default for Plugins {
    /// Plugins without a kuberc, found by the `PATH` of this process.
    fn default() -> Plugins {
        Plugins::by(Rules::default())
    }
}

impl Plugins {
    /// Plugins that the kuberc of these sources lets run. `trusted` are names and paths of those
    /// that may run although anybody could have put them where they are.
    #[must_use]
    pub fn new(sources: &Sources, trusted: Vec<String>) -> Plugins {
        Plugins::by(Rules::of(sources, trusted))
    }

    fn by(rules: Rules) -> Plugins {
        let slots = Arc::new(Semaphore::new(PLUGINS_AT_ONCE));
        Plugins { known: Arc::default(), rules: Arc::new(rules), slots }
    }

    /// What is wrong with the user's kuberc, as it is now.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        self.rules.problem()
    }

    fn plugin(&self, spec: &PluginSpec) -> Arc<Plugin> {
        // Held for a look-up only.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let (rules, slots) = (Arc::clone(&self.rules), Arc::clone(&self.slots));
            Arc::new(Plugin::new(spec.clone(), rules, slots))
        };
        Arc::clone(known.entry(spec.clone()).or_insert_with(make))
    }
}

/// Where the credential of one user comes from.
#[derive(Debug)]
pub(super) enum Credentials {
    Fixed(Credential),
    Entry(Entry),
    File(TokenFile),
    Plugin(Arc<Plugin>),
}

impl Credentials {
    pub(super) fn new(connection: &Connection, plugins: &Plugins) -> Result<Credentials, Fault> {
        Ok(match &connection.auth {
            Auth::Nothing | Auth::Token(_) | Auth::Basic { .. } => {
                let authorization = shown(&connection.auth)?;
                match &connection.user {
                    Some(user) => Credentials::Entry(Entry::new(user, authorization, &connection.identity)),
                    None => Credentials::Fixed(Credential { authorization, ..Credential::default() }),
                }
            }
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
            Credentials::Entry(entry) => Ok(entry.get().await),
            Credentials::File(file) => file.get().await,
            Credentials::Plugin(plugin) => plugin.get().await,
        }
    }

    /// What a plugin asks of a person, as that changes; `None` where no plugin is.
    pub(super) fn prompts(&self) -> Option<watch::Receiver<Option<Prompt>>> {
        match self {
            Credentials::Fixed(_) | Credentials::Entry(_) | Credentials::File(_) => None,
            Credentials::Plugin(plugin) => Some(plugin.prompts()),
        }
    }

    /// Forgets failures: a person wants it tried again.
    pub(super) fn try_again(&self) {
        if let Credentials::Plugin(plugin) = self {
            plugin.try_again();
        }
    }

    /// A newer credential than the one that was refused; `None` when there is none to be had.
    pub(super) async fn renew(&self, refused: u64) -> Result<Option<Credential>, Refusal> {
        match self {
            Credentials::Fixed(_) => Ok(None),
            Credentials::Entry(entry) => Ok(entry.renew(refused).await),
            Credentials::File(file) => file.renew(refused).await,
            Credentials::Plugin(plugin) => plugin.renew(refused).await,
        }
    }
}

/// The header of what is written down: a token or a password.
fn shown(auth: &Auth) -> Result<Option<HeaderValue>, Fault> {
    match auth {
        Auth::Token(token) => bearer(token).map(Some),
        Auth::Basic { user, password } => basic(user, password).map(Some),
        Auth::Nothing | Auth::TokenFile { .. } | Auth::Plugin(_) => Ok(None),
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
