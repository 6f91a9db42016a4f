//! The request that runs: what the server and the way to it make of it, input by input.

use std::sync::Arc;

use super::super::super::*;
use super::super::server::Commit;
use super::super::shown::uid;
use super::{TROUBLE, World};
use crate::model::{Meta, Namespace, Record, Text};

/// A request that runs.
pub(super) struct Exchange {
    pub(super) ask: Ask,
    /// When it goes on.
    pub(super) next: Time,
    pub(super) place: Place,
}

pub(super) enum Place {
    Head,
    /// Items of a page from here on, of a list at this version.
    Page {
        from: usize,
        version: u64,
    },
    /// What a streaming list begins with, from here on.
    Initial {
        from: usize,
        version: u64,
        until: Time,
    },
    /// A watch that has delivered up to this version.
    Stream {
        at: u64,
        until: Time,
        bookmark: Time,
        opened: Time,
    },
    /// Nothing more will come, and nobody notices.
    Dead,
}

/// Items on a page of the model server.
const SIZE: usize = 3;

impl World {
    /// The running request goes on by one input.
    pub(super) fn transmit(&mut self) -> Result<(), String> {
        if self.troubled() {
            return self.trouble();
        }
        let pause = self.pause();
        let Some(exchange) = &mut self.exchange else { return Ok(()) };
        exchange.next = self.now + pause;
        match exchange.place {
            Place::Dead => {
                exchange.next = self.now + Span::from_seconds(100_000);
                Ok(())
            }
            Place::Head => self.head(),
            Place::Page { from, version } => self.page(from, version),
            Place::Initial { from, version, until } => self.initial(from, version, until),
            Place::Stream { at, until, bookmark, .. } => self.stream(at, until, bookmark),
        }
    }

    /// How long until the next input of a request: now and then minutes. Of an open watch only where
    /// that is a fault that may come, and not while what was missed comes in, since nobody can tell it
    /// from a quiet server.
    fn pause(&mut self) -> Span {
        let watch = matches!(&self.exchange, Some(Exchange { ask: Ask::Watch { .. }, .. }));
        let slow = !watch || (self.faults.silence && self.caught_up());
        let long = if slow && self.troubled() { self.dice.below(200_000) } else { 0 };
        Span::from_millis(i64::from(20 + self.dice.below(400) + long))
    }

    /// The version at which lists are answered. A replica lags for three seconds, then not for a
    /// minute.
    pub(super) fn version(&mut self) -> u64 {
        if self.faults.lag && self.start.age(self.now).seconds() < TROUBLE && self.dice.below(3) == 0 {
            let rested = self.lagging.is_none_or(|since| since.age(self.now) > Span::from_seconds(60));
            self.lagging = if rested { Some(self.now) } else { self.lagging };
        }
        match self.lagging {
            Some(since) if since.age(self.now) < Span::from_seconds(3) => {
                let as_of = since - Span::from_seconds(2);
                let known = self.server.history.iter().take_while(|commit| commit.at <= as_of);
                known.last().map_or(0, |commit| commit.version).max(self.server.compacted)
            }
            _ => self.server.version,
        }
    }

    fn head(&mut self) -> Result<(), String> {
        let now = self.version();
        let Some(exchange) = &mut self.exchange else { return Ok(()) };
        match exchange.ask.clone() {
            Ask::List { token } => {
                let (from, version) = match token.as_deref().and_then(|t| t.split_once(' ')) {
                    None => (0, now),
                    Some((from, version)) => (from.parse().unwrap_or(0), version.parse().unwrap_or(0)),
                };
                if version < self.server.compacted || version > self.server.version {
                    return self.refuse(410);
                }
                exchange.place = Place::Page { from, version };
            }
            Ask::Stream { timeout_seconds } => {
                let until = self.now + Span::from_seconds(i64::from(timeout_seconds));
                exchange.place = Place::Initial { from: 0, version: now, until };
            }
            Ask::Probe { .. } => exchange.place = Place::Page { from: 0, version: now },
            Ask::Watch { from, .. } if from.0 < self.server.compacted => {
                if self.dice.below(2) == 0 {
                    return self.refuse(410);
                }
                self.input(Input::Opened)?;
                return self.input(Input::Event(Event::Error(refusal(410))));
            }
            // A watch from a version ahead of the server is silent for ever.
            Ask::Watch { from, timeout_seconds } => {
                let bookmark = self.now + Span::from_seconds(60);
                let until = self.now + Span::from_seconds(i64::from(timeout_seconds));
                exchange.place = match from.0 > self.server.version {
                    true => Place::Dead,
                    false => Place::Stream { at: from.0, until, bookmark, opened: self.now },
                };
            }
        }
        self.input(Input::Opened)
    }

