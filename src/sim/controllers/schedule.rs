//! Cron schedules (`github.com/robfig/cron` as the cron job controller uses it): five fields, the
//! names for usual ones, `@every`, and time zones.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::model::{Span, Time};

/// How far ahead is looked: the 29th of February comes again within eight years.
const HORIZON: i64 = 8 * 366;

/// When something is due.
#[derive(Debug)]
pub(crate) struct Schedule {
    when: When,
    zone: TimeZone,
}

#[derive(Debug)]
enum When {
    Every(Span),
    At(Fields),
}

/// A bit for each number that fits.
#[derive(Debug)]
struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether days of the month or of the week are not restricted: if both are, either will do.
    free: (bool, bool),
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// Reads a schedule. Without a zone it is in UTC.
    ///
    /// # Errors
    /// Says what cannot be read and what was expected.
    pub(crate) fn parse(text: &str, zone: &str) -> Result<Schedule, String> {
        let zone = match zone {
            "" => TimeZone::UTC,
            name => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}"))?,
        };
        let text = text.trim();
        if let Some(length) = text.strip_prefix("@every ") {
            let every = Span::parse(length.trim()).filter(|s| s.seconds() >= 1);
            let every = every
                .ok_or_else(|| format!("failed to parse duration {text}: expected one such as @every 90s"))?;
            return Ok(Schedule { when: When::Every(every), zone });
        }
        let text = match text {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other if other.starts_with('@') => return Err(format!("unrecognized descriptor: {other}")),
            other => other,
        };
        Ok(Schedule { when: When::At(Fields::parse(text)?), zone })
    }

    /// When it is due next after a time.
    pub(crate) fn after(&self, time: Time) -> Option<Time> {
        let fields = match &self.when {
            When::Every(every) => return Some(time + *every),
            When::At(fields) => fields,
        };
        let mut date = self.date(time)?;
        for _ in 0..HORIZON {
            if fields.on(date)
                && let Some(due) = self.times(fields, date).find(|due| *due > time)
            {
                return Some(due);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// When it was due last, from one time on up to another.
    pub(crate) fn newest(&self, first: Time, now: Time) -> Time {
        let fields = match &self.when {
            When::Every(every) => {
                let times = (now.millis() - first.millis()) / every.millis().max(1);
                return Time::from_millis(first.millis() + times.max(0) * every.millis());
            }
            When::At(fields) => fields,
        };
        let Some((mut date, oldest)) = self.date(now).zip(self.date(first)) else { return first };
        while date >= oldest {
            let last = self.times(fields, date).filter(|due| (first..=now).contains(due)).last();
            if let Some(last) = last.filter(|_| fields.on(date)) {
                return last;
            }
            let Ok(before) = date.yesterday() else { break };
            date = before;
        }
        first
    }

    fn date(&self, time: Time) -> Option<Date> {
        Some(Timestamp::from_millisecond(time.millis()).ok()?.to_zoned(self.zone.clone()).date())
    }

    /// The times of a day. One that a change of the clock leaves out comes that much later.
    fn times<'a>(&'a self, fields: &'a Fields, date: Date) -> impl Iterator<Item = Time> + 'a {
        let numbers = |bits: u64, to: i8| (0..to).filter(move |n| bits & 1 << n != 0);
        let pairs = numbers(fields.hours, 24)
            .flat_map(move |hour| numbers(fields.minutes, 60).map(move |minute| (hour, minute)));
        pairs.filter_map(move |(hour, minute)| {
            let zoned = self.zone.to_ambiguous_zoned(date.at(hour, minute, 0, 0)).compatible().ok()?;
            Some(Time::from_millis(zoned.timestamp().as_millisecond()))
        })
    }
}

impl Fields {
    fn parse(text: &str) -> Result<Fields, String> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = parts.as_slice() else {
            return Err(format!("expected exactly 5 fields, found {}: [{}]", parts.len(), parts.join(" ")));
        };
        let free = |text: &str| text.starts_with('*') || text.starts_with('?');
        let weekday_bits = bits(weekdays, 0, 7, &WEEKDAYS)?;
        Ok(Fields {
            minutes: bits(minutes, 0, 59, &[])?,
            hours: bits(hours, 0, 23, &[])?,
            days: bits(days, 1, 31, &[])?,
            months: bits(months, 1, 12, &MONTHS)?,
            // Sunday is 0 and 7
            weekdays: weekday_bits | weekday_bits >> 7,
            free: (free(days), free(weekdays)),
        })
    }

    /// Whether something is due on a day.
    fn on(&self, date: Date) -> bool {
        let has = |bits: u64, n: i8| bits & 1 << n != 0;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().since(Weekday::Sunday));
        let fits = if self.free.0 || self.free.1 { day && weekday } else { day || weekday };
        has(self.months, date.month()) && fits
    }
}

