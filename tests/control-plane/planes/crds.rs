//! Which files below a directory define kinds.

use std::fs;
use std::path::Path;

use super::error::{Error, Result};

/// The paths of files with definitions, in order; a path that is a file is looked at itself.
pub(crate) fn files(path: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    collect(path, &mut found).map_err(Error::on(format!("cannot read {}", path.display())))?;
    found.sort();
    if found.is_empty() {
        return Err(Error::new(format!("{} has no CustomResourceDefinition in it", path.display())));
    }
    Ok(found)
}

fn collect(path: &Path, found: &mut Vec<String>) -> std::io::Result<()> {
    if path.is_dir() {
        return fs::read_dir(path)?.try_for_each(|entry| collect(&entry?.path(), found));
    }
    let text = matches!(path.extension().and_then(|end| end.to_str()), Some("yaml" | "yml" | "json"));
    if text && String::from_utf8_lossy(&fs::read(path)?).contains("CustomResourceDefinition") {
        found.push(path.to_string_lossy().into_owned());
    }
    Ok(())
}
