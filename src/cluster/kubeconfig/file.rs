//! One kubeconfig file: read, bounded, parsed.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use kube::config::Kubeconfig;
use serde_saphyr::Spanned;

use crate::cluster::credentials::place;
use crate::cluster::target::{self, FileState, Written};
use crate::model::{Cause, Fault};

/// The largest file that is read. A thousand clusters with their CAs are 3 MiB.
const LARGEST: u64 = 32 << 20;

/// A file and what it says.
pub(super) struct ConfigFile {
    /// Its path for people.
    pub(super) shown: String,
    path: PathBuf,
    state: Option<FileState>,
    /// Its folder: relative paths in it start there.
    folder: PathBuf,
    pub(super) config: Kubeconfig,
    /// The line of each context.
    lines: BTreeMap<String, u64>,
    /// The file or folder by which anybody on this machine could change what it says.
    pub(super) open_to_all: Option<PathBuf>,
}

impl ConfigFile {
    /// Where a context is written: file and line.
    pub(super) fn place(&self, context: &str) -> String {
        match self.lines.get(context) {
            Some(line) => format!("{}:{line}", self.shown),
            None => self.shown.clone(),
        }
    }

    /// Where the entry of this user is written.
    pub(super) fn user(&self, name: &str) -> Written {
        Written { path: self.path.clone(), name: name.to_owned(), state: self.state }
    }

    /// A path written in this file.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }

    /// A command written in this file: one with a slash belongs to the file's folder, a bare
    /// name to `PATH`.
    pub(super) fn command(&self, written: &str) -> String {
        if !written.contains('/') {
            return written.to_owned();
        }
        place::clean(&self.path(written).display().to_string())
    }
}

/// Reads and parses a file; `None` when there is none.
pub(super) fn read(path: &Path, shown: String) -> Result<Option<ConfigFile>, Fault> {
    let wrong = |what: String| Fault::new(Cause::Config, what, "mend the file, or leave it out");
    let mut bytes = Vec::new();
    let state = target::file_state(path);
    match std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(format!("it cannot be read: {error}"))),
        Ok(_) if bytes.len() as u64 > LARGEST => return Err(wrong("it is larger than 32 MiB".to_owned())),
        Ok(_) => {}
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
    let config = parse(&text).map_err(|error| wrong(reason(&error)))?;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Ok(Some(ConfigFile {
        shown,
        state,
        folder: path.parent().map(Path::to_owned).unwrap_or_default(),
        config,
        lines: lines(&text),
        open_to_all: place::open_to_all(&path),
        path,
    }))
}

fn parse(text: &str) -> Result<Kubeconfig, serde_saphyr::Error> {
    if text.trim().is_empty() {
        return Ok(Kubeconfig::default());
    }
    Ok(serde_saphyr::from_str::<Option<Kubeconfig>>(text)?.unwrap_or_default())
}

/// The line and the reason of an error, without the values around it: they may be secrets.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    let mut said = String::new();
    for (i, part) in first.split('"').enumerate() {
        said.push_str(if i % 2 == 0 { part } else { "\"…\"" });
    }
    match error.location() {
        Some(at) => format!("line {}: {said}", at.line()),
        None => said,
    }
}

/// The line of each context, as far as they can be told.
fn lines(text: &str) -> BTreeMap<String, u64> {
    #[derive(serde::Deserialize)]
    struct Lines {
        #[serde(default)]
        contexts: Vec<Named>,
    }
    #[derive(serde::Deserialize)]
    struct Named {
        name: Spanned<String>,
    }
    let contexts = serde_saphyr::from_str::<Lines>(text).map(|lines| lines.contexts).unwrap_or_default();
    let mut lines = BTreeMap::new();
    for context in contexts {
        let line = context.name.referenced.line();
        lines.entry(context.name.value).or_insert(line);
    }
    lines
}