    fn page(&mut self, from: usize, version: u64) -> Result<(), String> {
        let (size, of) = match &self.exchange {
            Some(Exchange { ask: Ask::Probe { of }, .. }) => (1, of.clone()),
            _ => (SIZE, None),
        };
        let (items, end) = self.listed(of.as_ref(), from, size, version);
        self.exchange = None;
        self.input(Input::Records(items))?;
        self.input(Input::PageEnd(end))
    }

    /// So many items of a list at a version, of one name if that is wanted, and what ends them.
    pub(super) fn listed(
        &self,
        of: Option<&(Text, Text)>,
        from: usize,
        size: usize,
        version: u64,
    ) -> (Vec<Record>, PageEnd) {
        let mut state: Vec<(u64, u64)> = self.server.state(version).into_iter().collect();
        state.retain(|(id, _)| of.is_none_or(|(_, wanted)| *wanted == name(*id)));
        let items = state.iter().skip(from).take(size).map(|(id, v)| record(*id, *v)).collect();
        let left = state.len().saturating_sub(from + size);
        let token = (left > 0).then(|| format!("{} {version}", from + size));
        (items, PageEnd { version: Some(Version(version)), token, remaining: u64::try_from(left).ok() })
    }

    /// Some of what a streaming list begins with, or its end, behind which the watch goes on.
    fn initial(&mut self, from: usize, version: u64, until: Time) -> Result<(), String> {
        let state: Vec<(u64, u64)> = self.server.state(version).into_iter().collect();
        let items: Vec<Record> = state.iter().skip(from).take(SIZE).map(|(id, v)| record(*id, *v)).collect();
        let Some(exchange) = &mut self.exchange else { return Ok(()) };
        if items.is_empty() {
            let bookmark = self.now + Span::from_seconds(60);
            exchange.place = Place::Stream { at: version, until, bookmark, opened: self.now };
            return self
                .input(Input::PageEnd(PageEnd { version: Some(Version(version)), ..PageEnd::default() }));
        }
        exchange.place = Place::Initial { from: from + SIZE, version, until };
        self.input(Input::Records(items))
    }

    fn stream(&mut self, at: u64, until: Time, bookmark: Time) -> Result<(), String> {
        if self.now >= until {
            self.exchange = None;
            return self.input(Input::Ended);
        }
        let next = self.server.after(at);
        let Some(Exchange { place: Place::Stream { at, bookmark: due, .. }, .. }) = &mut self.exchange else {
            return Ok(());
        };
        match next {
            Some(commit) => {
                *at = commit.version;
                let event = event(commit);
                self.input(Input::Event(event))
            }
            None if self.now >= bookmark => {
                *at = self.server.version;
                *due = self.now + Span::from_seconds(60);
                self.input(Input::Event(Event::Bookmark(Version(self.server.version))))
            }
            None => Ok(()),
        }
    }

    /// Whether a stream has been open for a while and has delivered everything.
    pub(super) fn caught_up(&self) -> bool {
        match self.exchange {
            Some(Exchange { place: Place::Stream { opened, at, .. }, .. }) => {
                opened.age(self.now) > Span::from_seconds(2) && self.server.after(at).is_none()
            }
            _ => false,
        }
    }

    pub(super) fn refuse(&mut self, status: u16) -> Result<(), String> {
        self.exchange = None;
        self.input(Input::Refused(refusal(status)))
    }
}

pub(super) fn refusal(status: u16) -> Refusal {
    Refusal { status, retry_after: None, message: Text::EMPTY }
}

fn name(id: u64) -> Text {
    Text::clean(&format!("n{id}"))
}

pub(super) fn record(id: u64, version: u64) -> Record {
    let meta = Meta { uid: uid(id), name: name(id), version: Version(version), ..Meta::default() };
    Record::Namespace(Namespace { meta, ..Namespace::default() })
}

pub(super) fn event(commit: Commit) -> Event {
    match commit.gone {
        true => Event::Gone(uid(commit.uid), Version(commit.version)),
        false => Event::Upsert(Arc::new(record(commit.uid, commit.version))),
    }
}
