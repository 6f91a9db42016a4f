//! Faults of the way to a server: connections, bytes and certificates.

use std::time::Duration;

use super::{FaultName, Faults};
use crate::sim::world::Reach;

/// Which certificate a listener shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Certificate {
    /// One that holds.
    #[default]
    Good,
    /// One of another authority.
    Foreign,
    /// One that expired an hour ago.
    Expired,
    /// One that holds from in an hour.
    TooNew,
}

/// How a connection ends in the middle of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Reset,
    Close,
}

/// The way to a server, as it should be.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Way {
    pub(crate) reach: Reach,
    /// Whether answers stay with the server.
    pub(crate) one_way: bool,
    /// Bytes a second that answers leave at.
    pub(crate) rate: Option<u64>,
    /// How much later requests arrive.
    pub(crate) delay: Option<Duration>,
    /// Connections end after so many bytes of answers.
    pub(crate) end: Option<(u64, End)>,
    /// Whether new connections stay in their handshake.
    pub(crate) hangs: bool,
    pub(crate) certificate: Certificate,
    /// Whether new connections take one request at a time.
    pub(crate) one_stream: bool,
    /// Grows when all connections are to be reset.
    pub(crate) resets: u64,
    /// Grows when all connections are to be told to go away.
    pub(crate) farewells: u64,
    /// Grows when another cluster is to answer.
    pub(crate) replacements: u64,
    /// Grows when nothing more goes over the connections that are open: whoever had them slept, and
    /// what is on the way forgot them.
    pub(crate) naps: u64,
    /// Grows with every change of what is on.
    pub(crate) changes: u64,
}

/// The way that faults make.
pub(crate) fn way(reach: Reach, faults: &Faults) -> Way {
    let is = |name: FaultName| faults.of_connections(name).is_some();
    let bytes = |name: FaultName, usual: u64| faults.of_connections(name).map(|f| f.bytes.unwrap_or(usual));
    let midway = |name: FaultName, end: End| bytes(name, 4096).map(|n| (n, end));
    Way {
        reach: match reach {
            Reach::Open if is(FaultName::Refusing) => Reach::Refusing,
            Reach::Open if is(FaultName::HalfOpen) => Reach::Silent,
            other => other,
        },
        one_way: is(FaultName::OneWay),
        rate: bytes(FaultName::Slow, 50_000).map(|n| n.max(1)),
        delay: faults.of_connections(FaultName::Latency).map(|f| f.delay_or(5)),
        end: midway(FaultName::ResetMidway, End::Reset)
            .or_else(|| midway(FaultName::CloseMidway, End::Close)),
        hangs: is(FaultName::HandshakeHangs),
        certificate: match () {
            () if is(FaultName::NewAuthority) => Certificate::Foreign,
            () if is(FaultName::CertificateExpired) => Certificate::Expired,
            () if is(FaultName::CertificateTooNew) => Certificate::TooNew,
            () => Certificate::Good,
        },
        one_stream: is(FaultName::OneStream),
        resets: faults.resets,
        farewells: faults.farewells,
        replacements: faults.replacements,
        naps: faults.naps,
        changes: faults.changes,
    }
}
