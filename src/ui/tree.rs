//! The tree: groups, clusters, their node pools and namespaces. What is worst stands first; a closed group is one
//! line of glyphs.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ratatui::text::{Line, Span};
use tui_tree_widget::{Tree, TreeItem, TreeState};
use unicode_width::UnicodeWidthStr;

use super::canvas::{Canvas, cells};
use super::summary::{ClusterLine, Summary};
use crate::input::Command;
use crate::model::{Cluster, ClusterId, Kind, Text, Time, Tone, Truth};
use crate::theme::{Role, Theme, tone_glyph};
use crate::views::{Scope, Snapshot};

/// A group shows this many clusters that are hurt, then a count, unless it is opened by hand.
const HURT: usize = 8;

/// Up to so many clusters need no groups.
const FLAT: usize = 5;

/// With more clusters than this an open group is still a line of glyphs, and under it stands only
/// what is hurt.
const MANY: usize = 30;

/// The columns behind the names: how old the data is, and how many nodes.
const AGE: usize = 6;
const NODES: usize = 7;

/// How many glyphs a group on the line of glyphs shows before it counts.
const GLYPHS: usize = 8;

/// A node of the tree.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Node {
    Everything,
    Group(Text),
    Cluster(ClusterId),
    Namespace(Text),
    Pool(Text),
    /// How many clusters of a group are not listed.
    More,
    /// Stands for children that were not built yet.
    Unopened,
}

/// The tree and what is open in it.
#[derive(Default)]
pub(super) struct TreePart {
    items: Vec<TreeItem<'static, Node>>,
    pub(super) state: TreeState<Node>,
    /// What `items` were built from.
    built: Option<(u64, Option<Time>, String)>,
    /// Groups that were opened once because something in them is hurt: folded by hand, they stay so.
    offered: HashSet<Vec<Node>>,
    /// Groups that were opened by hand and list every cluster.
    whole: Vec<Vec<Text>>,
}

impl TreePart {
    /// Builds the items again if the snapshot or the look changed.
    pub(super) fn build(
        &mut self,
        snapshot: &Snapshot,
        summary: &Summary,
        theme: &Theme,
        (width, height): (u16, u16),
    ) {
        let look = format!("{}{width}x{height}{}", theme.name, self.state.opened().len());
        // Links grow old, and glyphs with them, without a newer snapshot.
        let from = (snapshot.sequence, summary.at, look);
        if self.built.as_ref() == Some(&from) {
            return;
        }
        self.open_what_hurts(summary, height);
        let clusters: Vec<&ClusterLine> = summary.clusters.iter().collect();
        let counted = summary.header.clusters;
        let draft = Draft { snapshot, theme, width, tree: self, clusters: clusters.len(), counted };
        let mut items = vec![TreeItem::new_leaf(Node::Everything, draft.first_line())];
        items.extend(draft.level(&clusters, &mut Vec::new()));
        self.items = items;
        self.built = Some(from);
    }

    /// Opens each group once when something in it is hurt, or when all of the fleet has room.
    fn open_what_hurts(&mut self, summary: &Summary, height: u16) {
        if summary.clusters.len() <= FLAT {
            return;
        }
        let mut groups = HashSet::new();
        for cluster in &summary.clusters {
            (1..=cluster.groups.len()).for_each(|depth| {
                groups.insert(&cluster.groups[..depth]);
            });
        }
        let all =
            summary.clusters.len() <= MANY && summary.clusters.len() + groups.len() < usize::from(height);
        for cluster in summary.clusters.iter().filter(|c| all || c.tone >= Tone::Unseen) {
            let mut path = Vec::new();
            for group in &cluster.groups {
                path.push(Node::Group(group.clone()));
                if self.offered.insert(path.clone()) {
                    self.state.open(path.clone());
                }
            }
        }
    }

    /// How wide the tree must be to cut no name and to show its columns.
    pub(super) fn width(summary: &Summary) -> u16 {
        let flat = summary.clusters.len() <= FLAT;
        let depth = |cluster: &ClusterLine| if flat { 0 } else { cluster.groups.len() };
        let line = |cluster: &ClusterLine| depth(cluster) * 2 + MARGIN + cluster.name.as_str().width();
        let names = summary.clusters.iter().map(line).max().unwrap_or(0);
        let group = |cluster: &ClusterLine| {
            cluster.groups.iter().map(|name| name.as_str().width() + 2 * GLYPHS + 4).max().unwrap_or(0)
        };
        let groups = summary.clusters.iter().filter(|_| !flat).map(group).max().unwrap_or(0);
        let first = 2 + all(summary.header.clusters).width();
        let wanted = (names.max(first) + AGE + NODES + 1).max(groups);
        cells(wanted)
    }

