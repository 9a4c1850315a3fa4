//! Codes that work once in the place of a code of TOTP: those a person keeps on paper, and the one that somebody gives in an
//! emergency.

use crate::encoding::{base32, is_base32};
use crate::entropy::{Entropy, bytes};
use ring::digest::{SHA256, digest};
use std::fmt;
use zeroize::Zeroizing;

/// Characters: 80 bits in base 32.
const LENGTH: usize = 16;

/// 80 random bits. It never prints itself.
pub struct OneTimeCode(Zeroizing<String>);

impl OneTimeCode {
    /// Draws a new code from `entropy`.
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(base32(&bytes::<10>(entropy))))
    }

    /// Reads what somebody typed, without spaces and hyphens: in any case, `O`, `I` and `L` for the digits they look like.
    pub fn parse(typed: &str) -> Option<Self> {
        let digit = |character: char| match character.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        };
        let code = Zeroizing::new(typed.chars().map(digit).collect::<String>());
        is_base32(&code, LENGTH).then_some(Self(code))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Seeded;

    #[test]
    fn a_code_is_read_in_any_case_and_never_prints_itself() {
        let code = OneTimeCode::random(&Seeded::new(3));
        let shown = code.reveal().to_string();
        assert_eq!(shown.len(), LENGTH + 3);
        let plain = shown.replace('-', "");
        for typed in [&plain, &plain.to_lowercase(), &plain.replace('0', "O"), &plain.replace('1', "l")] {
            assert_eq!(OneTimeCode::parse(typed).map(|read| read.hash()), Some(code.hash()), "{typed}");
        }
        assert!(OneTimeCode::parse(&shown).is_none() && OneTimeCode::parse("").is_none());
        assert_eq!(format!("{code:?}"), "OneTimeCode(…)");
    }
}
