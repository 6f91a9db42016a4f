//! Keys that move about, in and effects out: no terminal, no runtime.

use std::sync::Arc;

use quarterdeck::model::*;
use quarterdeck::ui::{Detail, Effect, Inbound, JournalLine, JournalPage, LogNews, Reading};
use quarterdeck::views::Scope;

use crate::screen::{NOW, Screen, after, checks, cluster, fleet, on_nodes, to};

#[test]
fn digits_show_panes_and_twice_gives_the_whole_width() {
    let mut screen = Screen::new(120, 36);
    assert!(screen.picture().contains("│"));
    screen.keys("2");
    assert!(!screen.picture().contains("│"), "the tree went");
    screen.keys("2 0");
    assert_eq!(screen.ui.pane_name(), "objects");
    screen.keys("-");
    assert_eq!(screen.ui.pane_name(), "health");
    screen.keys("] ]");
    assert_eq!(screen.ui.pane_name(), "operations");
    screen.keys("7");
    assert_eq!(screen.ui.pane_name(), "operations");
    assert!(screen.picture().contains("no pane on 7"));
}

#[test]
fn esc_goes_back_step_by_step_and_never_leaves() {
    let mut screen = on_nodes();
    screen.keys(":");
    screen.text("ctx eks-use1");
    let effects = screen.keys("enter");
    assert_eq!(effects, [Effect::Focus(Scope::Clusters(vec![ClusterId(0)]))]);
    screen.keys("space /");
    screen.text("node-2");
    screen.keys("enter");
    assert!(screen.picture().contains("/node-2 · 1 of 2"), "{}", screen.picture());
    screen.keys("esc");
    assert!(screen.picture().contains("1 marked in 1 cluster"));
    screen.keys("esc");
    assert!(!screen.picture().contains("all clusters"));
    let effects = screen.keys("esc");
    assert_eq!(effects, [Effect::Focus(Scope::All)]);
    assert_eq!(screen.ui.pane_name(), "objects");
    let effects = screen.keys("esc esc q q esc");
    assert_eq!(screen.ui.pane_name(), "health");
    assert_eq!(effects, []);
}

#[test]
fn leaving_takes_two_interrupts_or_a_word() {
    let mut screen = Screen::new(80, 24);
    assert_eq!(screen.keys("ctrl-c"), []);
    screen.now = after(3);
    assert_eq!(screen.keys("ctrl-c"), [], "the first one is too long ago");
    assert_eq!(screen.keys("ctrl-c"), [Effect::Quit]);
    screen.keys(":");
    screen.text("q");
    assert_eq!(screen.keys("enter"), [Effect::Quit]);
}

#[test]
fn the_cursor_holds_on_to_the_object_and_new_rows_wait() {
    let mut screen = on_nodes();
    to(&mut screen, "eks-use1-node-1");
    let line =
        |screen: &mut Screen| screen.picture().lines().position(|l| l.contains("eks-use1-node-1")).unwrap();
    let before = line(&mut screen);
    let mut grown = fleet();
    let mut first = cluster(5, "aaa", &["prod"], Tier::Dev);
    first.info = Arc::new(ClusterInfo { name: "aaa".into(), ..ClusterInfo::default() });
    grown.clusters.push(Arc::new(first));
    screen.now = after(1);
    screen.fleet(grown.clone());
    assert_eq!(line(&mut screen), before);
    assert!(screen.picture().contains("2 new, . shows"), "{}", screen.picture());
    assert!(!screen.picture().contains("aaa-node-1"));
    // After five seconds without a move they come in, and the row still keeps its place.
    screen.now = after(7);
    screen.draw();
    assert!(screen.cursor_line().contains("eks-use1-node-1"));
    assert!(screen.picture().contains("aaa-node-1"), "{}", screen.picture());
    screen.keys("k k");
    screen.now = after(8);
    grown.clusters.pop();
    screen.fleet(grown);
    assert!(!screen.picture().contains("aaa-node-1"), "gone rows do not wait");
}

