//! Every fault of the embedded fleet, and what must be seen while it is on.

use quarterdeck::model::Cause;

/// A cluster, and what goes wrong in it.
pub(super) struct Row {
    /// The cluster's name.
    pub(super) name: &'static str,
    /// The faults, switched on in this order.
    pub(super) faults: &'static [&'static str],
    pub(super) shown: Shown,
    /// Whether a person asks anew when it is mended: what is refused is asked for after minutes only.
    pub(super) asked: bool,
    /// The version of the cluster.
    pub(super) version: &'static str,
}

/// Servers of this version do not compress watches.
pub(super) const USUAL: &str = "1.36";

/// What must be seen while a fault is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    /// In the end what the server has, fault or not.
    Equal,
    /// That something is wrong, for one of these causes; any when there is none.
    Marked(&'static [Cause]),
    /// What the server has, or that it is old.
    Either,
    /// Nothing: what was not told cannot be known before the next list or audit.
    Hidden,
}

const fn row(name: &'static str, faults: &'static [&'static str], shown: Shown) -> Row {
    Row { name, faults, shown, asked: false, version: USUAL }
}

/// The same, where a person asks anew.
const fn asked(name: &'static str, faults: &'static [&'static str], shown: Shown) -> Row {
    Row { name, faults, shown, asked: true, version: USUAL }
}

/// The same, where lists come as compressed streams.
const fn streamed(name: &'static str, faults: &'static [&'static str], shown: Shown) -> Row {
    Row { name, faults, shown, asked: false, version: "1.37" }
}

use Cause::{Busy, Closed, Expired, Forbidden, Garbled, NotFound, Proxy, Refused, Server, Timeout, Tls};
use Shown::{Either, Equal, Hidden, Marked};

/// Open watches would go on: what is asked anew meets the fault.
const RESET: &str = r#"{"fault": "reset"}"#;

/// The pods are listed anew.
const RELIST: &str = r#"{"fault": "error-event", "kinds": ["pods"], "times": 1}"#;

/// Faults of connections.
pub(super) const WAY: &[Row] = &[
    row("reset", &[RESET], Equal),
    row("reset-midway", &[r#"{"fault": "reset-midway"}"#], Marked(&[Closed])),
    row("close-midway", &[r#"{"fault": "close-midway"}"#], Marked(&[Closed])),
    row("half-open", &[r#"{"fault": "half-open"}"#], Marked(&[Timeout])),
    row("one-way", &[r#"{"fault": "one-way"}"#], Marked(&[Timeout])),
    row("trickle", &[r#"{"fault": "slow", "bytes": 1}"#], Marked(&[Timeout])),
    row("slow", &[r#"{"fault": "slow"}"#], Equal),
    row("latency", &[r#"{"fault": "latency"}"#], Either),
    row("refusing", &[r#"{"fault": "refusing"}"#], Marked(&[Refused])),
    row("handshake-hangs", &[r#"{"fault": "handshake-hangs"}"#, RESET], Marked(&[Timeout])),
    row("go-away", &[r#"{"fault": "go-away"}"#], Equal),
    row("reset-stream", &[r#"{"fault": "reset-stream", "nth": 2}"#, RESET], Either),
    row("one-stream", &[r#"{"fault": "one-stream"}"#, RESET], Equal),
];

/// Faults of the way that are of the streams of one kind: everything else goes on.
pub(super) const STREAMS: &[Row] = &[
    row("reset-of-pods", &[r#"{"fault": "reset", "kinds": ["pods"]}"#], Equal),
    row(
        "reset-midway-of-pods",
        &[r#"{"fault": "reset-midway", "kinds": ["pods"], "bytes": 1000}"#],
        Marked(&[Closed]),
    ),
    row(
        "close-midway-of-pods",
        &[r#"{"fault": "close-midway", "kinds": ["pods"], "bytes": 1000}"#],
        Marked(&[]),
    ),
    // pings are answered: only that no bookmark comes tells, and that takes more than a minute
    row("half-open-of-pods", &[r#"{"fault": "half-open", "kinds": ["pods"]}"#], Hidden),
    row("one-way-of-pods", &[r#"{"fault": "one-way", "kinds": ["pods"]}"#], Hidden),
    row("slow-for-pods", &[r#"{"fault": "slow", "kinds": ["pods"], "bytes": 20000}"#, RELIST], Equal),
    row("late-for-pods", &[r#"{"fault": "latency", "kinds": ["pods"], "delay": "2s"}"#, RELIST], Equal),
    row("refusing-pods", &[r#"{"fault": "refusing", "kinds": ["pods"]}"#, RELIST], Marked(&[])),
    row("go-away-from-pods", &[r#"{"fault": "go-away", "kinds": ["pods"], "times": 1}"#, RELIST], Equal),
    streamed("streams", &[RELIST], Equal),
    streamed("no-initial-end", &[r#"{"fault": "no-initial-end", "kinds": ["pods"]}"#, RELIST], Equal),
    streamed(
        "truncated-stream",
        &[r#"{"fault": "truncated-line", "kinds": ["pods"], "nth": 3}"#, RELIST],
        Marked(&[]),
    ),
];

/// Faults of trust, and answers that refuse.
pub(super) const REFUSALS: &[Row] = &[
    row("new-authority", &[r#"{"fault": "new-authority"}"#], Marked(&[Tls])),
    row("certificate-expired", &[r#"{"fault": "certificate-expired"}"#], Marked(&[Tls])),
    row("certificate-too-new", &[r#"{"fault": "certificate-too-new"}"#], Marked(&[Tls])),
    row("captive-portal", &[r#"{"fault": "captive-portal"}"#, RESET], Marked(&[Proxy])),
    row("busy", &[r#"{"fault": "too-many-requests"}"#, RESET], Marked(&[Busy])),
    row(
        "busy-for-a-second",
        &[r#"{"fault": "too-many-requests", "retry-after": "1", "times": 20}"#, RESET],
        Equal,
    ),
    row("busy-oddly", &[r#"{"fault": "too-many-requests", "retry-after": "soon"}"#, RESET], Marked(&[Busy])),
    asked(
        "busy-for-ever",
        &[r#"{"fault": "too-many-requests", "retry-after": "18446744073709551615"}"#, RESET],
        Marked(&[Busy]),
    ),
    row("unauthorized-once", &[r#"{"fault": "unauthorized", "times": 1}"#, RESET], Equal),
    asked("unauthorized", &[r#"{"fault": "unauthorized"}"#, RESET], Marked(&[Cause::Unauthorized])),
    asked("forbidden", &[r#"{"fault": "forbidden"}"#, RESET], Marked(&[Forbidden])),
    asked("forbidden-pods", &[r#"{"fault": "forbidden", "kinds": ["pods"]}"#, RESET], Marked(&[Forbidden])),
    asked(
        "withdrawn",
        &[r#"{"fault": "withdrawn", "kinds": ["horizontalpodautoscalers"]}"#],
        Marked(&[NotFound]),
    ),
    asked("not-found", &[r#"{"fault": "not-found", "kinds": ["pods"]}"#, RESET], Marked(&[NotFound])),
];

/// Answers that are errors, or make no sense.
pub(super) const ANSWERS: &[Row] = &[
    row(
        "no-protobuf",
        &[r#"{"fault": "not-acceptable", "value": "protobuf", "kinds": ["pods"]}"#, RESET],
        Equal,
    ),
    row("not-acceptable", &[r#"{"fault": "not-acceptable", "kinds": ["pods"]}"#, RESET], Marked(&[Server])),
    row("expired", &[r#"{"fault": "expired", "kinds": ["pods"]}"#, RESET], Marked(&[Expired])),
    row("expired-once", &[r#"{"fault": "expired", "verb": "watch", "times": 30}"#, RESET], Equal),
    row(
        "expired-pages",
        &[
            r#"{"fault": "short-pages", "value": "2", "kinds": ["pods"]}"#,
            r#"{"fault": "expired-pages", "kinds": ["pods"], "times": 2}"#,
            RELIST,
        ],
        Equal,
    ),
    row("error-500", &[r#"{"fault": "error", "code": 500}"#, RESET], Marked(&[Server])),
    row("error-503", &[r#"{"fault": "error", "kinds": ["pods"]}"#, RESET], Marked(&[Server])),
    row(
        "error-504-of-probes",
        &[r#"{"fault": "error", "code": 504, "kinds": ["pods"], "verb": "list"}"#, RESET],
        Marked(&[Server]),
    ),
    row("empty-body", &[r#"{"fault": "empty-body", "kinds": ["pods"]}"#, RESET], Marked(&[])),
    row("empty-everything", &[r#"{"fault": "empty-body"}"#, RESET], Marked(&[])),
    row("wrong-type", &[r#"{"fault": "wrong-type", "kinds": ["pods"]}"#, RESET], Marked(&[Garbled])),
    row(
        "protobuf-called-json",
        &[r#"{"fault": "wrong-type", "kinds": ["pods"], "value": "application/json", "times": 4}"#, RESET],
        Equal,
    ),
    row(
        "json-called-protobuf",
        &[
            r#"{"fault": "not-acceptable", "value": "protobuf", "kinds": ["pods"]}"#,
            r#"{"fault": "wrong-type", "kinds": ["pods"], "value": "application/vnd.kubernetes.protobuf"}"#,
            RESET,
        ],
        Marked(&[Garbled]),
    ),
    row("gzip-bomb", &[r#"{"fault": "gzip-bomb", "kinds": ["pods"]}"#, RESET], Marked(&[])),
    row("gzip-members", &[r#"{"fault": "gzip-members", "kinds": ["pods"]}"#, RELIST], Equal),
];

/// Events that cannot be believed.
pub(super) const GARBLED: &[Row] = &[
    row("truncated-line", &[r#"{"fault": "truncated-line", "kinds": ["pods"], "nth": 3}"#], Marked(&[])),
    row("garbage-line", &[r#"{"fault": "garbage-line", "kinds": ["pods"], "nth": 3}"#], Marked(&[])),
    row("invalid-text", &[r#"{"fault": "invalid-text", "kinds": ["pods"], "nth": 3}"#], Either),
    row("endless-line", &[r#"{"fault": "endless-line", "kinds": ["pods"], "times": 2}"#], Equal),
    row("unknown-type", &[r#"{"fault": "unknown-type", "kinds": ["pods"], "times": 3}"#], Equal),
    row("error-event", &[r#"{"fault": "error-event", "kinds": ["pods"], "times": 3}"#], Equal),
    row(
        "error-event-500",
        &[r#"{"fault": "error-event", "code": 500, "kinds": ["pods"], "times": 3}"#],
        Equal,
    ),
    row(
        "error-event-no-code",
        &[r#"{"fault": "error-event", "code": 100, "kinds": ["pods"], "times": 3}"#],
        Equal,
    ),
    row(
        "error-event-no-status",
        &[r#"{"fault": "error-event", "code": 101, "kinds": ["pods"], "times": 3}"#],
        Equal,
    ),
    row("no-version", &[r#"{"fault": "odd-version", "kinds": ["pods"], "times": 2}"#], Equal),
    row(
        "version-of-words",
        &[r#"{"fault": "odd-version", "value": "ten", "kinds": ["pods"], "times": 2}"#],
        Equal,
    ),
    row(
        "version-overflow",
        &[r#"{"fault": "odd-version", "value": "99999999999999999999999", "kinds": ["pods"], "times": 2}"#],
        Equal,
    ),
];

/// Events that are odd, lists that are, and state that goes back.
pub(super) const ODD: &[Row] = &[
    row("duplicate", &[r#"{"fault": "duplicate", "kinds": ["pods"]}"#], Equal),
    row("reorder", &[r#"{"fault": "reorder", "kinds": ["pods"], "nth": 2, "times": 3}"#], Equal),
    row("older-version", &[r#"{"fault": "older-version", "kinds": ["pods"], "times": 3}"#], Equal),
    row("unknown-deleted", &[r#"{"fault": "unknown-deleted", "kinds": ["pods"]}"#], Equal),
    row("new-identity", &[r#"{"fault": "new-identity", "kinds": ["pods"]}"#], Equal),
    row("no-bookmarks", &[r#"{"fault": "no-bookmarks"}"#], Equal),
    row("silence", &[r#"{"fault": "silence", "kinds": ["pods"]}"#], Hidden),
    row("large-object", &[r#"{"fault": "large-object", "kinds": ["pods"], "times": 1}"#], Equal),
    row("no-limit", &[r#"{"fault": "no-limit", "kinds": ["pods"]}"#, RELIST], Equal),
    row(
        "repeated-item",
        &[
            r#"{"fault": "short-pages", "value": "2", "kinds": ["pods"]}"#,
            r#"{"fault": "repeated-item", "kinds": ["pods"]}"#,
            RELIST,
        ],
        Equal,
    ),
    row("endless-pages", &[r#"{"fault": "endless-pages", "kinds": ["pods"], "times": 3}"#, RELIST], Equal),
    row("lagging", &[r#"{"fault": "lagging", "value": "500", "kinds": ["pods"]}"#, RELIST], Marked(&[])),
    row("replaced", &[r#"{"fault": "replaced"}"#], Equal),
    row("replaced-gracefully", &[r#"{"fault": "replaced", "value": "gracefully"}"#], Equal),
    row("version", &[r#"{"fault": "version"}"#, RESET], Equal),
];

/// Faults of events that only the next list or an audit can find.
pub(super) const HIDDEN: &[Row] = &[
    // These servers go on at once: they have caught up before anybody can tell by their versions, and may have made
    // anew what was seen last.
    row("restore", &[r#"{"fault": "restore", "value": "5"}"#], Hidden),
    row("unknown-modified", &[r#"{"fault": "unknown-modified", "kinds": ["pods"], "times": 2}"#], Hidden),
    row("lost-delete", &[r#"{"fault": "lost-delete", "kinds": ["pods"]}"#], Hidden),
];

/// Faults of the client's machine, which all clusters of a client share: each has a test of its own.
pub(super) const MACHINE: &[&str] =
    &["unresolved", "sleep", "login", "kubeconfig", "few-files", "disk-full", "signal"];
