//! What the parts of one simulated cluster share: its world behind a lock, and who waits for it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::api::Role;
use super::clock::Clock;
use super::encoded::Encoded;
use super::fleet::Member;
use super::resources::Slot;
use super::world::{World, bit};
use crate::model::Time;

/// What a server is allowed to do and how it behaves.
#[derive(Clone, Debug)]
pub(crate) struct ServerOptions {
    /// Whether watches may begin with a list (`sendInitialEvents`).
    pub(crate) streaming_lists: bool,
    /// Whether watches are compressed where the server's version is new enough.
    pub(crate) compressed_watches: bool,
    /// Between two bookmarks of a watch.
    pub(crate) bookmarks: Duration,
}

/// What the parts of one cluster share.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    /// By the bits of [`World::stale`].
    changed: Vec<watch::Sender<u64>>,
    /// Changes of the faults that are on.
    troubled: watch::Sender<u64>,
    /// Who makes the way to the server as it should be.
    member: OnceLock<Weak<Member>>,
    clock: Arc<Clock>,
    tokens: Arc<Vec<(Role, String)>>,
    pub(crate) options: ServerOptions,
    /// What watches of the same changes share.
    pub(crate) encoded: Encoded,
    /// What each open watch is of, and up to which version its client was told.
    told: Mutex<Vec<(Slot, Weak<AtomicU64>)>>,
}

/// A token after so many renewals.
pub(crate) fn renewed(token: &str, renewals: u64) -> Cow<'_, str> {
    if renewals == 0 { Cow::Borrowed(token) } else { Cow::Owned(format!("{token}-{renewals}")) }
}

/// Items of work in one step, so that a request never waits long for the lock.
const STEP: usize = 2_000;

impl Shared {
    pub(crate) fn new(
        world: World,
        clock: Arc<Clock>,
        tokens: Arc<Vec<(Role, String)>>,
        options: ServerOptions,
    ) -> Shared {
        let changed = (0..64).map(|_| watch::Sender::new(world.store.version())).collect();
        let (troubled, member) = (watch::Sender::new(0), OnceLock::new());
        Shared {
            world: Mutex::new(world),
            changed,
            troubled,
            member,
            clock,
            tokens,
            options,
            encoded: Encoded::default(),
            told: Mutex::default(),
        }
    }

    /// Learns who makes the way to the server as it should be.
    pub(crate) fn belongs_to(&self, member: &Arc<Member>) {
        // a member is made once
        let _ = self.member.set(Arc::downgrade(member));
    }

    /// Makes the way to the server as it should be, where nobody else does at once.
    pub(crate) fn carry_out(&self) {
        if let Some(member) = self.member.get().and_then(Weak::upgrade) {
            // a port that somebody else took meanwhile is tried again with the next change
            let _ = member.carry_out();
        }
    }

    /// The role of a token: of those that are given out now.
    pub(crate) fn role(&self, token: &str) -> Option<Role> {
        let renewals = self.read(|world| world.trouble.renewals);
        self.tokens.iter().find(|(_, t)| renewed(t, renewals) == token).map(|(role, _)| *role)
    }

    /// Now: a quiet world may not have looked at the clock for a while.
    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Reads the world.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the world at this moment; watches and controllers are told.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.now = world.now.max(self.clock.now());
        world.store.now = world.now;
        let answer = change(&mut world);
        world.absorb();
        self.tell(&mut world);
        answer
    }

    /// Does what is due; says whether all was done.
    pub(crate) fn step(&self, until: Time) -> bool {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let done = world.run_until(until, STEP);
        self.tell(&mut world);
        done
    }

    /// Another world takes the place of this one; watches of the old one end.
    pub(crate) fn replace(&self, make: impl FnOnce(&mut World) -> World) {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        *world = make(&mut world);
        for res in super::resources::Res::ALL {
            world.cut(res);
        }
        self.tell(&mut world);
    }

    /// When work is due next.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.read(|world| world.queue.next())
    }

    /// Wakes the watches of what changed.
    fn tell(&self, world: &mut World) {
        let stale = std::mem::take(&mut world.stale);
        for (i, sender) in self.changed.iter().enumerate() {
            if stale & 1 << i != 0 {
                sender.send_replace(world.store.version());
            }
        }
        let changes = world.trouble.changes;
        self.troubled.send_if_modified(|seen| std::mem::replace(seen, changes) != changes);
    }

    /// Hears of faults that begin and end.
    pub(crate) fn hear_of_faults(&self) -> watch::Receiver<u64> {
        self.troubled.subscribe()
    }

    /// Whether several watch a resource.
    pub(crate) fn crowded(&self, slot: Slot) -> bool {
        self.changed[bit(slot)].receiver_count() > 1
    }

    /// Hears of changes of a resource.
    pub(crate) fn subscribe(&self, slot: Slot) -> watch::Receiver<u64> {
        self.changed[bit(slot)].subscribe()
    }

    /// A watch begins: where it says up to which version its client was told.
    pub(crate) fn begin_watch(&self, slot: Slot, position: u64) -> Arc<AtomicU64> {
        let told = Arc::new(AtomicU64::new(position));
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, other)| other.strong_count() > 0);
        all.push((slot, Arc::downgrade(&told)));
        told
    }

    /// How many changes are there for open watches that their clients were not told yet.
    pub(crate) fn untold(&self, world: &World) -> usize {
        let all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.iter().filter_map(|(slot, told)| Some((*slot, told.upgrade()?)));
        // a watch from a version that is forgotten ends, so nothing waits for it
        open.map(|(slot, told)| {
            world.store.since(slot, told.load(Ordering::Relaxed)).map_or(0, Iterator::count)
        })
        .sum()
    }
}
