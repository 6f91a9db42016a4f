//! The settings file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::rules::RawRules;
use crate::model::{ClusterInfo, Freeze, Problem, Rules, Source, Text, Tier, Window, text};
use crate::views::prices::Overrides;

/// What a person settles once. Every key may be left out.
///
/// ```toml
/// theme = "light"            # themes/light.toml, own or shipped
/// keymap = "k9s"             # keymaps/k9s.toml
/// ascii = true               # no glyphs beyond ASCII; false: draw them whatever the locale says
/// mouse = true
/// trusted-plugins = ["/opt/all/login"]  # credential plugins that may run although everybody
///                            # can write to them or their folder
///
/// [[cluster]]                # the first rule that matches a context's name is used for each key
/// match = "eks-*"
/// tier = "prod"              # prod, staging, dev; prod must be confirmed by the cluster's name
/// group = ["prod", "aws"]    # its place in the tree, outermost first
/// tags = { region = "use1" }
///
/// [rules]                    # of every plan; what is shown is what holds without them
/// clusters_at_once = 3
/// pods_at_once = 250
/// pool_percent = 10          # of a node pool; one node always may
/// one_zone = true
/// [[rules.freeze]]           # when nothing is to be changed
/// match = "prod-*"           # every cluster when left out
/// why = "end of year"
/// zone = "Europe/Berlin"     # UTC when left out
/// from = "2026-12-20 00:00"
/// until = "2027-01-04 06:00"
/// [[rules.freeze]]
/// days = "fri sat"           # every week; over midnight when it ends before it begins
/// from = "16:00"
/// until = "06:00"
///
/// [[cost.node]]              # own prices, USD an hour
/// match = { cluster = "edge-*", label = "node.kubernetes.io/instance-type=nuc13" }
/// price = 0.031
/// [[cost.rate]]
/// cluster = "dc1-*"
/// vcpu = 0.012
/// gib = 0.0016
/// storage_gib_month = 0.03   # persistent volumes, USD for a GiB and month
/// [[cost.disk]]
/// class = "fast"
/// gib_month = 0.12
/// [[cost.balancer]]          # each service of type LoadBalancer, USD an hour
/// cluster = "dc1-*"
/// price = 0.01
/// [[cost.fixed]]             # what no object tells of; "control plane" stands for the provider's fee
/// cluster = "dc1-*"
/// name = "rack and power"
/// per_month = 4200
/// [[cost.discount]]
/// provider = "aws"
/// percent = 28
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settings {
    /// The theme's name.
    pub theme: Option<String>,
    /// The keymap's name.
    pub keymap: Option<String>,
    /// Whether only ASCII is drawn; by the terminal when nothing is said.
    pub ascii: Option<bool>,
    /// Whether the mouse is used.
    pub mouse: bool,
    /// Credential plugins, by path or file name, that may run although anybody on this machine
    /// could have put them where they are.
    pub trusted_plugins: Vec<String>,
    /// What is known of clusters by their names.
    pub clusters: Vec<ClusterRule>,
    /// Own prices.
    pub cost: Overrides,
    /// The fleet's own rules for every change.
    pub rules: Rules,
}

/// What is known of the clusters whose name matches.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterRule {
    /// A glob over context names.
    pub r#match: String,
    /// How careful to be.
    pub tier: Option<Tier>,
    /// The groups above it in the tree.
    #[serde(default)]
    pub group: Vec<String>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Settings, and what was wrong with their file.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Loaded {
    /// What holds.
    pub settings: Settings,
    /// What does not, and why.
    pub problems: Vec<Problem>,
}

/// Reads the settings file. No file is no problem; a file that cannot be read is.
#[must_use]
pub fn load(path: &Path) -> Loaded {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&Source { file: path.display().to_string(), text }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Loaded::default(),
        Err(error) => {
            let what = format!("cannot be read: {error}");
            let problems = vec![Problem::of(&path.display().to_string(), what.clone())];
            let settings = Settings { rules: everything_frozen(&what), ..Settings::default() };
            Loaded { settings, problems }
        }
    }
}

