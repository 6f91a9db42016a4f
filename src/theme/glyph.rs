//! Glyphs: one cell each, never emoji, and what stands for them in ASCII.

use crate::model::Tone;

/// The glyph of a tone; it says the same without any colour.
#[must_use]
pub const fn tone_glyph(tone: Tone) -> &'static str {
    match tone {
        Tone::Ok => "●",
        Tone::Paused => "‖",
        Tone::Moving => "◐",
        Tone::Connecting => "…",
        Tone::Denied => "⊘",
        Tone::Unseen => "◌",
        Tone::Warn => "▲",
        Tone::Crit => "✖",
    }
}

/// What stands for a drawn symbol on a terminal that only has ASCII.
const ASCII: [(&str, &str); 38] = [
    ("●", "o"),
    ("◐", "%"),
    ("▲", "!"),
    ("✖", "X"),
    ("◌", "?"),
    ("⊘", "#"),
    ("‖", "="),
    ("…", "."),
    ("✓", "+"),
    ("↑", "^"),
    ("↓", "v"),
    ("⇄", "&"),
    ("█", "#"),
    ("▒", "="),
    ("░", "."),
    ("▁", "_"),
    ("▂", "."),
    ("▃", "-"),
    ("▄", "="),
    ("▅", "+"),
    ("▆", "*"),
    ("▇", "%"),
    ("│", "|"),
    ("─", "-"),
    ("▸", ">"),
    ("▾", "v"),
    ("→", ">"),
    ("←", "<"),
    ("↔", "-"),
    ("·", "-"),
    ("×", "x"),
    ("≥", ">"),
    ("≤", "<"),
    ("–", "-"),
    ("—", "-"),
    ("−", "-"),
    ("␛", "?"),
    ("‹", "<"),
];

/// The ASCII symbol for a drawn one: itself when it is ASCII, `?` when nothing stands for it.
#[must_use]
pub fn ascii(symbol: &str) -> Option<&'static str> {
    if symbol.is_ascii() {
        return None;
    }
    Some(ASCII.iter().find(|(drawn, _)| *drawn == symbol).map_or("?", |(_, plain)| plain))
}

const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// The values as a line of `width` cells: the last ones, each between the smallest and the
/// largest of those shown. What is unknown is a gap.
#[must_use]
pub fn spark(values: &[Option<f64>], width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let known = shown.iter().flatten().copied().filter(|v| v.is_finite());
    let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let level = |value: f64| {
        let part = if high > low { (value - low) / (high - low) } else { 0.0 };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "part is 0 to 1")]
        let index = (part * 7.0).round() as usize;
        LEVELS[index.min(7)]
    };
    shown.iter().map(|v| v.filter(|v| v.is_finite()).map_or(" ", level)).collect()
}

/// A bar of `width` cells: done, under way, still to do.
#[must_use]
pub fn bar(done: usize, moving: usize, all: usize, width: usize) -> String {
    let cells = |part: usize| (part.min(all) * width).checked_div(all).unwrap_or(0);
    let full = cells(done);
    let half = cells(done.saturating_add(moving)).saturating_sub(full);
    format!("{}{}{}", "█".repeat(full), "▒".repeat(half), "░".repeat(width.saturating_sub(full + half)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn glyphs_are_one_cell_and_told_apart_without_colour() {
        let tones = [
            Tone::Ok,
            Tone::Paused,
            Tone::Moving,
            Tone::Connecting,
            Tone::Denied,
            Tone::Unseen,
            Tone::Warn,
            Tone::Crit,
        ];
        let drawn: std::collections::BTreeSet<_> = tones.map(tone_glyph).into();
        let plain: std::collections::BTreeSet<_> = tones.map(|t| ascii(tone_glyph(t)).unwrap()).into();
        assert_eq!((drawn.len(), plain.len()), (8, 8));
        for (symbol, plain) in ASCII {
            assert_eq!((symbol.width(), plain.width()), (1, 1), "{symbol}");
            assert!(plain.is_ascii());
        }
    }

    #[test]
    fn lines_and_bars_fit() {
        assert_eq!(spark(&[Some(0.0), None, Some(7.0), Some(3.5)], 10), "▁ █▅");
        assert_eq!(spark(&[Some(1.0), Some(2.0), Some(3.0)], 2), "▁█");
        assert_eq!(spark(&[Some(f64::NAN), Some(5.0)], 4), " ▁");
        assert_eq!(bar(12, 3, 18, 24), "████████████████▒▒▒▒░░░░");
        assert_eq!(bar(1, 0, 0, 4), "░░░░");
        assert_eq!(bar(9, 9, 3, 4), "████");
    }
}
