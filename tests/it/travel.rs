//! Going back in time, holding still, and the faces of times.

use quarterdeck::model::*;

use crate::screen::{Screen, after, checks, cluster, fleet, on_nodes};

/// A fleet of one cluster that is named after the second at which it was seen.
fn named(name: &str) -> Fleet {
    let mut state = fleet();
    state.clusters.truncate(1);
    state.clusters.push(std::sync::Arc::new(cluster(1, name, &["staging"], Tier::Dev)));
    state
}

/// The screen on nodes after states at 0, 20, 40 and 60 seconds.
fn with_history() -> Screen {
    let mut screen = on_nodes();
    for second in [20, 40, 60] {
        screen.now = after(second);
        screen.fleet(named(&format!("at-{second}")));
    }
    screen.draw();
    screen
}

#[test]
fn earlier_and_later_step_through_states_and_end_live() {
    let mut screen = with_history();
    assert!(screen.picture().contains("at-60-node-1"));
    screen.keys("<");
    assert!(screen.picture().contains("FROZEN 02:14:47Z, 20s ago"), "{}", screen.picture());
    assert!(screen.picture().contains("at-40-node-1") && !screen.picture().contains("at-60-node-1"));
    assert_eq!(checks(&screen.keys("C")), 0);
    assert!(screen.picture().contains("frozen: z first"));
    screen.keys("< <");
    assert!(screen.picture().contains("gke-euw1-node-1"), "{}", screen.picture());
    screen.keys("<");
    assert!(screen.picture().contains("history begins at 02:14:07Z"), "{}", screen.picture());
    screen.keys("> > >");
    assert!(!screen.picture().contains("FROZEN") && screen.picture().contains("live again"));
    assert!(screen.picture().contains("at-60-node-1"));
    screen.keys(">");
    assert!(screen.picture().contains("this is now"));
}

#[test]
fn a_state_that_is_held_is_as_old_as_it_was_then() {
    let mut screen = with_history();
    let mut live = fleet();
    live.clusters.truncate(1);
    screen.now = after(80);
    screen.fleet(live);
    screen.keys("<");
    screen.now = after(3000);
    screen.draw();
    // Its clusters answered then, so none of them turns unseen by being looked at late.
    assert!(!screen.picture().contains('◌'), "{}", screen.picture());
    assert!(screen.picture().contains("49m ago"), "{}", screen.picture());
}

#[test]
fn a_time_that_is_named_is_shown_or_said_to_be_too_early() {
    let mut screen = with_history();
    for (line, shows) in [
        ("at 02:14:30", "at-20-node-1"),
        ("at 30s", "at-20-node-1"),
        ("at 02:14:30Z", "at-20-node-1"),
        ("at 02:15:07", "FROZEN 02:15:07Z"),
        ("at 01:00", "history begins at 02:14:07Z"),
        ("at noon", "expected a time such as 02:10"),
        ("at now", "at-60-node-1"),
        ("at 30s", "at-20-node-1"),
        ("now", "at-60-node-1"),
    ] {
        screen.keys(":");
        screen.text(line);
        screen.keys("enter");
        assert!(screen.picture().contains(shows), "{line}: {}", screen.picture());
        screen.keys("esc");
        screen.keys("0");
    }
    assert!(!screen.picture().contains("FROZEN"));
}

#[test]
fn the_last_step_back_leads_to_now() {
    let mut screen = with_history();
    screen.keys("<");
    screen.keys("esc");
    assert!(screen.picture().contains("FROZEN"), "home first");
    screen.keys("esc");
    assert!(!screen.picture().contains("FROZEN") && screen.picture().contains("live again"));
    screen.keys("esc");
    assert!(screen.picture().contains(":q leaves"));
}

#[test]
fn times_turn_to_ages_and_to_the_local_clock() {
    let mut screen = Screen::new(120, 36);
    assert!(screen.picture().contains("02:10:52Z  change"), "{}", screen.picture());
    screen.keys("t");
    assert!(screen.picture().contains("3m15s ago  change"), "{}", screen.picture());
    assert!(screen.picture().contains("ages 02:14:07Z"), "{}", screen.picture());
    screen.keys("t");
    assert!(screen.picture().contains("02:10:52Z  change"));
}