/// The numbers of a field as bits: `*`, `5`, `1-5`, `*/10`, `mon,wed`.
fn bits(text: &str, least: u32, most: u32, names: &[&str]) -> Result<u64, String> {
    let number = |word: &str| -> Result<u32, String> {
        let named = names.iter().position(|n| *n == word.to_lowercase());
        let named = named.map(|i| i as u32 + u32::from(names.len() == 12));
        let number = named.or_else(|| word.parse().ok());
        number.ok_or_else(|| format!("failed to parse int from {word}: {text:?}"))
    };
    let mut out = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, number(step)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None if range == "*" || range == "?" => (least, if names.len() == 7 { 6 } else { most }),
            None => {
                let one = number(range)?;
                (one, if part.contains('/') { most } else { one })
            }
        };
        if step == 0 {
            return Err(format!("step of range should be a positive number: {part}"));
        }
        if from < least {
            return Err(format!("beginning of range ({from}) below minimum ({least}): {part}"));
        }
        if to > most {
            return Err(format!("end of range ({to}) above maximum ({most}): {part}"));
        }
        if from > to {
            return Err(format!("beginning of range ({from}) beyond end of range ({to}): {part}"));
        }
        out |= (from..=to).step_by(step as usize).fold(0, |bits, n| bits | 1 << n);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, zone: &str) -> String {
        // a Saturday
        let from = Time::parse("2026-11-21T02:14:07Z").unwrap();
        match Schedule::parse(schedule, zone) {
            Ok(schedule) => schedule.after(from).map_or("never".to_owned(), |at| at.rfc3339()),
            Err(why) => why,
        }
    }

    #[test]
    fn schedules_find_their_next_time() {
        for (schedule, due) in [
            ("*/5 * * * *", "2026-11-21T02:15:00Z"),
            ("0 3 * * *", "2026-11-21T03:00:00Z"),
            ("10,20 2-4 * * *", "2026-11-21T02:20:00Z"),
            ("@hourly", "2026-11-21T03:00:00Z"),
            ("0 0 1 * *", "2026-12-01T00:00:00Z"),
            ("@monthly", "2026-12-01T00:00:00Z"),
            ("@weekly", "2026-11-22T00:00:00Z"),
            ("@yearly", "2027-01-01T00:00:00Z"),
            ("@every 90s", "2026-11-21T02:15:37Z"),
            ("30 6 * * MON-FRI", "2026-11-23T06:30:00Z"),
            ("0 0 * * 7", "2026-11-22T00:00:00Z"),
            // a day of the month or of the week, if both are said
            ("0 0 1 * tue", "2026-11-24T00:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("0 0 31 2 *", "never"),
        ] {
            assert_eq!(next(schedule, ""), due, "{schedule}");
        }
        assert_eq!(next("0 9 * * *", "Etc/UTC"), "2026-11-21T09:00:00Z");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (schedule, why) in [
            ("99 * * * *", "end of range (99) above maximum (59)"),
            ("*/0 * * * *", "step of range should be a positive number"),
            ("* * *", "expected exactly 5 fields, found 3"),
            ("@sometimes", "unrecognized descriptor: @sometimes"),
            ("0 0 0 * *", "beginning of range (0) below minimum (1)"),
            ("0 x * * *", "failed to parse int from x"),
        ] {
            assert!(next(schedule, "").starts_with(why), "{schedule}: {}", next(schedule, ""));
        }
        assert_eq!(next("0 0 * * *", "Europe/Atlantis"), "unknown time zone Europe/Atlantis");
    }

    #[test]
    fn of_missed_times_the_newest_is_found() {
        let t = |text| Time::parse(text).unwrap();
        let schedule = Schedule::parse("0 */6 * * *", "").unwrap();
        let newest = schedule.newest(t("2026-11-01T00:00:00Z"), t("2026-11-21T05:59:00Z"));
        assert_eq!(newest.rfc3339(), "2026-11-21T00:00:00Z");
    }
}
