//! Colours: how they are written, and what becomes of them on a terminal with fewer.

use ratatui::style::Color;

/// How many colours a terminal shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Depth {
    /// None: bold, dim, underline and reverse remain.
    None,
    /// The terminal's own sixteen.
    Ansi,
    /// The xterm palette of 256.
    Indexed,
    /// 24 bits.
    True,
}

/// The sixteen, as people write them. Bright black is left out on purpose: palettes exist in
/// which it is the background (Solarized), so what it colours is invisible there.
const NAMED: [(&str, Color); 16] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("light-red", Color::LightRed),
    ("light-green", Color::LightGreen),
    ("light-yellow", Color::LightYellow),
    ("light-blue", Color::LightBlue),
    ("light-magenta", Color::LightMagenta),
    ("light-cyan", Color::LightCyan),
    ("light-white", Color::White),
];

/// A colour from its text: a name of the sixteen, `#rrggbb`, or a number of the 256.
///
/// # Errors
/// Says what a colour looks like when this is none, or that it is bright black.
pub fn parse_color(text: &str) -> Result<Color, String> {
    if let Some((_, color)) = NAMED.iter().find(|(name, _)| *name == text) {
        return Ok(*color);
    }
    if let Some(hex) =
        text.strip_prefix('#').filter(|h| h.len() == 6 && h.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        let channel = |at: usize| u8::from_str_radix(hex.get(at..at + 2).unwrap_or("0"), 16).unwrap_or(0);
        return Ok(Color::Rgb(channel(0), channel(2), channel(4)));
    }
    if matches!(text, "8" | "light-black" | "bright-black" | "gray" | "grey" | "dark-gray") {
        return Err("bright black is invisible in some terminals' palettes; use dim text instead".to_owned());
    }
    match text.parse::<u8>() {
        Ok(index @ 0..=15) => Ok(ANSI[usize::from(index)].0),
        Ok(index) => Ok(Color::Indexed(index)),
        Err(_) => {
            let names = NAMED.map(|(name, _)| name).join(", ");
            Err(format!("{text:?} is no colour; expected \"#rrggbb\", 0 to 255, or one of {names}"))
        }
    }
}

/// The sixteen with xterm's own values, for finding the nearest.
const ANSI: [(Color, (u8, u8, u8)); 16] = [
    (Color::Black, (0, 0, 0)),
    (Color::Red, (205, 0, 0)),
    (Color::Green, (0, 205, 0)),
    (Color::Yellow, (205, 205, 0)),
    (Color::Blue, (0, 0, 238)),
    (Color::Magenta, (205, 0, 205)),
    (Color::Cyan, (0, 205, 205)),
    (Color::Gray, (229, 229, 229)),
    (Color::DarkGray, (127, 127, 127)),
    (Color::LightRed, (255, 0, 0)),
    (Color::LightGreen, (0, 255, 0)),
    (Color::LightYellow, (255, 255, 0)),
    (Color::LightBlue, (92, 92, 255)),
    (Color::LightMagenta, (255, 0, 255)),
    (Color::LightCyan, (0, 255, 255)),
    (Color::White, (255, 255, 255)),
];

/// A colour on a terminal of this depth; `None` where there are no colours.
#[must_use]
pub fn down(color: Color, depth: Depth) -> Option<Color> {
    match (color, depth) {
        (_, Depth::None) => None,
        (Color::Rgb(r, g, b), Depth::Indexed) => Some(Color::Indexed(nearest_indexed((r, g, b)))),
        (Color::Rgb(..) | Color::Indexed(16..), Depth::Ansi) => rgb(color).map(nearest_ansi),
        (color, _) => Some(color),
    }
}

/// The value of a colour, as xterm has it; `None` for the terminal's default.
fn rgb(color: Color) -> Option<(u8, u8, u8)> {
    match color {
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Indexed(index @ 16..=231) => {
            let level = |n: u8| if n == 0 { 0 } else { n * 40 + 55 };
            let cube = index - 16;
            Some((level(cube / 36), level(cube / 6 % 6), level(cube % 6)))
        }
        Color::Indexed(index @ 232..) => {
            let level = (index - 232) * 10 + 8;
            Some((level, level, level))
        }
        Color::Indexed(index) => ANSI.get(usize::from(index)).map(|(_, value)| *value),
        named => ANSI.iter().find(|(color, _)| *color == named).map(|(_, value)| *value),
    }
}

fn nearest_indexed(value: (u8, u8, u8)) -> u8 {
    let far = |index: &u8| rgb(Color::Indexed(*index)).map_or(u32::MAX, |other| distance(value, other));
    (16..=255).min_by_key(far).unwrap_or(231)
}

fn nearest_ansi(value: (u8, u8, u8)) -> Color {
    let usable = ANSI.iter().filter(|(color, _)| *color != Color::DarkGray);
    usable.min_by_key(|(_, other)| distance(value, *other)).map_or(Color::Gray, |(color, _)| *color)
}

/// Distance of two colours; green weighs most, as in the eye.
fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
    3 * square(a.0, b.0) + 4 * square(a.1, b.1) + 2 * square(a.2, b.2)
}

/// The contrast of two colours by WCAG 2.1, from 1 to 21; `None` when the terminal decides one.
#[must_use]
pub fn contrast(a: Color, b: Color) -> Option<f64> {
    let (a, b) = (luminance(rgb(a)?), luminance(rgb(b)?));
    Some((a.max(b) + 0.05) / (a.min(b) + 0.05))
}

fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
    let linear = |channel: u8| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read() {
        assert_eq!(parse_color("#FF8000"), Ok(Color::Rgb(255, 128, 0)));
        assert_eq!(parse_color("208"), Ok(Color::Indexed(208)));
        assert_eq!(parse_color("9"), Ok(Color::LightRed));
        assert_eq!(parse_color("light-cyan"), Ok(Color::LightCyan));
        for bad in ["8", "bright-black"] {
            assert!(parse_color(bad).unwrap_err().contains("invisible"));
        }
        for bad in ["#ff80", "#ggffff", "256", "crimson", "", "#é€"] {
            assert!(parse_color(bad).unwrap_err().contains("expected"), "{bad}");
        }
    }

    #[test]
    fn fewer_colours_never_mean_bright_black() {
        for r in (0..=255).step_by(17) {
            for g in (0..=255).step_by(17) {
                for b in (0..=255).step_by(17) {
                    let color = Color::Rgb(r, g, b);
                    assert_ne!(down(color, Depth::Ansi), Some(Color::DarkGray));
                    assert!(matches!(down(color, Depth::Indexed), Some(Color::Indexed(16..))));
                }
            }
        }
        assert_eq!(down(Color::Rgb(255, 0, 0), Depth::Indexed), Some(Color::Indexed(196)));
        assert_eq!(down(Color::Indexed(196), Depth::Ansi), Some(Color::LightRed));
        assert_eq!(down(Color::Red, Depth::Ansi), Some(Color::Red));
        assert_eq!(down(Color::Red, Depth::None), None);
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let known = contrast(Color::Rgb(255, 255, 255), Color::Rgb(0, 0, 0)).unwrap();
        assert!((known - 21.0).abs() < 0.01);
        let gray = contrast(Color::Rgb(0x77, 0x77, 0x77), Color::Rgb(255, 255, 255)).unwrap();
        assert!((gray - 4.48).abs() < 0.01);
    }
}
