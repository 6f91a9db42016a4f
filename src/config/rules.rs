//! `[rules]` of the settings: what may be changed at once, and when nothing may.

use jiff::civil;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::model::{Freeze, Rules, Text, Window};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRules {
    clusters_at_once: Option<usize>,
    pods_at_once: Option<usize>,
    pool_percent: Option<usize>,
    one_zone: Option<bool>,
    #[serde(default)]
    freeze: Vec<RawFreeze>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFreeze {
    #[serde(default = "any")]
    r#match: String,
    #[serde(default)]
    why: String,
    zone: Option<String>,
    days: Option<String>,
    from: String,
    until: String,
}

fn any() -> String {
    "*".to_owned()
}

impl RawRules {
    /// The rules; the error says which of them is wrong and what was expected.
    pub(super) fn read(self) -> Result<Rules, String> {
        let usual = Rules::default();
        let positive = |value: Option<usize>, usual: usize, key: &str| match value {
            Some(0) => Err(format!("{key} is 0: nothing could be changed; expected 1 or more")),
            value => Ok(value.unwrap_or(usual)),
        };
        let freezes = self.freeze.into_iter().enumerate();
        Ok(Rules {
            clusters_at_once: positive(self.clusters_at_once, usual.clusters_at_once, "clusters_at_once")?,
            pods_at_once: positive(self.pods_at_once, usual.pods_at_once, "pods_at_once")?,
            pool_percent: self.pool_percent.unwrap_or(usual.pool_percent),
            one_zone: self.one_zone.unwrap_or(usual.one_zone),
            freezes: freezes
                .map(|(index, raw)| raw.read().map_err(|what| format!("freeze {}: {what}", index + 1)))
                .collect::<Result<_, String>>()?,
        })
    }
}

impl RawFreeze {
    fn read(self) -> Result<Freeze, String> {
        let zone_name = self.zone.as_deref().unwrap_or("UTC");
        let zone = TimeZone::get(zone_name).map_err(|_| {
            format!("zone {zone_name:?} is not known on this machine; expected one such as \"Europe/Berlin\", or UTC")
        })?;
        let when = match &self.days {
            Some(days) => {
                let (from, until) = (time(&self.from, "from")?, time(&self.until, "until")?);
                Window::Weekly(weekdays(days)?, from, until)
            }
            None => {
                let (from, until) = (moment(&self.from, "from")?, moment(&self.until, "until")?);
                if until <= from {
                    return Err(format!("until {:?} is not after from {:?}", self.until, self.from));
                }
                Window::Once(from, until)
            }
        };
        let (why, zone_name) = (Text::clean(&self.why), Text::clean(zone_name));
        Ok(Freeze { clusters: self.r#match, why, zone, zone_name, when })
    }
}

fn moment(text: &str, key: &str) -> Result<civil::DateTime, String> {
    text.parse()
        .map_err(|_| format!("{key} {text:?} is no moment; expected one such as \"2026-12-20 00:00\""))
}

fn time(text: &str, key: &str) -> Result<civil::Time, String> {
    let text = if text == "24:00" { "00:00" } else { text };
    text.parse()
        .map_err(|_| format!("{key} {text:?} is no time of day; with days it is one such as \"16:00\""))
}

fn weekdays(text: &str) -> Result<[bool; 7], String> {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let mut days = [false; 7];
    for word in text.split_whitespace() {
        let at = NAMES.iter().position(|name| *name == word.to_ascii_lowercase());
        let at = at.ok_or_else(|| format!("{word:?} is no day; expected {}", NAMES.join(", ")))?;
        days[at] = true;
    }
    if days.contains(&true) { Ok(days) } else { Err("days names none; leave it out or name some".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    fn read(text: &str) -> Result<Rules, String> {
        toml::from_str::<RawRules>(text).map_err(|error| error.to_string()).and_then(RawRules::read)
    }

    #[test]
    fn what_is_left_out_is_as_usual() {
        assert_eq!(read("").unwrap(), Rules::default());
        let rules =
            read("clusters_at_once = 1\npods_at_once = 20\npool_percent = 25\none_zone = false").unwrap();
        assert_eq!((rules.clusters_at_once, rules.pods_at_once), (1, 20));
        assert_eq!((rules.pool_percent, rules.one_zone), (25, false));
    }

    #[test]
    fn freezes_are_read() {
        let rules = read(
            "[[freeze]]\nmatch = 'prod-*'\nwhy = 'sale'\nfrom = '2026-11-27 00:00'\nuntil = '2026-11-30 08:00'\n\
             [[freeze]]\ndays = 'Fri sat'\nfrom = '16:00'\nuntil = '24:00'",
        )
        .unwrap();
        let at = |text| Time::parse(text).unwrap();
        let said = rules.freezes[0].holds("prod-a", at("2026-11-28T12:00:00Z"));
        assert_eq!(said.as_deref(), Some("sale, until 2026-11-30 08:00 UTC"));
        assert!(rules.freezes[1].holds("any", at("2026-11-20T23:59:00Z")).is_some());
        assert!(rules.freezes[1].holds("any", at("2026-11-22T00:00:00Z")).is_none());
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (text, said) in [
            ("clusters_at_once = 0", "expected 1 or more"),
            ("[[freeze]]\nfrom = 'x'\nuntil = 'y'", "freeze 1: from \"x\" is no moment"),
            ("[[freeze]]\nfrom = '2026-11-27 00:00'\nuntil = '2026-11-27 00:00'", "is not after"),
            ("[[freeze]]\ndays = 'fry'\nfrom = '1:00'\nuntil = '2:00'", "no time of day"),
            ("[[freeze]]\ndays = 'fry'\nfrom = '01:00'\nuntil = '02:00'", "\"fry\" is no day"),
            (
                "[[freeze]]\nzone = 'Mars/Base'\nfrom = '01:00'\nuntil = '02:00'",
                "is not known on this machine",
            ),
            ("pods = 3", "unknown field"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
