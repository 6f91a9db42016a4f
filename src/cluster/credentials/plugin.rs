//! One credential plugin, shared by every user that names it in the same words.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::exec_api::{self, Answer};
use super::process::{self, Failure, LIMIT, Ran};
use super::redact::last_words;
use super::{Credential, PluginIdentity, Refusal, bearer};
use crate::cluster::target::PluginSpec;
use crate::model::{Cause, Fault, Login, Time};

/// How long before its end a credential is made anew.
const EARLY: Duration = Duration::from_secs(60);

/// For how long a failure is believed, and a credential that was made anew because the last one
/// was refused.
const PAUSE: Duration = Duration::from_secs(30);

/// A plugin and what it made last.
#[derive(Debug)]
pub(in crate::cluster) struct Plugin {
    spec: PluginSpec,
    /// Shared with all plugins: how many run at once.
    slots: Arc<Semaphore>,
    /// Locked while the plugin runs, so that whoever wants a credential waits for the same one.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    failed: Option<(Instant, Refusal)>,
    /// When it last ran because a server refused what it had made.
    forced: Option<Instant>,
    serial: u64,
}

#[derive(Clone, Debug)]
struct Held {
    credential: Credential,
    /// When it is to be made anew; `None` for one without an end.
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl Plugin {
    pub(super) fn new(spec: PluginSpec, slots: Arc<Semaphore>) -> Plugin {
        Plugin { spec, slots, state: Mutex::default() }
    }

    /// The credential to use now.
    pub(super) async fn get(&self) -> Result<Credential, Refusal> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(held) = &state.held
            && held.renew_at.is_none_or(|at| now < at)
        {
            return Ok(held.credential.clone());
        }
        let result = self.run(&mut state).await;
        match (result, &state.held) {
            // The old one is good for some moments more.
            (Err(_), Some(held)) if held.ends_at.is_none_or(|at| Instant::now() < at) => {
                Ok(held.credential.clone())
            }
            (result, _) => result,
        }
    }

    /// A newer credential than the one that was refused; `None` when one was made for that
    /// reason a moment ago.
    pub(super) async fn renew(&self, refused: u64) -> Result<Option<Credential>, Refusal> {
        let mut state = self.state.lock().await;
        if let Some(held) = &state.held
            && held.credential.serial != refused
        {
            return Ok(Some(held.credential.clone()));
        }
        if state.forced.is_some_and(|at| at.elapsed() < PAUSE) {
            return Ok(None);
        }
        state.forced = Some(Instant::now());
        self.run(&mut state).await.map(Some)
    }

    /// Runs the plugin, unless it failed a moment ago.
    async fn run(&self, state: &mut State) -> Result<Credential, Refusal> {
        if let Some((at, refusal)) = &state.failed
            && at.elapsed() < PAUSE
        {
            return Err(refusal.clone());
        }
        let result = self.run_once().await.and_then(|answer| self.credential(answer, state.serial + 1));
        match result {
            Ok(held) => {
                state.serial += 1;
                state.failed = None;
                let credential = held.credential.clone();
                state.held = Some(held);
                Ok(credential)
            }
            Err(refusal) => {
                state.failed = Some((Instant::now(), refusal.clone()));
                Err(refusal)
            }
        }
    }

    async fn run_once(&self) -> Result<Answer, Refusal> {
        let name = self.spec.name();
        if self.spec.needs_person {
            let what = format!("{name} wants a person at the terminal (interactiveMode: Always)");
            let next = "log in in a shell first, and use a plugin that keeps its login";
            return Err(wanted(what, next));
        }
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await;
        match process::run(&self.spec).await {
            Ok(ran) if ran.status.success() => exec_api::read(&ran.stdout, self.spec.api_version)
                .map_err(|why| failed(format!("{name} {why}"), "run it in a shell to see what it prints")),
            Ok(ran) => Err(self.exited(&ran)),
            Err(failure) => Err(self.failed(&failure)),
        }
    }

