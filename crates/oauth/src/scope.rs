//! The scope of a token (RFC 6749 section 3.3).
//!
//! Products say which scopes they have. A token has those that were asked for, and none unless asked.

use crate::authorization_server::AuthorizationServer;
use crate::error::OAuthError;
use crate::form::FormParameters;
use crate::metadata::IDENTITY_SCOPES;

/// A refresh token comes anyway, and the rest is not kept of anybody.
const UNKNOWN_HERE: [&str; 4] = ["offline_access", "email", "phone", "address"];

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

    /// The scope of a token that comes by a code: of the product as elsewhere, and what the client is to learn of the person.
    /// What clients ask for by habit, and nobody has here, is left out (OpenID Connect Core section 3.1.2.1).
    pub(crate) fn sign_in_scope(
        &self,
        wanted: Option<&str>,
        audience: &str,
        limit: Option<&str>,
    ) -> Result<Option<String>, OAuthError> {
        let wanted = wanted.unwrap_or_default().split(' ').filter(|one| !one.is_empty());
        let (of_person, of_product): (Vec<_>, Vec<_>) =
            wanted.filter(|one| !UNKNOWN_HERE.contains(one)).partition(|one| IDENTITY_SCOPES.contains(one));
        let of_product = of_product.join(" ");
        let form = FormParameters::of([("scope", Some(&*of_product))]);
        let of_product = self.scope_within(&form, audience, limit)?;
        let of_person = IDENTITY_SCOPES.into_iter().filter(|one| of_person.contains(one));
        Ok(listed(of_person.chain(of_product.as_deref())))
    }

    /// What is left of the scope of a code's grant, or as much of it as is asked for.
    pub(crate) fn sign_in_scope_left(
        &self,
        wanted: Option<&str>,
        granted: &str,
        audience: &str,
    ) -> Result<Option<String>, OAuthError> {
        let Some(wanted) = wanted else {
            let is_left = |one: &&str| {
                IDENTITY_SCOPES.contains(one) || self.scopes_of(audience).iter().any(|scope| scope == one)
            };
            return Ok(listed(granted.split(' ').filter(is_left)));
        };
        let more = wanted
            .split(' ')
            .any(|one| IDENTITY_SCOPES.contains(&one) && !granted.split(' ').any(|has| has == one));
        if more {
            return Err(OAuthError::invalid_scope("The sign-in was not for that"));
        }
        self.sign_in_scope(Some(wanted), audience, Some(granted))
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