/// Reads settings key by key and, where a key holds several entries, entry by entry, so that one
/// mistake costs one of them. Of a file that is no TOML what can be made out holds, but nobody knows
/// what else it forbids: everything is frozen.
#[must_use]
pub fn parse(source: &Source) -> Loaded {
    let mut loaded = Loaded::default();
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let byte = error.span().map_or(0, |span| span.start);
        loaded.problems.push(Problem::at(source, byte, error.message()));
    }
    let slips: Vec<_> = loaded.problems.iter().map(|problem| problem.line).collect();
    for (key, value) in table.into_inner() {
        let (start, settings) = (key.span().start, &mut loaded.settings);
        let mut wrong = Vec::new();
        let result = match key.get_ref().as_ref() {
            "theme" => take(value, &mut settings.theme),
            "keymap" => take(value, &mut settings.keymap),
            "ascii" => take(value, &mut settings.ascii),
            "mouse" => take(value, &mut settings.mouse),
            "trusted-plugins" => take(value, &mut settings.trusted_plugins),
            "cluster" => {
                settings.clusters = entries(value, &mut wrong);
                Ok(())
            }
            "cost" => {
                settings.cost = cost(value, &mut wrong);
                Ok(())
            }
            "rules" => rules(value, &mut settings.rules),
            other => Err((
                None,
                format!(
                    "unknown key; expected theme, keymap, ascii, mouse, trusted-plugins, cluster, cost or rules, not {other}"
                ),
            )),
        };
        wrong.extend(result.err());
        for (byte, what) in wrong {
            let problem = Problem::at(source, byte.unwrap_or(start), format!("`{}`: {what}", key.get_ref()));
            // What is made out of a slip may be wrong once more.
            if !slips.contains(&problem.line) {
                loaded.problems.push(problem);
            }
        }
    }
    if let Some(error) = errors.first() {
        loaded.settings.rules = everything_frozen(error.message());
    }
    loaded
}

/// The text of a settings file with this theme's name in it, and everything else as it is.
///
/// # Errors
/// The file cannot be read.
pub fn with_theme_of(path: &Path, name: &str) -> Result<String, Problem> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(with_theme(&text, name)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(with_theme("", name)),
        Err(error) => Err(Problem::of(&path.display().to_string(), error.to_string())),
    }
}

/// A settings text with this theme: in place of the line that names one, else as its first line.
fn with_theme(text: &str, name: &str) -> String {
    let line = format!("theme = {}", toml::Value::from(name));
    // Only lines before the first table belong to the file itself.
    let own = text.lines().take_while(|line| !line.trim_start().starts_with('['));
    let place = own.enumerate().find(|(_, line)| {
        line.trim_start().strip_prefix("theme").is_some_and(|rest| rest.trim_start().starts_with('='))
    });
    let mut lines: Vec<&str> = text.lines().collect();
    match place {
        Some((place, _)) => lines[place] = &line,
        None => lines.insert(0, &line),
    }
    lines.join("\n") + "\n"
}

/// A value of a file that was read, with its place there.
type Value<'a> = Spanned<DeValue<'a>>;

/// What is wrong, and at which byte if that is known.
type Wrong = (Option<usize>, String);

fn read<T: DeserializeOwned>(value: Value<'_>) -> Result<T, Wrong> {
    let start = value.span().start;
    let said = |error: toml::de::Error| {
        (Some(error.span().map_or(start, |span| span.start)), error.message().to_owned())
    };
    T::deserialize(ValueDeserializer::from(value)).map_err(said)
}

fn take<T: DeserializeOwned>(value: Value<'_>, slot: &mut T) -> Result<(), Wrong> {
    *slot = read(value)?;
    Ok(())
}

/// The entries of a key that holds several, without those that are wrong.
fn entries<T: DeserializeOwned>(value: Value<'_>, wrong: &mut Vec<Wrong>) -> Vec<T> {
    let start = value.span().start;
    let DeValue::Array(values) = value.into_inner() else {
        wrong.push((Some(start), "expected entries, each under [[...]]".to_owned()));
        return Vec::new();
    };
    values.into_iter().filter_map(|value| read(value).map_err(|what| wrong.push(what)).ok()).collect()
}

