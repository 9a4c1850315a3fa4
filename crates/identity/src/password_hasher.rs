//! How passwords are hashed: Argon2id (RFC 9106), on few threads at a time, so that a flood of sign-ins can take neither all
//! memory nor all processors.

use crate::foreign_hash::ForeignHash;
use crate::password::Password;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use tegata_core::entropy::bytes;
use tegata_core::{Entropy, Refusal};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

/// KiB of memory, passes, lanes: the first choice of the OWASP Password Storage Cheat Sheet. What it costs was measured;
/// docs/people.md has the figures.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes at a time, at most: each takes 19 MiB and a processor.
const AT_ONCE: usize = 4;

/// Who may wait for their turn. Beyond it whoever comes is asked to come again.
const WAITING: usize = 64;

/// Hashes passwords and compares them. Cloning shares it.
#[derive(Clone)]
pub(crate) struct PasswordHasher {
    argon2: Argon2<'static>,
    /// A hash that no password has: whoever is nobody costs as much as somebody.
    nobody: Arc<str>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    done: Arc<AtomicU64>,
}

impl PasswordHasher {
    /// Makes the pool, and hashes once for whoever is nobody.
    ///
    /// # Panics
    /// Where the constants of this file are no parameters of Argon2.
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let params = Params::new(MEMORY, PASSES, LANES, None).expect("parameters of Argon2");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hashed(&argon2, &bytes::<32>(entropy), entropy).expect("a hash of random bytes");
        let at_once = available_parallelism().map_or(1, usize::from).min(AT_ONCE);
        Self {
            argon2,
            nobody: nobody.into(),
            running: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once + WAITING)),
            done: Arc::default(),
        }
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when too many wait.
    pub(crate) async fn hash(
        &self,
        password: Password,
        entropy: Arc<dyn Entropy>,
    ) -> Result<String, Refusal> {
        let argon2 = self.argon2.clone();
        self.run(move || hashed(&argon2, password.as_bytes(), entropy.as_ref()))
            .await?
            .ok_or(Refusal::Internal)
    }

    /// Whether a password is the one that was hashed. Without a hash it takes the same time and is wrong.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when too many wait.
    pub(crate) async fn verify(&self, password: Password, hash: Option<&str>) -> Result<bool, Refusal> {
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let argon2 = self.argon2.clone();
        let fits = self.run(move || {
            PasswordHash::new(&hash)
                .is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok())
        });
        Ok(fits.await? && is_somebody)
    }

    /// Whether a password is the one that another product has hashed, as it was typed or as it is compared here. Whether it
    /// is or not, one hash of our own is made of it as well: given back where it is, and otherwise made so that a weak hash
    /// of the other product is answered no sooner than nobody's.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when too many wait.
    pub(crate) async fn verify_foreign(
        &self,
        (typed, password): (Zeroizing<String>, Password),
        hash: &str,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Option<String>, Refusal> {
        let hash = hash.to_owned();
        let argon2 = self.argon2.clone();
        self.run(move || {
            let fits = ForeignHash::parse(&hash).is_ok_and(|hash| {
                hash.fits(typed.as_bytes())
                    || (typed.as_bytes() != password.as_bytes() && hash.fits(password.as_bytes()))
            });
            let own = hashed(&argon2, password.as_bytes(), entropy.as_ref());
            own.filter(|_| fits)
        })
        .await
    }

    /// How often something was hashed.
    #[cfg(test)]
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| Refusal::Unavailable)?;
        let turn = self.running.clone().acquire_owned().await.map_err(|_| Refusal::Unavailable)?;
        self.done.fetch_add(1, Ordering::Relaxed);
        // Whoever goes away does not take the place along: the work is done to its end, and counts as long.
        let work = spawn_blocking(move || {
            let _held = (admitted, turn);
            work()
        });
        work.await.map_err(|_| Refusal::Internal)
    }
}

fn hashed(argon2: &Argon2<'_>, password: &[u8], entropy: &dyn Entropy) -> Option<String> {
    let salt = bytes::<16>(entropy);
    argon2.hash_password_with_salt(password, &salt).ok().map(|hash: PasswordHash| hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[tokio::test]
    async fn a_hash_is_argon2id_with_a_salt_of_its_own_and_fits_one_password() {
        let entropy: Arc<dyn Entropy> = Arc::new(Seeded::new(1));
        let hasher = PasswordHasher::new(entropy.as_ref());
        let one = hasher.hash(Password::typed("k7#mQ2pz"), entropy.clone()).await.unwrap();
        let two = hasher.hash(Password::typed("k7#mQ2pz"), entropy).await.unwrap();
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && one != two, "{one}");
        assert!(hasher.verify(Password::typed("ｋ７#mQ2pz"), Some(&one)).await.unwrap());
        assert!(!hasher.verify(Password::typed("k7#mQ2pZ"), Some(&one)).await.unwrap());
        assert!(!hasher.verify(Password::typed("k7#mQ2pz"), Some("$argon2id$nonsense")).await.unwrap());
        let before = hasher.done();
        assert!(!hasher.verify(Password::typed("k7#mQ2pz"), None).await.unwrap());
        assert_eq!(hasher.done(), before + 1, "whoever is nobody costs as much");
    }

    #[tokio::test]
    async fn a_hash_of_another_implementation_is_read() {
        // Of the reference implementation: argon2 somesalt -id -t 2 -m 16 -p 1 on "password".
        const REFERENCE: &str =
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hasher = PasswordHasher::new(&Seeded::new(1));
        assert!(hasher.verify(Password::typed("password"), Some(REFERENCE)).await.unwrap());
        assert!(!hasher.verify(Password::typed("differentpassword"), Some(REFERENCE)).await.unwrap());
    }

    #[tokio::test]
    async fn a_flood_of_passwords_waits_in_a_line_with_an_end() {
        let hasher = PasswordHasher::new(&Seeded::new(1));
        let held = hasher
            .running
            .clone()
            .acquire_many_owned(u32::try_from(hasher.running.available_permits()).unwrap())
            .await
            .unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..2 * WAITING {
            let hasher = hasher.clone();
            waiting.spawn(async move { hasher.verify(Password::typed("k7#mQ2pz"), None).await });
        }
        let mut refused = 0;
        while refused < WAITING - AT_ONCE {
            assert_eq!(waiting.join_next().await.unwrap().unwrap(), Err(Refusal::Unavailable));
            refused += 1;
        }
        assert_eq!(hasher.done(), 0);
        drop(held);
        waiting.abort_all();
    }
}
