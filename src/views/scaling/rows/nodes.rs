//! Rows of nodes: those of a pool that come or go together are one row, with the cause that is found.

use super::*;

impl Story<'_> {
    pub(super) fn node_rows(&self) -> Vec<Row> {
        let mut groups: BTreeMap<(u8, &Text), Vec<Vec<&Signal>>> = BTreeMap::new();
        for signal in self.signals {
            let Some((change, pool)) = change(signal) else { continue };
            // Getting ready after birth is the end of a row, not one of its own.
            if change == NodeChange::Ready && signal.lead.is_some() {
                continue;
            }
            let groups = groups.entry((change as u8, pool)).or_default();
            match groups.last_mut() {
                Some(group) if group.last().is_some_and(|s| s.at.age(signal.at) <= TOGETHER) => {
                    group.push(signal)
                }
                _ => groups.push(vec![signal]),
            }
        }
        groups.values().flatten().filter_map(|group| self.node_row(group)).collect()
    }

    fn node_row(&self, group: &[&Signal]) -> Option<Row> {
        let (first, last) = (group.first()?, group.last()?);
        let (change, _) = change(first)?;
        let mut cash = Cash::default();
        group.iter().for_each(|s| cash.add(s.cost));
        let mut row = Row {
            to: last.to,
            cash,
            objects: group.iter().filter_map(|s| s.object.clone()).collect(),
            count: group.len(),
            last: last.at,
            lead: None,
            ..self.row(first)
        };
        match change {
            NodeChange::Added => {
                row.nodes = Some("added");
                (row.cause, row.lead) = self.why_added(&row, group);
            }
            NodeChange::Removed => {
                row.nodes = Some("removed");
                let why = self.why_removed(&row).map_or(String::new(), |why| format!("{why}; "));
                row.cause = format!("{why}{}", machines(group)).into();
            }
            NodeChange::NotReady => {
                row.nodes = Some("lost");
                row.what = format!("{} Ready", row.what).into();
                row.cash.kind = Kind::Lost;
                row.cause = lost(group).into();
            }
            NodeChange::Ready => {
                row.nodes = Some("back");
                row.what = format!("{} Ready", row.what).into();
                row.cash = Cash::NONE;
                row.cause = "Ready again".into();
            }
        }
        Some(row)
    }

    /// Who asked for nodes, and how long it took from the wish until they were ready.
    fn why_added(&self, row: &Row, group: &[&Signal]) -> (Text, Option<Span>) {
        let wish = row.at - WISH;
        let mut asked = self.signals.iter().filter(|s| within(s.at, wish, row.last));
        let pods = asked.clone().filter(|s| {
            matches!(told(s), Some("FailedScheduling" | "TriggeredScaleUp" | "Nominated"))
                && s.object.is_some()
        });
        let waiting: BTreeSet<&str> =
            pods.clone().filter_map(|s| s.object.as_ref()).map(|o| workload_name(&o.name)).collect();
        let who =
            pods.clone().find_map(|s| provisioner(told(s)?)).map_or(String::new(), |who| format!("{who}: "));
        let pending = pods.map(|s| s.at).min();
        let scaler = asked.rfind(|s| s.happening == Happening::Replicas && s.direction == Direction::More);
        let began = match (pending, scaler) {
            (Some(pending), Some(scaler)) => pending.min(scaler.at),
            (pending, scaler) => pending.or(scaler.map(|s| s.at)).unwrap_or(row.at),
        };
        let ready: Vec<Time> = row.objects.iter().filter_map(|object| self.ready_at(object, group)).collect();
        let lead =
            (ready.len() == row.objects.len()).then(|| ready.iter().max().map(|at| began.age(*at))).flatten();
        let cause = if !waiting.is_empty() {
            let names: Vec<&str> = waiting.iter().copied().take(3).collect();
            let more = if waiting.len() > 3 { format!(" +{}", waiting.len() - 3) } else { String::new() };
            let for_long = pending.map(|at| at.age(row.last)).filter(|s| s.seconds() > 0);
            let for_long = for_long.map_or(String::new(), |s| format!(" {s}"));
            format!("{}{more} pending{for_long}; {who}{}", names.join(", "), machines(group))
        } else if let Some(scaler) = scaler {
            match (scaler.from, scaler.to) {
                (Some(from), Some(to)) => format!("{} {from}→{to}", scaler.what),
                _ => scaler.what.to_string(),
            }
        } else {
            machines(group)
        };
        (cause.into(), lead)
    }

    /// When a new node got ready: it told so later, or was when it was first seen.
    fn ready_at(&self, object: &ObjectKey, group: &[&Signal]) -> Option<Time> {
        let same = |s: &&&Signal| s.object.as_ref() == Some(object);
        let born = group.iter().find(same)?;
        if let Some(lead) = born.lead {
            return Some(born.at + lead);
        }
        let ready = |s: &&&Signal| change(s).is_some_and(|(c, _)| c == NodeChange::Ready) && s.at >= born.at;
        self.signals.iter().filter(same).find(ready).map(|s| s.at)
    }

    fn why_removed(&self, row: &Row) -> Option<Text> {
        let of = |s: &&&Signal| {
            let about = s.object.as_ref().is_some_and(|o| row.objects.iter().any(|r| r.name == o.name));
            about || row.objects.iter().any(|r| s.cause.contains(r.name.as_str()))
        };
        let down = |s: &&&Signal| matches!(told(s), Some(r) if r.starts_with("ScaleDown") || r == "DisruptionTerminating" || r == "DeletingNode");
        let lately = |s: &&&Signal| within(s.at, row.at - FOLLOWS, row.last);
        let event = self.signals.iter().filter(down).filter(lately).rfind(of)?;
        let reason = told(event)?;
        Some(if reason == "DisruptionTerminating" {
            format!("Karpenter: {}", event.cause).into()
        } else {
            format!("{reason}: {}", event.cause).into()
        })
    }

    /// A spot node that the cloud took and the node that came for it are one row.
    pub(super) fn swap(&self, rows: &mut Vec<Row>) {
        let Some(lost) = rows.iter().position(|r| self.was_taken(r)) else { return };
        let taken = rows[lost].clone();
        let pool = |row: &Row| (row.what.clone(), row.cluster);
        let near = |r: &Row| within(r.at, taken.at - TOGETHER - TOGETHER, taken.last + FOLLOWS);
        let came = rows.iter().position(|r| {
            r.nodes == Some("added") && pool(r) == pool(&taken) && r.count == taken.count && near(r)
        });
        let spot = self.machine_of(&taken.objects);
        let row = &mut rows[lost];
        row.nodes = Some("swapped");
        row.direction = Direction::Swapped;
        row.what = format!("{} {}", if taken.count == 1 { "node" } else { "nodes" }, spot.0).into();
        if let Some(came) = came {
            let new = rows[came].clone();
            let row = &mut rows[lost];
            row.cash = row.cash.and(new.cash);
            row.tone = Tone::Ok;
            let count = u32::try_from(taken.count).ok();
            (row.from, row.to) = (count, count);
            let now_spot = self.machine_of(&new.objects).1;
            let kind = if now_spot { "spot again" } else { "now on demand" };
            row.cause = format!("spot interrupted, {kind}").into();
            let gap: Vec<Time> = new.objects.iter().filter_map(|o| self.ready_at(o, self.signals)).collect();
            row.lead = gap.iter().max().map(|ready| taken.at.age(*ready)).filter(|gap| gap.millis() > 0);
            row.objects.extend(new.objects);
            row.last = row.last.max(new.last);
            rows.remove(came);
        } else {
            row.tone = Tone::Warn;
            row.cause = "spot interrupted, nothing came for it".into();
        }
        self.swap(rows);
    }

    fn was_taken(&self, row: &Row) -> bool {
        row.nodes == Some("removed")
            && self.signals.iter().any(|s| {
                told(s).is_some_and(interrupts)
                    && within(s.at, row.at - FOLLOWS, row.last)
                    && s.object.as_ref().is_some_and(|o| row.objects.iter().any(|r| r.name == o.name))
            })
    }

    /// The instance type of these nodes, and whether they are spot.
    fn machine_of(&self, objects: &[ObjectKey]) -> (Text, bool) {
        let of = |s: &&&Signal| s.object.as_ref().is_some_and(|o| objects.contains(o));
        self.signals
            .iter()
            .filter(of)
            .find_map(|s| match &s.happening {
                Happening::Node { machine, spot, .. } => Some((machine.clone(), *spot)),
                _ => None,
            })
            .unwrap_or_default()
    }
}

