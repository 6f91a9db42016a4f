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
    /// Since when it is held: that time does not count towards the deadline.
    held: Option<Instant>,
}

impl Gate {
    pub(super) fn new(wishes: watch::Receiver<Wish>) -> Gate {
        Gate { wishes: Some(wishes), deadline: None, held: None }
    }

    /// A gate that nobody can close, for undoing: it ends at its deadline only.
    pub(super) fn open(limit: Span) -> Gate {
        let mut gate = Gate { wishes: None, deadline: None, held: None };
        gate.until(Some(limit));
        gate
    }

    /// Begins a step's deadline, from now.
    pub(super) fn until(&mut self, limit: Option<Span>) {
        let limit = limit.map(|span| Duration::from_millis(u64::try_from(span.millis()).unwrap_or(0)));
        self.deadline = limit.map(|limit| Instant::now() + limit);
        self.held = None;
    }

    /// Whether it is held; the error says why nothing more may be sent.
    pub(super) fn look(&mut self) -> Result<bool, Halt> {
        let wish = self.wish();
        self.keep_time(wish);
        match wish {
            Wish::Stop => Err(Halt::Stop),
            Wish::Undo => Err(Halt::Undo),
            // Whoever could have stopped it is gone: it must not go on unwatched.
            _ if self.abandoned() => Err(Halt::Stop),
            Wish::Hold => Ok(true),
            Wish::Go if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                Err(Halt::Deadline)
            }
            Wish::Go => Ok(false),
        }
    }

    /// Whether nobody is left who could wish.
    pub(super) fn abandoned(&self) -> bool {
        self.wishes.as_ref().is_some_and(|wishes| wishes.has_changed().is_err())
    }

    /// Moves the deadline on by the time for which it was held.
    fn keep_time(&mut self, wish: Wish) {
        if wish == Wish::Hold {
            self.held.get_or_insert_with(Instant::now);
        } else if let Some(since) = self.held.take() {
            self.deadline = self.deadline.map(|deadline| deadline + since.elapsed());
        }
    }

    /// Waits until somebody asks for something or the deadline comes.
    pub(super) async fn changed(&mut self) {
        let deadline = self.deadline.filter(|_| self.held.is_none());
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

    /// Does something that changes nothing, such as a read: it is dropped when the step must end.
    pub(super) async fn unless_halted<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Halt> {
        let halted = async {
            loop {
                match self.look() {
                    Err(halt) => return halt,
                    Ok(_) => self.changed().await,
                }
            }
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            halt = halted => Err(halt),
        }
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

    /// What was last wished, as heard: only what is wished after this is the next wish.
    pub(super) fn heed(&mut self) -> Wish {
        self.wishes.as_mut().map_or(Wish::Go, |wishes| *wishes.borrow_and_update())
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
