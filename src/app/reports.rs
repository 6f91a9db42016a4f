//! Reports of failovers and drills, as files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files;
use crate::model::{Cause, ClusterId, Fault, Span, Text, Time};
use crate::operations::{LastDrill, Run};
use crate::runner::report;

/// Writes the Markdown and the JSON report of a run, and returns the path of the first.
///
/// # Errors
/// The folder cannot be made or written.
pub(super) fn write(run: &Run, folder: &Path, name: &dyn Fn(ClusterId) -> Text) -> Result<PathBuf, Fault> {
    let path = |extension: &str| folder.join(format!("{}.{extension}", report::file_name(run)));
    let json = format!("{:#}\n", report::json(run, name));
    let written = files::write_private(&path("md"), report::markdown(run, name).as_bytes())
        .and_then(|()| files::write_private(&path("json"), json.as_bytes()));
    written.map_err(|error| {
        let what = format!("the report cannot be written to {}: {error}", folder.display());
        Fault::new(Cause::Config, what, "the journal holds every step of it")
    })?;
    Ok(path("md"))
}

/// The last drill of each recovery plan, by the reports of a folder. What is no report of ours is
/// passed over.
pub(super) fn last_drills(folder: &Path) -> BTreeMap<Text, LastDrill> {
    let mut drills: BTreeMap<Text, LastDrill> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(text) = std::fs::read(entry.path()) else { continue };
        let Some((plan, drill)) = serde_json::from_slice(&text).ok().and_then(|report| drill_of(&report))
        else {
            continue;
        };
        if drills.get(&plan).is_none_or(|known| known.at < drill.at) {
            drills.insert(plan, drill);
        }
    }
    drills
}

fn drill_of(report: &Value) -> Option<(Text, LastDrill)> {
    report["drill"].as_bool().filter(|drill| *drill)?;
    let drill = LastDrill {
        at: Time::parse(report["began"].as_str()?)?,
        done: report["outcome"] == "done",
        took: report["recovery"]["recovery_time_ms"].as_i64().map(Span::from_millis),
    };
    Some((Text::clean(report["recovery"]["plan"].as_str()?), drill))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_drill_of_a_plan_counts() {
        let folder = tempfile::tempdir().unwrap();
        let report = |name: &str, drill: bool, began: &str, outcome: &str| {
            let text = serde_json::json!({
                "drill": drill, "began": began, "outcome": outcome,
                "recovery": { "plan": "orders", "recovery_time_ms": 9000 },
            });
            std::fs::write(folder.path().join(name), text.to_string()).unwrap();
        };
        report("a.json", true, "2026-11-20T02:00:00Z", "done");
        report("b.json", true, "2026-11-21T02:00:00Z", "failed");
        report("c.json", false, "2026-11-21T03:00:00Z", "done");
        std::fs::write(folder.path().join("a.md"), "# no report").unwrap();
        let drills = last_drills(folder.path());
        let expected = LastDrill {
            at: Time::parse("2026-11-21T02:00:00Z").unwrap(),
            done: false,
            took: Some(Span::from_seconds(9)),
        };
        assert_eq!(drills, BTreeMap::from([("orders".into(), expected)]));
    }
}
