//! What goes wrong with the request that runs.

use std::sync::Arc;

use super::super::super::*;
use super::super::server::Commit;
use super::exchange::{Exchange, Place, event, record, refusal};
use super::{TROUBLE, World};
use crate::model::Cause;

impl World {
    pub(super) fn troubled(&mut self) -> bool {
        self.start.age(self.now).seconds() < TROUBLE
            && self.faults.every != u64::MAX
            && self.dice.roll().is_multiple_of(self.faults.every)
    }

    /// Something goes wrong with the running request.
    pub(super) fn trouble(&mut self) -> Result<(), String> {
        let streaming =
            matches!(self.exchange, Some(Exchange { place: Place::Stream { .. } | Place::Dead, .. }));
        match self.dice.below(if streaming { 12 } else { 6 }) {
            0 => {
                // The whole cluster goes away for a while; pings need a moment to notice.
                self.up_at = Some(self.now + Span::from_seconds(i64::from(self.dice.below(200))));
                self.exchange = None;
                self.input(Input::Down { fault: fault(Cause::Timeout), retry_at: self.up_at, tries: 1 })
            }
            1 => self.fail(Cause::Closed),
            2 => self.fail(Cause::Garbled),
            // A path that dies just while what was missed comes in, and without pings noticing, is
            // not a fault that we can tell.
            3 if self.faults.silence && self.caught_up() => {
                if let Some(exchange) = &mut self.exchange {
                    exchange.place = Place::Dead;
                }
                Ok(())
            }
            3 => self.fail(Cause::Timeout),
            4 | 5 if !streaming => {
                const STATUSES: [u16; 10] = [400, 401, 403, 404, 406, 410, 429, 500, 503, 504];
                let index = usize::try_from(self.dice.below(10)).unwrap_or(0);
                self.refuse(STATUSES[index])
            }
            4 | 5 => {
                self.exchange = None;
                self.input(Input::Ended)
            }
            6 => self.mishap(Event::Garbled(fault(Cause::Garbled))),
            7 => self.mishap(Event::Upsert(Arc::new(record(3, 0)))),
            8 => self.mishap(Event::Error(refusal(410))),
            9 => self.mishap(Event::Error(refusal(500))),
            // An old event again: the last one, or an older one.
            _ => {
                let Some(Exchange { place: Place::Stream { at, .. }, .. }) = self.exchange else {
                    return Ok(());
                };
                let known: Vec<Commit> =
                    self.server.history.iter().filter(|c| c.version <= at).copied().collect();
                let back = usize::try_from(self.dice.below(4)).unwrap_or(0);
                match known.iter().rev().nth(back) {
                    Some(commit) => self.mishap(event(*commit)),
                    None => Ok(()),
                }
            }
        }
    }

    fn fail(&mut self, cause: Cause) -> Result<(), String> {
        self.exchange = None;
        self.input(Input::Failed(fault(cause)))
    }

    fn mishap(&mut self, event: Event) -> Result<(), String> {
        self.input(Input::Event(event))
    }
}

fn fault(cause: Cause) -> Fault {
    Fault::new(cause, "simulated", "")
}
