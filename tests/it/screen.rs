//! A screen over a small fleet, for the tests of keys and of pictures.

use std::sync::Arc;

use quarterdeck::input::{self, Key, Operation};
use quarterdeck::model::*;
use quarterdeck::operations;
use quarterdeck::theme::{self, Depth};
use quarterdeck::ui::{Effect, Inbound, PaneDecl, PaneInput, Settings, Ui, no_evidence, open_objects, panes};
use quarterdeck::views::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// The moment at which every test begins: 2026-11-21T02:14:07Z.
pub(crate) const NOW: Time = Time::from_seconds(1_795_227_247);

pub(crate) fn after(seconds: i64) -> Time {
    NOW + Span::from_seconds(seconds)
}

/// The panes of the tests: a sheet of words, the nodes of the snapshot, the runs.
pub(crate) fn panes_of_tests() -> Vec<PaneDecl> {
    vec![
        PaneDecl {
            digit: '2',
            name: "health",
            title: "Health",
            question: "What is broken, since when?",
            lenses: &["cause", "cluster"],
            sheet: health,
            evidence: proofs,
            on_enter: open_objects,
        },
        PaneDecl {
            digit: '0',
            name: "objects",
            title: "Objects",
            question: "Any kind, every cluster",
            lenses: &[],
            sheet: objects,
            evidence: no_evidence,
            on_enter: open_objects,
        },
        panes::operations::PANE,
    ]
}

const FINDINGS: [(&str, Tone, &str, &str, &str); 6] = [
    ("02:11", Tone::Crit, "ImagePullBackOff ghcr.io/acme/pay:1.42", "6 clusters", "14 wl 96 pods"),
    ("02:12", Tone::Crit, "3 of 8 nodes NotReady, pool gpu-a, zone b", "gke-euw1", "5 wl 31 pods"),
    ("02:09", Tone::Unseen, "no answer since 02:09:55Z", "edge-17", "3 n 34 pods"),
    ("01:58", Tone::Warn, "HPA checkout at max 40/40, cpu 96 %/70 %", "eks-use1", "1 wl"),
    ("01:44", Tone::Warn, "imgproc scales 8 ↔ 14, 9 times in 30 min", "aks-weu", "1 wl"),
    ("00:02", Tone::Denied, "pods in billing not readable (403)", "eks-use1", "?"),
];

fn health(input: &PaneInput<'_>) -> Sheet {
    let rows = FINDINGS.iter().map(|(since, tone, what, place, blast)| SheetRow {
        id: RowId::Part(Text::clean(what)),
        tone: *tone,
        cells: [*since, *what, *place, *blast, "team-pay"].iter().map(|c| Cell::text(*c)).collect(),
        objects: Vec::new(),
        stale: *tone == Tone::Unseen,
    });
    let mut rows: Vec<SheetRow> = rows.collect();
    if input.lens == 1 {
        rows.reverse();
    }
    let values = (0..30).map(|i| Some(f64::from(i * i % 17))).collect();
    Sheet {
        answer: "3 of 5 clusters hurt, 1 unseen. Worst: pay 1.42 cannot be pulled; 71 % still serving".into(),
        charts: vec![Chart {
            label: "pending".into(),
            values,
            ends: ("0".into(), "21".into()),
            note: "01:15 → 02:14".into(),
        }],
        columns: vec![
            Column::right("since", 5, 8),
            Column::left("what", 0, 9),
            Column::left("where", 11, 7),
            Column::right("blast", 13, 6),
            Column::left("owner", 12, 2),
        ],
        rows: rows.into(),
        empty: "Nothing is wrong.".into(),
        footer: "412 symptoms folded into 6 findings".into(),
        hints: Vec::new(),
    }
}

fn proofs(_: &PaneInput<'_>, row: &SheetRow) -> Evidence {
    let line = |at: i64, label: &str, text: &str, tone| EvidenceLine {
        at: (at != 0).then(|| NOW - Span::from_seconds(at)),
        label: label.into(),
        text: text.into(),
        tone,
        ..EvidenceLine::default()
    };
    let offer = line(0, "offer", "roll back 14 workloads to 1.41", Tone::Ok);
    Evidence {
        title: Text::from(format!("{} · evidence", row.cells[1].text)),
        lines: vec![
            line(195, "change", "pay 1.41 → 1.42, Argo CD app pay-prod, rev 9f3c2e1", Tone::Ok),
            line(183, "first", "eks-use1 pay/pay-api-7d9f…x2kqp Failed: \"manifest not found\"", Tone::Crit),
            line(0, "serving", "235 of 331 pods, all on 1.41; lowest eks-use1, 65 of 104", Tone::Ok),
            EvidenceLine { offer: Some("roll-back"), ..offer },
        ],
        ..Evidence::default()
    }
}

