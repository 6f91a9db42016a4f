use super::*;
use crate::model::{Cell, ClusterId, Column, Kind, ObjectKey, Span, Time, Uid};
use crate::views::{RowId, Sheet, SheetRow};

const NOW: Time = Time::from_seconds(1_795_227_247);

fn sheet() -> Sheet {
    let key = ObjectKey {
        cluster: ClusterId(1),
        kind: Kind::Pod,
        namespace: "billing".into(),
        name: "x".into(),
        uid: Uid::parse("x"),
    };
    let row = |id, tone, cells: Vec<Cell>, objects| SheetRow { id, tone, cells, objects, stale: false };
    let cells = |name: &str, cpu: &str, age: &str, rate: &str, ready: &str, since: i64| {
        let mut cells: Vec<Cell> = [name, cpu, age, rate, ready].iter().map(|c| Cell::text(*c)).collect();
        cells.push(Cell::when(NOW - Span::from_seconds(since), NOW));
        cells
    };
    let column = |title| Column::right(title, 6, 1);
    Sheet {
        columns: ["name", "cpu", "age", "$/h", "nodes", "since"].map(column).into(),
        rows: vec![
            row(
                RowId::Object(key),
                Tone::Crit,
                cells("Pay-API eks-use1", "250m", "22m", "$0.40", "58/61", 60),
                vec![],
            ),
            row(RowId::Cluster(ClusterId(0)), Tone::Ok, cells("web", "2", "3h10m", "?", "3/3", 7200), vec![]),
        ]
        .into(),
        ..Sheet::default()
    }
}

/// Which of the two rows pass, and what is wrong.
fn passing(text: &str) -> (Vec<usize>, Option<Text>) {
    let (sheet, filter) = (sheet(), Filter::parse(text));
    let places = [Text::from("gke-euw1"), Text::from("eks-use1")];
    let bound = filter.bind(&sheet, &places, NOW);
    (
        (0..2).filter(|at| bound.passes(&sheet.rows.look(*at).unwrap(), &mut String::new())).collect(),
        bound.problem,
    )
}

#[test]
fn words_prefixes_and_comparisons_choose_rows() {
    for (text, rows) in [
        ("", vec![0, 1]),
        ("!", vec![0, 1]),
        ("PAY eks", vec![0]),
        ("!pay", vec![1]),
        ("pay web", vec![]),
        ("ns:bill", vec![0]),
        ("!ns:billing", vec![1]),
        ("cluster:eks", vec![0]),
        ("cluster:use1", vec![]),
        ("cluster:gke", vec![1]),
        ("sev:crit", vec![0]),
        ("!sev:c", vec![1]),
        ("cpu>500m", vec![1]),
        ("cpu<=250m", vec![0]),
        ("age<2h", vec![0]),
        ("age>=22m", vec![0, 1]),
        ("$/h>0.1", vec![0]),
        ("!$/h>0.1", vec![1]),
        ("nodes=58", vec![0]),
        ("nodes!=58", vec![1]),
        ("since<5m", vec![0]),
        ("name=web", vec![1]),
        ("-f pyus1", vec![0]),
        ("-f 1sup", vec![]),
    ] {
        assert_eq!(passing(text), (rows, None), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_and_loses_nothing() {
    for (text, rows, why) in [
        ("pay cpuu>1", vec![0], "no column cpuu here: name cpu age $/h nodes since"),
        ("app=pay", vec![0, 1], "a label is -l app=pay"),
        ("cpu>much", vec![0, 1], "cpu: \"much\" is no figure such as 3, 500m or 2Gi"),
        ("age<500", vec![0, 1], "age: \"500\" is no figure such as 2h or 90s"),
        ("sev:awful web", vec![1], "sev:awful is none of crit warn"),
        ("-l", vec![0, 1], "-l wants a label selector"),
        ("-l a b", vec![1], ""),
    ] {
        let (shown, problem) = passing(text);
        assert_eq!(shown, rows, "{text}");
        assert!(problem.unwrap_or_default().contains(why), "{text}");
    }
}

#[test]
fn labels_are_taken_with_their_brackets() {
    for text in ["-l app=pay,tier!=web", "-l tier in (a, b)", "-l tier in (a,b) web", "-l !canary"] {
        let filter = Filter::parse(text);
        assert!(filter.labels.is_some() && filter.problem.is_none(), "{text}: {:?}", filter.problem);
    }
    assert!(Filter::parse("-l tier in (a").problem.is_some());
}

#[test]
fn words_are_found_whatever_their_case() {
    assert_eq!(find("größe ÖL", "öl"), None);
    assert_eq!(find("größe", "öß"), Some(2..6));
    assert_eq!(find("Pay-API", "api"), Some(4..7));
}

#[test]
fn prefixes_columns_and_names_complete() {
    let snapshot = crate::views::Snapshot::new(NOW, 1, crate::model::Fleet::default());
    let complete = |typed| completions(typed, &sheet(), &snapshot);
    assert_eq!(complete("c"), ["cluster:", "cpu>"]);
    assert_eq!(complete("pay !sev:u"), ["pay !sev:unseen"]);
    assert_eq!(complete("pay "), Vec::<String>::new());
}
