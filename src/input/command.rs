//! The command table: one line for each thing a key or the command line can ask for.

use std::fmt;

/// Where keys mean something; a keymap file has a section for each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mode {
    /// Everywhere but in fields: `[all]`.
    All,
    /// A pane's table: `[table]`.
    Table,
    /// The tree: `[tree]`.
    Tree,
    /// A long text: details, logs, help: `[text]`.
    Text,
    /// An overlay with a list: plans, runs, menus: `[menu]`.
    Menu,
    /// A line that is typed into: `[field]`.
    Field,
}

impl Mode {
    /// Every mode, in the order of help.
    pub const ALL: [Mode; 6] = [Mode::Table, Mode::Tree, Mode::Text, Mode::Menu, Mode::Field, Mode::All];

    /// Its section in a keymap file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mode::All => "all",
            Mode::Table => "table",
            Mode::Tree => "tree",
            Mode::Text => "text",
            Mode::Menu => "menu",
            Mode::Field => "field",
        }
    }

    /// The mode of this section.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// An operation as keymaps know it: its name and its own key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// The word: `drain`.
    pub id: &'static str,
    /// Its key unless a file says otherwise: a capital.
    pub key: char,
}

/// A line of the command table.
#[derive(Clone, Copy, Debug)]
pub struct CommandRow {
    /// What it asks for.
    pub command: Command,
    /// Its name in keymap files and on the command line.
    pub name: &'static str,
    /// What it does, for help.
    pub doc: &'static str,
    /// Where it can be bound.
    pub modes: &'static [Mode],
}

