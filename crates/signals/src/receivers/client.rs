//! Which streams are a caller's, by its certificate alone.

use super::error::StreamError;
use super::{DeliveryMethod, EventStream, EventStreams};
use crate::signals::Signals;
use std::collections::HashSet;
use std::sync::Arc;
use tegata_core::Refusal;
use tegata_web::Presented;

/// A registered client that is a receiver, and has just proved who it is.
pub(super) struct ReceiverClient {
    pub(super) client_id: String,
    pub(super) streams: Vec<Arc<EventStream>>,
}

impl ReceiverClient {
    /// A certificate is one client's: the first whose registration it fits. Whoever is nobody's hears the reason that
    /// says most, and not which streams there are.
    pub(super) async fn recognize(signals: &Signals, presented: &Presented) -> Result<Self, StreamError> {
        let mut reason = match presented.0 {
            Some(_) => Refusal::NotThisClient,
            None => Refusal::NoCertificate,
        };
        let context = &signals.issuer().context;
        let now = context.now();
        for client_id in signals.streams().clients() {
            let Some(registration) = signals.clients().get(client_id) else { continue };
            match registration.recognize(context, presented.0.as_ref(), now).await {
                Ok(_) => {
                    let streams = signals.streams().of(client_id);
                    return Ok(Self { client_id: client_id.to_owned(), streams });
                }
                Err(refusal) if refusal != Refusal::NotThisClient => reason = refusal,
                Err(_) => {}
            }
        }
        Err(reason.into())
    }

    /// One of its streams.
    pub(super) fn stream(&self, id: &str) -> Result<&Arc<EventStream>, StreamError> {
        let found = self.streams.iter().find(|stream| stream.receiver.id == id);
        found.ok_or_else(|| Refusal::StreamUnknown.into())
    }

    /// One of its streams that it asks for events.
    pub(super) fn polled(&self, id: &str) -> Result<&Arc<EventStream>, StreamError> {
        let stream = self.stream(id)?;
        match stream.receiver.way {
            DeliveryMethod::Poll => Ok(stream),
            DeliveryMethod::Push { .. } => Err(Refusal::StreamUnknown.into()),
        }
    }
}

impl EventStreams {
    /// The clients that are receivers, each once.
    fn clients(&self) -> impl Iterator<Item = &str> {
        let mut seen = HashSet::new();
        let named = self.all.iter().filter_map(|stream| stream.receiver.client.as_deref());
        named.filter(move |client| seen.insert(*client))
    }

    fn of(&self, client_id: &str) -> Vec<Arc<EventStream>> {
        let own = |stream: &&Arc<EventStream>| stream.receiver.client.as_deref() == Some(client_id);
        self.all.iter().filter(own).cloned().collect()
    }
}
