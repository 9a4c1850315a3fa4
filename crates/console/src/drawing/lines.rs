//! Lines over time, told apart by their dashes and marks.

use super::{Canvas, LINE, Tenths, WIDTH, grouped, share, shortened};

/// Where the lines are drawn.
const LEFT: u64 = 6;
const RIGHT: u64 = WIDTH - 6;
const TOP: u64 = 28;
const HEIGHT: u64 = 150;

/// Dashes and marks of the lines; more lines than there are begin anew.
const DASHES: [&str; 5] = ["none", "8 4", "2 4", "12 3 2 3", "4 2"];

/// Numbers of a table: a row for each moment, a column for each line.
pub(crate) struct LineChart<'a> {
    pub(crate) title: &'a str,
    /// What the picture says, in a sentence.
    pub(crate) summary: &'a str,
    pub(crate) lines: &'a [Line],
    /// What stands below the moments.
    pub(crate) ticks: &'a [Tick],
}

/// One column of the table.
pub(crate) struct Line {
    pub(crate) name: String,
    /// A number for each moment.
    pub(crate) values: Vec<u64>,
}

/// A moment that is named below the picture.
pub(crate) struct Tick {
    /// Which moment, from 0.
    pub(crate) place: usize,
    pub(crate) name: String,
}

impl LineChart<'_> {
    /// The picture, to stand on a page where nothing else has this identifier.
    pub(crate) fn svg(&self, id: &str) -> String {
        let mut canvas = Canvas::new(id);
        let most = self.lines.iter().flat_map(|line| line.values.iter().copied()).max().unwrap_or(0);
        let moments = self.lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
        grid(&mut canvas, most);
        for tick in self.ticks.iter().filter(|tick| tick.place < moments) {
            let x = across(tick.place, moments);
            let (from, until) = (TOP + HEIGHT, TOP + HEIGHT + 5);
            canvas.add(format_args!("<path d=\"M{x} {from}V{until}\" stroke=\"#52606a\"/>"));
            let (anchor, name) = (anchor_of(tick.place, moments), shortened(&tick.name, 100));
            canvas.text((x.0 / 10, TOP + HEIGHT + 20), anchor, &name);
        }
        canvas.height = TOP + HEIGHT + 34;
        for (number, line) in self.lines.iter().enumerate() {
            line.draw(&mut canvas, number, (most, moments));
        }
        canvas.finished(self.title, self.summary)
    }
}

/// A name at an end stays within the picture.
fn anchor_of(place: usize, moments: usize) -> &'static str {
    if place == 0 {
        "start"
    } else if place + 1 == moments {
        "end"
    } else {
        "middle"
    }
}

/// Lines for nothing, half and most, which the highest is named by.
fn grid(canvas: &mut Canvas, most: u64) {
    canvas.text((LEFT, TOP - 8), "start", &grouped(most));
    for y in [TOP, TOP + HEIGHT / 2, TOP + HEIGHT] {
        canvas.add(format_args!("<path d=\"M{LEFT} {y}H{RIGHT}\" stroke=\"#d9d6cb\"/>"));
    }
}

fn across(place: usize, moments: usize) -> Tenths {
    let number = |place: usize| u64::try_from(place).unwrap_or(u64::MAX);
    let last = number(moments.saturating_sub(1));
    let inner = Tenths::units(RIGHT - LEFT);
    Tenths(Tenths::units(LEFT).0 + share(number(place), last, inner).0)
}

impl Line {
    fn draw(&self, canvas: &mut Canvas, number: usize, (most, moments): (u64, usize)) {
        let dashes = DASHES[number % DASHES.len()];
        let places: Vec<_> = self
            .values
            .iter()
            .enumerate()
            .map(|(place, value)| {
                let risen = share(*value, most, Tenths::units(HEIGHT));
                (across(place, moments), Tenths(Tenths::units(TOP + HEIGHT).0 - risen.0))
            })
            .collect();
        let points: Vec<_> = places.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let points = points.join(" ");
        canvas.add(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"#1d5a8a\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/>"
        ));
        // A mark where there is something: most moments have nothing of most codes.
        for ((x, y), _) in places.iter().zip(&self.values).filter(|(_, value)| **value > 0) {
            mark(canvas, number, (*x, *y));
        }
        let y = canvas.height;
        let line = y + 11;
        canvas.add(format_args!(
            "<path d=\"M2 {line}H38\" stroke=\"#1d5a8a\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>"
        ));
        mark(canvas, number, (Tenths::units(20), Tenths::units(line)));
        canvas.text((46, y + 16), "start", &shortened(&self.name, WIDTH - 50));
        canvas.height += LINE;
    }
}

/// Circle, square, triangle, diamond, and a circle that is filled.
fn mark(canvas: &mut Canvas, number: usize, (x, y): (Tenths, Tenths)) {
    let at = move |x_moved: i64, y_moved: i64| {
        let moved = |at: Tenths, by: i64| Tenths(at.0.saturating_add_signed(by * 10));
        format!("{} {}", moved(x, x_moved), moved(y, y_moved))
    };
    let path = |corners: &[(i64, i64)]| {
        let corners: Vec<_> = corners.iter().map(|(x, y)| at(*x, *y)).collect();
        format!("<path d=\"M{}Z\" fill=\"#fff\" stroke=\"#154468\" stroke-width=\"1.5\"/>", corners.join("L"))
    };
    let drawn = match number % DASHES.len() {
        1 => path(&[(-3, -3), (3, -3), (3, 3), (-3, 3)]),
        2 => path(&[(0, -4), (4, 3), (-4, 3)]),
        3 => path(&[(0, -4), (4, 0), (0, 4), (-4, 0)]),
        number => {
            let fill = if number == 0 { "#fff" } else { "#154468" };
            format!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{fill}\" stroke=\"#154468\" stroke-width=\"1.5\"/>"
            )
        }
    };
    canvas.add(format_args!("{drawn}"));
}