/// The fleet with one more cluster, whose nodes stand before all others.
fn grown_at_the_top() -> Fleet {
    let mut grown = fleet();
    let mut first = cluster(5, "aaa", &["prod"], Tier::Dev);
    first.info = Arc::new(ClusterInfo { name: "aaa".into(), ..ClusterInfo::default() });
    grown.clusters.push(Arc::new(first));
    grown
}

#[test]
fn a_key_means_the_row_that_was_drawn_under_the_cursor() {
    let mut screen = on_nodes();
    let first = screen.cursor_line();
    assert!(first.contains("dev-1-node-1"), "{first}");
    // A node comes to the top; nothing was drawn since, so nobody saw it.
    screen.now = after(11);
    screen.fleet(grown_at_the_top());
    screen.keys("C");
    let picture = screen.picture();
    assert!(picture.contains("cordon dev-1-node-1"), "{picture}");
    screen.keys("esc");
    assert!(screen.cursor_line().contains("dev-1-node-1"), "it stays on what a verb was asked for");
}

#[test]
fn a_key_for_a_row_that_went_before_it_does_nothing() {
    let mut screen = on_nodes();
    let mut smaller = fleet();
    smaller.clusters.retain(|cluster| cluster.info.name != "dev-1");
    screen.now = after(11);
    screen.fleet(smaller);
    assert_eq!(screen.keys("D"), []);
    assert!(screen.picture().contains("went just now: look again"), "{}", screen.picture());
}

#[test]
fn help_begins_with_the_keys_of_what_is_open() {
    let mut screen = on_nodes();
    screen.keys("?");
    let picture = screen.picture();
    assert!(picture.contains(" in tables") && !picture.contains(" in texts"), "{picture}");
    screen.keys("esc d ?");
    let picture = screen.picture();
    assert!(picture.contains(" in texts"), "{picture}");
    assert!(!picture.contains(" in tables"), "the keys of tables come later: {picture}");
    screen.keys("esc y");
    assert!(screen.picture().contains("[yaml]"), "{}", screen.picture());
    screen.keys("d");
    assert!(screen.picture().contains("[describe]"));
}

#[test]
fn an_empty_command_line_proposes_what_it_takes() {
    let mut screen = Screen::new(120, 36);
    screen.keys(":");
    assert!(screen.picture().contains(":health"), "{}", screen.picture());
    screen.keys("down down down down down down down down down down");
    let last = screen.picture();
    assert!(!last.contains(":health"), "the list goes on: {last}");
    screen.keys("? esc");
    screen.keys("?");
    screen.keys("G");
    assert!(screen.picture().contains("failover init"), "{}", screen.picture());
}

#[test]
fn what_a_filter_leaves_out_meanwhile_is_not_gone() {
    let mut screen = on_nodes();
    screen.keys("/");
    screen.text("pool:general");
    screen.keys("ctrl-u enter !");
    // Only what is not ok is listed; the cursor's node gets well.
    let mut sick = fleet();
    let mut hurt = (*sick.clusters[0]).clone();
    let nodes: Vec<Record> = hurt.records(Kind::Node).map(|record| (**record).clone()).collect();
    hurt.tables[Kind::Node.index()].rows = Rows::default();
    for (at, record) in nodes.into_iter().enumerate() {
        let Record::Node(mut node) = record else { continue };
        node.ready = if at == 0 { Truth::False } else { node.ready };
        crate::screen::insert(&mut hurt, Record::Node(node));
    }
    sick.clusters[0] = Arc::new(hurt);
    screen.now = after(11);
    screen.fleet(sick);
    screen.keys("j k");
    let line = screen.cursor_line();
    assert!(line.contains("eks-use1-node-1"), "{line}");
    screen.now = after(31);
    screen.fleet(fleet());
    let line = screen.cursor_line();
    assert!(line.contains("eks-use1-node-1") && !line.contains("gone"), "{line}");
}

