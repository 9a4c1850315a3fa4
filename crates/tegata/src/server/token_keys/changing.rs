//! Changes of the succession. Each is one transaction of the ledger, whose guards say who wins when several servers and
//! commands want the same.

use super::succession;
use std::time::Duration;
use tegata_core::{Entropy, Timestamp};
use tegata_installation::token_key::NewTokenKey;
use tegata_installation::{CommittedExt, Failure, FailureContext, KeyRing};
use tegata_signals::KeySuccession;
use tegata_storage::{Actor, Ledger, LedgerError, Transaction};
use tokio::task::block_in_place;

const APPOINTING: &str = "cannot appoint a token key; nothing was changed";
const WITHDRAWING: &str = "cannot withdraw the token key; nothing was changed";

/// Makes a key that signs after `notice`, unless the succession is not as the caller wants it by then: another server was
/// faster. Gives its name.
pub async fn appoint(
    ring: &KeyRing,
    ledger: &Ledger,
    actor: &Actor,
    now: Timestamp,
    notice: Duration,
    entropy: &dyn Entropy,
    only_if: impl Fn(Option<&KeySuccession>) -> bool,
) -> Result<Option<String>, Failure> {
    // Before the ledger is held: sealing takes its time by intention.
    let new = block_in_place(|| NewTokenKey::make(ring, entropy))?;
    let mut writing = ledger.begin(now).await.doing(APPOINTING)?;
    let known = known(&mut writing).await?;
    if !only_if(known.as_ref()) {
        return Ok(None);
    }
    let kid = new.kid.clone();
    add(&mut writing, new, known, now, notice, actor).await?;
    writing.commit().await.committed(APPOINTING)?;
    Ok(Some(kid))
}

/// Takes a key out at once, with every token it signed. When it is the only one, its successor is made in the same transaction
/// and signs at once.
pub async fn withdraw(
    ring: &KeyRing,
    ledger: &Ledger,
    actor: &Actor,
    now: Timestamp,
    (kid, note): (&str, &str),
    entropy: &dyn Entropy,
) -> Result<(), Failure> {
    let spare = block_in_place(|| NewTokenKey::make(ring, entropy))?;
    let mut writing = ledger.begin(now).await.doing(WITHDRAWING)?;
    let known = known(&mut writing).await?;
    if known.as_ref().is_some_and(|known| known.terms().len() == 1) {
        add(&mut writing, spare, known, now, Duration::ZERO, actor).await?;
    }
    writing.withdraw_token_key(kid, note, actor).await.doing(WITHDRAWING)?;
    writing.commit().await.committed(WITHDRAWING)
}

/// Forgets keys that nobody needs any more. Gives whether there were any.
pub async fn drop_ended(ledger: &Ledger, actor: &Actor, now: Timestamp) -> Result<bool, Failure> {
    const WHAT: &str = "cannot forget ended token keys";
    let stored = ledger.token_keys().await.doing("cannot read the token keys")?;
    if succession(&stored)?.drop_ended(now).is_empty() {
        return Ok(false);
    }
    let mut writing = ledger.begin(now).await.doing(WHAT)?;
    let ended = known(&mut writing).await?.map(|mut known| known.drop_ended(now)).unwrap_or_default();
    if ended.is_empty() {
        return Ok(false);
    }
    writing.end_token_keys(&ended, actor).await.doing(WHAT)?;
    writing.commit().await.committed(WHAT)?;
    Ok(true)
}

async fn known(writing: &mut Transaction) -> Result<Option<KeySuccession>, Failure> {
    let stored = writing.token_keys().await.doing("cannot read the token keys")?;
    if stored.is_empty() { Ok(None) } else { succession(&stored).map(Some) }
}

async fn add(
    writing: &mut Transaction,
    new: NewTokenKey,
    known: Option<KeySuccession>,
    now: Timestamp,
    notice: Duration,
    actor: &Actor,
) -> Result<(), Failure> {
    let last = known.as_ref().and_then(|known| known.terms().last()).map(|term| term.kid.clone());
    let next = match known {
        None => KeySuccession::begin(&new.kid, now),
        Some(mut known) => {
            known.appoint(&new.kid, now, notice).doing(APPOINTING)?;
            known
        }
    };
    let term = next.terms().last().ok_or_else(|| Failure::wrong(APPOINTING))?;
    let stored = new.stored(term.published_at, term.signs_from);
    let added: Result<(), LedgerError> = writing.appoint_token_key(&stored, last.as_deref(), actor).await;
    added.doing(APPOINTING)
}