    /// Puts the cursor somewhere when the tree gets the keys.
    pub(super) fn focus(&mut self) {
        if self.state.selected().is_empty() {
            self.state.select(vec![Node::Everything]);
        }
    }

    /// Moves as a command says; says whether it is such a command.
    pub(super) fn motion(&mut self, command: Command, page: usize) -> bool {
        let by = |n: i64| move |at: Option<usize>| at.map_or(0, |at| at.saturating_add_signed(n as isize));
        let half = i64::try_from(page / 2).unwrap_or(1).max(1);
        match command {
            Command::Down => self.state.key_down(),
            Command::Up => self.state.key_up(),
            Command::HalfDown => self.state.select_relative(by(half)),
            Command::HalfUp => self.state.select_relative(by(-half)),
            Command::PageDown => self.state.select_relative(by(half * 2)),
            Command::PageUp => self.state.select_relative(by(-half * 2)),
            Command::Top => self.state.select_first(),
            Command::Bottom => self.state.select_last(),
            Command::Left => self.state.key_left(),
            Command::Right => self.state.key_right(),
            _ => return false,
        };
        self.built = None;
        true
    }

    /// The cluster that the selected node is, or is in.
    pub(super) fn cluster(&self) -> Option<ClusterId> {
        self.state.selected().iter().find_map(|node| match node {
            Node::Cluster(id) => Some(*id),
            _ => None,
        })
    }

