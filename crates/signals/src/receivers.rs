//! Security events for those who follow no feed: each change of status, signed for the receiver, in the order of the feed;
//! pushed (RFC 8935), or kept until it is asked for (RFC 8936).
//!
//! The feed in the ledger is the one source. A receiver has a durable place in it, which moves when the receiver has
//! taken what came before; so nothing is lost or overtaken by an outage or a restart. What was under way at that moment
//! is told again under the same `jti`.
//!
//! | to learn about | read |
//! |---|---|
//! | what is told, and in which order | `stream_events`, `signing` |
//! | how it gets there | `delivery`, `poll` |
//! | what a receiver may do with its stream | `management` |

mod client;
mod delivery;
mod error;
mod management;
mod poll;
mod request;
mod selection;
mod signing;
mod stream;
mod stream_events;

pub(crate) use management::{POLL_DELIVERY, PUSH_DELIVERY, configuration, fixed, set_status, status, verify};
pub(crate) use poll::poll;
pub use stream::{DeliveryMethod, EventPusher, EventReceiver, PushOutcome, UnknownClient, is_for_good};
pub(crate) use stream::{EventStream, EventStreams};

use crate::issuer::SignalIssuer;
use crate::signals::Signals;
use delivery::PushDelivery;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// From a failure to make receivers known to the next attempt.
const PAUSE: Duration = Duration::from_secs(2);

/// Sends to all receivers that are called, for as long as it is polled, and sees to it that those who ask are known. None
/// waits for another.
pub async fn deliver(signals: Arc<Signals>) {
    let (issuer, streams) = (signals.issuer(), signals.streams());
    let couriers = streams.all.iter().filter_map(|stream| match &stream.receiver.way {
        DeliveryMethod::Push { push, .. } => {
            Some(PushDelivery::new(issuer.clone(), stream.clone(), push.clone()).run())
        }
        DeliveryMethod::Poll => None,
    });
    let asking = streams.all.iter().filter(|stream| matches!(stream.receiver.way, DeliveryMethod::Poll));
    let introductions = asking.map(|stream| introduce(issuer, stream));
    tokio::join!(join_all(couriers), join_all(introductions));
    // Like every pass: it ends with the program.
    std::future::pending::<()>().await;
}

async fn introduce(issuer: &SignalIssuer, stream: &EventStream) {
    let EventReceiver { id, issuance, .. } = &stream.receiver;
    let ledger = &issuer.context.ledger;
    while let Err(error) = ledger.introduce_receiver(id, *issuance, issuer.context.now()).await {
        tracing::error!(receiver = id, %error, "a receiver cannot be made known");
        sleep(PAUSE).await;
    }
}
