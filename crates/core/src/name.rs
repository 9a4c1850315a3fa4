//! Names that people give: of tenants, sites, devices and clients. One rule at every endpoint, so that what is shown is
//! what was meant, and two names that look alike are one.

mod characters;

pub use characters::hides;

use crate::language::Language;
use characters::{is_selector, selects};
use std::fmt;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The most characters of a device's label: it becomes part of the name in the browser's list (RFC 5280 appendix A.1,
/// ub-common-name).
pub const LONGEST_LABEL: usize = 64;

/// The most characters of the name of a tenant or a site.
pub const LONGEST_NAME: usize = 100;

/// A name as it is kept and shown: composed (NFC), without spaces around it, and nothing in it that is not seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name(String);

/// Why a text is no name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotAName {
    /// Nothing is left of it.
    Empty,
    /// It has more characters than this.
    TooLong(usize),
    /// It holds a character that nobody sees, or that changes how others are seen.
    Hidden(char),
    /// It begins with a mark that belongs to a character before it.
    LooseMark(char),
}

impl Name {
    /// What a device is called.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn label(text: &str) -> Result<Self, NotAName> {
        Self::parse(text, LONGEST_LABEL)
    }

    /// What a tenant or a site is called.
    ///
    /// # Errors
    /// As [`Name::label`].
    pub fn of_place(text: &str) -> Result<Self, NotAName> {
        Self::parse(text, LONGEST_NAME)
    }

    /// A name of at most `longest` characters.
    ///
    /// # Errors
    /// As [`Name::label`].
    pub fn parse(text: &str, longest: usize) -> Result<Self, NotAName> {
        let name: String = text.trim_matches(is_space).nfc().collect();
        let first = name.chars().next().ok_or(NotAName::Empty)?;
        let mut before = None;
        for character in name.chars() {
            let is_seen = if is_selector(character) {
                before.is_some_and(|before| selects(before, character))
            } else {
                !hides(character)
            };
            if !is_seen {
                return Err(NotAName::Hidden(character));
            }
            before = Some(character);
        }
        if is_combining_mark(first) {
            return Err(NotAName::LooseMark(first));
        }
        if name.chars().count() > longest {
            return Err(NotAName::TooLong(longest));
        }
        Ok(Self(name))
    }

    /// The name as it is shown to people.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is compared by.
    pub fn key(&self) -> String {
        comparison_key(&self.0)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What names are compared and looked up by: without regard to width, case, spaces and the variant of a glyph (NFKC, Unicode
/// Standard Annex 15). `ＰＣ　２`, `pc2` and `PC 2` have one key. Any text has one, also a part of a name that somebody types.
pub fn comparison_key(text: &str) -> String {
    let is_compared = |character: &char| !character.is_whitespace() && !is_selector(*character);
    // A kana's spacing mark is a space with a mark, once it is taken apart: without spaces the mark joins the kana.
    let apart = text.nfkd().filter(is_compared).flat_map(char::to_lowercase).collect::<String>();
    apart.nfkc().collect()
}

/// A text with its letters in the forms of ASCII where there are such (NFKC): what a Japanese keyboard types for a link.
pub fn composed_narrow(text: &str) -> String {
    text.nfkc().collect()
}

/// Whether two names are one.
pub fn is_same(one: &str, other: &str) -> bool {
    comparison_key(one) == comparison_key(other)
}

/// Why a text means no one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotOne {
    /// Nothing is called so.
    None,
    /// More than one thing has this name.
    Several,
}

/// Whether an identifier and a name are those of what is meant.
type NameRule<'a> = &'a dyn Fn(&str, &str) -> bool;

/// Where among `all` the one is that somebody means by its identifier or its name.
///
/// # Errors
/// [`NotOne`], unless an identifier, a name as it is written, or names that look alike leave exactly one.
pub fn position_of<T>(
    all: &[T],
    wanted: &str,
    id_and_name: impl Fn(&T) -> (&str, &str),
) -> Result<usize, NotOne> {
    let key = comparison_key(wanted);
    let matching = |is: NameRule<'_>| -> Vec<usize> {
        let is_wanted = |one: &T| {
            let (id, name) = id_and_name(one);
            is(id, name)
        };
        all.iter().enumerate().filter(|(_, one)| is_wanted(one)).map(|(place, _)| place).collect()
    };
    let rounds: [NameRule<'_>; 3] = [&|id, _| id == wanted, &|_, name| name == wanted, &|_, name| {
        !key.is_empty() && comparison_key(name) == key
    }];
    for is in rounds {
        match matching(is).as_slice() {
            [] => {}
            [one] => return Ok(*one),
            _ => return Err(NotOne::Several),
        }
    }
    Err(NotOne::None)
}

impl NotAName {
    /// A sentence for people that names the character.
    pub fn text(self, language: Language) -> String {
        match (self, language) {
            (Self::Empty, Language::Ja) => "名前が空です".into(),
            (Self::Empty, Language::En) => "the name is empty".into(),
            (Self::TooLong(longest), Language::Ja) => format!("名前は{longest}文字以内にしてください"),
            (Self::TooLong(longest), Language::En) => format!("the name has more than {longest} characters"),
            (Self::Hidden(character), _) => characters::described(character, language),
            (Self::LooseMark(character), Language::Ja) => {
                format!("名前の先頭に、前の文字に付くはずの記号 (U+{:04X}) があります", u32::from(character))
            }
            (Self::LooseMark(character), Language::En) => {
                format!("the name begins with a mark without its letter (U+{:04X})", u32::from(character))
            }
        }
    }
}

impl fmt::Display for NotAName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(Language::En))
    }
}

impl std::error::Error for NotAName {}

/// The spaces that a name may have: others, such as a line's end, are refused wherever they stand.
const fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\u{3000}' | '\u{a0}')
}

#[cfg(test)]
mod tests;
