//! How times are shown: in UTC, as ages, or by the clock on the wall.

use jiff::tz::TimeZone;

use super::Time;

/// The face that times show. Times in sentences stay in UTC, with their `Z`.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Face {
    /// `02:11`, `02:11:04Z`.
    #[default]
    Utc,
    /// `3m10s`, `3m10s ago`.
    Ago,
    /// By the clock of a time zone: `04:11`, `04:11:04`.
    Local(TimeZone),
}

impl Face {
    /// When, for a column: a time of day within a day of `now`, else a date; or how long ago.
    #[must_use]
    pub fn column(&self, at: Time, now: Time) -> String {
        match self {
            Face::Utc => at.when(now),
            Face::Ago => at.age(now).to_string(),
            Face::Local(zone) if at.age(now).millis().abs() < DAY => written(at, zone, "%H:%M"),
            Face::Local(zone) => written(at, zone, "%m-%d"),
        }
    }

    /// When, to the second, for evidence.
    #[must_use]
    pub fn moment(&self, at: Time, now: Time) -> String {
        match self {
            Face::Utc => format!("{}Z", at.clock()),
            Face::Ago => format!("{} ago", at.age(now)),
            Face::Local(zone) => written(at, zone, "%H:%M:%S"),
        }
    }

    /// What time it is, with the zone: `02:14Z`, `02:14:07Z`, `04:14 CEST`.
    #[must_use]
    pub fn clock(&self, now: Time, seconds: bool) -> String {
        match self {
            Face::Utc | Face::Ago => {
                let clock = now.clock();
                format!("{}Z", if seconds { clock.as_str() } else { clock.get(..5).unwrap_or(&clock) })
            }
            Face::Local(zone) => written(now, zone, if seconds { "%H:%M:%S %Z" } else { "%H:%M %Z" }),
        }
    }

    /// What the header says of it; nothing while it is UTC.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Face::Utc => "",
            Face::Ago => "ages",
            Face::Local(_) => "local",
        }
    }

    /// The moment that a person names: `02:10` or `02:10:30`, the last time that it was so late;
    /// with `Z` in UTC, else by this face; `5m`, `1h10m` ago; or RFC 3339.
    #[must_use]
    pub fn read(&self, text: &str, now: Time) -> Option<Time> {
        if let Some(at) = Time::parse(text) {
            return Some(at);
        }
        if let Some(span) = super::Span::parse(text.strip_prefix('-').unwrap_or(text)) {
            return Some(now - span);
        }
        let (clock, utc) = text.strip_suffix(['Z', 'z']).map_or((text, false), |clock| (clock, true));
        let mut parts = clock.split(':').map(|part| part.parse::<i8>().ok().filter(|_| part.len() <= 2));
        let (hour, minute) = (parts.next()??, parts.next()??);
        let second = parts.next().map_or(Some(0), |part| part)?;
        let time = jiff::civil::Time::new(hour, minute, second, 0).ok().filter(|_| parts.next().is_none())?;
        let zone = match self {
            Face::Local(zone) if !utc => zone.clone(),
            _ => TimeZone::UTC,
        };
        let today = jiff::Timestamp::from_millisecond(now.millis()).ok()?.to_zoned(zone.clone()).date();
        let on = |date: jiff::civil::Date| {
            let at = date.to_datetime(time).to_zoned(zone.clone()).ok()?;
            Some(Time::from_millis(at.timestamp().as_millisecond()))
        };
        let at = on(today)?;
        if at <= now { Some(at) } else { on(today.yesterday().ok()?) }
    }
}

const DAY: i64 = 86_400_000;

fn written(at: Time, zone: &TimeZone, form: &str) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .map_or_else(|_| "-".to_owned(), |t| t.to_zoned(zone.clone()).strftime(form).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;

    fn now() -> Time {
        Time::parse("2026-11-21T02:14:07Z").unwrap()
    }

    fn berlin() -> Face {
        Face::Local(TimeZone::fixed(jiff::tz::offset(1)))
    }

    #[test]
    fn a_time_has_three_faces() {
        let at = now() - Span::from_seconds(190);
        let old = now() - Span::from_seconds(3 * 86_400);
        let said = |face: &Face| [face.column(at, now()), face.column(old, now()), face.moment(at, now())];
        assert_eq!(said(&Face::Utc), ["02:10", "11-18", "02:10:57Z"]);
        assert_eq!(said(&Face::Ago), ["3m10s", "3d", "3m10s ago"]);
        assert_eq!(said(&berlin()), ["03:10", "11-18", "03:10:57"]);
        assert_eq!(Face::Utc.clock(now(), true), "02:14:07Z");
        assert_eq!(Face::Ago.clock(now(), false), "02:14Z");
        assert_eq!(berlin().clock(now(), false), "03:14 +01");
    }

    #[test]
    fn what_people_type_is_the_last_time_that_it_was_so_late() {
        let read = |face: &Face, text| face.read(text, now()).map(Time::rfc3339);
        for (face, text, at) in [
            (Face::Utc, "02:10", "2026-11-21T02:10:00Z"),
            (Face::Utc, "02:10:30Z", "2026-11-21T02:10:30Z"),
            (Face::Utc, "02:15", "2026-11-20T02:15:00Z"),
            (Face::Utc, "4m7s", "2026-11-21T02:10:00Z"),
            (Face::Utc, "-1h", "2026-11-21T01:14:07Z"),
            (Face::Utc, "2026-11-20T23:00:00Z", "2026-11-20T23:00:00Z"),
            (berlin(), "03:10", "2026-11-21T02:10:00Z"),
            (berlin(), "02:10Z", "2026-11-21T02:10:00Z"),
        ] {
            assert_eq!(read(&face, text).as_deref(), Some(at), "{text}");
        }
        for bad in ["", "yesterday", "25:00", "02", "02:10:11:12", "02:100", "-"] {
            assert_eq!(read(&Face::Utc, bad), None, "{bad}");
        }
    }
}
