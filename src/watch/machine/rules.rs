//! What each kind of failure leads to, and how it is said.

use super::backoff::delay;
use super::input::{Output, Refusal};
use super::{Machine, Phase};
use crate::model::{Cause, Fault, Kind, LinkState, Span, Text, Time, Version};

/// What the link shows for a cause.
pub(super) fn state_of(cause: Cause) -> LinkState {
    match cause {
        Cause::Unauthorized | Cause::Login | Cause::Forbidden => LinkState::Denied,
        Cause::NotFound => LinkState::Missing,
        _ => LinkState::Broken,
    }
}

impl Machine {
    /// The server answered with an error, or ended the watch with one.
    pub(super) fn refused(&mut self, now: Time, refusal: Refusal, out: &mut Vec<Output>) {
        if !self.asking() {
            return;
        }
        let fault = refusal_fault(self.kind, &refusal);
        let for_watch = matches!(self.phase, Phase::Opening { .. } | Phase::Watching(_));
        match refusal.status {
            410 => self.relist(now, fault, out),
            // Something on the way may not let us ask for one object alone.
            400 | 403..=405 | 422 if self.asks_for_witness() => self.probe_without_witness(now, out),
            406 | 415 if !self.json => self.fall_back(now, out),
            // The server does not offer what its version does.
            400 | 422 if self.streams() => self.in_pages(now, out),
            // Asking the same again would be refused again: client-go relists here, too.
            400..=499 if for_watch && fault.cause == Cause::Server => self.relist(now, fault, out),
            _ => self.rest(now, fault, refusal.retry_after, out),
        }
    }

    /// A success in a format that we cannot read.
    pub(super) fn unacceptable(&mut self, now: Time, fault: Fault, out: &mut Vec<Output>) {
        match (self.asking(), self.json) {
            (false, _) => {}
            (true, true) => self.rest(now, fault, None, out),
            (true, false) => self.fall_back(now, out),
        }
    }

    /// The request failed, or its body did.
    pub(super) fn failed(&mut self, now: Time, fault: Fault, out: &mut Vec<Output>) {
        if !self.asking() {
            return;
        }
        // A stream whose end does not come, or that breaks: pages are the surer way.
        self.streaming &= !self.streams();
        // Garbled twice in protobuf: something on the way may only know text.
        if fault.cause == Cause::Garbled && !self.json && self.list_strikes > 0 {
            self.json = true;
            out.push(Output::JsonOnly);
        }
        self.rest(now, fault, None, out);
    }

    /// An event could not be read. A second one in a row, and something on the way may only know text.
    pub(super) fn garbled(&mut self, now: Time, fault: Fault, out: &mut Vec<Output>) {
        if !self.json && self.stream_strikes > 0 {
            self.json = true;
            out.push(Output::JsonOnly);
        }
        self.relist(now, fault, out);
    }

    /// What is known cannot be carried on: list again. At once the first time, because that is
    /// what a 410 asks for; with growing pauses when it does not help.
    pub(super) fn relist(&mut self, now: Time, fault: Fault, out: &mut Vec<Output>) {
        self.resume = None;
        let strikes = self.strike(now);
        if strikes > 1 {
            return self.pause(now, fault, None, strikes - 1, out);
        }
        self.stop(out);
        self.verify = true;
        self.tell_trouble(now, LinkState::Broken, fault, None, strikes, out);
        self.proceed(now, out);
    }

    fn rest(&mut self, now: Time, fault: Fault, retry_after: Option<Span>, out: &mut Vec<Output>) {
        let strikes = self.strike(now);
        self.pause(now, fault, retry_after, strikes, out);
    }

    fn pause(
        &mut self,
        now: Time,
        fault: Fault,
        retry_after: Option<Span>,
        tries: u32,
        out: &mut Vec<Output>,
    ) {
        self.stop(out);
        self.phase = Phase::Resting;
        self.verify = true;
        let retry_at = now + delay(fault.cause, tries, retry_after, &mut self.dice);
        self.wake = Some(retry_at);
        let strikes = self.list_strikes.max(self.stream_strikes);
        self.tell_trouble(now, state_of(fault.cause), fault, Some(retry_at), strikes, out);
    }

    /// Counts a failure where it belongs, and says how many that makes.
    fn strike(&mut self, now: Time) -> u32 {
        self.forgive(now);
        let strikes = match self.phase {
            Phase::Listing(_) => &mut self.list_strikes,
            _ => &mut self.stream_strikes,
        };
        *strikes = strikes.saturating_add(1);
        *strikes
    }