    /// The scope that the selected node stands for.
    pub(super) fn scope(&mut self) -> Option<Scope> {
        let path = self.state.selected().to_vec();
        let groups: Vec<Text> = path
            .iter()
            .filter_map(|node| match node {
                Node::Group(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let cluster = self.cluster();
        match (path.last()?, cluster) {
            (Node::Everything, _) => Some(Scope::All),
            (Node::Group(_), _) => Some(Scope::Group(groups)),
            (Node::Cluster(id), _) => Some(Scope::Clusters(vec![*id])),
            (Node::Namespace(name), Some(id)) => Some(Scope::Namespace(id, name.clone())),
            (Node::Pool(name), Some(id)) => Some(Scope::Pool(id, name.clone())),
            (Node::More, _) => {
                self.whole.push(groups);
                self.built = None;
                None
            }
            _ => None,
        }
    }

    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>, focus: bool) {
        if canvas.width() == 0 || canvas.height() == 0 {
            return;
        }
        let Ok(tree) = Tree::new(&self.items) else { return };
        let select = canvas.role(if focus { Role::Select } else { Role::SelectIdle });
        let text = canvas.role(Role::Text);
        let tree = tree
            .style(text)
            .highlight_style(select)
            .highlight_symbol("")
            .node_open_symbol("▾ ")
            .node_closed_symbol("▸ ")
            .node_no_children_symbol("  ");
        let area = canvas.area;
        ratatui::widgets::StatefulWidget::render(tree, area, canvas.buffer(), &mut self.state);
    }
}

/// What items are built from.
struct Draft<'a> {
    snapshot: &'a Snapshot,
    theme: &'a Theme,
    width: u16,
    tree: &'a TreePart,
    /// How many contexts there are at all.
    clusters: usize,
    /// How many clusters they lead to.
    counted: usize,
}

/// Cells before a name on the outermost level: the fold, the glyph, a space.
const MARGIN: usize = 4;

impl Draft<'_> {
    /// The items of one level: groups first, then clusters that are in no deeper group.
    fn level(&self, clusters: &[&ClusterLine], path: &mut Vec<Text>) -> Vec<TreeItem<'static, Node>> {
        let depth = path.len();
        let mut groups: Vec<(Text, Vec<&ClusterLine>)> = Vec::new();
        let mut own: Vec<&ClusterLine> = Vec::new();
        for cluster in clusters {
            match cluster.groups.get(depth).filter(|_| self.clusters > FLAT) {
                None => own.push(cluster),
                Some(name) => match groups.iter_mut().find(|(group, _)| group == name) {
                    Some((_, members)) => members.push(cluster),
                    None => groups.push((name.clone(), vec![cluster])),
                },
            }
        }
        // A group of one under a group says nothing that its cluster does not.
        if depth > 0 {
            let alone = groups.extract_if(.., |(_, members)| members.len() == 1);
            own.extend(alone.flat_map(|(_, members)| members));
            own.sort_by_key(|cluster| std::cmp::Reverse(cluster.tone));
        }
        let mut items: Vec<TreeItem<'static, Node>> = Vec::new();
        for (name, members) in groups {
            path.push(name.clone());
            let opened = self.tree.state.opened().contains(&node_path(path));
            let children = if opened { self.level(&members, path) } else { unopened() };
            let line = self.group_line(&name, &members, opened, depth);
            path.pop();
            items.extend(TreeItem::new(Node::Group(name), line, children));
        }
        let whole = self.tree.whole.contains(path) || self.clusters <= MANY;
        let listed = own.iter().enumerate().filter(|(at, c)| whole || (c.tone >= Tone::Unseen && *at < HURT));
        let listed: Vec<&ClusterLine> = listed.map(|(_, c)| *c).collect();
        items.extend(listed.iter().filter_map(|c| self.cluster(c, path)));
        if listed.len() < own.len() {
            items.push(TreeItem::new_leaf(Node::More, format!("+{}", own.len() - listed.len())));
        }
        items
    }

    fn cluster(&self, line: &ClusterLine, path: &[Text]) -> Option<TreeItem<'static, Node>> {
        let mut id_path = node_path(path);
        id_path.push(Node::Cluster(line.id));
        let cluster = self.snapshot.fleet.cluster(line.id)?;
        let empty = |kind| cluster.table(kind).rows.is_empty();
        let children = if self.tree.state.opened().contains(&id_path) {
            parts_of(cluster)
        } else if empty(Kind::Namespace) && empty(Kind::Node) {
            Vec::new()
        } else {
            unopened()
        };
        let age = match line.tone {
            Tone::Connecting => "…".to_owned(),
            Tone::Denied | Tone::Unseen if line.login => "login".to_owned(),
            _ => line.age.map_or_else(|| "?".to_owned(), |age| age.to_string()),
        };
        let nodes = if line.ready == line.nodes {
            line.nodes.to_string()
        } else {
            format!("{}/{}", line.ready, line.nodes)
        };
        let known = cluster.seen();
        let nodes = if line.further {
            "=".to_owned()
        } else if !known {
            "?".to_owned()
        } else if cluster.link.live() {
            nodes
        } else {
            format!("~{nodes}")
        };
        let text = self.columns(line.name.as_str(), &age, &nodes, path.len() * 2 + MARGIN);
        let old = matches!(line.tone, Tone::Unseen | Tone::Connecting) || !cluster.link.live();
        let style = if old { self.theme.style(Role::Stale) } else { self.theme.style(Role::Text) };
        let glyph = Span::styled(tone_glyph(line.tone), self.theme.tone(line.tone));
        let text = Span::styled(format!(" {text}"), style);
        TreeItem::new(Node::Cluster(line.id), Line::from(vec![glyph, text]), children).ok()
    }

    /// A name with its columns on the right, as far as both have room: names are never cut for them.
    fn columns(&self, name: &str, age: &str, nodes: &str, before: usize) -> String {
        let room = usize::from(self.width).saturating_sub(before);
        let left = room.saturating_sub(name.width());
        let (age, nodes) = match left {
            left if left > AGE + NODES => (format!("{age:>AGE$}"), format!("{nodes:>NODES$}")),
            left if left > AGE => (format!("{age:>AGE$}"), String::new()),
            _ => return name.to_owned(),
        };
        let gap = " ".repeat(left.saturating_sub(age.width() + nodes.width()));
        format!("{name}{gap}{age}{nodes}")
    }

    /// Everything, and what the columns say.
    fn first_line(&self) -> String {
        self.columns(&all(self.counted), "data", "nodes", 2)
    }

    /// `prod  ✖2 ▲4 ●11`; closed, and in a large fleet, with a glyph for each cluster.
    fn group_line(&self, name: &Text, members: &[&ClusterLine], opened: bool, depth: usize) -> Line<'static> {
        let mut spans = vec![Span::raw(format!("{name} "))];
        if opened && self.clusters <= MANY {
            let mut counts = BTreeMap::<Tone, usize>::new();
            for member in members.iter().filter(|member| !member.further) {
                *counts.entry(member.tone).or_default() += 1;
            }
            for (tone, count) in counts.into_iter().rev() {
                spans.push(Span::styled(format!(" {}{count}", tone_glyph(tone)), self.theme.tone(tone)));
            }
            return Line::from(spans);
        }
        let room = usize::from(self.width).saturating_sub(depth * 2 + 3 + name.as_str().width());
        let counted: Vec<Tone> = members.iter().filter(|m| !m.further).map(|m| m.tone).collect();
        spans.extend(glyphs(counted.into_iter(), self.theme, room));
        Line::from(spans)
    }
}

