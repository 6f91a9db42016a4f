//! What containers of the embedded fleet run when somebody talks to them: a little shell, and the
//! programs of a small image. Nothing touches this machine; a program that is not known is not
//! found, and loops and conditions of scripts are not understood.

mod programs;
mod words;

use std::collections::BTreeMap;

use self::words::{Token, expand, is_name, lex};
use crate::model::{Span, Time};
use crate::sim::fields::{flag, list, name, namespace, text};
use crate::sim::json::Value;

/// A shell in a container.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    env: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    folder: String,
    now: Time,
    /// How the last command ended.
    pub(crate) code: i32,
}

/// What comes after a command.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Then {
    /// The next one.
    #[default]
    Next,
    /// The shell ends.
    Exit,
    /// A shell of this name begins, for somebody who types.
    Shell(String),
    /// What comes in goes out, until it ends.
    Copies,
    /// The program of this name is not known.
    Missing(String),
}

/// What a command did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
    /// How long it took.
    pub(crate) takes: Span,
    pub(crate) then: Then,
}

impl Ran {
    fn said(out: impl Into<String>) -> Ran {
        Ran { out: out.into(), ..Ran::default() }
    }

    fn ended(code: i32) -> Ran {
        Ran { code, ..Ran::default() }
    }

    fn failed(code: i32, err: String) -> Ran {
        Ran { err, code, ..Ran::default() }
    }
}

/// The shells that are there.
const SHELLS: [&str; 3] = ["sh", "bash", "ash"];

/// Images that run a shell when nothing else is said.
const SHELL_IMAGES: [&str; 6] = ["busybox", "alpine", "ubuntu", "debian", "bash", "fedora"];

