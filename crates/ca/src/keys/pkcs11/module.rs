//! The vendor's library, initialized once in a process, and the PIN, which is sent to a token as rarely as can be.
//!
//! Tokens lock themselves after a few wrong PINs. So a PIN that was refused is not sent again by this process, by
//! whatever route somebody asks; and none is sent at all when the token says that it has one try left, because a
//! service that is restarted again and again would spend it.

use super::fault::Pkcs11Fault;
use crate::keys::CaKeyError;
use crate::secret::{UnlockSecretError, read_private_file};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What opens a token. It is wiped when dropped and never prints itself.
#[derive(Clone)]
pub struct TokenPin(AuthPin);

impl TokenPin {
    /// From what the environment carried.
    ///
    /// # Errors
    /// When it is empty or not one line.
    pub fn new(text: &str) -> Result<Self, UnlockSecretError> {
        if text.is_empty() || text.contains(['\n', '\r', '\0']) {
            return Err(UnlockSecretError::NotAPin);
        }
        Ok(Self(AuthPin::from(text)))
    }

    /// From the one line of a file that only its owner can read.
    pub fn from_file(path: &Path) -> Result<Self, UnlockSecretError> {
        let content = read_private_file(path)?;
        let text = str::from_utf8(&content).map_err(|_| UnlockSecretError::NotAPin)?;
        Self::new(text.trim_end_matches(['\n', '\r']))
    }
}

impl fmt::Debug for TokenPin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pin(…)")
    }
}

/// A library that was loaded and initialized.
pub(super) struct Pkcs11Module {
    context: Pkcs11,
    /// Tokens, by label, that refused a PIN, and how. Held while a PIN is sent, so that two threads do not send it twice.
    refused: Mutex<BTreeMap<String, CaKeyError>>,
}

/// The specification wants `C_Initialize` once in a process. Never emptied: a library that is unloaded while its
/// threads run takes the process with it.
static MODULES: Mutex<BTreeMap<PathBuf, Arc<Pkcs11Module>>> = Mutex::new(BTreeMap::new());

impl Pkcs11Module {
    /// The library at `path`, loaded and initialized if nobody did before.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, CaKeyError> {
        // Two names of one file are one library to the loader.
        let name = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(&name) {
            return Ok(module.clone());
        }
        let failed = |error: Error| CaKeyError::Module { path: path.to_owned(), reason: error.to_string() };
        let context = Pkcs11::new(path).map_err(failed)?;
        let module = Arc::new(Self { context, refused: Mutex::default() });
        module.initialize().map_err(failed)?;
        modules.insert(name, module.clone());
        Ok(module)
    }

    /// Needed once more when something else in this process has finalised the library.
    pub(super) fn initialize(&self) -> Result<(), Error> {
        match self.context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            result => result,
        }
    }

    pub(super) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// Makes sure that the user is logged in. All sessions with a token share that.
    pub(super) fn log_in(
        &self,
        session: &Session,
        slot: Slot,
        token: &str,
        pin: &TokenPin,
    ) -> Result<(), Pkcs11Fault> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = refused.get(token) {
            return Err(before.clone().into());
        }
        let state = session.get_session_info()?.session_state();
        if matches!(state, SessionState::RoUser | SessionState::RwUser) {
            return Ok(());
        }
        let info = self.context.get_token_info(slot)?;
        if info.user_pin_locked() {
            return Err(CaKeyError::PinLocked(token.to_owned()).into());
        }
        if info.user_pin_final_try() {
            return Err(CaKeyError::PinLastTry(token.to_owned()).into());
        }
        let error = match session.login(UserType::User, Some(&pin.0)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => return Ok(()),
            Err(error) => error,
        };
        let Some(wrong) = wrong_pin(&error, token) else { return Err(error.into()) };
        refused.insert(token.to_owned(), wrong.clone());
        Err(wrong.into())
    }
}

fn wrong_pin(error: &Error, token: &str) -> Option<CaKeyError> {
    let Error::Pkcs11(answer, _) = error else { return None };
    match answer {
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => {
            Some(CaKeyError::PinRefused(token.to_owned()))
        }
        RvError::PinLocked | RvError::PinExpired => Some(CaKeyError::PinLocked(token.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki::context::Function;

    #[test]
    fn a_pin_is_one_line_and_never_printed() {
        assert!(matches!(TokenPin::new(""), Err(UnlockSecretError::NotAPin)));
        assert!(matches!(TokenPin::new("12\n34"), Err(UnlockSecretError::NotAPin)));
        assert_eq!(format!("{:?}", TokenPin::new("1234").unwrap()), "Pin(…)");
    }

    #[test]
    fn a_pin_comes_from_a_file_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        std::fs::write(&path, "1234\n").unwrap();
        assert!(matches!(TokenPin::from_file(&path), Err(UnlockSecretError::Exposed { .. })));
        std::fs::remove_file(&path).unwrap();
        crate::secret::write_private_file(&path, b"1234\n").unwrap();
        assert!(TokenPin::from_file(&path).is_ok());
    }

    #[test]
    fn every_answer_that_counts_against_the_pin_is_final() {
        let refusal_of = |answer| wrong_pin(&Error::Pkcs11(answer, Function::Login), "t");
        for answer in [RvError::PinIncorrect, RvError::PinInvalid, RvError::PinLenRange] {
            assert_eq!(refusal_of(answer), Some(CaKeyError::PinRefused("t".into())));
        }
        for answer in [RvError::PinLocked, RvError::PinExpired] {
            assert_eq!(refusal_of(answer), Some(CaKeyError::PinLocked("t".into())));
        }
        assert_eq!(refusal_of(RvError::DeviceError), None);
    }
}
