//! Pictures of the screen at every size, and what must hold of each.

use std::sync::Arc;

use quarterdeck::input::Key;
use quarterdeck::model::*;
use quarterdeck::operations::{OpEvent, OpId, Plan, PodProgress, PodState, Progress, Recovery};
use quarterdeck::theme::{Depth, THEMES};
use quarterdeck::ui::{Effect, Inbound};
use quarterdeck::views::Snapshot;

use crate::screen::{NOW, Screen, cluster, fleet, insert};

#[test]
fn the_screen_at_four_sizes() {
    for (width, height) in [(60, 15), (80, 24), (120, 36), (200, 60)] {
        let picture = Screen::new(width, height).picture();
        insta::assert_snapshot!(format!("frame_{width}x{height}"), picture);
    }
}

#[test]
fn what_is_offered_names_its_key() {
    let picture = Screen::new(120, 36).picture();
    assert!(picture.contains("offer   B roll back 14 workloads to 1.41"), "{picture}");
}

#[test]
fn the_screen_before_any_cluster_answers() {
    let mut screen = Screen::bare(80, 24, "mono", Depth::None, false);
    let mut empty = fleet();
    empty.clusters =
        empty.clusters.iter().map(|c| Arc::new(Cluster::new(c.id, c.info.clone(), NOW))).collect();
    screen.fleet(empty);
    insta::assert_snapshot!("connecting", screen.picture());
}

#[test]
fn the_screen_without_clusters_says_where_it_looked() {
    let mut screen = Screen::bare(80, 24, "mono", Depth::None, false);
    screen.fleet(Fleet::default());
    let picture = screen.picture();
    assert!(picture.contains("No clusters yet."), "{picture}");
    assert!(picture.contains("enter plays the demo fleet · r looks again"), "{picture}");
}

#[test]
fn overlays_have_pictures() {
    let mut screen = Screen::new(120, 36);
    screen.keys("0");
    screen.keys(":");
    screen.text("nodes");
    insta::assert_snapshot!("command_line", screen.picture());
    screen.keys("enter j");
    screen.keys("D");
    insta::assert_snapshot!("plan_drain", screen.picture());
    screen.keys("esc ?");
    assert!(screen.picture().contains("HELP"));
    screen.keys("esc d");
    insta::assert_snapshot!("detail_describe", screen.picture());
    screen.keys("esc a");
    insta::assert_snapshot!("actions", screen.picture());
}

#[test]
fn no_size_breaks_any_screen() {
    let ways: [&[&str]; 8] =
        [&[], &["0", "D"], &[":"], &["?"], &["0", "enter"], &["a"], &["f", "j", "j"], &["/"]];
    for keys in ways {
        let mut screen = Screen::new(120, 36);
        for key in keys {
            screen.keys(key);
        }
        for width in (1..=24).chain([59, 60, 61, 79, 80, 99, 100, 101, 139, 140, 200]) {
            for height in (1..=17).chain([23, 24, 36, 60]) {
                screen.resize(width, height);
                screen.draw();
            }
        }
    }
}

#[test]
fn ascii_themes_draw_nothing_else() {
    for keys in ["0", "a", "?", "f"] {
        let mut screen = Screen::bare(120, 36, "mono", Depth::None, true);
        screen.fleet(fleet());
        screen.keys(keys);
        let picture = screen.picture();
        assert!(picture.is_ascii(), "{picture}");
        assert!(picture.contains("READ-ONLY"));
    }
}

#[test]
fn without_colour_nothing_is_coloured_and_the_state_is_still_there() {
    for (theme, _) in THEMES {
        let mut screen = Screen::bare(120, 36, theme, Depth::None, false);
        screen.fleet(fleet());
        let buffer = screen.buffer();
        for cell in &buffer.content {
            assert_eq!(
                (cell.fg, cell.bg),
                (ratatui::style::Color::Reset, ratatui::style::Color::Reset),
                "{theme}"
            );
        }
        let picture = screen.picture();
        for glyph in ["✖", "▲", "◌", "⊘"] {
            assert!(picture.contains(glyph), "{theme} {glyph}");
        }
    }
}

