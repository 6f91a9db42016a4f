//! The whole program on the embedded fleet, but for the terminal: scripted keys go through the
//! main loop that people run, and what is waited for is a picture.

use std::io;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use futures::channel::mpsc;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tokio::sync::watch;

use super::cli::ScreenArgs;
use super::clock::now;
use super::opened::Opened;
use super::screen::Canvas;
use super::{demo, live};
use crate::config::{Dirs, Settings};
use crate::model::Time;
use crate::sim::{Options, Pace, Scenario};
use crate::ui::{Opening, Ui};

/// Longer than anything here takes on the slowest machine; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two clusters in which nothing happens by itself, and a budget that never opens.
const STILL: &str = r#"
name = "still"
seed = 5
[pace]
pull = "100ms"
ready = "100ms"
stop = "100ms"
heartbeat = "10s"
[[cluster]]
name = "near"
provider = "private"
version = "1.36"
tier = "prod"
[[cluster.pool]]
name = "std"
machines = ["e2-standard-4"]
count = 3
[[cluster]]
name = "far"
provider = "private"
version = "1.35"
tier = "dev"
[[cluster.pool]]
name = "std"
machines = ["e2-standard-4"]
count = 2
[[workload]]
namespace = "shop"
name = "web"
image = "ghcr.io/acme/web:2.4"
cpu = "100m"
memory = "64Mi"
replicas = 6
budget = { min-available = "6" }
clusters = ["*"]
"#;

/// A screen of 120 by 36 that publishes what it shows.
struct Picture {
    terminal: Terminal<TestBackend>,
    shown: watch::Sender<String>,
    copied: watch::Sender<String>,
}

