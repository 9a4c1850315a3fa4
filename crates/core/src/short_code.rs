//! The short code of an invitation: for a shared PC without mail, where somebody reads it out and somebody types it.

use crate::encoding::{base32, is_base32};
use crate::entropy::{Entropy, bytes};
use crate::id::Installation;
use ring::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use std::fmt;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// Characters: 40 bits in base 32.
const LENGTH: usize = 8;

/// 40 bits can be searched, so that trying one has to cost something: tens of milliseconds of a core. Whoever reads a
/// stolen ledger needs centuries for a code that lives an hour. Changing it makes the codes handed out unusable.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// 40 random bits, valid for an hour or so and behind a throttle. It never prints itself.
pub struct ShortCode(Zeroizing<String>);

impl ShortCode {
    /// Draws a new code from `entropy`.
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(base32(&bytes::<5>(entropy))))
    }

    /// From what somebody typed: any case, with or without spaces and hyphens, full-width letters of a Japanese keyboard
    /// too, `O`, `I`, `L` for the digits they look like, and with what stands around it in a sentence.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c: char| !c.is_alphanumeric());
        let mut code = Zeroizing::new(String::with_capacity(LENGTH));
        for character in text.chars().map(half_width) {
            match character.to_ascii_lowercase() {
                ' ' | '-' | '\u{3000}' | '‐' | '−' | 'ー' => {}
                _ if code.len() == LENGTH => return None,
                'o' => code.push('0'),
                'i' | 'l' => code.push('1'),
                letter if letter.is_ascii_alphanumeric() => code.push(letter),
                _ => return None,
            }
        }
        is_base32(&code, LENGTH).then_some(Self(code))
    }

    /// The code as people read it out and write it down: `7K3Q-9FMX`.
    pub fn reveal(&self) -> Zeroizing<String> {
        let code = self.0.to_ascii_uppercase();
        Zeroizing::new(format!("{}-{}", &code[..LENGTH / 2], &code[LENGTH / 2..]))
    }

    /// What the ledger keeps. Takes tens of milliseconds on purpose.
    pub fn hash(&self, installation: &Installation) -> Vec<u8> {
        let salt = format!("tegata short code\0{}", installation.as_str());
        let mut hash = vec![0; 32];
        derive(PBKDF2_HMAC_SHA256, ITERATIONS, salt.as_bytes(), self.0.as_bytes(), &mut hash);
        hash
    }
}

impl fmt::Debug for ShortCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ShortCode(…)")
    }
}

/// The ASCII character that a full-width one stands for.
fn half_width(character: char) -> char {
    match character {
        '！'..='～' => char::from_u32(character as u32 - 0xfee0).unwrap_or(character),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Seeded;

    #[test]
    fn staff_may_type_it_as_they_hear_it() {
        let code = ShortCode::random(&Seeded::new(7));
        let shown = code.reveal().to_string();
        let plain = shown.replace('-', "");
        let wide: String = plain.chars().map(|c| char::from_u32(c as u32 + 0xfee0).unwrap()).collect();
        let alike = plain.replace('0', "O").replace('1', "l");
        for typed in
            [&shown, &plain, &plain.to_lowercase(), &wide, &format!(" {alike}　"), &format!("「{shown}」。")]
        {
            assert_eq!(*ShortCode::parse(typed).unwrap().0, *code.0, "{typed}");
        }
        assert_eq!(format!("{code:?}"), "ShortCode(…)");
    }

    #[test]
    fn what_is_no_code_is_none() {
        for wrong in
            ["", "7K3Q-9FM", "7K3Q-9FMXX", "7K3Q-9FMU", "7K3Q/9FMX", "七三-七三七三七三", &"0".repeat(32)]
        {
            assert!(ShortCode::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn two_installations_keep_different_hashes_of_one_code() {
        let code = ShortCode::random(&Seeded::new(7));
        let hash = |name: &str| code.hash(&Installation::parse(name).unwrap());
        assert_eq!(hash("a.example"), hash("a.example"));
        assert_ne!(hash("a.example"), hash("b.example"));
    }
}
