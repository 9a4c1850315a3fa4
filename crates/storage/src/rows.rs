//! Builds one statement for many rows.
//!
//! The rows are a table of parameters that the rest of the statement selects from. A text exists for each power of two
//! only, so that the engines keep few prepared statements; what is left over is filled with rows of NULL, which the
//! statement must pass by (a join on one of the columns does).

use std::fmt::Write;
use std::sync::OnceLock;

/// Rows in one statement at most.
pub(crate) const MOST: usize = 64;

const SIZES: usize = MOST.ilog2() as usize + 1;

/// A statement around a table of parameters.
pub(crate) struct BatchStatement {
    /// Up to `VALUES `.
    before: &'static str,
    columns: usize,
    after: &'static str,
    /// The number of the first parameter of the table.
    first: usize,
    texts: [OnceLock<String>; SIZES],
}

impl BatchStatement {
    pub(crate) const fn new(before: &'static str, columns: usize, after: &'static str) -> Self {
        Self::with(0, before, columns, after)
    }

    /// With parameters of its own in `after`, which are bound first.
    pub(crate) const fn with(own: usize, before: &'static str, columns: usize, after: &'static str) -> Self {
        Self { before, columns, after, first: own + 1, texts: [const { OnceLock::new() }; SIZES] }
    }

    /// The text for this many rows, 1 to [`MOST`], and the number of rows it has.
    pub(crate) fn of(&'static self, rows: usize) -> (&'static str, usize) {
        let size = rows.next_power_of_two();
        let text = self.texts[size.ilog2() as usize].get_or_init(|| self.write(size));
        (text, size)
    }

    fn write(&self, size: usize) -> String {
        let mut text = self.before.to_owned();
        for row in 0..size {
            for column in 0..self.columns {
                let joint = match (row, column) {
                    (0, 0) => "(",
                    (_, 0) => "), (",
                    _ => ", ",
                };
                let number = self.first + row * self.columns + column;
                // Writing to a string cannot fail.
                let _ = write!(text, "{joint}${number}");
            }
        }
        text.push(')');
        text.push_str(self.after);
        text
    }
}

/// Binds the columns of each row, and NULL in the rows that fill up to `size`.
macro_rules! bind_rows {
    ($query:expr, $rows:expr, $size:expr, $row:ident => [$($column:expr),+ $(,)?]) => {{
        let mut query = $query;
        for row in $rows.iter().map(Some).chain(std::iter::repeat(None)).take($size) {
            $(query = query.bind(row.map(|$row| $column));)+
        }
        query
    }};
}
pub(crate) use bind_rows;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_a_place_for_every_column_of_every_row() {
        static PAIRS: BatchStatement = BatchStatement::new("VALUES ", 2, " AFTER");
        static LATER: BatchStatement = BatchStatement::with(1, "VALUES ", 1, "; $1");
        assert_eq!(PAIRS.of(1), ("VALUES ($1, $2) AFTER", 1));
        assert_eq!(PAIRS.of(3), ("VALUES ($1, $2), ($3, $4), ($5, $6), ($7, $8) AFTER", 4));
        assert_eq!(LATER.of(2), ("VALUES ($2), ($3); $1", 2));
    }

    #[test]
    fn any_number_of_rows_up_to_the_most_finds_a_text() {
        static ONE: BatchStatement = BatchStatement::new("VALUES ", 1, "");
        for rows in 1..=MOST {
            let (text, size) = ONE.of(rows);
            assert!(size >= rows && size < 2 * rows && text.ends_with(&format!("(${size})")));
        }
    }
}
