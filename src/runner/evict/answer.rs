//! What each answer of the eviction API means.
//!
//! Sources: `kubernetes/kubectl:pkg/drain/drain.go` for what is final and what is not, and
//! `kubernetes/kubernetes:pkg/registry/core/pod/storage/eviction.go` for who says what.

use std::time::Duration;

use tokio::time::Instant;

use super::guest::{Refusal, Stage};
use super::{Entry, Eviction, LOOK, Landed, target};
use crate::model::{Cause, Fault, Text};
use crate::operations::PodState;
use crate::runner::api::{Api, ApiAnswer};
use crate::runner::context::Recorded;
use crate::runner::steps::{AGAIN, before_server, pause};

/// How often an error of the server (500) is asked again before it is final.
const ERRORS: u32 = 3;

impl<A: Api> Eviction<'_, A> {
    /// Takes in what a request brought home.
    pub(super) async fn land(&mut self, landed: Landed) {
        match landed {
            Landed::Unrecorded(index, fault) => {
                self.guests[index].stage = Stage::Ask(Instant::now());
                self.fatal = Some(fault.to_string().into());
            }
            Landed::Asked(index, recorded, answer) => {
                self.guests[index].recorded = Some(recorded.clone());
                match self.heard(answer).await {
                    Ok(answer) => self.answered(index, &recorded, &answer).await,
                    Err(fault) => {
                        // It may have arrived: asking again is safe, for the uid is a precondition.
                        self.guests[index].stage = Stage::Ask(Instant::now() + AGAIN);
                        self.lose(&fault).await;
                    }
                }
            }
            Landed::Looked(index, answer) => match self.heard(answer).await {
                Ok(answer) => self.looked(index, &answer).await,
                Err(fault) => {
                    self.guests[index].stage = Stage::Look(Instant::now() + LOOK);
                    self.lose(&fault).await;
                }
            },
            Landed::Pinged(answer) => drop(self.heard(answer).await),
        }
    }

    /// Whether the cluster answers us: an answer that our login is not accepted, or one from
    /// something before the server, is none.
    async fn heard(&mut self, answer: Result<ApiAnswer, Fault>) -> Result<ApiAnswer, Fault> {
        let answer = answer?;
        if answer.status == 401 {
            return Err(Fault::new(Cause::Unauthorized, answer.says(), "log in again"));
        }
        if before_server(&answer) {
            return Err(Fault::new(Cause::Server, answer.says(), ""));
        }
        self.found().await;
        Ok(answer)
    }

    async fn answered(&mut self, index: usize, recorded: &Recorded, answer: &ApiAnswer) {
        let says = answer.says();
        match answer.status {
            200..300 => {
                self.came(index, recorded, Some(answer), Ok("accepted")).await;
                let guest = &mut self.guests[index];
                (guest.accepted, guest.refusal, guest.errors) = (true, None, 0);
                let why = format!("grace {} s", guest.pod.grace);
                self.leaving(index, why.into()).await;
            }
            404 => self.gone(index, Some(recorded), "it was gone already").await,
            // Its uid is another's by now, or the object changed under the request: a look tells.
            409 => self.guests[index].stage = Stage::Look(Instant::now()),
            429 => self.refused(index, recorded, answer).await,
            403 if answer.cause("NamespaceTerminating").is_some() => {
                // Its namespace takes it away; until then the server refuses.
                self.guests[index].stage = Stage::Look(Instant::now() + AGAIN);
                self.tell(index, PodState::Leaving, "its namespace is being deleted".into(), None).await;
            }
            500 if says.contains("more than one PodDisruptionBudget") => {
                let why = "more than one budget guards it, and the eviction API never allows that: \
                           remove one, or choose to delete it in a new plan";
                self.failed(index, answer, Text::clean(why)).await;
            }
            500..600 => self.stumbled(index, answer).await,
            _ => self.failed(index, answer, format!("refused, {says}").into()).await,
        }
    }

    /// 429: a budget that is spent, or a server that is busy.
    async fn refused(&mut self, index: usize, recorded: &Recorded, answer: &ApiAnswer) {
        let now = Instant::now();
        let until = now + answer.retry_after.map_or(AGAIN, |_| pause(answer));
        let guest = &mut self.guests[index];
        (guest.stage, guest.errors) = (Stage::Ask(until), 0);
        let Some(cause) = answer.cause("DisruptionBudget") else {
            self.tell(index, PodState::ServerBusy, answer.says(), Some(until)).await;
            return;
        };
        let budget = budget_name(cause).map(Text::clean);
        let budget = budget.or_else(|| guest.pod.budgets.first().cloned()).unwrap_or_default();
        if !budget.is_empty() && !guest.pod.budgets.contains(&budget) {
            // It was made after the plan: who else it guards waits behind this one.
            guest.pod.budgets.push(budget.clone());
        }
        let first = guest.refusal.is_none();
        guest.refusal =
            Some(Refusal { budget: budget.clone(), at: now, bound: answer.retry_after.is_some() });
        if first {
            self.came(index, recorded, Some(answer), Err(&format!("429: {cause}"))).await;
        }
        let asked = self.guests[index].asked;
        let why = format!("{}; asked {asked} times", cause.trim_end_matches('.'));
        self.tell(index, PodState::WaitsOnBudget(budget.clone()), why.into(), Some(until)).await;
        self.queue_behind(index, &budget).await;
    }

    /// Tells the others of a budget that they wait their turn.
    async fn queue_behind(&mut self, first: usize, budget: &Text) {
        for index in 0..self.guests.len() {
            let same = index != first && self.guests[index].shares_budget(&self.guests[first]);
            if same && matches!(self.guests[index].stage, Stage::Ask(_)) {
                self.tell(index, PodState::Queued, format!("same budget, {budget}").into(), None).await;
            }
        }
    }

    /// 5xx: asked again, for most of them pass; an error that stays the same is final.
    async fn stumbled(&mut self, index: usize, answer: &ApiAnswer) {
        let guest = &mut self.guests[index];
        guest.errors = if answer.status == 500 { guest.errors + 1 } else { 0 };
        if guest.errors >= ERRORS {
            let why = format!("refused {ERRORS} times in a row, {}", answer.says());
            self.failed(index, answer, why.into()).await;
            return;
        }
        let until = Instant::now() + pause(answer);
        guest.stage = Stage::Ask(until);
        self.tell(index, PodState::ServerBusy, answer.says(), Some(until)).await;
    }

    /// What a look at a pod says: it is gone when it is not there, or when another has its name.
    async fn looked(&mut self, index: usize, answer: &ApiAnswer) {
        let now = Instant::now();
        if answer.status == 404 {
            return self.gone(index, None, "gone").await;
        }
        if answer.status == 403 {
            let asked = if self.guests[index].accepted { "asked to go" } else { "perhaps gone" };
            let why = format!("{asked}; not allowed to look whether it went");
            return self.failed(index, answer, why.into()).await;
        }
        if !answer.good() {
            let until = now + pause(answer);
            self.guests[index].stage = Stage::Look(until);
            let why = format!("cannot be looked at: {}", answer.says());
            return self.tell(index, PodState::Leaving, why.into(), Some(until)).await;
        }
        let meta = &answer.body["metadata"];
        let guest = &mut self.guests[index];
        let other = meta["uid"].as_str().is_some_and(|uid| crate::model::Uid::parse(uid) != guest.pod.uid);
        if other {
            return self.gone(index, None, "gone; another pod has its name by now").await;
        }
        let leaving = !meta["deletionTimestamp"].is_null();
        if leaving || guest.accepted {
            guest.stage = Stage::Look(now + LOOK);
            let why = format!("grace {} s", guest.pod.grace);
            self.tell(index, PodState::Leaving, why.into(), None).await;
        } else {
            // Nobody has taken it away yet: it is asked for again.
            guest.stage = Stage::Ask(now + Duration::from_secs(1));
            self.tell(index, PodState::Queued, "it is still there".into(), None).await;
        }
    }

    async fn leaving(&mut self, index: usize, why: Text) {
        self.guests[index].stage = Stage::Look(Instant::now() + Duration::from_secs(1));
        self.tell(index, PodState::Leaving, why, None).await;
    }

    async fn gone(&mut self, index: usize, recorded: Option<&Recorded>, why: &str) {
        self.guests[index].stage = Stage::Gone;
        let recorded = recorded.cloned().or_else(|| self.guests[index].recorded.clone());
        if let Some(recorded) = recorded {
            self.came(index, &recorded, None, Ok(why)).await;
        }
        self.tell(index, PodState::Gone, Text::clean(why), None).await;
    }

    async fn failed(&mut self, index: usize, answer: &ApiAnswer, why: Text) {
        self.guests[index].stage = Stage::Failed(why.clone());
        if let Some(recorded) = self.guests[index].recorded.clone() {
            self.came(index, &recorded, Some(answer), Err(&why)).await;
        }
        self.tell(index, PodState::Failed, why, None).await;
    }

    async fn came(
        &mut self,
        index: usize,
        recorded: &Recorded,
        answer: Option<&ApiAnswer>,
        result: Result<&str, &str>,
    ) {
        let target = target(&self.guests[index].pod, self.cluster());
        let entry = Entry::new("result").on(&target);
        let entry = answer.map_or(entry.clone(), |answer| entry.answered(answer));
        self.ctx.came(recorded, entry, result).await;
    }
}

/// The budget of `The disruption budget orders-api needs 24 healthy pods and has 24 currently`.
fn budget_name(message: &str) -> Option<&str> {
    message.split_once("disruption budget ")?.1.split_whitespace().next()
}
