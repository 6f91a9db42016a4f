//! One credential plugin, shared by every user that names it in the same words.
//!
//! It runs apart from those who wait for it: while the old credential is good, nobody waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::exec_api::{self, Answer};
use super::process::{self, Failure, PROMPT_LIMIT, Ran};
use super::prompt::Asked;
use super::redact::last_words;
use super::rules::Rules;
use super::{ClientCertificate, Credential, Refusal, bearer};
use crate::cluster::target::PluginSpec;
use crate::model::{Cause, Fault, Login, Prompt, Span, Text, Time};

/// How long before its end a credential is made anew.
const EARLY: Duration = Duration::from_secs(60);

/// For how long a failure is believed, and a credential that was made anew because the last one
/// was refused.
const PAUSE: Duration = Duration::from_secs(30);

/// How long a plugin keeps its place among those that run at the same time. One that takes longer
/// waits for something else than this machine, and must not keep others from running.
const PLACE_LIMIT: Duration = Duration::from_secs(2);

/// How long a place is waited for: as long as the plugin itself may take.
const QUEUE_LIMIT: Duration = process::LIMIT;

/// A plugin and what it made last.
#[derive(Debug)]
pub(in crate::cluster) struct Plugin {
    spec: PluginSpec,
    /// Which plugins may run.
    rules: Arc<Rules>,
    /// Shared with all plugins: how many run at once.
    slots: Arc<Semaphore>,
    /// Held for a look only.
    state: Mutex<State>,
    /// What it asks of a person, while it does.
    prompt: watch::Sender<Option<Prompt>>,
    /// How many runs have ended.
    ended: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    failed: Option<(Instant, Refusal)>,
    /// When it last ran because a server refused what it had made.
    forced: Option<Instant>,
    running: bool,
    serial: u64,
}

#[derive(Clone, Debug)]
struct Held {
    credential: Credential,
    /// When it is to be made anew; `None` for one without an end.
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl Held {
    /// Whether it is good no more. The clock that only goes forward stands still while the machine
    /// sleeps, and the wall clock may be set back: it ends by whichever comes first.
    fn ended(&self, now: Instant, wall: Time) -> bool {
        self.ends_at.is_some_and(|at| at <= now) || self.credential.until.is_some_and(|until| until <= wall)
    }
}

impl State {
    /// The last failure, while it is believed.
    fn failure(&self, now: Instant) -> Option<Refusal> {
        let (at, refusal) = self.failed.as_ref()?;
        (now.duration_since(*at) < PAUSE).then(|| refusal.clone())
    }
}

impl Plugin {
    pub(super) fn new(spec: PluginSpec, rules: Arc<Rules>, slots: Arc<Semaphore>) -> Plugin {
        Plugin {
            spec,
            rules,
            slots,
            state: Mutex::default(),
            prompt: watch::Sender::new(None),
            ended: watch::Sender::new(0),
        }
    }

    /// What it asks of a person, as that changes.
    pub(super) fn prompts(&self) -> watch::Receiver<Option<Prompt>> {
        self.prompt.subscribe()
    }

    /// Forgets that it failed: a person wants it tried again.
    pub(super) fn try_again(&self) {
        let mut state = self.state();
        state.failed = None;
        state.forced = None;
    }

    /// The credential to use now.
    pub(super) async fn get(self: &Arc<Self>) -> Result<Credential, Refusal> {
        let mut ended = self.ended.subscribe();
        loop {
            if let Some(done) = self.at_hand() {
                return done;
            }
            // It ends only with this plugin.
            let _ = ended.changed().await;
        }
    }

    /// The credential or the failure that holds now; when there is neither, it runs.
    fn at_hand(self: &Arc<Self>) -> Option<Result<Credential, Refusal>> {
        let mut state = self.state();
        let now = Instant::now();
        let good = state.held.as_ref().filter(|held| !held.ended(now, wall_clock()));
        let fresh = good.is_some_and(|held| held.renew_at.is_none_or(|at| at > now));
        let good = good.map(|held| held.credential.clone());
        if fresh {
            return good.map(Ok);
        }
        let failure = state.failure(now);
        if failure.is_none() {
            self.start(&mut state);
        }
        good.map(Ok).or(failure.map(Err))
    }

