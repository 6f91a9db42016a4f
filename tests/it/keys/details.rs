//! What opens from a row: readings and logs.

use super::*;

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