#[test]
fn a_muted_row_leaves_the_cursor_where_it_was() {
    let mut screen = on_nodes();
    screen.keys("j j");
    let next = {
        screen.keys("j");
        let line = screen.cursor_line();
        screen.keys("k");
        line
    };
    screen.keys("m");
    let name = next.split_whitespace().find(|word| word.contains("-node-")).unwrap();
    assert!(screen.cursor_line().contains(name), "{} / {name}", screen.cursor_line());
}

#[test]
fn the_command_line_proposes_names_and_takes_what_was_gone_to() {
    let mut screen = Screen::new(120, 36);
    screen.keys(":");
    screen.text("drain eks-use1-");
    let picture = screen.picture();
    assert!(picture.contains(":drain eks-use1-node-1") && picture.contains("Node · eks-use1"), "{picture}");
    screen.keys("ctrl-u");
    screen.text("ctx eks");
    screen.keys("down down up enter");
    assert_eq!(*screen.ui.scope(), Scope::Clusters(vec![ClusterId(1)]), "the first of them by name");
    screen.keys("esc :");
    screen.text("ns pay");
    screen.keys("enter");
    assert_eq!(*screen.ui.scope(), Scope::NamespaceEverywhere("pay".into()));
}

#[test]
fn the_wheel_types_nothing() {
    let mut screen = on_nodes();
    screen.keys("/");
    screen.ui.wheel(true, screen.now);
    assert!(!screen.picture().contains("/jjj"), "{}", screen.picture());
    screen.keys("esc");
    screen.ui.wheel(true, screen.now);
    screen.draw();
    let fourth = screen.cursor_line();
    screen.keys("g j j j");
    assert_eq!(screen.cursor_line(), fourth);
}

#[test]
fn what_is_gone_leaves_a_ghost_that_takes_no_verb() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-2");
    let mut smaller = fleet();
    smaller.clusters.pop();
    screen.now = after(60);
    screen.fleet(smaller.clone());
    let ghost = screen.cursor_line();
    assert!(ghost.contains("dev-1-node-2") && ghost.contains("gone 02:15"), "{ghost}");
    assert_eq!(screen.keys("D"), []);
    assert!(screen.picture().contains("gone: it takes no verb"));
    screen.now = after(61);
    screen.fleet(smaller);
    assert!(screen.cursor_line().contains("gone 02:15"), "the time is that of going");
    screen.keys("j");
    assert!(!screen.picture().contains("dev-1-node-2"));
}

#[test]
fn frozen_shows_one_moment() {
    let mut screen = on_nodes();
    screen.keys("z");
    screen.now = after(30);
    screen.fleet(Fleet { clusters: fleet().clusters.into_iter().take(1).collect() });
    assert!(screen.picture().contains("FROZEN 02:14:07Z, 30s ago"));
    assert!(screen.picture().contains("gke-euw1-node-1"));
    screen.keys("z");
    assert!(!screen.picture().contains("gke-euw1-node-1"));
}

#[test]
fn the_command_line_completes_and_says_what_it_does_not_know() {
    let mut screen = Screen::new(120, 36);
    screen.keys(":");
    screen.text("drian");
    screen.keys("enter");
    assert!(screen.picture().contains("no command drian; drain?"), "{}", screen.picture());
    screen.keys("ctrl-u");
    screen.text("obj");
    screen.keys("tab enter");
    assert_eq!(screen.ui.pane_name(), "objects");
    screen.keys(":");
    screen.text("ctx eks-*");
    screen.keys("enter");
    assert_eq!(*screen.ui.scope(), Scope::Clusters(vec![ClusterId(0), ClusterId(1)]));
    screen.keys(": up up enter");
    assert_eq!(screen.ui.pane_name(), "objects", "history goes back two lines");
    screen.keys(":");
    screen.text("po web-1");
    screen.keys("enter");
    assert!(screen.picture().contains("/web-1 · 2 of 4"), "{}", screen.picture());
    screen.keys(":");
    screen.text("drain eks-use1-node-1");
    assert_eq!(checks(&screen.keys("enter")), 1);
    screen.keys("esc :");
    screen.text("drain gke-euw1-node-1");
    screen.keys("enter");
    assert!(screen.picture().contains("nothing in scope is called gke-euw1-node-1"));
}

