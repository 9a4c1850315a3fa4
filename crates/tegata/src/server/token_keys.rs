//! The keys that sign tokens and the feed: which files they are, and which of them signs when.
//!
//! | in the keys folder | |
//! |---|---|
//! | `token.pem` | the key that `tegata init` made |
//! | `token-KID.pem` | a later one |
//! | `token-keys.json` | their succession. While there is none, `token.pem` is the only key |
//!
//! Several servers share the folder, or copies of it: who changes the succession holds the lock `token-keys.lock`, and
//! every server reads it again every few seconds.

use crate::failure::{CommittedExt, Failure, FailureContext};
use crate::keys::KeyRing;
use crate::system_context::SystemContext;
use rustix::fs::{FlockOperation, flock};
use serde_json::json;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::secret;
use tegata_core::jws::SigningKey;
use tegata_core::{Entropy, Timestamp};
use tegata_signals::{KeySuccession, NOTICE, SignalIssuer, SigningKeys};
use tegata_storage::{Actor, Ledger};
use tegata_web::ServerContext;
use tokio::runtime::Handle;

/// How soon a running server acts on a changed succession.
pub const LOOK: Duration = Duration::from_secs(2);

/// The key of the first days.
const FIRST: &str = "token";

const SUCCESSION: &str = "token-keys.json";

/// The files of the keys there are, with the key that each must be where that is known: for whoever looks after files.
pub fn names(ring: &KeyRing) -> Result<Vec<(String, Option<String>)>, Failure> {
    let Some(succession) = stored(ring)? else { return Ok(vec![(FIRST.to_owned(), None)]) };
    let terms = succession.terms().iter();
    Ok(terms.map(|term| (name_of(ring, &term.kid), Some(term.kid.clone()))).collect())
}

/// The succession. Without the file nobody knows how old the only key is: too old.
pub fn succession(ring: &KeyRing) -> Result<KeySuccession, Failure> {
    match stored(ring)? {
        Some(succession) => Ok(succession),
        None => Ok(KeySuccession::begin(ring.token_key(FIRST)?.public().kid(), Timestamp::default())),
    }
}

/// Changes the succession, alone among all servers and commands, and leaves a word in the audit log before it counts.
pub struct KeyChange<'a> {
    ring: &'a KeyRing,
    ledger: &'a Ledger,
    actor: Actor,
    now: Timestamp,
    succession: KeySuccession,
    _lock: File,
}

impl<'a> KeyChange<'a> {
    /// Waits for those who change it now.
    pub fn begin(
        ring: &'a KeyRing,
        ledger: &'a Ledger,
        actor: Actor,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let lock =
            File::create(ring.folder().join("token-keys.lock")).doing("cannot lock the keys folder")?;
        flock(&lock, FlockOperation::LockExclusive).doing("cannot lock the keys folder")?;
        Ok(Self { ring, ledger, actor, now, succession: succession(ring)?, _lock: lock })
    }

    /// The succession of keys as it is now.
    pub fn succession(&self) -> &KeySuccession {
        &self.succession
    }

    /// Makes a key that signs after `notice`. Gives its name.
    pub async fn appoint(&mut self, notice: Duration, entropy: &dyn Entropy) -> Result<String, Failure> {
        let key = self.ring.create_token_key(file_name, entropy)?;
        let kid = key.public().kid().to_owned();
        let mut next = self.succession.clone();
        next.appoint(&kid, self.now, notice).doing("cannot appoint a key")?;
        let signs_from = next.terms().last().map(|term| term.signs_from);
        self.tell("token_key.appointed", json!({"kid": kid, "signs_from": signs_from})).await?;
        self.write(next)?;
        Ok(kid)
    }

    /// Takes a key out at once; tokens it signed are of no use any more.
    pub async fn withdraw(&mut self, kid: &str, note: &str) -> Result<(), Failure> {
        let mut next = self.succession.clone();
        next.withdraw(kid, self.now).doing(format!("cannot withdraw {kid}"))?;
        self.tell("token_key.withdrawn", json!({"kid": kid, "note": note})).await?;
        let name = name_of(self.ring, kid);
        self.write(next)?;
        self.ring.discard(&name)
    }

    /// Takes away what nobody needs any more.
    pub async fn drop_ended(&mut self) -> Result<(), Failure> {
        let mut next = self.succession.clone();
        let ended = next.drop_ended(self.now);
        if ended.is_empty() {
            return Ok(());
        }
        self.tell("token_key.ended", json!({"kids": ended})).await?;
        let names: Vec<_> = ended.iter().map(|kid| name_of(self.ring, kid)).collect();
        self.write(next)?;
        names.iter().try_for_each(|name| self.ring.discard(name))
    }

    async fn tell(&self, action: &'static str, detail: serde_json::Value) -> Result<(), Failure> {
        let what = "the change cannot be written to the audit log; nothing was changed";
        let mut transaction = self.ledger.begin(self.now).await.doing(what)?;
        transaction.audit(&self.actor, action, None, detail).await.doing(what)?;
        transaction.commit().await.committed(what)
    }

    fn write(&mut self, next: KeySuccession) -> Result<(), Failure> {
        write(self.ring, &next)?;
        self.succession = next;
        Ok(())
    }
}

