//! Security events for those who follow no feed: each change of status, signed for the receiver and pushed (RFC 8935), in
//! the order of the feed.
//!
//! The feed in the ledger is the one source. A receiver has a durable place in it, which moves when the receiver has
//! taken what came before; so nothing is lost or overtaken by an outage or a restart. What was under way at that moment
//! is sent again under the same `jti`.

mod delivery;
mod signing;

use crate::tokens::Tokens;
use delivery::Courier;
use futures_util::future::{BoxFuture, join_all};
use std::sync::Arc;
use tegata_core::TenantId;
use tegata_core::security_event::EventType;

/// Somebody who is sent security events.
#[derive(Clone)]
pub struct Receiver {
    /// Its name, the same for ever: its place in the feed is found by it.
    pub id: String,
    /// What the `aud` of its tokens says.
    pub audience: String,
    /// Whose events it hears; without one, everybody's.
    pub tenant: Option<TenantId>,
    /// The types of events it wants.
    pub events: Vec<EventType>,
    /// The way to it.
    pub push: Arc<dyn Push>,
}

/// Hands a token to a receiver, within a time limit of its own.
pub trait Push: Send + Sync {
    /// Sends a token and says what the receiver answered.
    fn push<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Pushed>;
}

/// What a receiver answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It has the token.
    Taken,
    /// It says by `invalid_request` that this token makes no sense to it: sending it again would not help, and what
    /// follows must not wait for it.
    Rejected(String),
    /// It was not reached, or takes nothing for now.
    Failed(String),
}

/// Sends to all receivers for as long as it is polled. None waits for another.
pub async fn deliver(tokens: Arc<Tokens>, receivers: Vec<Receiver>) {
    if receivers.is_empty() {
        return std::future::pending().await;
    }
    let couriers = receivers.into_iter().map(|receiver| Courier::new(tokens.clone(), receiver));
    join_all(couriers.map(Courier::run)).await;
}
