//! What is asked beside an open watch: a person wants to know whether what is shown is right.
//!
//! A server looks at what we may see only when a request begins, one that was restored may leave an open watch
//! silent, and a watch may get stuck. So versions are compared and the watch is opened anew; but not before
//! the server has shown that it answers us, for one that is too busy would leave us blind just when
//! somebody looks.

use super::input::{Ask, Input, Output};
use super::{Machine, PATIENCE, Phase};
use crate::model::Time;

impl Machine {
    /// Whether the answer to a request beside the open watch is waited for.
    #[must_use]
    pub fn asks_beside(&self) -> bool {
        self.beside.is_some()
    }

    /// Asks for something small of this kind, unless that is asked already.
    pub(super) fn ask_beside(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.beside.is_none_or(|asked| asked.age(now) >= PATIENCE) {
            self.beside = Some(now);
            out.push(Output::AskBeside { ask: Ask::Probe { of: None }, json: self.json });
        }
    }

    /// Takes what came of it. Whatever fails says nothing of the open watch: the cluster's task looks
    /// whether the server is there.
    pub(super) fn beside(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        if self.beside.is_none() {
            return;
        }
        match input {
            Input::PageEnd(_) => {
                self.was_current();
                self.ask_again(now, out);
            }
            Input::Refused(refusal) if matches!(refusal.status, 401 | 403 | 404) => {
                self.was_current();
                self.refused(now, refusal, out);
            }
            Input::Refused(_) | Input::Failed(_) | Input::Unacceptable(_) | Input::Ended => {
                self.beside = None
            }
            _ => {}
        }
    }

    /// Without an open watch nothing is asked beside it, nor is an answer waited for without end.
    pub(super) fn forget_beside(&mut self, now: Time) {
        let watching = matches!(self.phase, Phase::Watching(_));
        self.beside.take_if(|asked| !watching || asked.age(now) >= PATIENCE);
    }
}
