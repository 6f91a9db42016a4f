//! The built binary in a real pseudo-terminal, and what its screen shows.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, WaitOptions, waitpid};

/// A running program and the terminal that it draws on.
pub struct Session {
    /// Nothing once the terminal is closed, like the keys.
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    /// The other end of what comes from a terminal that is closed: nothing.
    silent: Option<Sender<Vec<u8>>>,
    terminal: vt100::Parser,
    bytes: u64,
}

impl Session {
    /// Starts a program on a terminal of `columns` × `rows`, with only these variables added to
    /// an otherwise plain environment.
    pub fn start(
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
        (columns, rows): (u16, u16),
    ) -> Session {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        // A relative path would be looked for along PATH.
        let mut command = CommandBuilder::new(program.canonicalize().unwrap());
        command.args(arguments);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("PATH", std::env::var("PATH").unwrap_or_default());
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        let terminal = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let (master, keys) = (Some(pair.master), Some(keys));
        Session { master, keys, child, output, silent: None, terminal, bytes: 0 }
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) {
        let to = self.keys.as_mut().unwrap();
        to.write_all(keys.as_bytes()).unwrap();
        to.flush().unwrap();
    }

    /// Changes the size of the terminal.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.master.as_ref().unwrap().resize(size(columns, rows)).unwrap();
        self.terminal.screen_mut().set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        self.terminal.screen().contents()
    }

    /// The screen.
    pub fn screen(&self) -> &vt100::Screen {
        self.terminal.screen()
    }

    /// Bytes that the program has sent so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The process.
    pub fn pid(&self) -> Option<u32> {
        self.child.process_id()
    }

    /// Closes the terminal, as when its window goes or its line is cut.
    pub fn close(&mut self) {
        (self.master, self.keys) = (None, None);
        // What reads it has it open, too, and lets go of it when nobody takes what it read.
        let (silent, output) = channel();
        (self.silent, self.output) = (Some(silent), output);
    }

    /// Waits until the process is stopped.
    pub fn wait_until_stopped(&self, limit: Duration) -> Result<(), String> {
        let pid = self.pid().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)).ok_or("it has ended")?;
        let (sender, changed) = channel();
        std::thread::spawn(move || sender.send(waitpid(Some(pid), WaitOptions::UNTRACED)));
        match changed.recv_timeout(limit) {
            Ok(Ok(Some((_, status)))) if status.stopped() => Ok(()),
            Ok(other) => Err(format!("it did not stop: {other:?}")),
            Err(_) => Err(format!("still running after {limit:?}")),
        }
    }

    /// Reads what comes until the screen is as wanted; the screen as it was, when it never is.
    pub fn wait_for(
        &mut self,
        limit: Duration,
        wanted: impl Fn(&vt100::Screen) -> bool,
    ) -> Result<(), String> {
        let end = Instant::now() + limit;
        while !wanted(self.terminal.screen()) {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("not within {limit:?}:\n{}", self.text()));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(format!("it ended:\n{}", self.text())),
            }
        }
        Ok(())
    }

    /// Waits for words anywhere on the screen.
    pub fn wait_for_text(&mut self, limit: Duration, words: &str) -> Result<(), String> {
        self.wait_for(limit, |screen| screen.contents().contains(words))
            .map_err(|why| format!("waiting for `{words}`: {why}"))
    }

    /// Reads what comes until nothing came for `quiet`, or `limit` is over, and says how many
    /// bytes came.
    pub fn settle(&mut self, quiet: Duration, limit: Duration) -> u64 {
        let (before, end) = (self.bytes, Instant::now() + limit);
        while let Ok(bytes) =
            self.output.recv_timeout(quiet.min(end.saturating_duration_since(Instant::now())))
        {
            self.take(&bytes);
        }
        self.bytes - before
    }

    /// Reads one burst of output: its bytes and when its last ones came. It begins within
    /// `limit` and is over when nothing came for `quiet`.
    pub fn burst(&mut self, limit: Duration, quiet: Duration) -> (u64, Option<Instant>) {
        let before = self.bytes;
        let mut last = None;
        let mut wait = limit;
        while let Ok(bytes) = self.output.recv_timeout(wait) {
            last = Some(Instant::now());
            self.take(&bytes);
            wait = quiet;
        }
        (self.bytes - before, last)
    }

    /// Waits for the end of the program and says whether it was a success.
    pub fn wait_for_end(&mut self, limit: Duration) -> Result<bool, String> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|e| e.to_string())? {
                while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(100)) {
                    self.take(&bytes);
                }
                return Ok(status.success());
            }
            match self.output.recv_timeout(Duration::from_millis(20)) {
                Ok(bytes) => self.take(&bytes),
                Err(_) if Instant::now() > end => return Err(format!("still running:\n{}", self.text())),
                Err(_) => {}
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.terminal.process(bytes);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}