/// The keys of a running server.
pub struct TokenKeys {
    ring: Arc<KeyRing>,
    opened: HashMap<String, Arc<SigningKey>>,
    /// What the server uses: the key that signs, then the others.
    used: Vec<String>,
}

impl TokenKeys {
    /// None is opened yet.
    pub fn new(ring: Arc<KeyRing>) -> Self {
        Self { ring, opened: HashMap::new(), used: Vec::new() }
    }

    /// The keys to begin with.
    pub fn first(&mut self, now: Timestamp) -> Result<SigningKeys, Failure> {
        self.news(now)?.ok_or_else(|| Failure::wrong("there is no key to sign tokens with"))
    }

    /// The keys to use at `now`, when they are others than before. Nobody waits for a key that does not sign and whose file
    /// cannot be used: it may be on its way from another server.
    pub fn news(&mut self, now: Timestamp) -> Result<Option<SigningKeys>, Failure> {
        let succession = succession(&self.ring)?;
        let signing = succession.signing(now).kid.clone();
        let published: Vec<_> = succession.published(now).map(|term| term.kid.clone()).collect();
        self.opened.retain(|kid, _| published.contains(kid));
        let mut keys = vec![self.open(&signing)?];
        for kid in published.iter().filter(|kid| **kid != signing) {
            match self.open(kid) {
                Ok(key) => keys.push(key),
                Err(error) => tracing::error!(%error, "a token key is not published"),
            }
        }
        let used: Vec<_> = keys.iter().map(|key| key.public().kid().to_owned()).collect();
        if used == self.used {
            return Ok(None);
        }
        self.used = used;
        let others = keys[1..].iter().map(|key| key.public().clone());
        Ok(Some(SigningKeys::new(keys[0].clone(), others)))
    }

    /// Changes keys when it is time to, appoints the next one when the last has signed for `age`, and clears up. Takes its
    /// time: making and opening a key do by intention, and another server may hold the lock. A failure leaves things as they
    /// are until the next look.
    pub fn turn(
        &mut self,
        issuer: &SignalIssuer,
        age: Option<Duration>,
        runtime: &Handle,
    ) -> Result<(), Failure> {
        let looked_after = runtime.block_on(look_after(&self.ring, &issuer.context, age));
        if let Some(keys) = self.news(issuer.context.now())? {
            tracing::info!(kid = keys.signing_kid(), "the token keys have changed");
            issuer.set_keys(keys);
        }
        looked_after
    }

    fn open(&mut self, kid: &str) -> Result<Arc<SigningKey>, Failure> {
        if let Some(key) = self.opened.get(kid) {
            return Ok(key.clone());
        }
        let name = name_of(&self.ring, kid);
        let key = Arc::new(self.ring.token_key(&name)?);
        if key.public().kid() != kid {
            return Err(Failure::wrong(format!("{} is not the key {kid}", self.ring.file(&name).display())));
        }
        self.opened.insert(kid.to_owned(), key.clone());
        Ok(key)
    }
}

/// What is due by the clock.
async fn look_after(ring: &KeyRing, context: &ServerContext, age: Option<Duration>) -> Result<(), Failure> {
    let now = context.now();
    let is_due = |succession: &KeySuccession| age.is_some_and(|age| succession.is_due(now, age));
    let has_ended = |succession: &KeySuccession| !succession.clone().drop_ended(now).is_empty();
    match stored(ring)? {
        Some(known) if !is_due(&known) && !has_ended(&known) => Ok(()),
        known => {
            let mut change = KeyChange::begin(ring, &context.ledger, Actor::System("token keys"), now)?;
            if known.is_none() {
                change.write(change.succession.clone())?;
            }
            // Another server may have been here while this one waited.
            if is_due(change.succession()) {
                change.appoint(NOTICE, context.entropy.as_ref()).await?;
            }
            change.drop_ended().await
        }
    }
}

/// Makes the first key of an installation.
pub fn create(ring: &KeyRing, system: &SystemContext) -> Result<(), Failure> {
    let key = ring.create_token_key(|_| FIRST.to_owned(), system.entropy.as_ref())?;
    write(ring, &KeySuccession::begin(key.public().kid(), system.now()))
}

fn stored(ring: &KeyRing) -> Result<Option<KeySuccession>, Failure> {
    let file = path(ring);
    match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).doing(format!("cannot use {}", file.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(format!("cannot read {}", file.display())),
    }
}

fn write(ring: &KeyRing, succession: &KeySuccession) -> Result<(), Failure> {
    let what = "cannot write the succession of token keys";
    let fresh = ring.folder().join("token-keys.new");
    // Left by a crash: whoever holds the lock may take it away.
    let _ = fs::remove_file(&fresh);
    let text = serde_json::to_vec_pretty(succession).doing(what)?;
    secret::write_private_file(&fresh, &text).doing(what)?;
    fs::rename(&fresh, path(ring)).doing(what)?;
    File::open(ring.folder()).and_then(|folder| folder.sync_all()).doing(what)
}

fn path(ring: &KeyRing) -> PathBuf {
    ring.folder().join(SUCCESSION)
}

fn file_name(kid: &str) -> String {
    format!("token-{kid}")
}

/// The first key's file says nothing of its name.
fn name_of(ring: &KeyRing, kid: &str) -> String {
    let name = file_name(kid);
    if ring.file(&name).exists() || !ring.file(FIRST).exists() { name } else { FIRST.to_owned() }
}
