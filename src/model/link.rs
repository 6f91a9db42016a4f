//! Links: the health of a connection to a cluster and of each watch on it; faults.

use super::{Span, Text, Time};

/// After how long without a sign of life a link is stale.
pub const LINK_LIMIT: Span = Span::from_seconds(15);

/// For how long a broken link may be mended before anybody needs to know: connections are renewed
/// now and then. One that gave no answer in time was silent for up to 13 s when it is found to be
/// broken, and may not be for longer.
pub const BLINK: Span = Span::from_seconds(2);

/// After how long metrics are stale.
pub const METRICS_LIMIT: Span = Span::from_seconds(90);

/// The health of one connection: a cluster's, or a watch's.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Link {
    /// What it does.
    pub state: LinkState,
    /// Since when.
    pub since: Time,
    /// When the other side last gave a sign of life on it; `None` while it never did.
    pub heard: Option<Time>,
    /// When it is tried again, while it waits.
    pub retry_at: Option<Time>,
    /// How often it was tried in vain since it last worked.
    pub tries: u32,
    /// Why it does not work.
    pub fault: Option<Fault>,
}

/// What a link does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Not begun: it waits for its turn.
    Waiting,
    /// Being opened.
    Connecting,
    /// The initial list is coming in.
    Listing {
        /// Objects so far.
        got: u32,
        /// Objects in all, as far as the server said.
        of: Option<u32>,
    },
    /// Up to date.
    Live,
    /// It worked and does not now; what is shown is as last seen.
    Broken,
    /// The server refuses: RBAC, or a login is missing.
    Denied,
    /// The server does not serve this kind.
    Missing,
}

impl Link {
    /// A link that has not begun.
    #[must_use]
    pub fn waiting(now: Time) -> Link {
        Link { state: LinkState::Waiting, since: now, heard: None, retry_at: None, tries: 0, fault: None }
    }

    /// Whether what came over it is current. A live link vouches for its data by itself: dead
    /// connections are noticed below it, by pings.
    #[must_use]
    pub fn live(&self) -> bool {
        self.state == LinkState::Live
    }

    /// The age of what came over it: zero while it is live, `None` when nothing ever came.
    #[must_use]
    pub fn age(&self, now: Time) -> Option<Span> {
        if self.live() { Some(Span::ZERO) } else { self.heard.map(|heard| heard.age(now)) }
    }

    /// Whether the other side refuses what it gave before, or no longer has it.
    #[must_use]
    pub fn refused(&self) -> bool {
        matches!(self.state, LinkState::Denied | LinkState::Missing)
    }

    /// Whether what came over it must be shown as old: it is older than [`LINK_LIMIT`], or no more
    /// of it is given, or the link is broken for a [`BLINK`], or since it gave no answer in time.
    #[must_use]
    pub fn stale(&self, now: Time) -> bool {
        let unanswered = self.fault.as_ref().is_some_and(|fault| fault.cause == Cause::Timeout);
        let patience = if unanswered { Span::ZERO } else { BLINK };
        let broken = self.state == LinkState::Broken && self.since.age(now) >= patience;
        self.age(now).is_some_and(|age| broken || self.refused() || age > LINK_LIMIT)
    }
}

/// Why something did not work, for the person who reads it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Fault {
    /// The class of cause; back-off and glyph go by it.
    pub cause: Cause,
    /// What failed and why, in one line, without secrets.
    pub what: Text,
    /// What to do next; empty when waiting is all.
    pub next: Text,
}

/// Classes of causes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The name of the server does not resolve.
    Dns,
    /// Nothing listens there.
    Refused,
    /// No answer in time.
    Timeout,
    /// The connection ended.
    Closed,
    /// The certificate or the handshake is wrong.
    Tls,
    /// The proxy refuses, or answers in the server's place.
    Proxy,
    /// 401: who we are is not accepted.
    Unauthorized,
    /// A credential plugin failed, hung or wants a login.
    Login,
    /// 403: we may not.
    Forbidden,
    /// 404: not served.
    NotFound,
    /// 410: the version is too old; a new list follows.
    Expired,
    /// 429: the server is busy.
    Busy,
    /// 5xx.
    Server,
    /// The answer makes no sense.
    Garbled,
    /// The kubeconfig entry or a setting is wrong.
    Config,
    /// It is another cluster, or an older state of it, than before.
    Replaced,
}

impl Cause {
    /// The word for a narrow column.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Cause::Dns => "no such host",
            Cause::Refused => "refused",
            Cause::Timeout => "timeout",
            Cause::Closed => "closed",
            Cause::Tls => "tls",
            Cause::Proxy => "proxy",
            Cause::Unauthorized => "401",
            Cause::Login => "login",
            Cause::Forbidden => "403",
            Cause::NotFound => "404",
            Cause::Expired => "410",
            Cause::Busy => "429",
            Cause::Server => "server error",
            Cause::Garbled => "garbled",
            Cause::Config => "config",
            Cause::Replaced => "replaced",
        }
    }
}

impl Fault {
    /// A fault with its cause, what failed and what to do next.
    #[must_use]
    pub fn new(cause: Cause, what: impl AsRef<str>, next: impl AsRef<str>) -> Fault {
        Fault { cause, what: Text::clean(what.as_ref()), next: Text::clean(next.as_ref()) }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.next.is_empty() {
            write!(f, "{}", self.what)
        } else {
            write!(f, "{} ({})", self.what, self.next)
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gave_no_answer_in_time_is_stale_at_once_and_a_renewed_connection_after_a_blink() {
        let at = Time::from_seconds;
        let broken = |cause| Link {
            state: LinkState::Broken,
            heard: Some(at(95)),
            fault: Some(Fault::new(cause, "test", "")),
            ..Link::waiting(at(100))
        };
        assert!(broken(Cause::Timeout).stale(at(100)));
        let renewed = broken(Cause::Closed);
        assert!([100, 101].iter().all(|second| !renewed.stale(at(*second))) && renewed.stale(at(102)));
        let live = Link { state: LinkState::Live, ..broken(Cause::Closed) };
        assert!(!live.stale(at(1_000)));
    }
}
