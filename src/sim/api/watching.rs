//! Watches: what changed, as it changes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::sim::json::Value;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, header};
use tokio::sync::watch;
use tokio::time::Instant;

use super::call::Call;
use super::encode::{self, Form, Writer};
use super::lists::Selection;
use super::members::Members;
use super::reply::Answer;
use super::spoil::{self, Event, Spoiler};
use super::target::Target;
use crate::sim::cluster::Shared;
use crate::sim::faults::FaultName;
use crate::sim::fields::{set, text};
use crate::sim::objects::Change;
use crate::sim::refusal::{Cause, Refusal};
use crate::sim::resources::Slot;

/// How long a watch lasts when it does not say: a real server picks between 30 and 60 minutes
/// (`--min-request-timeout`).
const LONGEST: u64 = 2400;

/// Most changes in one chunk: a slow reader holds at most so many.
const BATCH: usize = 500;

/// One open watch.
struct Watch {
    shared: Arc<Shared>,
    slot: Slot,
    selection: Selection,
    writer: Writer,
    /// What compresses each event, if the server and the client do that.
    members: Option<Members>,
    /// The form that it shares with other watches.
    common: Option<u8>,
    spoiler: Spoiler,
    /// Whether any fault is on.
    troubled: bool,
    bookmarks: bool,
    /// Every change up to this version was sent or did not matter.
    position: u64,
    /// The same, without what the connection did not take yet.
    told: Arc<AtomicU64>,
    /// Objects that are sent as new before changes are.
    initial: VecDeque<Arc<Value>>,
    /// Whether the end of the initial objects is to be said.
    announce: bool,
    /// Grows when watches are cut off.
    cut: u64,
    /// The age of the cluster in which the objects that are written are.
    age: u64,
    changed: watch::Receiver<u64>,
    bookmark_at: Instant,
    deadline: Instant,
    first: bool,
    /// Whether nothing was looked at yet: it may be too late to begin.
    begins: bool,
    /// Whether what is there to be told is the last.
    last: bool,
    ended: bool,
}

/// Opens a watch.
pub(super) fn watch(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let form = Form::negotiate(call, target)?;
    let selection = Selection::read(call, target)?;
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let announce = call.query.flag("sendInitialEvents");
    if !call.query.get("continue").is_empty() {
        let why = "resourceVersionMatch is forbidden when continue is provided";
        return Err(Refusal::options("ListOptions", &[Cause::forbidden("resourceVersionMatch", why)]));
    }
    if announce && !shared.options.streaming_lists {
        let why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
        return Err(Refusal::options("ListOptions", &[Cause::forbidden("sendInitialEvents", why)]));
    }
    if announce && call.query.get("resourceVersionMatch") != "NotOlderThan" {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        let mut causes = vec![Cause::forbidden("resourceVersionMatch", why)];
        let given = call.query.get("resourceVersionMatch");
        if !given.is_empty() {
            causes.push(Cause::unsupported("resourceVersionMatch", given, &["NotOlderThan"]));
        }
        return Err(Refusal::options("ListOptions", &causes));
    }
    let matches = !call.query.get("resourceVersionMatch").is_empty();
    if matches && call.query.get("sendInitialEvents").is_empty() {
        let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        return Err(Refusal::options("ListOptions", &[Cause::forbidden("resourceVersionMatch", why)]));
    }
    let from = call.query.version().map_err(Refusal::plain)?;
    let seconds = call.query.number("timeoutSeconds")?.filter(|s| *s > 0).unwrap_or(LONGEST);
    let changed = shared.subscribe(target.slot);
    let zips = call.gzip && shared.options.compressed_watches;
    let (initial, position, cut, age, now, zips) = shared.read(|world| {
        let whole = announce || from == 0;
        let initial = if whole { selection.all(world, target) } else { Vec::new() };
        let position = if whole { world.store.version() } else { from };
        let zips = zips && compresses(&world.version);
        (initial.into(), position, world.cut_of(target.slot), world.age, world.now, zips)
    });
    let start = Instant::now();
    let writer = Writer::new(form, target, call.query.get("includeObject"), now);
    let watch = Watch {
        shared: shared.clone(),
        slot: target.slot,
        selection,
        common: writer.common(),
        writer,
        members: zips.then(Members::default),
        spoiler: Spoiler::default(),
        troubled: false,
        bookmarks,
        position,
        told: shared.begin_watch(target.slot, position),
        initial,
        // the end is said in a bookmark, to those who take bookmarks
        announce: announce && bookmarks,
        cut,
        age,
        changed,
        bookmark_at: start + shared.options.bookmarks,
        deadline: start + Duration::from_secs(seconds.min(86_400)),
        first: true,
        begins: true,
        last: false,
        ended: false,
    };
    let answer = Answer::stream(&form.watch_type(), stream::unfold(watch, next));
    if !zips {
        return Ok(answer);
    }
    let vary = (header::VARY, HeaderValue::from_static("Accept-Encoding"));
    Ok(answer.with(vec![(header::CONTENT_ENCODING, HeaderValue::from_static("gzip")), vary]))
}

