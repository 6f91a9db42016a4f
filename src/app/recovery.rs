//! Recovery plan files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{Problem, Text};
use crate::operations::RecoveryFile;

/// Every recovery plan of a folder, and what is wrong with those that cannot be read.
pub(super) fn load_all(folder: &Path) -> (Vec<Arc<RecoveryFile>>, Vec<Problem>) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    let mut plans = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        match load(&path) {
            Ok(plan) => plans.push(Arc::new(plan)),
            Err(problem) => problems.push(problem),
        }
    }
    (plans, problems)
}

/// The recovery plan of a file.
///
/// # Errors
/// It cannot be read, or says what no plan can.
pub(super) fn load(path: &Path) -> Result<RecoveryFile, Problem> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem::of(&file, format!("cannot be read: {error}")))?;
    RecoveryFile::read(&text).map_err(|error| Problem {
        file: Text::clean(&file),
        line: error.line,
        what: error.what,
    })
}