impl Canvas for Picture {
    fn draw(&mut self, ui: &mut Ui, now: Time) -> io::Result<()> {
        self.terminal.draw(|frame| ui.draw(frame, now)).map_err(io::Error::other)?;
        let buffer = self.terminal.backend().buffer();
        let lines = buffer.content.chunks(usize::from(buffer.area.width));
        let lines = lines.map(|line| line.iter().map(ratatui::buffer::Cell::symbol).collect::<String>());
        self.shown.send_replace(lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n"));
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.terminal.clear().map_err(io::Error::other)
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.copied.send_replace(text.to_owned());
        Ok(())
    }

    fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Somebody who types and looks.
struct Person {
    keys: mpsc::UnboundedSender<io::Result<Event>>,
    shown: watch::Receiver<String>,
    copied: watch::Receiver<String>,
}

impl Person {
    /// Types keys; a name in angle brackets is a key that has no character.
    fn types(&self, keys: &str) {
        let mut rest = keys;
        while let Some(c) = rest.chars().next() {
            let named = [("<enter>", KeyCode::Enter), ("<esc>", KeyCode::Esc)];
            let key = named.iter().find_map(|(name, code)| Some((rest.strip_prefix(name)?, *code)));
            let (after, code) = key.unwrap_or((&rest[c.len_utf8()..], KeyCode::Char(c)));
            rest = after;
            let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
            self.keys.unbounded_send(Ok(event)).unwrap();
        }
    }

    /// Waits until all of these are on the screen.
    async fn sees(&mut self, texts: &[&str]) {
        let all = |picture: &String| texts.iter().all(|text| picture.contains(text));
        let seen = tokio::time::timeout(PATIENCE, self.shown.wait_for(all)).await.map(|_| ());
        assert!(seen.is_ok(), "{texts:?} never came:\n{}", *self.shown.borrow());
    }

    /// Waits until this is not on the screen any more.
    async fn sees_no_more(&mut self, text: &str) {
        let gone = |picture: &String| !picture.contains(text);
        let seen = tokio::time::timeout(PATIENCE, self.shown.wait_for(gone)).await.map(|_| ());
        assert!(seen.is_ok(), "{text:?} stayed:\n{}", *self.shown.borrow());
    }

    /// Waits until there is something new on the clipboard.
    async fn has_copied(&mut self) -> String {
        let there = |text: &String| !text.is_empty();
        tokio::time::timeout(PATIENCE, self.copied.wait_for(there)).await.unwrap().unwrap().clone()
    }
}

/// What is opened from a home of its own, without any cluster.
fn nothing(home: &std::path::Path) -> Opened {
    Opened {
        dirs: Dirs::of_user(Some(home.to_owned())).unwrap(),
        settings: Settings::default(),
        problems: Vec::new(),
        targets: Vec::new(),
        plugins: crate::cluster::Plugins::default(),
        kubeconfig: None,
        looked_at: Vec::new(),
        prices: std::sync::Arc::new(crate::views::prices::Prices::new(Default::default())),
        recoveries: Vec::new(),
        workstation: None,
    }
}

async fn still(home: &std::path::Path) -> (demo::Played, Opened) {
    let scenario = Scenario::parse("still.toml", STILL).unwrap_or_else(|e| panic!("{e}"));
    let options = Options { pace: Pace::Running(1.0), tick: Duration::from_millis(50), ..Options::default() };
    demo::start(scenario, nothing(home), options).await.unwrap()
}

/// Opens the screen for a person; it ends with what was to be opened next.
fn open(opened: Opened) -> (Person, tokio::task::JoinHandle<Option<Opening>>) {
    let (keys, input) = mpsc::unbounded();
    let (shown, looks) = watch::channel(String::new());
    let (copied, clipboard) = watch::channel(String::new());
    let screen = tokio::spawn(async move {
        let terminal = Terminal::new(TestBackend::new(120, 36)).unwrap();
        let mut picture = Picture { terminal, shown, copied };
        let arguments = ScreenArgs::default();
        live::on(&opened, &arguments, &mut picture, input, now, std::future::pending()).await.unwrap()
    });
    (Person { keys, shown: looks, copied: clipboard }, screen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_from_the_first_frame_to_the_last() {
    let home = tempfile::tempdir().unwrap();
    let (_fleet, opened) = still(home.path()).await;
    let (mut person, screen) = open(opened);
    // Rows, then the scope, then a filter.
    person.sees(&["2 clusters ●2", "READ-ONLY"]).await;
    person.types(":nodes<enter>");
    person.sees(&["5 nodes", "near", "far"]).await;
    person.types(":ctx near<enter>");
    person.sees(&["3 nodes"]).await;
    person.types("/near-std !zzz age>1h<enter>");
    person.sees(&["/near-std !zzz age>1h · 3 of 3"]).await;
    // A plan that is read, and confirmed by the cluster's name.
    person.types("D");
    person.sees(&["PLAN  drain 1 node", "nothing has been changed yet", "dry run:"]).await;
    person.types("<enter>");
    person.sees(&["Type near to run it."]).await;
    person.types("near<enter>");
    person.sees(&["DRAIN  ", "waits on budget", "ARMED near"]).await;
    // Leaving asks; staying comes first.
    person.types("<esc>:q<enter>");
    person.sees(&["1 operation runs. Leave?"]).await;
    person.types("<enter>@");
    person.sees(&["1 running", "▸◐"]).await;
    person.types("<enter>");
    person.sees(&["waits on budget"]).await;
    // It is stopped, and the node put back.
    person.types("Q");
    person.sees(&["stop and uncordon"]).await;
    person.types("3");
    person.sees(&["▲ stopped"]).await;
    // What was done is in the journal, which holds.
    person.types("<esc>@bbb");
    person.sees(&["the chain is whole; head", "accepted", "ended"]).await;
    person.types(":q<enter>");
    assert_eq!(tokio::time::timeout(PATIENCE, screen).await.unwrap().unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_read_compared_and_copied() {
    let home = tempfile::tempdir().unwrap();
    let (_fleet, opened) = still(home.path()).await;
    let (mut person, screen) = open(opened);
    person.sees(&["2 clusters ●2"]).await;
    person.types(":deploy web<enter>");
    person.sees(&["4 deployments in 2 clusters", "/web · 2 of 4"]).await;
    person.types("y");
    person.sees(&["[yaml]", "imagePullPolicy"]).await;
    person.types("<esc>=");
    person.sees(&["COMPARE", "status, uids, versions and managed fields are left out"]).await;
    person.sees_no_more("asking the clusters").await;
    person.types("<esc>c");
    person.sees(&["kubectl --context near -n shop get deployments web -o yaml"]).await;
    person.types("2");
    assert_eq!(person.has_copied().await, "kubectl --context near -n shop get deployments web -o yaml");
    person.types("<esc>/-l app=web<enter>");
    person.sees(&["/-l app=web · 2 of 4"]).await;
    person.types("l");
    person.sees(&["the logs of which pod", "web-"]).await;
    assert_eq!(person.shown.borrow().matches("ready     web-").count(), 6, "each pod once");
    person.types("<enter>");
    person.sees(&["[logs]"]).await;
    person.types("p");
    person.sees(&["No log from before: this container was not restarted."]).await;
    person.types("<esc><esc>:q<enter>");
    assert_eq!(tokio::time::timeout(PATIENCE, screen).await.unwrap().unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_clusters_a_key_plays_the_demo_and_another_looks_again() {
    let home = tempfile::tempdir().unwrap();
    for (keys, opening) in [
        ("<enter>", Opening::Demo),
        ("r", Opening::Again),
        (":kubeconfig /tmp/x y<enter>", Opening::File("/tmp/x y".to_owned())),
    ] {
        let (mut person, screen) = open(nothing(home.path()));
        person.sees(&["No clusters yet", "plays the demo fleet", ":kubeconfig FILE"]).await;
        person.types(keys);
        assert_eq!(tokio::time::timeout(PATIENCE, screen).await.unwrap().unwrap(), Some(opening));
    }
}