/// What clusters may try: escapes, overwriting, reordering, hiding, width, length.
const HOSTILE: [&str; 8] = [
    "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}",
    "\u{9b}31mred\u{9d}0;title\u{9c}",
    "a\u{202e}b\u{2066}c\u{2069}",
    "tag\u{e0041}\u{e0042}",
    "zero\u{200b}\u{feff}width\u{200d}",
    "line\nbreak\r\ttab\u{8}\u{7f}",
    "宽宽宽宽宽宽宽宽宽宽宽宽",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}",
];

#[test]
fn hostile_text_is_drawn_harmless_everywhere() {
    for hostile in HOSTILE {
        let mut screen = Screen::bare(120, 36, "default", Depth::True, false);
        let mut one = cluster(0, hostile, &[hostile, "x"], Tier::Prod);
        let mut node = Node::default();
        node.meta.name = Text::clean(&hostile.repeat(40));
        node.meta.namespace = Text::clean(hostile);
        node.meta.uid = Uid::parse("hostile");
        insert(&mut one, Record::from(node));
        one.link.state = LinkState::Broken;
        one.link.fault = Some(Fault::new(Cause::Server, hostile, hostile));
        let fleet = Fleet { clusters: vec![Arc::new(one), Arc::new(cluster(1, "b", &["x"], Tier::Dev))] };
        screen.fleet(fleet);
        screen.ui.inbound(Inbound::Notice(Text::clean(hostile)), NOW);
        for keys in ["0", ":", "esc", "enter", "b", "esc", "a", "esc", "f", "?", "esc"] {
            screen.keys(keys);
            harmless(&mut screen);
        }
        screen.keys("/");
        let typed: String = hostile.chars().filter(|c| !c.is_control()).collect();
        screen.text(&typed);
        harmless(&mut screen);
        screen.ui.paste(hostile, NOW);
        harmless(&mut screen);
    }
}

fn harmless(screen: &mut Screen) {
    for cell in &screen.buffer().content {
        for c in cell.symbol().chars() {
            assert!(!c.is_control(), "{c:?}");
            let deceptive = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
            assert!(!deceptive, "{c:?}");
        }
    }
}

/// The plan of a drain, as the screen asks the clusters about it.
fn drained(screen: &mut Screen) -> Box<Plan> {
    screen.keys("0 :");
    screen.text("nodes");
    let mut effects = screen.keys("enter D");
    screen.keys("esc");
    let Some(Effect::Check(plan)) = effects.pop() else { panic!("{effects:?}") };
    plan
}

fn tell(screen: &mut Screen, seconds: i64, progress: Progress) {
    let at = NOW + Span::from_seconds(seconds);
    screen.now = at;
    screen.ui.inbound(Inbound::Op(OpEvent { op: OpId(1), at, progress }), at);
}

#[test]
fn a_drain_shows_what_waits_first() {
    let mut screen = Screen::new(120, 36);
    let plan = drained(&mut screen);
    tell(&mut screen, 0, Progress::Accepted(plan));
    tell(&mut screen, 1, Progress::StepBegan(0));
    tell(&mut screen, 2, Progress::StepDone(0, "cordoned".into()));
    tell(&mut screen, 3, Progress::StepBegan(1));
    let states = [
        ("cart-a", PodState::Gone, "new one Ready after 18 s"),
        ("cart-b", PodState::Leaving, "grace 30 s"),
        ("api-a", PodState::WaitsOnBudget("orders-api".into()), "needs 24 healthy, has 24"),
        ("api-b", PodState::Queued, "same budget"),
        ("thumb", PodState::Evicting, ""),
    ];
    for (number, (name, state, why)) in states.into_iter().enumerate() {
        let retry_at = matches!(state, PodState::WaitsOnBudget(_)).then(|| NOW + Span::from_seconds(60));
        let pod = PodProgress {
            namespace: "shop".into(),
            name: name.into(),
            uid: Uid::parse(&format!("00000000-0000-4000-9000-{number:012x}")),
            state,
            why: why.into(),
            retry_at,
        };
        tell(&mut screen, 4, Progress::Pod(pod));
    }
    tell(&mut screen, 52, Progress::Evidence("evict shop/api-a: 429, budget orders-api".into()));
    screen.keys("@ enter");
    insta::assert_snapshot!("run_drain", screen.picture());
    let picture = screen.picture();
    let line = |text: &str| picture.lines().position(|l| l.contains(text)).unwrap();
    assert!(line("waits on budget") < line("waits its turn"));
    assert!(line("waits its turn") < line("leaving   ") && line("shop/cart-b") < line("shop/cart-a"));
    screen.resize(80, 24);
    insta::assert_snapshot!("run_drain_80x24", screen.picture());
}