    /// Asks the same again, for JSON: once in the life of the machine.
    fn fall_back(&mut self, now: Time, out: &mut Vec<Output>) {
        self.json = true;
        self.stop(out);
        out.push(Output::JsonOnly);
        self.proceed(now, out);
    }

    /// Whether a request runs.
    pub(super) fn asking(&self) -> bool {
        matches!(
            self.phase,
            Phase::Listing(_) | Phase::Probing(_) | Phase::Opening { .. } | Phase::Watching(_)
        )
    }
}

fn refusal_fault(kind: Kind, refusal: &Refusal) -> Fault {
    let plural = kind.names().plural;
    let (cause, next): (Cause, &str) = match refusal.status {
        401 => (Cause::Unauthorized, "log in again, then press r"),
        403 => (Cause::Forbidden, "ask for the verbs list and watch on it"),
        404 => (Cause::NotFound, ""),
        410 => (Cause::Expired, ""),
        408 => (Cause::Timeout, ""),
        429 => (Cause::Busy, ""),
        407 => (Cause::Proxy, "the proxy wants a login: check proxy-url in the kubeconfig"),
        300..=399 => (Cause::Proxy, "something answers in the server's place: check server and proxy"),
        _ => (Cause::Server, ""),
    };
    let said = if refusal.message.is_empty() { Text::EMPTY } else { format!(": {}", refusal.message).into() };
    let what = match refusal.status {
        0 => format!("{plural}: the server ended the watch with an error{said}"),
        status => format!("{plural}: {status}{said}"),
    };
    Fault::new(cause, what, next)
}

pub(super) fn too_slow(kind: Kind, limit: Span) -> Fault {
    let (plural, seconds) = (kind.names().plural, limit.seconds());
    Fault::new(Cause::Timeout, format!("{plural}: nothing came for {seconds} s"), "")
}

pub(super) fn unwatched(kind: Kind) -> Fault {
    let plural = kind.names().plural;
    Fault::new(Cause::Timeout, format!("{plural}: nobody watches until it is their turn to be listed"), "")
}

pub(super) fn catching_up(kind: Kind) -> Fault {
    let plural = kind.names().plural;
    Fault::new(Cause::Timeout, format!("{plural}: what happened meanwhile is still coming in"), "")
}

pub(super) fn ended_early(kind: Kind) -> Fault {
    let plural = kind.names().plural;
    Fault::new(Cause::Closed, format!("{plural}: the watch ended as soon as it began"), "")
}

pub(super) fn cut_off(kind: Kind) -> Fault {
    Fault::new(Cause::Closed, format!("{}: the answer was cut off", kind.names().plural), "")
}

pub(super) fn unversioned(kind: Kind) -> Fault {
    let plural = kind.names().plural;
    Fault::new(Cause::Garbled, format!("{plural}: an event carried no version; a new list follows"), "")
}

pub(super) fn list_unversioned(kind: Kind) -> Fault {
    Fault::new(Cause::Garbled, format!("{}: the list carried no version", kind.names().plural), "")
}

pub(super) fn out_of_order(kind: Kind) -> Fault {
    let plural = kind.names().plural;
    Fault::new(Cause::Garbled, format!("{plural}: events came out of order; a new list follows"), "")
}

pub(super) fn circular(kind: Kind) -> Fault {
    let plural = kind.names().plural;
    Fault::new(Cause::Garbled, format!("{plural}: the pages of the list lead in a circle"), "")
}

pub(super) fn lags(kind: Kind, version: Version, highest: Version) -> Fault {
    let plural = kind.names().plural;
    let what = format!(
        "{plural}: the server is at version {}, but {} was seen: it lags, or was restored; asking again",
        version.0, highest.0
    );
    Fault::new(Cause::Server, what, "")
}

pub(super) fn restored(kind: Kind) -> Fault {
    let plural = kind.names().plural;
    let what =
        format!("{plural}: the server has the newest one that was seen no more as it was: it was restored");
    Fault::new(Cause::Replaced, what, "")
}

pub(super) fn unaccounted(kind: Kind) -> Fault {
    let plural = kind.names().plural;
    let what = format!("{plural}: the newest one that was seen is not there, and nobody said that it went");
    Fault::new(Cause::Replaced, what, "")
}

pub(super) fn behind(kind: Kind, version: Version, highest: Version) -> Fault {
    let plural = kind.names().plural;
    let what = format!(
        "{plural}: the server is at version {}, but {} was seen: it was restored or replaced",
        version.0, highest.0
    );
    Fault::new(Cause::Replaced, what, "")
}
