//! Bars that lie, one below the other. Where they have parts, name and number stand above each, so that neither is ever too wide
//! for it; otherwise beside it.

use super::{Canvas, LINE, Tenths, WIDTH, grouped, share, shortened};

/// From one bar to the next: its line of text, the bar, and some air.
const STEP: u64 = 46;
const THICKNESS: u64 = 14;

/// From one bar to the next where its name stands beside it, and where it begins and ends there.
const NARROW_STEP: u64 = 26;
const BESIDE: (u64, u64) = (150, WIDTH - 75);

/// What there is of anything is seen, however much there is of something else.
const LEAST: Tenths = Tenths(20);

/// Numbers of a table: a row for each bar, a column for each part.
pub(crate) struct BarChart<'a> {
    pub(crate) title: &'a str,
    /// What the picture says, in a sentence.
    pub(crate) summary: &'a str,
    /// The names of the parts, in their order; none where bars have one part.
    pub(crate) parts: &'a [String],
    pub(crate) bars: &'a [Bar],
}

/// One row of the table.
pub(crate) struct Bar {
    pub(crate) name: String,
    /// What stands at its right, in place of the number of all parts.
    pub(crate) said: Option<String>,
    /// A number for each part.
    pub(crate) values: Vec<u64>,
}

impl Bar {
    pub(super) fn sum(&self) -> u64 {
        self.values.iter().fold(0, |sum, value| sum.saturating_add(*value))
    }
}

impl BarChart<'_> {
    /// The picture, to stand on a page where nothing else has this identifier.
    pub(crate) fn svg(&self, id: &str) -> String {
        let mut canvas = Canvas::new(id);
        if self.parts.len() > 1 {
            self.legend(&mut canvas);
        }
        let most = self.bars.iter().map(Bar::sum).max().unwrap_or(0);
        for bar in self.bars {
            if self.parts.is_empty() {
                let ((from, until), top) = (BESIDE, canvas.height + 3);
                named(&mut canvas, bar, [from - 8, WIDTH - until - 5]);
                self.bar(&mut canvas, bar, most, [from, until, top]);
                canvas.height += NARROW_STEP;
            } else {
                named(&mut canvas, bar, [WIDTH - 130, 120]);
                let top = canvas.height + 21;
                self.bar(&mut canvas, bar, most, [1, WIDTH - 1, top]);
                canvas.height += STEP;
            }
        }
        canvas.height = canvas.height.max(LINE);
        canvas.finished(self.title, self.summary)
    }

    /// Two names in a line.
    fn legend(&self, canvas: &mut Canvas) {
        for (number, name) in self.parts.iter().enumerate() {
            let x = if number % 2 == 0 { 0 } else { WIDTH / 2 };
            let y = canvas.height;
            canvas.area([x + 1, y + 4, 14, 14].map(Tenths::units), number);
            canvas.text((x + 22, y + 16), "start", &shortened(name, WIDTH / 2 - 26));
            if number % 2 == 1 || number + 1 == self.parts.len() {
                canvas.height += LINE;
            }
        }
        canvas.height += 8;
    }

    fn bar(&self, canvas: &mut Canvas, bar: &Bar, most: u64, [from, end, top]: [u64; 3]) {
        let columns = u64::try_from(bar.values.len().max(self.parts.len())).unwrap_or(u64::MAX);
        let whole = Tenths(Tenths::units(end - from).0.saturating_sub(LEAST.0 * columns));
        let (mut x, mut before) = (Tenths::units(from), 0u64);
        for (number, value) in bar.values.iter().enumerate().filter(|(_, value)| **value > 0) {
            let until = before.saturating_add(*value);
            let width = Tenths(share(until, most, whole).0 - share(before, most, whole).0 + LEAST.0);
            canvas.area([x, Tenths::units(top), width, Tenths::units(THICKNESS)], number);
            (x.0, before) = (x.0 + width.0, until);
        }
        if bar.sum() == 0 {
            let bottom = top + THICKNESS;
            canvas.add(format_args!(
                "<path d=\"M{from} {top}V{bottom}\" stroke=\"#52606a\" stroke-width=\"1\"/>"
            ));
        }
    }
}

/// Name and number, in so much room.
fn named(canvas: &mut Canvas, bar: &Bar, [name, said]: [u64; 2]) {
    let y = canvas.height + 15;
    let text = bar.said.clone().unwrap_or_else(|| grouped(bar.sum()));
    canvas.text((0, y), "start", &shortened(&bar.name, name));
    canvas.text((WIDTH, y), "end", &shortened(&text, said));
}