#[test]
fn the_stopwatches_of_a_failover_never_scroll_away() {
    let mut screen = Screen::new(120, 30);
    let mut plan = drained(&mut screen);
    plan.operation = "failover";
    plan.recovery = Some(Recovery {
        name: "orders-eu".into(),
        from: ClusterId(2),
        to: ClusterId(1),
        target: Some(Span::from_seconds(600)),
        both_serve: false,
    });
    tell(&mut screen, 0, Progress::Accepted(plan));
    for n in 0..60 {
        tell(&mut screen, n, Progress::Evidence(Text::from(format!("evidence {n}"))));
    }
    screen.keys("@ enter");
    screen.now = NOW + Span::from_seconds(192);
    assert!(screen.picture().contains("RTO   3:12  running   target 10:00"), "{}", screen.picture());
    screen.keys("G");
    let picture = screen.picture();
    assert!(picture.contains("RTO   3:12") && picture.contains("RPO "), "{picture}");
    assert!(picture.contains("evidence 0") && !picture.contains("evidence 59"), "{picture}");
    screen.now = NOW + Span::from_seconds(601);
    assert!(screen.picture().contains("RTO  10:01"));
}

/// A cluster of so many pods more than any other has, in the pods table.
fn long_table(pods: u32) -> Screen {
    let mut screen = Screen::new(120, 36);
    let mut big = cluster(0, "big", &["x"], Tier::Dev);
    for n in 0..pods {
        let mut pod = Pod::default();
        pod.meta.name = Text::from(format!("pod-{n:06}"));
        pod.meta.namespace = "load".into();
        pod.meta.uid = Uid::parse(&format!("00000000-0000-4000-a000-{n:012x}"));
        insert(&mut big, Record::Pod(pod));
    }
    screen.fleet(Fleet { clusters: vec![Arc::new(big)] });
    screen.keys("0");
    screen
}

/// A table of many rows is drawn by what is on screen, and its filter looks at every row.
#[test]
fn two_hundred_thousand_rows_can_be_filtered() {
    let mut screen = long_table(200_000);
    screen.keys("G");
    assert!(screen.picture().contains("web-2"), "{}", screen.picture());
    screen.keys("/");
    screen.text("pod-1234");
    assert!(screen.picture().contains("/pod-1234 · 100 of 200,002"), "{}", screen.picture());
}

#[test]
fn a_long_table_is_looked_through_in_steps_and_no_key_acts_on_half_of_it() {
    let mut screen = long_table(30_000);
    let shows = |screen: &mut Screen, text: &str| {
        let picture = screen.glance();
        assert!(picture.contains(text), "{text:?} is not in {picture}");
    };
    screen.keys("/");
    screen.ui.key(Key::char('#'), NOW);
    shows(&mut screen, "Looking through 30,002…");
    while screen.ui.looking() {
        screen.ui.look_on();
    }
    shows(&mut screen, "0 of 30,002 match /#.");
    screen.keys("esc G k k k /");
    screen.ui.key(Key::char('p'), NOW);
    assert!(screen.ui.looking());
    shows(&mut screen, "10,000+ of 30,002");
    shows(&mut screen, "pod-000000");
    while screen.ui.looking() {
        screen.ui.look_on();
    }
    shows(&mut screen, "30,002 of 30,002");
    // The cursor is where it was before, now that its row was found.
    screen.ui.key(Key::sequence("enter").unwrap()[0], NOW);
    shows(&mut screen, "▸● big      load       pod-029998");
    for key in Key::sequence("/ o d - 0 2 enter G").unwrap() {
        screen.ui.key(key, NOW);
    }
    shows(&mut screen, "10,000 of 30,002");
    shows(&mut screen, "pod-029999");
}

