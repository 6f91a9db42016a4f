//! Keymaps: a trie of keys for each mode.

use std::collections::BTreeMap;

use super::{Code, Command, Key, Mode};
use crate::model::Text;

/// What keys mean, by mode.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Keymap {
    /// What it is called.
    pub name: String,
    /// What the file wants its users to know: `ctrl-k kills nothing`.
    pub notes: Vec<Text>,
    modes: BTreeMap<Mode, Node>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Node {
    Leaf(Command),
    Branch(BTreeMap<Key, Node>),
}

impl Default for Node {
    fn default() -> Node {
        Node::Branch(BTreeMap::new())
    }
}

/// What came of keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resolved {
    /// They ask for this.
    Run(Command),
    /// More is to come: the keys that may follow, and what each leads to.
    Pending(Vec<(Key, Text)>),
    /// They mean nothing.
    Nothing,
}

impl Keymap {
    /// What keys mean; the first mode that knows them decides.
    #[must_use]
    pub fn resolve(&self, modes: &[Mode], keys: &[Key]) -> Resolved {
        modes.iter().filter_map(|mode| self.find(*mode, keys)).next().map_or(Resolved::Nothing, |node| {
            match node {
                Node::Leaf(command) => Resolved::Run(*command),
                Node::Branch(next) => Resolved::Pending(
                    next.iter()
                        .map(|(key, node)| {
                            let meaning = match node {
                                Node::Leaf(command) => command.to_string(),
                                Node::Branch(_) => "…".to_owned(),
                            };
                            (*key, Text::clean(&meaning))
                        })
                        .collect(),
                ),
            }
        })
    }

    fn find(&self, mode: Mode, keys: &[Key]) -> Option<&Node> {
        keys.iter().try_fold(self.modes.get(&mode)?, |node, key| match node {
            Node::Branch(next) => next.get(key),
            Node::Leaf(_) => None,
        })
    }

    /// The keys of a command in a mode, or everywhere; the shortest first.
    #[must_use]
    pub fn keys_of(&self, command: Command, mode: Mode) -> Vec<String> {
        let mut found = self.bindings(mode);
        found.retain(|(_, bound)| *bound == command);
        found.sort_by_key(|(keys, _)| {
            // `esc` and `enter` are what people look for; then a character, then the rest.
            let rank = |key: &Key| match key.code {
                Code::Esc | Code::Enter => 0,
                _ if key.typed().is_some() => 1,
                _ => 2,
            };
            (keys.len(), keys.first().map_or(3, rank))
        });
        found.iter().map(|(keys, _)| written(keys)).collect()
    }

    /// The first key of a command in the first of these modes that has one.
    #[must_use]
    pub fn key_of(&self, command: Command, modes: &[Mode]) -> Option<String> {
        modes.iter().find_map(|mode| self.keys_of(command, *mode).into_iter().next())
    }

    /// Every binding of a mode, in the order of its keys.
    #[must_use]
    pub fn bindings(&self, mode: Mode) -> Vec<(Vec<Key>, Command)> {
        fn walk(node: &Node, keys: &mut Vec<Key>, out: &mut Vec<(Vec<Key>, Command)>) {
            match node {
                Node::Leaf(command) => out.push((keys.clone(), *command)),
                Node::Branch(next) => {
                    for (key, node) in next {
                        keys.push(*key);
                        walk(node, keys, out);
                        keys.pop();
                    }
                }
            }
        }
        let mut out = Vec::new();
        if let Some(node) = self.modes.get(&mode) {
            walk(node, &mut Vec::new(), &mut out);
        }
        out
    }

    /// Binds keys. What stood in their way within this mode goes: a shorter key that would hide
    /// them, or longer ones that they hide.
    pub(super) fn bind(&mut self, mode: Mode, keys: &[Key], command: Command) {
        let mut node = self.modes.entry(mode).or_default();
        for key in keys {
            if let Node::Leaf(_) = node {
                *node = Node::default();
            }
            let Node::Branch(next) = node else { return };
            node = next.entry(*key).or_default();
        }
        *node = Node::Leaf(command);
    }

    /// Takes the meaning from keys, and from all that begins with them; says whether there was one.
    pub(super) fn unbind(&mut self, mode: Mode, keys: &[Key]) -> bool {
        fn remove(node: &mut Node, keys: &[Key]) -> bool {
            let (Node::Branch(next), [key, rest @ ..]) = (node, keys) else { return false };
            if rest.is_empty() {
                return next.remove(key).is_some();
            }
            let Some(child) = next.get_mut(key) else { return false };
            let removed = remove(child, rest);
            if matches!(child, Node::Branch(left) if left.is_empty()) {
                next.remove(key);
            }
            removed
        }
        self.modes.get_mut(&mode).is_some_and(|node| remove(node, keys))
    }
}

/// Keys as a file writes them.
fn written(keys: &[Key]) -> String {
    keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Key> {
        Key::sequence(text).unwrap()
    }

    #[test]
    fn sequences_wait_and_the_nearest_mode_decides() {
        let mut map = Keymap::default();
        map.bind(Mode::Table, &keys("g g"), Command::Top);
        map.bind(Mode::Table, &keys("g l"), Command::Logs);
        map.bind(Mode::All, &keys("g"), Command::Help);
        let modes = [Mode::Table, Mode::All];
        let Resolved::Pending(next) = map.resolve(&modes, &keys("g")) else { panic!("not pending") };
        assert_eq!(next.len(), 2);
        assert_eq!(map.resolve(&modes, &keys("g g")), Resolved::Run(Command::Top));
        assert_eq!(map.resolve(&[Mode::All], &keys("g")), Resolved::Run(Command::Help));
        assert_eq!(map.resolve(&modes, &keys("g x")), Resolved::Nothing);
        assert_eq!(map.key_of(Command::Logs, &modes).as_deref(), Some("g l"));
    }

    #[test]
    fn binding_replaces_what_is_in_the_way() {
        let mut map = Keymap::default();
        map.bind(Mode::Table, &keys("g"), Command::Top);
        map.bind(Mode::Table, &keys("g g"), Command::Bottom);
        assert_eq!(map.resolve(&[Mode::Table], &keys("g g")), Resolved::Run(Command::Bottom));
        assert!(map.unbind(Mode::Table, &keys("g g")));
        assert!(!map.unbind(Mode::Table, &keys("g g")));
        assert_eq!(map.resolve(&[Mode::Table], &keys("g")), Resolved::Nothing);
    }
}
