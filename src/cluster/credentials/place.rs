//! Where a plugin is, and whether anybody could have put it there.

use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a command leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Looked {
    /// This file.
    At(PathBuf),
    /// A file in the current directory, found by an entry of `PATH` that is not absolute. Whoever
    /// wrote into that directory would choose what runs (Go's `exec.ErrDot`, so kubectl's too).
    Current(PathBuf),
    /// Nothing that can be run.
    Nowhere,
}

/// Looks a command up as kubectl does (Go's `exec.LookPath`): one with a slash is a path, a bare
/// name is the first file of that name in `PATH` that may be executed.
pub(super) fn look(command: &str, path: &OsStr) -> Looked {
    if command.contains('/') {
        let at = PathBuf::from(command);
        return if executable(&at) { Looked::At(at) } else { Looked::Nowhere };
    }
    for folder in std::env::split_paths(path) {
        let at = folder.join(command);
        if executable(&at) {
            return if at.is_absolute() { Looked::At(at) } else { Looked::Current(at) };
        }
    }
    Looked::Nowhere
}

fn executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// The file or folder by which anybody on this machine could decide what is at a path: by its
/// name or by the file that a link leads to. In a folder like `/tmp`, where everybody may add
/// files and nobody may change those of others, what is ours or the system's is safe.
pub(in crate::cluster) fn open_to_all(path: &Path) -> Option<PathBuf> {
    open_but_for(path, ours)
}

/// The file, folder or link by which another user than we and the system could decide what is at a
/// path, because it is theirs; and who that is.
pub(super) fn of_another(path: &Path) -> Option<(PathBuf, u32)> {
    of_another_but_for(path, ours)
}

fn ours(owner: u32) -> bool {
    owner == 0 || owner == rustix::process::geteuid().as_raw()
}

fn of_another_but_for(path: &Path, ours: impl Fn(u32) -> bool) -> Option<(PathBuf, u32)> {
    let theirs = |path: &Path| {
        let owner = path.symlink_metadata().ok()?.uid();
        (!ours(owner)).then(|| (path.to_owned(), owner))
    };
    let by_name = path.parent().and_then(|folder| folder.canonicalize().ok()).unwrap_or_default();
    let real = path.canonicalize().ok()?;
    theirs(path).or_else(|| by_name.ancestors().chain(real.ancestors()).find_map(theirs))
}

fn open_but_for(path: &Path, ours: impl Fn(u32) -> bool) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    if writable(&real, false) {
        return Some(real);
    }
    let is_ours = |path: &Path| path.symlink_metadata().is_ok_and(|about| ours(about.uid()));
    let by_name = path.parent().and_then(|folder| folder.canonicalize().ok());
    let by_name = by_name.and_then(|folder| open_folder(&folder, is_ours(path)));
    by_name.or_else(|| open_folder(real.parent()?, is_ours(&real)))
}

fn open_folder(folder: &Path, ours: bool) -> Option<PathBuf> {
    let open = |(depth, folder): &(usize, &Path)| writable(folder, *depth > 0 || ours);
    folder.ancestors().enumerate().find(open).map(|(_, folder)| folder.to_owned())
}

/// Whether everybody may write to it; with `but_sticky`, only where they may replace each other's
/// files too.
fn writable(path: &Path, but_sticky: bool) -> bool {
    path.metadata().is_ok_and(|about| {
        let mode = about.permissions().mode();
        mode & 0o002 != 0 && !(but_sticky && mode & 0o1000 != 0)
    })
}

