//! The floors: what the lists of a fleet are in plain JSON, and what it takes only to read them.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, eyre};
use quarterdeck::cluster::{Plugins, Request, Session, Sources, find_clusters};
use quarterdeck::kinds::wire::{Format, ListEnd};
use quarterdeck::kinds::{ALL, RecordList, VersionDecl};
use quarterdeck::model::Kind;

/// The largest page.
const LARGEST: usize = 256 << 20;

/// More clusters than this are not asked: they are alike, and the rest is in proportion.
const ASKED: usize = 20;

/// All lists of a fleet.
#[derive(Default)]
pub(crate) struct Floor {
    /// Bytes in JSON, not compressed.
    pub(crate) json: f64,
    /// Reading them from protobuf into records, on one core, from memory.
    pub(crate) decode: Duration,
    /// The same without the reading: asking and receiving, not compressed, one list at a time.
    pub(crate) server: Duration,
}

/// Asks for every list of the clusters of a kubeconfig in both formats.
pub(crate) fn measure(kubeconfig: &Path) -> Result<Floor> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let found = find_clusters(&Sources { file: Some(kubeconfig.to_owned()), ..Sources::default() }, &[]);
        let (all, plugins) = (found.targets.len(), Plugins::default());
        let mut floor = Floor::default();
        for target in found.targets.iter().take(ASKED) {
            let session = Session::new(target, &plugins).map_err(|fault| eyre!("{fault}"))?;
            for decl in &ALL {
                list(&session, decl.preferred(), &mut floor).await?;
            }
        }
        let share = all as f64 / all.min(ASKED) as f64;
        Ok(Floor {
            json: floor.json * share,
            decode: floor.decode.mul_f64(share),
            server: floor.server.mul_f64(share),
        })
    })
}

async fn list(session: &Session, version: &'static VersionDecl, floor: &mut Floor) -> Result<()> {
    for format in [Format::Json, Format::Protobuf] {
        let mut token = String::new();
        loop {
            let began = Instant::now();
            let path = format!("{}?limit=2500&continue={token}", version.path());
            let response = session.send(Request::get(path).accept(format.accept())).await;
            let response = response.map_err(|fault| eyre!("{fault}"))?;
            let body = response.bytes(LARGEST).await.map_err(|fault| eyre!("{fault}"))?;
            let came = began.elapsed();
            let began = Instant::now();
            let end = read(version, format, &body)?;
            if format == Format::Json {
                floor.json += body.len() as f64;
            } else {
                floor.decode += began.elapsed();
                floor.server += came;
            }
            match end.continue_token {
                next if next.is_empty() => break,
                next => token = next,
            }
        }
    }
    Ok(())
}

/// The pods of every cluster of a kubeconfig that is asked, as protobuf.
pub(crate) fn pods(kubeconfig: &Path) -> Result<Vec<Vec<u8>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let found = find_clusters(&Sources { file: Some(kubeconfig.to_owned()), ..Sources::default() }, &[]);
        let path = quarterdeck::kinds::of(Kind::Pod).preferred().path();
        let mut lists = Vec::new();
        for target in found.targets.iter().take(ASKED) {
            let session = Session::new(target, &Plugins::default()).map_err(|fault| eyre!("{fault}"))?;
            let request = Request::get(path.clone()).accept(Format::Protobuf.accept());
            let response = session.send(request).await.map_err(|fault| eyre!("{fault}"))?;
            lists.push(response.bytes(LARGEST).await.map_err(|fault| eyre!("{fault}"))?.to_vec());
        }
        Ok(lists)
    })
}

/// How long the first cluster of a kubeconfig takes for the list of a kind as the program asks for it,
/// in protobuf and compressed, when what comes is thrown away.
pub(crate) fn asked(kubeconfig: &Path, kind: Kind) -> Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let found = find_clusters(&Sources { file: Some(kubeconfig.to_owned()), ..Sources::default() }, &[]);
        let target = found.targets.first().ok_or_else(|| eyre!("no cluster in {}", kubeconfig.display()))?;
        let session = Session::new(target, &Plugins::default()).map_err(|fault| eyre!("{fault}"))?;
        let version = quarterdeck::kinds::of(kind).preferred();
        // Connecting is not the list's.
        session.send(Request::get("/version")).await.map_err(|fault| eyre!("{fault}"))?;
        let began = Instant::now();
        let request = Request::get(version.path()).accept(Format::Protobuf.accept()).gzip();
        let mut response = session.send(request).await.map_err(|fault| eyre!("{fault}"))?;
        if response.status != 200 {
            return Err(eyre!("{}: {}", version.path(), response.status));
        }
        while let Some(chunk) = response.body.chunk().await {
            drop(black_box(chunk.map_err(|fault| eyre!("{fault}"))?));
        }
        Ok(began.elapsed())
    })
}

/// Reads a list, a network's buffer at a time.
pub(crate) fn read(version: &'static VersionDecl, format: Format, body: &[u8]) -> Result<ListEnd> {
    let failed = |error: quarterdeck::kinds::wire::WireError| eyre!("{:?}: {error}", version.kind);
    let mut list = RecordList::new(version, format);
    for chunk in body.chunks(16 << 10) {
        list.feed(chunk, |record| drop(black_box(record))).map_err(failed)?;
    }
    list.finish(|record| drop(black_box(record))).map_err(failed)
}

/// Seconds, unless this program was not optimised: then they would be no floor.
pub(crate) fn seconds(time: Duration) -> String {
    if cfg!(debug_assertions) {
        "only with --release".to_owned()
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}
