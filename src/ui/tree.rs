//! The tree: groups, clusters, namespaces. What is worst stands first; a closed group is one
//! line of glyphs.

use ratatui::text::{Line, Span};
use tui_tree_widget::{Tree, TreeItem, TreeState};

use super::canvas::Canvas;
use super::summary::{ClusterLine, Summary};
use crate::input::Command;
use crate::model::{ClusterId, Kind, Text, Tone};
use crate::theme::{Role, Theme, tone_glyph};
use crate::views::{Scope, Snapshot};

/// A group shows this many clusters that are hurt, then a count, unless it is opened by hand.
const HURT: usize = 8;

/// How many glyphs a closed group shows before it counts.
const GLYPHS: usize = 8;

/// A node of the tree.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Node {
    Everything,
    Group(Text),
    Cluster(ClusterId),
    Namespace(Text),
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
    built: Option<(u64, String)>,
    opened_once: bool,
    /// Groups that were opened by hand and list every cluster.
    whole: Vec<Vec<Text>>,
}

impl TreePart {
    /// Builds the items again if the snapshot or the look changed.
    pub(super) fn build(&mut self, snapshot: &Snapshot, summary: &Summary, theme: &Theme, width: u16) {
        let from = (snapshot.sequence, format!("{}{width}{}", theme.name, self.state.opened().len()));
        if self.built.as_ref() == Some(&from) {
            return;
        }
        if !self.opened_once && !summary.clusters.is_empty() {
            self.opened_once = true;
            self.open_what_hurts(summary);
        }
        let everything =
            TreeItem::new_leaf(Node::Everything, format!("all {} clusters", summary.clusters.len()));
        let clusters: Vec<&ClusterLine> = summary.clusters.iter().collect();
        let draft = Draft { snapshot, theme, width, tree: self };
        let mut items = vec![everything];
        items.extend(draft.level(&clusters, &mut Vec::new()));
        self.items = items;
        self.built = Some(from);
    }

    /// At the start groups in trouble are open; with few clusters all are.
    fn open_what_hurts(&mut self, summary: &Summary) {
        let few = summary.clusters.len() <= 12;
        for cluster in summary.clusters.iter().filter(|c| few || c.tone >= Tone::Unseen) {
            let mut path = Vec::new();
            for group in &cluster.groups {
                path.push(Node::Group(group.clone()));
                self.state.open(path.clone());
            }
        }
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
        let cluster = path.iter().find_map(|node| match node {
            Node::Cluster(id) => Some(*id),
            _ => None,
        });
        match (path.last()?, cluster) {
            (Node::Everything, _) => Some(Scope::All),
            (Node::Group(_), _) => Some(Scope::Group(groups)),
            (Node::Cluster(id), _) => Some(Scope::Clusters(vec![*id])),
            (Node::Namespace(name), Some(id)) => Some(Scope::Namespace(id, name.clone())),
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
}

impl Draft<'_> {
    /// The items of one level: groups first, then clusters that are in no deeper group.
    fn level(&self, clusters: &[&ClusterLine], path: &mut Vec<Text>) -> Vec<TreeItem<'static, Node>> {
        let depth = path.len();
        let mut groups: Vec<(Text, Vec<&ClusterLine>)> = Vec::new();
        let mut own: Vec<&ClusterLine> = Vec::new();
        for cluster in clusters {
            match cluster.groups.get(depth) {
                None => own.push(cluster),
                Some(name) => match groups.iter_mut().find(|(group, _)| group == name) {
                    Some((_, members)) => members.push(cluster),
                    None => groups.push((name.clone(), vec![cluster])),
                },
            }
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
        let whole = self.tree.whole.contains(path) || own.len() <= HURT + 4;
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
        let children = if self.tree.state.opened().contains(&id_path) {
            let mut names: Vec<Text> =
                cluster.records(Kind::Namespace).map(|record| record.meta().name.clone()).collect();
            names.sort();
            names.dedup();
            names
                .into_iter()
                .map(|name| TreeItem::new_leaf(Node::Namespace(name.clone()), name.to_string()))
                .collect()
        } else if cluster.table(Kind::Namespace).rows.is_empty() {
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
        let nodes = if !known {
            "?".to_owned()
        } else if cluster.link.live() {
            nodes
        } else {
            format!("~{nodes}")
        };
        let room = self.room(path.len());
        let name = line.name.middle_cut(room.saturating_sub(16));
        let text = format!(" {name:<width$} {age:>6} {nodes:>6}", width = room.saturating_sub(16));
        let glyph = Span::styled(tone_glyph(line.tone), self.theme.tone(line.tone));
        TreeItem::new(Node::Cluster(line.id), Line::from(vec![glyph, Span::raw(text)]), children).ok()
    }

    /// `prod  ✖2 ▲4 ●11`, and closed with a glyph for each cluster.
    fn group_line(&self, name: &Text, members: &[&ClusterLine], opened: bool, depth: usize) -> Line<'static> {
        let mut spans = vec![Span::raw(format!("{} ", name.middle_cut(self.room(depth).saturating_sub(12))))];
        if opened {
            let mut counts = std::collections::BTreeMap::<Tone, usize>::new();
            for member in members {
                *counts.entry(member.tone).or_default() += 1;
            }
            for (tone, count) in counts.into_iter().rev() {
                spans.push(Span::styled(format!(" {}{count}", tone_glyph(tone)), self.theme.tone(tone)));
            }
            return Line::from(spans);
        }
        spans.extend(glyphs(members.iter().map(|m| m.tone), self.theme));
        Line::from(spans)
    }

    fn room(&self, depth: usize) -> usize {
        usize::from(self.width).saturating_sub(depth * 2 + 3)
    }
}

/// Glyphs of tones, worst first, the rest as a count: `✖✖▲●●●… 61`.
fn glyphs(tones: impl ExactSizeIterator<Item = Tone>, theme: &Theme) -> Vec<Span<'static>> {
    let count = tones.len();
    let mut spans: Vec<Span<'static>> =
        tones.take(GLYPHS).map(|tone| Span::styled(tone_glyph(tone), theme.tone(tone))).collect();
    if count > GLYPHS {
        spans.push(Span::raw(format!("… {count}")));
    }
    spans
}

/// The innermost groups on one line: `aws ✖▲▲  gcp ✖▲`.
pub(super) fn glyph_line(canvas: &mut Canvas<'_>, y: u16, summary: &Summary) {
    let mut groups: Vec<(&str, Vec<Tone>)> = Vec::new();
    for cluster in &summary.clusters {
        let name = cluster.groups.last().map_or("", |name| name.as_str());
        match groups.iter_mut().find(|(group, _)| *group == name) {
            Some((_, tones)) => tones.push(cluster.tone),
            None => groups.push((name, vec![cluster.tone])),
        }
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
