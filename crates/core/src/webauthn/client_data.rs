//! What the browser adds to a challenge (section 5.8.1).

use crate::encoding::from_base64url;
use serde::Deserialize;

/// The longest that is read, in bytes: a browser writes a few hundred.
const LONGEST: usize = 4096;

/// Which ceremony it is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ClientDataKind {
    Create,
    Get,
}

/// Members that browsers add later are passed over, as the specification asks. Of what stands there twice nothing is read.
#[derive(Debug, Deserialize)]
pub(super) struct ClientData {
    #[serde(rename = "type")]
    pub(super) kind: String,
    challenge: String,
    pub(super) origin: String,
    #[serde(default, rename = "crossOrigin")]
    pub(super) cross_origin: bool,
    #[serde(default, rename = "topOrigin")]
    pub(super) top_origin: Option<String>,
}

impl ClientDataKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

impl ClientData {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > LONGEST {
            return None;
        }
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn challenge(&self) -> Option<Vec<u8>> {
        from_base64url(&self.challenge)
    }
}
