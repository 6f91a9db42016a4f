//! The programs of a small image.

use super::{Ran, Shell, Then};
use crate::model::Span;

/// Programs that are found.
const PROGRAMS: [&str; 31] = [
    "[", "ash", "bash", "cat", "clear", "date", "echo", "env", "false", "grep", "head", "hostname", "id",
    "ls", "nproc", "printenv", "printf", "ps", "pwd", "sh", "sleep", "sort", "tail", "test", "true", "tty",
    "uname", "uptime", "wc", "which", "whoami",
];

/// What a shell does itself.
const OWN: [&str; 8] = [":", "cd", "command", "exit", "export", "set", "type", "unset"];

/// Folders of every image.
const FOLDERS: [&str; 14] =
    ["bin", "dev", "etc", "home", "lib", "mnt", "opt", "proc", "root", "run", "sys", "tmp", "usr", "var"];

impl Shell {
    /// Runs a program, or what the shell does itself, on what it is given to read.
    pub(super) fn program(&mut self, program: &str, rest: &[&str], input: Option<String>) -> Ran {
        match (program, rest) {
            ("echo", ["-n", rest @ ..]) => Ran::said(rest.join(" ")),
            ("echo", ["-e", rest @ ..]) => Ran::said(escaped(&rest.join(" ")) + "\n"),
            ("echo", rest) => Ran::said(rest.join(" ") + "\n"),
            ("printf", [form, rest @ ..]) => Ran::said(printed(form, rest)),
            ("true" | ":" | "set" | "tty", _) => Ran::ended(0),
            ("false", _) => Ran::ended(1),
            ("clear", _) => Ran::said("\u{1b}[H\u{1b}[2J"),
            ("exit", rest) => {
                let code = rest.first().and_then(|c| c.parse().ok()).unwrap_or(self.code);
                Ran { then: Then::Exit, ..Ran::ended(code) }
            }
            ("sleep", [time, ..]) => match lasts(time) {
                Some(takes) => Ran { takes, ..Ran::default() },
                None => Ran::failed(1, format!("sleep: invalid number '{time}'\n")),
            },
            ("hostname", _) => Ran::said(self.variable("HOSTNAME") + "\n"),
            ("whoami", _) => Ran::said("root\n"),
            ("id", _) => Ran::said("uid=0(root) gid=0(root) groups=0(root)\n"),
            ("uname", ["-a"]) => {
                Ran::said(format!("Linux {} 6.12.0 #1 SMP x86_64 Linux\n", self.variable("HOSTNAME")))
            }
            ("uname", ["-r"]) => Ran::said("6.12.0\n"),
            ("uname", ["-m"]) => Ran::said("x86_64\n"),
            ("uname", _) => Ran::said("Linux\n"),
            ("nproc", _) => Ran::said("4\n"),
            ("date", _) => Ran::said(self.now.rfc3339() + "\n"),
            ("ps", _) => {
                Ran::said("PID   USER     TIME  COMMAND\n    1 root      0:00 sh\n   17 root      0:00 ps\n")
            }
            ("env" | "printenv", []) => {
                Ran::said(self.env.iter().map(|(k, v)| format!("{k}={v}\n")).collect::<String>())
            }
            ("printenv", [key, ..]) => match self.env.get(*key) {
                Some(value) => Ran::said(format!("{value}\n")),
                None => Ran::ended(1),
            },
            ("export" | "unset", rest) => {
                for word in rest {
                    match word.split_once('=') {
                        Some((key, value)) => self.set(key, value),
                        None if program == "unset" => drop(self.env.remove(*word)),
                        None => {}
                    }
                }
                Ran::ended(0)
            }
            ("pwd", _) => Ran::said(format!("{}\n", self.folder)),
            ("cd", rest) => {
                self.folder = self.place(rest.first().copied().unwrap_or("/root"));
                Ran::ended(0)
            }
            ("ls", rest) => self.ls(rest),
            ("which", [name, ..]) | ("command", ["-v", name, ..]) => self.found(name, program),
            ("type", [name, ..]) => match self.found(name, "command") {
                Ran { code: 0, out, .. } => Ran::said(format!("{name} is {out}")),
                _ => Ran::failed(127, format!("sh: type: {name}: not found\n")),
            },
            ("command", [name, rest @ ..]) => self.program(name, rest, input),
            ("test" | "[", rest) => Ran::ended(i32::from(!self.test(rest))),
            ("cat", []) if input.is_none() => Ran { then: Then::Copies, ..Ran::default() },
            ("cat" | "grep" | "head" | "tail" | "wc" | "sort", rest) => self.filter(program, rest, input),
            ("uptime", _) => Ran::said(" up 3 days,  load average: 0.12, 0.10, 0.09\n"),
            _ => Ran { then: Then::Missing(program.to_owned()), ..Ran::ended(127) },
        }
    }

