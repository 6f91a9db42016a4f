//! Reading a recovery plan, with the line of whatever is wrong.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use super::{Deadlines, RecoveryFile, RecoveryProbe, RecoveryWorkload, Traffic};
use crate::model::{Kind, Span, Text};

/// What is wrong with a recovery plan's file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveryError {
    /// The line, from 1; `None` when it is about the whole file.
    pub line: Option<usize>,
    /// What is wrong and what was expected.
    pub what: Text,
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => write!(f, "{}", self.what),
        }
    }
}

impl std::error::Error for RecoveryError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: Spanned<i64>,
    name: Spanned<String>,
    primary: Spanned<String>,
    standby: Spanned<String>,
    target: Option<Spanned<String>>,
    #[serde(default)]
    workload: Vec<RawWorkload>,
    probe: Option<Spanned<RawProbe>>,
    #[serde(default)]
    traffic: Vec<RawTraffic>,
    #[serde(default)]
    deadlines: RawDeadlines,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWorkload {
    kind: Spanned<String>,
    namespace: Spanned<String>,
    name: Spanned<String>,
    replicas: Option<u32>,
    standby_replicas: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProbe {
    http: Option<Spanned<String>>,
    status: Option<Spanned<u16>>,
    every: Option<Spanned<String>>,
    ready: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTraffic {
    cluster: Option<String>,
    api: Spanned<String>,
    kind: Spanned<String>,
    plural: Option<Spanned<String>>,
    #[serde(default)]
    namespace: String,
    name: Spanned<String>,
    patch: Spanned<toml::Table>,
    back: Option<Spanned<toml::Table>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawDeadlines {
    assess: Option<Spanned<String>>,
    scale: Option<Spanned<String>>,
    ready: Option<Spanned<String>>,
    traffic: Option<Spanned<String>>,
    probe: Option<Spanned<String>>,
    primary: Option<Spanned<String>>,
}

/// Says where something is wrong: the text is needed to turn offsets into lines.
struct Reader<'a>(&'a str);

type Read<T> = Result<T, RecoveryError>;

pub(super) fn read(text: &str) -> Read<RecoveryFile> {
    let reader = Reader(text);
    let raw: Raw =
        toml::from_str(text).map_err(|e| reader.wrong(e.span(), e.message().replace('\n', "; ")))?;
    if *raw.version.get_ref() != 1 {
        let what = format!("version {} is not known; expected 1", raw.version.get_ref());
        return Err(reader.wrong(Some(raw.version.span()), what));
    }
    let primary = reader.word(&raw.primary, "primary")?;
    let standby = reader.word(&raw.standby, "standby")?;
    if primary == standby {
        let what = format!("standby is {standby}, the primary itself; expected another context");
        return Err(reader.wrong(Some(raw.standby.span()), what));
    }
    if raw.workload.is_empty() {
        return Err(reader.wrong(None, "no [[workload]]; expected at least one"));
    }
    Ok(RecoveryFile {
        name: reader.word(&raw.name, "name")?,
        primary,
        standby,
        target: raw.target.as_ref().map(|t| reader.span(t)).transpose()?,
        workloads: raw.workload.iter().map(|w| reader.workload(w)).collect::<Read<_>>()?,
        probe: raw.probe.as_ref().map_or(Ok(RecoveryProbe::Ready), |p| reader.probe(p))?,
        traffic: raw.traffic.iter().map(|t| reader.traffic(t)).collect::<Read<_>>()?,
        deadlines: reader.deadlines(&raw.deadlines)?,
    })
}

impl Reader<'_> {
    fn wrong(&self, span: Option<Range<usize>>, what: impl AsRef<str>) -> RecoveryError {
        let before = |span: Range<usize>| self.0.get(..span.start.min(self.0.len()));
        let line = span.and_then(before).map(|text| text.matches('\n').count() + 1);
        RecoveryError { line, what: Text::clean(what.as_ref()) }
    }

    /// A word that must not be empty and must survive being shown: what is sent is what is seen.
    fn word(&self, word: &Spanned<String>, key: &str) -> Read<Text> {
        let text = Text::clean(word.get_ref());
        if text.is_empty() || text != word.get_ref().as_str() {
            return Err(
                self.wrong(Some(word.span()), format!("{key} is empty or has unprintable characters"))
            );
        }
        Ok(text)
    }

    fn span(&self, text: &Spanned<String>) -> Read<Span> {
        span(text.get_ref()).ok_or_else(|| {
            let what = format!(
                "{:?} is no length of time; expected one such as \"90s\", \"10m\" or \"1h30m\"",
                text.get_ref()
            );
            self.wrong(Some(text.span()), what)
        })
    }

    fn workload(&self, raw: &RawWorkload) -> Read<RecoveryWorkload> {
        let kind = match raw.kind.get_ref().as_str() {
            "Deployment" => Kind::Deployment,
            "StatefulSet" => Kind::StatefulSet,
            other => {
                let what = format!(
                    "kind {other:?} cannot be scaled here; expected \"Deployment\" or \"StatefulSet\""
                );
                return Err(self.wrong(Some(raw.kind.span()), what));
            }
        };
        Ok(RecoveryWorkload {
            kind,
            namespace: self.word(&raw.namespace, "namespace")?,
            name: self.word(&raw.name, "name")?,
            replicas: raw.replicas,
            standby_replicas: raw.standby_replicas,
        })
    }

    fn probe(&self, probe: &Spanned<RawProbe>) -> Read<RecoveryProbe> {
        let raw = probe.get_ref();
        let expected = "expected either http = \"https://…\" or ready = true";
        match (&raw.http, raw.ready) {
            (Some(url), None | Some(false)) => self.http(url, raw),
            (None, Some(true)) if raw.status.is_none() && raw.every.is_none() => Ok(RecoveryProbe::Ready),
            (None, Some(true)) => Err(self.wrong(Some(probe.span()), "status and every go with http only")),
            (Some(_), Some(true)) => {
                Err(self.wrong(Some(probe.span()), format!("both http and ready; {expected}")))
            }
            (None, None | Some(false)) => {
                Err(self.wrong(Some(probe.span()), format!("it probes nothing; {expected}")))
            }
        }
    }

    fn http(&self, url: &Spanned<String>, raw: &RawProbe) -> Read<RecoveryProbe> {
        let address = self.word(url, "http")?;
        let host = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/') || host.contains(' ')) {
            let what = format!("{address:?} is no address; expected \"https://…\" or \"http://…\"");
            return Err(self.wrong(Some(url.span()), what));
        }
        if host.is_some_and(|host| host.split('/').next().is_some_and(|h| h.contains('@'))) {
            return Err(self.wrong(
                Some(url.span()),
                "http must not carry a password: it is shown and kept in the journal",
            ));
        }
        let status = raw.status.as_ref().map_or(200, |s| *s.get_ref());
        if let Some(given) = raw.status.as_ref().filter(|_| !(100..600).contains(&status)) {
            return Err(self.wrong(Some(given.span()), format!("status {status}; expected 100 to 599")));
        }
        let every = raw.every.as_ref().map_or(Ok(Span::from_seconds(5)), |e| self.span(e))?;
        Ok(RecoveryProbe::Http { url: address, status, every })
    }

    fn traffic(&self, raw: &RawTraffic) -> Read<Traffic> {
        let kind = self.word(&raw.kind, "kind")?;
        let plural = match &raw.plural {
            Some(plural) => self.word(plural, "plural")?,
            None => plural(&kind),
        };
        let api = self.word(&raw.api, "api")?;
        if api.split('/').count() > 2 || api.split('/').any(str::is_empty) {
            let what =
                format!("{api:?} is no API version; expected one such as \"v1\" or \"k8gb.io/v1beta1\"");
            return Err(self.wrong(Some(raw.api.span()), what));
        }
        Ok(Traffic {
            cluster: Text::clean(raw.cluster.as_deref().unwrap_or("standby")),
            api,
            kind,
            plural,
            namespace: Text::clean(&raw.namespace),
            name: self.word(&raw.name, "name")?,
            patch: self.patch(&raw.patch)?,
            back: raw.back.as_ref().map(|back| self.patch(back)).transpose()?,
        })
    }

    fn patch(&self, table: &Spanned<toml::Table>) -> Read<Value> {
        if table.get_ref().is_empty() {
            return Err(self
                .wrong(Some(table.span()), "the patch is empty; expected a table such as { spec = { … } }"));
        }
        json(&toml::Value::Table(table.get_ref().clone()))
            .ok_or_else(|| self.wrong(Some(table.span()), "the patch has a number that JSON does not know"))
    }

    fn deadlines(&self, raw: &RawDeadlines) -> Read<Deadlines> {
        let usual = Deadlines::default();
        let or = |given: &Option<Spanned<String>>, usual| given.as_ref().map_or(Ok(usual), |s| self.span(s));
        Ok(Deadlines {
            assess: or(&raw.assess, usual.assess)?,
            scale: or(&raw.scale, usual.scale)?,
            ready: or(&raw.ready, usual.ready)?,
            traffic: or(&raw.traffic, usual.traffic)?,
            probe: or(&raw.probe, usual.probe)?,
            primary: or(&raw.primary, usual.primary)?,
        })
    }
}