    /// A newer credential than the one that was refused; `None` when one was made for that
    /// reason a moment ago.
    pub(super) async fn renew(self: &Arc<Self>, refused: u64) -> Result<Option<Credential>, Refusal> {
        let mut ended = self.ended.subscribe();
        let mut waited = false;
        loop {
            {
                let mut state = self.state();
                if let Some(held) = state.held.as_ref().filter(|held| held.credential.serial != refused) {
                    return Ok(Some(held.credential.clone()));
                }
                if !state.running {
                    if waited {
                        return state.failure(Instant::now()).map_or(Ok(None), Err);
                    }
                    if state.forced.is_some_and(|at| at.elapsed() < PAUSE) {
                        return Ok(None);
                    }
                    if let Some(refusal) = state.failure(Instant::now()) {
                        return Err(refusal);
                    }
                    state.forced = Some(Instant::now());
                    self.start(&mut state);
                }
            }
            waited = true;
            let _ = ended.changed().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs it, unless it runs already.
    fn start(self: &Arc<Self>, state: &mut State) {
        if std::mem::replace(&mut state.running, true) {
            return;
        }
        let (plugin, serial) = (Arc::clone(self), state.serial + 1);
        let making = tokio::spawn(async move { plugin.make(serial).await });
        let plugin = Arc::clone(self);
        tokio::spawn(async move {
            let crashed = |_| Err(failed(format!("running {} crashed", plugin.spec.name()), "report this"));
            plugin.finish(making.await.unwrap_or_else(crashed));
        });
    }

    async fn make(&self, serial: u64) -> Result<Held, Refusal> {
        self.run().await.and_then(|answer| self.credential(answer, serial))
    }

    fn finish(&self, result: Result<Held, Refusal>) {
        let mut state = self.state();
        state.running = false;
        match result {
            Ok(held) => {
                state.serial += 1;
                state.failed = None;
                state.held = Some(held);
            }
            Err(refusal) => state.failed = Some((Instant::now(), refusal)),
        }
        drop(state);
        self.prompt.send_if_modified(|prompt| prompt.take().is_some());
        self.ended.send_modify(|runs| *runs += 1);
    }

    async fn run(&self) -> Result<Answer, Refusal> {
        let name = self.spec.name();
        if self.spec.needs_person {
            let what = format!("{name} wants a person at the terminal (interactiveMode: Always)");
            let next = "log in in a shell first, and use a plugin that keeps its login";
            return Err(wanted(what, next));
        }
        let program =
            self.rules.program(&self.spec).map_err(|fault| Refusal { fault, login: Login::Plugin })?;
        let Ok(slot) = tokio::time::timeout(QUEUE_LIMIT, self.slots.acquire()).await else {
            let what = format!("{name} did not get its turn within {}s", QUEUE_LIMIT.as_secs());
            return Err(failed(what, "other credential plugins hang: run them in a shell"));
        };
        // The semaphore is never closed. Whoever waits for a person gives the place to others.
        let slot = Mutex::new(slot.ok());
        let give_back = || drop(slot.lock().unwrap_or_else(PoisonError::into_inner).take());
        let began = wall_clock();
        let asked = |asked: Asked| {
            give_back();
            let until = began + Span::from_seconds(PROMPT_LIMIT.as_secs().cast_signed());
            let prompt = Prompt { url: Text::clean(&asked.url), code: Text::clean(&asked.code), until };
            self.prompt.send_replace(Some(prompt));
        };
        let running = process::run(&self.spec, &program, asked);
        tokio::pin!(running);
        let ran = tokio::select! {
            biased;
            ran = &mut running => ran,
            () = tokio::time::sleep(PLACE_LIMIT) => {
                give_back();
                running.await
            }
        };
        match ran {
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
            wanted(what, "log in in a shell; it is tried again by itself")
        } else {
            failed(what, "run it in a shell to see more")
        }
    }

    fn failed(&self, failure: &Failure) -> Refusal {
        let name = self.spec.name();
        match failure {
            Failure::NotStarted(error) => failed(
                format!("the credential plugin {name} cannot be started: {error}"),
                "check the command of the user in the kubeconfig",
            ),
            Failure::TooSlow(limit) if *limit == PROMPT_LIMIT => {
                wanted(format!("{name} waited 15 min for a login and was ended"), "r asks for a new code")
            }
            Failure::TooSlow(limit) => failed(
                format!("{name} gave no credential within {}s and was ended", limit.as_secs()),
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
            Arc::new(ClientCertificate { certificate, key, serial })
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

/// Expirations are moments of the wall clock.
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
