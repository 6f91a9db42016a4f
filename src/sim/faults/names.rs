//! The faults by name, and which class of the list of faults each is.

use serde::Deserialize;

/// Makes the names from one table: variant, name, classes, what happens.
macro_rules! names {
    ($($variant:ident $name:literal $classes:literal $says:literal)*) => {
        /// A fault. The classes are those that a client of many clusters must survive.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
        pub(crate) enum FaultName {
            $(#[doc = $says] #[serde(rename = $name)] $variant,)*
        }

        impl FaultName {
            /// Every fault.
            pub(crate) const ALL: &'static [FaultName] = &[$(FaultName::$variant,)*];

            /// Its name, the numbers of its classes, and what happens.
            pub(crate) const fn about(self) -> (&'static str, &'static str, &'static str) {
                match self { $(FaultName::$variant => ($name, $classes, $says),)* }
            }
        }
    };
}

names! {
    Reset "reset" "1" "every connection is reset, once"
    ResetMidway "reset-midway" "2" "a connection is reset after `bytes` (4096) of answers"
    CloseMidway "close-midway" "3" "a connection is closed after `bytes` (4096) of answers"
    HalfOpen "half-open" "4" "connections are kept, and nothing goes either way"
    OneWay "one-way" "5" "requests arrive, and no answer leaves"
    Slow "slow" "6, 7" "answers leave at `bytes` (50000) a second"
    Latency "latency" "8" "what is sent to the server arrives `delay` (5s) later"
    Unresolved "unresolved" "9" "the server's name does not resolve: new connections are not made"
    Refusing "refusing" "10" "connecting is refused"
    HandshakeHangs "handshake-hangs" "11" "the TLS handshake of new connections does not go on"
    NewAuthority "new-authority" "12" "the certificate is of another authority"
    CertificateExpired "certificate-expired" "13" "the certificate expired an hour ago"
    CertificateTooNew "certificate-too-new" "13" "the certificate holds from in an hour"
    GoAway "go-away" "14" "connections are told to go away (GOAWAY), once"
    ResetStream "reset-stream" "14" "an answer is broken off (RST_STREAM)"
    OneStream "one-stream" "14" "new connections take one request at a time"
    CaptivePortal "captive-portal" "15" "a page of HTML answers everything"
    Sleep "sleep" "16" "the client's machine sleeps for `delay` (10m) and wakes, once"
    TooMany "too-many-requests" "17, 18" "429, with `retry-after` if it is given"
    Unauthorized "unauthorized" "19" "401"
    Forbidden "forbidden" "20" "403"
    NotFound "not-found" "21" "404: the kind is not served any more"
    NotAcceptable "not-acceptable" "22" "406, to requests that accept `value` (anything)"
    Expired "expired" "23" "410, on lists, on their further pages and on watches"
    ExpiredPages "expired-pages" "23" "410 on further pages of lists"
    Error "error" "24" "`code` (503)"
    EmptyBody "empty-body" "25" "200 with nothing in it"
    WrongType "wrong-type" "26" "200 with a type of content that it is not"
    GzipBomb "gzip-bomb" "27" "`bytes` (1 GiB) of zeros, compressed"
    GzipMembers "gzip-members" "28" "bodies compressed in many members"
    TruncatedLine "truncated-line" "29" "half of an event, and its end"
    GarbageLine "garbage-line" "30" "an event that is none"
    InvalidText "invalid-text" "31" "an event with bytes that are no UTF-8"
    EndlessLine "endless-line" "32" "an event of `bytes` (1 GiB)"
    UnknownType "unknown-type" "33" "an event of a type that nobody knows"
    ErrorEvent "error-event" "34" "an ERROR of `code` (410); 100 has no code, 101 is no Status"
    Duplicate "duplicate" "35" "an event twice"
    Reorder "reorder" "36" "an event after the one that follows it"
    OlderVersion "older-version" "37" "an event, and then the object as it was before"
    OddVersion "odd-version" "38" "an event whose version is `value` (none)"
    UnknownModified "unknown-modified" "39" "MODIFIED of an object that was never there"
    UnknownDeleted "unknown-deleted" "40" "DELETED of an object that was never there"
    NewIdentity "new-identity" "41" "objects have another uid, once, and no DELETED says so"
    LostDelete "lost-delete" "42" "DELETED is not sent"
    NoBookmarks "no-bookmarks" "43" "no bookmark is sent"
    NoInitialEnd "no-initial-end" "44" "the end of the initial events is not said"
    Silence "silence" "45" "watches say nothing, not even bookmarks"
    LargeObject "large-object" "47" "an object has an annotation of `bytes` (20 MB)"
    NoLimit "no-limit" "48" "a list ignores its limit"
    ShortPages "short-pages" "48" "a page has `value` (10) objects, whatever its limit"
    RepeatedItem "repeated-item" "49" "a page begins with the last item of the one before"
    EndlessPages "endless-pages" "50" "the last page says that there are more, from the start"
    Restore "restore" "51" "everything is as it was `value` (50) versions ago, versions too, once"
    Lagging "lagging" "52" "lists show what was `value` (50) versions ago"
    Replaced "replaced" "53" "another cluster answers: new uids, young versions, once; where `value` is `gracefully`, watches end in good order"
    Version "version" "54" "the server is of version `value` (v1.37.0)"
    Withdrawn "withdrawn" "55" "version `value` (the preferred one) of `kinds` is not served any more"
    Login "login" "56" "the login is over (401), and the plugin that makes a new one `value` (hangs)"
    Kubeconfig "kubeconfig" "57" "the kubeconfig that was written is `value` (cut)"
    FewFiles "few-files" "58" "the client's process may have `value` (32) files open"
    DiskFull "disk-full" "59" "the client's process can write into no file"
    Signal "signal" "60" "the client's process gets `value` (SIGTERM), once"
}

impl FaultName {
    /// Whether it is of connections and bytes, before anything is known of requests: unless it is
    /// said whose requests are concerned.
    pub(crate) const fn of_the_way(self) -> bool {
        self.of_streams() || self.of_greetings() || matches!(self, FaultName::GoAway)
    }

    /// Whether it can also be of one request and its answer: of one stream of a connection.
    pub(crate) const fn of_streams(self) -> bool {
        use FaultName::{CloseMidway, HalfOpen, Latency, OneWay, Refusing, Reset, ResetMidway, Slow};
        matches!(self, Reset | ResetMidway | CloseMidway | HalfOpen | OneWay | Slow | Latency | Refusing)
    }

    /// Whether it is of how connections begin, before there is any request.
    pub(crate) const fn of_greetings(self) -> bool {
        use FaultName::{CertificateExpired, CertificateTooNew, HandshakeHangs, NewAuthority, OneStream};
        matches!(self, HandshakeHangs | NewAuthority | CertificateExpired | CertificateTooNew | OneStream)
    }

    /// Whether it is of the client's machine, whatever is asked for there.
    pub(crate) const fn of_the_machine(self) -> bool {
        use FaultName::{DiskFull, FewFiles, Kubeconfig, Login, Signal, Sleep, Unresolved};
        matches!(self, Unresolved | Sleep | Login | Kubeconfig | FewFiles | DiskFull | Signal)
    }

    /// Whether it happens when it is switched on and is over then.
    pub(crate) const fn once(self) -> bool {
        use FaultName::{GoAway, NewIdentity, Replaced, Reset, Restore, Signal, Sleep};
        matches!(self, Reset | GoAway | NewIdentity | Restore | Replaced | Sleep | Signal)
    }

    /// What its `value` may be, the usual one first; nothing where anything may.
    pub(crate) const fn values(self) -> &'static [&'static str] {
        match self {
            FaultName::Login => {
                &["hangs", "fails", "floods", "prints-garbage", "gives-expired", "gives-none", "asks"]
            }
            FaultName::Kubeconfig => &["cut", "gone", "renewed"],
            FaultName::Signal => &["SIGTERM", "SIGHUP", "SIGINT", "SIGSTOP", "SIGWINCH"],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_in_the_document_and_every_class_has_one() {
        let document = include_str!("../../../assets/scenarios/README.md");
        let mut classes: Vec<u32> = Vec::new();
        for fault in FaultName::ALL {
            let (name, numbers, _) = fault.about();
            assert!(document.contains(&format!("| `{name}` | {numbers} |")), "{name} {numbers}");
            classes.extend(numbers.split(", ").map(|n| n.parse::<u32>().unwrap()));
        }
        // 46, a storm, is churn
        assert_eq!((1..=60).filter(|n| *n != 46).find(|n| !classes.contains(n)), None);
    }
}