/// A path without `.`, `..` and doubled slashes, by its words alone (Go's `filepath.Clean`).
pub(in crate::cluster) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match (part, parts.last()) {
            ("" | ".", _) => {}
            ("..", Some(last)) if *last != ".." => drop(parts.pop()),
            ("..", None) if rooted => {}
            (part, _) => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".to_owned(),
        (false, joined) => joined,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn plugin(folder: &Path, name: &str) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        mode(&path, 0o755);
        path
    }

    #[test]
    fn commands_are_looked_up_as_kubectl_does() {
        let folder = tempfile::tempdir().unwrap();
        let at = plugin(&folder.path().join("b"), "login");
        fs::create_dir_all(folder.path().join("a/login")).unwrap();
        let path = std::env::join_paths([folder.path().join("a"), folder.path().join("b")]).unwrap();
        assert_eq!(look("login", &path), Looked::At(at.clone()), "a folder of that name is none");
        assert_eq!(look(at.to_str().unwrap(), OsStr::new("")), Looked::At(at.clone()));
        mode(&at, 0o644);
        assert_eq!(look("login", &path), Looked::Nowhere);
        assert_eq!(look("/nonexistent", &path), Looked::Nowhere);
        mode(&at, 0o755);
        let up = "../".repeat(std::env::current_dir().unwrap().components().count());
        let relative = format!("{up}{}", at.parent().unwrap().strip_prefix("/").unwrap().display());
        assert!(matches!(look("login", OsStr::new(&relative)), Looked::Current(_)));
    }

    #[test]
    fn places_that_anybody_can_write_to_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = plugin(&folder.path().join("bin"), "login");
        assert_eq!(open_to_all(&at), None);
        let real = at.canonicalize().unwrap();
        mode(&at, 0o777);
        assert_eq!(open_to_all(&at), Some(real.clone()));
        mode(&at, 0o755);
        mode(&folder.path().join("bin"), 0o1777);
        assert_eq!(open_to_all(&at), None, "sticky, and the file is ours");
        assert_eq!(open_but_for(&at, |_| false).as_deref(), real.parent(), "sticky, and it is not");
        mode(&folder.path().join("bin"), 0o755);
        mode(folder.path(), 0o1777);
        assert_eq!(open_to_all(&at), None, "sticky, further up");
        mode(folder.path(), 0o777);
        assert_eq!(open_to_all(&at).as_deref(), real.parent().unwrap().parent());
    }

    #[test]
    fn what_belongs_to_another_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = plugin(&folder.path().join("bin"), "login");
        assert_eq!(of_another(&at), None, "it is ours, in folders of ours and the system's");
        let me = rustix::process::geteuid().as_raw();
        let (real, other) = (at.canonicalize().unwrap(), |owner: u32| owner != me);
        assert_eq!(of_another_but_for(&at, other).map(|found| found.1), Some(me));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&at, &link).unwrap();
        assert_eq!(of_another_but_for(&link, other), Some((link.clone(), me)), "whose link it is decides");
        assert_eq!(of_another_but_for(&real, |_| true), None);
    }

    #[test]
    fn links_are_followed_and_count_by_their_own_place_too() {
        let folder = tempfile::tempdir().unwrap();
        let at = plugin(&folder.path().join("bin"), "login");
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        mode(&open, 0o777);
        std::os::unix::fs::symlink(&at, open.join("login")).unwrap();
        assert_eq!(open_to_all(&open.join("login")), Some(open.canonicalize().unwrap()));
        let safe = folder.path().join("safe");
        fs::create_dir(&safe).unwrap();
        std::os::unix::fs::symlink(&at, safe.join("login")).unwrap();
        assert_eq!(open_to_all(&safe.join("login")), None);
        mode(&folder.path().join("bin"), 0o777);
        assert!(open_to_all(&safe.join("login")).is_some());
    }

    #[test]
    fn paths_are_cleaned_by_their_words() {
        for (path, cleaned) in [
            ("/a//b/./c/../d", "/a/b/d"),
            ("/../a", "/a"),
            ("a/../..", ".."),
            ("./login", "login"),
            ("", "."),
            ("/", "/"),
            ("../a/", "../a"),
        ] {
            assert_eq!(clean(path), cleaned);
        }
    }
}
