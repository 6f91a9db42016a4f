//! Reports of failovers and drills, as files.

use std::path::{Path, PathBuf};

use super::files;
use crate::model::{Cause, ClusterId, Fault, Text};
use crate::operations::Run;
use crate::runner::report;

/// Writes the Markdown and the JSON report of a run, and returns the path of the first.
///
/// # Errors
/// The folder cannot be made or written.
pub(super) fn write(run: &Run, folder: &Path, name: &dyn Fn(ClusterId) -> Text) -> Result<PathBuf, Fault> {
    let path = |extension: &str| folder.join(format!("{}.{extension}", report::file_name(run)));
    let json = format!("{:#}\n", report::json(run, name));
    let written = files::write_private(&path("md"), report::markdown(run, name).as_bytes())
        .and_then(|()| files::write_private(&path("json"), json.as_bytes()));
    written.map_err(|error| {
        let what = format!("the report cannot be written to {}: {error}", folder.display());
        Fault::new(Cause::Config, what, "the journal holds every step of it")
    })?;
    Ok(path("md"))
}
