//! Which version of each kind is read from a server.

use crate::cluster::{self, Declared, Discovery, Session};
use crate::kinds::{self, VersionDecl};
use crate::model::{Fault, Served};

/// Asks a server what it is and what it serves of the watched kinds.
pub(super) async fn discover(session: &Session) -> Result<Discovery, Fault> {
    let readable: Vec<Vec<&str>> = kinds::ALL
        .iter()
        .map(|decl| decl.versions.iter().filter(|v| v.group == group(decl)).map(|v| v.version).collect())
        .collect();
    let declared: Vec<Declared<'_>> = kinds::ALL
        .iter()
        .zip(&readable)
        .map(|(decl, versions)| (decl.kind, group(decl), versions.as_slice()))
        .collect();
    cluster::discover(session, &declared).await
}

/// Whether a server of this version offers lists as compressed streams: since 1.37 a watch is
/// compressed, a gzip member for each event (`WatchListCompression`). Before, streaming lists came
/// plain, at about eight times the bytes of a compressed list.
pub(super) fn streams(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse::<u32>().unwrap_or(0)
    });
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (1, 37)
}

/// The group that is asked for. Events have two, and the core one shows all that the other does.
fn group(decl: &kinds::KindDecl) -> &'static str {
    decl.preferred().group
}

/// How each kind is read. What is not served is asked for all the same, every few minutes: it
/// may come.
pub(super) fn chosen(served: &Served) -> impl Iterator<Item = &'static VersionDecl> {
    kinds::ALL.iter().map(|decl| {
        let wanted = served.versions.get(&decl.kind);
        let fits = |v: &&VersionDecl| v.group == group(decl) && wanted.is_some_and(|w| *w == v.version);
        decl.versions.iter().find(fits).unwrap_or_else(|| decl.preferred())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Text};

    #[test]
    fn streams_are_asked_for_where_they_come_compressed() {
        for (version, offered) in [
            ("v1.36.3", false),
            ("v1.37.0-rc.1", true),
            ("v1.38.1-eks-1", true),
            ("v2.0", true),
            ("", false),
            ("1.37+", true),
            ("odd", false),
        ] {
            assert_eq!(streams(version), offered, "{version}");
        }
    }

    #[test]
    fn every_kind_is_read_by_the_version_that_is_served() {
        let mut served = Served::default();
        served.versions.insert(Kind::Pod, Text::clean("v1"));
        served.versions.insert(Kind::Autoscaler, Text::clean("v9"));
        let chosen: Vec<&VersionDecl> = chosen(&served).collect();
        assert_eq!(chosen.len(), Kind::COUNT);
        assert!(chosen.iter().zip(Kind::ALL).all(|(version, kind)| version.kind == kind));
        assert_eq!(chosen[Kind::Autoscaler.index()].api_version(), "autoscaling/v2");
        assert_eq!(chosen[Kind::Event.index()].path(), "/api/v1/events");
    }
}
