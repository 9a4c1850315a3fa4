//! One entry of a list.

use super::{CrlReason, Revoked};
use crate::der::{self, tag};
use tegata_core::Timestamp;

/// An entry with a serial of 20 octets, a `GeneralizedTime` and a reason.
pub(super) const LONGEST_ENTRY: usize = 55;

/// `{ serial, revocationDate, [reasonCode] }` (section 5.1.2.6), put together on the stack.
pub(super) fn append_entry(out: &mut Vec<u8>, entry: &Revoked, time: &[u8]) {
    /// SEQUENCE { SEQUENCE { id-ce-cRLReasons, OCTET STRING { ENUMERATED … } } }
    const REASON: [u8; 13] = [0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01];
    let mut der = [0; LONGEST_ENTRY];
    let mut end = 0;
    let mut put = |bytes: &[u8]| {
        der[end..end + bytes.len()].copy_from_slice(bytes);
        end += bytes.len();
    };
    let serial = entry.serial.as_bytes();
    put(&[tag::SEQUENCE, 0, tag::INTEGER, serial.len().to_le_bytes()[0]]);
    put(serial);
    put(time);
    if entry.reason != CrlReason::Unspecified {
        put(&REASON);
        put(&[entry.reason as u8]);
    }
    der[1] = (end - 2).to_le_bytes()[0];
    out.extend_from_slice(&der[..end]);
}

/// The DER of one time after another. The calendar is asked once a day, not once an entry: for a
/// million entries that is most of the work.
pub(super) struct Times {
    day: i64,
    der: Vec<u8>,
}

impl Times {
    const DAY: i64 = 86_400;

    pub(super) fn starting(at: Timestamp) -> Self {
        Self { day: at.seconds().div_euclid(Self::DAY), der: der::time(at) }
    }

    pub(super) fn at(&mut self, at: Timestamp) -> &[u8] {
        let seconds = at.seconds();
        if seconds.div_euclid(Self::DAY) != self.day {
            *self = Self::starting(at);
        }
        let second = seconds.rem_euclid(Self::DAY);
        // Both forms of a time end in HHMMSSZ.
        let end = self.der.len() - 1;
        let digits = self.der[end - 6..end].chunks_exact_mut(2);
        for (pair, value) in digits.zip([second / 3600, second / 60 % 60, second % 60]) {
            pair[0] = b'0' + (value / 10).to_le_bytes()[0];
            pair[1] = b'0' + (value % 10).to_le_bytes()[0];
        }
        &self.der
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::NOW;

    #[test]
    fn times_are_right_across_days_years_and_forms() {
        let mut times = Times::starting(NOW);
        for text in [
            "2026-07-01T00:00:00Z",
            "2026-06-30T23:59:59.999Z",
            "2049-12-31T23:59:59Z",
            "2050-01-01T00:00:00Z",
            "2028-02-29T12:34:56Z",
            "1970-01-01T00:00:00Z",
        ] {
            let at = Timestamp::parse(text).unwrap();
            assert_eq!(times.at(at), der::time(at), "{text}");
        }
    }
}
