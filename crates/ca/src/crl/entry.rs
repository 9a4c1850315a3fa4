//! One entry of a CRL, read and written.

use super::{CrlReason, RevokedEntry};
use crate::der::{self, tag};
use tegata_core::{Serial, Timestamp};

/// An entry with a serial of 20 octets, a `GeneralizedTime` and a reason.
pub(super) const LONGEST_ENTRY: usize = 4 + Serial::LONGEST + Time::LONGEST + 14;

/// `{ serial, revocationDate, [reasonCode] }` (section 5.1.2.6), put together on the stack. Every part is copied in its
/// longest form, whose length the compiler knows; what follows lies over the rest.
pub(super) fn append_entry(out: &mut Vec<u8>, entry: &RevokedEntry, time: &Time) {
    /// SEQUENCE { SEQUENCE { id-ce-cRLReasons, OCTET STRING { ENUMERATED … } } }
    const REASON: [u8; 13] = [0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01];
    let serial = entry.serial.as_bytes();
    let mut der = [0; LONGEST_ENTRY];
    der[..4].copy_from_slice(&[tag::SEQUENCE, 0, tag::INTEGER, octet(serial.len())]);
    der[4..4 + Serial::LONGEST].copy_from_slice(entry.serial.padded());
    let mut end = 4 + serial.len();
    der[end..end + Time::LONGEST].copy_from_slice(&time.der);
    end += time.length;
    if entry.reason != CrlReason::Unspecified {
        der[end..end + REASON.len()].copy_from_slice(&REASON);
        der[end + REASON.len()] = entry.reason as u8;
        end += REASON.len() + 1;
    }
    der[1] = octet(end - 2);
    let before = out.len();
    out.extend_from_slice(&der);
    out.truncate(before + end);
}

fn octet(length: usize) -> u8 {
    length.to_le_bytes()[0]
}

/// The DER of a time.
pub(super) struct Time {
    der: [u8; Self::LONGEST],
    length: usize,
}

impl Time {
    /// A `GeneralizedTime` with its header.
    const LONGEST: usize = 17;

    fn of(at: Timestamp) -> Self {
        let written = der::time(at);
        let mut der = [0; Self::LONGEST];
        der[..written.len()].copy_from_slice(&written);
        Self { der, length: written.len() }
    }
}

/// The DER of one time after another. The calendar is asked once a day, not once an entry: for a
/// million entries that is most of the work.
pub(super) struct Times {
    day: i64,
    time: Time,
}

impl Times {
    const DAY: i64 = 86_400;

    pub(super) fn starting(at: Timestamp) -> Self {
        Self { day: at.seconds().div_euclid(Self::DAY), time: Time::of(at) }
    }

    pub(super) fn at(&mut self, at: Timestamp) -> &Time {
        let seconds = at.seconds();
        if seconds.div_euclid(Self::DAY) != self.day {
            *self = Self::starting(at);
        }
        let second = seconds.rem_euclid(Self::DAY);
        // Both forms of a time end in HHMMSSZ.
        let end = self.time.length - 1;
        let digits = self.time.der[end - 6..end].chunks_exact_mut(2);
        for (pair, value) in digits.zip([second / 3600, second / 60 % 60, second % 60]) {
            pair[0] = b'0' + (value / 10).to_le_bytes()[0];
            pair[1] = b'0' + (value % 10).to_le_bytes()[0];
        }
        &self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::NOW;

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
            let Time { der, length } = times.at(at);
            assert_eq!(der[..*length], der::time(at), "{text}");
        }
    }
}
