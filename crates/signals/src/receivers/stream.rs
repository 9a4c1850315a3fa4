//! Receivers, and the stream of events that each of them has.

use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::TenantId;
use tegata_core::security_event::EventType;
use tegata_web::ClientRegistry;
use tokio::sync::{Notify, Semaphore};

/// How long a poll waits for news. Below what proxies and clients usually grant a request.
const LONGEST_POLL: Duration = Duration::from_secs(25);

/// Polls of one receiver that wait at one time, in each server.
const POLLS: usize = 4;

/// A receiver of security events.
#[derive(Clone)]
pub struct EventReceiver {
    /// Its name, the same for ever: its place in the feed is found by it. It is also the name of its stream.
    pub id: String,
    /// The `aud` of its tokens.
    pub audience: String,
    /// The tenant whose events it gets; without one, those of all tenants.
    pub tenant: Option<TenantId>,
    /// The types of events it wants.
    pub events: Vec<EventType>,
    /// Whether it is told of issued certificates, too.
    pub issuance: bool,
    /// The registered client that it is, where it asks something itself.
    pub client: Option<String>,
    /// The way to it.
    pub way: DeliveryMethod,
}

/// How tokens come to a receiver.
#[derive(Clone)]
pub enum DeliveryMethod {
    /// Events are pushed (RFC 8935).
    Push {
        /// The endpoint, as the stream's configuration names it.
        endpoint: String,
        /// Sends one event at a time.
        push: Arc<dyn EventPusher>,
    },
    /// It asks for them.
    Poll,
}

/// Hands a token to a receiver, within a time limit of its own.
pub trait EventPusher: Send + Sync {
    /// Sends a token and says what the receiver answered.
    fn push<'a>(&'a self, token: &'a str) -> BoxFuture<'a, PushOutcome>;
}

/// What a receiver answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PushOutcome {
    /// It has the token.
    Taken,
    /// It says that this token makes no sense to it: sending it again would not help, and what follows must not wait
    /// for it.
    Rejected(String),
    /// It was not reached, or takes nothing for now.
    Failed(String),
}

/// Whether an error that a receiver reports is about the token itself. Whatever is about keys, names and rights may be
/// mended on either side, and then the same token is taken.
pub fn is_for_good(err: &str) -> bool {
    matches!(err, "invalid_request" | "invalid_state")
}

/// A receiver would be a client that is not registered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the receiver {receiver} is the client {client}, which is not registered")]
pub struct UnknownClient {
    /// The receiver that the stream belongs to.
    pub receiver: String,
    /// The `client_id` that it names.
    pub client: String,
}

/// The streams of all receivers.
#[derive(Default)]
pub(crate) struct EventStreams {
    pub(super) all: Vec<Arc<EventStream>>,
}

/// A receiver, and who waits for its events.
pub(crate) struct EventStream {
    pub(crate) receiver: EventReceiver,
    pub(crate) longest_poll: Duration,
    pub(super) waiting: Semaphore,
    /// Something was asked for or changed here that a waiting poll should look at.
    pub(super) stirred: Notify,
}

impl EventStreams {
    pub(crate) fn new(
        receivers: Vec<EventReceiver>,
        clients: &ClientRegistry,
    ) -> Result<Self, UnknownClient> {
        let unknown = receivers.iter().find_map(|receiver| {
            let client = receiver.client.as_ref().filter(|client| clients.get(client).is_none())?;
            Some(UnknownClient { receiver: receiver.id.clone(), client: client.clone() })
        });
        match unknown {
            Some(unknown) => Err(unknown),
            None => Ok(Self::with(receivers, LONGEST_POLL)),
        }
    }

    /// Of clients that are registered.
    pub(crate) fn with(receivers: Vec<EventReceiver>, longest_poll: Duration) -> Self {
        let stream = |receiver| {
            let (waiting, stirred) = (Semaphore::new(POLLS), Notify::new());
            Arc::new(EventStream { receiver, longest_poll, waiting, stirred })
        };
        Self { all: receivers.into_iter().map(stream).collect() }
    }

    /// Whether anybody can ask something here.
    pub(crate) fn are_managed(&self) -> bool {
        self.all.iter().any(|stream| stream.receiver.client.is_some())
    }
}
