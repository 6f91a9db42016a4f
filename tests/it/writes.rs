//! Every place that can change a cluster is known, and each of the runner's writes stands behind a
//! confirmed plan, a permit and a record in the journal.
//!
//! What a person confirms and what the permit covers is tested in `runner`; here the source itself
//! is read, so that a new call site cannot come in unseen.

use super::architecture::sources;

/// What builds or names a request that is no reading.
const WRITING: [&str; 10] = [
    "Request::post(",
    "Request::patch(",
    "Request::delete(",
    "Request::put(",
    "ApiRequest::evict(",
    "Method::POST",
    "Method::PUT",
    "Method::PATCH",
    "Method::DELETE",
    "hyper::Method::",
];

/// Every such place outside of the embedded fleet: file, what it names, how often, and why it may.
const KNOWN: [(&str, &str, usize, &str); 13] = [
    ("cluster/request.rs", "Method::POST", 1, "the constructor"),
    ("cluster/request.rs", "Method::PATCH", 1, "the constructor"),
    ("cluster/request.rs", "Method::DELETE", 1, "the constructor"),
    ("cluster/access.rs", "Request::post(", 1, "asks what we may do; the server keeps nothing"),
    ("runner/api.rs", "Method::POST", 3, "an eviction, and two reviews of ourselves"),
    ("runner/api.rs", "Method::PATCH", 1, "a patch of a plan's step"),
    ("runner/api.rs", "Method::DELETE", 2, "a pod that a plan deletes past its budgets, or an object"),
    ("runner/check.rs", "Request::patch(", 2, "dry runs"),
    ("runner/check.rs", "Request::delete(", 1, "a dry run"),
    ("runner/changes.rs", "Request::patch(", 1, "sent with its record"),
    ("runner/changes.rs", "Request::delete(", 1, "sent with its record"),
    ("runner/evict.rs", "ApiRequest::evict(", 1, "sent with its record"),
    ("runner/steps.rs", "Request::patch(", 1, "sent with its record"),
];

fn text(of: &str) -> String {
    let found = sources().into_iter().find(|(path, ..)| path.to_string_lossy() == of);
    found.unwrap_or_else(|| panic!("src/{of} is gone; this test must follow it")).2
}

#[test]
fn every_place_that_can_write_is_known() {
    let mut found = Vec::new();
    for (path, room, text) in sources() {
        let test = path.to_string_lossy().contains("test") || path.ends_with("fake.rs");
        if room == "sim" || test {
            continue;
        }
        for name in WRITING {
            let count = text.matches(name).count();
            // `ApiRequest::patch(` holds `Request::patch(`: it is counted once, by the shorter.
            if count > 0 {
                found.push((path.to_string_lossy().into_owned(), name, count));
            }
        }
    }
    // A dry run of an eviction is beside the one of a patch.
    let mut known: Vec<(String, &str, usize)> =
        KNOWN.iter().map(|(path, name, count, _)| ((*path).to_owned(), *name, *count)).collect();
    known.push(("runner/check.rs".to_owned(), "ApiRequest::evict(", 1));
    found.sort();
    known.sort();
    assert_eq!(found, known, "a write that this test does not know: put it behind a plan, and name it here");
}

#[test]
fn a_write_is_sent_only_with_its_record() {
    for file in ["runner/evict.rs", "runner/write.rs"] {
        let text = text(file);
        let at = text.find(".send(&recorded,").unwrap_or_else(|| panic!("{file} sends nothing"));
        // The record comes first: without it there is nothing to send with.
        assert!(text[..at].contains("ctx.intend("), "{file}: nothing was recorded before the request");
        assert_eq!(text.matches(".send(&recorded,").count(), 1, "{file}");
    }
    // What is not a dry run is handed to the one function that records and sends.
    for file in ["runner/steps.rs", "runner/changes.rs"] {
        let text = text(file);
        let lines = text.lines().filter(|line| ["::patch(", "::delete("].iter().any(|w| line.contains(w)));
        let mut sent = 0;
        for line in lines.filter(|line| line.contains("ApiRequest")) {
            assert!(line.contains("write::write(ctx, gate, ") && line.contains(", false)"), "{file}: {line}");
            sent += 1;
        }
        assert!(sent > 0, "{file} writes nothing: this test must follow it");
        assert!(!text.contains(".send("), "{file} sends by itself");
    }
    let context = text("runner/context.rs");
    assert_eq!(context.matches("Ok(Recorded {").count(), 1, "a record is made in one place");
    let intend = context.split("fn intend").nth(1).unwrap().split("Ok(Recorded {").next().unwrap();
    let permit = intend.find("self.permit.clusters.contains(").expect("the permit is checked");
    assert!(permit < intend.find("self.note(").expect("it is written down"), "{intend}");
    let send = context.split("fn send").nth(1).unwrap();
    assert!(send.starts_with("(&self, recorded: &Recorded,"), "{send}");
}

#[test]
fn nothing_else_of_the_runner_reaches_a_cluster() {
    for (path, room, text) in sources() {
        let name = path.to_string_lossy().into_owned();
        if room != "runner" || name.contains("test") || name.ends_with("fake.rs") {
            continue;
        }
        let calls = text.matches("api.call(").count();
        let known = match name.as_str() {
            "runner/context.rs" => 2,
            "runner/check.rs" => 3,
            _ => 0,
        };
        assert_eq!(calls, known, "{name} calls a cluster by itself");
        for read in text.split("ctx.read(").skip(1) {
            let call = read.split(".await").next().unwrap_or_default();
            let reads = ["ApiRequest::get(", "ApiRequest::get_pod(", "ApiRequest::read(", ", request)"];
            assert!(reads.iter().any(|r| call.contains(r)), "{name}: read({call}");
        }
    }
    // Of the calls of a check one asks what we may, one reads a template, the other is a dry run.
    let check = text("runner/check.rs");
    assert!(
        check.contains("ApiRequest::patch(patch, true)")
            && check.contains("ApiRequest::patch(&patch, true)")
            && check.contains("ApiRequest::delete(target, true)")
            && check.contains("ApiRequest::evict(pod, *grace, true)")
    );
    assert!(!check.contains(", false)"), "a check that is no dry run");
}

#[test]
fn only_the_main_loop_starts_runs_and_only_from_a_confirmed_plan() {
    let mut submits = Vec::new();
    let mut runs = Vec::new();
    for (path, _, text) in sources() {
        let name = path.to_string_lossy().into_owned();
        if text.contains(".submit(") && !name.contains("test") {
            submits.push(name.clone());
        }
        if text.contains("Effect::Run(") && !name.contains("test") {
            runs.push(name);
        }
    }
    submits.sort();
    runs.sort();
    assert_eq!(submits, ["app/effects.rs", "app/headless/carry_out/follow.rs"]);
    // One makes it, when the word was typed; the other carries it out.
    assert_eq!(runs, ["app/effects.rs", "ui/overlays/plan.rs"]);
}
