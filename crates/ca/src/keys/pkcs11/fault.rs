//! Errors of PKCS#11 tokens, and which of them a new session may cure.

use crate::keys::CaKeyError;
use cryptoki::error::{Error, RvError};

/// What went wrong in a session.
pub(super) enum Pkcs11Fault {
    /// Something that a new session does not mend.
    Known(CaKeyError),
    /// Something that a session shows when it was logged out behind our back: private objects are not there.
    Hidden(CaKeyError),
    /// What the library answered.
    Answer(Error),
}

impl Pkcs11Fault {
    /// What means: this session, its login or the handles found in it are no more. A new session may mend it.
    pub(super) fn is_loss(&self) -> bool {
        let answer = match self {
            Self::Hidden(_) => return true,
            Self::Answer(Error::Pkcs11(answer, _)) => answer,
            _ => return false,
        };
        matches!(
            answer,
            RvError::SessionHandleInvalid
                | RvError::SessionClosed
                | RvError::UserNotLoggedIn
                | RvError::KeyHandleInvalid
                | RvError::ObjectHandleInvalid
                | RvError::DeviceError
                | RvError::DeviceRemoved
                | RvError::TokenNotPresent
                | RvError::TokenNotRecognized
                | RvError::SlotIdInvalid
                | RvError::CryptokiNotInitialized
                // What clients of network devices often say when the network failed.
                | RvError::GeneralError
                | RvError::FunctionFailed
        )
    }
}

impl From<CaKeyError> for Pkcs11Fault {
    fn from(error: CaKeyError) -> Self {
        Self::Known(error)
    }
}

impl From<Error> for Pkcs11Fault {
    fn from(error: Error) -> Self {
        Self::Answer(error)
    }
}