/// The resource in paths of a kind whose plural was not given: as English makes it, which is how
/// Kubernetes names its own (`ingresses`, `networkpolicies`, `gateways`).
fn plural(kind: &str) -> Text {
    let kind = kind.to_ascii_lowercase();
    let vowel_before_y = || kind.chars().rev().nth(1).is_some_and(|c| "aeiou".contains(c));
    Text::from(match kind.strip_suffix('y') {
        Some(stem) if !vowel_before_y() => format!("{stem}ies"),
        None if ["s", "x", "z", "ch", "sh"].iter().any(|end| kind.ends_with(end)) => format!("{kind}es"),
        _ => format!("{kind}s"),
    })
}

/// A TOML value as JSON; dates become text. `None` for numbers that JSON does not know.
fn json(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(s) => Value::from(s.as_str()),
        toml::Value::Integer(i) => Value::from(*i),
        toml::Value::Float(f) => Value::Number(serde_json::Number::from_f64(*f)?),
        toml::Value::Boolean(b) => Value::from(*b),
        toml::Value::Datetime(d) => Value::from(d.to_string()),
        toml::Value::Array(items) => Value::Array(items.iter().map(json).collect::<Option<_>>()?),
        toml::Value::Table(table) => {
            Value::Object(table.iter().map(|(k, v)| Some((k.clone(), json(v)?))).collect::<Option<_>>()?)
        }
    })
}

