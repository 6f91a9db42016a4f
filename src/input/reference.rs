//! The table of keys for the README, from the keymap and the command table.

use super::{Command, Keymap, Mode};

/// Keys and commands of a keymap as a Markdown table: key, command, what it does, where.
#[must_use]
pub fn reference(keymap: &Keymap) -> String {
    let mut out = String::from("| keys | command | what it does | where |\n|---|---|---|---|\n");
    for row in Command::TABLE {
        let modes = row.modes.iter().filter(|mode| !keymap.keys_of(row.command, **mode).is_empty());
        let modes: Vec<&Mode> = modes.collect();
        let mut keys: Vec<String> = Vec::new();
        for key in modes.iter().flat_map(|mode| keymap.keys_of(row.command, **mode)) {
            // A bar would end the cell.
            let key = format!("`{}`", key.replace('|', "\\|"));
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let places: Vec<&str> = modes.iter().map(|mode| mode.name()).collect();
        let keys = if keys.is_empty() { format!("`:{}`", row.name) } else { keys.join(" ") };
        out.push_str(&format!("| {keys} | {} | {} | {} |\n", row.name, row.doc, places.join(", ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_line_with_its_keys() {
        let (keymap, _) = crate::input::load("default", &|_| None, &[]);
        let text = reference(&keymap);
        assert_eq!(text.lines().count(), Command::TABLE.len() + 2);
        assert!(
            text.contains("| `j` `down` | down | one row down | table, tree, text, menu, field |"),
            "{text}"
        );
        assert!(text.contains("| `:quit` | quit |"), "{text}");
    }
}
