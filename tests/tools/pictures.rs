//! Takes the pictures of the README: the built binary on the embedded fleet, in a real
//! pseudo-terminal, drawn as SVG.
//!
//! ```text
//! cargo build --release && cargo run --example pictures -- target/release/quarterdeck assets
//! ```

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use color_eyre::eyre::{Result, eyre};
use driver::Session;

/// A picture: its name, the keys that lead to it from the first screen, and what shows that it
/// is there.
const PICTURES: [(&str, &str, &str); 6] = [
    ("health", "2", "[2 Health]"),
    ("fleet", "1", "[1 Fleet]"),
    ("placement", "3", "[3 Placement]"),
    ("scaling", "4", "[4 Scaling]"),
    ("cost", "5", "[5 Cost]"),
    ("objects", "0", "[0 Objects]"),
];

const SIZE: (u16, u16) = (132, 38);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary, folder] = arguments.as_slice() else {
        return Err(eyre!("usage: pictures BINARY FOLDER"));
    };
    let home = tempfile::tempdir()?;
    let variables =
        [("QUARTERDECK_HOME", home.path().to_str().unwrap_or_default()), ("COLORTERM", "truecolor")];
    let mut session = Session::start(Path::new(binary), &["demo"], &variables, SIZE);
    let wait = Duration::from_secs(180);
    // The incidents of the demo are what the pictures show.
    for there in ["ImagePullBackOff", "NotReady, pool", "◌"] {
        session.wait_for_text(wait, there).map_err(|why| eyre!(why))?;
    }
    for (name, keys, there) in PICTURES {
        session.keys(keys);
        session.wait_for_text(Duration::from_secs(10), there).map_err(|why| eyre!(why))?;
        session.settle(Duration::from_millis(600), Duration::from_secs(2));
        std::fs::write(Path::new(folder).join(format!("{name}.svg")), svg(session.screen()))?;
    }
    Ok(())
}

/// Cells of a monospaced font, in user units.
const CELL: (u32, u32) = (8, 17);

/// The screen as SVG: a background, a rectangle for each run of cells with another one, and text.
fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (u32::from(u16::from(rows)), u32::from(u16::from(columns)));
    let (width, height) = (columns * CELL.0 + 16, rows * CELL.1 + 16);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#11151c\"/>\n"
    );
    for row in 0..rows {
        for run in runs(screen, row, columns) {
            run.write(&mut out, row);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Cells of one row with one look.
struct Run {
    column: u32,
    text: String,
    cells: u32,
    ink: String,
    paper: Option<String>,
    bold: bool,
}

fn runs(screen: &vt100::Screen, row: u32, columns: u32) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let place = (u16::try_from(row).unwrap_or(0), u16::try_from(column).unwrap_or(0));
        let Some(cell) = screen.cell(place.0, place.1) else { continue };
        if cell.is_wide_continuation() {
            if let Some(run) = runs.last_mut() {
                run.cells += 1;
            }
            continue;
        }
        let (mut ink, mut paper) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
        if cell.inverse() {
            (ink, paper) = (paper.or(Some("#11151c".into())), ink.or(Some("#c9d1d9".into())));
        }
        let ink = ink.unwrap_or_else(|| if cell.dim() { "#7d8590".into() } else { "#c9d1d9".into() });
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match runs.last_mut() {
            Some(run) if run.ink == ink && run.paper == paper && run.bold == cell.bold() => {
                run.text.push_str(text);
                run.cells += 1;
            }
            _ => runs.push(Run { column, text: text.to_owned(), cells: 1, ink, paper, bold: cell.bold() }),
        }
    }
    runs
}

impl Run {
    fn write(&self, out: &mut String, row: u32) {
        let (x, y) = (8 + self.column * CELL.0, 8 + row * CELL.1);
        let width = self.cells * CELL.0;
        if let Some(paper) = &self.paper {
            let _ = writeln!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{paper}\"/>",
                CELL.1
            );
        }
        if !self.text.trim().is_empty() {
            let text = self.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let weight = if self.bold { " font-weight=\"bold\"" } else { "" };
            let _ = writeln!(
                out,
                "<text x=\"{x}\" y=\"{}\" fill=\"{}\" textLength=\"{width}\" xml:space=\"preserve\"{weight}>{text}</text>",
                y + 13,
                self.ink
            );
        }
    }
}

/// A terminal's colour; `None` is its default.
fn colour(colour: vt100::Color) -> Option<String> {
    const ANSI: [&str; 16] = [
        "#1c2128", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4", "#6e7681",
        "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#f0f6fc",
    ];
    match colour {
        vt100::Color::Default => None,
        vt100::Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        vt100::Color::Idx(index @ 0..16) => Some(ANSI[usize::from(index)].to_owned()),
        vt100::Color::Idx(index @ 16..232) => {
            let (index, step) = (index - 16, |v: u8| if v == 0 { 0 } else { 55 + v * 40 });
            Some(format!("#{:02x}{:02x}{:02x}", step(index / 36), step(index / 6 % 6), step(index % 6)))
        }
        vt100::Color::Idx(index) => {
            let grey = 8 + (index - 232) * 10;
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
    }
}
