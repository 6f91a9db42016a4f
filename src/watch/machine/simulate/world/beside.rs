//! The request beside an open watch.

use super::super::super::*;
use super::World;
use super::exchange::refusal;
use crate::model::{Cause, Record, Text};

/// A request that runs beside the other one.
pub(super) struct Beside {
    /// When it goes on.
    pub(super) next: Time,
    of: Option<(Text, Text)>,
    /// What the server answered, as it was then: it is on its way, and so is what happened since.
    answer: Option<(Vec<Record>, PageEnd)>,
}

impl World {
    pub(super) fn ask_beside(&mut self, ask: &Ask) {
        self.asked.probes += 1;
        let Ask::Probe { of } = ask.clone() else { return };
        let next = self.now + Span::from_millis(i64::from(self.dice.below(3_000)));
        self.beside = Some(Beside { next, of, answer: None });
    }

    /// It goes on: the server answers, or the answer arrives.
    pub(super) fn answer_beside(&mut self) -> Result<(), String> {
        let Some(mut beside) = self.beside.take() else { return Ok(()) };
        if self.troubled() {
            return self.trouble_beside();
        }
        match beside.answer.take() {
            None => {
                let version = self.version();
                beside.answer = Some(self.listed(beside.of.as_ref(), 0, 1, version));
                beside.next = self.now + Span::from_millis(i64::from(self.dice.below(3_000)));
                self.beside = Some(beside);
                Ok(())
            }
            Some((items, end)) => {
                let inputs = [Input::Opened, Input::Records(items), Input::PageEnd(end)];
                inputs.into_iter().try_for_each(|input| self.input(Input::Beside(Box::new(input))))
            }
        }
    }

    fn trouble_beside(&mut self) -> Result<(), String> {
        const STATUSES: [u16; 6] = [400, 401, 403, 404, 429, 500];
        let chance = usize::try_from(self.dice.below(8)).unwrap_or(0);
        let trouble = match STATUSES.get(chance) {
            Some(status) => Input::Refused(refusal(*status)),
            None if chance == 6 => Input::Failed(Fault::new(Cause::Closed, "simulated", "")),
            // It never comes.
            None => return Ok(()),
        };
        self.input(Input::Beside(Box::new(trouble)))
    }
}
