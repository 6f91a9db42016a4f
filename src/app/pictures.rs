//! Pictures of every pane in every state at three sizes, over the real store and the real panes.

use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::registry;
use crate::input::{self, Operation};
use crate::model::{
    Autoscaler, Cause, Change, ClusterId, ClusterInfo, Delta, Fault, Kind, Link, LinkState, Record, Served,
    Span, Text, Time, Truth, Usage, Used, Version, Volume,
};
use crate::operations;
use crate::store::{Derive, Store};
use crate::theme::{self, Depth};
use crate::ui::{Inbound, PaneDecl, Settings, Ui};
use crate::views::Snapshot;
use crate::views::prices::{Overrides, Prices};
use crate::views::scenes::{clock, deployment, event, meta, node, now, pod, waits};

const SIZES: [(u16, u16); 3] = [(60, 15), (80, 24), (140, 45)];

/// A fleet in the making, by what its watches would tell.
pub(super) struct Play {
    store: Store,
    clusters: u16,
}

impl Play {
    fn new(names: &[String]) -> Play {
        let prices = Arc::new(Prices::new(Overrides::default()));
        let list = Arc::clone(&prices);
        let price: crate::views::PriceOf = Arc::new(move |info, node| list.price(info, node));
        let derive = Derive {
            rules: registry::rules(),
            observers: registry::observers(&price),
            price,
            extras: Arc::new(move |cluster| prices.extras(cluster)),
        };
        let infos = names.iter().map(|name| {
            let groups: Vec<Text> = match name.split('-').next() {
                Some("eks") => vec!["prod".into(), "aws".into()],
                Some("gke") => vec!["prod".into(), "gcp".into()],
                _ => vec!["edge".into()],
            };
            Arc::new(ClusterInfo { name: Text::clean(name), groups, ..ClusterInfo::default() })
        });
        let clusters = u16::try_from(names.len()).unwrap();
        Play { store: Store::new(infos.collect::<Vec<_>>(), clock("01:00:00"), derive), clusters }
    }

    fn say(&mut self, cluster: u16, at: Time, change: Change) {
        self.store.apply(Delta { cluster: ClusterId(cluster), at, change });
    }

    /// The connection is made and every kind is listed.
    fn list(&mut self, cluster: u16, records: Vec<Record>) {
        let at = clock("02:00:00");
        let live = Link { state: LinkState::Live, heard: Some(now()), ..Link::waiting(at) };
        self.say(cluster, at, Change::Link(live.clone()));
        let served = Box::new(Served { metrics: true, ..Served::default() });
        self.say(
            cluster,
            at,
            Change::Server { version: "v1.36.3".into(), identity: None, served, badges: Vec::new() },
        );
        for kind in Kind::ALL {
            self.say(cluster, at, Change::Begin(kind));
            let own: Vec<Record> = records.iter().filter(|record| record.kind() == kind).cloned().collect();
            self.say(cluster, at, Change::Page(kind, own));
            self.say(cluster, at, Change::Synced(kind, Version(1)));
            self.say(cluster, at, Change::KindLink(kind, live.clone()));
        }
    }

    pub(super) fn end(mut self) -> Snapshot {
        for minute in 0..14 {
            self.store.tick(clock("02:00:00") + Span::from_seconds(minute * 60));
        }
        self.store.snapshot(now())
    }
}

fn names(count: usize) -> Vec<String> {
    ["eks-use1", "gke-euw1", "edge-17"]
        .map(str::to_owned)
        .into_iter()
        .chain((3..count).map(|n| format!("eks-{n:03}")))
        .take(count)
        .collect()
}

