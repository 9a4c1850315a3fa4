//! Codes that work once in the place of a code of TOTP: those a person keeps on paper, and the one that somebody gives in an
//! emergency.

use ring::digest::{SHA256, digest};
use std::fmt;
use tegata_core::Entropy;
use tegata_core::encoding::{base32, is_base32};
use tegata_core::entropy::bytes;
use tegata_core::name::composed_narrow;
use zeroize::Zeroizing;

/// Characters: 80 bits in base 32.
const LENGTH: usize = 16;

/// 80 random bits. It never prints itself.
pub struct OneTimeCode(Zeroizing<String>);

/// What somebody typed as a second factor.
pub(crate) enum TypedFactor {
    /// Six digits of an app.
    Totp(u32),
    /// A code on paper.
    Code(OneTimeCode),
    /// Something that is neither.
    Neither,
}

impl OneTimeCode {
    /// Draws a new code from `entropy`.
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(base32(&bytes::<10>(entropy))))
    }

    /// The form that is written down: `7K3Q-9FMX-21VE-W0T8`.
    pub fn reveal(&self) -> Zeroizing<String> {
        let code = self.0.to_ascii_uppercase();
        let groups: Vec<_> = code.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect();
        Zeroizing::new(groups.join("-"))
    }

    /// What the ledger keeps. A plain hash suffices: 80 random bits cannot be searched.
    pub fn hash(&self) -> Vec<u8> {
        digest(&SHA256, self.0.as_bytes()).as_ref().to_vec()
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OneTimeCode(…)")
    }
}

impl TypedFactor {
    /// Any case and width, with or without spaces and hyphens, `O`, `I` and `L` for the digits they look like.
    pub(crate) fn parse(typed: &str) -> Self {
        if typed.len() > 200 {
            return Self::Neither;
        }
        let is_between = |character: &char| character.is_whitespace() || "-‐−ー".contains(*character);
        let narrow = Zeroizing::new(composed_narrow(typed));
        let plain: String = narrow.chars().filter(|character| !is_between(character)).collect();
        let plain = Zeroizing::new(plain);
        if plain.len() == 6 && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            return plain.parse().map_or(Self::Neither, Self::Totp);
        }
        let digits = |character: char| match character.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        };
        let code = Zeroizing::new(plain.chars().map(digits).collect::<String>());
        if is_base32(&code, LENGTH) { Self::Code(OneTimeCode(code)) } else { Self::Neither }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[test]
    fn a_code_may_be_typed_as_it_is_read() {
        let code = OneTimeCode::random(&Seeded::new(3));
        let shown = code.reveal().to_string();
        assert_eq!(shown.len(), LENGTH + 3);
        let wide: String = shown.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
        for typed in
            [&shown, &shown.to_lowercase(), &shown.replace('-', " "), &wide, &shown.replace('0', "O")]
        {
            let TypedFactor::Code(read) = TypedFactor::parse(typed) else { panic!("{typed}") };
            assert_eq!(read.hash(), code.hash());
        }
        assert_eq!(format!("{code:?}"), "OneTimeCode(…)");
    }

    #[test]
    fn six_digits_are_the_apps_and_anything_else_is_nothing() {
        for typed in ["012345", " 012 345 ", "０１２３４５"] {
            assert!(matches!(TypedFactor::parse(typed), TypedFactor::Totp(12_345)), "{typed}");
        }
        for typed in ["", "12345", "1234567", "12345a", "七三七三七三", &"1".repeat(1000)] {
            assert!(matches!(TypedFactor::parse(typed), TypedFactor::Neither), "{typed}");
        }
    }
}
