//! Keys in, effects out: no terminal, no runtime.

use std::sync::Arc;

use quarterdeck::input::Key;
use quarterdeck::model::*;
use quarterdeck::operations::{Control, OpEvent, OpId, Outcome, Progress};
use quarterdeck::ui::{Detail, Effect, Inbound, Reading};
use quarterdeck::views::Scope;

use crate::screen::{NOW, Screen, after, cluster, fleet, insert};

fn on_nodes() -> Screen {
    let mut screen = Screen::new(120, 36);
    screen.keys("0 :");
    screen.text("nodes");
    screen.keys("enter");
    screen
}

/// Puts the cursor on the row that holds this text.
fn to(screen: &mut Screen, text: &str) {
    screen.keys("g");
    for _ in 0..40 {
        if screen.cursor_line().contains(text) {
            return;
        }
        screen.keys("j");
    }
    panic!("no row with {text}:\n{}", screen.picture());
}

fn checks(effects: &[Effect]) -> usize {
    effects.iter().filter(|e| matches!(e, Effect::Check(_))).count()
}

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
fn a_drain_is_read_confirmed_by_a_word_and_shown() {
    let mut screen = on_nodes();
    to(&mut screen, "eks-use1-node-1");
    let effects = screen.keys("D");
    assert_eq!(checks(&effects), 1);
    assert!(screen.picture().contains("nothing has been changed yet"));
    // Enter alone changes nothing, however often, nor does a wrong word.
    assert_eq!(screen.keys("enter enter enter"), []);
    screen.text("yes");
    assert_eq!(screen.keys("enter"), []);
    assert!(screen.picture().contains("That is not it. Type eks-use1"));
    assert_eq!(screen.ui.paste("eks-use1", screen.now), []);
    assert_eq!(screen.keys("enter"), [], "what is pasted was not read");
    screen.keys("ctrl-u");
    screen.text("eks-use1");
    let effects = screen.keys("enter");
    let [Effect::Run(plan, permit)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(permit.plan, plan.hash());
    assert_eq!((permit.typed.as_str(), permit.clusters.as_slice()), ("eks-use1", &[ClusterId(0)][..]));
    assert!(screen.picture().contains("ARMED eks-use1 15:00"), "{}", screen.picture());
    screen.now = after(1);
    assert!(screen.picture().contains("ARMED eks-use1 14:59"));
    assert_eq!(screen.ui.next_change(screen.now), Some(after(2)), "seconds count now");

    let op = OpId(7);
    let tell = |screen: &mut Screen, progress| {
        let at = screen.now;
        screen.ui.inbound(Inbound::Op(OpEvent { op, at, progress }), at);
    };
    tell(&mut screen, Progress::Accepted(plan.clone()));
    tell(&mut screen, Progress::StepBegan(0));
    assert!(screen.picture().contains(" DRAIN  drain 1 node"), "{}", screen.picture());
    assert_eq!(screen.keys("P"), [Effect::Control(op, Control::Pause)]);
    tell(&mut screen, Progress::Paused);
    assert_eq!(screen.keys("P"), [Effect::Control(op, Control::Resume)]);
    // Leaving asks first while it runs; staying comes first.
    assert_eq!(screen.keys("ctrl-c ctrl-c"), []);
    assert_eq!(screen.keys("enter"), []);
    // Stopping asks how; keeping it running comes first.
    screen.keys("Q");
    assert!(screen.picture().contains("stop and uncordon"), "{}", screen.picture());
    assert_eq!(screen.keys("enter"), []);
    assert_eq!(screen.keys("Q 3"), [Effect::Control(op, Control::StopAndUndo)]);
    assert_eq!(screen.keys("Q 2"), [Effect::Control(op, Control::Stop)]);
    tell(&mut screen, Progress::Ended(Outcome::Stopped, "stopped; the node stays cordoned".into()));
    assert_eq!(screen.keys("Q P"), []);
    screen.keys("esc @");
    assert!(screen.picture().contains("0 running, 0 paused; 1 ended today, 1 of them not done."));
    screen.keys("enter");
    assert!(screen.picture().contains("▲ stopped"), "{}", screen.picture());
}

#[test]
fn keys_from_before_a_plan_was_drawn_are_dropped() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    let now = screen.now;
    let mut effects = Vec::new();
    for key in Key::sequence("D enter y e s enter").unwrap() {
        effects.extend(screen.ui.key(key, now));
    }
    assert_eq!(effects.len(), checks(&effects));
    screen.draw();
    screen.keys("enter");
    screen.text("yes");
    assert!(matches!(screen.keys("enter").as_slice(), [Effect::Run(..)]));
}