    fn variable(&self, key: &str) -> String {
        self.env.get(key).cloned().unwrap_or_default()
    }

    /// Where a path leads from here.
    fn place(&self, path: &str) -> String {
        let all = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", self.folder) };
        let mut parts: Vec<&str> = Vec::new();
        for part in all.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }

    fn found(&self, name: &str, by: &str) -> Ran {
        if OWN.contains(&name) && by == "command" {
            return Ran::said(format!("{name}\n"));
        }
        match PROGRAMS.contains(&name) {
            true => Ran::said(format!("/bin/{name}\n")),
            false => Ran::ended(if by == "command" { 127 } else { 1 }),
        }
    }

    /// What is in a folder: its files, and in the root the folders of every image.
    fn ls(&self, rest: &[&str]) -> Ran {
        let wanted = rest.iter().find(|w| !w.starts_with('-')).copied().unwrap_or(".");
        let folder = self.place(wanted);
        if self.files.contains_key(&folder) {
            return Ran::said(format!("{wanted}\n"));
        }
        let within = format!("{}/", folder.trim_end_matches('/'));
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(&within))
            .filter_map(|rest| rest.split('/').next().map(str::to_owned))
            .collect();
        match folder.as_str() {
            "/" => names.extend(FOLDERS.map(str::to_owned)),
            "/bin" => names.extend(PROGRAMS.map(str::to_owned)),
            other if names.is_empty() && !FOLDERS.iter().any(|f| format!("/{f}") == other) => {
                return Ran::failed(1, format!("ls: {wanted}: No such file or directory\n"));
            }
            _ => {}
        }
        names.sort_unstable();
        names.dedup();
        Ran::said(names.into_iter().map(|n| n + "\n").collect::<String>())
    }

    /// A condition of `test`, without its brackets.
    fn test(&self, words: &[&str]) -> bool {
        let words = words.strip_suffix(&["]"]).unwrap_or(words);
        let there = |path: &str| self.files.contains_key(&self.place(path));
        let folder = |path: &str| {
            let place = self.place(path);
            FOLDERS.iter().any(|f| place == "/" || place == format!("/{f}"))
        };
        let runs = |path: &str| path.strip_prefix("/bin/").is_some_and(|p| PROGRAMS.contains(&p));
        match words {
            ["!", rest @ ..] => !self.test(rest),
            ["-e", path] => there(path) || folder(path) || runs(path),
            ["-f" | "-r" | "-s", path] => there(path) || runs(path),
            ["-x", path] => runs(path),
            ["-d", path] => folder(path),
            ["-z", text] => text.is_empty(),
            ["-n", text] | [text] => !text.is_empty(),
            [a, "=" | "==", b] => a == b,
            [a, "!=", b] => a != b,
            [a, "-eq", b] => a.parse::<i64>().ok() == b.parse().ok(),
            _ => false,
        }
    }

    /// A program that reads files, or what it is given, and says some of it.
    fn filter(&self, program: &str, rest: &[&str], input: Option<String>) -> Ran {
        let number = |word: &&&str| word.trim_start_matches('-').parse::<usize>().ok();
        let most = rest.iter().find_map(|w| number(&w)).unwrap_or(10);
        let flags: Vec<&str> = rest.iter().filter(|w| w.starts_with('-')).copied().collect();
        let words = rest.iter().filter(|w| !w.starts_with('-') && w.parse::<usize>().is_err());
        let mut words: Vec<&str> = words.copied().collect();
        let pattern = if program == "grep" && !words.is_empty() { words.remove(0) } else { "" };
        let mut text = String::new();
        for file in &words {
            match self.files.get(&self.place(file)) {
                Some(known) => text.push_str(known),
                None => {
                    let why = match program {
                        "cat" => format!("cat: can't open '{file}': No such file or directory\n"),
                        _ => format!("{program}: {file}: No such file or directory\n"),
                    };
                    return Ran::failed(1, why);
                }
            }
        }
        if words.is_empty() {
            text = input.unwrap_or_default();
        }
        let mut lines: Vec<&str> = text.lines().collect();
        match program {
            "cat" => return Ran::said(text),
            "wc" if flags.contains(&"-l") => return Ran::said(format!("{}\n", lines.len())),
            "wc" if flags.contains(&"-c") => return Ran::said(format!("{}\n", text.len())),
            "wc" => {
                let words = text.split_whitespace().count();
                return Ran::said(format!("{:>7} {words:>7} {:>7}\n", lines.len(), text.len()));
            }
            "grep" => {
                let inverse = flags.contains(&"-v");
                let plain = |s: &str| if flags.contains(&"-i") { s.to_lowercase() } else { s.to_owned() };
                lines.retain(|line| plain(line).contains(&plain(pattern)) != inverse);
                if lines.is_empty() {
                    return Ran::ended(1);
                }
            }
            "head" => lines.truncate(most),
            "tail" => drop(lines.drain(..lines.len().saturating_sub(most))),
            _ => lines.sort_unstable(),
        }
        Ran::said(lines.into_iter().map(|line| format!("{line}\n")).collect::<String>())
    }
}

