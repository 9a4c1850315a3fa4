//! The life of a certificate, and the one rule that says whether it may be used.

use crate::device::{DeviceState, text_form};
use crate::encoding::{from_hex, hex};
use crate::entropy::{Entropy, bytes};
use crate::timestamp::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A serial number: the content bytes of a DER INTEGER, 1 to 20 of them (RFC 5280 section 4.1.2.2). Unique
/// within its issuer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial {
    // Unused bytes are zero, so that the derived comparisons hold.
    bytes: [u8; Self::LONGEST],
    length: u8,
}

/// The bytes cannot be a serial number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a serial number has 1 to 20 bytes")]
pub struct BadSerial;

impl Serial {
    /// The most bytes a serial may have.
    pub const LONGEST: usize = 20;

    /// A new serial: 16 bytes of which 126 bits are random, positive and never shorter in DER. The top bits are 01,
    /// so that DER needs neither a leading zero nor fewer bytes. Those of CAs taken over may be shorter or longer.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut serial = bytes::<16>(entropy);
        serial[0] = (serial[0] & 0x3f) | 0x40;
        let mut all = [0; Self::LONGEST];
        all[..16].copy_from_slice(&serial);
        Self { bytes: all, length: 16 }
    }

    /// From the content bytes of a DER INTEGER.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || bytes.len() > Self::LONGEST {
            return None;
        }
        let mut all = [0; Self::LONGEST];
        all[..bytes.len()].copy_from_slice(bytes);
        Some(Self { bytes: all, length: bytes.len().to_le_bytes()[0] })
    }

    /// From hexadecimal digits, two a byte.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_slice(&from_hex(text)?)
    }

    /// The content bytes of the DER INTEGER.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The content bytes followed by zeros up to [`Serial::LONGEST`], for copies whose length is known at compile time.
    pub fn padded(&self) -> &[u8; Self::LONGEST] {
        &self.bytes
    }
}

impl TryFrom<Vec<u8>> for Serial {
    type Error = BadSerial;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        Self::from_slice(&bytes).ok_or(BadSerial)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(self.as_bytes()))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Serial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Serial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a serial number"))
    }
}

/// Where one certificate stands in the ledger. Suspension belongs to the device, and expiry to the
/// clock; neither is written here.
///
/// ```text
/// reserved ─→ issued ─→ delivered ─→ in_use ─→ retiring ─→ retired
///     │          └──────────→┘ (first use proves delivery)
///     └────────── any of them ──────────→ revoked
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateState {
    /// Serial and intended bytes are recorded; the key may have signed, or not.
    Reserved,
    /// It was signed and recorded, and may be used while it is valid.
    Issued,
    /// The device said that it has it.
    Delivered,
    /// The device has presented it.
    InUse,
    /// Its successor is in use; it is accepted until its grace ends.
    Retiring,
    /// Its grace has ended: the planned end of an old generation.
    Retired,
    /// It was revoked, which is final.
    Revoked,
}

text_form! {
    CertificateState {
        Reserved = "reserved",
        Issued = "issued",
        Delivered = "delivered",
        InUse = "in_use",
        Retiring = "retiring",
        Retired = "retired",
        Revoked = "revoked",
    }
    RevocationReason {
        Unspecified = "unspecified",
        KeyCompromise = "key_compromise",
        AffiliationChanged = "affiliation_changed",
        Superseded = "superseded",
        CessationOfOperation = "cessation_of_operation",
    }
}

/// Why a certificate was taken back (RFC 5280 section 5.3.1). `certificateHold` is not here: it is
/// what a suspended device shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    /// The operator gave no reason.
    #[default]
    Unspecified,
    /// The key may be compromised: lost, stolen, copied.
    KeyCompromise,
    /// The holder belongs elsewhere now.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// The terminal is no longer used.
    CessationOfOperation,
}

/// The answer to "may this certificate be used now?".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may be used.
    Good,
    /// Never issued to its end: the ledger has no signed bytes.
    Unissued,
    /// Its first day has not come.
    NotYetValid,
    /// Its last day has passed.
    Expired,
    /// A newer generation took over as planned.
    Retired,
    /// The device is suspended.
    Suspended,
    /// The certificate or its device was revoked.
    Revoked,
}

/// The rule. Revocation outweighs suspension, and both outweigh the calendar, so that the answer for a
/// lost terminal never softens to "expired".
pub fn standing(
    device: DeviceState,
    certificate: CertificateState,
    not_before: Timestamp,
    not_after: Timestamp,
    now: Timestamp,
) -> Standing {
    match (device, certificate) {
        (DeviceState::Revoked, _) | (_, CertificateState::Revoked) => Standing::Revoked,
        (DeviceState::Suspended, _) => Standing::Suspended,
        (DeviceState::Retired, _) | (_, CertificateState::Retired) => Standing::Retired,
        (_, CertificateState::Reserved) => Standing::Unissued,
        _ if now < not_before => Standing::NotYetValid,
        _ if now > not_after => Standing::Expired,
        _ => Standing::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Seeded;

    #[test]
    fn a_serial_is_sixteen_positive_bytes_in_der() {
        let entropy = Seeded::new(7);
        for _ in 0..1000 {
            let serial = Serial::random(&entropy);
            assert!((0x40..0x80).contains(&serial.as_bytes()[0]));
            assert_eq!(Serial::parse(&serial.to_string()), Some(serial));
        }
    }

    #[test]
    fn serials_of_other_authorities_keep_their_length() {
        for text in ["01", "0100", "00ff", "7fffffffffffffffffffffffffffffffffffffff"] {
            assert_eq!(Serial::parse(text).unwrap().to_string(), text);
        }
        assert_ne!(Serial::parse("01"), Serial::parse("0100"));
        assert_eq!(Serial::parse(""), None);
        assert_eq!(Serial::parse(&"01".repeat(21)), None);
    }

    #[test]
    fn only_a_living_certificate_of_an_active_device_is_good() {
        let [before, start, end, after] = [5, 10, 20, 21].map(Timestamp::from_seconds);
        for &device in DeviceState::ALL {
            for &certificate in CertificateState::ALL {
                let good = standing(device, certificate, start, end, start) == Standing::Good;
                let living = matches!(
                    certificate,
                    CertificateState::Issued
                        | CertificateState::Delivered
                        | CertificateState::InUse
                        | CertificateState::Retiring
                );
                assert_eq!(good, device == DeviceState::Active && living, "{device} {certificate}");
                for moment in [before, after] {
                    assert_ne!(standing(device, certificate, start, end, moment), Standing::Good);
                }
            }
        }
    }

    #[test]
    fn a_lost_terminal_stays_revoked_after_its_certificate_would_have_expired() {
        let [start, end, later] = [10, 20, 99].map(Timestamp::from_seconds);
        let answer = standing(DeviceState::Revoked, CertificateState::InUse, start, end, later);
        assert_eq!(answer, Standing::Revoked);
    }
}
