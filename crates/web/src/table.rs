//! Tables of CSV, as people and programs write them.

mod charset;

use charset::decoded;
use csv::{ReaderBuilder, StringRecord, Trim};
use serde::de::DeserializeOwned;
use std::fmt;
use tegata_core::spreadsheet;

/// A table whose first line names its columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParsedTable {
    text: String,
    separator: u8,
}

/// Why nothing of a table can be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UnreadableTable {
    /// It is text in no charset that is taken, or not in the one that is named.
    Charset,
    /// Its first line names other columns than these.
    Columns(&'static [&'static str]),
}

/// A record with the line that it begins on, or what is wrong with it.
pub type TableRecord<T> = (u32, Result<T, String>);

impl fmt::Display for UnreadableTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Charset => formatter.write_str(
                "it is neither UTF-8 nor, as far as can be told, Shift_JIS or UTF-16: save it as \"CSV UTF-8\"",
            ),
            Self::Columns(columns) => {
                write!(formatter, "its first line must name the columns: {}", columns.join(","))
            }
        }
    }
}

impl ParsedTable {
    /// From a file or a body, in the charset that its sender names, if any.
    ///
    /// # Errors
    /// [`UnreadableTable::Charset`].
    pub fn read(bytes: &[u8], charset: Option<&str>) -> Result<Self, UnreadableTable> {
        let text = decoded(bytes, charset).ok_or(UnreadableTable::Charset)?;
        // Excel separates by tabulators where it writes UTF-16.
        let first = text.lines().next().unwrap_or_default();
        let separator = if first.contains('\t') && !first.contains(',') { b'\t' } else { b',' };
        Ok(Self { text, separator })
    }

    /// Each record with the line that it begins on, or what is wrong with it. `columns` are all that there may be, of which
    /// the first `needed` must be there.
    ///
    /// # Errors
    /// [`UnreadableTable::Columns`]. A table without even that line has no records.
    pub fn records<T: DeserializeOwned>(
        &self,
        columns: &'static [&'static str],
        needed: usize,
    ) -> Result<Vec<TableRecord<T>>, UnreadableTable> {
        let mut builder = ReaderBuilder::new();
        let mut reader = builder.delimiter(self.separator).trim(Trim::All).from_reader(self.text.as_bytes());
        let headers = reader.headers().cloned().unwrap_or_default();
        if headers.is_empty() {
            return Ok(Vec::new());
        }
        let is_needed = |column: &&str| headers.iter().any(|header| header == *column);
        if !columns[..needed].iter().all(is_needed) || !headers.iter().all(|header| columns.contains(&header))
        {
            return Err(UnreadableTable::Columns(columns));
        }
        let (mut records, mut record) = (Vec::new(), StringRecord::new());
        let mut lines = TableLines { text: self.text.as_bytes(), at: 0, line: 1 };
        loop {
            let read = match reader.read_record(&mut record) {
                Ok(false) => return Ok(records),
                Ok(true) => cells(&record).deserialize(Some(&headers)).map_err(|error| plain(&error)),
                Err(error) => Err(plain(&error)),
            };
            let begins = record.position().map_or(0, csv::Position::byte);
            records.push((lines.of(usize::try_from(begins).unwrap_or(usize::MAX)), read));
        }
    }
}

/// Counts lines in a text, however they end. Where a record begins, blank lines before it included, is asked in order.
struct TableLines<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
}

impl TableLines<'_> {
    /// The line of the first thing to be read behind `from`.
    fn of(&mut self, from: usize) -> u32 {
        while let Some(byte) = self.text.get(self.at) {
            let ends_line = matches!(byte, b'\r' | b'\n');
            if self.at >= from && !ends_line {
                break;
            }
            let is_first_of_two = *byte == b'\r' && self.text.get(self.at + 1) == Some(&b'\n');
            self.line += u32::from(ends_line && !is_first_of_two);
            self.at += 1;
        }
        self.line
    }
}

/// The cells without the marks by which spreadsheets guard texts against being read as formulas.
fn cells(record: &StringRecord) -> StringRecord {
    record.iter().map(spreadsheet::original).collect()
}

/// Without the position, which the report names itself.
fn plain(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("there are {len} cells for {expected_len} columns")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct TableRow {
        site: String,
        label: String,
    }

    fn records(text: &str) -> Result<Vec<TableRecord<TableRow>>, UnreadableTable> {
        ParsedTable::read(text.as_bytes(), None).unwrap().records(&["site", "label"], 2)
    }

    fn numbers(text: &str) -> Vec<u32> {
        records(text).unwrap().into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn a_record_is_named_by_its_first_line_however_lines_end() {
        for end in ["\n", "\r\n", "\r"] {
            let written = |lines: &[&str]| lines.join(end);
            let list = written(&[
                "site,label",
                "本店,\"a",
                "b\"",
                "本店,ok",
                "",
                "本店,1,2",
                "無い店,\"x",
                "\"",
                "本店,z",
            ]);
            assert_eq!(numbers(&list), [2, 4, 6, 7, 9], "{end:?}");
            assert_eq!(numbers(&(list + end + end)), [2, 4, 6, 7, 9], "{end:?}");
            assert_eq!(numbers(&written(&["", "site,label", "", "本店,a"])), [4]);
        }
    }

    #[test]
    fn what_a_spreadsheet_was_kept_from_calculating_is_read_as_it_was_meant() {
        let rows = records("site,label\n'=本店,'@1\n'本店,'a\n").unwrap();
        let rows: Vec<_> =
            rows.iter().map(|(_, row)| row.as_ref().map(|row| (&*row.site, &*row.label)).unwrap()).collect();
        assert_eq!(rows, [("=本店", "@1"), ("'本店", "'a")]);
    }

    #[test]
    fn a_table_may_be_separated_by_tabs_and_may_not_have_other_columns() {
        let rows = records("site\tlabel\n本店\ta,b\n").unwrap();
        assert_eq!(rows[0].1.as_ref().unwrap().label, "a,b");
        for other in
            ["name\n本店\n", "site\n本店\n", "site,label,price\n本店,a,1\n", "本店,レジ1\n", "site;label\n"]
        {
            assert!(matches!(records(other), Err(UnreadableTable::Columns(_))), "{other}");
        }
        assert!(records("").unwrap().is_empty() && records("site,label\n").unwrap().is_empty());
    }
}
