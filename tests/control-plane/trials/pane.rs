//! What the panes of a fleet of planes show, while trials wait for it.

use std::borrow::Cow;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use quarterdeck::views::scaling::{ScalingLens, sheet};
use quarterdeck::views::{Scope, SheetRow, Snapshot};
use serde_json::Value;

use super::ground::{self, Ground};
use super::planes::Error;

/// From a wish to running pods: controllers look every 15 s, and the machine is busy.
pub(crate) const SCALED: Duration = Duration::from_secs(180);

/// Waits until the Scaling pane has such a row.
pub(crate) async fn told(ground: &Ground, such: impl Fn(&SheetRow) -> bool) -> Result<Arc<Snapshot>, Error> {
    let mut snapshots = ground.snapshots();
    let reached = snapshots.wait_for(|snapshot| row(snapshot, &such).is_ok());
    let reached =
        tokio::time::timeout(SCALED, reached).await.ok().and_then(Result::ok).map(|s| Arc::clone(&s));
    reached
        .ok_or_else(|| row(&ground.snapshot(), &such).err().unwrap_or_else(|| Error::new("it came too late")))
}

/// The newest such row of the Scaling pane.
pub(crate) fn row(snapshot: &Snapshot, such: impl Fn(&SheetRow) -> bool) -> Result<SheetRow, Error> {
    let rows = sheet(snapshot, &Scope::All, ScalingLens::Time, ground::now()).rows;
    let found = rows.iter().find(|row| such(row)).map(Cow::into_owned);
    found.ok_or_else(|| {
        let rows: Vec<_> = rows.iter().map(|row| line(&row)).collect();
        Error::new(format!("the Scaling pane has no such row:\n{}", rows.join("\n")))
    })
}

fn line(row: &SheetRow) -> String {
    row.cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" | ")
}

/// A cell of the Scaling pane by the title of its column; the glyph's column has none.
pub(crate) fn cell(row: &SheetRow, title: &str) -> String {
    let titles = ["when", "", "where", "what", "to", "cause", "$/h", "lead"];
    let place = titles.iter().position(|known| *known == title);
    place.and_then(|at| row.cells.get(at)).map(|cell| cell.text.to_string()).unwrap_or_default()
}

/// Fails with the row where something does not hold of it.
pub(crate) fn check(holds: bool, what: &str, row: &SheetRow) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::new(format!("expected {what}, but the row is: {}", line(row)))) }
}

/// The rows that the program itself prints, started anew: `quarterdeck get VIEW -o json`.
pub(crate) fn printed(kubeconfig: &Path, view: &[&str]) -> Result<Vec<Value>, Error> {
    let what = format!("quarterdeck get {}", view.join(" "));
    let failed = |error: &dyn std::fmt::Display| Error::new(format!("{what}: {error}"));
    let home = tempfile::tempdir().map_err(|error| failed(&error))?;
    let output = Command::new(env!("CARGO_BIN_EXE_quarterdeck"))
        .arg("get")
        .args(view)
        .args(["-o", "json", "--kubeconfig"])
        .arg(kubeconfig)
        .env("QUARTERDECK_HOME", home.path())
        .output()
        .map_err(|error| failed(&error))?;
    let (text, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let document: Value =
        serde_json::from_str(&text).map_err(|error| failed(&format!("{error}: {text}{said}")))?;
    Ok(document["rows"].as_array().cloned().unwrap_or_default())
}
