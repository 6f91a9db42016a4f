//! A program in a container, and the client that talks to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::line::{Line, Typed};
use super::{CLOSE, STDERR, STDIN, STDOUT, Sent, Socket, send};
use crate::sim::cluster::Shared;
use crate::sim::controllers;
use crate::sim::fields::{list, namespace, text};
use crate::sim::json::Value;
use crate::sim::queue::Id;
use crate::sim::resources::Res;
use crate::sim::shell::{Ran, Shell, Then};
use crate::sim::world::World;

/// A container of a pod, of whichever sort.
pub(super) fn container<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let kinds = ["containers", "initContainers", "ephemeralContainers"];
    let mut all = kinds.iter().flat_map(|kind| list(pod, &format!("spec.{kind}")));
    all.find(|c| text(c, "name") == name)
}

/// A shell in a container, with what its config maps and secrets say.
pub(super) fn shell(world: &World, pod: &Value, container: &Value) -> Shell {
    let mut shell = Shell::new(pod, container, world.now);
    let kept = |res: Res, name: &str| world.store.get(res, namespace(pod), name);
    let plain = |res: Res, value: &Value| {
        let text = value.as_str().unwrap_or_default();
        match res {
            Res::Secrets => String::from_utf8(STANDARD.decode(text).unwrap_or_default()).unwrap_or_default(),
            _ => text.to_owned(),
        }
    };
    for source in list(container, "envFrom") {
        for (key, res) in [("configMapRef", Res::ConfigMaps), ("secretRef", Res::Secrets)] {
            let Some(object) = kept(res, text(source, &format!("{key}.name"))) else { continue };
            for (name, value) in object["data"].as_object().into_iter().flat_map(|m| m.iter()) {
                shell.set(&format!("{}{name}", text(source, "prefix")), &plain(res, value));
            }
        }
    }
    for variable in list(container, "env") {
        for (key, res) in [("configMapKeyRef", Res::ConfigMaps), ("secretKeyRef", Res::Secrets)] {
            let of = |field: &str| text(variable, &format!("valueFrom.{key}.{field}"));
            if let Some(object) = kept(res, of("name")) {
                shell.set(text(variable, "name"), &plain(res, &object["data"][of("key")]));
            }
        }
    }
    shell
}

/// A program that runs for a client.
pub(super) struct Session {
    pub(super) shell: Shell,
    /// Whether the client sends what is typed.
    pub(super) input: bool,
    /// Whether it is typed at a terminal, which shows what is typed.
    pub(super) tty: bool,
    /// The container whose own program this is: it ends with it.
    pub(super) ends: Option<(Id, String)>,
    /// What was typed and is not read yet, and whether more may come.
    pub(super) keys: VecDeque<char>,
    pub(super) closed: bool,
}

/// What comes from the client.
enum Came {
    Text(String),
    /// No more input.
    Closed,
    Gone,
}

/// How somebody who types goes on.
enum Next {
    On,
    Ends(i32),
}

impl Session {
    /// Runs a program; says how it ended.
    pub(super) async fn run(
        mut self,
        socket: &mut Socket,
        shared: &Arc<Shared>,
        command: &[String],
    ) -> Result<i32, Error> {
        let ran = self.shell.run(command);
        self.say(socket, &ran).await?;
        let code = match ran.then {
            Then::Next | Then::Exit => ran.code,
            Then::Missing(program) => {
                let why = format!("exec: {program:?}: executable file not found in $PATH: unknown\n");
                send(socket, STDERR, &why).await?;
                127
            }
            // nobody types: the end of what is read is there at once
            Then::Shell(_) | Then::Copies if !self.input => 0,
            then @ (Then::Shell(_) | Then::Copies) => match self.talk(socket, then).await? {
                Some(code) => code,
                // a client that hangs up leaves a program of the container running
                None if self.ends.is_some() => return Ok(0),
                None => 0,
            },
        };
        if let Some((pod, container)) = &self.ends {
            shared.with(|world| controllers::end_container(world, pod, container, code));
        }
        Ok(code)
    }