#[test]
fn details_ask_for_what_the_store_does_not_keep() {
    let mut screen = Screen::new(120, 36);
    screen.keys("0");
    let effects = screen.keys("l");
    let [Effect::Read(detail)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(detail.reading, Reading::Logs { container: Text::EMPTY, previous: false });
    assert!(screen.picture().contains("asking the cluster"));
    let other = Detail { object: detail.object.clone(), reading: Reading::Yaml };
    screen.ui.inbound(Inbound::Read(other, Ok("late: yaml".to_owned())), NOW);
    assert!(!screen.picture().contains("late: yaml"), "an answer to another question");
    let said = |lines: String| Inbound::Log(detail.clone(), LogNews::Lines(lines));
    screen.ui.inbound(said(String::new()), NOW);
    assert!(!screen.picture().contains("asking the cluster"), "it is open");
    let logs = |from: u32, to: u32| (from..=to).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
    screen.ui.inbound(said(logs(1, 300)), NOW);
    assert!(screen.picture().contains("line 300") && screen.picture().contains("following the end"));
    screen.ui.inbound(said(logs(301, 302)), NOW);
    assert!(screen.picture().contains("line 302"), "more of it comes");
    screen.keys("k");
    screen.ui.inbound(said(logs(303, 305)), NOW);
    assert!(screen.picture().contains("paused, 3 new, G follows"), "{}", screen.picture());
    screen.keys("g /");
    screen.text("line 250");
    screen.keys("enter");
    assert!(screen.picture().contains("line 250") && !screen.picture().contains("line 300"));
    let fault = Fault::new(Cause::Forbidden, "pods/log is not allowed", "ask for the rule");
    screen.ui.inbound(Inbound::Log(detail.clone(), LogNews::Ended(Some(fault))), NOW);
    assert!(screen.picture().contains("pods/log is not allowed"), "{}", screen.picture());
    assert!(matches!(screen.keys("r").as_slice(), [Effect::Read(_)]));
    assert_eq!(screen.keys("esc"), [Effect::StopReading]);
    assert!(screen.picture().contains("READ-ONLY") && screen.picture().contains("all clusters"));
}

#[test]
fn logs_are_of_a_container_and_of_the_pods_of_a_workload() {
    let mut screen = Screen::new(120, 36);
    let mut grown = fleet();
    let mut eks = (*grown.clusters[0]).clone();
    let pods: Vec<Pod> = eks.records(Kind::Pod).filter_map(|record| record.pod().cloned()).collect();
    eks.tables[Kind::Pod.index()].rows = Rows::default();
    for mut pod in pods {
        let container = |name: &str, init| Container { name: name.into(), init, ..Container::default() };
        pod.containers =
            vec![container("setup", true), container("web", false), container("envoy", false)].into();
        pod.ready = pod.meta.name == "web-1";
        crate::screen::insert(&mut eks, Record::Pod(pod));
    }
    let mut set = Workload::empty(Kind::ReplicaSet);
    set.meta.name = "web".into();
    set.meta.namespace = "shop".into();
    set.meta.uid = crate::screen::uid(4711);
    crate::screen::insert(&mut eks, Record::Workload(set));
    grown.clusters[0] = Arc::new(eks);
    screen.now = after(1);
    screen.fleet(grown);
    let read = |effects: Vec<Effect>| -> Vec<(Text, bool)> {
        let of = |effect| match effect {
            Effect::Read(Detail { reading: Reading::Logs { container, previous }, .. }) => {
                Some((container, previous))
            }
            _ => None,
        };
        effects.into_iter().filter_map(of).collect()
    };
    screen.keys("0 /");
    screen.text("eks-use1 web-1");
    screen.keys("enter");
    assert_eq!(read(screen.keys("l")), [("web".into(), false)], "what serves comes before what sets up");
    assert!(screen.picture().contains("[logs web 1/3]"), "{}", screen.picture());
    assert_eq!(
        read(screen.keys("b b b")),
        [("envoy".into(), false), ("setup".into(), false), ("setup".into(), true)]
    );
    screen.keys("esc :");
    screen.text("rs web");
    screen.keys("enter");
    assert_eq!(read(screen.keys("l")), []);
    let menu = screen.picture();
    assert!(menu.contains("the logs of which pod") && menu.find("web-2") < menu.find("web-1"), "{menu}");
    assert_eq!(read(screen.keys("enter")), [("web".into(), false)]);
}

#[test]
fn the_tree_narrows_the_scope() {
    let mut screen = Screen::new(80, 24);
    // Six clusters: fewer have no groups.
    let mut grown = fleet();
    grown.clusters.push(Arc::new(cluster(5, "stg-1", &["staging"], Tier::Staging)));
    // What is always shown is counted anew at most twice a second.
    screen.now = after(1);
    screen.fleet(grown);
    assert!(!screen.picture().contains("▾ prod"));
    screen.keys("f");
    assert!(screen.picture().contains("▾ prod"), "{}", screen.picture());
    screen.keys("j");
    assert_eq!(screen.keys("enter"), [Effect::Focus(Scope::Group(vec!["prod".into()]))]);
    assert!(!screen.picture().contains("▾ prod"), "the drawer closes");
    assert!(screen.picture().contains("prod"));
    screen.keys("f g j j j l j");
    let effects = screen.keys("enter");
    assert_eq!(effects, [Effect::Focus(Scope::Namespace(ClusterId(0), "shop".into()))]);
}

#[test]
fn the_tree_opens_to_pools_and_namespaces() {
    let mut screen = Screen::new(120, 36);
    let mut grown = fleet();
    let mut eks = (*grown.clusters[0]).clone();
    let nodes: Vec<Node> = eks.records(Kind::Node).filter_map(|record| record.node().cloned()).collect();
    eks.tables[Kind::Node.index()].rows = Rows::default();
    for (at, mut node) in nodes.into_iter().enumerate() {
        node.identity.pool = "general".into();
        node.ready = if at == 0 { Truth::False } else { Truth::True };
        crate::screen::insert(&mut eks, Record::from(node));
    }
    grown.clusters[0] = Arc::new(eks);
    screen.now = after(1);
    screen.fleet(grown);
    screen.keys("shift-tab");
    let at = screen.picture().lines().filter(|line| line.contains("▸ ")).position(|l| l.contains("eks-use1"));
    screen.keys(&"j ".repeat(at.unwrap() + 1));
    screen.keys("l j");
    let tree = screen.picture();
    assert!(tree.find("pool general 1/2") < tree.find("shop"), "{tree}");
    assert_eq!(screen.keys("enter"), [Effect::Focus(Scope::Pool(ClusterId(0), "general".into()))]);
    assert!(screen.picture().contains("eks-use1/pool general"), "{}", screen.picture());
}

#[test]
fn asking_again_names_who_does_not_answer() {
    let mut screen = Screen::new(80, 24);
    assert_eq!(screen.keys("r"), [Effect::Retry(vec![ClusterId(3)])]);
    screen.keys(":");
    screen.text("ctx eks-*");
    screen.keys("enter");
    // Whoever is live is asked too: rights may have been taken away since.
    assert_eq!(screen.keys("r"), [Effect::Retry(vec![ClusterId(0), ClusterId(1)])]);
}

#[test]
fn at_rest_the_screen_is_drawn_once_in_ten_seconds_for_ages_only() {
    let mut screen = Screen::bare(80, 24, "mono", quarterdeck::theme::Depth::None, false);
    let mut calm = fleet();
    calm.clusters.remove(3);
    let calm = Fleet { clusters: calm.clusters.into_iter().take(3).collect() };
    screen.fleet(calm);
    screen.draw();
    assert_eq!(screen.ui.next_change(NOW), Some(after(10)));
    let before = screen.buffer();
    screen.now = after(10);
    assert_eq!(screen.buffer(), before, "and nothing on it changed");
}

#[test]
fn while_a_link_is_broken_its_age_is_drawn_every_second() {
    let mut screen = Screen::bare(80, 24, "mono", quarterdeck::theme::Depth::None, false);
    let mut calm = Fleet { clusters: fleet().clusters.into_iter().take(3).collect() };
    let link = &mut Arc::make_mut(&mut calm.clusters[0]).link;
    (link.state, link.since, link.heard) = (LinkState::Broken, NOW, Some(after(-12)));
    screen.fleet(calm);
    screen.draw();
    assert_eq!(screen.ui.next_change(NOW), Some(after(1)));
}

#[test]
fn lens_sort_and_filter_change_what_is_shown() {
    let mut screen = Screen::new(120, 36);
    assert!(screen.cursor_line().contains("ImagePullBackOff"));
    screen.keys("b");
    assert!(screen.cursor_line().contains("billing"), "{}", screen.picture());
    screen.keys("b o 3");
    assert!(screen.picture().contains("what↑"));
    assert!(screen.cursor_line().contains("3 of 8 nodes"), "{}", screen.picture());
    screen.keys("O");
    assert!(screen.picture().contains("what↓"));
    screen.keys("/");
    screen.text("xyz");
    assert!(screen.picture().contains("0 of 6 match /xyz. esc clears."), "{}", screen.picture());
    screen.keys("esc m");
    assert!(screen.picture().contains("1 muted"));
}

#[test]
fn fields_take_every_printable_key() {
    let mut screen = Screen::new(120, 36);
    screen.keys("/");
    assert_eq!(screen.text("Dq?:0"), []);
    assert!(screen.picture().contains("/Dq?:0"));
    assert_eq!(screen.keys("ctrl-z"), [Effect::Suspend]);
}

#[test]
fn new_rows_come_when_asked_for_even_while_something_is_marked() {
    let mut screen = on_nodes();
    screen.keys("space");
    let mut grown = fleet();
    grown.clusters.push(Arc::new(cluster(5, "aaa", &["prod"], Tier::Dev)));
    screen.now = after(60);
    screen.fleet(grown);
    screen.draw();
    assert!(screen.picture().contains("2 new, . shows"), "marks hold the order");
    screen.keys(".");
    assert!(screen.picture().contains("aaa-node-1"), "{}", screen.picture());
    assert!(screen.picture().contains("1 marked in 1 cluster"));
}

#[test]
fn the_mouse_moves_the_cursor() {
    let mut screen = on_nodes();
    let row = screen.picture().lines().position(|l| l.contains("edge-17-node-2")).unwrap();
    screen.ui.click(60, u16::try_from(row).unwrap(), NOW);
    assert!(screen.cursor_line().contains("edge-17-node-2"), "{}", screen.picture());
    screen.ui.wheel(false, NOW);
    assert!(screen.cursor_line().contains("dev-1-node-1"), "{}", screen.picture());
    // Beside the rows nothing happens.
    screen.ui.click(2, 2, NOW);
    assert!(screen.cursor_line().contains("dev-1-node-1"));
}

#[test]
fn a_filter_says_in_place_what_it_does_not_understand_and_completes() {
    let mut screen = on_nodes();
    screen.keys("/");
    screen.text("node-1 agee>5m");
    assert!(screen.picture().contains("no column agee here: cluster namespace name"), "{}", screen.picture());
    assert!(screen.picture().contains("dev-1-node-1") && !screen.picture().contains("dev-1-node-2"));
    screen.keys("ctrl-u");
    screen.text("cluster:eks-u");
    screen.keys("tab enter");
    assert!(screen.picture().contains("/cluster:eks-use1 · 2 of 10"), "{}", screen.picture());
    screen.keys("esc :");
    screen.text("pods -l app=web");
    screen.keys("enter");
    assert!(screen.picture().contains("/-l app=web · 0 of 10"), "{}", screen.picture());
}

#[test]
fn what_is_copied_is_chosen() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    screen.keys("c");
    assert!(screen.picture().contains("kubectl --context dev-1 get nodes dev-1-node-1 -o yaml"));
    assert_eq!(screen.keys("1"), [Effect::Copy("dev-1-node-1".to_owned())]);
    assert!(screen.picture().contains("sent 1 line to the terminal's clipboard"), "{}", screen.picture());
}

