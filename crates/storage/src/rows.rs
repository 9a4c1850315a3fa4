//! Builds one statement for many rows.
//!
//! The rows are a table of parameters that the rest of the statement selects from. A text exists for each power of two
//! only, so that the engines keep few prepared statements; what is left over is filled with rows of NULL, which the
//! statement must pass by (a join on one of the columns does).
//!
//! PostgreSQL numbers parameters. The driver of SQLite asks for the name of every numbered parameter, and each answer
//! looks through all of them; a bare `?` has no name. So one statement is written with both.

use sqlx::{PgConnection, SqliteConnection};
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
    texts: [OnceLock<BatchTexts>; SIZES],
}

/// One statement with the parameters of either engine.
struct BatchTexts {
    numbered: String,
    bare: String,
}

/// The statement for a number of rows.
#[derive(Clone, Copy)]
pub(crate) struct Batch {
    texts: &'static BatchTexts,
    /// How many rows must be bound.
    pub(crate) size: usize,
}

impl Batch {
    /// The form that the engine of this connection reads fastest.
    pub(crate) fn text<C: ParameterStyle>(self, _: &C) -> &'static str {
        if C::IS_NUMBERED { &self.texts.numbered } else { &self.texts.bare }
    }
}

/// How parameters stand in a statement.
pub(crate) trait ParameterStyle {
    const IS_NUMBERED: bool;
}

impl ParameterStyle for PgConnection {
    const IS_NUMBERED: bool = true;
}

impl ParameterStyle for SqliteConnection {
    const IS_NUMBERED: bool = false;
}

impl BatchStatement {
    pub(crate) const fn new(before: &'static str, columns: usize, after: &'static str) -> Self {
        Self::with(0, before, columns, after)
    }

    /// With numbered parameters of its own in `after`, which are bound first.
    pub(crate) const fn with(own: usize, before: &'static str, columns: usize, after: &'static str) -> Self {
        Self { before, columns, after, first: own + 1, texts: [const { OnceLock::new() }; SIZES] }
    }

    /// Columns of the table.
    pub(crate) const fn columns(&self) -> usize {
        self.columns
    }

    /// For this many rows, 1 to [`MOST`].
    pub(crate) fn of(&'static self, rows: usize) -> Batch {
        let size = rows.next_power_of_two();
        let texts = self.texts[size.ilog2() as usize].get_or_init(|| self.write(size));
        Batch { texts, size }
    }

    fn write(&self, size: usize) -> BatchTexts {
        let numbered = self.write_with(size, |text, number| {
            // Writing to a string cannot fail.
            let _ = write!(text, "${number}");
        });
        // Bare parameters are bound in the order of the text, where those of `after` come last.
        let bare =
            if self.first == 1 { self.write_with(size, |text, _| text.push('?')) } else { numbered.clone() };
        BatchTexts { numbered, bare }
    }

    fn write_with(&self, size: usize, place: impl Fn(&mut String, usize)) -> String {
        let mut text = self.before.to_owned();
        for row in 0..size {
            for column in 0..self.columns {
                text.push_str(match (row, column) {
                    (0, 0) => "(",
                    (_, 0) => "), (",
                    _ => ", ",
                });
                place(&mut text, self.first + row * self.columns + column);
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
        let texts = |batch: Batch| (batch.texts.numbered.as_str(), batch.texts.bare.as_str(), batch.size);
        assert_eq!(texts(PAIRS.of(1)), ("VALUES ($1, $2) AFTER", "VALUES (?, ?) AFTER", 1));
        let two = ("VALUES ($1, $2), ($3, $4) AFTER", "VALUES (?, ?), (?, ?) AFTER", 2);
        assert_eq!(texts(PAIRS.of(2)), two);
        assert_eq!(PAIRS.of(3).size, 4);
        assert_eq!(texts(LATER.of(2)), ("VALUES ($2), ($3); $1", "VALUES ($2), ($3); $1", 2));
    }

    #[test]
    fn any_number_of_rows_up_to_the_most_finds_a_text() {
        static ONE: BatchStatement = BatchStatement::new("VALUES ", 1, "");
        for rows in 1..=MOST {
            let Batch { texts, size } = ONE.of(rows);
            assert!(size >= rows && size < 2 * rows && texts.numbered.ends_with(&format!("(${size})")));
            assert_eq!(texts.bare.matches('?').count(), size);
        }
    }
}
