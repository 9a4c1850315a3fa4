//! Why somebody is refused, in words they can act on and a code support can look up.
//!
//! Every refusal is in one [table]. A code is a promise: it never changes its meaning and is never used again for
//! another.

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $code:literal $status:literal {
        ja: $ja_title:literal, $ja_advice:literal;
        en: $en_title:literal, $en_advice:literal;
    })*) => {
        /// One reason to refuse.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Refusal { $($(#[$doc])* $name),* }

        impl Refusal {
            /// All of them, for the documentation and the tests.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code support looks up.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The HTTP status of a response that reports it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// What happened, in a few words.
            pub const fn title(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$name, Language::Ja) => $ja_title, (Self::$name, Language::En) => $en_title),*
                }
            }

            /// What the reader can do about it.
            pub const fn advice(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$name, Language::Ja) => $ja_advice, (Self::$name, Language::En) => $en_advice),*
                }
            }

            /// The refusal that has this code; `None` for a code of no known refusal.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|refusal| refusal.code() == code)
            }
        }
    };
}

mod spoken;
mod table;

pub use spoken::SpokenCode;
pub use table::Refusal;

use crate::language::Language;

impl Refusal {
    /// What to do about a [`Refusal::MediaType`] where these media types are taken.
    pub fn media_type_advice(taken: &str, language: Language) -> String {
        match language {
            Language::Ja => format!("{taken} で送ってください。"),
            Language::En => format!("Send {taken}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn support_finds_exactly_one_reason_for_a_code() {
        let codes: HashSet<_> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
        assert_eq!(codes.len(), Refusal::ALL.len());
        for &refusal in Refusal::ALL {
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
            assert!((400..600).contains(&refusal.status()));
        }
    }

    #[test]
    fn every_refusal_says_what_happened_and_what_to_do_in_both_languages() {
        for &refusal in Refusal::ALL {
            for language in [Language::Ja, Language::En] {
                assert!(!refusal.title(language).is_empty() && !refusal.advice(language).is_empty());
            }
            assert!(!refusal.title(Language::Ja).is_ascii(), "{refusal:?}");
        }
    }
}
