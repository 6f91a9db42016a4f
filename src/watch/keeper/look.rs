//! Looks at the server: whether it is there, and the same as before.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::discover;
use super::super::task::Closed;
use super::{Keeper, Over};
use crate::cluster::{self, Discovery, Session};
use crate::model::{Cause, Fault, Span, Uid};

/// How long a server that says nothing has for a word, so that it looks old within 15 s, with the time until it is asked.
const WORD_LIMIT: Duration = Duration::from_secs(4);

/// Servers that take longer than this to begin their answers have longer.
const SLOW: Span = Span::from_seconds(2);

/// What a look at the server shows.
pub(super) enum Look {
    /// It is there, and the same.
    Well,
    /// It is there; whether it is the same cannot be told.
    Unsure,
    /// It does not answer.
    Gone(Fault),
    /// Everything has to begin anew.
    Over(Over),
}

impl Keeper {
    /// Asks who answers now, and of which version.
    pub(super) async fn look(&mut self, found: &mut Discovery) -> Result<Look, Closed> {
        let session = self.session.clone();
        let asked = self.attend_awake(|| async {
            let version = cluster::version(&session).await?;
            Ok::<_, Fault>((version, cluster::identity(&session).await))
        });
        let (version, identity) = match asked.await? {
            None => return Ok(Look::Gone(self.slept())),
            // Too busy for a question: its open watches go on.
            Some(Err(fault)) if fault.cause == Cause::Busy => return Ok(Look::Unsure),
            Some(Err(fault)) => return Ok(Look::Gone(fault)),
            Some(Ok(answer)) => answer,
        };
        // That it lives is certain, and what is wrong with it its watches will show.
        let Ok(identity) = identity else { return Ok(Look::Unsure) };
        if let Some(over) = another(&self.session, found, identity) {
            return Ok(Look::Over(over));
        }
        if found.identity.is_none() && identity.is_some() {
            found.identity = identity;
            self.tell_server(found).await?;
        }
        if version == found.version { Ok(Look::Well) } else { self.upgraded(found).await }
    }

    /// Asks a server that says nothing whether it is there: answers to pings may come from a proxy before it.
    pub(super) async fn ask(&mut self) -> Result<Look, Closed> {
        let session = self.session.clone();
        let slow = session.p95().is_some_and(|p95| p95 > SLOW);
        let limit = if slow { cluster::ALIVE_LIMIT } else { WORD_LIMIT };
        let fault = match self.attend_awake(|| cluster::version_within(&session, limit)).await? {
            None => self.slept(),
            Some(Err(fault)) if !said_by_server(fault.cause) => fault,
            Some(_) => {
                self.heard.store(self.clock.now().millis(), Ordering::Relaxed);
                return Ok(Look::Well);
            }
        };
        Ok(Look::Gone(fault))
    }

    /// The server is of another version: what it serves may differ, too.
    async fn upgraded(&mut self, found: &mut Discovery) -> Result<Look, Closed> {
        let session = self.session.clone();
        let new = match self.attend_awake(|| discover::discover(&session)).await? {
            None => return Ok(Look::Gone(self.slept())),
            Some(Err(_)) => return Ok(Look::Unsure),
            Some(Ok(new)) => new,
        };
        if let Some(over) = another(&self.session, found, new.identity) {
            return Ok(Look::Over(over));
        }
        let streams = |of: &Discovery| discover::streams(&of.version);
        if new.served.versions != found.served.versions || streams(&new) != streams(found) {
            return Ok(Look::Over(Over::Changed));
        }
        *found = Discovery { identity: new.identity.or(found.identity), ..new };
        self.tell_server(found).await?;
        Ok(Look::Well)
    }
}

/// Whether a refusal is the server's own, whose watches go on all the same.
fn said_by_server(refusal: Cause) -> bool {
    matches!(refusal, Cause::Unauthorized | Cause::Login | Cause::Forbidden | Cause::NotFound | Cause::Busy)
}

/// Whether this is another cluster than was found.
fn another(session: &Session, found: &Discovery, identity: Option<Uid>) -> Option<Over> {
    let differs = found.identity.is_some() && identity.is_some() && found.identity != identity;
    differs.then(|| {
        let what = format!("{} is another cluster than before", session.server());
        Over::Replaced(Fault::new(Cause::Replaced, what, ""))
    })
}

/// Asks whether it is there again, and still the same.
pub(super) async fn again(session: &Session, found: &Discovery) -> Result<Option<Over>, Fault> {
    let version = cluster::version(session).await?;
    let identity = cluster::identity(session).await?;
    if let Some(over) = another(session, found, identity) {
        return Ok(Some(over));
    }
    // An upgrade may serve other versions of kinds.
    Ok((version != found.version).then_some(Over::Changed))
}
