//! The ways to look at what scaled: every row, or rows folded by their story, object or cause.

use std::collections::BTreeMap;

use super::rows::{FOLLOWS, Row};
use crate::model::{ClusterId, Direction, Text};
use crate::views::RowId;

/// What the rows are folded by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ScalingLens {
    /// By nothing: every row, newest first.
    #[default]
    Time,
    /// Replicas, and the nodes that came or went for them.
    Story,
    /// What scaled.
    Object,
    /// Why it scaled, over clusters.
    Cause,
}

impl ScalingLens {
    /// The lens of this name; the first when there is none.
    #[must_use]
    pub fn named(name: &str) -> ScalingLens {
        match name {
            "story" => ScalingLens::Story,
            "object" => ScalingLens::Object,
            "cause" => ScalingLens::Cause,
            _ => ScalingLens::Time,
        }
    }
}

/// What the pane shows as one row.
pub(super) struct Group {
    pub(super) id: RowId,
    /// What it says, over all its members.
    pub(super) row: Row,
    /// How many rows are in it, and the rows when there is more than one, newest first.
    pub(super) members: Vec<Row>,
}

/// The rows, which are newest first, folded by the lens; groups are newest first too.
pub(super) fn groups(rows: Vec<Row>, lens: ScalingLens) -> Vec<Group> {
    match lens {
        ScalingLens::Time => {
            rows.into_iter().map(|row| Group { id: row.id(), row, members: Vec::new() }).collect()
        }
        ScalingLens::Story => stories(rows),
        ScalingLens::Object => fold(rows, |row| format!("{} {}", row.place, subject(row)), object),
        ScalingLens::Cause => fold(rows, |row| shape(&row.cause), cause),
    }
}

/// The name of what scaled, without how often it did in a minute.
fn subject(row: &Row) -> &str {
    row.what.split_once(" ×").map_or(row.what.as_str(), |(name, _)| name)
}

/// A cause without its numbers: what two causes must share to be the same.
fn shape(cause: &str) -> String {
    let mut shape = String::with_capacity(cause.len());
    for c in cause.chars() {
        match c.is_ascii_digit() {
            true if shape.ends_with('0') => {}
            true => shape.push('0'),
            false => shape.push(c),
        }
    }
    shape
}

fn fold(rows: Vec<Row>, key: impl Fn(&Row) -> String, say: impl Fn(&[Row]) -> Option<Row>) -> Vec<Group> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut folded: Vec<(String, Vec<Row>)> = Vec::new();
    for row in rows {
        let key = key(&row);
        match places.get(&key).and_then(|place| folded.get_mut(*place)) {
            Some((_, members)) => members.push(row),
            None => {
                places.insert(key.clone(), folded.len());
                folded.push((key, vec![row]));
            }
        }
    }
    folded
        .into_iter()
        .filter_map(|(key, members)| {
            Some(Group { id: RowId::Part(Text::clean(&key)), row: say(&members)?, members })
        })
        .collect()
}

/// The newest, with the worst tone, all the money and the count of all.
fn over(members: &[Row]) -> Option<Row> {
    let (newest, earlier) = members.split_first()?;
    let mut row = newest.clone();
    for member in earlier {
        row.count += member.count;
        row.tone = row.tone.max(member.tone);
        row.cash = row.cash.joined(member.cash);
        for object in &member.objects {
            if !row.objects.contains(object) {
                row.objects.push(object.clone());
            }
        }
    }
    Some(row)
}

/// From the first size to the last.
fn span(row: &mut Row, members: &[Row]) {
    row.from = members.iter().rev().find_map(|member| member.from);
    if let (Some(from), Some(to)) = (row.from, row.to) {
        row.direction = match to.cmp(&from) {
            std::cmp::Ordering::Less => Direction::Less,
            std::cmp::Ordering::Greater => Direction::More,
            std::cmp::Ordering::Equal => row.direction,
        };
    }
}

fn object(members: &[Row]) -> Option<Row> {
    let mut row = over(members)?;
    span(&mut row, members);
    row.what = Text::clean(subject(&row));
    if row.count > 1 {
        row.cause = format!("{}×, last: {}", row.count, row.cause).into();
    }
    Some(row)
}

fn cause(members: &[Row]) -> Option<Row> {
    let mut row = over(members)?;
    let mut places: Vec<&Text> = members.iter().map(|member| &member.place).collect();
    places.sort_unstable();
    places.dedup();
    let mut subjects: Vec<&str> = members.iter().map(subject).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let what = match subjects.as_slice() {
        [one] => Text::clean(one),
        many => format!("{} objects", many.len()).into(),
    };
    let place = match places.as_slice() {
        [one] => (*one).clone(),
        many => format!("{} clusters", many.len()).into(),
    };
    if row.count > 1 {
        (row.from, row.to, row.lead) = (None, None, None);
        row.cause = format!("{}×: {}", row.count, row.cause).into();
    }
    (row.what, row.place) = (what, place);
    Some(row)
}

/// Changes of one workload that follow each other, with the nodes that moved for it, are a story.
fn stories(rows: Vec<Row>) -> Vec<Group> {
    let mut stories: Vec<Vec<Row>> = Vec::new();
    // Oldest first: what began a story names it.
    for row in rows.into_iter().rev() {
        let goes_on = stories.iter_mut().rev().find(|story| continues(story, &row));
        match goes_on {
            Some(story) => story.push(row),
            None => stories.push(vec![row]),
        }
    }
    let mut groups: Vec<Group> = stories
        .into_iter()
        .filter_map(|mut members| {
            let id = members.first()?.id();
            members.reverse();
            Some(Group { id, row: story(&members)?, members })
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.row.at));
    groups
}

/// Whether a row is the next step of a story: the same thing moves again, or nodes move for it.
fn continues(story: &[Row], row: &Row) -> bool {
    let Some(last) = story.last() else { return false };
    let near = last.cluster == row.cluster && last.last.age(row.at) <= FOLLOWS;
    near && story.iter().any(|member| {
        let same = subject(member) == subject(row) && member.nodes.is_some() == row.nodes.is_some();
        same || (row.nodes.is_some() && member.nodes.is_none() && names(&row.cause, workload(member)))
    })
}

/// `checkout` of `checkout HPA`.
fn workload(row: &Row) -> &str {
    subject(row).split(' ').next().unwrap_or_default()
}

/// Whether a cause names a workload as a word of its own.
fn names(cause: &str, workload: &str) -> bool {
    cause.split([' ', ',']).any(|word| word == workload)
}

/// From how many to how many, as far as that is known.
type Sizes = (Option<u32>, Option<u32>);

/// What began it, how far it went, and what else moved.
fn story(members: &[Row]) -> Option<Row> {
    let first = members.last()?;
    let mut row = over(members)?;
    let own: Vec<Row> = members.iter().filter(|m| subject(m) == subject(first)).cloned().collect();
    row.what = Text::clean(subject(first));
    row.to = own.iter().find_map(|member| member.to);
    span(&mut row, &own);
    row.lead = own.iter().find_map(|member| member.lead);
    let mut said = vec![first.cause.to_string()];
    let mut nodes: BTreeMap<(ClusterId, &str), Sizes> = BTreeMap::new();
    for member in members.iter().rev().filter(|m| subject(m) != subject(first)) {
        let sizes = nodes.entry((member.cluster, subject(member))).or_insert((member.from, member.to));
        sizes.1 = member.to;
    }
    for ((_, name), (from, to)) in nodes {
        let size = |n: Option<u32>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
        said.push(format!("{name} {}→{}", size(from), size(to)));
    }
    row.cause = said.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ").into();
    Some(row)
}
