//! Keymap files: TOML with a section for each mode, `inherits`, and `"none"` to unbind.

use toml::de::{DeTable, DeValue};

use super::{Command, Key, Keymap, Mode, Operation};
use crate::model::{Problem, Shipped, Source, Text, nearest};

/// The keymaps that come with the program, by name.
pub const KEYMAPS: [(&str, &str); 3] = [
    ("default", include_str!("../../keymaps/default.toml")),
    ("vim", include_str!("../../keymaps/vim.toml")),
    ("k9s", include_str!("../../keymaps/k9s.toml")),
];

const SHIPPED: Shipped = Shipped { what: "keymap", folder: "keymaps", files: &KEYMAPS };

/// The keymap of this name. `files` finds a file of the user's by name; a file called like one
/// that comes with the program stands in its place, and may inherit from it by that same name.
///
/// What is wrong in a file is told and left out; the rest counts. Without a usable file the
/// default remains, so that there is always a way out.
#[must_use]
pub fn load(
    name: &str,
    files: &dyn Fn(&str) -> Option<Source>,
    operations: &[Operation],
) -> (Keymap, Vec<Problem>) {
    let mut problems = Vec::new();
    let chain = SHIPPED.chain(name, files, &mut problems);
    let mut keymap = Keymap::default();
    name.clone_into(&mut keymap.name);
    for operation in operations {
        keymap.bind(Mode::All, &[Key::char(operation.key)], Command::Operation(operation.id));
    }
    for source in chain.iter().rev() {
        apply(&mut keymap, source, operations, &mut problems);
    }
    problems.extend(eaten(&keymap, name));
    (keymap, problems)
}

fn apply(keymap: &mut Keymap, source: &Source, operations: &[Operation], problems: &mut Vec<Problem>) {
    let table = match DeTable::parse(&source.text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            problems.push(Problem::at(source, at, error.message()));
            return;
        }
    };
    for (name, value) in &table {
        let at = name.span().start;
        let section = Mode::by_name(name.get_ref());
        match (name.get_ref().as_ref(), section, value.get_ref()) {
            ("inherits", _, DeValue::String(_)) => {}
            ("notes", _, DeValue::Array(notes)) => {
                keymap.notes = notes.iter().filter_map(|n| n.get_ref().as_str()).map(Text::clean).collect();
            }
            (_, Some(mode), DeValue::Table(bindings)) => {
                for (keys, command) in bindings {
                    let at = keys.span().start;
                    let bound = match command.get_ref() {
                        DeValue::String(name) => bind(keymap, mode, keys.get_ref(), name, operations),
                        other => Err(format!("expected the name of a command, found {}", other.type_str())),
                    };
                    problems.extend(bound.err().map(|what| Problem::at(source, at, what)));
                }
            }
            (name, ..) => {
                let modes = Mode::ALL.map(Mode::name).join("], [");
                let what = format!("{name:?} is not known here; expected inherits, notes or [{modes}]");
                problems.push(Problem::at(source, at, what));
            }
        }
    }
}

fn bind(
    keymap: &mut Keymap,
    mode: Mode,
    keys: &str,
    name: &str,
    operations: &[Operation],
) -> Result<(), String> {
    let keys = Key::sequence(keys)?;
    if name == "none" {
        keymap.unbind(mode, &keys);
        return Ok(());
    }
    let Some(command) = Command::by_name(name, operations) else {
        let names = Command::names(operations);
        let near = nearest(name, names.iter().map(String::as_str));
        return Err(format!(
            "no command {name}{}",
            near.map_or_else(String::new, |near| format!("; {near}?"))
        ));
    };
    if !command.works_in(mode) {
        let modes: Vec<&str> =
            Mode::ALL.into_iter().filter(|m| command.works_in(*m)).map(Mode::name).collect();
        return Err(format!("{name} means nothing in [{}]; it works in {}", mode.name(), modes.join(", ")));
    }
    if mode == Mode::Field && keys.iter().any(|k| k.typed().is_some()) {
        return Err("a key that types a character cannot be bound in [field]".to_owned());
    }
    keymap.bind(mode, &keys, command);
    Ok(())
}

