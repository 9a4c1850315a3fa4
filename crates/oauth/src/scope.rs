//! The scope of a token (RFC 6749 section 3.3).
//!
//! Products say which scopes they have. A token has those that were asked for, and none unless asked.

use crate::authorization_server::AuthorizationServer;
use crate::error::OAuthError;
use crate::form::FormParameters;

impl AuthorizationServer {
    /// The scope of a token, from what a request asks for. What the product does not have is never granted.
    pub(crate) fn scope(&self, form: &FormParameters, audience: &str) -> Result<Option<String>, OAuthError> {
        self.scope_within(form, audience, None)
    }

    /// The scope of a token, within `limit` if there is one: the scope of the original grant, or that of the client's
    /// registration.
    pub(crate) fn scope_within(
        &self,
        form: &FormParameters,
        audience: &str,
        limit: Option<&str>,
    ) -> Result<Option<String>, OAuthError> {
        let allowed = |one: &str| limit.is_none_or(|limit| limit.split(' ').any(|within| within == one));
        let Some(wanted) = form.get("scope") else { return Ok(None) };
        let wanted: Vec<_> = wanted.split(' ').collect();
        let offered = self.scopes_of(audience);
        if !wanted.iter().all(|one| allowed(one) && offered.iter().any(|scope| scope == one)) {
            return Err(OAuthError::invalid_scope("The product has no such scope, or not for this client"));
        }
        Ok(listed(offered.iter().map(String::as_str).filter(|scope| wanted.contains(scope))))
    }

    /// What is left of the scope of a grant: a product may have given some up since.
    pub(crate) fn scope_left(&self, granted: &str, audience: &str) -> Option<String> {
        let offered = self.scopes_of(audience);
        listed(granted.split(' ').filter(|one| offered.iter().any(|scope| scope == one)))
    }
}

fn listed<'a>(scopes: impl Iterator<Item = &'a str>) -> Option<String> {
    let scopes: Vec<_> = scopes.collect();
    (!scopes.is_empty()).then(|| scopes.join(" "))
}
