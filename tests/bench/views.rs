//! What each pane costs over 200,000 pods in 200 clusters: the time to its first page, for a key of
//! the filter, for a sort, and what stays in memory.

use std::sync::Arc;
use std::time::Instant;

use color_eyre::eyre::{Result, eyre};
use quarterdeck::input::{self, Key};
use quarterdeck::model::*;
use quarterdeck::theme::{self, Depth};
use quarterdeck::ui::{Inbound, PaneDecl, PaneInput, Settings, Ui, no_evidence, open_objects};
use quarterdeck::views::{Scope, Sheet, Snapshot, cost, fleet, health, objects, placement, scaling};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::table::{Row, row};
use driver::process;

const CLUSTERS: u16 = 200;
const NODES: u32 = 50;
const PODS: u32 = 1_000;
const WORKLOADS: u32 = 150;
const NOW: Time = Time::from_seconds(1_795_227_247);

pub(crate) fn measure() -> Result<()> {
    let snapshot = Arc::new(Snapshot::new(NOW, 1, fleet()));
    table(&snapshot)?;
    others(&snapshot);
    Ok(())
}

/// The objects pane as a person uses it, keys and drawing included.
fn table(snapshot: &Arc<Snapshot>) -> Result<()> {
    let pane = PaneDecl {
        digit: '0',
        name: "objects",
        title: "Objects",
        question: "Any kind, every cluster, one table.",
        lenses: &[],
        sheet: |input: &PaneInput<'_>| {
            objects::sheet(input.snapshot, input.scope, input.kind, input.now, input.before)
        },
        evidence: no_evidence,
        on_enter: open_objects,
    };
    let (keymap, _) = input::load("default", &|_| None, &[]);
    let (theme, _) = theme::load("default", &|_| None, Depth::True, false);
    let mut ui = Ui::new(vec![pane], Vec::new(), keymap, theme, Settings::default());
    let mut terminal = Terminal::new(TestBackend::new(200, 60))?;
    let before = resident();
    let mut frame = |ui: &mut Ui| {
        ui.settle(NOW);
        terminal.draw(|frame| ui.draw(frame, NOW)).map(|_| ())
    };
    ui.inbound(Inbound::Snapshot(Arc::clone(snapshot)), NOW);
    let began = Instant::now();
    frame(&mut ui)?;
    told("", "first page", "", millis(began));
    told("", "what the table adds to memory", "", format!("{:.1} MiB", resident() - before));

    let began = Instant::now();
    ui.inbound(Inbound::Snapshot(Arc::new(Snapshot { sequence: 2, ..(**snapshot).clone() })), NOW);
    ui.settle(NOW + Span::from_seconds(1));
    told("", "the next sheet", "", millis(began));

    for typed in ["/zzzz", "/checkout !eks", "/17", "/cpu>100m", "/age<2h", "/-f chkout"] {
        let mut keys: Vec<Key> = Vec::new();
        for c in typed.chars() {
            let name = if c == ' ' { "space".to_owned() } else { c.to_string() };
            keys.push(Key::parse(&name).map_err(|problem| eyre!(problem))?);
        }
        let mut times = Vec::new();
        for key in keys {
            let began = Instant::now();
            ui.key(key, NOW);
            frame(&mut ui)?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let worst = times.last().copied().unwrap_or_default();
        told("G12", &format!("worst key of {typed}"), "50 ms", format!("{worst:.1} ms"));
        for _ in 0..2 {
            ui.key(Key::parse("esc").map_err(|problem| eyre!(problem))?, NOW);
        }
        frame(&mut ui)?;
    }
    let sheet = objects::sheet(snapshot, &Scope::All, Kind::Pod, NOW, None);
    let quarterdeck::views::SheetRows::Listed(listing) = &sheet.rows else {
        return Err(eyre!("the rows of the objects pane are written at once"));
    };
    for (column, named) in sheet.columns.iter().enumerate() {
        let began = Instant::now();
        std::hint::black_box(listing.sorted(column, false));
        told("G12", &format!("sort by {}", named.title), "50 ms", millis(began));
    }
    Ok(())
}

/// The other panes: the first sheet, and the next one of the same state.
fn others(snapshot: &Snapshot) {
    use cost::{CostLens, Unit};
    use placement::PlacementLens;
    type Make = fn(&Snapshot) -> Sheet;
    let panes: [(&str, Make); 12] = [
        ("fleet", |s| fleet::sheet(s, &Scope::All, NOW)),
        ("health", |s| health::sheet(s, &Scope::All, NOW, health::Lens::default())),
        ("placement by app", |s| placement::sheet(s, &Scope::All, PlacementLens::App, NOW)),
        ("placement by pool", |s| placement::sheet(s, &Scope::All, PlacementLens::Pool, NOW)),
        ("placement by pending", |s| placement::sheet(s, &Scope::All, PlacementLens::Pending, NOW)),
        ("placement by fit", |s| placement::sheet(s, &Scope::All, PlacementLens::Fit, NOW)),
        ("scaling", |s| scaling::sheet(s, &Scope::All, scaling::ScalingLens::Time, NOW)),
        ("cost by cluster", |s| cost::sheet(s, &Scope::All, CostLens::Cluster, Unit::Hour, NOW)),
        ("cost by namespace", |s| cost::sheet(s, &Scope::All, CostLens::Namespace, Unit::Hour, NOW)),
        ("cost by workload", |s| cost::sheet(s, &Scope::All, CostLens::Workload, Unit::Hour, NOW)),
        ("cost by pool", |s| cost::sheet(s, &Scope::All, CostLens::Pool, Unit::Hour, NOW)),
        ("cost by waste", |s| cost::sheet(s, &Scope::All, CostLens::Waste, Unit::Hour, NOW)),
    ];
    for (name, make) in panes {
        // A copy of a cluster remembers nothing of what was derived from it.
        let clusters = snapshot.fleet.clusters.iter().map(|c| Arc::new((**c).clone())).collect();
        let fresh = Snapshot::new(NOW, 3, Fleet { clusters });
        let before = resident();
        let began = Instant::now();
        let sheet = make(&fresh);
        let first = millis(began);
        let added = resident() - before;
        let began = Instant::now();
        let again = make(&fresh);
        let measured = format!("{first}, then {}, {added:.1} MiB", millis(began));
        told("", &format!("{name}, {} rows", sheet.rows.len().max(again.rows.len())), "", measured);
    }
}

