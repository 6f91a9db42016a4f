//! The login overlay: opened on a row of the fleet pane, folded by credential plugin.

use std::sync::Arc;

use quarterdeck::input::{self, Operation};
use quarterdeck::model::*;
use quarterdeck::operations;
use quarterdeck::theme::{self, Depth};
use quarterdeck::ui::{Effect, PaneDecl, Settings, Ui, no_evidence, open_objects};
use quarterdeck::views::fleet::sheet;

use super::screen::{NOW, Screen, after, cluster, fleet};

/// Three clusters of one plugin, one of another; the last is fine.
fn waiting(login: &Login, fault: Option<Fault>) -> Fleet {
    let mut all = fleet();
    all.clusters = (0..5)
        .map(|id| {
            let name = ["aks-eus2", "aks-neu", "aks-weu", "eks-use1", "gke-euw1"][usize::from(id)];
            let mut cluster = cluster(id, name, &["prod"], Tier::Prod);
            let mut info = (*cluster.info).clone();
            let plugin = if id < 3 { Some((0, "kubelogin")) } else { (id == 3).then_some((1, "aws")) };
            info.plugin = plugin.map(|(number, name)| PluginId { number, name: name.into() });
            cluster.info = Arc::new(info);
            if id < 4 {
                cluster.login = if id < 3 { login.clone() } else { Login::Plugin };
                cluster.link.state = LinkState::Denied;
                cluster.link.fault.clone_from(&fault);
            }
            Arc::new(cluster)
        })
        .collect();
    all
}

/// A screen with the fleet pane alone, and its cursor on the first cluster.
fn screen(width: u16, height: u16, fleet: Fleet) -> Screen {
    let mut screen = Screen::bare(width, height, "mono", Depth::None, false);
    let names: Vec<Operation> =
        operations::ALL.iter().map(|op| Operation { id: op.id, key: op.key }).collect();
    let (keymap, _) = input::load("default", &|_| None, &names);
    let (theme, _) = theme::load("mono", &|_| None, Depth::None, false);
    let pane = PaneDecl {
        digit: '1',
        name: "fleet",
        title: "Fleet",
        question: "Is every cluster fine?",
        lenses: &[],
        sheet: |input| sheet(input.snapshot, input.scope, input.now),
        evidence: no_evidence,
        on_enter: open_objects,
    };
    screen.ui = Ui::new(vec![pane], operations::ALL.to_vec(), keymap, theme, Settings::default());
    screen.fleet(fleet);
    screen.draw();
    screen.keys("/");
    screen.text("aks-neu");
    screen.keys("enter");
    screen
}

fn prompted() -> Login {
    Login::Prompted(Prompt {
        url: "https://microsoft.com/devicelogin".into(),
        code: "H7K2-PQ9D".into(),
        until: after(872),
    })
}

#[test]
fn a_code_is_shown_for_all_that_wait_for_it_and_can_be_copied() {
    let mut screen = screen(100, 20, waiting(&prompted(), None));
    screen.keys("enter");
    insta::assert_snapshot!("login_prompt", screen.picture());
    let copied = |effects: Vec<Effect>| match effects.as_slice() {
        [Effect::Copy(text)] => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(copied(screen.keys("c")), "H7K2-PQ9D");
    assert_eq!(copied(screen.keys("c")), "https://microsoft.com/devicelogin");
    assert_eq!(screen.keys("r"), [], "it waits already");
    screen.now = after(30);
    screen.draw();
    assert!(screen.ui.next_change(screen.now).is_some_and(|at| at <= after(31)), "it counts down");
    screen.now = after(60);
    assert!(screen.picture().contains("ends in 13:32"), "{}", screen.picture());
    screen.fleet(waiting(&Login::Good(None), None));
    assert!(screen.picture().contains("✓ logged in"), "{}", screen.picture());
    screen.keys("esc");
    assert!(!screen.picture().contains("LOGIN"));
}

#[test]
fn a_plugin_that_failed_is_run_once_for_all() {
    let what = "kubelogin failed (1): error: no tenant · AADSTS90002: tenant not found";
    let fault = Fault::new(Cause::Login, what, "run it in a shell to see more");
    let mut screen = screen(100, 20, waiting(&Login::Plugin, Some(fault)));
    screen.keys("enter");
    insta::assert_snapshot!("login_failed", screen.picture());
    assert_eq!(screen.keys("c"), []);
    let ids = vec![ClusterId(0), ClusterId(1), ClusterId(2)];
    assert_eq!(screen.keys("r"), [Effect::Retry(ids)], "the other plugin's cluster is left alone");
}

#[test]
fn no_size_breaks_it() {
    let long = Login::Prompted(Prompt {
        url: Text::clean(&format!("https://id.example/{}", "a".repeat(400))),
        code: Text::EMPTY,
        until: NOW,
    });
    let mut screen = screen(100, 20, waiting(&long, None));
    screen.keys("enter");
    for (width, height) in [(1, 1), (9, 3), (20, 4), (60, 15), (80, 24), (200, 60)] {
        screen.resize(width, height);
        let picture = screen.picture();
        assert_eq!(picture.contains("3 clusters wait for it"), height >= 15, "{picture}");
    }
}
