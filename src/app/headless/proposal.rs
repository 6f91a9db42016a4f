//! A plan as text or JSON, and the hash that confirms it.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::super::cli::Output;
use super::super::output::tone_word;
use super::Stop;
use crate::model::{ClusterId, Fleet, Tone};
use crate::operations::{HASH_DIGITS, Line, Plan};

/// Whether what was typed is the hash of this plan, or enough of its beginning.
///
/// # Errors
/// It cannot be the beginning of any hash.
pub(super) fn confirmed(typed: &str, hash: &str) -> Result<bool, Stop> {
    let typed = typed.trim().to_ascii_lowercase();
    if typed.len() < HASH_DIGITS || typed.len() > hash.len() || typed.chars().any(|c| !c.is_ascii_hexdigit())
    {
        let why = format!("--yes {typed:?}: expected the plan's hash, at least {HASH_DIGITS} of its digits");
        return Err(Stop::usage(why));
    }
    Ok(hash.starts_with(&typed))
}

/// The form in which plans are printed.
///
/// # Errors
/// A plan is no table of equal rows.
pub(super) fn form(output: Option<Output>) -> Result<bool, Stop> {
    match output {
        None | Some(Output::Table) => Ok(false),
        Some(Output::Json) => Ok(true),
        Some(Output::Csv) => Err(Stop::usage("a plan cannot be printed as csv; expected -o table or json")),
    }
}

/// The plan with everything that the screen shows of it. `allowed` is what the clusters say to it;
/// `flags` are those that choose the other answer, by the choice's id.
pub(super) fn text(plan: &Plan, allowed: &[Line], flags: &[(&str, &str)], fleet: &Fleet) -> String {
    let mut out = format!("{}\n", plan.title);
    for subject in &plan.subjects {
        let cluster = fleet.cluster(subject.cluster).map_or("?", |c| c.info.name.as_str());
        let _ = writeln!(out, "  {:<12}       {cluster}/{}", "on", subject.path());
    }
    for line in plan.preview.iter().chain(allowed) {
        say(&mut out, line);
    }
    for choice in &plan.choices {
        let answer = choice.answers.get(choice.chosen).map_or("", |a| a.as_str());
        let other = flags.iter().find(|(id, _)| *choice.id == **id).filter(|_| choice.chosen == 0);
        let other =
            other.zip(choice.answers.get(1)).map(|((_, flag), answer)| format!(" ({flag}: {answer})"));
        let _ =
            writeln!(out, "  {:<12}       {}: {answer}{}", "choice", choice.text, other.unwrap_or_default());
    }
    out.push_str("steps\n");
    for (index, step) in plan.steps.iter().enumerate() {
        let limit = step.deadline.map_or(String::new(), |limit| format!(", within {limit}"));
        let back =
            if step.way_back.is_empty() { String::new() } else { format!("; back: {}", step.way_back) };
        let _ = writeln!(out, "  {:>2}. {}{limit}{back}", index + 1, step.title);
    }
    for refusal in &plan.refusals {
        let _ = writeln!(out, "refused: {refusal}");
    }
    if !plan.kubectl.is_empty() {
        out.push_str("with kubectl\n");
        for line in &plan.kubectl {
            let _ = writeln!(out, "  {line}");
        }
    }
    let _ = writeln!(out, "plan {}", plan.hash());
    out
}

fn say(out: &mut String, line: &Line) {
    let count = line.count.map_or(String::new(), |count| count.to_string());
    let worry =
        if line.tone >= Tone::Unseen { format!(" [{}]", tone_word(line.tone)) } else { String::new() };
    let _ = writeln!(out, "  {:<12} {count:>5} {}{worry}", line.label, line.text);
}

/// The same for programs.
pub(super) fn json(plan: &Plan, allowed: &[Line], fleet: &Fleet) -> String {
    let name = |id: &ClusterId| {
        let name = fleet.cluster(*id).map_or(Value::Null, |c| json!(c.info.name));
        (id.0.to_string(), name)
    };
    let clusters: Map<String, Value> = plan.touches.iter().map(name).collect();
    let whole = json!({ "hash": plan.hash(), "clusters": clusters, "plan": plan, "allowed": allowed });
    format!("{whole:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::sha256;

    #[test]
    fn a_hash_is_confirmed_by_itself_or_enough_of_its_beginning() {
        let hash = sha256(b"abc");
        assert_eq!(confirmed(&hash, &hash), Ok(true));
        assert_eq!(confirmed("ba7816bf", &hash), Ok(true));
        assert_eq!(confirmed(" BA7816BF8F ", &hash), Ok(true));
        assert_eq!(confirmed("ba7816b0", &hash), Ok(false));
        assert_eq!(confirmed("a7816bf8f01", &hash), Ok(false));
    }

    #[test]
    fn what_is_no_hash_confirms_nothing() {
        let hash = sha256(b"abc");
        for typed in ["", "ba7816b", "yes-please", &format!("{hash}0"), "ba7816bé"] {
            assert!(confirmed(typed, &hash).unwrap_err().why.contains("at least 8"), "{typed}");
        }
    }
}