/// Who makes nodes, by the reason of the event in which it tells a pod so.
fn provisioner(reason: &str) -> Option<&'static str> {
    match reason {
        "Nominated" => Some("Karpenter"),
        "TriggeredScaleUp" => Some("autoscaler"),
        _ => None,
    }
}

/// `NotReady, zone europe-west1-b`.
fn lost(group: &[&Signal]) -> String {
    let zones: BTreeSet<&str> = group
        .iter()
        .filter_map(|s| match &s.happening {
            Happening::Node { zone, .. } if !zone.is_empty() => Some(zone.as_str()),
            _ => None,
        })
        .collect();
    match zones.len() {
        0 => "NotReady".to_owned(),
        1 => format!("NotReady, zone {}", zones.first().copied().unwrap_or_default()),
        n => format!("NotReady, {n} zones"),
    }
}

/// `2 × m6i.2xlarge, 1 × c6i.large spot`.
pub(in crate::views::scaling) fn machines(group: &[&Signal]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for signal in group {
        if let Happening::Node { machine, spot, .. } = &signal.happening {
            let name = if machine.is_empty() { "node" } else { machine.as_str() };
            *counts.entry(format!("{name}{}", if *spot { " spot" } else { "" })).or_default() += 1;
        }
    }
    let part = |(name, n): (String, usize)| if n == 1 { name } else { format!("{n} × {name}") };
    counts.into_iter().map(part).collect::<Vec<_>>().join(", ")
}
