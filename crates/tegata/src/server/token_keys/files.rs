//! Where earlier versions kept the keys that sign tokens: files in the keys folder.
//!
//! | | |
//! |---|---|
//! | `token.pem` | the key that `tegata init` made |
//! | `token-KID.pem` | a later one |
//! | `token-keys.json` | when each signs. While there is none, `token.pem` is the only key |
//!
//! They are taken into the ledger at the first start. As long as the folder has them, a server or a command of such a version
//! may be at work beside this one: keys that it makes are taken in, and the files follow what changes in the ledger. Nothing
//! else reads them, and whoever has upgraded all servers may remove them.

use super::{PASS, succession};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;
use tegata_ca::secret;
use tegata_core::Timestamp;
use tegata_installation::token_key::open;
use tegata_installation::{CommittedExt, Failure, FailureContext, KeyRing};
use tegata_signals::{KeyDuty, KeySuccession};
use tegata_storage::{Ledger, StoredTokenKey};
use tokio::task::block_in_place;

/// The key of the first days.
const FIRST: &str = "token";

const SUCCESSION: &str = "token-keys.json";

/// The files there are, with the key that each must be where that is known.
pub fn names(ring: &KeyRing) -> Result<Vec<(String, Option<String>)>, Failure> {
    match written(ring)? {
        Some(known) => {
            let terms = known.terms().iter();
            Ok(terms.map(|term| (name_of(ring, &term.kid), Some(term.kid.clone()))).collect())
        }
        None if ring.file(FIRST).exists() => Ok(vec![(FIRST.to_owned(), None)]),
        None => Ok(Vec::new()),
    }
}

/// The keys in the folder as the ledger would have them. One whose file is not there yet is left out.
pub fn stored(ring: &KeyRing) -> Result<Vec<StoredTokenKey>, Failure> {
    let Some(known) = known(ring)? else { return Ok(Vec::new()) };
    Ok(known.terms().iter().filter_map(|term| read(ring, &known, &term.kid)).collect())
}

/// Takes in what the folder has and the ledger lacks, and lets the files follow the ledger. Does nothing where an older version
/// never was.
pub async fn synchronize(ring: &KeyRing, ledger: &Ledger, now: Timestamp) -> Result<(), Failure> {
    if !path(ring).exists() && !ring.file(FIRST).exists() {
        return Ok(());
    }
    let _lock = block_in_place(|| lock(ring))?;
    let Some(files) = block_in_place(|| known(ring))? else { return Ok(()) };
    take_in(ring, &files, ledger, now).await?;
    let stored = ledger.token_keys().await.doing("cannot read the token keys")?;
    follow(ring, &files, &stored)
}

/// Servers of an older version change the files while they hold this.
fn lock(ring: &KeyRing) -> Result<File, Failure> {
    let lock = File::create(ring.folder().join("token-keys.lock")).doing("cannot lock the keys folder")?;
    flock(&lock, FlockOperation::LockExclusive).doing("cannot lock the keys folder")?;
    Ok(lock)
}

async fn take_in(
    ring: &KeyRing,
    files: &KeySuccession,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<(), Failure> {
    let what = "cannot take the token keys of an older version into the ledger";
    let mut there = ledger.withdrawn_token_keys().await.doing(what)?;
    there.extend(ledger.token_keys().await.doing(what)?.into_iter().map(|key| key.kid));
    let news: Vec<_> = files
        .terms()
        .iter()
        .filter(|term| !there.contains(&term.kid) && files.duty(&term.kid, now).0 != KeyDuty::Ended)
        .filter_map(|term| block_in_place(|| read(ring, files, &term.kid)))
        .collect();
    if news.is_empty() {
        return Ok(());
    }
    let mut writing = ledger.begin(now).await.doing(what)?;
    for key in &news {
        writing.take_in_token_key(key, &PASS).await.doing(what)?;
    }
    writing.commit().await.committed(what)?;
    tracing::info!(keys = news.len(), "token keys of an older version are in the ledger now");
    Ok(())
}

/// Writes the succession and the keys that the folder lacks, and removes what is neither in use nor announced.
fn follow(ring: &KeyRing, files: &KeySuccession, stored: &[StoredTokenKey]) -> Result<(), Failure> {
    let what = "cannot write the token keys for older versions";
    let next = succession(stored)?;
    if next == *files && path(ring).exists() {
        return Ok(());
    }
    for key in stored {
        let file = ring.file(&name_of(ring, &key.kid));
        if let Some(sealed) = key.sealed_key.as_deref().filter(|_| !file.exists()) {
            secret::write_private_file(&file, sealed.as_bytes()).doing(what)?;
        }
    }
    let gone = files.terms().iter().filter(|term| stored.iter().all(|key| key.kid != term.kid));
    let gone: Vec<_> = gone.map(|term| ring.file(&name_of(ring, &term.kid))).collect();
    let fresh = ring.folder().join("token-keys.new");
    // Left by a crash: whoever holds the lock may take it away.
    let _ = fs::remove_file(&fresh);
    secret::write_private_file(&fresh, &serde_json::to_vec_pretty(&next).doing(what)?).doing(what)?;
    fs::rename(&fresh, path(ring)).doing(what)?;
    File::open(ring.folder()).and_then(|folder| folder.sync_all()).doing(what)?;
    for file in gone.iter().filter(|file| file.exists()) {
        fs::remove_file(file).doing("cannot take a token key away")?;
    }
    Ok(())
}

/// The succession in the folder. Without the file nobody knows how old the only key is: too old.
fn known(ring: &KeyRing) -> Result<Option<KeySuccession>, Failure> {
    match written(ring)? {
        None if ring.file(FIRST).exists() => {
            let key = ring.token_key(FIRST)?;
            Ok(Some(KeySuccession::begin(key.public().kid(), Timestamp::default())))
        }
        known => Ok(known),
    }
}

/// A key may be on its way from another server: then it is not there yet, and nobody waits for it.
fn read(ring: &KeyRing, files: &KeySuccession, kid: &str) -> Option<StoredTokenKey> {
    let name = name_of(ring, kid);
    let term = files.terms().iter().find(|term| term.kid == kid)?;
    let reading = || {
        let sealed = secret::read_private_file(&ring.file(&name)).doing("cannot read a token key")?;
        let sealed = String::from_utf8(sealed.to_vec()).doing("a token key is not PEM")?;
        let mut stored = StoredTokenKey {
            kid: kid.to_owned(),
            jwk: String::new(),
            sealed_key: Some(sealed),
            published_at: term.published_at,
            signs_from: term.signs_from,
        };
        let jwk = open(ring, &stored)?.public().jwk();
        stored.jwk = serde_json::to_string(&jwk).doing("cannot use a token key")?;
        Ok::<_, Failure>(stored)
    };
    reading().inspect_err(|error| tracing::error!(kid, %error, "a token key is not taken in")).ok()
}

fn written(ring: &KeyRing) -> Result<Option<KeySuccession>, Failure> {
    let file = path(ring);
    match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).doing(format!("cannot use {}", file.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(format!("cannot read {}", file.display())),
    }
}

fn path(ring: &KeyRing) -> PathBuf {
    ring.folder().join(SUCCESSION)
}

/// The first key's file says nothing of its name.
fn name_of(ring: &KeyRing, kid: &str) -> String {
    let name = format!("token-{kid}");
    let is_first = !ring.file(&name).exists()
        && ring.file(FIRST).exists()
        && ring.token_key(FIRST).is_ok_and(|key| key.public().kid() == kid);
    if is_first { FIRST.to_owned() } else { name }
}
