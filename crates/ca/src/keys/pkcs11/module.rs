//! The vendor's library, initialised once in a process, and the PIN, which is sent to a token as rarely as can be.
//!
//! Tokens lock themselves after a few wrong PINs. So a PIN that was refused is not sent again by this process, by
//! whatever route somebody asks; and none is sent at all when the token says that it has one try left, because a
//! service that is restarted again and again would spend it.

use super::fault::Fault;
use crate::keys::KeyError;
use crate::secret::{SecretError, read_private_file};
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
pub struct Pin(AuthPin);

impl Pin {
    /// From what the environment carried.
    ///
    /// # Errors
    /// When it is empty or not one line.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        if text.is_empty() || text.contains(['\n', '\r', '\0']) {
            return Err(SecretError::NotAPin);
        }
        Ok(Self(AuthPin::from(text)))
    }

    /// From the one line of a file that only its owner can read.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let content = read_private_file(path)?;
        let text = str::from_utf8(&content).map_err(|_| SecretError::NotAPin)?;
        Self::new(text.trim_end_matches(['\n', '\r']))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pin(…)")
    }
}

/// A library at work.
pub(super) struct Module {
    context: Pkcs11,
    /// Tokens, by label, that refused a PIN, and how. Held while a PIN is sent, so that two threads do not send it twice.
    refused: Mutex<BTreeMap<String, KeyError>>,
}

/// The specification wants `C_Initialize` once in a process. Never emptied: a library that is unloaded while its
/// threads run takes the process with it.
static MODULES: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

impl Module {
    /// The library at `path`, loaded and initialised if nobody did before.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, KeyError> {
        // Two names of one file are one library to the loader.
        let name = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(&name) {
            return Ok(module.clone());
        }
        let failed = |error: Error| KeyError::Module { path: path.to_owned(), reason: error.to_string() };
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
    pub(super) fn log_in(&self, session: &Session, slot: Slot, token: &str, pin: &Pin) -> Result<(), Fault> {
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
            return Err(KeyError::PinLocked(token.to_owned()).into());
        }
        if info.user_pin_final_try() {
            return Err(KeyError::PinLastTry(token.to_owned()).into());
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

fn wrong_pin(error: &Error, token: &str) -> Option<KeyError> {
    let Error::Pkcs11(answer, _) = error else { return None };
    match answer {
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => {
            Some(KeyError::PinRefused(token.to_owned()))
        }
        RvError::PinLocked | RvError::PinExpired => Some(KeyError::PinLocked(token.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki::context::Function;

    #[test]
    fn a_pin_is_one_line_and_never_printed() {
        assert!(matches!(Pin::new(""), Err(SecretError::NotAPin)));
        assert!(matches!(Pin::new("12\n34"), Err(SecretError::NotAPin)));
        assert_eq!(format!("{:?}", Pin::new("1234").unwrap()), "Pin(…)");
    }

    #[test]
    fn a_pin_comes_from_a_file_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        std::fs::write(&path, "1234\n").unwrap();
        assert!(matches!(Pin::from_file(&path), Err(SecretError::Exposed { .. })));
        std::fs::remove_file(&path).unwrap();
        crate::secret::write_private_file(&path, b"1234\n").unwrap();
        assert!(Pin::from_file(&path).is_ok());
    }

    #[test]
    fn every_answer_that_counts_against_the_pin_is_final() {
        let said = |answer| wrong_pin(&Error::Pkcs11(answer, Function::Login), "t");
        for answer in [RvError::PinIncorrect, RvError::PinInvalid, RvError::PinLenRange] {
            assert_eq!(said(answer), Some(KeyError::PinRefused("t".into())));
        }
        for answer in [RvError::PinLocked, RvError::PinExpired] {
            assert_eq!(said(answer), Some(KeyError::PinLocked("t".into())));
        }
        assert_eq!(said(RvError::DeviceError), None);
    }
}
