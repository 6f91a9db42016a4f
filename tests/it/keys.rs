//! Keys that move about, in and effects out: no terminal, no runtime.

mod cursor;
mod details;

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
    screen.text("ns shop");
    screen.keys("enter");
    assert_eq!(*screen.ui.scope(), Scope::NamespaceEverywhere("shop".into()));
    screen.keys(":");
    screen.text("ns *");
    screen.keys("enter");
    assert_eq!(*screen.ui.scope(), Scope::All);
}

#[test]
fn a_namespace_that_no_cluster_has_is_refused() {
    let mut screen = Screen::new(120, 36);
    screen.keys(":");
    screen.text("ns payy");
    screen.keys("enter");
    // Where nothing can be, nothing would be wrong.
    assert!(screen.picture().contains("no namespace payy in 5 clusters"), "{}", screen.picture());
    assert_eq!(*screen.ui.scope(), Scope::All);
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
    let old = Symptom::clone(worse.clusters[0].symptoms.values().next().unwrap());
    let object = ObjectKey { cluster: ClusterId(1), uid: Uid::parse("web"), ..old.object.clone() };
    let cause = SymptomCause { reason: "CrashLoopBackOff".into(), subject: "web".into() };
    let symptom = Symptom { object, cause, ..old };
    second.symptoms = Arc::new([(symptom.object.uid, Arc::new(symptom))].into_iter().collect());
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