/// What runs in a cluster where all is well.
fn calm(cluster: usize, pods: usize) -> Vec<Record> {
    let image = "ghcr.io/acme/pay:1.41";
    let mut records: Vec<Record> =
        (0..3).map(|n| Record::from(node(&format!("n{cluster}-{n}"), "std", "europe-west1-b"))).collect();
    let count = u32::try_from(pods).unwrap();
    records.push(Record::Workload(deployment("pay", "pay-api", image, count, count)));
    records.extend((0..pods).map(|n| {
        let place = format!("n{cluster}-{}", n % 3);
        Record::Pod(pod("pay", "pay-api", &format!("{n:03}"), image, &place))
    }));
    records.push(Record::Volume(Volume {
        meta: meta("", &format!("pv-{cluster}")),
        size: 100 << 30,
        driver: "pd.csi.storage.gke.io".into(),
        ..Volume::default()
    }));
    records
}

/// Clusters where all is well, each with so many pods.
pub(super) fn healthy(count: usize, pods: usize) -> Play {
    let mut play = Play::new(&names(count));
    for cluster in 0..play.clusters {
        play.list(cluster, calm(cluster.into(), pods));
        measure(&mut play, cluster, pods, "02:13:40");
    }
    play
}

/// What the pods of a cluster use is told.
fn measure(play: &mut Play, cluster: u16, pods: usize, at: &str) {
    let used = Used { cpu: 60, memory: 300 << 20 };
    let pods = (0..pods).map(|n| (("pay", format!("pay-api-7d9f-{n:03}")), used));
    let usage = Usage { pods: pods.collect(), ..Usage::default() };
    play.say(cluster, clock(at), Change::Usage(Box::new(usage)));
}

fn upsert(play: &mut Play, cluster: u16, at: &str, record: Record) {
    play.say(cluster, clock(at), Change::Upsert(Arc::new(record)));
}

/// An image that cannot be pulled, a node that is lost, an autoscaler at its end.
fn degraded() -> Play {
    let mut play = healthy(3, 6);
    let since = clock("02:05:00");
    for n in 0..3 {
        let broken = pod("pay", "pay-api", &format!("{n:03}"), "ghcr.io/acme/pay:1.42", &format!("n0-{n}"));
        let mut broken = waits(broken, "ImagePullBackOff", "Back-off pulling image: not found", since);
        broken.meta.version = Version(9);
        upsert(&mut play, 0, "02:06:00", Record::Pod(broken));
    }
    let mut workload = deployment("pay", "pay-api", "ghcr.io/acme/pay:1.42", 6, 3);
    (workload.revision, workload.meta.version) = ("2".into(), Version(9));
    upsert(&mut play, 0, "02:06:00", Record::Workload(workload));
    let mut lost = node("n1-0", "std", "europe-west1-b");
    (lost.ready, lost.ready_since) = (Truth::Unknown, Some(clock("02:08:00")));
    lost.meta.version = Version(9);
    upsert(&mut play, 1, "02:08:01", Record::from(lost));
    let scaler = |desired, version| Autoscaler {
        meta: crate::model::Meta { version: Version(version), ..meta("pay", "pay-api") },
        target_kind: "Deployment".into(),
        target: "pay-api".into(),
        min: 2,
        max: 9,
        current: 6,
        desired,
        ..Autoscaler::default()
    };
    upsert(&mut play, 1, "02:08:30", Record::Autoscaler(scaler(6, 2)));
    upsert(&mut play, 1, "02:09:00", Record::Autoscaler(scaler(9, 3)));
    let mut waiting = pod("pay", "pay-api", "900", "ghcr.io/acme/pay:1.41", "");
    (waiting.ready, waiting.phase) = (false, crate::model::Phase::Pending);
    waiting.message = "0/3 nodes are available: 3 Insufficient cpu.".into();
    upsert(&mut play, 1, "02:09:10", Record::Pod(waiting));
    let told = ("Deployment", "pay", "pay-api");
    let words = "Scaled up replica set pay-api-7d9f from 6 to 9";
    let said = event(told, "deployment-controller", "ScalingReplicaSet", words, clock("02:09:01"));
    upsert(&mut play, 1, "02:09:02", Record::Event(said));
    play
}

