//! One-time passwords by the clock (TOTP, RFC 6238): SHA-1, six digits, 30 seconds, which is what every app on a phone can.

use ring::hmac;
use tegata_core::Timestamp;
use tegata_core::encoding::percent_encoded;
use zeroize::Zeroizing;

/// Seconds for which a code is shown.
const STEP: i64 = 30;

const DIGITS: u32 = 6;

/// Bytes of a secret (RFC 4226 section 4, requirement R6).
const LENGTH: usize = 20;

/// What the app and the ledger share. It never prints itself.
pub(crate) struct TotpSecret(Zeroizing<Vec<u8>>);

impl TotpSecret {
    /// From bytes that are as good as random: the first 20.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.iter().copied().take(LENGTH).collect()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The step whose code somebody typed, if it is the present one or one beside it (RFC 6238 section 5.2) and later than
    /// the last one that was taken.
    pub(crate) fn step_of(&self, typed: u32, now: Timestamp, last: i64) -> Option<i64> {
        let present = now.seconds().div_euclid(STEP);
        let steps = present - 1..=present + 1;
        let fitting = steps.filter(|step| self.code(*step) == typed && *step > last);
        // To the end, so that the time says nothing about which one it was.
        fitting.fold(None, |first, step| first.or(Some(step)))
    }

    /// The code of a step.
    pub(crate) fn code(&self, step: i64) -> u32 {
        hotp(&self.0, step.cast_unsigned()) % 10_u32.pow(DIGITS)
    }

    /// The form that people type into an app: base 32 (RFC 4648 section 6) in groups of four.
    pub(crate) fn typed_form(&self) -> String {
        let text = base32(&self.0);
        let groups: Vec<_> = text.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect();
        groups.join(" ")
    }

    /// What an app reads from the picture. What every app takes for granted is left out, so that the picture stays coarse.
    pub(crate) fn uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
        Zeroizing::new(format!("otpauth://totp/{account}?secret={}&issuer={issuer}", base32(&self.0)))
    }
}

/// HOTP before its digits are cut (RFC 4226 section 5.3).
fn hotp(secret: &[u8], counter: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes[bytes.len() - 1] & 15);
    let word = [bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]];
    u32::from_be_bytes(word) & 0x7fff_ffff
}

fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for &byte in bytes {
        buffer = (buffer << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(ALPHABET[(buffer >> bits) as usize & 31] as char);
        }
    }
    if bits > 0 {
        text.push(ALPHABET[(buffer << (5 - bits)) as usize & 31] as char);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130_u32),
        ] {
            assert_eq!(hotp(secret, seconds / 30) % 100_000_000, code, "{seconds}");
            let step = i64::try_from(seconds / 30).unwrap();
            assert_eq!(TotpSecret::new(secret).code(step), code % 1_000_000);
        }
    }

    #[test]
    fn a_code_is_taken_beside_its_time_and_never_after_it_was_used() {
        let secret = TotpSecret::new(&[7; 32]);
        let at = |step: i64| Timestamp::from_seconds(step * STEP + 4);
        let code = secret.code(1000);
        for (step, taken) in
            [(998, None), (999, Some(1000)), (1000, Some(1000)), (1001, Some(1000)), (1002, None)]
        {
            assert_eq!(secret.step_of(code, at(step), 0), taken, "{step}");
        }
        assert_eq!(secret.step_of(code, at(1000), 999), Some(1000));
        for used in [1000, 1001] {
            assert_eq!(secret.step_of(code, at(1000), used), None, "used up");
        }
    }

    #[test]
    fn an_app_reads_the_secret_with_whose_it_is() {
        let secret = TotpSecret::new(b"12345678901234567890");
        assert_eq!(secret.typed_form(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        let uri = secret.uri("Tegata", "田中@a");
        let expected =
            "otpauth://totp/%E7%94%B0%E4%B8%AD%40a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Tegata";
        assert_eq!(*uri, expected);
    }
}
