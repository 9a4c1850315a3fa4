//! The state that the routes and passes of this crate share.

use crate::feed::FeedHub;
use crate::gate_keys::GateKeys;
use crate::issuer::SignalIssuer;
use crate::receivers::{EventReceiver, EventStreams, UnknownClient};
use crate::status_list::StatusLists;
use std::sync::Arc;
use tegata_web::ClientRegistry;

/// All ways of telling others what changed, over one [`SignalIssuer`].
pub struct Signals {
    issuer: Arc<SignalIssuer>,
    clients: Arc<ClientRegistry>,
    streams: EventStreams,
    feed: Arc<FeedHub>,
    status_lists: Arc<StatusLists>,
    pub(crate) gate_keys: GateKeys,
}

impl Signals {
    /// Tells these receivers security events. A receiver that asks something itself is one of the registered clients.
    ///
    /// # Errors
    /// [`UnknownClient`] names a receiver whose client is not registered.
    pub fn new(
        issuer: Arc<SignalIssuer>,
        clients: Arc<ClientRegistry>,
        receivers: Vec<EventReceiver>,
    ) -> Result<Arc<Self>, UnknownClient> {
        let streams = EventStreams::new(receivers, &clients)?;
        Ok(Self::with_streams(issuer, clients, streams))
    }

    pub(crate) fn with_streams(
        issuer: Arc<SignalIssuer>,
        clients: Arc<ClientRegistry>,
        streams: EventStreams,
    ) -> Arc<Self> {
        Arc::new(Self {
            issuer,
            clients,
            streams,
            feed: Arc::default(),
            status_lists: Arc::default(),
            gate_keys: GateKeys::default(),
        })
    }

    /// The issuer that signs all that is published here.
    pub fn issuer(&self) -> &Arc<SignalIssuer> {
        &self.issuer
    }

    /// What carries the feed to the gates. Somebody has to run it: [`FeedHub::run`].
    pub fn feed(&self) -> &Arc<FeedHub> {
        &self.feed
    }

    /// The status lists that tokens refer to. Somebody has to run them: [`crate::publish_statuses`].
    pub fn status_lists(&self) -> &Arc<StatusLists> {
        &self.status_lists
    }

    pub(crate) fn clients(&self) -> &ClientRegistry {
        &self.clients
    }

    pub(crate) fn streams(&self) -> &EventStreams {
        &self.streams
    }
}
