//! Where people sign in, and who one of them is.

use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use tegata_core::{TenantId, Timestamp};

/// The longest proof looked at, in bytes.
pub(super) const LONGEST: usize = 16 * 1024;

/// Fetches public documents over HTTPS, within a time limit and a size limit of its own. It follows no redirects.
pub trait DocumentFetcher: Send + Sync {
    /// The body of a 200, or nothing.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Option<Vec<u8>>>;
}

/// Where a tenant's people sign in.
#[derive(Clone)]
pub struct IdentityProvider {
    /// The tenant whose people sign in there.
    pub tenant: TenantId,
    /// The provider's issuer, exactly as its tokens and its discovery document say it.
    pub issuer: String,
    /// What its tokens must be for: any of these.
    pub audiences: Vec<String>,
    /// Claims and the values they must have, by which the tenant's people are recognized among others of the issuer.
    pub require: BTreeMap<String, String>,
    /// The claim that names the person for ever; usually `sub`.
    pub person_claim: String,
    /// The claim with the sites the person works at, by name or identifier: text or a list. Without one, all of the
    /// tenant's.
    pub site_claim: Option<String>,
    /// The way to it.
    pub fetch: Arc<dyn DocumentFetcher>,
}

/// A person who was recognized.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RecognizedPerson {
    /// The subject of the person's tokens, made by [`tegata_core::claims::person_subject`].
    pub(crate) subject: String,
    /// Where the person works, unless everywhere.
    pub(crate) sites: Option<Vec<String>>,
    /// When the provider authenticated the person.
    pub(crate) at: Timestamp,
}