macro_rules! commands {
    ($($variant:ident $name:literal $doc:literal [$($mode:ident)*],)*) => {
        /// What a key or the command line asks for.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[allow(missing_docs, reason = "the table says what each does")]
        pub enum Command {
            $($variant,)*
            /// The pane on this digit.
            Pane(u8),
            /// An operation, by its name.
            Operation(&'static str),
        }

        impl Command {
            /// The table: every command but panes and operations.
            pub const TABLE: &[CommandRow] = &[$(CommandRow {
                command: Command::$variant,
                name: $name,
                doc: $doc,
                modes: &[$(Mode::$mode),*],
            },)*];
        }
    };
}

commands! {
    Open "open" "open what the cursor is on" [Table Tree Text Menu],
    Back "back" "one step back: overlay, filter, marks, scope, home; never quits" [All Menu Text Field],
    Down "down" "one row down" [Table Tree Text Menu Field],
    Up "up" "one row up" [Table Tree Text Menu Field],
    Left "left" "fold, or scroll left" [Table Tree Text],
    Right "right" "unfold, or scroll right" [Table Tree Text],
    HalfDown "half-down" "half a page down" [Table Tree Text Menu],
    HalfUp "half-up" "half a page up" [Table Tree Text Menu],
    PageDown "page-down" "a page down" [Table Tree Text Menu],
    PageUp "page-up" "a page up" [Table Tree Text Menu],
    Top "top" "the first row" [Table Tree Text Menu],
    Bottom "bottom" "the last row; in logs, follow" [Table Tree Text Menu],
    Next "next" "the next row in trouble; in text, the next match" [Table Text],
    Previous "previous" "the one before" [Table Text],
    Mark "mark" "mark the row; in a plan, choose" [Table Menu],
    MarkRange "mark-range" "mark from the last mark to the cursor" [Table],
    MarkAll "mark-all" "mark all rows that are shown" [Table],
    Unmark "unmark" "forget all marks" [Table],
    Filter "filter" "filter rows: words, !not, cluster: ns:; in text, search" [Table Text],
    OnlyBad "only-bad" "only what is not ok" [Table],
    ShowNew "show-new" "show rows that came while the order was frozen" [Table],
    Sort "sort" "sort by a column" [Table],
    SortBack "sort-back" "sort the other way round" [Table],
    Lens "lens" "the next lens of the pane; in a detail, the next reading" [Table Text],
    Wide "wide" "give the table the whole width" [Table Tree],
    Mute "mute" "mute the row for an hour; it still counts" [Table],
    Unmute "unmute" "show every muted row again" [Table],
    Retry "retry" "ask the clusters in scope again now" [Table Tree Text],
    Copy "copy" "copy a name, a command, rows or a text to the terminal's clipboard" [Table Text Menu],
    Compare "compare" "compare two marked rows, or the object with the same one elsewhere" [Table],
    Describe "describe" "what is known of the object" [Table Text],
    Yaml "yaml" "the object as YAML" [Table Text Menu],
    Logs "logs" "the logs of the pod" [Table Menu],
    PreviousLogs "previous-logs" "the logs from before the last restart" [Table Text],
    Actions "actions" "what can be done here, and why not" [Table Tree],
    Options "options" "how the plan on screen is carried out" [Menu],
    PauseRun "pause" "pause or resume the run" [Table Menu],
    StopRun "stop" "stop the run, after asking how" [Table Menu],
    FocusNext "focus-next" "keys to the next part: tree, table, evidence" [Table Tree],
    FocusPrevious "focus-previous" "keys to the part before" [Table Tree],
    Complete "complete" "take the proposed rest" [Field],
    Accept "accept" "take what was typed" [Field],
    EraseWord "erase-word" "erase the word before the cursor" [Field],
    EraseLine "erase-line" "erase everything before the cursor" [Field],
    Tree "tree" "show or hide the tree" [All],
    NextPane "next-pane" "the pane to the right" [All],
    PreviousPane "previous-pane" "the pane to the left" [All],
    LastView "last-view" "the view before this one" [All],
    Operations "operations" "what runs, waits and ran" [All],
    Freeze "freeze" "hold the screen still, or go on" [All],
    Earlier "earlier" "the state before, up to an hour back; verbs wait meanwhile" [All],
    Later "later" "the state after; past the last one the screen is live" [All],
    Times "times" "show times in UTC, as ages, or by the local clock" [All],
    Unit "unit" "money for an hour, a day or a month" [All],
    Arm "arm" "allow changes to a cluster for 15 min, or end that" [All],
    CommandLine "command-line" "type a command" [All],
    Help "help" "the keys that work here" [All Menu Text],
    Themes "themes" "choose a theme" [All],
    Redraw "redraw" "draw everything again" [All],
    Suspend "suspend" "give the terminal back for a while" [All],
    Interrupt "interrupt" "twice: leave; asks if something runs" [All],
    Quit "quit" "leave; asks if something runs" [All],
}

impl Command {
    /// The row of the table, for all but panes and operations.
    #[must_use]
    pub fn row(self) -> Option<&'static CommandRow> {
        Command::TABLE.iter().find(|row| row.command == self)
    }

    /// The command of this name.
    #[must_use]
    pub fn by_name(name: &str, operations: &[Operation]) -> Option<Command> {
        if let Some(row) = Command::TABLE.iter().find(|row| row.name == name) {
            return Some(row.command);
        }
        if let Some(digit) = name.strip_prefix("pane-") {
            return digit.parse().ok().filter(|d| *d <= 9).map(Command::Pane);
        }
        operations.iter().find(|op| op.id == name).map(|op| Command::Operation(op.id))
    }

    /// Whether it means something in this mode. Operations work on rows.
    #[must_use]
    pub fn works_in(self, mode: Mode) -> bool {
        match self {
            Command::Pane(_) => mode == Mode::All,
            Command::Operation(_) => matches!(mode, Mode::All | Mode::Table | Mode::Tree),
            _ => self.row().is_some_and(|row| row.modes.contains(&mode)),
        }
    }

    /// Every name that a keymap file may use.
    #[must_use]
    pub fn names(operations: &[Operation]) -> Vec<String> {
        let table = Command::TABLE.iter().map(|row| row.name.to_owned());
        let panes = (0..=9).map(|digit| format!("pane-{digit}"));
        table.chain(panes).chain(operations.iter().map(|op| op.id.to_owned())).collect()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Pane(digit) => write!(f, "pane-{digit}"),
            Command::Operation(id) => f.write_str(id),
            other => f.write_str(other.row().map_or("?", |row| row.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        let operations = [Operation { id: "drain", key: 'D' }];
        let names = Command::names(&operations);
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name} twice");
            assert_eq!(Command::by_name(name, &operations).unwrap().to_string(), *name);
        }
        assert_eq!(Command::by_name("pane-10", &operations), None);
        assert_eq!(Command::by_name("evacuate", &operations), None);
    }
}
