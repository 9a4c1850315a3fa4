//! What an outside directory calls a person or a site: its own number for them, one within a tenant.

use crate::language::Language;
use crate::name::hides;
use std::fmt;

/// The most characters of a key.
const LONGEST: usize = 255;

/// A key of an outside directory. It is compared octet by octet: whoever made it knows how it is written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ExternalKey(String);

/// Why a text cannot be a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotAnExternalKey {
    /// Nothing is left of it.
    Empty,
    /// It has more than 255 characters.
    TooLong,
    /// It holds a character that nobody sees.
    Hidden(char),
}

impl ExternalKey {
    /// From what a directory or a list says; spaces around it are no part of it.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, NotAnExternalKey> {
        let key = text.trim();
        if let Some(hidden) = key.chars().find(|character| hides(*character)) {
            return Err(NotAnExternalKey::Hidden(hidden));
        }
        match key.chars().count() {
            0 => Err(NotAnExternalKey::Empty),
            1..=LONGEST => Ok(Self(key.to_owned())),
            _ => Err(NotAnExternalKey::TooLong),
        }
    }

    /// The key as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl NotAnExternalKey {
    /// What is wrong, for the person who gave it.
    pub fn text(self, language: Language) -> String {
        match (self, language) {
            (Self::Empty, Language::Ja) => "外部キーが空です".into(),
            (Self::Empty, Language::En) => "the external key is empty".into(),
            (Self::TooLong, Language::Ja) => format!("外部キーは{LONGEST}文字以内にしてください"),
            (Self::TooLong, Language::En) => format!("the external key has more than {LONGEST} characters"),
            (Self::Hidden(character), Language::Ja) => {
                format!("外部キーに見えない文字 (U+{:04X}) があります", u32::from(character))
            }
            (Self::Hidden(character), Language::En) => {
                format!("the external key holds U+{:04X}, which nobody sees", u32::from(character))
            }
        }
    }
}

impl fmt::Display for NotAnExternalKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(Language::En))
    }
}

impl std::error::Error for NotAnExternalKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_as_its_directory_writes_it() {
        for key in ["100234", "00u1ab-C", "社員-7", "4f6a0c1e-9b1f-4c57-8f1e-0d0f5e6b1a2c"] {
            assert_eq!(ExternalKey::parse(&format!(" {key} ")).unwrap().as_str(), key);
        }
        assert_ne!(ExternalKey::parse("a1"), ExternalKey::parse("A1"));
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_with_the_reason() {
        assert_eq!(ExternalKey::parse("  "), Err(NotAnExternalKey::Empty));
        assert_eq!(ExternalKey::parse(&"x".repeat(256)), Err(NotAnExternalKey::TooLong));
        assert_eq!(ExternalKey::parse("1\u{202e}2"), Err(NotAnExternalKey::Hidden('\u{202e}')));
        assert_eq!(ExternalKey::parse("1\n2"), Err(NotAnExternalKey::Hidden('\n')));
    }
}
