//! What happens to a watch, and what it wants done.

use std::sync::Arc;

use crate::model::{Change, Fault, Record, Span, Text, Time, Uid, Version};

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// The cluster answers: begin, or go on.
    Up,
    /// The cluster does not answer: ask nothing until [`Input::Up`].
    Down {
        /// Why.
        fault: Fault,
        /// When the cluster is tried again.
        retry_at: Option<Time>,
        /// How often it was tried in vain.
        tries: u32,
    },
    /// A person wants it tried now.
    Kick,
    /// [`Machine::wake`](super::Machine::wake) has come.
    Timer,
    /// It is our turn to list, after [`Output::Queue`].
    Admitted,
    /// The request was answered with success; its body follows.
    Opened,
    /// Bytes of a page came; to be said about once a second while nothing else is.
    Progress,
    /// Items of a page.
    Records(Vec<Record>),
    /// This many more objects could not be read and were left out.
    Unreadable(u64),
    /// A page is complete. The answer to a probe is a page, too.
    PageEnd(PageEnd),
    /// An event of the watch.
    Event(Event),
    /// The body ended where it may end: behind a frame. A page that ended well is
    /// [`Input::PageEnd`] instead.
    Ended,
    /// The request was answered with an error.
    Refused(Refusal),
    /// The request was answered with success, but in no format that we asked for.
    Unacceptable(Fault),
    /// A streaming list came, but not compressed: over a network it costs many times a list.
    Uncompressed,
    /// The request failed, its body was cut off, or a page made no sense.
    Failed(Fault),
    /// The same of the request beside an open watch, after [`Output::AskBeside`].
    Beside(Box<Input>),
}

/// The end of a page.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageEnd {
    /// The version of the list; `None` when it was missing or no number.
    pub version: Option<Version>,
    /// The token of the next page; `None` on the last.
    pub token: Option<String>,
    /// How many items follow on later pages, when the server says.
    pub remaining: Option<u64>,
}

/// An event of a watch.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// An object is new or changed. Version 0 is none.
    Upsert(Arc<Record>),
    /// An object is gone.
    Gone(Uid, Version),
    /// Nothing changed up to this version.
    Bookmark(Version),
    /// The server ends the watch and says why.
    Error(Refusal),
    /// An object is new or changed, and only which one can be read.
    Unreadable {
        /// Its id; none when it has none.
        uid: Uid,
        /// Its version, which is never 0.
        version: Version,
        /// Which object it is, and what is wrong with it.
        fault: Fault,
    },
    /// It could not be read, and so may have been anything.
    Garbled(Fault),
}

/// An error that the server, or something in its place, answered with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The HTTP status code; 0 when an error event carried none.
    pub status: u16,
    /// `Retry-After`.
    pub retry_after: Option<Span>,
    /// What the server says about it.
    pub message: Text,
}

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Make this request. No other runs, unless it is beside an open watch.
    Ask {
        /// What for.
        ask: Ask,
        /// Ask for JSON alone, never protobuf.
        json: bool,
    },
    /// Make this request beside the open watch, in place of any such one before, for as long as
    /// [`Machine::asks_beside`](super::Machine::asks_beside).
    AskBeside {
        /// What for.
        ask: Ask,
        /// Ask for JSON alone, never protobuf.
        json: bool,
    },
    /// Drop the request that runs, and its body.
    Stop,
    /// Wait for a turn to list, and say [`Input::Admitted`].
    Queue,
    /// Give the turn, or the place in the queue, back.
    Release,
    /// Tell the store.
    Tell(Change),
    /// Only JSON can be had here.
    JsonOnly,
    /// The server ended a watch before its time: who answers next may be another one.
    Doubt,
    /// It is another cluster, or an older state of it: stop everything, tell
    /// [`Change::Reset`] and start over.
    Replaced,
}

/// What to ask the server for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask {
    /// A page of [`PAGE`](super::PAGE) items: the first, or the one behind a token.
    List {
        /// The token of the page before.
        token: Option<String>,
    },
    /// A watch that begins with everything there is, and tells where that ends (a streaming list,
    /// KEP-3157). What comes before is [`Input::Records`], the end of it is [`Input::PageEnd`].
    Stream {
        /// When the server is to end it, if nobody does before.
        timeout_seconds: u32,
    },
    /// A watch with bookmarks.
    Watch {
        /// The version up to which everything is known.
        from: Version,
        /// When the server is to end it.
        timeout_seconds: u32,
    },
    /// A list of one item, for its version.
    Probe {
        /// Namespace and name of the only object that is to be listed, if it is there.
        of: Option<(Text, Text)>,
    },
}
