//! Whether the certificate of whoever asks should be renewed, for products that say so on their pages.
//!
//! A gate decides it from the certificate that came with the request, by the rule that holds where nothing else is configured:
//! nobody is asked, and until it is due it costs one comparison.

use http::HeaderName;
use tegata_core::Timestamp;
use tegata_core::renewal::RenewalPolicy;
use x509_parser::asn1_rs::{Any, FromDer};
use x509_parser::certificate::Validity;

/// The end of a certificate that is due for renewal (RFC 3339); no header where none is.
pub(crate) const RENEWAL_DUE: HeaderName = HeaderName::from_static("tegata-renewal-due");

/// From when a certificate should be renewed, and until when it can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RenewalTime {
    due: Timestamp,
    end: Timestamp,
}

impl RenewalTime {
    /// Reads the validity of a certificate and nothing else of it; `None` where that cannot be read.
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = Any::from_der(der).ok()?;
        let (_, tbs) = Any::from_der(certificate.data).ok()?;
        let mut rest = tbs.data;
        // Version, serialNumber, signature and issuer stand before it (RFC 5280 section 4.1).
        for _ in 0..4 {
            rest = Any::from_der(rest).ok()?.0;
        }
        let (_, validity) = <Validity as FromDer<_>>::from_der(rest).ok()?;
        let time = |seconds| Timestamp::from_seconds(seconds);
        let (begin, end) = (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()));
        Some(Self { due: RenewalPolicy::default().due_at(begin, end), end })
    }

    /// The end of the certificate, where it is due.
    pub(crate) fn end_if_due(&self, now: Timestamp) -> Option<Timestamp> {
        (now >= self.due).then_some(self.end)
    }
}
