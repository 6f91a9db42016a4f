//! A model of an apiserver: a history of versions, compaction, restores.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Time;

/// What happened to one object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    pub(super) at: Time,
    pub(super) version: u64,
    pub(super) uid: u64,
    pub(super) gone: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) version: u64,
    /// Watches from before this version answer 410.
    pub(super) compacted: u64,
    pub(super) history: Vec<Commit>,
    /// What it has now.
    pub(super) live: BTreeMap<u64, u64>,
    next_uid: u64,
    /// What nobody changes any more.
    at_rest: Option<u64>,
}

impl Server {
    pub(super) fn new(at: Time) -> Server {
        let mut server = Server {
            version: 1000,
            compacted: 1000,
            history: Vec::new(),
            live: BTreeMap::new(),
            next_uid: 1,
            at_rest: None,
        };
        for _ in 0..8 {
            server.create(at);
        }
        server
    }

    pub(super) fn create(&mut self, at: Time) {
        self.next_uid += 1;
        self.commit(at, self.next_uid, false);
    }

    /// Changes or removes some object, or makes one.
    pub(super) fn change(&mut self, at: Time, chance: u64) {
        let live: Vec<u64> = self.live.keys().copied().filter(|uid| Some(*uid) != self.at_rest).collect();
        let Some(uid) = live.get(usize::try_from(chance / 10).unwrap_or(0) % live.len().max(1)) else {
            return self.create(at);
        };
        match chance % 10 {
            0 | 1 if live.len() < 16 => self.create(at),
            2 | 3 => self.commit(at, *uid, true),
            _ => self.commit(at, *uid, false),
        }
    }

    /// Whether what happened last left an object that bears witness to it.
    pub(super) fn can_lose(&self) -> bool {
        self.history.last().is_some_and(|last| !last.gone && last.version > self.compacted)
    }

    /// Restored to before what happened last, and what happened some times before; then much else happens.
    pub(super) fn lose_the_last(&mut self, more: u32) {
        let lost = self.history.pop();
        for _ in 0..more {
            self.history.pop_if(|commit| commit.version > self.compacted);
        }
        self.live = self.state(u64::MAX);
        self.at_rest = lost.map(|lost| lost.uid);
        self.version += 100;
    }

    fn commit(&mut self, at: Time, uid: u64, gone: bool) {
        self.version += 1 + self.version % 3;
        let commit = Commit { at, version: self.version, uid, gone };
        self.history.push(commit);
        commit.apply(&mut self.live);
    }

    /// Objects and their versions, as of a version.
    pub(super) fn state(&self, version: u64) -> BTreeMap<u64, u64> {
        let mut state = BTreeMap::new();
        for commit in self.history.iter().take_while(|c| c.version <= version) {
            commit.apply(&mut state);
        }
        state
    }

    /// The next commit after a version.
    pub(super) fn after(&self, version: u64) -> Option<Commit> {
        let index = self.history.partition_point(|c| c.version <= version);
        self.history.get(index).copied()
    }
}

impl Commit {
    pub(super) fn apply(&self, state: &mut BTreeMap<u64, u64>) {
        if self.gone {
            state.remove(&self.uid);
        } else {
            state.insert(self.uid, self.version);
        }
    }
}

/// What the server had some time ago; it moves on with time.
#[derive(Debug, Default)]
pub(super) struct Past {
    next: usize,
    pub(super) live: BTreeMap<u64, u64>,
    pub(super) gone: BTreeSet<u64>,
}

impl Past {
    pub(super) fn advance(&mut self, server: &Server, until: Time) {
        while let Some(commit) = server.history.get(self.next).filter(|c| c.at <= until) {
            commit.apply(&mut self.live);
            if commit.gone {
                self.gone.insert(commit.uid);
            }
            self.next += 1;
        }
    }
}