/// How long `sleep` sleeps: `5`, `0.5`, `2m`, `infinity`.
fn lasts(text: &str) -> Option<Span> {
    if text == "infinity" {
        return Some(Span::from_seconds(i64::from(i32::MAX)));
    }
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, text.chars().next_back()),
        None => (text, None),
    };
    let factor = match unit {
        Some('m') => 60.0,
        Some('h') => 3600.0,
        Some('d') => 86_400.0,
        _ => 1.0,
    };
    let seconds = number.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0)? * factor;
    Some(Span::from_millis((seconds * 1000.0).min(f64::from(i32::MAX) * 1000.0) as i64))
}

/// `\n`, `\t` and `\\` as what they stand for.
fn escaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
}

/// `printf`, of texts and numbers.
fn printed(form: &str, rest: &[&str]) -> String {
    let mut words = rest.iter();
    let mut out = String::new();
    let form = escaped(form);
    let mut parts = form.split('%');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match part.chars().next() {
            Some('s' | 'd') => {
                out.push_str(words.next().copied().unwrap_or_default());
                out.push_str(&part[1..]);
            }
            _ => {
                out.push('%');
                out.push_str(part);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::SHELLS;
    use super::*;

    #[test]
    fn what_sleeps_says_how_long() {
        for (text, millis) in [("5", 5_000), ("0.5", 500), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(lasts(text), Some(Span::from_millis(millis)));
        }
        assert_eq!(lasts("soon"), None);
        assert_eq!(printed("%s-%d\\n", &["a", "2"]), "a-2\n");
        assert!(SHELLS.iter().all(|s| PROGRAMS.contains(s)));
        assert!(PROGRAMS.is_sorted());
    }
}
