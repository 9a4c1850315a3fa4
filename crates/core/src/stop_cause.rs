//! Why a device or a certificate was stopped, as an operator gave it. CRLs have the reasons of RFC 5280; this is
//! what pages show to people.

use crate::certificate::RevocationReason;
use crate::language::Language;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident $word:literal $ja:literal $en:literal;)*) => {
        /// The cause that was recorded when a device or a certificate was revoked.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum StopCause { $($(#[$doc])* $name),* }

        impl StopCause {
            /// All causes, in the order in which they are offered.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in the ledger.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// What the person before a stopped device reads.
            pub const fn told(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$name, Language::Ja) => $ja, (Self::$name, Language::En) => $en),*
                }
            }
        }
    };
}

causes! {
    /// The device is not where it should be.
    Lost "lost" "紛失または盗難のため停止されました。" "It was stopped because it was lost or stolen.";
    /// The key may be compromised.
    KeyCompromise "key_compromise" "鍵がほかの人の手に渡ったおそれがあるため停止されました。" "It was stopped because its key may be in other hands.";
    /// Another device or certificate took its place.
    Superseded "superseded" "新しい証明書や別の端末に置き換えられたため停止されました。" "It was stopped because a newer certificate or another device took its place.";
    /// It belongs elsewhere now.
    AffiliationChanged "affiliation_changed" "所属が変わったため停止されました。" "It was stopped because it belongs elsewhere now.";
    /// Nobody uses it any more.
    CessationOfOperation "cessation_of_operation" "使われなくなった端末として停止されました。" "It was stopped because it is no longer used.";
}

/// The text where nobody gave a reason.
pub const fn stopped_by_administrator(language: Language) -> &'static str {
    language.pick("管理者により停止されました。", "An administrator stopped it.")
}

impl StopCause {
    /// Reads its name in the ledger.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.as_str() == word)
    }

    /// The reason on lists of revoked certificates (RFC 5280 section 5.3.1).
    pub const fn reason(self) -> RevocationReason {
        match self {
            Self::Lost | Self::KeyCompromise => RevocationReason::KeyCompromise,
            Self::Superseded => RevocationReason::Superseded,
            Self::AffiliationChanged => RevocationReason::AffiliationChanged,
            Self::CessationOfOperation => RevocationReason::CessationOfOperation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_found_by_its_word_and_only_the_lost_are_called_lost() {
        for &cause in StopCause::ALL {
            assert_eq!(StopCause::parse(cause.as_str()), Some(cause));
            assert_eq!(cause.told(Language::Ja).contains("紛失"), cause == StopCause::Lost);
        }
        assert_eq!(StopCause::parse("unspecified"), None);
    }
}
