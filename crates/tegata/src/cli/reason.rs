//! Why a certificate ends.

use clap::ValueEnum;
use tegata_core::{RevocationReason, StopCause};

/// Reasons that a person can give: those of RFC 5280 section 5.3.1, and that a device is lost, which lists of revoked
/// certificates call a compromised key.
#[derive(Clone, Copy, ValueEnum)]
pub enum RevocationReasonArg {
    /// The device is lost or stolen
    Lost,
    /// The key may be compromised: copied, or handed on
    KeyCompromise,
    /// The device belongs to somebody else now
    AffiliationChanged,
    /// Replaced by another device
    Superseded,
    /// The device is no longer used
    CessationOfOperation,
    /// No reason is given
    Unspecified,
}

impl From<RevocationReasonArg> for RevocationReason {
    fn from(reason: RevocationReasonArg) -> Self {
        match reason {
            RevocationReasonArg::Lost | RevocationReasonArg::KeyCompromise => Self::KeyCompromise,
            RevocationReasonArg::AffiliationChanged => Self::AffiliationChanged,
            RevocationReasonArg::Superseded => Self::Superseded,
            RevocationReasonArg::CessationOfOperation => Self::CessationOfOperation,
            RevocationReasonArg::Unspecified => Self::Unspecified,
        }
    }
}

/// What lists say, and what the device's own page says. Where nobody gave a reason, lists have the one by which nothing that was
/// renewed goes on, and the page says nothing that nobody said.
pub fn of(named: Option<RevocationReasonArg>) -> (RevocationReason, Option<StopCause>) {
    (named.map_or(RevocationReason::KeyCompromise, Into::into), named.and_then(RevocationReasonArg::cause))
}

impl RevocationReasonArg {
    const fn cause(self) -> Option<StopCause> {
        match self {
            Self::Lost => Some(StopCause::Lost),
            Self::KeyCompromise => Some(StopCause::KeyCompromise),
            Self::AffiliationChanged => Some(StopCause::AffiliationChanged),
            Self::Superseded => Some(StopCause::Superseded),
            Self::CessationOfOperation => Some(StopCause::CessationOfOperation),
            Self::Unspecified => None,
        }
    }
}
