//! The background audit: is what is shown what the server has?
//!
//! A watch that loses a change silently leaves a wrong row for ever, whoever lost it: a proxy, the
//! server's cache, or a bug of ours. So every kind is listed again now and then, beside its watch,
//! and the store compares. It costs little: one page at a time in the whole fleet, a pause after
//! each, and lists that somebody waits for come first. Events are left out: of them only the
//! newest are kept. A person who asks for a cluster anew has it audited at once.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::admission::Rank;
use super::exchange::Exchange;
use super::machine::{Ask, Dice, Input, PageEnd, Tokens};
use super::task::{Closed, Health, Shared};
use crate::kinds::VersionDecl;
use crate::model::{Audit, Change, Kind, Record, Version};

/// The longest that a page may take: a server that is slower than that is not to be bothered.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a turn to list is waited for within the budget. Where it does not come, other clusters are
/// audited first.
const TURN: Duration = Duration::from_secs(3);

/// How long one waits then.
const AFTER_OTHERS: Duration = Duration::from_secs(30);

/// How a fleet is audited. Cloning shares the budget.
#[derive(Clone, Debug)]
pub(super) struct Auditing {
    every: Duration,
    pause: Duration,
    /// One page at a time in the whole fleet.
    budget: Arc<Semaphore>,
}

impl Auditing {
    pub(super) fn new(every: Duration, pause: Duration) -> Auditing {
        Auditing { every, pause, budget: Arc::new(Semaphore::new(1)) }
    }
}

/// Audits the kinds of a cluster in turn until there is nobody to tell.
pub(super) async fn run(shared: Shared, versions: Vec<&'static VersionDecl>, seed: u64) {
    let versions: Vec<_> = versions.into_iter().filter(|version| version.kind != Kind::Event).collect();
    let step = shared.auditing.every / u32::try_from(versions.len().max(1)).unwrap_or(u32::MAX);
    let kicks = shared.orders.borrow().kicks;
    let mut auditor = Auditor { shared, dice: Dice::new(seed), json: false, kicks, hurried: false };
    let mut turns = versions.chunks(1).cycle();
    loop {
        let Ok(asked) = auditor.rest(step).await else { return };
        auditor.hurried = asked;
        let due = if asked { &versions } else { turns.next().unwrap_or_default() };
        for version in due {
            if auditor.kind(version).await.is_err() {
                return;
            }
        }
    }
}

struct Auditor {
    shared: Shared,
    dice: Dice,
    /// The server refused protobuf.
    json: bool,
    /// What a person asked for so far.
    kicks: u64,
    /// Somebody waits: there is no pause between two pages.
    hurried: bool,
}

/// What a page brought: its objects and its end; nothing when it could not be had.
type Page = Option<(Vec<Record>, PageEnd)>;

impl Auditor {
    /// About as long as this, so that the clusters of a fleet do not all ask together.
    fn spread(&mut self, span: Duration) -> Duration {
        span.mul_f64(0.75) + span.mul_f64(f64::from(self.dice.below(500)) / 1000.0)
    }

    /// Waits about as long as this, or until a person asks; says whether one did.
    async fn rest(&mut self, step: Duration) -> Result<bool, Closed> {
        let end = tokio::time::Instant::now() + self.spread(step);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return Ok(false),
                changed = self.shared.orders.changed() => changed.map_err(|_| Closed)?,
            }
            let kicks = self.shared.orders.borrow_and_update().kicks;
            if std::mem::replace(&mut self.kicks, kicks) != kicks {
                return Ok(true);
            }
        }
    }

    /// Audits one kind, unless its watch is not live: then the next list puts all right anyway.
    async fn kind(&mut self, version: &'static VersionDecl) -> Result<(), Closed> {
        if !self.sound(version.kind) {
            return Ok(());
        }
        self.tell(version.kind, Audit::Begin).await?;
        let end = match self.pages(version).await? {
            Some(end) if self.sound(version.kind) => Audit::End(end),
            _ => Audit::Void,
        };
        self.tell(version.kind, end).await
    }

    fn sound(&self, kind: Kind) -> bool {
        self.shared.live.holds(kind) && matches!(self.shared.orders.borrow().health, Health::Up { .. })
    }

    /// Sends every page on; gives the version of the list when it is complete.
    async fn pages(&mut self, version: &'static VersionDecl) -> Result<Option<Version>, Closed> {
        let (mut token, mut of, mut tokens) = (None, None, Tokens::default());
        loop {
            let Some((records, end)) = self.page(version, token.take()).await else { return Ok(None) };
            // All pages of a list show the same version, or it cannot be compared.
            if end.version.is_none() || of.is_some_and(|of| Some(of) != end.version) {
                return Ok(None);
            }
            of = end.version;
            self.tell(version.kind, Audit::Page(records)).await?;
            match end.token {
                None => return Ok(of),
                Some(next) if tokens.lead_on(&next) => token = Some(next),
                Some(_) => return Ok(None),
            }
        }
    }

    /// One page, within the budget of the fleet. A cluster whose own lists take all of its turns holds
    /// up no other.
    async fn page(&mut self, version: &'static VersionDecl, token: Option<String>) -> Page {
        let budget = Arc::clone(&self.shared.auditing.budget);
        let desk = self.shared.desk.clone();
        let (_mine, turn) = loop {
            // It is never closed.
            let mine = budget.acquire().await.ok()?;
            let asked = desk.ask(Rank::Audit, self.shared.session.id(), version.kind);
            match tokio::time::timeout(TURN, asked).await {
                Ok(turn) => break (mine, turn.ok()?),
                Err(_) => drop(mine),
            }
            let wait = self.spread(AFTER_OTHERS);
            tokio::time::sleep(wait).await;
            if !self.sound(version.kind) {
                return None;
            }
        };
        let page = tokio::time::timeout(PATIENCE, self.exchange(version, token)).await.ok().flatten();
        drop(turn);
        if !self.hurried {
            tokio::time::sleep(self.shared.auditing.pause).await;
        }
        page
    }

    async fn exchange(&mut self, version: &'static VersionDecl, token: Option<String>) -> Page {
        let ask = Ask::List { token };
        let mut exchange = Exchange::start(&self.shared.session, version, ask, self.json);
        let (mut inputs, mut records) = (Vec::new(), Vec::new());
        loop {
            exchange.next(&mut inputs).await;
            for input in inputs.drain(..) {
                if let ControlFlow::Break(end) = self.take(input, &mut records) {
                    return end.map(|end| (records, end));
                }
            }
        }
    }

    fn take(&mut self, input: Input, records: &mut Vec<Record>) -> ControlFlow<Option<PageEnd>> {
        match input {
            Input::Records(more) => records.extend(more),
            Input::PageEnd(end) => return ControlFlow::Break(Some(end)),
            // What cannot be read is not here, and that is known.
            Input::Opened | Input::Progress | Input::Unreadable(_) => {}
            Input::Refused(refusal) => {
                self.json |= matches!(refusal.status, 406 | 415);
                return ControlFlow::Break(None);
            }
            _ => return ControlFlow::Break(None),
        }
        ControlFlow::Continue(())
    }

    async fn tell(&self, kind: Kind, step: Audit) -> Result<(), Closed> {
        self.shared.tell(self.shared.clock.now(), Change::Audit(kind, step)).await
    }
}
