//! Cells of CSV that a spreadsheet would calculate (CWE-1236). A file that Tegata writes is opened in Excel by people
//! who trust it; what a name says there must not become a formula.

use std::borrow::Cow;

/// What makes a cell a text.
const MARK: char = '\'';

/// The cell to write for a text: with a mark before what a spreadsheet takes for a formula, in full-width forms too.
/// [`original`] takes it off again.
pub fn neutralized(text: &str) -> Cow<'_, str> {
    if is_formula(text.trim_start_matches(MARK)) {
        Cow::Owned(format!("{MARK}{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text of a cell, as [`neutralized`] or a careful person wrote it.
pub fn original(cell: &str) -> &str {
    match cell.strip_prefix(MARK) {
        Some(text) if is_formula(text.trim_start_matches(MARK)) => text,
        _ => cell,
    }
}

/// Spreadsheets look past spaces, and some of them read the forms of a Japanese keyboard.
fn is_formula(text: &str) -> bool {
    matches!(text.chars().next(), Some('\t' | '\r' | '\n'))
        || matches!(
            text.trim_start().chars().next(),
            Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '−' | '﹣' | '﹢' | '﹦' | '﹫')
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cell_that_would_be_calculated_is_a_text_and_comes_back_as_it_was() {
        for formula in [
            "=1+1", "+81", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "＋1", "－1", "＠A1", "'=1",
            "''-1",
        ] {
            let cell = neutralized(formula);
            assert_eq!(cell, format!("'{formula}"));
            assert_eq!(original(&cell), formula);
        }
        for plain in ["", "受付PC", "a=b", "1-2", "'", "'受付'", "https://a.example/enroll#x"] {
            assert_eq!((neutralized(plain).as_ref(), original(plain)), (plain, plain));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(text in "['=+@ａ＝a\t-]{0,5}.{0,5}") {
            let cell = neutralized(&text);
            prop_assert_eq!(original(&cell), text.as_str());
        }
    }
}