/// The objects of the kind that was asked for, by cluster and name.
fn objects(input: &PaneInput<'_>) -> Sheet {
    let mut rows = Vec::new();
    for cluster in input.snapshot.fleet.clusters.iter().filter(|c| input.scope.holds(c)) {
        for record in cluster.records(input.kind) {
            let meta = record.meta();
            if !input.scope.holds_namespace(&meta.namespace) {
                continue;
            }
            let key = record.key(cluster.id);
            rows.push(SheetRow {
                id: RowId::Object(key.clone()),
                tone: match record.node() {
                    Some(node) if node.ready != Truth::True => Tone::Crit,
                    _ => Tone::Ok,
                },
                cells: vec![
                    Cell::text(cluster.info.name.clone()),
                    Cell::text(meta.namespace.clone()),
                    Cell::text(meta.name.clone()),
                ],
                objects: vec![key],
                stale: !cluster.link.live(),
            });
        }
    }
    rows.sort_by(|a, b| a.cells[0].text.cmp(&b.cells[0].text).then(a.cells[2].text.cmp(&b.cells[2].text)));
    Sheet {
        answer: Text::from(format!("{} objects", rows.len())),
        columns: vec![
            Column::left("cluster", 11, 8),
            Column::left("namespace", 14, 5),
            Column::left("name", 0, 9),
        ],
        rows: rows.into(),
        empty: "None.".into(),
        ..Sheet::default()
    }
}

pub(crate) fn uid(number: u32) -> Uid {
    Uid::parse(&format!("00000000-0000-4000-8000-{number:012x}"))
}

fn live(at: Time) -> Link {
    Link { state: LinkState::Live, heard: Some(at), ..Link::waiting(at) }
}

/// A cluster with two nodes and a pod on each.
pub(crate) fn cluster(id: u16, name: &str, groups: &[&str], tier: Tier) -> Cluster {
    let info = ClusterInfo {
        name: name.into(),
        tier,
        groups: groups.iter().map(|g| Text::clean(g)).collect(),
        ..ClusterInfo::default()
    };
    let mut cluster = Cluster::new(ClusterId(id), Arc::new(info), NOW);
    cluster.link = live(NOW);
    for table in &mut cluster.tables {
        table.link = live(NOW);
        table.synced = Some(NOW);
    }
    let base = u32::from(id) * 100;
    for n in 1..=2 {
        let mut node = Node { ready: Truth::True, ..Node::default() };
        node.meta.name = Text::from(format!("{name}-node-{n}"));
        node.meta.uid = uid(base + n);
        node.meta.version = Version(u64::from(base + n));
        insert(&mut cluster, Record::from(node));
        let mut pod = Pod { phase: Phase::Running, ready: true, ..Pod::default() };
        pod.meta.name = Text::from(format!("web-{n}"));
        pod.meta.namespace = "shop".into();
        pod.meta.uid = uid(base + 50 + n);
        pod.meta.version = Version(1);
        pod.meta.created = Some(NOW - Span::from_seconds(3700));
        pod.node = Text::from(format!("{name}-node-{n}"));
        pod.scheduled = Some(NOW);
        let owner = Owner {
            api: "apps/v1".into(),
            kind: "ReplicaSet".into(),
            name: "web".into(),
            uid: uid(base + 90),
        };
        pod.meta.owner = Some(Arc::new(owner));
        insert(&mut cluster, Record::Pod(pod));
    }
    let mut namespace = Namespace::default();
    namespace.meta.name = "shop".into();
    namespace.meta.uid = uid(base + 99);
    insert(&mut cluster, Record::Namespace(namespace));
    cluster.totals = Totals {
        nodes: 2,
        nodes_ready: 2,
        pods: 2,
        pods_ready: 2,
        cost: CostTotals { rate: Money::from_micros(1_230_000), priced: 2, ..CostTotals::default() },
        ..Totals::default()
    };
    cluster
}

pub(crate) fn insert(cluster: &mut Cluster, record: Record) {
    let kind = record.kind();
    cluster.tables[kind.index()].rows.insert(Arc::new(record));
}

/// Five clusters: one hurt, one that does not answer, three fine.
pub(crate) fn fleet() -> Fleet {
    let mut clusters = vec![
        cluster(0, "eks-use1", &["prod", "aws"], Tier::Prod),
        cluster(1, "eks-euw1", &["prod", "aws"], Tier::Prod),
        cluster(2, "gke-euw1", &["prod", "gcp"], Tier::Prod),
        cluster(3, "edge-17", &["edge"], Tier::Prod),
        cluster(4, "dev-1", &["staging"], Tier::Dev),
    ];
    clusters[3].link = Link {
        state: LinkState::Broken,
        since: NOW - Span::from_seconds(252),
        heard: Some(NOW - Span::from_seconds(252)),
        retry_at: Some(after(9)),
        tries: 4,
        fault: Some(Fault::new(Cause::Timeout, "dial timeout", "")),
    };
    let object = ObjectKey {
        cluster: ClusterId(0),
        kind: Kind::Pod,
        namespace: "shop".into(),
        name: "web-1".into(),
        uid: uid(51),
    };
    let symptom = Symptom {
        object,
        cause: SymptomCause { reason: "ImagePullBackOff".into(), subject: "pay:1.42".into() },
        tone: Tone::Crit,
        since: NOW,
        since_sure: true,
        counts_from: NOW,
        evidence: "manifest not found".into(),
        workload: None,
    };
    clusters[0].symptoms = Arc::new([(uid(51), Arc::new(symptom))].into_iter().collect());
    Fleet { clusters: clusters.into_iter().map(Arc::new).collect() }
}