fn cost(value: Value<'_>, wrong: &mut Vec<Wrong>) -> Overrides {
    let start = value.span().start;
    let mut cost = Overrides::default();
    let DeValue::Table(table) = value.into_inner() else {
        wrong.push((Some(start), "expected entries such as [[cost.rate]]".to_owned()));
        return cost;
    };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "node" => cost.node = entries(value, wrong),
            "rate" => cost.rate = entries(value, wrong),
            "discount" => cost.discount = entries(value, wrong),
            "fixed" => cost.fixed = entries(value, wrong),
            "disk" => cost.disk = entries(value, wrong),
            "balancer" => cost.balancer = entries(value, wrong),
            other => wrong.push((
                Some(key.span().start),
                format!("unknown key `{other}`; expected node, rate, discount, fixed, disk or balancer"),
            )),
        }
    }
    cost
}

fn rules(value: Value<'_>, slot: &mut Rules) -> Result<(), Wrong> {
    let rules = read(value).and_then(|raw: RawRules| raw.read().map_err(|what| (None, what)));
    *slot = rules.as_ref().map_or_else(|(_, what)| everything_frozen(what), Clone::clone);
    rules.map(drop)
}

/// Rules that cannot be read protect nothing: until they are mended, every change is asked about.
fn everything_frozen(what: &str) -> Rules {
    let when = Window::Once(jiff::civil::DateTime::MIN, jiff::civil::DateTime::MAX);
    let why = format!("the rules of the settings are wrong ({what})").into();
    let (zone, zone_name) = (jiff::tz::TimeZone::UTC, Text::clean("UTC"));
    Rules {
        freezes: vec![Freeze { clusters: "*".to_owned(), why, zone, zone_name, when }],
        ..Rules::default()
    }
}

