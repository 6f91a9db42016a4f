//! How long a server takes to begin its answers, told when it is news.

use crate::cluster::Session;
use crate::model::{Change, Span};

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Pulse(Option<Span>);

impl Pulse {
    /// The session's latency now, when it differs from what was told in what people read: its first
    /// two digits.
    pub(super) fn news(&mut self, session: &Session) -> Option<Change> {
        let now = session.p95().map(rounded)?;
        (self.0.replace(now) != Some(now)).then_some(Change::Latency(now))
    }
}

/// Whole milliseconds, from 100 on to two digits.
fn rounded(span: Span) -> Span {
    let mut step = 1;
    while span.millis() / step >= 100 {
        step *= 10;
    }
    Span::from_millis((span.millis() + step / 2) / step * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_read() {
        for (millis, read) in
            [(0, 0), (7, 7), (99, 99), (104, 100), (105, 110), (1_849, 1_800), (30_000, 30_000)]
        {
            assert_eq!(rounded(Span::from_millis(millis)), Span::from_millis(read), "{millis}");
        }
    }
}
