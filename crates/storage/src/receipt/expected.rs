//! Who has to confirm that something is stopped, and who has.
//!
//! What is decided here rests on one rule: a server lets nobody in by what it heard of the ledger longer ago than
//! [`STATUS_STALENESS`]. Whoever reads the ledger after a change has committed reads the change. So a server that does not
//! hear of it refuses everybody this long after the commit, whatever has become of the server: its silence is a
//! confirmation then, and none before.

use super::{ReceiptRow, ServerSurface};
use crate::server::RegisteredServer;
use crate::status::STATUS_STALENESS;
use std::collections::HashSet;
use std::time::Duration;
use tegata_core::{ServerId, Timestamp};

/// What was answered just before a server's memory grew too old may still be on its way for so long.
const UNDER_WAY: Duration = Duration::from_millis(500);

/// So long after a change has committed, a server that has not acknowledged anything refuses whatever it is asked.
pub const SILENCE_REFUSES: Duration = STATUS_STALENESS.saturating_add(UNDER_WAY);

/// A gate that was heard of within this time is expected to give its receipt, and so is a list of revoked certificates.
const ALIVE: Duration = Duration::from_secs(15);

/// A surface whose receipt is waited for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpectedReceipt {
    /// How the ledger names it.
    key: String,
    /// `gate:{id}`, `crl:{issuer}`, or what of a server it is, as `token`.
    pub surface: String,
    /// Which server's it is, unless it belongs to the installation or to a gate.
    pub server: Option<AnsweringServer>,
}

/// A server that has to answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AnsweringServer {
    /// Nothing where servers of the previous version answer: their receipts do not say which of them they are.
    pub id: Option<ServerId>,
    /// The name of its host; empty where nobody knows it.
    pub name: String,
    /// When it was last heard of.
    pub seen_at: Timestamp,
}

/// How it is known that a surface refuses what was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SurfaceConfirmation {
    /// It said so, having applied it at this time.
    Receipt(Timestamp),
    /// Its server has been silent for [`SILENCE_REFUSES`] since the change, and refuses everybody by now.
    Silence,
    /// Nothing is known: it may still answer as before.
    Missing,
}

/// A surface, and what is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SurfaceReceipt {
    /// The surface, and whose it is.
    pub of: ExpectedReceipt,
    /// How it is known that it refuses, if it is.
    pub confirmation: SurfaceConfirmation,
}

impl SurfaceReceipt {
    /// Whether the surface refuses what was stopped.
    pub fn is_confirmed(&self) -> bool {
        self.confirmation != SurfaceConfirmation::Missing
    }

    /// From when on it refuses what was stopped, durably, at `durable`.
    pub fn confirmed_at(&self, durable: Timestamp) -> Option<Timestamp> {
        match self.confirmation {
            SurfaceConfirmation::Receipt(at) => Some(at.max(durable)),
            SurfaceConfirmation::Silence => Some(durable.plus(SILENCE_REFUSES)),
            SurfaceConfirmation::Missing => None,
        }
    }
}

impl ExpectedReceipt {
    pub(super) fn is_gates(&self) -> bool {
        self.surface.starts_with("gate:")
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// Everybody who may let somebody in: each surface of every server that is there, and the gates and lists that were heard of
/// lately.
pub(super) fn expected(
    servers: &[RegisteredServer],
    receipts: &[ReceiptRow],
    now: Timestamp,
) -> Vec<ExpectedReceipt> {
    let registered = servers.iter().flat_map(|server| {
        let answering = AnsweringServer {
            id: Some(server.id.clone()),
            name: server.name.clone(),
            seen_at: server.seen_at,
        };
        ServerSurface::ALL.map(|surface| ExpectedReceipt {
            key: surface.of(&server.id),
            surface: surface.to_string(),
            server: Some(answering.clone()),
        })
    });
    let mut all: Vec<_> = registered.collect();
    let known: HashSet<String> = all.iter().map(|one| one.key.clone()).collect();
    let alive = receipts.iter().filter(|receipt| receipt.is_alive(now) && !known.contains(&receipt.surface));
    all.extend(alive.map(unregistered));
    all
}

/// Of a surface that was heard of, though no server that is registered has it.
fn unregistered(receipt: &ReceiptRow) -> ExpectedReceipt {
    let key = receipt.surface.clone();
    let (surface, id) = match key.split_once(':') {
        Some((surface, id)) => (surface, ServerId::parse(id)),
        None => (&*key, None),
    };
    let is_servers = ServerSurface::ALL.iter().any(|known| known.as_str() == surface);
    let server = is_servers.then(|| AnsweringServer { id, name: String::new(), seen_at: receipt.seen_at });
    let surface = if is_servers { surface.to_owned() } else { key.clone() };
    ExpectedReceipt { key, surface, server }
}

impl ReceiptRow {
    fn is_alive(&self, now: Timestamp) -> bool {
        now.since(self.seen_at) < ALIVE && !self.seen_at.is_ahead_of(now)
    }
}

/// What is known of each, so long after the change was durable.
pub(super) fn confirmations(
    expected: &[ExpectedReceipt],
    receipts: &[ReceiptRow],
    event: u64,
    since: Duration,
) -> Vec<SurfaceReceipt> {
    let applied =
        |one: &ExpectedReceipt| receipts.iter().find(|receipt| receipt.surface == one.key)?.applied(event);
    // Who has acknowledged anything is not silent: what is missing of it is missing for another reason.
    let heard: HashSet<_> =
        expected.iter().filter(|one| applied(one).is_some()).filter_map(|one| one.server.as_ref()).collect();
    let confirmation = |one: &ExpectedReceipt| match (applied(one), &one.server) {
        (Some(at), _) => SurfaceConfirmation::Receipt(at),
        (None, Some(server)) if since >= SILENCE_REFUSES && !heard.contains(server) => {
            SurfaceConfirmation::Silence
        }
        (None, _) => SurfaceConfirmation::Missing,
    };
    expected.iter().map(|one| SurfaceReceipt { of: one.clone(), confirmation: confirmation(one) }).collect()
}

#[cfg(test)]
mod tests;
