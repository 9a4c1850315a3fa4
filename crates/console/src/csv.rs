//! Files for a spreadsheet, sent piece by piece.

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use std::io;
use tegata_core::Timestamp;
use tegata_core::japan_date::in_japan;
use tegata_core::spreadsheet::neutralized;

/// Excel reads UTF-8 where the file says so.
pub(crate) const MARK: &str = "\u{feff}";

/// A line: RFC 4180, and nothing that a spreadsheet calculates.
pub(crate) fn line(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| quoted(&neutralized(cell))).collect();
    format!("{}\r\n", cells.join(","))
}

/// A time as a spreadsheet sorts it, by the clock of Japan like the pages: `2026-11-22 00:30:05`.
pub(crate) fn time(at: Timestamp) -> String {
    let date = in_japan(at.whole_second());
    format!("{} {:02}:{:02}:{:02}", date.date(), date.hour(), date.minute(), date.second())
}

fn quoted(cell: &str) -> String {
    let is_plain = !cell.contains(['"', ',', '\r', '\n']);
    if is_plain { cell.to_owned() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
}

/// A file of this name. An error within it cuts it off, so that nobody takes it for whole.
pub(crate) fn file(
    name: &'static str,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_commas_quotes_or_a_formula_stays_one_text() {
        assert_eq!(line(&["受付,1", "a\"b", "=1+1", "本店"]), "\"受付,1\",\"a\"\"b\",'=1+1,本店\r\n");
    }
}
