//! A token and the sessions with it.
//!
//! A few sessions are kept open and lent out; whoever finds none free waits. Sessions get lost: the device is
//! restarted, its network fails, somebody logs out. Then all kept sessions are given up together (a *generation* of
//! sessions ends), a new one is opened and logged in, and the work is tried once more. The second failure is reported.

use super::fault::Pkcs11Fault;
use super::module::{Pkcs11Module, TokenPin};
use crate::keys::CaKeyError;
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most sessions used at a time. A network HSM of 5 ms a signature gives 800 a second through them.
const SESSIONS: usize = 4;

/// How long a signature waits for a free session before the token counts as stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// A token, found by its label, and the PIN that opens it.
pub struct Pkcs11Token {
    module: Arc<Pkcs11Module>,
    label: String,
    pin: TokenPin,
    sessions: Mutex<Sessions>,
    freed: Condvar,
}

#[derive(Default)]
struct Sessions {
    generation: u64,
    idle: Vec<Session>,
    lent: usize,
}

impl Pkcs11Token {
    /// The token of this label behind the library at `module`; logs in.
    pub fn open(module: &Path, label: &str, pin: TokenPin) -> Result<Arc<Self>, CaKeyError> {
        let token = Arc::new(Self {
            module: Pkcs11Module::load(module)?,
            label: label.to_owned(),
            pin,
            sessions: Mutex::default(),
            freed: Condvar::new(),
        });
        token.run(|_, _| Ok(()))?;
        Ok(token)
    }

    /// The token's label, by which the configuration names it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Does `work` in a session whose user is logged in; when the session turns out to be lost, once more in a new one.
    /// `work` gets the number of the generation too: handles of an older one mean nothing any more.
    pub(super) fn run<T>(
        &self,
        work: impl Fn(&Session, u64) -> Result<T, Pkcs11Fault>,
    ) -> Result<T, CaKeyError> {
        let result = match self.attempt(&work) {
            Err(fault) if fault.is_loss() => {
                let reason = self.failure_of(fault);
                tracing::warn!(token = self.label, %reason, "trying once more in a new session");
                self.attempt(&work)
            }
            result => result,
        };
        result.map_err(|fault| self.failure_of(fault))
    }

    /// Does `work` once in a session of its own that may write to the token.
    pub(super) fn run_writing<T>(
        &self,
        work: impl FnOnce(&Session) -> Result<T, Pkcs11Fault>,
    ) -> Result<T, CaKeyError> {
        let attempt = || {
            let slot = self.slot()?;
            let session = self.module.context().open_rw_session(slot)?;
            self.module.log_in(&session, slot, &self.label, &self.pin)?;
            work(&session)
        };
        attempt().map_err(|fault| self.failure_of(fault))
    }

    /// An error of this token.
    pub(super) fn trouble(&self, reason: &str) -> CaKeyError {
        CaKeyError::Token { token: self.label.clone(), reason: reason.to_owned() }
    }

    fn failure_of(&self, fault: Pkcs11Fault) -> CaKeyError {
        match fault {
            Pkcs11Fault::Known(error) | Pkcs11Fault::Hidden(error) => error,
            Pkcs11Fault::Answer(error) => self.trouble(&text_of(&error)),
        }
    }

    fn attempt<T>(&self, work: impl Fn(&Session, u64) -> Result<T, Pkcs11Fault>) -> Result<T, Pkcs11Fault> {
        let (session, generation) = self.borrow()?;
        let result = work(&session, generation);
        self.give_back(session, generation, result.as_ref().err());
        result
    }

    fn borrow(&self) -> Result<(Session, u64), Pkcs11Fault> {
        let is_busy = |sessions: &mut Sessions| sessions.lent >= SESSIONS;
        let waited = self.freed.wait_timeout_while(self.lock(), PATIENCE, is_busy);
        let (mut sessions, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(self.trouble("all sessions are busy and none comes to an end").into());
        }
        let session = match sessions.idle.pop() {
            Some(session) => session,
            None => self.open_session(&mut sessions)?,
        };
        sessions.lent += 1;
        Ok((session, sessions.generation))
    }

    /// With the sessions locked: whoever else needs a new one needs what is done here, too.
    fn open_session(&self, sessions: &mut Sessions) -> Result<Session, Pkcs11Fault> {
        let open = || {
            let slot = self.slot()?;
            let session = self.module.context().open_ro_session(slot)?;
            self.module.log_in(&session, slot, &self.label, &self.pin)?;
            Ok(session)
        };
        open().inspect_err(|fault| self.lose(sessions, fault))
    }

    fn give_back(&self, session: Session, generation: u64, fault: Option<&Pkcs11Fault>) {
        let mut sessions = self.lock();
        sessions.lent -= 1;
        let is_present = sessions.generation == generation;
        if fault.is_none() && is_present {
            sessions.idle.push(session);
        } else {
            // Closed: after an error an operation may be left open in it.
            drop(session);
        }
        if let Some(fault) = fault.filter(|_| is_present) {
            self.lose(&mut sessions, fault);
        }
        drop(sessions);
        self.freed.notify_one();
    }

    /// Ends the generation if this is what the fault means.
    fn lose(&self, sessions: &mut Sessions, fault: &Pkcs11Fault) {
        if !fault.is_loss() {
            return;
        }
        sessions.generation += 1;
        sessions.idle.clear();
        if matches!(fault, Pkcs11Fault::Answer(Error::Pkcs11(RvError::CryptokiNotInitialized, _))) {
            // What it answers now will be heard when the next session is opened.
            let _ = self.module.initialize();
        }
    }

    /// Looked up every time: a token that comes back may sit in another slot.
    fn slot(&self) -> Result<Slot, Pkcs11Fault> {
        let context = self.module.context();
        let (mut matching, mut shown) = (Vec::new(), Vec::new());
        for slot in context.get_slots_with_initialized_token()? {
            let label = context.get_token_info(slot)?.label().to_owned();
            if label == self.label {
                matching.push(slot);
            }
            shown.push(label);
        }
        match matching.as_slice() {
            [slot] => Ok(*slot),
            _ => Err(CaKeyError::NoToken {
                token: self.label.clone(),
                count: matching.len(),
                shown: if shown.is_empty() { "none".into() } else { shown.join(", ") },
            }
            .into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which function answered what, in one word each; the library's own texts are paragraphs.
fn text_of(error: &Error) -> String {
    match error {
        Error::Pkcs11(answer, function) => format!("C_{function:?}: {answer:?}"),
        other => other.to_string(),
    }
}