    fn exited(&self, ran: &Ran) -> Refusal {
        let name = self.spec.name();
        let printed = String::from_utf8_lossy(&ran.stdout);
        let values = self.spec.env.iter().map(|(_, value)| value.as_str());
        let printed = printed.split(|c: char| c.is_whitespace() || matches!(c, '"' | ',' | ':'));
        let secrets: Vec<&str> =
            values.chain(printed.filter(|word| word.len() >= 8)).chain(self.spec.args_values()).collect();
        let words = last_words(&ran.stderr, &secrets);
        let code = ran.status.code().map_or("a signal".to_owned(), |code| code.to_string());
        let words = if words.is_empty() { "it said nothing".to_owned() } else { words };
        let what = format!("{name} failed ({code}): {words}");
        let lower = ran.stderr.to_ascii_lowercase();
        if ["login", "log in", "logged in", "expired", "reauth", "sign in"].iter().any(|w| lower.contains(w))
        {
            wanted(what, "log in in a shell; it is tried again every half minute")
        } else {
            failed(what, "run it in a shell to see more")
        }
    }

    fn failed(&self, failure: &Failure) -> Refusal {
        let name = self.spec.name();
        match failure {
            Failure::NotStarted(error) => {
                let missing = error.kind() == std::io::ErrorKind::NotFound;
                let hint = self.spec.install_hint.as_str();
                let next = match (missing, hint.is_empty()) {
                    (true, false) => hint,
                    (true, true) => "install it, or add its folder to PATH",
                    (false, _) => "check the command of the user in the kubeconfig",
                };
                let why = if missing { "it is not installed".to_owned() } else { error.to_string() };
                failed(format!("the credential plugin {name} cannot be started: {why}"), next)
            }
            Failure::TooSlow => failed(
                format!("{name} gave no credential within {}s and was ended", LIMIT.as_secs()),
                "it may wait for a login: run it in a shell",
            ),
            Failure::TooMuch => failed(
                format!("{name} printed more than a credential can be and was ended"),
                "run it in a shell to see what it prints",
            ),
            Failure::Unreadable(error) => failed(format!("the output of {name} cannot be read: {error}"), ""),
        }
    }

    fn credential(&self, answer: Answer, serial: u64) -> Result<Held, Refusal> {
        let authorization = answer.token.as_ref().map(bearer).transpose();
        let authorization = authorization.map_err(|fault| Refusal { fault, login: Login::Plugin })?;
        let identity = answer.identity.map(|(certificate, key): (SecretString, SecretString)| {
            Arc::new(PluginIdentity { certificate, key, serial })
        });
        let left = answer.until.map(|until| until_then(until, wall_clock()));
        if left == Some(Duration::ZERO) {
            let name = self.spec.name();
            let next = "log in again, or check this machine's clock";
            return Err(wanted(format!("{name} gave a credential that has expired"), next));
        }
        let now = Instant::now();
        Ok(Held {
            credential: Credential { authorization, identity, until: answer.until, serial },
            renew_at: left.map(|left| now + renew_after(left)),
            ends_at: left.map(|left| now + left),
        })
    }
}

impl PluginSpec {
    /// Arguments that may be values of options; the options' names may be shown.
    fn args_values(&self) -> impl Iterator<Item = &str> {
        self.args.iter().filter_map(|arg| match arg.split_once('=') {
            Some((_, value)) => Some(value),
            None if looks_random(arg) => Some(arg.as_str()),
            None => None,
        })
    }
}

/// Words like `get-token` and `my-cluster` are no secrets; what has digits and letters mixed may be.
fn looks_random(arg: &str) -> bool {
    !arg.starts_with('-')
        && arg.len() >= 8
        && arg.bytes().any(|b| b.is_ascii_digit())
        && arg.bytes().any(|b| b.is_ascii_alphabetic())
}

/// A minute before the end; half-way for one that lives two minutes or less, so that a plugin is
/// never run for every request.
fn renew_after(left: Duration) -> Duration {
    Ord::max(left.saturating_sub(EARLY), left / 2)
}

fn until_then(until: Time, now: Time) -> Duration {
    Duration::from_millis(u64::try_from(until.millis().saturating_sub(now.millis())).unwrap_or(0))
}

/// Expirations are moments of the wall clock; from there on the monotonic clock counts.
fn wall_clock() -> Time {
    Time::from_millis(jiff::Timestamp::now().as_millisecond())
}

fn wanted(what: String, next: &str) -> Refusal {
    Refusal { fault: Fault::new(Cause::Login, what, next), login: Login::Wanted }
}

fn failed(what: String, next: &str) -> Refusal {
    Refusal { fault: Fault::new(Cause::Login, what, next), login: Login::Plugin }
}

#[cfg(test)]
mod tests;
