//! What the tasks of the kinds say to their cluster's.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::task::Note;
use crate::model::Kind;

/// The watches of one connection usually fail together. When a second one does within this time,
/// the connection is gone and the cluster is marked at once.
const TOGETHER: Duration = Duration::from_millis(50);

/// What the tasks of the kinds say.
pub(super) struct Inbox {
    notes: mpsc::Receiver<Note>,
    /// What came while only troubles were listened to.
    held: VecDeque<Note>,
}

impl Inbox {
    pub(super) fn new(notes: mpsc::Receiver<Note>) -> Inbox {
        Inbox { notes, held: VecDeque::new() }
    }

    pub(super) async fn next(&mut self) -> Option<Note> {
        match self.held.pop_front() {
            Some(note) => Some(note),
            None => self.notes.recv().await,
        }
    }

    /// Whether the watch of another kind fails within the time in which all of a connection do.
    pub(super) async fn another_fails(&mut self, kind: Kind) -> bool {
        let until = Instant::now() + TOGETHER;
        while let Ok(Some(note)) = tokio::time::timeout_at(until, self.notes.recv()).await {
            match note {
                Note::Trouble(other, _) if other != kind => return true,
                Note::Trouble(..) => {}
                other => self.held.push_back(other),
            }
        }
        false
    }

    /// Forgets what was said of a connection that is gone. What was said of the server holds.
    pub(super) fn forget_troubles(&mut self) {
        while let Ok(note) = self.notes.try_recv() {
            if !matches!(note, Note::Trouble(..)) {
                self.held.push_back(note);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Fault};

    #[tokio::test(start_paused = true)]
    async fn what_is_said_beside_a_trouble_is_not_lost() {
        let (notes, inbox) = mpsc::channel(8);
        let mut inbox = Inbox::new(inbox);
        let trouble = |kind| Note::Trouble(kind, Fault::new(Cause::Closed, "test", ""));
        let replaced = Note::Replaced(Fault::new(Cause::Replaced, "test", ""));
        for note in [Note::JsonOnly, trouble(Kind::Pod), replaced.clone()] {
            notes.try_send(note).unwrap();
        }
        assert!(!inbox.another_fails(Kind::Pod).await, "the same kind twice is not the connection");
        notes.try_send(trouble(Kind::Node)).unwrap();
        assert!(inbox.another_fails(Kind::Pod).await);
        notes.try_send(trouble(Kind::Node)).unwrap();
        notes.try_send(Note::JsonOnly).unwrap();
        inbox.forget_troubles();
        drop(notes);
        let rest = [inbox.next().await, inbox.next().await, inbox.next().await, inbox.next().await];
        assert_eq!(rest, [Some(Note::JsonOnly), Some(replaced), Some(Note::JsonOnly), None]);
    }
}