#[test]
fn whoever_just_started_does_not_wait_for_the_first_rows() {
    let mut screen = Screen::new(80, 24);
    screen.keys("0");
    let empty = |state: LinkState| {
        let info = Arc::new(ClusterInfo { name: "one".into(), ..ClusterInfo::default() });
        let mut one = Cluster::new(ClusterId(0), info, NOW);
        one.link.state = state;
        Fleet { clusters: vec![Arc::new(one)] }
    };
    let mut sequence = 100;
    let mut shown_after = |screen: &mut Screen, fleet: Fleet, millis: i64| {
        screen.now = screen.now + Span::from_seconds(60);
        screen.fleet(fleet);
        sequence += 1;
        let now = screen.now + Span::from_millis(millis);
        let full = Fleet { clusters: vec![Arc::new(cluster(0, "one", &[], Tier::Dev))] };
        screen.ui.inbound(Inbound::Snapshot(Arc::new(Snapshot::new(now, sequence, full))), now);
        screen.ui.job(now).is_some()
    };
    assert!(!shown_after(&mut screen, empty(LinkState::Connecting), 40));
    assert!(shown_after(&mut screen, empty(LinkState::Connecting), 60));
    // A table of a fleet that is there and has no such objects is in no hurry.
    assert!(!shown_after(&mut screen, empty(LinkState::Live), 60));
}

/// A drain over a cluster of records: what waits, where the new pods are, and the budget in the way.
fn draining() -> (Screen, OpId) {
    let mut screen = Screen::new(120, 36);
    let mut one = cluster(0, "gke-euw1", &["prod"], Tier::Prod);
    let uid = |n: u32| Uid::parse(&format!("00000000-0000-4000-c000-{n:012x}"));
    let mut add = |name: &str, app: &str, number: u32, change: &dyn Fn(&mut Pod)| {
        let mut pod = Pod { phase: Phase::Running, ready: true, grace_seconds: 60, ..Pod::default() };
        pod.meta.name = name.into();
        pod.meta.namespace = "orders".into();
        pod.meta.uid = uid(number);
        pod.meta.labels = Labels::new(vec![("app".into(), app.into())]);
        let owner =
            Owner { api: "apps/v1".into(), kind: "ReplicaSet".into(), name: app.into(), uid: uid(900) };
        pod.meta.owner = Some(Arc::new(owner));
        pod.node = "gke-euw1-node-1".into();
        change(&mut pod);
        insert(&mut one, Record::Pod(pod));
    };
    for n in 0..3 {
        add(&format!("orders-api-6c9f-{n}"), "orders-api", n, &|_| ());
    }
    for n in 10..22 {
        add(&format!("thumb-{n}"), "thumb", n, &|_| ());
        add(&format!("thumb-new-{n}"), "thumb", n + 100, &|pod| {
            pod.node = "gke-euw1-node-2".into();
            pod.meta.created = Some(NOW + Span::from_seconds(4));
            pod.ready_since = Some(NOW + Span::from_seconds(22));
            pod.ready = n != 15;
        });
    }
    add("orders-api-6c9f-late", "orders-api", 50, &|pod| {
        (pod.ready, pod.phase, pod.node) = (false, Phase::Pending, Text::EMPTY);
        pod.meta.created = Some(NOW - Span::from_seconds(100));
        pod.message = "0/3 nodes are available: 3 Insufficient cpu.".into();
    });
    add("agent-x", "agent", 60, &|pod| {
        let owner =
            Owner { api: "apps/v1".into(), kind: "DaemonSet".into(), name: "agent".into(), uid: uid(9) };
        pod.meta.owner = Some(Arc::new(owner));
    });
    for app in ["orders-api", "thumb"] {
        let mut set = Workload { desired: 26, ..Workload::empty(Kind::ReplicaSet) };
        (set.meta.name, set.meta.namespace) = (app.into(), "orders".into());
        let owner =
            Owner { api: "apps/v1".into(), kind: "Deployment".into(), name: app.into(), uid: uid(901) };
        set.meta.owner = Some(Arc::new(owner));
        set.meta.uid = Uid::parse(&format!("set {app}"));
        let mut deployment = Workload { kind: Kind::Deployment, ..set.clone() };
        (deployment.meta.owner, deployment.meta.uid) = (None, Uid::parse(app));
        insert(&mut one, Record::Workload(set));
        insert(&mut one, Record::Workload(deployment));
    }
    let mut agent = Workload::empty(Kind::DaemonSet);
    (agent.meta.name, agent.meta.namespace, agent.meta.uid) = ("agent".into(), "orders".into(), uid(9));
    insert(&mut one, Record::Workload(agent));
    let mut budget = Budget { allowed: 0, healthy: 24, needed: 24, expected: 26, ..Budget::default() };
    (budget.meta.name, budget.meta.namespace) = ("orders-api".into(), "orders".into());
    budget.meta.uid = uid(902);
    budget.min_available = "24".into();
    budget.selector.labels = Labels::new(vec![("app".into(), "orders-api".into())]);
    insert(&mut one, Record::Budget(budget));
    screen.fleet(Fleet { clusters: vec![Arc::new(one)] });
    screen.keys("0 :");
    screen.text("nodes");
    screen.keys("enter");
    let mut effects = screen.keys("D");
    let Some(Effect::Check(plan)) = effects.pop() else { panic!("{effects:?}") };
    screen.keys("esc");
    tell(&mut screen, 0, Progress::Accepted(plan));
    tell(&mut screen, 1, Progress::StepBegan(0));
    tell(&mut screen, 2, Progress::StepDone(0, "Node gke-euw1-node-1: gke-euw1 answered 200".into()));
    tell(&mut screen, 3, Progress::StepBegan(1));
    let pod = |number: u32, name: &str, state: PodState, why: &str| {
        Progress::Pod(PodProgress {
            namespace: "orders".into(),
            name: name.into(),
            uid: uid(number),
            retry_at: matches!(state, PodState::WaitsOnBudget(_)).then(|| NOW + Span::from_seconds(100)),
            state,
            why: why.into(),
        })
    };
    tell(&mut screen, 15, pod(0, "orders-api-6c9f-0", PodState::WaitsOnBudget("orders-api".into()), "asked"));
    for n in 1..3 {
        tell(
            &mut screen,
            15,
            pod(n, &format!("orders-api-6c9f-{n}"), PodState::Queued, "same budget, orders-api"),
        );
    }
    for n in 10..22 {
        let state = if n == 10 { PodState::Leaving } else { PodState::Gone };
        tell(&mut screen, 56, pod(n, &format!("thumb-{n}"), state, "grace 60 s"));
    }
    tell(
        &mut screen,
        90,
        Progress::Evidence("evict orders/orders-api-6c9f-0: 429, budget orders-api".into()),
    );
    screen.now = NOW + Span::from_seconds(97);
    screen.keys("@ enter");
    (screen, OpId(1))
}