impl Settings {
    /// Adds to a cluster's entry what the settings say of it. What its own name says of its tier
    /// (`by_name`) holds unless a rule does; what nothing says is production.
    pub fn apply(&self, info: &mut ClusterInfo, by_name: Option<Tier>) {
        let rules = || self.clusters.iter().filter(|rule| text::glob(&rule.r#match, &info.name));
        let tier = rules().find_map(|rule| rule.tier).or(by_name).unwrap_or_default();
        let groups = rules().find(|rule| !rule.group.is_empty()).map(|rule| rule.group.clone());
        let mut tags = BTreeMap::new();
        for (key, value) in rules().flat_map(|rule| &rule.tags) {
            tags.entry(Text::clean(key)).or_insert_with(|| Text::clean(value));
        }
        info.tier = tier;
        info.groups = groups.into_iter().flatten().map(Text::from).collect();
        info.tags = tags;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { file: "settings.toml".into(), text: text.into() }
    }

    #[test]
    fn rules_are_found_by_name_and_the_first_that_says_a_thing_says_it() {
        let loaded = parse(&source(
            r#"
            theme = "light"
            [[cluster]]
            match = "*-test"
            tier = "dev"
            [[cluster]]
            match = "eks-*"
            tier = "staging"
            group = ["staging", "aws"]
            tags = { team = "pay" }
            [[cost.rate]]
            cluster = "dc1-*"
            vcpu = 0.012
            gib = 0.0016
            "#,
        ));
        assert_eq!(loaded.problems, []);
        let of = |name: &str, by_name| {
            let mut info = ClusterInfo { name: name.into(), ..ClusterInfo::default() };
            loaded.settings.apply(&mut info, by_name);
            info
        };
        assert_eq!(of("eks-test", None).tier, Tier::Dev);
        assert_eq!(of("eks-test", None).groups, ["staging", "aws"]);
        assert_eq!(of("eks-use1", Some(Tier::Dev)).tier, Tier::Staging);
        assert_eq!(of("kind-dev", Some(Tier::Dev)).tier, Tier::Dev);
        assert_eq!(of("mystery", None).tier, Tier::Prod);
        assert_eq!(loaded.settings.cost.rate.len(), 1);
    }

    #[test]
    fn one_mistake_costs_one_key_and_names_its_line() {
        let loaded = parse(&source("theme = \"light\"\nmouse = \"yes\"\ncolour = 1\n"));
        assert_eq!(loaded.settings.theme.as_deref(), Some("light"));
        let said: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 2);
        assert!(said.iter().any(|s| s.starts_with("settings.toml:2: `mouse`: invalid type")), "{said:?}");
        assert!(said.iter().any(|s| s.starts_with("settings.toml:3: `colour`: unknown key")), "{said:?}");
    }

    #[test]
    fn a_wrong_entry_costs_itself_only_and_names_its_line() {
        let text = "[[cluster]]\nmatch = \"a-*\"\ntier = \"prodd\"\n[[cluster]]\nmatch = \"b-*\"\ntier = \"dev\"\n\
                    [[cost.rate]]\ncluster = \"*\"\nvcpu = 1.0\n[[cost.rate]]\ncluster = \"*\"\nvcpu = 1.0\ngib = 2.0\n[[cost.tax]]\n";
        let loaded = parse(&source(text));
        assert_eq!(loaded.settings.clusters.len(), 1);
        assert_eq!(loaded.settings.clusters[0].tier, Some(Tier::Dev));
        assert_eq!(loaded.settings.cost.rate.len(), 1);
        let said: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        for start in [
            "settings.toml:3: `cluster`: unknown variant",
            "settings.toml:7: `cost`: missing field `gib`",
            "settings.toml:14: `cost`: unknown key `tax`",
        ] {
            assert!(said.iter().any(|s| s.starts_with(start)), "{start}: {said:?}");
        }
    }

    #[test]
    fn the_settings_that_the_readme_shows_are_right() {
        let readme = include_str!("../../README.md");
        let shown: Vec<&str> =
            readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(shown.len() >= 2);
        for text in shown {
            assert_eq!(parse(&source(text)).problems, [], "{text}");
        }
    }

    #[test]
    fn rules_that_are_wrong_freeze_everything() {
        let loaded = parse(&source("theme = \"light\"\n[rules]\npods_at_once = \"many\"\n"));
        assert_eq!(loaded.problems.len(), 1);
        let now = crate::model::Time::from_seconds(1_795_000_000);
        let said = loaded.settings.rules.freezes[0].holds("any", now).unwrap();
        assert!(said.starts_with("the rules of the settings are wrong (invalid type"), "{said}");
        assert_eq!(parse(&source("[rules]\npods_at_once = 9\n")).settings.rules.pods_at_once, 9);
    }

    #[test]
    fn a_slip_anywhere_freezes_everything_and_keeps_the_rest() {
        let text =
            "theme = \"light\"\nascii = maybe\n[[cluster]]\nmatch = \"stg-*\"\ntier = \"prod\"\n[rules]\n";
        let Loaded { settings, problems } = parse(&source(text));
        assert_eq!(problems.iter().map(|p| p.line).collect::<Vec<_>>(), [Some(2)], "{problems:?}");
        assert_eq!(settings.theme.as_deref(), Some("light"));
        assert_eq!(settings.clusters[0].tier, Some(Tier::Prod));
        let now = crate::model::Time::from_seconds(1_795_000_000);
        let said = settings.rules.freezes[0].holds("any", now).unwrap();
        assert!(said.starts_with("the rules of the settings are wrong"), "{said}");
        let folder = tempfile::tempdir().unwrap();
        let unread = load(folder.path());
        assert!(unread.settings.rules.freezes[0].holds("any", now).is_some(), "{unread:?}");
    }

    #[test]
    fn a_theme_is_kept_and_nothing_else_changes() {
        assert_eq!(with_theme("", "light"), "theme = \"light\"\n");
        let text = "# mine\ntheme = \"old\" # why\nascii = true\n[[cluster]]\nmatch = \"a\"\n";
        let kept = with_theme(text, "light");
        assert_eq!(kept, "# mine\ntheme = \"light\"\nascii = true\n[[cluster]]\nmatch = \"a\"\n");
        assert_eq!(parse(&source(&kept)).settings.theme.as_deref(), Some("light"));
    }

    #[test]
    fn a_file_that_is_no_toml_is_one_problem() {
        let loaded = parse(&source("theme = \n"));
        assert_eq!(loaded.problems.len(), 1);
        assert_eq!(loaded.problems[0].line, Some(1));
    }
}