/// `90s`, `10m`, `1h30m`: numbers with units, longer than nothing and no longer than a day.
fn span(text: &str) -> Option<Span> {
    let mut seconds: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..end].parse().ok()?;
        let unit = match rest[end..].chars().next()? {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[end + 1..];
    }
    (1..=86_400).contains(&seconds).then(|| Span::from_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = include_str!("../../../assets/recovery-sample.toml");

    #[test]
    fn the_sample_is_read_and_has_every_key() {
        let file = RecoveryFile::read(SAMPLE).unwrap();
        assert_eq!((&*file.name, &*file.primary, &*file.standby), ("orders-eu", "gke-euw1", "eks-euw1"));
        assert_eq!(file.target, Some(Span::from_seconds(600)));
        assert_eq!(file.workloads.len(), 2);
        assert_eq!(file.workloads[0].replicas, None);
        assert_eq!((file.workloads[1].replicas, file.workloads[1].standby_replicas), (Some(12), Some(2)));
        assert!(matches!(&file.probe, RecoveryProbe::Http { status: 200, .. }));
        assert_eq!(file.traffic[0].patch["spec"]["strategy"]["primaryGeoTag"], "eu-west-1");
        assert_eq!(file.traffic[0].plural, "gslbs");
        assert_eq!(file.deadlines.ready, Span::from_seconds(300));
    }

    fn error(text: &str) -> String {
        RecoveryFile::read(text).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_the_line_and_what_was_expected() {
        let with = |from: &str, to: &str| {
            assert!(SAMPLE.contains(from), "{from}");
            error(&SAMPLE.replacen(from, to, 1))
        };
        let line = |needle: &str| SAMPLE[..SAMPLE.find(needle).unwrap()].matches('\n').count() + 1;
        let at = |needle: &str, said: &str| {
            assert!(said.starts_with(&format!("line {}: ", line(needle))), "{said}")
        };

        let said = with("version = 1", "version = 2");
        assert!(said.ends_with("version 2 is not known; expected 1"), "{said}");
        at("version = 1", &said);
        let said = with("target = \"10m\"", "target = \"ten\"");
        at("target =", &said);
        assert!(said.contains("expected one such as"), "{said}");
        let said = with("kind = \"Deployment\"", "kind = \"CronJob\"");
        at("kind = \"Deployment\"", &said);
        let said = with("target = ", "tarqet = ");
        assert!(said.contains("tarqet") && said.contains("target"), "{said}");
        at("target = ", &said);
        let said = with("every = \"5s\"", "ready = true");
        assert!(said.contains("both http and ready"), "{said}");
        let said = with("https://orders", "ftp://orders");
        at("http = ", &said);
        assert!(with("https://orders", "https://me:secret@orders").contains("password"));
        assert!(with("standby = \"eks-euw1\"", "standby = \"gke-euw1\"").contains("the primary itself"));
        let bare = "version = 1\nname = \"a\"\nprimary = \"b\"\nstandby = \"c\"\n";
        assert_eq!(error(bare), "no [[workload]]; expected at least one");
        assert!(error("version = 1\nname = ").starts_with("line 2: "));
    }

    #[test]
    fn lengths_of_time() {
        assert_eq!(span("1h30m"), Some(Span::from_seconds(5400)));
        for bad in ["", "10", "m", "-5s", "0s", "25h", "5d", "9999999999999999999s"] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}", cut in 0_usize..3000) {
            let _ = span(&text);
            let _ = RecoveryFile::read(&text);
            let cut = (0..=cut.min(SAMPLE.len())).rev().find(|i| SAMPLE.is_char_boundary(*i)).unwrap_or(0);
            let _ = RecoveryFile::read(&format!("{}{text}{}", &SAMPLE[..cut], &SAMPLE[cut..]));
        }
    }

    #[test]
    fn a_plural_that_is_not_given_is_made_as_kubernetes_makes_it() {
        let made = ["Gslb", "Ingress", "NetworkPolicy", "Gateway", "Service", "HTTPRoute"]
            .map(|kind| plural(kind).to_string());
        assert_eq!(made, ["gslbs", "ingresses", "networkpolicies", "gateways", "services", "httproutes"]);
    }
}
