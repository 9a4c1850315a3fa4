//! The keys that sign tokens, the feed, security events and status lists, as a server uses them.
//!
//! They lie in the ledger, each sealed with the installation's secret, so that every server of a ledger signs with the same
//! key and makes the next one without a word to the others. Which of them signs is decided by the clock
//! ([`tegata_signals::KeySuccession`]). A server that cannot open the key that should sign signs nothing, says so, and goes on
//! when it can.

mod changing;
pub mod files;

pub use changing::{appoint, drop_ended, withdraw};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::jws::{Jwks, KeySet, SigningKey};
use tegata_installation::token_key::open;
use tegata_installation::{Config, Failure, FailureContext, KeyRing};
use tegata_signals::{KeySuccession, KeyTerm, NOTICE, SignalIssuer, SigningKeys};
use tegata_storage::{Actor, StoredTokenKey};
use tegata_web::ServerContext;
use tokio::task::spawn_blocking;

/// How soon a running server acts on a changed succession.
pub const LOOK: Duration = Duration::from_secs(2);

/// From an attempt to open a key that failed to the next one: each costs a fifth of a second of computing.
const ANOTHER_ATTEMPT: Duration = Duration::from_secs(10);

/// Who changes keys by the clock.
const PASS: Actor = Actor::System("token keys");

/// When each key signs.
///
/// # Errors
/// There is no key, or two that begin at one moment.
pub fn succession(stored: &[StoredTokenKey]) -> Result<KeySuccession, Failure> {
    let terms = stored.iter().map(|key| KeyTerm {
        kid: key.kid.clone(),
        published_at: key.published_at,
        signs_from: key.signs_from,
    });
    KeySuccession::try_from(terms.collect::<Vec<_>>()).doing("cannot use the token keys of the ledger")
}

/// The keys of a running server.
pub struct TokenKeys {
    config: Config,
    ring: Arc<KeyRing>,
    opened: HashMap<String, Arc<SigningKey>>,
    /// The key that could not be opened, and when.
    failed: Option<(String, Timestamp)>,
    /// What the server uses: the key that signs, whether it is at hand, and all that are published.
    used: Option<(String, bool, Vec<String>)>,
}

impl TokenKeys {
    /// None is opened yet.
    pub fn new(config: Config, ring: Arc<KeyRing>) -> Self {
        Self { config, ring, opened: HashMap::new(), failed: None, used: None }
    }

    /// The keys to begin with. What an older version left in files goes to the ledger first; where there is no key at all, one
    /// is made.
    pub async fn first(&mut self, context: &ServerContext) -> Result<SigningKeys, Failure> {
        let (ledger, now) = (&context.ledger, context.now());
        files::synchronize(&self.ring, ledger, now).await?;
        if ledger.token_keys().await.doing("cannot read the token keys")?.is_empty() {
            let entropy = context.entropy.as_ref();
            appoint(&self.ring, ledger, &PASS, now, Duration::ZERO, entropy, |known| known.is_none()).await?;
        }
        let stored = ledger.token_keys().await.doing("cannot read the token keys")?;
        let keys = self.news(&stored, now).await?;
        keys.ok_or_else(|| Failure::wrong("there is no key to sign tokens with"))
    }

    /// The keys as they are, for whoever only looks.
    pub async fn as_they_are(&mut self, context: &ServerContext) -> Result<SigningKeys, Failure> {
        let stored = context.ledger.token_keys().await.doing("cannot read the token keys")?;
        let stored = if stored.is_empty() { files::stored(&self.ring)? } else { stored };
        if stored.is_empty() {
            return Ok(SigningKeys::lacking(String::new(), KeySet::default()));
        }
        let keys = self.news(&stored, context.now()).await?;
        keys.ok_or_else(|| Failure::wrong("there is no key to sign tokens with"))
    }

