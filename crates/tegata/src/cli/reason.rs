//! Why a certificate ends.

use clap::ValueEnum;
use tegata_core::RevocationReason;

/// Reasons of RFC 5280 section 5.3.1 that a person can give.
#[derive(Clone, Copy, ValueEnum)]
pub enum Reason {
    /// Lost, stolen or copied
    KeyCompromise,
    /// Belongs elsewhere now
    AffiliationChanged,
    /// Replaced by another device
    Superseded,
    /// No longer used
    CessationOfOperation,
    /// Not said
    Unspecified,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::AffiliationChanged => Self::AffiliationChanged,
            Reason::Superseded => Self::Superseded,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::Unspecified => Self::Unspecified,
        }
    }
}
