//! Doubts whether it is still the same server, and signs of life that no watch sees.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::super::clock::{Clock, Sleeper};
use crate::cluster::Session;
use crate::model::{Span, Time};

/// How far apart two looks are at least.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Whether to look again who answers. Behind a name that is switched to another cluster, and behind a
/// balancer whose servers are upgraded one by one, everything may go on in good order with somebody
/// else: the only signs are that watches end before their time and that connections are made anew.
pub(super) struct Doubts {
    connections: watch::Receiver<u64>,
    raised: bool,
    not_before: Instant,
}

impl Doubts {
    /// None so far; not before this time.
    pub(super) fn new(session: &Session, pause: Duration) -> Doubts {
        Doubts { connections: session.connections(), raised: false, not_before: Instant::now() + pause }
    }

    pub(super) fn raise(&mut self) {
        self.raised = true;
    }

    /// A person wants to know.
    pub(super) fn raise_now(&mut self) {
        (self.raised, self.not_before) = (true, Instant::now());
    }

    /// Waits until a look is due. It may be dropped at any time and called again.
    pub(super) async fn due(&mut self) {
        while !self.raised {
            match self.connections.changed().await {
                Ok(()) => self.raised = true,
                // It ends with the session only.
                Err(_) => futures::future::pending().await,
            }
        }
        tokio::time::sleep_until(self.not_before).await;
    }

    /// A look was taken. Connections that it made itself raise no doubt.
    pub(super) fn settled(&mut self) {
        self.raised = false;
        self.connections.mark_unchanged();
        self.not_before = Instant::now() + LOOK_EVERY;
    }
}

/// How often it is looked whether the server said anything.
const BEAT: Duration = Duration::from_secs(5);

/// Answers to the pings of this time take no more bytes. Whatever says something takes more.
const PINGS: u64 = 128;

/// What a beat shows.
pub(super) enum Heard {
    /// The server said something since the last one: when it was noticed.
    Words(Time),
    /// Nothing but answers to pings, which a proxy gives for a server that is gone, too.
    Nothing,
    /// The machine slept, and who knows.
    Slept,
}

/// Notes signs of life, and their absence. By them a quiet cluster that dies is as old as its last word, and not as its
/// last event.
pub(super) struct Beat {
    ticks: Interval,
    sleeper: Sleeper,
    last: Instant,
    received: u64,
}

impl Beat {
    pub(super) fn new(session: &Session) -> Beat {
        let mut ticks = tokio::time::interval_at(Instant::now() + BEAT, BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Beat { ticks, sleeper: Sleeper::default(), last: Instant::now(), received: session.received() }
    }

    /// Waits for the next time to look. It may be dropped at any time and called again.
    pub(super) async fn next(&mut self, clock: &Clock, session: &Session) -> Heard {
        self.ticks.tick().await;
        let late = self.last.elapsed().saturating_sub(BEAT);
        self.last = Instant::now();
        let late = Span::from_millis(i64::try_from(late.as_millis()).unwrap_or(i64::MAX));
        let before = std::mem::replace(&mut self.received, session.received());
        // What came before the machine slept did not come now.
        if self.sleeper.look(clock.slept(), late).is_some() {
            Heard::Slept
        } else if self.received - before > PINGS {
            Heard::Words(clock.now())
        } else {
            Heard::Nothing
        }
    }
}
