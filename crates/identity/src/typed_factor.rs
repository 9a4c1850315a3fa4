//! What somebody types as a second factor.

use tegata_core::OneTimeCode;
use tegata_core::name::composed_narrow;
use zeroize::Zeroizing;

/// What somebody typed as a second factor.
pub(crate) enum TypedFactor {
    /// Six digits of an app.
    Totp(u32),
    /// A code on paper.
    Code(OneTimeCode),
    /// Something that is neither.
    Neither,
}

impl TypedFactor {
    /// Any case and width, with or without spaces and hyphens.
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
        OneTimeCode::parse(&plain).map_or(Self::Neither, Self::Code)
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
        let wide: String = shown.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
        for typed in
            [&shown, &shown.to_lowercase(), &shown.replace('-', " "), &wide, &shown.replace('0', "O")]
        {
            let TypedFactor::Code(read) = TypedFactor::parse(typed) else { panic!("{typed}") };
            assert_eq!(read.hash(), code.hash());
        }
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
