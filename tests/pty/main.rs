//! The built binary in a real pseudo-terminal: it starts, draws, resizes, suspends, survives and
//! gives the terminal back.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

use std::path::Path;
use std::time::Duration;

use driver::Session;
use rustix::process::{Pid, Signal, kill_process};

const LIMIT: Duration = Duration::from_secs(60);

/// A program started in a home of its own.
struct Started {
    session: Session,
    home: tempfile::TempDir,
}

fn start(arguments: &[&str], size: (u16, u16)) -> Started {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap().to_owned();
    let variables = [("QUARTERDECK_HOME", path.as_str()), ("HOME", path.as_str())];
    let program = Path::new(env!("CARGO_BIN_EXE_quarterdeck"));
    Started { session: Session::start(program, arguments, &variables, size), home }
}

/// The demo on its small scenario, with its first rows on screen.
fn demo(size: (u16, u16)) -> Started {
    let mut started = start(&["demo", "--scenario", "small", "-c", "fleet"], size);
    started.session.wait_for_text(LIMIT, "READ-ONLY").unwrap();
    started
}

fn signal(session: &Session, signal: Signal) {
    let pid = i32::try_from(session.pid().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn it_starts_and_leaves_with_the_terminal_given_back() {
    let Started { mut session, home: _home } = demo((120, 36));
    assert!(session.screen().alternate_screen());
    session.keys(":q\r");
    assert!(session.wait_for_end(LIMIT).unwrap());
    assert!(!session.screen().alternate_screen());
    assert!(!session.screen().hide_cursor());
    assert!(!session.screen().bracketed_paste());
}

/// The whole screen of the demo's small scenario under these variables.
fn demo_under(variables: &[(&str, &str)], flags: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap();
    let mut all = vec![("QUARTERDECK_HOME", path), ("HOME", path)];
    all.extend(variables);
    let mut arguments = vec!["demo", "--scenario", "small", "-c", "fleet"];
    arguments.extend(flags);
    let mut session =
        Session::start(Path::new(env!("CARGO_BIN_EXE_quarterdeck")), &arguments, &all, (100, 30));
    session.wait_for_text(LIMIT, "READ-ONLY").unwrap();
    // The rows of the fleet, each with the glyph of its state.
    session.wait_for_text(LIMIT, "worst finding").unwrap();
    session.text()
}

#[test]
fn the_locale_and_the_terminal_choose_the_glyphs() {
    for variables in [[("TERM", "dumb")], [("LC_ALL", "C")], [("LANG", "de_DE.ISO-8859-1")]] {
        let text = demo_under(&variables, &[]);
        assert!(text.is_ascii(), "{variables:?}\n{text}");
        let text = demo_under(&variables, &["--unicode"]);
        assert!(!text.is_ascii(), "{variables:?}\n{text}");
    }
    assert!(!demo_under(&[("LANG", "C.UTF-8")], &[]).is_ascii());
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap();
    let variables = [("QUARTERDECK_HOME", path), ("HOME", path)];
    for redirected in ["</dev/null", "| cat"] {
        let script = format!("\"$0\" demo --scenario small {redirected}");
        let arguments = ["-c", script.as_str(), env!("CARGO_BIN_EXE_quarterdeck")];
        let mut session = Session::start(Path::new("/bin/sh"), &arguments, &variables, (100, 30));
        session.wait_for_text(LIMIT, "quarterdeck get").unwrap();
        assert!(session.text().contains("the screen needs a terminal"), "{}", session.text());
        session.wait_for_end(LIMIT).unwrap();
        assert!(!session.screen().alternate_screen());
    }
}

#[test]
fn it_draws_at_every_size() {
    let Started { mut session, home: _home } = demo((120, 36));
    for (columns, rows) in [(200, 60), (80, 24), (60, 15), (20, 5), (3, 2), (1, 1), (80, 24)] {
        session.resize(columns, rows);
    }
    session.wait_for_text(LIMIT, "READ-ONLY").unwrap();
}

#[test]
fn a_storm_of_sizes_ends_in_the_last_one() {
    let Started { mut session, home: _home } = demo((120, 36));
    for turn in 0..400_u16 {
        session.resize(40 + turn * 7 % 160, 5 + turn * 3 % 50);
    }
    session.resize(100, 30);
    // Everything was drawn for the last time.
    session.settle(Duration::from_millis(300), LIMIT);
    assert!(session.text().contains("READ-ONLY"), "{}", session.text());
    session.keys(":q\r");
    assert!(session.wait_for_end(LIMIT).unwrap());
    assert!(!session.screen().alternate_screen());
}

#[test]
fn a_signal_to_end_gives_the_terminal_back() {
    for end in [Signal::TERM, Signal::HUP, Signal::INT] {
        let Started { mut session, home: _home } = demo((80, 24));
        signal(&session, end);
        session.wait_for_end(LIMIT).unwrap();
        assert!(!session.screen().alternate_screen(), "{end:?}");
        assert!(!session.screen().hide_cursor(), "{end:?}");
    }
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    let Started { mut session, home: _home } = demo((80, 24));
    session.close();
    // Nobody is left to be told anything; it must not go on without a screen.
    session.wait_for_end(LIMIT).unwrap();
}

#[test]
fn it_goes_on_after_it_was_stopped_from_outside() {
    let Started { mut session, home: _home } = demo((100, 30));
    signal(&session, Signal::STOP);
    session.wait_until_stopped(LIMIT).unwrap();
    // What is typed meanwhile is not lost.
    session.keys(":q");
    signal(&session, Signal::CONT);
    session.keys("\r");
    assert!(session.wait_for_end(LIMIT).unwrap());
    assert!(!session.screen().alternate_screen());
}

#[test]
fn it_suspends_and_comes_back() {
    // A shell with job control is needed: without one nobody could wake it, and the system
    // ignores the wish to stop.
    let home = tempfile::tempdir().unwrap();
    let variables = [("QUARTERDECK_HOME", home.path().to_str().unwrap())];
    let script = "\"$0\" demo --scenario small -c fleet; echo stopped; read key; fg; echo ended";
    let arguments = ["-m", "-c", script, env!("CARGO_BIN_EXE_quarterdeck")];
    let mut session = Session::start(Path::new("/bin/sh"), &arguments, &variables, (80, 24));
    session.wait_for_text(LIMIT, "READ-ONLY").unwrap();
    session.keys("\u{1a}");
    session.wait_for(LIMIT, |s| !s.alternate_screen() && s.contents().contains("stopped")).unwrap();
    session.keys("\r");
    session.wait_for(LIMIT, |s| s.alternate_screen() && s.contents().contains("READ-ONLY")).unwrap();
    session.keys(":q\r");
    session.wait_for(LIMIT, |s| !s.alternate_screen() && s.contents().contains("ended")).unwrap();
}

#[test]
fn without_clusters_it_says_where_it_looked() {
    let Started { mut session, home: _home } = start(&[], (120, 36));
    session.wait_for_text(LIMIT, "KUBECONFIG").unwrap();
    session.keys(":q\r");
    assert!(session.wait_for_end(LIMIT).unwrap());
}

#[test]
fn a_cluster_that_refuses_and_a_broken_entry_are_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    // Port 1 on loopback: nothing listens there.
    let text = r#"{"apiVersion":"v1","kind":"Config",
        "clusters":[{"name":"dead","cluster":{"server":"https://127.0.0.1:1"}}],
        "users":[{"name":"me","user":{"token":"x"}}],
        "contexts":[{"name":"dead","context":{"cluster":"dead","user":"me"}},
                    {"name":"broken","context":{"cluster":"missing","user":"me"}}]}"#;
    std::fs::write(&file, text).unwrap();
    let Started { mut session, home: _home } =
        start(&["--kubeconfig", file.to_str().unwrap(), "-c", "fleet"], (120, 36));
    let both = |s: &vt100::Screen| {
        let text = s.contents();
        text.contains("dead") && text.contains("broken") && text.contains("refused")
    };
    session.wait_for(LIMIT, both).unwrap();
    session.keys("\u{3}\u{3}");
    assert!(session.wait_for_end(LIMIT).unwrap());
}
