//! The identifier by which a person signs in.

use crate::language::Language;
use crate::name::comparison_key;
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// The most characters of a login identifier.
const LONGEST: usize = 64;

/// The identifier a person signs in with: given once and never changed, one within a tenant. It is kept in the narrow forms of
/// NFKC and compared without regard to width and case. It need be no mail address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginId(String);

/// Why a text cannot be a login identifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotALoginId {
    /// Nothing is left of it.
    Empty,
    /// It has more than 64 characters.
    TooLong,
    /// It holds something else than letters, digits and `.-_@+`.
    Character(char),
}

impl LoginId {
    /// From what somebody gave.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, NotALoginId> {
        let login: String = text.trim().nfkc().collect();
        let may_be_in = |character: char| character.is_alphanumeric() || ".-_@+ー々".contains(character);
        if let Some(wrong) = login.chars().find(|character| !may_be_in(*character)) {
            return Err(NotALoginId::Character(wrong));
        }
        match login.chars().count() {
            0 => Err(NotALoginId::Empty),
            1..=LONGEST => Ok(Self(login)),
            _ => Err(NotALoginId::TooLong),
        }
    }

    /// The identifier as people read and type it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is compared by.
    pub fn key(&self) -> String {
        comparison_key(&self.0)
    }
}

impl fmt::Display for LoginId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl NotALoginId {
    /// A sentence for the person who typed it.
    pub fn text(self, language: Language) -> String {
        match (self, language) {
            (Self::Empty, Language::Ja) => "ログインIDが空です".into(),
            (Self::Empty, Language::En) => "the login ID is empty".into(),
            (Self::TooLong, Language::Ja) => format!("ログインIDは{LONGEST}文字以内にしてください"),
            (Self::TooLong, Language::En) => format!("the login ID has more than {LONGEST} characters"),
            (Self::Character(character), Language::Ja) => format!(
                "ログインIDに使えない文字 (U+{:04X}) があります。文字、数字、. - _ @ + が使えます",
                u32::from(character)
            ),
            (Self::Character(character), Language::En) => format!(
                "the login ID holds U+{:04X}: use letters, digits and . - _ @ +",
                u32::from(character)
            ),
        }
    }
}

impl fmt::Display for NotALoginId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(Language::En))
    }
}

impl std::error::Error for NotALoginId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_and_case_make_no_other_person() {
        let key = |text| LoginId::parse(text).unwrap().key();
        assert_eq!(key("Tanaka.01"), key("　ｔａｎａｋａ．０１ "));
        assert_eq!(key("ﾀﾅｶ"), key("タナカ"));
        assert_ne!(key("tanaka.01"), key("tanaka01"));
        assert_eq!(LoginId::parse("ｔａｎａｋａ").unwrap().as_str(), "tanaka");
    }

    #[test]
    fn a_login_id_needs_no_mail_address_and_may_be_one() {
        for good in ["a", "tanaka", "田中", "佐々木", "ユーザー1", "m.sato+shop@example.jp", &"x".repeat(64)]
        {
            assert!(LoginId::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_cannot_be_typed_again_is_refused_with_the_character() {
        for (wrong, why) in [
            ("", NotALoginId::Empty),
            ("  ", NotALoginId::Empty),
            ("a b", NotALoginId::Character(' ')),
            ("a\u{200b}b", NotALoginId::Character('\u{200b}')),
            ("a\u{202e}b", NotALoginId::Character('\u{202e}')),
            ("<script>", NotALoginId::Character('<')),
            ("a\nb", NotALoginId::Character('\n')),
        ] {
            assert_eq!(LoginId::parse(wrong), Err(why), "{wrong:?}");
        }
        assert_eq!(LoginId::parse(&"x".repeat(65)), Err(NotALoginId::TooLong));
    }
}
