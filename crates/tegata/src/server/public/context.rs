//! What the routes of the public listener need.

use super::lists::CrlCache;
use crate::server::hierarchy::Hierarchy;
use std::sync::Arc;
use tegata_ca::{IssuerSet, OcspResponders};
use tegata_signals::StatusLists;
use tegata_web::ServerContext;

/// Shared by all requests.
pub struct PublicContext {
    pub context: ServerContext,
    pub authorities: Arc<IssuerSet>,
    pub hierarchy: Arc<Hierarchy>,
    pub lists: Arc<CrlCache>,
    pub responders: Arc<OcspResponders>,
    pub statuses: Arc<StatusLists>,
}