/// What a cluster opens to: its node pools with how many of their nodes are ready, then its namespaces.
fn parts_of(cluster: &Cluster) -> Vec<TreeItem<'static, Node>> {
    let mut pools: BTreeMap<&Text, (u32, u32)> = BTreeMap::new();
    for node in cluster.records(Kind::Node).filter_map(|record| record.node()) {
        if !node.identity.pool.is_empty() {
            let (ready, all) = pools.entry(&node.identity.pool).or_default();
            *ready += u32::from(node.ready == Truth::True);
            *all += 1;
        }
    }
    let pool = |(name, (ready, all)): (&Text, (u32, u32))| {
        let count = if ready == all { all.to_string() } else { format!("{ready}/{all}") };
        TreeItem::new_leaf(Node::Pool(name.clone()), format!("pool {name} {count}"))
    };
    let spaces: BTreeSet<&Text> =
        cluster.records(Kind::Namespace).map(|record| &record.meta().name).collect();
    let space = |name: &Text| TreeItem::new_leaf(Node::Namespace(name.clone()), name.to_string());
    pools.into_iter().map(pool).chain(spaces.into_iter().map(space)).collect()
}

/// Glyphs of tones, worst first, the rest as a count where they do not fit: `✖✖▲●●●… 61`.
fn glyphs(tones: impl ExactSizeIterator<Item = Tone>, theme: &Theme, room: usize) -> Vec<Span<'static>> {
    let count = tones.len();
    let shown = if count <= room { count } else { room.saturating_sub(6).max(3) };
    let mut spans: Vec<Span<'static>> =
        tones.take(shown).map(|tone| Span::styled(tone_glyph(tone), theme.tone(tone))).collect();
    if count > shown {
        spans.push(Span::raw(format!("… {count}")));
    }
    spans
}

fn all(clusters: usize) -> String {
    if clusters == 1 { "1 cluster".to_owned() } else { format!("all {clusters} clusters") }
}

/// Clusters by one of their groups, worst first.
fn grouped<'a>(
    summary: &'a Summary,
    of: impl Fn(&'a ClusterLine) -> Option<&'a Text>,
) -> Vec<(&'a str, Vec<Tone>)> {
    let mut groups: Vec<(&str, Vec<Tone>)> = Vec::new();
    for cluster in summary.clusters.iter().filter(|cluster| !cluster.further) {
        let name = of(cluster).map_or("", |name| name.as_str());
        match groups.iter_mut().find(|(group, _)| *group == name) {
            Some((_, tones)) => tones.push(cluster.tone),
            None => groups.push((name, vec![cluster.tone])),
        }
    }
    groups
}

/// The groups on one line, the innermost if all of them have room: `aws ✖▲▲  gcp ✖▲`.
pub(super) fn glyph_line(canvas: &mut Canvas<'_>, y: u16, summary: &Summary) {
    let needs = |groups: &[(&str, Vec<Tone>)]| {
        let one = |(name, tones): &(&str, Vec<Tone>)| name.width() + tones.len().min(GLYPHS + 6) + 3;
        groups.iter().map(one).sum::<usize>()
    };
    let mut groups = grouped(summary, |cluster| cluster.groups.last());
    if needs(&groups) > usize::from(canvas.width()) {
        groups = grouped(summary, |cluster| cluster.groups.first());
    }
    let mut x = 1;
    for (name, tones) in groups {
        let text = canvas.role(Role::TextDim);
        x = canvas.put(x, y, name, text) + 1;
        for tone in tones.iter().take(GLYPHS) {
            let style = canvas.theme.tone(*tone);
            x = canvas.put(x, y, tone_glyph(*tone), style);
        }
        if tones.len() > GLYPHS {
            x = canvas.put(x, y, &format!("… {}", tones.len()), text);
        }
        x += 2;
    }
}

fn node_path(path: &[Text]) -> Vec<Node> {
    path.iter().cloned().map(Node::Group).collect()
}

/// A child that makes a closed node look as if it could be opened.
fn unopened() -> Vec<TreeItem<'static, Node>> {
    vec![TreeItem::new_leaf(Node::Unopened, "…")]
}
