//! The fleet's own rules for every change, as the settings have them.

use jiff::civil;
use jiff::tz::TimeZone;

use super::text::glob;
use super::{Text, Time};

/// What one plan, and what runs beside it, may do at once.
#[derive(Clone, PartialEq, Debug)]
pub struct Rules {
    /// The most clusters that may be written to at once.
    pub clusters_at_once: usize,
    /// The most pods that may be evicted at once.
    pub pods_at_once: usize,
    /// Of a node pool, at most this part may be out at once, in percent; one node always may.
    pub pool_percent: usize,
    /// Whether nodes of only one zone may be taken out by one plan.
    pub one_zone: bool,
    /// When nothing is to be changed.
    pub freezes: Vec<Freeze>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            clusters_at_once: 3,
            pods_at_once: 250,
            pool_percent: 10,
            one_zone: true,
            freezes: Vec::new(),
        }
    }
}

/// A time in which clusters are not to be changed.
#[derive(Clone, PartialEq, Debug)]
pub struct Freeze {
    /// A glob over cluster names; `*` for all.
    pub clusters: String,
    /// Why, in the words of the settings; may be empty.
    pub why: Text,
    /// The zone in which its times are meant, and what it is called.
    pub zone: TimeZone,
    /// That zone's name, for people.
    pub zone_name: Text,
    /// When.
    pub when: Window,
}

/// A window of time on a wall clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// From one moment to another.
    Once(civil::DateTime, civil::DateTime),
    /// On these days of the week (Monday first), from one time to another; over midnight into
    /// the next day when it ends before it begins.
    Weekly([bool; 7], civil::Time, civil::Time),
}

impl Freeze {
    /// Whether it holds for a cluster now, and then how it is said: `end of year, until
    /// 2027-01-04 06:00 Europe/Berlin`.
    #[must_use]
    pub fn holds(&self, cluster: &str, now: Time) -> Option<String> {
        if !glob(&self.clusters, cluster) {
            return None;
        }
        let local = jiff::Timestamp::from_millisecond(now.millis()).ok()?;
        let local = local.to_zoned(self.zone.clone()).datetime();
        let until = self.when.end(local)?;
        let why = if self.why.is_empty() { "freeze window" } else { self.why.as_str() };
        Some(format!("{why}, until {} {}", until.strftime("%Y-%m-%d %H:%M"), self.zone_name))
    }
}

impl Window {
    /// When the window that holds at this local time ends; `None` outside of it.
    fn end(&self, local: civil::DateTime) -> Option<civil::DateTime> {
        match *self {
            Window::Once(from, until) => (from <= local && local < until).then_some(until),
            Window::Weekly(days, from, until) => {
                let today = local.date();
                let on = |date: civil::Date| {
                    let day = date.weekday().to_monday_zero_offset();
                    usize::try_from(day).ok().and_then(|day| days.get(day)).copied().unwrap_or(false)
                };
                let over_midnight = until <= from;
                let ends = |date: civil::Date| {
                    let last = if over_midnight { date.tomorrow().ok()? } else { date };
                    Some(last.to_datetime(until))
                };
                if on(today) && local.time() >= from && (over_midnight || local.time() < until) {
                    return ends(today);
                }
                let yesterday = today.yesterday().ok()?;
                let still = over_midnight && on(yesterday) && local.time() < until;
                if still { ends(yesterday) } else { None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freeze(when: Window) -> Freeze {
        Freeze {
            clusters: "*prod*".to_owned(),
            why: "end of year".into(),
            // Berlin's winter time, whatever zones this machine knows.
            zone: TimeZone::fixed(jiff::tz::offset(1)),
            zone_name: "Europe/Berlin".into(),
            when,
        }
    }

    fn holds(freeze: &Freeze, at: &str) -> Option<String> {
        freeze.holds("eu-prod-1", Time::parse(at).unwrap())
    }

    #[test]
    fn a_window_holds_by_the_clock_of_its_zone() {
        let from: civil::DateTime = "2026-12-20T00:00".parse().unwrap();
        let once = freeze(Window::Once(from, "2027-01-04T06:00".parse().unwrap()));
        assert_eq!(holds(&once, "2026-12-19T22:59:59Z"), None);
        let said = "end of year, until 2027-01-04 06:00 Europe/Berlin";
        assert_eq!(holds(&once, "2026-12-19T23:00:00Z").as_deref(), Some(said));
        assert_eq!(holds(&once, "2027-01-04T05:00:00Z"), None);
        assert_eq!(once.holds("eu-dev-1", Time::parse("2026-12-25T12:00:00Z").unwrap()), None);
    }

    #[test]
    fn a_weekly_window_may_go_over_midnight() {
        // Friday only.
        let days = [false, false, false, false, true, false, false];
        let night = freeze(Window::Weekly(days, civil::time(16, 0, 0, 0), civil::time(6, 0, 0, 0)));
        // 2026-11-20 is a Friday; the zone is an hour ahead.
        assert_eq!(holds(&night, "2026-11-20T14:59:00Z"), None);
        let said = "end of year, until 2026-11-21 06:00 Europe/Berlin";
        assert_eq!(holds(&night, "2026-11-20T15:00:00Z").as_deref(), Some(said));
        assert_eq!(holds(&night, "2026-11-21T04:59:00Z").as_deref(), Some(said));
        assert_eq!(holds(&night, "2026-11-21T05:00:00Z"), None);
        let noon = freeze(Window::Weekly(days, civil::time(11, 0, 0, 0), civil::time(13, 0, 0, 0)));
        assert!(holds(&noon, "2026-11-20T11:30:00Z").is_some());
        assert_eq!(holds(&noon, "2026-11-20T12:00:00Z"), None);
    }
}