fn told(figure: &str, what: &str, target: &str, measured: String) {
    row(&Row { figure, what, target, measured, ..Row::default() });
}

fn millis(began: Instant) -> String {
    format!("{:.1} ms", began.elapsed().as_secs_f64() * 1e3)
}

fn resident() -> f64 {
    process::memory(std::process::id()).map_or(f64::NAN, |(now, _)| now)
}

/// 200 clusters of 50 nodes and 1,000 pods each; texts that repeat are shared, as in the store.
fn fleet() -> Fleet {
    let clusters = (0..CLUSTERS).map(|id| Arc::new(cluster(id)));
    Fleet { clusters: clusters.collect() }
}

fn cluster(id: u16) -> Cluster {
    let provider = ["eks", "gke", "aks", "dc"][usize::from(id % 4)];
    let info = ClusterInfo { name: Text::from(format!("{provider}-region{id}")), ..ClusterInfo::default() };
    let mut cluster = Cluster::new(ClusterId(id), Arc::new(info), NOW);
    let live = Link { state: LinkState::Live, heard: Some(NOW), ..Link::waiting(NOW) };
    cluster.link = live.clone();
    for table in &mut cluster.tables {
        table.link = live.clone();
        table.synced = Some(NOW);
    }
    let uid = |kind: u32, number: u32| Uid::parse(&format!("{kind:08x}-0000-4000-9000-{id:04x}{number:08x}"));
    let meta = |namespace: &Text, name: Text, uid: Uid, age: u32| Meta {
        uid,
        namespace: namespace.clone(),
        name,
        created: Some(NOW - Span::from_seconds(i64::from(age % 800_000))),
        ..Meta::default()
    };
    let size = Resources { cpu: 8_000, memory: 32 << 30, gpus: 0, pods: 110 };
    let nodes: Vec<Text> = (0..NODES).map(|n| Text::from(format!("ip-10-{id}-{n}-17.internal"))).collect();
    let mut put = |record: Record| {
        cluster.tables[record.kind().index()].rows.insert(Arc::new(record));
    };
    for (number, name) in (0..).zip(&nodes) {
        let node = Node {
            meta: meta(&Text::EMPTY, name.clone(), uid(1, number), number * 977),
            capacity: size,
            allocatable: size,
            ready: Truth::True,
            ..Node::default()
        };
        put(Record::from(node));
    }
    let apps = ["checkout", "cart", "pay-api", "search", "ledger", "thumbs", "mailer", "etl", "web", "auth"];
    for number in 0..WORKLOADS {
        let app = apps[number as usize % apps.len()];
        let namespace = Text::from(format!("team-{}", number / 10));
        let name = Text::from(format!("{app}-{}", number / 10));
        let pods = PODS / WORKLOADS + u32::from(number < PODS % WORKLOADS);
        let image = Image { container: "main".into(), image: Text::from(format!("ghcr.io/acme/{app}:1.4")) };
        let workload = Workload {
            meta: meta(&namespace, name.clone(), uid(2, number), number * 3_571),
            desired: pods,
            current: pods,
            ready: pods,
            updated: pods,
            available: pods,
            images: Box::new([image]),
            requests: Resources { cpu: 250, memory: 1 << 30, gpus: 0, pods: 1 },
            ..Workload::empty(Kind::Deployment)
        };
        put(Record::Workload(workload));
        let hash = "7d9f8c6b5";
        let owner = Arc::new(Owner {
            api: "apps/v1".into(),
            kind: "ReplicaSet".into(),
            name: Text::from(format!("{name}-{hash}")),
            uid: uid(3, number),
        });
        let labels = Labels::new(vec![("app".into(), app.into()), ("pod-template-hash".into(), hash.into())]);
        for one in 0..pods {
            let place = number * 7 + one;
            let full = Text::from(format!("{name}-{hash}-{:05x}", place * 2_654_435 % 1_048_576));
            let meta = Meta {
                labels: labels.clone(),
                owner: Some(Arc::clone(&owner)),
                ..meta(&namespace, full, uid(4, place), place * 617)
            };
            let container = Container {
                name: "main".into(),
                image: Text::from(format!("ghcr.io/acme/{app}:1.4")),
                ready: true,
                state: ContainerState::Running,
                since: Some(NOW),
                ..Container::default()
            };
            put(Record::Pod(Pod {
                meta,
                node: nodes[place as usize % nodes.len()].clone(),
                phase: Phase::Running,
                ready: true,
                scheduled: Some(NOW),
                requests: Resources { cpu: 250, memory: 1 << 30, gpus: 0, pods: 1 },
                containers: Box::new([container]),
                ..Pod::default()
            }));
        }
    }
    cluster
}
