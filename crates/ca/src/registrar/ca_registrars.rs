//! The registrars of one CA: the current one, and earlier ones to which clients may still encrypt. One is made in the
//! same order as a device's certificate, so that none exists that the ledger did not record first.

use super::candidate::RegistrarCandidate;
use super::{KeySafe, Registrar, RegistrarError};
use crate::der::{DerReader, tag};
use crate::issuing_ca::IssuingCa;
use crate::keys::{CaKeyError, RsaKey};
use crate::prepare::PrepareError;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tegata_core::{Entropy, Serial, Timestamp};
use tegata_storage::{Actor, NewRegistrar, StoredRegistrar};
use tokio::sync::Mutex;

const ACTOR: Actor = Actor::System("scep");

/// After one could not be made, requests do not try again for so long.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct RegistrarStore {
    /// All registrars that still have a valid certificate, the oldest first.
    known: RwLock<Vec<Arc<Registrar>>>,
    /// One is made at a time; when the last attempt failed.
    making: Mutex<Option<Timestamp>>,
}

impl RegistrarStore {
    pub(super) async fn current(
        &self,
        authority: &IssuingCa,
        safe: &Arc<dyn KeySafe>,
        entropy: &Arc<dyn Entropy>,
        now: Timestamp,
    ) -> Result<Arc<Registrar>, RegistrarError> {
        if let Some(young) = self.young(now) {
            return Ok(young);
        }
        let mut failed = self.making.lock().await;
        if let Some(young) = self.young(now) {
            return Ok(young);
        }
        let old = self.newest(now);
        if failed.is_some_and(|at| now >= at && now.since(at) < PAUSE) {
            return old.ok_or(RegistrarError::Key(CaKeyError::Signing));
        }
        match self.look_or_make(authority, safe, entropy, now).await {
            Ok(registrar) => {
                *failed = None;
                Ok(registrar)
            }
            Err(error) => {
                *failed = Some(now);
                tracing::error!(%error, issuer = %authority.issuer().id(), "no new SCEP registrar");
                old.ok_or(error)
            }
        }
    }

    pub(super) async fn addressed(
        &self,
        authority: &IssuingCa,
        id: &[u8],
        safe: &Arc<dyn KeySafe>,
        now: Timestamp,
    ) -> Result<Option<Arc<Registrar>>, RegistrarError> {
        let known = || self.find(|known| known.id() == id && known.is_alive(now));
        if let Some(known) = known() {
            return Ok(Some(known));
        }
        let Some(serial) = serial_for(authority.issuer().subject(), id) else { return Ok(None) };
        // Another server may have made it.
        let stored = authority.ledger.registrars(authority.issuer().id(), now).await?;
        let Some(stored) = stored.into_iter().find(|stored| stored.serial == serial) else { return Ok(None) };
        let _one_at_a_time = self.making.lock().await;
        match known() {
            Some(known) => Ok(Some(known)),
            None => self.take_in(authority, stored, safe, now).await.map(Some),
        }
    }

    async fn look_or_make(
        &self,
        authority: &IssuingCa,
        safe: &Arc<dyn KeySafe>,
        entropy: &Arc<dyn Entropy>,
        now: Timestamp,
    ) -> Result<Arc<Registrar>, RegistrarError> {
        let newest = authority.ledger.registrars(authority.issuer().id(), now).await?.pop();
        if let Some(stored) = newest {
            let known = self.find(|known| known.certificate == stored.certificate);
            let registrar = match known {
                Some(known) => known,
                None => self.take_in(authority, stored, safe, now).await?,
            };
            if !registrar.is_due(now) {
                return Ok(registrar);
            }
        }
        let made = make(authority, safe, entropy, now).await?;
        Ok(self.remember(made, now))
    }

    /// Opens the key of one that the ledger knows.
    async fn take_in(
        &self,
        authority: &IssuingCa,
        stored: StoredRegistrar,
        safe: &Arc<dyn KeySafe>,
        now: Timestamp,
    ) -> Result<Arc<Registrar>, RegistrarError> {
        let (safe, ca) = (safe.clone(), authority.issuer().certificate().to_vec());
        let opened = elsewhere(move || {
            let pkcs8 = safe.open(&stored.sealed_key).ok_or(RegistrarError::Sealed)?;
            let key = RsaKey::from_pkcs8(&pkcs8)?;
            Registrar::new(key, stored.certificate, &ca).ok_or(RegistrarError::Sealed)
        });
        Ok(self.remember(opened.await?, now))
    }

    fn remember(&self, registrar: Registrar, now: Timestamp) -> Arc<Registrar> {
        let registrar = Arc::new(registrar);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.is_alive(now));
        known.push(registrar.clone());
        known.sort_by_key(|known| known.not_after);
        registrar
    }

    fn find(&self, is_it: impl Fn(&Registrar) -> bool) -> Option<Arc<Registrar>> {
        self.known().iter().find(|known| is_it(known)).cloned()
    }

    fn young(&self, now: Timestamp) -> Option<Arc<Registrar>> {
        self.newest(now).filter(|newest| !newest.is_due(now))
    }

    fn newest(&self, now: Timestamp) -> Option<Arc<Registrar>> {
        self.known().last().filter(|newest| newest.is_alive(now)).cloned()
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<Registrar>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a key, prepares and lints, records, signs and compares, stores.
async fn make(
    authority: &IssuingCa,
    safe: &Arc<dyn KeySafe>,
    entropy: &Arc<dyn Entropy>,
    now: Timestamp,
) -> Result<Registrar, RegistrarError> {
    let (safe, chance) = (safe.clone(), entropy.clone());
    let (key, sealed) = elsewhere(move || {
        let pkcs8 = RsaKey::generate(chance.as_ref())?;
        let sealed = safe.seal(&pkcs8).ok_or(CaKeyError::Sealing)?;
        Ok((RsaKey::from_pkcs8(&pkcs8)?, sealed))
    })
    .await?;
    let issuer = authority.issuer();
    let candidate = RegistrarCandidate::new(issuer, &key, Serial::random(entropy.as_ref()), now)?;
    let serial = candidate.serial;
    let new = NewRegistrar {
        issuer: issuer.id(),
        serial: &serial,
        tbs: &candidate.tbs,
        sealed_key: &sealed,
        not_after: candidate.not_after,
    };
    let mut transaction = authority.ledger.begin(now).await?;
    transaction.reserve_registrar(&new, &ACTOR).await?;
    transaction.commit().await?;

    let certificate = authority.signing(move |issuer| candidate.sign(issuer)).await?;

    let mut transaction = authority.ledger.begin(now).await?;
    transaction.complete_registrar(issuer.id(), &serial, &certificate, &ACTOR).await?;
    transaction.commit().await?;
    Registrar::new(key, certificate, issuer.certificate()).ok_or(RegistrarError::Issue(PrepareError::Altered))
}

/// Runs slow work on a thread that may block.
async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RegistrarError> + Send + 'static,
) -> Result<T, RegistrarError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(RegistrarError::Key(CaKeyError::Signing)))
}

/// The serial in an `IssuerAndSerialNumber`, if its name is this one.
fn serial_for(issuer: &[u8], id: &[u8]) -> Option<Serial> {
    let mut fields = DerReader::new(DerReader::single(id, tag::SEQUENCE).ok()?.content);
    if fields.expect(tag::SEQUENCE).ok()?.whole != issuer {
        return None;
    }
    let serial = fields.expect(tag::INTEGER).ok()?.content.to_vec();
    Serial::try_from(serial).ok()
}