/// What a container runs: its command and arguments, or what its image is known for; nothing when
/// that is not known.
pub(crate) fn program(container: &Value) -> Vec<String> {
    let words = |key: &str| -> Vec<String> {
        list(container, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (command, args) = (words("command"), words("args"));
    let image = text(container, "image");
    let bare = image.rsplit('/').next().unwrap_or_default();
    let bare = bare.split([':', '@']).next().unwrap_or_default();
    match (command.is_empty(), args.is_empty()) {
        (false, _) => [command, args].concat(),
        (true, false) => args,
        (true, true) if SHELL_IMAGES.contains(&bare) => vec!["sh".to_owned()],
        (true, true) => Vec::new(),
    }
}

/// What a container does by itself, if its program is known: when it ends, how, and what it says.
/// One that waits for somebody at its terminal does not end.
pub(crate) fn outcome(pod: &Value, container: &Value, now: Time) -> Option<Ran> {
    let command = program(container);
    if command.is_empty() {
        return None;
    }
    let ran = Shell::new(pod, container, now).run(&command);
    match ran.then {
        Then::Next | Then::Exit => Some(ran),
        Then::Shell(_) | Then::Copies if !flag(container, "stdin") => Some(ran),
        _ => None,
    }
}

/// Whether a container waits for somebody who types.
pub(crate) fn waits(pod: &Value, container: &Value, now: Time) -> bool {
    let shell = |ran: Ran| matches!(ran.then, Then::Shell(_) | Then::Copies);
    let command = program(container);
    flag(container, "stdin") && !command.is_empty() && shell(Shell::new(pod, container, now).run(&command))
}

impl Shell {
    /// A shell in a container of a pod, with what the pod itself says of its environment.
    pub(crate) fn new(pod: &Value, container: &Value, now: Time) -> Shell {
        let host = name(pod).to_owned();
        let mut env = BTreeMap::new();
        for (key, value) in [
            ("HOSTNAME", host.as_str()),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
            ("KUBERNETES_SERVICE_PORT", "443"),
            ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
            ("KUBERNETES_PORT", "tcp://10.96.0.1:443"),
        ] {
            env.insert(key.to_owned(), value.to_owned());
        }
        for variable in list(container, "env") {
            let path = text(variable, "valueFrom.fieldRef.fieldPath");
            let value = if path.is_empty() { text(variable, "value") } else { text(pod, path) };
            env.insert(text(variable, "name").to_owned(), value.to_owned());
        }
        let ip = text(pod, "status.podIP");
        let space = namespace(pod);
        let files = [
            ("/etc/hostname", format!("{host}\n")),
            ("/etc/hosts", format!("127.0.0.1\tlocalhost\n{ip}\t{host}\n")),
            (
                "/etc/resolv.conf",
                format!(
                    "search {space}.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\n\
                     options ndots:5\n"
                ),
            ),
            (
                "/etc/os-release",
                "NAME=\"Embedded\"\nID=embedded\nPRETTY_NAME=\"Quarterdeck embedded fleet\"\n".to_owned(),
            ),
            ("/var/run/secrets/kubernetes.io/serviceaccount/namespace", space.to_owned()),
        ];
        let files = files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
        let folder = match text(container, "workingDir") {
            "" => "/",
            folder => folder,
        };
        Shell { env, files, folder: folder.to_owned(), now, code: 0 }
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.env.insert(key.to_owned(), value.to_owned());
    }

    /// What stands before what is typed.
    pub(crate) fn prompt(&self, shell: &str) -> String {
        if shell == "bash" {
            return format!("root@{}:{}# ", self.env.get("HOSTNAME").map_or("", String::as_str), self.folder);
        }
        format!("{} # ", self.folder)
    }

    /// Runs a program with its arguments, as a runtime does.
    pub(crate) fn run(&mut self, words: &[String]) -> Ran {
        let program = words.first().map_or("", String::as_str);
        let base = program.rsplit('/').next().unwrap_or_default();
        let rest: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        if SHELLS.contains(&base) {
            return match rest.as_slice() {
                // flags such as -l and -i say that somebody types
                flags if flags.iter().all(|f| f.starts_with('-') && !f.contains('c')) => {
                    Ran { then: Then::Shell(base.to_owned()), ..Ran::default() }
                }
                [flags, line, ..] if flags.starts_with('-') && flags.contains('c') => {
                    let ran = self.script(line);
                    // the end of a script is the end of its shell
                    match ran.then {
                        Then::Exit => Ran { then: Then::Next, ..ran },
                        _ => ran,
                    }
                }
                [file, ..] => Ran::failed(2, format!("{base}: {file}: No such file or directory\n")),
                [] => Ran::default(),
            };
        }
        self.program(base, &rest, None)
    }

    /// Runs a line of a script, or several.
    pub(crate) fn script(&mut self, text: &str) -> Ran {
        let mut all = Ran::default();
        let mut joint = ";";
        for (command, next) in lists(lex(text)) {
            let skipped = (joint == "&&" && self.code != 0) || (joint == "||" && self.code == 0);
            joint = next;
            if skipped || command.is_empty() {
                continue;
            }
            let ran = self.pipeline(command);
            self.code = ran.code;
            all.out.push_str(&ran.out);
            all.err.push_str(&ran.err);
            all.takes = together(all.takes, ran.takes);
            all.then = ran.then;
            if all.then != Then::Next {
                break;
            }
        }
        Ran { code: self.code, ..all }
    }

    /// Commands of which each reads what the one before says.
    fn pipeline(&mut self, tokens: Vec<Token>) -> Ran {
        let mut input = None;
        let mut all = Ran::default();
        for command in tokens.split(|t| *t == Token::Sign("|")) {
            let ran = self.command(command, input.take());
            all.err.push_str(&ran.err);
            all.takes = together(all.takes, ran.takes);
            (all.code, all.then) = (ran.code, ran.then);
            input = Some(ran.out);
        }
        // only the last one speaks to whoever listens
        Ran { out: input.unwrap_or_default(), ..all }
    }

    /// One command: its variables, its words and where what it says goes.
    fn command(&mut self, tokens: &[Token], input: Option<String>) -> Ran {
        let mut words = Vec::new();
        let (mut out, mut err) = (None, None);
        let mut tokens = tokens.iter();
        while let Some(token) = tokens.next() {
            match token {
                Token::Word(raw) => {
                    let assigned = raw.split_once('=').filter(|(key, _)| words.is_empty() && is_name(key));
                    match assigned {
                        Some((key, raw)) => {
                            let value = expand(self, raw);
                            self.set(key, &value);
                        }
                        None => {
                            let word = expand(self, raw);
                            // a variable that is empty is no word
                            if !word.is_empty() || raw.contains(['"', '\'']) {
                                words.push(word);
                            }
                        }
                    }
                }
                Token::Sign(sign @ (">" | "2>" | "&>")) => {
                    let Some(Token::Word(raw)) = tokens.next() else { continue };
                    let file = expand(self, raw);
                    if *sign != "2>" {
                        out = Some(file.clone());
                    }
                    if *sign != ">" {
                        // where the one goes by then the other goes
                        err = Some(if file == "&1" { out.clone().unwrap_or(file) } else { file });
                    }
                }
                Token::Sign(_) => {}
            }
        }
        let rest: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let mut ran = match words.first().map(String::as_str) {
            None => Ran::ended(0),
            Some("exec") if !rest.is_empty() => {
                let ran = self.run(&words[1..]);
                // what is run takes the place of the shell
                if ran.then == Then::Next { Ran { then: Then::Exit, ..ran } } else { ran }
            }
            Some(shell) if SHELLS.contains(&shell.rsplit('/').next().unwrap_or_default()) => self.run(&words),
            Some(program) => self.program(program.rsplit('/').next().unwrap_or_default(), &rest, input),
        };
        if let Then::Missing(program) = &ran.then {
            ran = Ran::failed(127, format!("sh: {program}: not found\n"));
        }
        redirect(&mut ran, out.as_deref(), err.as_deref(), &mut self.files);
        ran
    }
}

/// Sends what a command says where it is to go: a file, nowhere, or the other way out.
fn redirect(ran: &mut Ran, out: Option<&str>, err: Option<&str>, files: &mut BTreeMap<String, String>) {
    let (said, complained) = (std::mem::take(&mut ran.out), std::mem::take(&mut ran.err));
    for (text, place, own) in [(said, out, "&1"), (complained, err, "&2")] {
        match place.unwrap_or(own) {
            "/dev/null" => {}
            "&1" => ran.out.push_str(&text),
            "&2" => ran.err.push_str(&text),
            // of two that go to one file the second follows the first
            file if out == err && own == "&2" => files.entry(file.to_owned()).or_default().push_str(&text),
            file => drop(files.insert(file.to_owned(), text)),
        }
    }
}

/// One after the other.
fn together(a: Span, b: Span) -> Span {
    Span::from_millis(a.millis().saturating_add(b.millis()))
}

/// Commands, each with the sign that joins it to the next.
fn lists(tokens: Vec<Token>) -> Vec<(Vec<Token>, &'static str)> {
    let mut out = Vec::new();
    let mut command = Vec::new();
    for token in tokens {
        match token {
            Token::Sign(sign @ (";" | "&&" | "||")) => out.push((std::mem::take(&mut command), sign)),
            other => command.push(other),
        }
    }
    out.push((command, ";"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    fn shell() -> Shell {
        let container = json!({ "name": "c", "env": [{ "name": "A", "value": "1" },
            { "name": "N", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }] });
        let pod =
            json!({ "metadata": { "name": "p", "namespace": "a" }, "spec": { "containers": [container] } });
        Shell::new(&pod, &container, Time::from_seconds(1_795_226_400))
    }

    fn said(line: &str) -> (String, i32) {
        let ran = shell().script(line);
        (format!("{}{}", ran.out, ran.err), ran.code)
    }

    #[test]
    fn lines_are_run_as_a_shell_runs_them() {
        for (line, out, code) in [
            ("echo hi there", "hi there\n", 0),
            ("echo 'a  b'  \"$A $N\" \\$A", "a  b 1 p $A\n", 0),
            ("echo a; echo b", "a\nb\n", 0),
            ("false || echo no; echo $?", "no\n0\n", 0),
            ("false && echo no; echo $?", "1\n", 0),
            ("X=5; echo ${X} ${Y:-none}", "5 none\n", 0),
            ("echo $(hostname)-$(echo x)", "p-x\n", 0),
            ("exit 3", "", 3),
            ("nosuch", "sh: nosuch: not found\n", 127),
            ("nosuch >/dev/null 2>&1 || echo gone", "gone\n", 0),
            ("printf 'a\\nb\\n' | grep b | wc -l", "1\n", 0),
            ("cat /etc/hostname", "p\n", 0),
            ("cat /nowhere", "cat: can't open '/nowhere': No such file or directory\n", 1),
            ("echo x > /tmp/f; cat /tmp/f", "x\n", 0),
            (
                "cat /nowhere > /tmp/f 2>&1; cat /tmp/f",
                "cat: can't open '/nowhere': No such file or directory\n",
                0,
            ),
            ("echo x >&2 | wc -l", "0\nx\n", 0),
            ("cd /tmp && pwd", "/tmp\n", 0),
            ("test -f /etc/hostname && echo there", "there\n", 0),
            ("command -v bash", "/bin/bash\n", 0),
            ("command -v perl", "", 127),
            ("", "", 0),
        ] {
            assert_eq!(said(line), (out.to_owned(), code), "{line}");
        }
    }

    #[test]
    fn a_shell_is_asked_for_in_many_ways() {
        let run =
            |words: &[&str]| shell().run(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).then;
        let k9s = "command -v bash >/dev/null && exec bash || exec sh";
        assert_eq!(run(&["sh", "-c", k9s]), Then::Shell("bash".into()));
        assert_eq!(run(&["sh", "-c", "clear; (bash || ash || sh)"]), Then::Shell("bash".into()));
        assert_eq!(run(&["/bin/sh"]), Then::Shell("sh".into()));
        assert_eq!(run(&["bash", "-il"]), Then::Shell("bash".into()));
        assert_eq!(run(&["cat"]), Then::Copies);
        assert_eq!(run(&["rm", "-rf", "/"]), Then::Missing("rm".into()));
        assert_eq!(run(&["sh", "-c", "exit 3"]), Then::Next);
    }

    #[test]
    fn what_a_container_does_by_itself_is_known_of_what_is_known() {
        let of = |container: Value| {
            let pod = json!({ "metadata": { "name": "p" }, "spec": { "containers": [container] } });
            outcome(&pod, &container, Time::from_seconds(0)).map(|r| (r.out, r.code, r.takes.seconds()))
        };
        let hi = json!({ "image": "busybox", "args": ["echo", "hi"] });
        assert_eq!(of(hi), Some(("hi\n".to_owned(), 0, 0)));
        assert_eq!(of(json!({ "image": "x", "command": ["false"] })), Some((String::new(), 1, 0)));
        let slow = json!({ "image": "x", "command": ["sh", "-c", "echo a; sleep 30; exit 2"] });
        assert_eq!(of(slow), Some(("a\n".to_owned(), 2, 30)));
        assert_eq!(of(json!({ "image": "busybox:1.36" })), Some((String::new(), 0, 0)));
        assert_eq!(of(json!({ "image": "busybox", "stdin": true })), None);
        assert_eq!(of(json!({ "image": "registry/nginx:1" })), None);
        assert_eq!(of(json!({ "image": "x", "command": ["perl", "-e", "1"] })), None);
    }
}