#[test]
fn a_plan_is_made_again_when_the_world_changes() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    screen.keys("D enter");
    screen.text("ye");
    // Another snapshot in which nothing that the plan rests on changed leaves it alone.
    assert_eq!(checks(&screen.fleet(fleet())), 0);
    screen.text("s");
    let mut changed = fleet();
    let mut dev = (*changed.clusters[4]).clone();
    let mut pod = Pod { phase: Phase::Running, ready: true, node: "dev-1-node-1".into(), ..Pod::default() };
    pod.meta.name = "late".into();
    pod.meta.namespace = "shop".into();
    pod.meta.uid = Uid::parse("00000000-0000-4000-8000-00000000ffff");
    insert(&mut dev, Record::Pod(pod));
    let node = dev.records(Kind::Node).find(|r| r.meta().name == "dev-1-node-1").unwrap().clone();
    let mut newer = (*node).clone();
    if let Record::Node(node) = &mut newer {
        node.meta.version = Version(9_999);
    }
    let mut rows = Rows::default();
    for record in dev.records(Kind::Node) {
        rows.insert(if record.meta().uid == newer.meta().uid {
            Arc::new(newer.clone())
        } else {
            record.clone()
        });
    }
    dev.tables[Kind::Node.index()].rows = rows;
    changed.clusters[4] = Arc::new(dev);
    let effects = screen.fleet(changed);
    assert_eq!(checks(&effects), 1, "the clusters are asked again");
    // The enter that was on its way is not for this plan.
    assert_eq!(screen.ui.key(Key::parse("enter").unwrap(), screen.now), []);
    assert!(screen.picture().contains("made again: 02:14:07"), "{}", screen.picture());
    screen.keys("enter");
    assert_eq!(screen.keys("enter"), [], "what was typed before does not count");
}

