//! Builds the binaries from `go.mod` with the ordinary `go` command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::binaries::Unavailable;
use super::process::{Process, Undertaker};
use super::wait::wait_until;

/// KWOK's stages (what a node and a pod do next), which its module ships and its command does not.
pub(crate) const KWOK_CONFIG: &str = "kwok.yaml";

const GO_MOD: &str = include_str!("../go.mod");
const GO_SUM: &str = include_str!("../go.sum");

/// Fetching one small module; it tells a missing proxy from a slow build.
const PROBE: Duration = Duration::from_secs(120);
const BUILD: Duration = Duration::from_secs(60 * 60);

const KWOK_FILES: &[&str] = &[
    "stage/node/fast/node-initialize.yaml",
    "stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "stage/node/chaos/node-not-ready.yaml",
    "stage/pod/fast/pod-ready.yaml",
    "stage/pod/fast/pod-complete.yaml",
    "stage/pod/fast/pod-delete.yaml",
    "stage/pod/chaos/pod-container-running-failed.yaml",
    "stage/pod/chaos/pod-init-container-running-failed.yaml",
    "metrics/usage/usage-from-annotation.yaml",
    "metrics/resource/metrics-resource.yaml",
];

/// What the binaries are made of, as a name: another version or another flag is another directory.
pub(crate) fn fingerprint() -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in [GO_MOD, GO_SUM, &ldflags(), &KWOK_FILES.join(" "), std::env::consts::ARCH] {
        context.update(part.as_bytes());
    }
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Builds everything beside `target` and moves it there in one step, so that nobody finds half of it.
pub(crate) fn build(root: &Path, target: &Path) -> Result<(), Unavailable> {
    let work = tempfile::Builder::new()
        .prefix("building-")
        .tempdir_in(root)
        .map_err(|error| Unavailable(format!("cannot make a directory in {}: {error}", root.display())))?;
    let go = Go::new(work.path())?;
    let kwok = go.kwok_module()?;
    note("building kube-apiserver, etcd and the rest once for this machine: about six minutes on two cores");
    go.install()?;
    let bin = work.path().join("bin");
    assemble(&bin, &kwok)
        .map_err(|error| Unavailable(format!("cannot put the binaries together: {error}")))?;
    fs::rename(&bin, target)
        .map_err(|error| Unavailable(format!("cannot move the binaries to {}: {error}", target.display())))
}

#[expect(clippy::print_stderr, reason = "a test that is silent for minutes looks hung")]
fn note(text: &str) {
    eprintln!("control planes: {text}");
}

/// Renames what is named oddly and adds KWOK's stages.
fn assemble(bin: &Path, kwok: &Path) -> std::io::Result<()> {
    fs::rename(bin.join("server"), bin.join("etcd"))?;
    let mut stages = String::new();
    for file in KWOK_FILES {
        stages.push_str(&fs::read_to_string(kwok.join("kustomize").join(file))?);
        stages.push_str("\n---\n");
    }
    fs::write(bin.join(KWOK_CONFIG), stages)
}

/// The `go` command in a copy of the module.
struct Go<'a> {
    work: &'a Path,
    undertaker: Arc<Undertaker>,
}

impl<'a> Go<'a> {
    fn new(work: &'a Path) -> Result<Self, Unavailable> {
        for (file, text) in [("go.mod", GO_MOD), ("go.sum", GO_SUM)] {
            fs::write(work.join(file), text)
                .map_err(|error| Unavailable(format!("cannot write {}: {error}", work.display())))?;
        }
        let undertaker = Undertaker::start(work).map_err(|error| Unavailable(error.to_string()))?;
        Ok(Self { work, undertaker: Arc::new(undertaker) })
    }

    /// Downloads KWOK's module and says where it lies.
    fn kwok_module(&self) -> Result<PathBuf, Unavailable> {
        let json = self.run("mod", &["download", "-json", "sigs.k8s.io/kwok"], PROBE)?;
        let dir = serde_json::from_str::<serde_json::Value>(&json)
            .ok()
            .and_then(|answer| answer.get("Dir").and_then(|dir| dir.as_str().map(PathBuf::from)));
        dir.ok_or_else(|| Unavailable(format!("go did not say where it put KWOK's module: {json}")))
    }

    fn install(&self) -> Result<(), Unavailable> {
        self.run("install", &["-trimpath", "-ldflags", &ldflags(), "tool"], BUILD).map(drop)
    }

    /// Runs `go`, and gives its output, or the line of it that says what went wrong.
    fn run(&self, verb: &str, args: &[&str], deadline: Duration) -> Result<String, Unavailable> {
        let log = self.work.join(format!("{verb}.log"));
        let mut command = Command::new("go");
        command.arg(verb).args(args).current_dir(self.work);
        // No flags of the user's, which could change what is built or refuse to build it.
        command.env("CGO_ENABLED", "0").env("GOFLAGS", "").env("GOBIN", self.work.join("bin"));
        command.env("GOWORK", "off");
        let failed = |why: String| Unavailable(format!("go {verb}: {why}"));
        let mut go = Process::spawn("go", command, &log, &self.undertaker)
            .map_err(|error| Unavailable(format!("{error} (is Go 1.26 or newer installed?)")))?;
        let mut status = None;
        wait_until(deadline, "it ends", || {
            status = go.ended()?;
            Ok(status.is_some())
        })
        .map_err(|error| failed(error.to_string()))?;
        let output = fs::read_to_string(&log).unwrap_or_default();
        if status.is_some_and(|status| status.success()) {
            return Ok(json_part(&output).to_owned());
        }
        Err(failed(cause(&output)))
    }
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

/// The version of a module that go.mod asks for.
fn version_of(module: &str) -> &'static str {
    GO_MOD
        .lines()
        .filter_map(|line| line.trim().strip_prefix(module))
        .find_map(|rest| rest.strip_prefix(' '))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or("v0.0.0")
}

/// Kubernetes learns its version from the linker; without it `kubectl version` and feature gates say 0.0.
fn ldflags() -> String {
    let version = version_of("k8s.io/kubernetes");
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let mut flags = "-s -w".to_owned();
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        for (name, value) in
            [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor), ("gitTreeState", "clean")]
        {
            flags.push_str(&format!(" -X {package}.{name}={value}"));
        }
    }
    flags
}
