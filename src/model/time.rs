//! Time as a value: nothing in the pure core reads a clock.

use std::fmt;
use std::num::NonZeroI64;

/// A moment, in milliseconds since 1970-01-01 UTC. An `Option<Time>` is no larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(NonZeroI64);

/// A length of time in milliseconds; it may be negative.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Span(i64);

const ONE: NonZeroI64 = NonZeroI64::new(1).expect("one is not zero");

impl Time {
    /// A moment from milliseconds since 1970. Zero, which no cluster means, becomes 1 ms.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Time {
        match NonZeroI64::new(millis) {
            Some(value) => Time(value),
            None => Time(ONE),
        }
    }

    /// A moment from whole seconds since 1970.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Time {
        Time::from_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.get()
    }

    /// An RFC 3339 time, as Kubernetes writes it; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Time> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Time::from_millis(t.as_millisecond()))
    }

    /// How long before `now` this was; negative when it is ahead.
    #[must_use]
    pub const fn age(self, now: Time) -> Span {
        Span(now.millis().saturating_sub(self.millis()))
    }

    /// RFC 3339 in UTC with seconds: `2026-11-21T02:14:07Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.millis())
            .map_or_else(|_| "-".to_owned(), |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    /// Time of day in UTC: `02:14:07`.
    #[must_use]
    pub fn clock(self) -> String {
        let day = self.millis().rem_euclid(86_400_000) / 1000;
        format!("{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60)
    }

    /// When, for a column: `02:11` within a day of `now`, else `11-15`.
    #[must_use]
    pub fn when(self, now: Time) -> String {
        if self.age(now).millis().abs() < 86_400_000 {
            self.clock()[..5].to_owned()
        } else {
            self.rfc3339().get(5..10).unwrap_or("-").to_owned()
        }
    }
}

impl std::ops::Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time::from_millis(self.millis().saturating_add(span.0))
    }
}

impl std::ops::Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time::from_millis(self.millis().saturating_sub(span.0))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> serde::Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Time::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A length in milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Span {
        Span(millis)
    }

    /// A length in seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Span {
        Span(seconds.saturating_mul(1000))
    }

    /// A length as it is shown or typed: `90s`, `1m22s`, `3h10m`, `2d`, `1w`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Span> {
        let mut seconds: i64 = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let number: i64 = rest.get(..digits)?.parse().ok()?;
            let unit = match rest.as_bytes().get(digits)? {
                b's' => 1,
                b'm' => 60,
                b'h' => 3600,
                b'd' => 86_400,
                b'w' => 7 * 86_400,
                _ => return None,
            };
            seconds = seconds.checked_add(number.checked_mul(unit)?)?;
            rest = rest.get(digits + 1..)?;
        }
        (!text.is_empty()).then(|| Span::from_seconds(seconds))
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The length in whole seconds, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// How long, as people say it: `4s`, `1m22s`, `3h10m`, `12d`; never longer than six cells.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.seconds().max(0);
        let text = match s {
            0..60 => format!("{s}s"),
            60..600 => format!("{}m{:02}s", s / 60, s % 60),
            600..3600 => format!("{}m", s / 60),
            3600..86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
            _ => format!("{}d", s / 86_400),
        };
        f.pad(&text)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_and_write() {
        let t = Time::parse("2026-11-21T02:14:07.250Z").unwrap();
        assert_eq!(t.rfc3339(), "2026-11-21T02:14:07Z");
        assert_eq!(t.clock(), "02:14:07");
        assert_eq!(Time::parse("2026-11-21T04:14:07+02:00").unwrap().clock(), "02:14:07");
        assert_eq!(Time::parse("yesterday"), None);
        assert_eq!(size_of::<Option<Time>>(), 8);
        assert_eq!(t.when(t + Span::from_seconds(60)), "02:14");
        assert_eq!(t.when(t + Span::from_seconds(90_000)), "11-21");
    }

    #[test]
    fn spans_are_read_as_they_are_said() {
        for (text, seconds) in
            [("4s", 4), ("1m22s", 82), ("3h10m", 11_400), ("12d", 1_036_800), ("1w", 604_800)]
        {
            assert_eq!(Span::parse(text), Some(Span::from_seconds(seconds)), "{text}");
        }
        for bad in ["", "4", "h", "4 s", "1x", "99999999999999999999s", "9999999999999999w", "ö"] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn spans_are_said_shortly() {
        let said = |s| Span::from_seconds(s).to_string();
        assert_eq!(said(4), "4s");
        assert_eq!(said(82), "1m22s");
        assert_eq!(said(11_400), "3h10m");
        assert_eq!(said(12 * 86_400 + 5), "12d");
        assert_eq!(said(-5), "0s");
    }
}