fn stale() -> Play {
    let mut play = healthy(3, 6);
    let silent = clock("02:09:55");
    let broken = Link {
        state: LinkState::Broken,
        since: silent,
        heard: Some(silent),
        retry_at: Some(now() + Span::from_seconds(9)),
        tries: 4,
        fault: Some(Fault::new(Cause::Timeout, "dial timeout", "")),
    };
    measure(&mut play, 2, 6, "02:09:40");
    play.say(2, silent, Change::Link(broken.clone()));
    for kind in Kind::ALL {
        play.say(2, silent, Change::KindLink(kind, broken.clone()));
    }
    play
}

fn denied() -> Play {
    let mut play = healthy(3, 6);
    let refused = Link {
        state: LinkState::Denied,
        fault: Some(Fault::new(Cause::Forbidden, "pods is forbidden", "")),
        ..Link::waiting(clock("02:00:00"))
    };
    for kind in [Kind::Pod, Kind::Deployment, Kind::Event] {
        play.say(0, clock("02:00:10"), Change::KindLink(kind, refused.clone()));
    }
    play
}

fn states() -> [(&'static str, Snapshot); 7] {
    let mut empty = Play::new(&names(3));
    (0..3).for_each(|cluster| empty.list(cluster, Vec::new()));
    [
        ("empty", empty.end()),
        ("connecting", Play::new(&names(3)).end()),
        ("healthy", healthy(3, 6).end()),
        ("degraded", degraded().end()),
        ("stale", stale().end()),
        ("denied", denied().end()),
        ("huge", healthy(200, 20).end()),
    ]
}

/// A screen with every pane, by the settings that come with the program.
pub(super) fn screen() -> Ui {
    screen_of(registry::panes())
}

fn screen_of(panes: Vec<PaneDecl>) -> Ui {
    let own = operations::ALL.iter().map(|op| Operation { id: op.id, key: op.key });
    let (keymap, _) = input::load("default", &|_| None, &own.collect::<Vec<_>>());
    let (theme, _) = theme::load("mono", &|_| None, Depth::None, false);
    Ui::new(panes, operations::ALL.to_vec(), keymap, theme, Settings::default())
}

fn picture(ui: &mut Ui, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    // The first frame tells the screen its size.
    for _ in 0..2 {
        ui.settle(now());
        terminal.draw(|frame| ui.draw(frame, now())).unwrap();
    }
    let buffer = terminal.backend().buffer();
    let lines = buffer.content.chunks(usize::from(width)).map(|line| {
        let text: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_pane_in_every_state_has_its_pictures() {
    for (state, snapshot) in states() {
        let snapshot = Arc::new(snapshot);
        for pane in registry::panes() {
            let mut ui = screen();
            ui.inbound(Inbound::Snapshot(Arc::clone(&snapshot)), now());
            let key = input::Key::sequence(&pane.digit.to_string()).unwrap();
            // A digit twice gives its pane the whole width: Health is shown at the start.
            if ui.pane_name() != pane.name {
                key.into_iter().for_each(|key| {
                    ui.key(key, now());
                });
            }
            let pictures: Vec<String> = SIZES.iter().map(|size| picture(&mut ui, *size)).collect();
            let rule = format!("\n{}\n", "─".repeat(140));
            insta::assert_snapshot!(format!("{}_{state}", pane.name), pictures.join(&rule));
        }
    }
}

#[test]
fn a_pane_that_crashes_says_so_and_the_others_go_on() {
    let mut panes = registry::panes();
    panes[0].sheet = |_| panic!("a pane crashes, by order");
    panes[1].evidence = |_, _| panic!("evidence crashes, by order");
    let mut ui = screen_of(panes);
    ui.inbound(Inbound::Snapshot(Arc::new(degraded().end())), now());
    let health = picture(&mut ui, (100, 30));
    assert!(health.contains("clusters hurt") && !health.contains("cannot be made"), "{health}");
    let key = input::Key::sequence("1").unwrap();
    key.into_iter().for_each(|key| {
        ui.key(key, now());
    });
    let fleet = picture(&mut ui, (100, 30));
    assert!(fleet.contains("This table cannot be made: a bug in Quarterdeck"), "{fleet}");
}