/// Commands that only have keys which tmux, screen or flow control keep for themselves.
fn eaten(keymap: &Keymap, name: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for mode in Mode::ALL {
        let bindings = keymap.bindings(mode);
        for (keys, command) in &bindings {
            let lost = |keys: &[Key]| keys.iter().any(|k| k.often_eaten());
            if lost(keys) && bindings.iter().all(|(other, c)| c != command || lost(other)) {
                let what = format!(
                    "{command} in [{}] has only {}: tmux, screen or flow control may keep it; give it a second key",
                    mode.name(),
                    keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" "),
                );
                problems.push(Problem::of(&format!("keymap {name}"), what));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Resolved;

    const OPERATIONS: [Operation; 2] =
        [Operation { id: "drain", key: 'D' }, Operation { id: "cordon", key: 'C' }];

    fn with(text: &str) -> (Keymap, Vec<String>) {
        let files = |name: &str| {
            (name == "mine").then(|| Source { file: "mine.toml".to_owned(), text: text.to_owned() })
        };
        let (keymap, problems) = load("mine", &files, &OPERATIONS);
        (keymap, problems.iter().map(Problem::to_string).collect())
    }

    fn run(keymap: &Keymap, mode: Mode, keys: &str) -> Resolved {
        keymap.resolve(&[mode, Mode::All], &Key::sequence(keys).unwrap())
    }

    #[test]
    fn shipped_keymaps_are_without_fault() {
        for (name, _) in KEYMAPS {
            let (keymap, problems) = load(name, &|_| None, &OPERATIONS);
            assert_eq!(problems, [], "{name}");
            for must in [Command::Back, Command::Help, Command::CommandLine, Command::Interrupt] {
                assert!(keymap.key_of(must, &[Mode::All]).is_some(), "{name}: {must}");
            }
            assert_eq!(run(&keymap, Mode::Table, "D"), Resolved::Run(Command::Operation("drain")));
            assert_ne!(run(&keymap, Mode::Table, "ctrl-k"), Resolved::Run(Command::Operation("drain")));
        }
    }

    #[test]
    fn every_command_can_be_reached_by_a_key_or_has_a_word() {
        let (keymap, _) = load("default", &|_| None, &OPERATIONS);
        let words = [Command::Quit, Command::Themes, Command::Unmark, Command::Unmute];
        for row in Command::TABLE {
            for mode in row.modes {
                let bound = keymap.key_of(row.command, &[*mode, Mode::All]).is_some();
                assert!(bound || words.contains(&row.command), "{} in {}", row.name, mode.name());
            }
        }
    }

    #[test]
    fn files_inherit_and_unbind() {
        let (keymap, problems) = with(
            "inherits = \"default\"\n[table]\n\"ctrl-d\" = \"none\"\n\"x x\" = \"top\"\n[all]\n\"D\" = \"none\"\n",
        );
        assert_eq!(problems, [""; 0]);
        assert_eq!(run(&keymap, Mode::Table, "ctrl-d"), Resolved::Nothing);
        assert_eq!(run(&keymap, Mode::Table, "D"), Resolved::Nothing);
        assert_eq!(run(&keymap, Mode::Table, "x x"), Resolved::Run(Command::Top));
        assert_eq!(run(&keymap, Mode::Table, "C"), Resolved::Run(Command::Operation("cordon")));
    }

    #[test]
    fn faults_name_the_line_and_what_was_expected() {
        let (_, problems) = with(
            "inherits = \"default\"\n[table]\n\"D\" = \"drian\"\n\"hyper-x\" = \"top\"\n\"j\" = 3\n\"v\" = \"accept\"\n[tabel]\n",
        );
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert_eq!(problems[0], "mine.toml:3: no command drian; drain?");
        assert!(problems[1].starts_with("mine.toml:4: \"hyper-x\" is no key; expected like"));
        assert_eq!(problems[2], "mine.toml:5: expected the name of a command, found integer");
        assert_eq!(problems[3], "mine.toml:6: accept means nothing in [table]; it works in field");
        assert!(problems[4].starts_with("mine.toml:7: \"tabel\" is not known here"));
        let (_, problems) = with("inherits = \"default\"\n[table\n");
        assert!(problems[0].starts_with("mine.toml:2:"), "{problems:?}");
        let (_, problems) = with("inherits = \"mine\"\n");
        assert!(problems[0].contains("no keymap \"mine\""), "{problems:?}");
    }

    #[test]
    fn keys_that_others_eat_need_a_second_one() {
        let (_, problems) = with("inherits = \"default\"\n[table]\n\"ctrl-b\" = \"unmark\"\n");
        assert!(problems[0].contains("give it a second key"), "{problems:?}");
    }
}
