//! Which streams are a caller's, by its certificate alone.

use super::error::StreamError;
use super::{Stream, Streams, Way};
use crate::error::OAuthError;
use crate::tokens::Tokens;
use std::collections::HashSet;
use std::sync::Arc;
use tegata_core::Refusal;
use tegata_web::Presented;

/// A registered client that is a receiver, and has just proved who it is.
pub(super) struct Caller {
    pub(super) client_id: String,
    pub(super) streams: Vec<Arc<Stream>>,
}

impl Caller {
    /// A certificate is one client's: the first whose registration it fits. Whoever is nobody's hears the reason that
    /// says most, and not which streams there are.
    pub(super) async fn recognize(tokens: &Tokens, presented: &Presented) -> Result<Self, StreamError> {
        let mut reason: OAuthError = match presented.0 {
            Some(_) => Refusal::NotThisClient.into(),
            None => Refusal::NoCertificate.into(),
        };
        for client_id in tokens.streams().clients() {
            let Some(registration) = tokens.clients().get(client_id) else { continue };
            match registration.recognize(&tokens.context, presented.0.as_ref()).await {
                Ok(_) => {
                    let streams = tokens.streams().of(client_id);
                    return Ok(Self { client_id: client_id.to_owned(), streams });
                }
                Err(error) if error.cause() != Refusal::NotThisClient => reason = error,
                Err(_) => {}
            }
        }
        Err(reason.into())
    }

    /// One of its streams.
    pub(super) fn stream(&self, id: &str) -> Result<&Arc<Stream>, StreamError> {
        let found = self.streams.iter().find(|stream| stream.receiver.id == id);
        found.ok_or_else(|| Refusal::StreamUnknown.into())
    }

    /// One of its streams that it asks for events.
    pub(super) fn polled(&self, id: &str) -> Result<&Arc<Stream>, StreamError> {
        let stream = self.stream(id)?;
        match stream.receiver.way {
            Way::Poll => Ok(stream),
            Way::Push { .. } => Err(Refusal::StreamUnknown.into()),
        }
    }
}

impl Streams {
    /// The clients that are receivers, each once.
    fn clients(&self) -> impl Iterator<Item = &str> {
        let mut seen = HashSet::new();
        let named = self.all.iter().filter_map(|stream| stream.receiver.client.as_deref());
        named.filter(move |client| seen.insert(*client))
    }

    fn of(&self, client_id: &str) -> Vec<Arc<Stream>> {
        let own = |stream: &&Arc<Stream>| stream.receiver.client.as_deref() == Some(client_id);
        self.all.iter().filter(own).cloned().collect()
    }
}
