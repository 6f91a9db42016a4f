//! The program on a terminal, and what it is waited for.

use std::path::Path;
use std::time::Duration;

use color_eyre::eyre::{Result, eyre};

use crate::size::Size;
use driver::Fleet;
use driver::Session;

pub(crate) const SIZE: (u16, u16) = (200, 60);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Opens the program on the clusters of a kubeconfig, with this command first.
pub(crate) fn open(binary: &Path, fleet: &Fleet, kubeconfig: &Path, command: &str) -> Result<Session> {
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| eyre!("the path is not UTF-8"));
    let (kubeconfig, home) = (text(kubeconfig)?, text(fleet.home())?);
    let arguments = ["--kubeconfig", &kubeconfig, "-c", command];
    Ok(Session::start(binary, &arguments, &[("QUARTERDECK_HOME", &home)], SIZE))
}

/// Waits for words on the screen.
pub(crate) fn wait(session: &mut Session, words: &str) -> Result<()> {
    session.wait_for_text(PATIENCE, words).map_err(|why| eyre!(why))
}

/// Waits until every pod of the fleet is in the table, and every cluster live.
pub(crate) fn complete(session: &mut Session, size: Size, pods: usize) -> Result<()> {
    let rows = format!("{} pods in {} clusters", grouped(pods), size.clusters());
    let live = live(size);
    let complete = |s: &vt100::Screen| s.contents().contains(&rows) && s.contents().contains(&live);
    session.wait_for(PATIENCE, complete).map_err(|why| eyre!(why))
}

/// What row 1 says when every cluster is live.
pub(crate) fn live(size: Size) -> String {
    format!("●{} ", size.clusters())
}

/// Opens the table of pods and waits until it is complete and the screen has come to rest.
pub(crate) fn open_complete(binary: &Path, fleet: &Fleet, size: Size) -> Result<Session> {
    let mut session = open(binary, fleet, &fleet.kubeconfig(), "pods")?;
    complete(&mut session, size, size.pods())?;
    session.settle(Duration::from_millis(800), Duration::from_secs(30));
    Ok(session)
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