/// A screen and a terminal that it draws on.
pub(crate) struct Screen {
    pub(crate) ui: Ui,
    pub(crate) now: Time,
    pub(crate) sequence: u64,
    terminal: Terminal<TestBackend>,
}

impl Screen {
    pub(crate) fn bare(width: u16, height: u16, theme: &str, depth: Depth, ascii: bool) -> Screen {
        let names: Vec<Operation> =
            operations::ALL.iter().map(|op| Operation { id: op.id, key: op.key }).collect();
        let (keymap, problems) = input::load("default", &|_| None, &names);
        assert_eq!(problems, []);
        let (theme, problems) = theme::load(theme, &|_| None, depth, ascii);
        assert_eq!(problems, []);
        let ui = Ui::new(panes_of_tests(), operations::ALL.to_vec(), keymap, theme, Settings::default());
        let terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        Screen { ui, now: NOW, sequence: 0, terminal }
    }

    /// A screen over the small fleet, drawn once.
    pub(crate) fn new(width: u16, height: u16) -> Screen {
        let mut screen = Screen::bare(width, height, "mono", Depth::None, false);
        screen.fleet(fleet());
        screen.draw();
        screen
    }

    pub(crate) fn fleet(&mut self, fleet: Fleet) -> Vec<Effect> {
        self.sequence += 1;
        let snapshot = Snapshot::new(self.now, self.sequence, fleet);
        let effects = self.ui.inbound(Inbound::Snapshot(Arc::new(snapshot)), self.now);
        self.ui.settle(self.now);
        effects
    }

    /// Types keys one after another, with a frame after each, as a person does.
    pub(crate) fn keys(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in Key::sequence(keys).unwrap() {
            effects.extend(self.ui.key(key, self.now));
            self.ui.settle(self.now);
            self.draw();
        }
        effects
    }

    /// Types keys that open a plan, which the clusters then allow.
    pub(crate) fn plan(&mut self, keys: &str) -> Vec<Effect> {
        let effects = self.keys(keys);
        self.allow(&effects);
        effects
    }

    /// The clusters say yes to every plan that they are asked about.
    pub(crate) fn allow(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Check(plan) = effect {
                let yes = quarterdeck::operations::Line::new("allowed", "all of it");
                self.ui.inbound(Inbound::Checked(plan.hash(), vec![yes]), self.now);
            }
        }
        self.draw();
    }

    /// Types a text into a field.
    pub(crate) fn text(&mut self, text: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for c in text.chars() {
            effects.extend(self.ui.key(Key::char(c), self.now));
            self.ui.settle(self.now);
            self.draw();
        }
        effects
    }

    pub(crate) fn draw(&mut self) {
        self.ui.settle(self.now);
        self.draw_now();
    }

    fn draw_now(&mut self) {
        let now = self.now;
        let ui = &mut self.ui;
        self.terminal.draw(|frame| ui.draw(frame, now)).unwrap();
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    }

    /// The picture, without blanks at the ends of lines.
    pub(crate) fn picture(&mut self) -> String {
        self.draw();
        self.drawn()
    }

    /// The picture as it is, whatever is still to be computed.
    pub(crate) fn glance(&mut self) -> String {
        self.draw_now();
        self.drawn()
    }

    fn drawn(&self) -> String {
        let buffer = self.terminal.backend().buffer();
        let width = usize::from(buffer.area.width);
        let lines = buffer.content.chunks(width).map(|line| {
            let text: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
            text.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn buffer(&mut self) -> ratatui::buffer::Buffer {
        self.draw();
        self.terminal.backend().buffer().clone()
    }

    /// The line under the cursor.
    pub(crate) fn cursor_line(&mut self) -> String {
        let picture = self.picture();
        // In the tree a blank follows the sign, in tables a glyph.
        let cursor =
            |line: &&str| line.match_indices('▸').any(|(at, sign)| !line[at + sign.len()..].starts_with(' '));
        picture.lines().find(cursor).unwrap_or_default().to_owned()
    }
}

/// The screen on the nodes of all clusters.
pub(crate) fn on_nodes() -> Screen {
    let mut screen = Screen::new(120, 36);
    screen.keys("0 :");
    screen.text("nodes");
    screen.keys("enter");
    screen
}

/// Puts the cursor on the row that holds this text.
pub(crate) fn to(screen: &mut Screen, text: &str) {
    screen.keys("g");
    for _ in 0..40 {
        if screen.cursor_line().contains(text) {
            return;
        }
        screen.keys("j");
    }
    panic!("no row with {text}:\n{}", screen.picture());
}

/// How often the clusters are asked what they say to a plan.
pub(crate) fn checks(effects: &[Effect]) -> usize {
    effects.iter().filter(|e| matches!(e, Effect::Check(_))).count()
}