/// Whether a server of this version compresses watches, a member for each event
/// (`WatchListCompression`, on since 1.37).
fn compresses(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (1, 37)
}

async fn next(mut watch: Watch) -> Option<(Bytes, Watch)> {
    loop {
        // the connection took what was written last
        watch.told.store(watch.position, Ordering::Relaxed);
        if watch.ended {
            return None;
        }
        let mut out = Vec::new();
        let endless = watch.spoiler.goes_on();
        watch.put(&endless, &mut out);
        let more = !endless.is_empty() || watch.collect(&mut out);
        if !out.is_empty() {
            return Some((Bytes::from(out), watch));
        }
        if more || watch.ended {
            continue;
        }
        watch.told.store(watch.position, Ordering::Relaxed);
        let wake = watch.deadline.min(if watch.bookmarks { watch.bookmark_at } else { watch.deadline });
        tokio::select! {
            // the sender lives as long as the shared state that this watch holds
            _ = watch.changed.changed() => {}
            () = tokio::time::sleep_until(wake) => watch.timed(&mut out),
        }
        if !out.is_empty() {
            return Some((Bytes::from(out), watch));
        }
    }
}

impl Watch {
    /// Writes what is there to be sent; says whether more is waiting behind a full batch.
    fn collect(&mut self, out: &mut Vec<u8>) -> bool {
        self.changed.borrow_and_update();
        self.troubled = self.shared.read(|world| !world.trouble.none());
        if !self.initial.is_empty() {
            for _ in 0..BATCH {
                let Some(object) = self.initial.pop_front() else { break };
                self.event("ADDED", &object, None, out);
            }
            return true;
        }
        if std::mem::take(&mut self.announce) {
            if !self.struck(FaultName::NoInitialEnd) {
                self.bookmark(true, out);
            }
            return true;
        }
        if self.struck(FaultName::Silence) {
            return false;
        }
        let changes = self.take();
        self.begins = false;
        match changes {
            Ok(changes) => {
                let full = changes.len() == BATCH;
                self.ended |= self.last && !full;
                for change in changes {
                    self.tell(&change, out);
                }
                full
            }
            Err(refusal) => {
                self.refuse(&refusal, out);
                false
            }
        }
    }

    /// Takes the next changes, and with them the version up to which all is told.
    fn take(&mut self) -> Result<Vec<Change>, Refusal> {
        let shared = self.shared.clone();
        shared.read(|world| {
            self.writer.now = world.now;
            self.age = world.age;
            let cut = world.cut_of(self.slot) != self.cut;
            if cut && self.slot.built_in().is_some() {
                self.ended = true;
                return Ok(Vec::new());
            }
            // of a definition that goes it is still told what goes with it
            self.last = cut;
            if self.begins {
                world.store.can_begin(self.slot, self.position)?;
            }
            let changes: Vec<Change> =
                world.store.since(self.slot, self.position)?.take(BATCH).cloned().collect();
            self.position = match changes.last() {
                Some(last) if changes.len() == BATCH => last.version,
                // a watch from a version ahead of the server stays where it is, in silence
                _ => world.store.version().max(self.position),
            };
            Ok(changes)
        })
    }