#[test]
fn a_drain_says_what_it_waits_for_and_what_opens_it() {
    let (mut screen, op) = draining();
    insta::assert_snapshot!("drain_waits", screen.picture());
    let picture = screen.picture();
    for text in [
        "11 of 15 gone, 1 leaving, 3 wait on 1 budget. 10 of 11 new pods Ready",
        "orders-api needs 24 healthy, has 24 · next try in 3 s",
        "opens with 1 more Ready pod; not Ready are:",
        "offer  S  scale orders-api 26 → 27 for this drain, put back at the end",
        "1 DaemonSet pod",
    ] {
        assert!(picture.contains(text), "{text}\n{picture}");
    }
    screen.resize(80, 24);
    insta::assert_snapshot!("drain_waits_80x24", screen.picture());
    assert!(screen.picture().contains("all Ready elsewhere"), "{}", screen.picture());
    screen.resize(120, 36);
    // The offer is a plan of its own, for as long as the drain goes on.
    let effects = screen.keys("S");
    let [Effect::Check(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(plan.title, "scale orders/orders-api 26 → 27 until drain 1 node ends");
    assert_eq!(plan.steps[1].action, quarterdeck::operations::Action::AwaitRun(op));
    screen.keys("esc");
    // The cursor's row opens, and what is stopped offers the way back.
    screen.keys("enter");
    assert!(screen.picture().contains("orders-api-6c9f-0"), "{}", screen.picture());
    screen.keys("esc");
    let ended = Progress::Ended(quarterdeck::operations::Outcome::Stopped, "stopped, 3 left".into());
    tell(&mut screen, 99, ended);
    let picture = screen.picture();
    let keys = picture.lines().last().unwrap();
    assert!(keys.contains("U uncordon…") && !keys.contains("pause") && !keys.contains("stop"), "{keys}");
}