#[test]
fn an_object_is_compared_with_its_twin_and_rows_with_each_other() {
    let mut screen = Screen::new(120, 36);
    screen.keys("0 =");
    assert!(screen.picture().contains("compare Pod shop/web-1 with that of"), "{}", screen.picture());
    let effects = screen.keys("1");
    let [Effect::Read(left), Effect::Read(right)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(
        (left.reading.clone(), left.object.cluster == right.object.cluster),
        (Reading::Written, false)
    );
    let written = |image| format!("kind: Pod\nimage: {image}\nport: 80\n");
    screen.ui.inbound(Inbound::Read(left.clone(), Ok(written("web:1"))), NOW);
    assert!(screen.picture().contains("asking the clusters"));
    screen.ui.inbound(Inbound::Read(right.clone(), Ok(written("web:2"))), NOW);
    for line in ["- image: web:1", "+ image: web:2", "2 lines differ"] {
        assert!(screen.picture().contains(line), "{line}: {}", screen.picture());
    }
    // Two rows without an object of their own: their cells.
    screen.keys("esc 2 space space =");
    assert!(
        screen.picture().contains("- where                6 clusters\n + where                gke-euw1"),
        "{}",
        screen.picture()
    );
    screen.keys("esc space =");
    assert!(screen.picture().contains("= compares two rows; 3 are marked"), "{}", screen.picture());
}

#[test]
fn a_new_critical_finding_stays_until_it_was_seen() {
    let mut screen = on_nodes();
    let mut worse = fleet();
    let mut second = (*worse.clusters[1]).clone();
    let old = worse.clusters[0].symptoms.values().next().unwrap().clone();
    let object = ObjectKey { cluster: ClusterId(1), uid: Uid::parse("web"), ..old.object.clone() };
    let cause = SymptomCause { reason: "CrashLoopBackOff".into(), subject: "web".into() };
    let symptom = Symptom { object, cause, ..old };
    second.symptoms = Arc::new([(symptom.object.uid, symptom)].into_iter().collect());
    worse.clusters[1] = Arc::new(second);
    screen.now = after(5);
    screen.fleet(worse.clone());
    assert!(screen.picture().contains("new ✖ 02:14 eks-euw1: CrashLoopBackOff"), "{}", screen.picture());
    screen.now = after(600);
    screen.keys("j");
    assert!(screen.picture().contains(", N shows"), "it stays: {}", screen.picture());
    screen.keys("N");
    assert_eq!(screen.ui.pane_name(), "health");
    assert!(!screen.picture().contains(", N shows"));
    // What ends by itself needs nobody.
    screen.now = after(700);
    screen.fleet(fleet());
    screen.now = after(710);
    screen.fleet(worse);
    assert!(screen.picture().contains(", N shows"), "{}", screen.picture());
    screen.now = after(720);
    screen.fleet(fleet());
    assert!(!screen.picture().contains(", N shows"), "{}", screen.picture());
}

#[test]
fn money_turns_to_days_and_months_in_the_first_row_too() {
    let mut screen = Screen::new(120, 36);
    assert!(screen.picture().contains("$6.15/h"), "{}", screen.picture());
    screen.keys("u");
    assert!(screen.picture().contains("$147.60/day"), "{}", screen.picture());
    screen.keys("u u");
    assert!(screen.picture().contains("$6.15/h"));
}

#[test]
fn operations_list_commands_notices_and_the_journal() {
    let mut screen = Screen::new(120, 36);
    screen.keys("t t @ b b");
    assert!(screen.picture().contains("times as ages"), "{}", screen.picture());
    assert_eq!(screen.keys("b"), [Effect::ReadJournal]);
    let line = JournalLine {
        seq: 1204,
        at: Some(NOW),
        action: "ended".into(),
        operation: "drain".into(),
        cluster: "eks-use1".into(),
        objects: "node-1".into(),
        who: "ada@bastion".into(),
        result: "done".into(),
    };
    let page = JournalPage { verified: 1204, head: "3fa9c0de".repeat(8), records: vec![line] };
    screen.ui.inbound(Inbound::Journal(Ok(page)), NOW);
    screen.now = after(1);
    assert!(
        screen.picture().contains("1,204 records, the chain is whole; head 3fa9c0de"),
        "{}",
        screen.picture()
    );
    assert_eq!(screen.keys("r"), [Effect::ReadJournal]);
    screen.ui.inbound(Inbound::Journal(Err("journal.jsonl: line 7: the chain breaks".into())), NOW);
    screen.now = after(2);
    assert!(screen.picture().contains("not to be trusted: journal.jsonl: line 7"), "{}", screen.picture());
}

#[test]
fn what_is_muted_counts_and_comes_back() {
    let mut screen = Screen::new(120, 36);
    screen.keys("m");
    assert!(
        !screen.picture().contains("02:11 ✖") && screen.picture().contains("1 muted"),
        "{}",
        screen.picture()
    );
    screen.keys(":");
    screen.text("unmute");
    screen.keys("enter");
    assert!(!screen.picture().contains("1 muted"), "{}", screen.picture());
}

/// Every key of the shipped keymap, on every kind of screen: it changes the picture, asks for an
/// effect, or is answered by a notice.
#[test]
fn no_key_is_silent() {
    /// Ways to a screen, and the modes whose keys are tried there.
    const SCREENS: [(&str, &[&str], &[&str]); 8] = [
        ("table", &["0"], &["table", "all"]),
        ("health", &["2"], &["table", "all"]),
        ("runs", &["@"], &["table", "all"]),
        ("tree", &["0", "f", "f"], &["tree", "all"]),
        ("detail", &["0", "d"], &["text", "all"]),
        ("help", &["?"], &["text", "all"]),
        ("plan", &["0", "D"], &["menu", "all"]),
        ("menu", &["0", "a"], &["menu", "all"]),
    ];
    /// At the end of a list a motion says by the picture that there is nothing further.
    fn may_be_silent(command: &str) -> bool {
        const MOTIONS: [&str; 10] =
            ["down", "up", "left", "right", "half-down", "half-up", "page-down", "page-up", "top", "bottom"];
        MOTIONS.contains(&command)
    }
    let mut silent = Vec::new();
    let keymap: toml::Table = toml::from_str(include_str!("../../keymaps/default.toml")).unwrap();
    for (name, way, modes) in SCREENS {
        for mode in modes {
            for (key, command) in keymap[*mode].as_table().unwrap() {
                let command = command.as_str().unwrap();
                if may_be_silent(command) {
                    continue;
                }
                let mut screen = Screen::new(120, 36);
                for step in way {
                    screen.keys(step);
                }
                // Notices of the way there are gone.
                screen.now = crate::screen::after(30);
                screen.draw();
                let before = screen.buffer();
                let effects = screen.keys(key);
                if effects.is_empty() && screen.buffer() == before {
                    silent.push(format!("{key} ({command}) on {name}"));
                }
            }
        }
    }
    assert_eq!(silent, Vec::<String>::new());
}
