//! Builds a set of tools from its `go.mod` with the ordinary `go` command.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::binaries::Unavailable;
use super::process::{Process, Undertaker};
use super::toolset::{Patch, Shipped, Toolset};

/// Fetching one module; it tells a missing proxy from a slow build.
const PROBE: Duration = Duration::from_secs(120);
const BUILD: Duration = Duration::from_secs(60 * 60);

/// Builds everything beside `target` and moves it there in one step, so that nobody finds half of it.
pub(crate) fn build(set: &Toolset, root: &Path, target: &Path) -> Result<(), Unavailable> {
    let work = tempfile::Builder::new()
        .prefix("building-")
        .tempdir_in(root)
        .map_err(|error| Unavailable(format!("cannot make a directory in {}: {error}", root.display())))?;
    let go = Go::new(set, work.path())?;
    // Small modules first: without a proxy that fails at once, and not after minutes.
    let shipped = set.shipped.iter().map(|shipped| go.shipped(shipped)).collect::<Result<Vec<_>, _>>()?;
    for patch in set.patches {
        go.patch(patch)?;
    }
    let (what, takes) = (set.commands.join(", "), set.takes);
    note(&format!("building {what} ({}) once for this machine: about {takes} on two cores", set.name));
    go.install()?;
    let bin = work.path().join("bin");
    assemble(set, &bin, &shipped)
        .map_err(|error| Unavailable(format!("cannot put the binaries together: {error}")))?;
    fs::rename(&bin, target)
        .map_err(|error| Unavailable(format!("cannot move the binaries to {}: {error}", target.display())))
}

#[expect(clippy::print_stderr, reason = "a test that is silent for minutes looks hung")]
fn note(text: &str) {
    eprintln!("control planes: {text}");
}

/// Renames what is named oddly and adds the files that modules ship.
fn assemble(set: &Toolset, bin: &Path, shipped: &[String]) -> std::io::Result<()> {
    for (theirs, ours) in set.renamed {
        fs::rename(bin.join(theirs), bin.join(ours))?;
    }
    for (file, text) in set.shipped.iter().zip(shipped) {
        fs::write(bin.join(file.to), text)?;
    }
    Ok(())
}

/// The `go` command in a copy of the module.
struct Go<'a> {
    set: &'a Toolset,
    work: &'a Path,
    undertaker: Arc<Undertaker>,
    /// Commands run so far: each has a log of its own, because its output is read from it.
    runs: Cell<u32>,
}

impl<'a> Go<'a> {
    fn new(set: &'a Toolset, work: &'a Path) -> Result<Self, Unavailable> {
        for (file, text) in [("go.mod", set.module.go_mod), ("go.sum", set.module.go_sum)] {
            fs::write(work.join(file), text)
                .map_err(|error| Unavailable(format!("cannot write {}: {error}", work.display())))?;
        }
        let undertaker = Undertaker::start(work).map_err(|error| Unavailable(error.to_string()))?;
        Ok(Self { set, work, undertaker: Arc::new(undertaker), runs: Cell::new(0) })
    }

    /// Downloads a module and says where it lies.
    fn module(&self, module: &str) -> Result<PathBuf, Unavailable> {
        let json = self.run("mod", &["download", "-json", module], PROBE)?;
        let dir = serde_json::from_str::<serde_json::Value>(&json)
            .ok()
            .and_then(|answer| answer.get("Dir").and_then(|dir| dir.as_str().map(PathBuf::from)));
        dir.ok_or_else(|| Unavailable(format!("go did not say where it put {module}: {json}")))
    }

    fn shipped(&self, shipped: &Shipped) -> Result<String, Unavailable> {
        let dir = self.module(shipped.module)?.join(shipped.under);
        let mut all = String::new();
        for file in shipped.files {
            let path = dir.join(file);
            let text = fs::read_to_string(&path)
                .map_err(|error| Unavailable(format!("cannot read {}: {error}", path.display())))?;
            all.push_str(&text);
            all.push_str("\n---\n");
        }
        Ok(all)
    }

    /// Builds from a copy of the module with the text changed: Go checks that the module itself is untouched.
    fn patch(&self, patch: &Patch) -> Result<(), Unavailable> {
        let from = self.module(patch.module)?;
        let copy = self.work.join("patched").join(patch.module);
        let file = copy.join(patch.file);
        let write = || -> std::io::Result<bool> {
            copy_sources(&from, &copy)?;
            let text = fs::read_to_string(&file)?;
            fs::write(&file, text.replace(patch.from, patch.to))?;
            Ok(text.contains(patch.from))
        };
        let found = write().map_err(|error| Unavailable(format!("cannot copy {}: {error}", patch.module)))?;
        if !found {
            let (file, text) = (patch.file, patch.from);
            return Err(Unavailable(format!("{file} of {} no longer says {text}", patch.module)));
        }
        self.run("mod", &["edit", &format!("-replace={}={}", patch.module, copy.display())], PROBE).map(drop)
    }

    fn install(&self) -> Result<(), Unavailable> {
        self.run("install", &["-trimpath", "-ldflags", &self.set.ldflags(), "tool"], BUILD).map(drop)
    }

    /// Runs `go`, and gives its output, or the line of it that says what went wrong.
    fn run(&self, verb: &str, args: &[&str], deadline: Duration) -> Result<String, Unavailable> {
        let run = self.runs.replace(self.runs.get() + 1);
        let log = self.work.join(format!("{verb}-{run}.log"));
        let mut command = Command::new("go");
        command.arg(verb).args(args).current_dir(self.work);
        // No flags of the user's, which could change what is built or refuse to build it.
        command.env("CGO_ENABLED", "0").env("GOFLAGS", "").env("GOBIN", self.work.join("bin"));
        command.env("GOWORK", "off");
        let failed = |why: String| Unavailable(format!("go {verb}: {why}"));
        let mut go = Process::spawn("go", command, &log, &self.undertaker)
            .map_err(|error| Unavailable(format!("{error} (is Go 1.26 or newer installed?)")))?;
        let status = go.ended(deadline).map_err(|error| failed(error.to_string()))?;
        let status = status.ok_or_else(|| failed(format!("still running after {} s", deadline.as_secs())))?;
        let output = fs::read_to_string(&log).unwrap_or_default();
        if status.success() {
            return Ok(json_part(&output).to_owned());
        }
        Err(failed(cause(&output)))
    }
}

/// Copies a module, without the write protection that the module cache has.
fn copy_sources(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_sources(&entry.path(), &target)?;
        } else {
            fs::write(&target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Progress ("go: downloading …") goes to the same log as the answer; the answer is the JSON at its end.
fn json_part(output: &str) -> &str {
    output.find('{').and_then(|start| output.get(start..)).unwrap_or(output)
}

/// What the command says went wrong: the error inside its JSON, or the first line that is not progress.
fn cause(output: &str) -> String {
    let answer = serde_json::from_str::<serde_json::Value>(json_part(output)).ok();
    if let Some(error) = answer.as_ref().and_then(|answer| answer.get("Error")?.as_str()) {
        return error.to_owned();
    }
    let telling = |line: &&str| !line.trim().is_empty() && !line.starts_with("go: downloading");
    output.lines().find(telling).unwrap_or("no message").trim().to_owned()
}
