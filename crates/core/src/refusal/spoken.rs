//! What somebody reads out from a page that refused them: `C-07`, perhaps with the number of the device or of the request.

use super::Refusal;
use crate::access::Act;
use crate::encoding::is_base32;
use crate::name::composed_narrow;

/// Characters of a device's number as pages show it, and of a request's.
const NUMBER: usize = 8;

/// Fewer characters of a number say nothing.
const LEAST: usize = 4;

/// Characters of a device's identifier.
const IDENTIFIER: usize = 26;

/// A code that was read out, with what stood beside it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SpokenCode {
    /// The refusal whose code it is.
    pub refusal: Option<Refusal>,
    /// The number of a device, or of a request: both are of the same letters.
    pub number: Option<String>,
}

impl SpokenCode {
    /// Reads a code however it was typed: in any width and case, with any marks between, `O`, `I` and `L` for the digits they
    /// look like.
    pub fn parse(text: &str) -> Self {
        let narrow = composed_narrow(text).to_lowercase();
        let words =
            narrow.split(|letter: char| letter.is_whitespace() || "·,:;()「」、。・".contains(letter));
        let mut spoken = Self::default();
        for word in words {
            let letters: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
            if let Some(refusal) = refusal_of(&letters) {
                spoken.refusal = spoken.refusal.or(Some(refusal));
            } else if let Some(number) = number_of(&letters) {
                spoken.number = spoken.number.or(Some(number));
            }
        }
        spoken
    }

    /// Whether the number has the length of a request's.
    pub fn may_be_request(&self) -> bool {
        self.number.as_ref().is_some_and(|number| number.len() == NUMBER)
    }
}

/// The refusal of a code without its hyphen: `c07` for C-07.
fn refusal_of(letters: &str) -> Option<Refusal> {
    let kind = letters.get(..1)?.to_uppercase();
    Refusal::from_code(&format!("{kind}-{}", letters.get(1..)?))
}

fn number_of(letters: &str) -> Option<String> {
    let number = letters.replace('o', "0").replace(['i', 'l'], "1");
    let is_number = (LEAST..=IDENTIFIER).contains(&number.len()) && is_base32(&number, number.len());
    is_number.then_some(number)
}

impl Refusal {
    /// What may be done about it from a console, the usual first. Nothing where the reader helps themselves, or nobody may.
    pub const fn remedies(self) -> &'static [Act] {
        match self {
            Self::DeviceSuspended | Self::DeviceStopped => &[Act::ResumeDevice],
            Self::TenantSuspended => &[Act::SuspendTenant],
            Self::CertificateRevoked
            | Self::CertificateExpired
            | Self::ForeignCertificate
            | Self::NoCertificate
            | Self::InvitationUnknown
            | Self::InvitationUsed
            | Self::InvitationExpired
            | Self::InvitationWithdrawn
            | Self::ShortCodeUnknown => &[Act::InviteDevice],
            Self::ApprovalPending | Self::ApprovalDeclined => &[Act::DecideApproval],
            Self::NetworkNotAllowed | Self::PlatformNotAllowed | Self::OutsideHours | Self::NoPlaceLeft => {
                &[Act::SetPolicy]
            }
            Self::PersonDisabled => &[Act::DisablePerson],
            Self::PersonElsewhere => &[Act::AssignDevice, Act::ChangePerson],
            Self::SetupLinkUnknown | Self::SetupLinkExpired | Self::SignInWrong => &[Act::ResetPerson],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_types_what_it_hears() {
        let suspended = Some(Refusal::DeviceSuspended);
        for (text, refusal, number) in [
            ("C-07", suspended, None),
            ("ｃ０７", suspended, None),
            ("コード C-07 · 受付番号 4wd8d86e", suspended, Some("4wd8d86e")),
            ("4WD8-D86E", None, Some("4wd8d86e")),
            ("4wd8d86e0000000000000000zz", None, Some("4wd8d86e0000000000000000zz")),
            ("AOOO", None, Some("a000")),
            ("7", None, None),
            ("", None, None),
        ] {
            let number = number.map(str::to_owned);
            assert_eq!(SpokenCode::parse(text), SpokenCode { refusal, number }, "{text}");
        }
        assert!(SpokenCode::parse("4wd8d86e").may_be_request());
        assert!(!SpokenCode::parse("4wd8").may_be_request());
    }
}
