//! Pictures in SVG, drawn on the server: bars and lines for numbers of a table that stands beside them.
//!
//! Nothing is said by color alone: areas differ by their patterns, lines by their dashes and marks, and each has its number or its
//! name beside it. Coordinates are tenths of a unit in whole numbers, so that a picture is the same everywhere.

mod bars;
mod lines;

pub(crate) use bars::{Bar, BarChart};
pub(crate) use lines::{Line, LineChart, Tick};

use std::fmt::{self, Display, Write};

/// The width of every picture, in units. Pages scale it to the column it stands in.
const WIDTH: u64 = 400;

/// The height of a line of text.
const LINE: u64 = 22;

/// Patterns that areas are told apart by; more areas than patterns begin anew.
const PATTERNS: usize = 6;

/// The part of a document that is being written.
struct Canvas {
    id: String,
    content: String,
    height: u64,
}

/// A number of tenths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Tenths(u64);

impl Display for Tenths {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

impl Tenths {
    const fn units(units: u64) -> Self {
        Self(units * 10)
    }
}

/// The share of `whole` that `value` is of `most`, rounded down.
fn share(value: u64, most: u64, whole: Tenths) -> Tenths {
    let most = u128::from(most.max(1));
    let part = u128::from(value) * u128::from(whole.0) / most;
    Tenths(u64::try_from(part).unwrap_or(whole.0).min(whole.0))
}

impl Canvas {
    /// `id` is unique on the page, and made of letters.
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), content: String::new(), height: 0 }
    }

    /// Adds a piece of the document.
    fn add(&mut self, piece: fmt::Arguments<'_>) {
        let _ = self.content.write_fmt(piece);
    }

    /// A line of text that begins at `x`, or ends there.
    fn text(&mut self, (x, y): (u64, u64), anchor: &str, text: &str) {
        let text = escaped(text);
        self.add(format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"));
    }

    /// An area with the pattern of this number.
    fn area(&mut self, [x, y, width, height]: [Tenths; 4], pattern: usize) {
        let (id, pattern) = (self.id.clone(), pattern % PATTERNS);
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"url(#{id}-{pattern})\" \
             stroke=\"#154468\" stroke-width=\"1\"/>"
        ));
    }

    /// The whole document, with what it says for whoever does not see it.
    fn finished(self, title: &str, summary: &str) -> String {
        let Self { id, content, height } = self;
        let (title, summary) = (escaped(title), escaped(summary));
        let patterns: String = (0..PATTERNS).map(|number| pattern(&id, number)).collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{title}\" aria-describedby=\"{id}-summary\" font-size=\"14\" fill=\"#1f2a30\">\
             <title id=\"{id}-title\">{title}</title><desc id=\"{id}-summary\">{summary}</desc>\
             <defs>{patterns}</defs>{content}</svg>"
        )
    }
}

/// Each is told from the others on a page without colors.
fn pattern(id: &str, number: usize) -> String {
    let drawn = match number {
        0 => "<rect width=\"8\" height=\"8\" fill=\"#1d5a8a\"/>",
        1 => {
            "<rect width=\"8\" height=\"8\" fill=\"#fff\"/><path d=\"M0 8L8 0\" stroke=\"#154468\" stroke-width=\"2\"/>"
        }
        2 => {
            "<rect width=\"8\" height=\"8\" fill=\"#fff\"/><circle cx=\"4\" cy=\"4\" r=\"2\" fill=\"#154468\"/>"
        }
        3 => {
            "<rect width=\"8\" height=\"8\" fill=\"#b98a4e\"/><path d=\"M0 0L8 8M8 0L0 8\" stroke=\"#1f2a30\" \
             stroke-width=\"1\"/>"
        }
        4 => {
            "<rect width=\"8\" height=\"8\" fill=\"#fff\"/><path d=\"M0 4H8\" stroke=\"#154468\" stroke-width=\"3\"/>"
        }
        _ => "<rect width=\"8\" height=\"8\" fill=\"#fff\"/>",
    };
    format!(
        "<pattern id=\"{id}-{number}\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">{drawn}</pattern>"
    )
}

/// What XML reads as this text. A character that it does not allow at all becomes a space.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// No wider than so many units of text at this size, where a letter of Japanese takes 14 and one of Latin 8.
fn shortened(text: &str, most: u64) -> String {
    let width = |letter: char| if letter.is_ascii() { 8 } else { 14 };
    if text.chars().map(width).sum::<u64>() <= most {
        return text.to_owned();
    }
    let mut taken = 14;
    let fits = text.chars().take_while(|letter| {
        taken += width(*letter);
        taken <= most
    });
    let mut short: String = fits.collect();
    short.push('…');
    short
}

/// With a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests;