    /// One look: appoints the next key when the last has signed for `age`, clears up, and changes keys when it is time to. A
    /// failure leaves things as they are until the next look.
    ///
    /// # Errors
    /// The ledger or the keys folder cannot be used.
    pub async fn turn(
        &mut self,
        context: &ServerContext,
        issuer: &SignalIssuer,
        age: Option<Duration>,
    ) -> Result<(), Failure> {
        let now = context.now();
        files::synchronize(&self.ring, &context.ledger, now).await?;
        let mut stored = context.ledger.token_keys().await.doing("cannot read the token keys")?;
        if self.look_after(&stored, context, age).await? {
            stored = context.ledger.token_keys().await.doing("cannot read the token keys")?;
        }
        let Some(keys) = self.news(&stored, now).await? else { return Ok(()) };
        tracing::info!(kid = keys.signing_kid(), "the token keys have changed");
        issuer.set_keys(keys);
        Ok(())
    }

    /// What is due by the clock. Gives whether anything was done.
    async fn look_after(
        &self,
        stored: &[StoredTokenKey],
        context: &ServerContext,
        age: Option<Duration>,
    ) -> Result<bool, Failure> {
        let (known, now) = (succession(stored)?, context.now());
        let is_due = move |known: &KeySuccession| age.is_some_and(|age| known.is_due(now, age));
        let mut done = drop_ended(&context.ledger, &PASS, now).await?;
        if is_due(&known) {
            let (ledger, entropy) = (&context.ledger, context.entropy.as_ref());
            let only_if = move |known: Option<&KeySuccession>| known.is_some_and(is_due);
            done |= appoint(&self.ring, ledger, &PASS, now, NOTICE, entropy, only_if).await?.is_some();
        }
        Ok(done)
    }

    /// The keys to use at `now`, when they are others than before.
    async fn news(
        &mut self,
        stored: &[StoredTokenKey],
        now: Timestamp,
    ) -> Result<Option<SigningKeys>, Failure> {
        let succession = succession(stored)?;
        let kid = succession.signing(now).kid.clone();
        let published: Vec<_> = succession.published(now).map(|term| term.kid.clone()).collect();
        self.opened.retain(|kid, _| published.contains(kid));
        for key in stored.iter().filter(|key| published.contains(&key.kid)) {
            self.open(key, now).await;
        }
        let signing = self.opened.get(&kid).cloned();
        let used = (kid.clone(), signing.is_some(), published.clone());
        if self.used.as_ref() == Some(&used) {
            return Ok(None);
        }
        self.used = Some(used);
        let jwks = stored.iter().filter(|key| published.contains(&key.kid));
        let jwks = jwks.map(|key| serde_json::from_str(&key.jwk)).collect::<Result<_, _>>();
        let jwks = Jwks { keys: jwks.doing("cannot read the token keys")? };
        let published = KeySet::from_jwks(&jwks).doing("cannot read the token keys")?;
        Ok(Some(match signing {
            Some(key) => SigningKeys::with(key, published),
            None => SigningKeys::lacking(kid, published),
        }))
    }

    /// Opens a key. One that does not open is published all the same, because others sign with it.
    async fn open(&mut self, stored: &StoredTokenKey, now: Timestamp) {
        let waits = |(kid, at): &(String, Timestamp)| *kid == stored.kid && now.since(*at) < ANOTHER_ATTEMPT;
        if self.opened.contains_key(&stored.kid) || self.failed.as_ref().is_some_and(waits) {
            return;
        }
        let (ring, config, key) = (self.ring.clone(), self.config.clone(), stored.clone());
        // The secret itself may have been corrected meanwhile.
        let opening = move || open(&ring, &key).or_else(|_| open(&KeyRing::open(&config)?, &key));
        match spawn_blocking(opening).await {
            Ok(Ok(key)) => {
                self.failed = None;
                self.opened.insert(stored.kid.clone(), Arc::new(key));
            }
            Ok(Err(error)) => {
                tracing::error!(kid = stored.kid, %error, "a token key cannot be opened: nothing is signed with it here");
                self.failed = Some((stored.kid.clone(), now));
            }
            Err(error) => tracing::error!(kid = stored.kid, %error, "a token key was not opened"),
        }
    }
}