#[test]
fn what_clusters_say_shows_and_a_no_blocks() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    let effects = screen.keys("C");
    let [Effect::Check(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(screen.picture().contains("asking the clusters"));
    let denied =
        quarterdeck::operations::Line::new("allowed", "nodes patch: no rule allows it").toned(Tone::Crit);
    let hash = plan.hash();
    screen.ui.inbound(Inbound::Checked("another".to_owned(), vec![]), NOW);
    assert!(screen.picture().contains("asking the clusters"));
    screen.ui.inbound(Inbound::Checked(hash, vec![denied]), NOW);
    screen.keys("enter");
    screen.text("yes");
    assert_eq!(screen.keys("enter"), []);
    assert!(screen.picture().contains("refused as it is"), "{}", screen.picture());
}

#[test]
fn verbs_say_why_they_do_not_run() {
    let mut screen = Screen::new(120, 36);
    assert_eq!(screen.keys("D"), []);
    assert!(screen.picture().contains("drain acts on nodes; here are none of them"));
    let mut screen = on_nodes();
    screen.keys("z");
    assert!(screen.picture().contains("FROZEN 02:14:07Z"));
    assert_eq!(screen.keys("D"), []);
    assert!(screen.picture().contains("frozen: z first"));
    screen.keys("z a");
    assert!(
        screen.picture().contains("uncordon the node  · dev-1-node-1: not cordoned"),
        "{}",
        screen.picture()
    );
    // What cannot run stays listed and does not run; what can is opened by its key.
    assert_eq!(screen.keys("2"), []);
    assert_eq!(checks(&screen.keys("C")), 1);
    screen.keys("esc F");
    assert!(screen.picture().contains("no recovery plan"));
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
fn marks_live_across_filters_and_panes_and_verbs_take_them() {
    let mut screen = on_nodes();
    screen.keys("/");
    screen.text("node-1 !edge");
    screen.keys("enter *");
    assert!(screen.picture().contains("4 marked in 4 clusters"), "{}", screen.picture());
    screen.keys("esc 2 0");
    assert!(screen.picture().contains("4 marked in 4 clusters"));
    let effects = screen.keys("C");
    let [Effect::Check(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(plan.subjects.len(), 4);
    assert_eq!(plan.confirmation.word, "4 clusters");
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
fn arming_a_production_cluster_takes_its_name() {
    let mut screen = on_nodes();
    to(&mut screen, "eks-euw1-node-1");
    screen.keys("A");
    screen.text("yes");
    screen.keys("enter");
    assert!(screen.picture().contains("READ-ONLY"));
    screen.keys("ctrl-u");
    screen.text("eks-euw1");
    screen.keys("enter");
    assert!(screen.picture().contains("ARMED eks-euw1 15:00"), "{}", screen.picture());
    screen.now = after(900);
    screen.draw();
    assert!(screen.picture().contains("READ-ONLY"), "it ends by itself");
    screen.now = NOW;
    screen.keys("A");
    assert!(screen.picture().contains("eks-euw1 is read-only again"));
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
    let logs = (1..=300).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
    screen.ui.inbound(Inbound::Read(detail.clone(), Ok(logs)), NOW);
    assert!(screen.picture().contains("line 300") && screen.picture().contains("following the end"));
    screen.keys("g /");
    screen.text("line 250");
    screen.keys("enter");
    assert!(screen.picture().contains("line 250") && !screen.picture().contains("line 300"));
    let fault = Fault::new(Cause::Forbidden, "pods/log is not allowed", "ask for the rule");
    screen.ui.inbound(Inbound::Read(detail.clone(), Err(fault)), NOW);
    assert!(screen.picture().contains("pods/log is not allowed"));
    assert!(matches!(screen.keys("r").as_slice(), [Effect::Read(_)]));
    screen.keys("esc");
    assert!(screen.picture().contains("READ-ONLY") && screen.picture().contains("all clusters"));
}

#[test]
fn the_tree_narrows_the_scope() {
    let mut screen = Screen::new(80, 24);
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
fn asking_again_names_who_does_not_answer() {
    let mut screen = Screen::new(80, 24);
    assert_eq!(screen.keys("r"), [Effect::Retry(vec![ClusterId(3)])]);
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
fn lens_sort_and_filter_change_what_is_shown() {
    let mut screen = Screen::new(120, 36);
    assert!(screen.cursor_line().contains("ImagePullBackOff"));
    screen.keys("b");
    assert!(screen.cursor_line().contains("billing"), "{}", screen.picture());
    screen.keys("b o o");
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
fn scaling_asks_for_a_number_first() {
    let mut one = cluster(0, "dev-1", &["staging"], Tier::Dev);
    let mut web = Workload { desired: 2, ..Workload::empty(Kind::Deployment) };
    web.meta.name = "web".into();
    web.meta.namespace = "shop".into();
    web.meta.uid = Uid::parse("00000000-0000-4000-8000-00000000aaaa");
    insert(&mut one, Record::Workload(web));
    let mut screen = Screen::new(120, 36);
    screen.fleet(Fleet { clusters: vec![Arc::new(one)] });
    screen.keys(":");
    screen.text("deploy");
    screen.keys("enter S");
    assert!(screen.picture().contains("scale shop/web to how many replicas?"), "{}", screen.picture());
    screen.text("many");
    assert_eq!(screen.keys("enter"), []);
    screen.keys("ctrl-u");
    screen.text("5");
    let effects = screen.keys("enter");
    let [Effect::Check(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(plan.operation, "scale");
    assert!(screen.picture().contains("like          kubectl"), "{}", screen.picture());
}

#[test]
fn a_plan_that_cannot_be_read_cannot_be_confirmed() {
    let mut screen = on_nodes();
    to(&mut screen, "dev-1-node-1");
    screen.keys("D");
    screen.resize(40, 10);
    screen.draw();
    screen.keys("enter");
    screen.text("yes");
    assert_eq!(screen.keys("enter"), []);
    screen.resize(120, 36);
    screen.draw();
    screen.keys("enter");
    screen.text("yes");
    assert!(matches!(screen.keys("enter").as_slice(), [Effect::Run(..)]));
}
