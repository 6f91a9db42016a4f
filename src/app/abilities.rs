//! What the terminal can show, by the environment alone: a question to the terminal would cost a
//! round trip, and over SSH some never answer.

use std::io::{IsTerminal, stdin, stdout};

use color_eyre::eyre::{Result, bail};

use super::cli::ScreenArgs;
use crate::config::Settings;
use crate::theme::Depth;

/// A variable of the environment.
pub(super) type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable of this process's environment.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How many colours the terminal shows.
pub(super) fn depth() -> Depth {
    match supports_color::on(supports_color::Stream::Stdout) {
        None => Depth::None,
        Some(level) if level.has_16m => Depth::True,
        Some(level) if level.has_256 => Depth::Indexed,
        Some(_) => Depth::Ansi,
    }
}

/// Why only ASCII is drawn, if that is so: a flag, else the setting, else what the environment says
/// of the terminal.
pub(super) fn ascii(arguments: &ScreenArgs, settings: &Settings, variable: Variable<'_>) -> Option<String> {
    match (arguments.ascii, arguments.unicode, settings.ascii) {
        (true, ..) => Some("--ascii".to_owned()),
        (_, true, _) | (_, _, Some(false)) => None,
        (_, _, Some(true)) => Some("ascii = true in the settings".to_owned()),
        (_, _, None) => plain(variable),
    }
}

/// What of the environment says that the terminal shows ASCII only: a `TERM` without glyphs of its
/// own, or a locale of another character set. The first of `LC_ALL`, `LC_CTYPE` and `LANG` that is
/// not empty decides (POSIX, "Internationalization Variables"). Without any, as in many containers,
/// nothing is said, and terminals of today show UTF-8.
fn plain(variable: Variable<'_>) -> Option<String> {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    if let Some(term) =
        set(&"TERM").filter(|term| matches!(term.as_str(), "dumb" | "linux" | "vt100" | "vt220"))
    {
        return Some(format!("TERM={term}"));
    }
    let (name, locale) = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| Some((name, set(name)?)))?;
    let charset = locale.to_ascii_lowercase().replace('-', "");
    (!charset.contains("utf8")).then(|| format!("{name}={locale}"))
}

/// # Errors
/// Keys or screen are not a terminal: what to use instead.
pub(super) fn need_terminal() -> Result<()> {
    let what = match (stdin().is_terminal(), stdout().is_terminal()) {
        (true, true) => return Ok(()),
        (false, true) => "standard input is",
        (true, false) => "standard output is",
        (false, false) => "standard input and output are",
    };
    bail!(
        "the screen needs a terminal, and {what} none; `quarterdeck get findings` prints what is wrong, \
         `quarterdeck get --help` lists the other views"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(variables: &[(&str, &str)], arguments: &ScreenArgs, setting: Option<bool>) -> Option<String> {
        let settings = Settings { ascii: setting, ..Settings::default() };
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        ascii(arguments, &settings, &variable)
    }

    #[test]
    fn the_environment_says_whether_glyphs_are_shown() {
        let by = |variables: &[(&str, &str)]| why(variables, &ScreenArgs::default(), None);
        assert_eq!(by(&[]), None);
        assert_eq!(by(&[("LANG", "en_GB.UTF-8")]), None);
        assert_eq!(by(&[("LANG", "C.utf8"), ("LC_ALL", "")]), None);
        assert_eq!(by(&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")]).as_deref(), Some("LC_ALL=C"));
        assert_eq!(by(&[("LC_CTYPE", "de_DE.ISO-8859-1")]).as_deref(), Some("LC_CTYPE=de_DE.ISO-8859-1"));
        assert_eq!(by(&[("TERM", "dumb"), ("LANG", "C.UTF-8")]).as_deref(), Some("TERM=dumb"));
        assert_eq!(by(&[("TERM", "xterm-256color")]), None);
    }

    #[test]
    fn flags_and_settings_come_first() {
        let c = [("LC_ALL", "C")];
        let unicode = ScreenArgs { unicode: true, ..ScreenArgs::default() };
        let ascii = ScreenArgs { ascii: true, ..ScreenArgs::default() };
        assert_eq!(why(&c, &unicode, None), None);
        assert_eq!(why(&c, &unicode, Some(true)), None);
        assert_eq!(why(&c, &ScreenArgs::default(), Some(false)), None);
        assert_eq!(why(&[], &ascii, Some(false)).as_deref(), Some("--ascii"));
        assert!(why(&[], &ScreenArgs::default(), Some(true)).is_some());
    }
}
