//! A certificate request as it was sent, parsed where it comes in.

use serde::{Deserialize, Deserializer};
use tegata_ca::ParsedRequest;
use tegata_core::Refusal;
use tegata_core::encoding::from_base64;

/// The longest base64 of a certificate request: 8 KiB of DER and its padding.
const LONGEST: usize = 8192_usize.div_ceil(3) * 4;

/// A certificate request, or what is wrong with it: that is said once it is known whose request it is, so that it is written down
/// under the right name.
#[derive(Debug)]
pub(crate) struct SubmittedCsr(Result<ParsedRequest, Refusal>);

impl SubmittedCsr {
    /// From the base64 of its DER.
    pub(crate) fn of_base64(text: &str) -> Self {
        if text.len() > LONGEST {
            return Self(Err(Refusal::CsrTooLarge));
        }
        Self(from_base64(text).ok_or(Refusal::CsrMalformed).and_then(|der| ParsedRequest::parse(&der)))
    }

    /// The request, whose signature holds.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn request(&self) -> Result<&ParsedRequest, Refusal> {
        self.0.as_ref().map_err(|refusal| *refusal)
    }
}

impl<'de> Deserialize<'de> for SubmittedCsr {
    /// Takes any text: what is wrong with it [`SubmittedCsr::request`] says.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of_base64(&String::deserialize(deserializer)?))
    }
}
