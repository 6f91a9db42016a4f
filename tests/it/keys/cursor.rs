//! Which row is under the cursor, whatever comes and goes.

use super::*;

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
