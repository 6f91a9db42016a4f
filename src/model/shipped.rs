//! Files that come with the program, and files of a person's that inherit from them.

use toml::de::DeTable;

use super::{Problem, Source};

/// How many files may inherit from one another; more is a circle.
const DEEPEST: usize = 8;

/// The files of one sort that come with the program.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// What one is: `theme`.
    pub what: &'static str,
    /// The folder that they are in.
    pub folder: &'static str,
    /// Their names and what they say. One is called `default`.
    pub files: &'static [(&'static str, &'static str)],
}

impl Shipped {
    /// The files from the asked one to the outermost ancestor; the default where there is none.
    /// `own` finds a file of the person's by name; it stands in the place of one that comes with
    /// the program, and may inherit from that by the same name.
    pub fn chain(
        &self,
        name: &str,
        own: &dyn Fn(&str) -> Option<Source>,
        problems: &mut Vec<Problem>,
    ) -> Vec<Source> {
        let mut chain: Vec<Source> = Vec::new();
        let mut wanted = Some(name.to_owned());
        while let Some(name) = wanted.take() {
            // A person's own file comes first, once: its name as parent then means the shipped one.
            let new = |source: &Source| chain.iter().all(|seen| seen.file != source.file);
            let source = own(&name).filter(new).or_else(|| self.source(&name).filter(new));
            let Some(source) = source.filter(|_| chain.len() < DEEPEST) else {
                let by = chain.last().map_or_else(|| format!("{} {name}", self.what), |s| s.file.clone());
                problems.push(Problem::of(&by, self.missing(&name, &chain)));
                break;
            };
            wanted = DeTable::parse(&source.text)
                .ok()
                .and_then(|table| table.get_ref().get("inherits")?.get_ref().as_str().map(str::to_owned));
            chain.push(source);
        }
        if chain.is_empty() {
            chain.extend(self.source("default"));
        }
        chain
    }

    fn missing(&self, name: &str, chain: &[Source]) -> String {
        if chain.iter().any(|seen| seen.file == self.file(name)) {
            return format!("inherits goes in a circle through {name:?}");
        }
        let known: Vec<&str> = self.files.iter().map(|(known, _)| *known).collect();
        format!(
            "there is no {} {name:?}; expected one of {}, or a file of yours",
            self.what,
            known.join(", ")
        )
    }

    fn file(&self, name: &str) -> String {
        format!("(built in) {}/{name}.toml", self.folder)
    }

    fn source(&self, name: &str) -> Option<Source> {
        let (_, text) = self.files.iter().find(|(known, _)| *known == name)?;
        Some(Source { file: self.file(name), text: (*text).to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOURS: Shipped = Shipped {
        what: "colour",
        folder: "colours",
        files: &[("default", ""), ("red", "inherits = \"default\"")],
    };

    fn chain(name: &str, own: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let mut problems = Vec::new();
        let files = |name: &str| {
            let (_, text) = own.iter().find(|(known, _)| *known == name)?;
            Some(Source { file: format!("{name}.toml"), text: (*text).to_owned() })
        };
        let chain = COLOURS.chain(name, &files, &mut problems);
        let files = chain.into_iter().map(|source| source.file).collect();
        (files, problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn a_file_of_ones_own_stands_in_the_place_of_a_shipped_one_and_may_inherit_from_it() {
        let (files, problems) = chain("red", &[("red", "inherits = \"red\"")]);
        let shipped = ["red.toml", "(built in) colours/red.toml", "(built in) colours/default.toml"];
        assert_eq!((files.as_slice(), problems.len()), (shipped.map(str::to_owned).as_slice(), 0));
    }

    #[test]
    fn what_is_not_there_and_circles_are_told() {
        let (files, problems) = chain("blue", &[]);
        assert_eq!(files, ["(built in) colours/default.toml"]);
        assert_eq!(
            problems,
            ["colour blue: there is no colour \"blue\"; expected one of default, red, or a file of yours"]
        );
        let (_, problems) = chain("red", &[("default", "inherits = \"red\"")]);
        assert_eq!(problems, ["default.toml: inherits goes in a circle through \"red\""]);
    }
}