    /// Says what a command said, after as long as it took.
    async fn say(&mut self, socket: &mut Socket, ran: &Ran) -> Sent {
        let takes = Duration::from_millis(ran.takes.millis().unsigned_abs());
        let until = tokio::time::Instant::now() + takes;
        while !takes.is_zero() && tokio::time::Instant::now() < until {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                came = came(socket), if !self.closed => match came {
                    // Ctrl-C ends what takes long
                    Came::Text(text) if self.tty && text.contains('\u{3}') => {
                        return self.show(socket, STDOUT, "^C\n").await;
                    }
                    Came::Text(text) => self.keys.extend(text.chars()),
                    Came::Closed => self.closed = true,
                    Came::Gone => return Err(Error::ConnectionClosed),
                }
            }
        }
        self.show(socket, STDOUT, &ran.out).await?;
        // a terminal has one way out
        self.show(socket, if self.tty { STDOUT } else { STDERR }, &ran.err).await
    }

    async fn show(&self, socket: &mut Socket, channel: u8, text: &str) -> Sent {
        match text {
            "" => Ok(()),
            text if self.tty => send(socket, channel, &text.replace('\n', "\r\n")).await,
            text => send(socket, channel, text).await,
        }
    }

    /// Lets somebody type until the program ends; says how, or nothing if the client went away.
    async fn talk(&mut self, socket: &mut Socket, first: Then) -> Result<Option<i32>, Error> {
        let mut programs = vec![first];
        let mut line = Line::default();
        let mut unread = String::new();
        self.prompt(socket, &programs).await?;
        loop {
            while let Some(key) = self.keys.pop_front() {
                let typed = if self.tty {
                    let (shown, typed) = line.key(key);
                    send_if(socket, &shown).await?;
                    typed
                } else if key == '\n' {
                    Some(Typed::Line(std::mem::take(&mut unread)))
                } else {
                    unread.push(key);
                    None
                };
                if let Some(typed) = typed
                    && let Next::Ends(code) = self.take(socket, &mut programs, typed).await?
                {
                    return Ok(Some(code));
                }
            }
            match if self.closed { Came::Closed } else { came(socket).await } {
                Came::Text(text) => self.keys.extend(text.chars()),
                Came::Gone => return Ok(None),
                Came::Closed => {
                    let rest = std::mem::take(&mut unread);
                    if !rest.is_empty() {
                        self.take(socket, &mut programs, Typed::Line(rest)).await?;
                    }
                    return Ok(Some(self.shell.code));
                }
            }
        }
    }

    /// Gives a line to the program that reads it, the last one that began.
    async fn take(
        &mut self,
        socket: &mut Socket,
        programs: &mut Vec<Then>,
        typed: Typed,
    ) -> Result<Next, Error> {
        let copies = programs.last() == Some(&Then::Copies);
        match typed {
            Typed::End | Typed::Interrupt if copies => {
                programs.pop();
            }
            Typed::End => {
                programs.pop();
                if !matches!(programs.last(), Some(Then::Copies)) {
                    self.show(socket, STDOUT, "exit\n").await?;
                }
            }
            Typed::Interrupt => self.shell.code = 130,
            Typed::Line(line) if copies => self.show(socket, STDOUT, &format!("{line}\n")).await?,
            Typed::Line(line) => {
                let ran = self.shell.script(&line);
                self.say(socket, &ran).await?;
                match ran.then {
                    Then::Exit => drop(programs.pop()),
                    then @ (Then::Shell(_) | Then::Copies) => programs.push(then),
                    Then::Next | Then::Missing(_) => {}
                }
            }
        }
        if programs.is_empty() {
            return Ok(Next::Ends(self.shell.code));
        }
        self.prompt(socket, programs).await?;
        Ok(Next::On)
    }

    async fn prompt(&self, socket: &mut Socket, programs: &[Then]) -> Sent {
        match programs.last() {
            Some(Then::Shell(name)) if self.tty => send(socket, STDOUT, &self.shell.prompt(name)).await,
            _ => Ok(()),
        }
    }
}

async fn send_if(socket: &mut Socket, text: &str) -> Sent {
    if text.is_empty() { Ok(()) } else { send(socket, STDOUT, text).await }
}

/// Waits for what the client types.
async fn came(socket: &mut Socket) -> Came {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => match bytes.split_first() {
                Some((&STDIN, typed)) => return Came::Text(String::from_utf8_lossy(typed).into_owned()),
                Some((&CLOSE, _)) => return Came::Closed,
                // the size of the terminal, which nothing here depends on
                _ => {}
            },
            None | Some(Err(_) | Ok(Message::Close(_))) => return Came::Gone,
            Some(Ok(_)) => {}
        }
    }
}
