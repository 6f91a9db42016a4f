//! The gate before every request: pause, stop, and the step's deadline.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::model::Span;
use crate::operations::Control;

/// What somebody last asked of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Go,
    Hold,
    Stop,
    Undo,
}

impl Wish {
    /// What is wished after this control. A stop is final, but that undoing may follow it.
    pub(super) fn after(self, control: Control) -> Wish {
        match (self, control) {
            (Wish::Undo, _) | (_, Control::StopAndUndo) => Wish::Undo,
            (Wish::Stop, _) | (_, Control::Stop) => Wish::Stop,
            (_, Control::Pause) => Wish::Hold,
            (_, Control::Resume) => Wish::Go,
        }
    }
}

/// Why a step does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Halt {
    Stop,
    Undo,
    Deadline,
}

/// The gate of one run.
pub(super) struct Gate {
    /// `None` for one that nobody can close.
    wishes: Option<watch::Receiver<Wish>>,
    deadline: Option<Instant>,
}

impl Gate {
    pub(super) fn new(wishes: watch::Receiver<Wish>) -> Gate {
        Gate { wishes: Some(wishes), deadline: None }
    }

    /// A gate that nobody can close, for undoing: it ends at its deadline only.
    pub(super) fn open(limit: Span) -> Gate {
        let mut gate = Gate { wishes: None, deadline: None };
        gate.until(Some(limit));
        gate
    }

    /// Begins a step's deadline, from now.
    pub(super) fn until(&mut self, limit: Option<Span>) {
        let limit = limit.map(|span| Duration::from_millis(u64::try_from(span.millis()).unwrap_or(0)));
        self.deadline = limit.map(|limit| Instant::now() + limit);
    }

    /// Whether it is held; the error says why nothing more may be sent.
    pub(super) fn look(&self) -> Result<bool, Halt> {
        match self.wish() {
            Wish::Stop => Err(Halt::Stop),
            Wish::Undo => Err(Halt::Undo),
            // Whoever could have stopped it is gone: it must not go on unwatched.
            _ if self.wishes.as_ref().is_some_and(|w| w.has_changed().is_err()) => Err(Halt::Stop),
            _ if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) => Err(Halt::Deadline),
            wish => Ok(wish == Wish::Hold),
        }
    }

    /// Waits until somebody asks for something or the deadline comes.
    pub(super) async fn changed(&mut self) {
        let deadline = self.deadline;
        let late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let wishes = &mut self.wishes;
        let wished = async {
            match wishes {
                Some(wishes) => drop(wishes.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wished => {}
            () = late => {}
        }
    }

    /// Waits while it is held.
    pub(super) async fn pass(&mut self) -> Result<(), Halt> {
        while self.look()? {
            self.changed().await;
        }
        Ok(())
    }

    /// Waits for so long, unless it must end before.
    pub(super) async fn rest(&mut self, time: Duration) -> Result<(), Halt> {
        let until = Instant::now() + time;
        loop {
            self.look()?;
            tokio::select! {
                () = tokio::time::sleep_until(until) => return self.pass().await,
                () = self.changed() => {}
            }
        }
    }

    /// For watching what is wished without passing the gate.
    pub(super) fn wishes(&self) -> Option<watch::Receiver<Wish>> {
        self.wishes.clone()
    }

    /// What was last wished.
    pub(super) fn wish(&self) -> Wish {
        self.wishes.as_ref().map_or(Wish::Go, |wishes| *wishes.borrow())
    }

    /// Waits for the next wish, whatever it is; `false` when nobody is left who could wish.
    pub(super) async fn next_wish(&mut self) -> bool {
        match &mut self.wishes {
            Some(wishes) => wishes.changed().await.is_ok(),
            None => false,
        }
    }

    /// How long the step has left; `limit` when that is longer or it has no deadline.
    pub(super) fn left(&self, limit: Duration) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(limit, |left| left.min(limit))
    }
}
