//! Holding the screen still, and going back and forth in time.

use std::sync::Arc;

use super::screen::Ui;
use crate::model::{Face, Text, Time};
use crate::views::Snapshot;

impl Ui {
    /// The snapshot that is shown: the newest, or one that is held.
    pub(super) fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.frozen.as_ref().or(self.newest.as_ref())
    }

    /// The time that panes are shown for: a state that is held is as old as it was then.
    pub(super) fn shown_at(&self, now: Time) -> Time {
        self.frozen.as_ref().map_or(now, |held| held.at)
    }

    /// Takes a newer state; the one before becomes the past.
    pub(super) fn newer(&mut self, snapshot: Arc<Snapshot>) {
        if let Some(before) = self.newest.replace(Arc::clone(&snapshot)) {
            self.past.keep(&before, &snapshot);
        }
    }

    /// Holds the screen still, or goes on.
    pub(super) fn freeze(&mut self, now: Time) {
        match self.frozen.take() {
            Some(_) => self.notice(now, "live again"),
            None => self.frozen.clone_from(&self.newest),
        }
    }

    /// One state back.
    pub(super) fn earlier(&mut self, now: Time) {
        let Some(shown) = self.snapshot() else { return };
        match self.past.before(shown).cloned() {
            Some(before) => self.frozen = Some(before),
            None => {
                let begins = self.history_begins(now);
                self.notice(now, begins);
            }
        }
    }

    /// One state on; after the last one the screen is live again.
    pub(super) fn later(&mut self, now: Time) {
        let Some(held) = &self.frozen else { return self.notice(now, "this is now; < goes back") };
        match self.past.after(held).cloned() {
            Some(after) => self.frozen = Some(after),
            None => self.freeze(now),
        }
    }

    /// Shows the fleet as it was at a moment that a person named.
    pub(super) fn go_to(&mut self, text: &str, now: Time) -> Result<(), Text> {
        if text == "now" {
            self.frozen = None;
            return Ok(());
        }
        let wanted = self.face.read(text, now);
        let wanted = wanted.ok_or_else(|| {
            Text::from(format!("at {text:?}: expected a time such as 02:10, 02:10:30, 5m (ago) or now"))
        })?;
        if wanted > now {
            return Err(Text::from(format!("{} has not come yet", wanted.rfc3339())));
        }
        if self.newest.as_ref().is_some_and(|newest| newest.at <= wanted) {
            self.frozen.clone_from(&self.newest);
            return Ok(());
        }
        match self.past.at(wanted).cloned() {
            Some(state) => {
                self.frozen = Some(state);
                Ok(())
            }
            None => Err(self.history_begins(now)),
        }
    }

    /// Turns times to their next face.
    pub(super) fn turn_face(&mut self, now: Time) {
        self.face = match self.face {
            Face::Utc => Face::Ago,
            Face::Ago => self.settings.local.clone(),
            Face::Local(_) => Face::Utc,
        };
        let word = match &self.face {
            Face::Utc => "times in UTC",
            Face::Ago => "times as ages",
            Face::Local(_) => "times by the local clock",
        };
        self.notice(now, word);
    }

    /// From when on the past can be shown.
    pub(super) fn history_begins(&self, now: Time) -> Text {
        match self.past.begins() {
            Some(at) => Text::from(format!("history begins at {}", self.face.moment(at, now))),
            None => "no history yet: states are kept ten seconds apart".into(),
        }
    }
}
