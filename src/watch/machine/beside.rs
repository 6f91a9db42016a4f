//! What is asked beside an open watch: a person wants to know whether what is shown is right.
//!
//! A server looks at what we may see only when a request begins, one that was restored may leave an open watch
//! silent, and a watch may get stuck. So it is asked for its version and for the witness, and the watch is
//! opened anew; but not before the answer, for a server that is too busy to give one would leave us blind just
//! when somebody looks.

use super::input::{Input, Output, Refusal};
use super::witness::Probe;
use super::{Machine, PATIENCE, Phase};
use crate::model::{Time, Version};

impl Machine {
    /// Whether the answer to a request beside the open watch is waited for.
    #[must_use]
    pub fn asks_beside(&self) -> bool {
        self.beside.is_some()
    }

    /// Asks for the server's version, and for the witness if there is one, unless that is asked already.
    pub(super) fn probe_beside(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.beside.as_ref().is_none_or(|probe| probe.asked.age(now) >= PATIENCE) {
            self.ask_beside(self.question(now), out);
        }
    }

    fn ask_beside(&mut self, probe: Probe, out: &mut Vec<Output>) {
        out.push(Output::AskBeside { ask: probe.ask(), json: self.json });
        self.beside = Some(probe);
    }

    /// Takes what came of it. Whatever fails says nothing of the open watch: the cluster's task looks
    /// whether the server is there.
    pub(super) fn beside(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        let Some(probe) = &mut self.beside else { return };
        match input {
            Input::Records(records) => probe.testify(&records),
            Input::PageEnd(end) => {
                if let (Some(probe), Some(version)) = (self.beside.take(), end.version) {
                    self.compared_beside(now, probe, version, out);
                }
            }
            Input::Refused(refusal) => {
                if let Some(probe) = self.beside.take() {
                    self.refused_beside(now, probe, refusal, out);
                }
            }
            Input::Failed(_) | Input::Unacceptable(_) | Input::Ended => self.beside = None,
            _ => {}
        }
    }

    fn compared_beside(&mut self, now: Time, probe: Probe, version: Version, out: &mut Vec<Output>) {
        self.was_current();
        if version >= probe.highest {
            // The open watch may have got stuck though all else gets through.
            self.forgive(now);
            self.stop(out);
        }
        self.compared(now, &probe, Some(version), out);
    }

    fn refused_beside(&mut self, now: Time, probe: Probe, refusal: Refusal, out: &mut Vec<Output>) {
        match refusal.status {
            400 | 403..=405 | 422 if probe.asks_for_witness() => {
                self.ask_beside(Probe::of_version(now, self.highest), out);
            }
            401 | 403 | 404 => {
                self.was_current();
                self.refused(now, refusal, out);
            }
            _ => {}
        }
    }

    /// Without an open watch nothing is asked beside it, nor is an answer waited for without end.
    pub(super) fn forget_beside(&mut self, now: Time) {
        let watching = matches!(self.phase, Phase::Watching(_));
        self.beside.take_if(|probe| !watching || probe.asked.age(now) >= PATIENCE);
    }
}
