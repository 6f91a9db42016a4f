//! Moments: a message `{1 seconds, 2 nanos}` in protobuf, RFC 3339 text in JSON
//! (`apimachinery/pkg/apis/meta/v1/generated.proto`, `time_proto.go`, `micro_time_proto.go`).
//!
//! Go writes no moment as an empty message and as `null`; a zero `Time` is no moment too.

use std::fmt;

use serde::Serializer;
use serde::de::{Deserializer, Visitor};

use super::declare::others;
use super::reader::Wire;
use super::{Decode, Encode, Reader, Tag, WireError, writer};

/// The year 1, Go's zero time: not a moment.
const ZERO: i64 = -62_135_596_800;
/// The last second of the year 9999, the last that RFC 3339 can write.
const LAST: i64 = 253_402_300_799;
const DAY: i64 = 86_400;

/// A moment to the second, or none. Both formats carry no more, whatever the server stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: Option<i64>,
}

/// A moment to the microsecond, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MicroTime {
    /// Microseconds since 1970.
    pub micros: Option<i64>,
}

impl MicroTime {
    /// Seconds since 1970.
    pub fn seconds(self) -> Option<i64> {
        self.micros.map(|m| m.div_euclid(1_000_000))
    }
}

/// Seconds and microseconds of a timestamp message; `None` for an empty or impossible one.
fn read_moment(reader: &mut Reader<'_>) -> Result<Option<(i64, i64)>, WireError> {
    let mut message = reader.message()?;
    let (mut given, mut seconds, mut nanos) = (false, 0i64, 0i32);
    while let Some(tag) = message.tag()? {
        match tag {
            Tag { number: 1, wire: Wire::Varint } => {
                seconds.read(&mut message)?;
                given = true;
            }
            Tag { number: 2, wire: Wire::Varint } => {
                nanos.read(&mut message)?;
                given = true;
            }
            other => message.skip(other)?,
        }
    }
    let possible = given && seconds > ZERO && seconds <= LAST;
    Ok(possible.then_some((seconds, i64::from(nanos.clamp(0, 999_999_999)) / 1_000)))
}

/// Go writes both fields of a moment, so that 1970 is not an empty message.
fn write_moment(number: u32, seconds: i64, nanos: i64, out: &mut Vec<u8>) {
    writer::nested(number, out, |out| {
        writer::integer(1, seconds, out);
        writer::integer(2, nanos, out);
    });
}

impl<'a> Decode<'a> for Time {
    const WIRE: Wire = Wire::Bytes;

    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        self.seconds = read_moment(reader)?.map(|(seconds, _)| seconds);
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(MomentVisitor(|(seconds, _)| self.seconds = Some(seconds)))
    }
}

impl<'a> Decode<'a> for MicroTime {
    const WIRE: Wire = Wire::Bytes;

    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        self.micros = read_moment(reader)?.map(|(seconds, micros)| seconds * 1_000_000 + micros);
        Ok(())
    }

    fn read_json<D: Deserializer<'a>>(&mut self, source: D) -> Result<bool, D::Error> {
        let set = |(seconds, micros)| self.micros = Some(seconds * 1_000_000 + micros);
        source.deserialize_any(MomentVisitor(set))
    }
}

struct MomentVisitor<F>(F);

impl<'de, F: FnOnce((i64, i64))> Visitor<'de> for MomentVisitor<F> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        let moment = parse(text.as_bytes());
        let fits = moment.is_some();
        moment.map(self.0);
        Ok(fits)
    }

    others!('de: bool, number, unit, seq, map);
}

impl Encode for Time {
    fn omitted(&self) -> bool {
        self.seconds.is_none()
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        match self.seconds {
            Some(seconds) => write_moment(number, seconds, 0, out),
            None => writer::bytes(number, &[], out),
        }
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        match self.seconds {
            Some(seconds) => sink.collect_str(&Rfc3339 { seconds, micros: None }),
            None => sink.serialize_unit(),
        }
    }
}

impl Encode for MicroTime {
    fn omitted(&self) -> bool {
        self.micros.is_none()
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        match self.micros {
            Some(m) => write_moment(number, m.div_euclid(1_000_000), m.rem_euclid(1_000_000) * 1_000, out),
            None => writer::bytes(number, &[], out),
        }
    }

    fn write_json<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        match self.micros {
            Some(m) => sink.collect_str(&Rfc3339 {
                seconds: m.div_euclid(1_000_000),
                micros: Some(m.rem_euclid(1_000_000)),
            }),
            None => sink.serialize_unit(),
        }
    }
}

struct Rfc3339 {
    seconds: i64,
    micros: Option<i64>,
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds.clamp(ZERO, LAST);
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
        let second = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if let Some(micros) = self.micros {
            write!(f, ".{micros:06}")?;
        }
        f.write_str("Z")
    }
}

/// `2026-11-21T08:30:00[.ffffff](Z|±hh:mm)` as seconds and microseconds since 1970.
fn parse(text: &[u8]) -> Option<(i64, i64)> {
    let number = |from: usize, to: usize| -> Option<i64> {
        text.get(from..to)?
            .iter()
            .try_fold(0i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let separated =
        [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')].iter().all(|(at, b)| text.get(*at) == Some(b));
    if !separated || !matches!(text.get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    let mut micros = 0;
    if text.get(at) == Some(&b'.') {
        let digits = text.get(at + 1..)?.iter().take_while(|b| b.is_ascii_digit()).count();
        let kept = digits.min(6);
        micros = number(at + 1, at + 1 + kept)? * 10i64.pow(6 - u32::try_from(kept).ok()?);
        at += 1 + digits;
    }
    let offset = match text.get(at..)? {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let offset = number(at + 1, at + 3)? * 3_600 + number(at + 4, at + 6)? * 60;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * DAY + hour * 3_600 + minute * 60 + second - offset;
    (seconds > ZERO && seconds <= LAST).then_some((seconds, micros))
}

/// Days since 1970 of a date in the Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day counted since 1970; the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}