    /// Tells a change as this watch sees it.
    fn tell(&mut self, change: &Change, out: &mut Vec<u8>) {
        let was = change.before.as_ref().is_some_and(|b| self.selection.matches(b));
        let is = !change.removed && self.selection.matches(&change.object);
        let before = change.before.as_deref();
        match (was, is) {
            (false, true) => self.event("ADDED", &change.object, None, out),
            (true, true) => self.event("MODIFIED", &change.object, before, out),
            (true, false) if change.removed => self.event("DELETED", &change.object, before, out),
            (true, false) => self.deselected(change, out),
            (false, false) => {}
        }
    }

    /// A time has come: for a bookmark, for the end.
    fn timed(&mut self, out: &mut Vec<u8>) {
        // other resources moved the version on: what is sent now is complete up to there
        let more = self.collect(out);
        if self.bookmarks && !more && !self.ended {
            self.bookmark_at = Instant::now() + self.shared.options.bookmarks;
            if !self.struck(FaultName::NoBookmarks) && !self.struck(FaultName::Silence) {
                self.bookmark(false, out);
            }
        }
        if Instant::now() >= self.deadline {
            self.ended = true;
        }
    }

    fn bookmark(&mut self, initial_end: bool, out: &mut Vec<u8>) {
        let document = self.writer.bookmark(self.position, initial_end);
        let event = self.writer.form.event("BOOKMARK", &document);
        self.put(&event, out);
    }

    /// What is watched, as faults name it.
    fn about(&self) -> crate::sim::faults::About<'_> {
        (&self.writer.spec.group, &self.writer.spec.plural)
    }

    /// Whether a fault is on for this watch.
    fn struck(&self, fault: FaultName) -> bool {
        self.troubled && self.shared.read(|w| w.trouble.strike(&[fault], self.about(), "watch").is_some())
    }

    fn event(&mut self, kind: &str, object: &Value, before: Option<&Value>, out: &mut Vec<u8>) {
        let first = std::mem::take(&mut self.first);
        if self.troubled
            && let Some(fault) = self.shared.read(|w| w.trouble.strike(&spoil::EVENTS, self.about(), "watch"))
        {
            let mut spoiled = Vec::new();
            self.spoiler.write(&fault, &Event { kind, object, before }, &self.writer, &mut spoiled);
            self.put(&spoiled, out);
            return;
        }
        let version = || text(object, "metadata.resourceVersion").parse().unwrap_or(0);
        match self.common.filter(|_| self.shared.crowded(self.slot)) {
            Some(form) => {
                let document = self
                    .shared
                    .encoded
                    .get((version(), self.age, form), || self.writer.object(object, first));
                let event = self.writer.form.event(kind, &document);
                self.put(&event, out);
            }
            None => {
                let document = self.writer.object(object, first);
                let event = self.writer.form.event(kind, &document);
                self.put(&event, out);
            }
        }
        let held = self.spoiler.release();
        self.put(&held, out);
    }

    /// Sends bytes as they go over the wire.
    fn put(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match &mut self.members {
            Some(members) if !bytes.is_empty() => members.write(bytes, out),
            _ => out.extend(bytes),
        }
    }

    /// An object that is not selected any more: it is told as it was when it was, at the version
    /// that took it out (`apiserver/pkg/storage/cacher/cache_watcher.go` `convertToWatchEvent`).
    fn deselected(&mut self, change: &Change, out: &mut Vec<u8>) {
        let Some(before) = &change.before else { return };
        let mut last = (**before).clone();
        set(&mut last, "metadata.resourceVersion", change.version.to_string());
        // what others are told at this version is another document
        let common = self.common.take();
        self.event("DELETED", &last, Some(before), out);
        self.common = common;
    }

    fn refuse(&mut self, refusal: &Refusal, out: &mut Vec<u8>) {
        let protobuf = matches!(self.writer.form, Form::Protobuf(_));
        let event = self.writer.form.event("ERROR", &encode::refusal(refusal, protobuf));
        self.put(&event, out);
        self.ended = true;
    }
}
