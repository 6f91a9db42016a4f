//! Recovery plan files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files;
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
    paths.sort_unstable();
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

/// Writes a recovery plan to a file of its own in a folder, whole or not at all, and never over one
/// that is there.
///
/// # Errors
/// It is no recovery plan, or it cannot be written.
pub(super) fn keep(folder: &Path, text: &str) -> Result<(RecoveryFile, PathBuf), Problem> {
    let place = folder.display().to_string();
    let file = RecoveryFile::read(text).map_err(|error| Problem::of(&place, &error.what))?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = file.name.chars().map(plain).collect();
    let name = name.trim_start_matches('.');
    let mut names = std::iter::once(format!("{name}.toml")).chain((2..).map(|n| format!("{name}-{n}.toml")));
    let free = names.by_ref().take(1000).map(|name| folder.join(name)).find(|path| !path.exists());
    let path = free.ok_or_else(|| Problem::of(&place, "it holds too many plans of that name"))?;
    files::write_private(&path, text.as_bytes())
        .map_err(|error| Problem::of(&path.display().to_string(), format!("cannot be written: {error}")))?;
    Ok((file, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "version=1\nname='a/b to c'\nprimary='a'\nstandby='b'\n[[workload]]\nkind='Deployment'\nnamespace='shop'\nname='cart'";

    #[test]
    fn a_proposal_is_kept_beside_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("recovery");
        let (file, first) = keep(&own, PLAN).unwrap();
        let (_, second) = keep(&own, PLAN).unwrap();
        assert_eq!(file.name, "a/b to c");
        assert_eq!(first, own.join("a-b-to-c.toml"));
        assert_eq!(second, own.join("a-b-to-c-2.toml"));
        assert_eq!(std::fs::read_to_string(first).unwrap(), PLAN);
        assert_eq!(load_all(&own).0.len(), 2);
        assert!(keep(&own, "version = 1").is_err());
    }
}
