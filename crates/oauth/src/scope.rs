//! The scope of a token (RFC 6749 section 3.3).
//!
//! Products say which scopes they have. A token has those that were asked for, and none unless asked.

use crate::authorization_server::AuthorizationServer;
use crate::error::OAuthError;
use crate::form::FormParameters;
use crate::metadata::{IDENTITY_SCOPES, PROFILE};

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
        let allowed = |one: &str| limit.is_none_or(|limit| names(limit, one));
        let Some(wanted) = form.get("scope") else { return Ok(None) };
        let wanted: Vec<_> = wanted.split(' ').collect();
        let offered = self.scopes_of(audience);
        if !wanted.iter().all(|one| allowed(one) && offered.iter().any(|scope| scope == one)) {
            return Err(OAuthError::invalid_scope("The product has no such scope, or not for this client"));
        }
        Ok(listed(offered.iter().map(String::as_str).filter(|scope| wanted.contains(scope))))
    }

    /// The scope of a token that comes by a code: of the product as elsewhere, and what the client is to learn of the person.
    /// What clients ask for by habit, and nobody has here, is left out (OpenID Connect Core section 3.1.2.1), and so is what a
    /// person is called where the client is not registered for that.
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
        let of_person =
            IDENTITY_SCOPES.into_iter().filter(|one| of_person.contains(one) && may_learn(one, limit));
        Ok(listed(of_person.chain(of_product.as_deref())))
    }

    /// What is left of the scope of a code's grant, or as much of it as is asked for. The product or the client's registration
    /// may have given some up since.
    pub(crate) fn sign_in_scope_left(
        &self,
        wanted: Option<&str>,
        granted: &str,
        audience: &str,
        limit: Option<&str>,
    ) -> Result<Option<String>, OAuthError> {
        let is_left = |one: &&str| {
            if IDENTITY_SCOPES.contains(one) {
                may_learn(one, limit)
            } else {
                self.scopes_of(audience).iter().any(|scope| scope == one)
                    && limit.is_none_or(|limit| names(limit, one))
            }
        };
        let left = listed(granted.split(' ').filter(is_left));
        let Some(wanted) = wanted else { return Ok(left) };
        let more = wanted.split(' ').any(|one| IDENTITY_SCOPES.contains(&one) && !names(granted, one));
        if more {
            return Err(OAuthError::invalid_scope("The sign-in was not for that"));
        }
        self.sign_in_scope(Some(wanted), audience, Some(left.as_deref().unwrap_or_default()))
    }

    /// What is left of the scope of a grant: a product may have given some up since.
    pub(crate) fn scope_left(&self, granted: &str, audience: &str) -> Option<String> {
        let offered = self.scopes_of(audience);
        listed(granted.split(' ').filter(|one| offered.iter().any(|scope| scope == one)))
    }
}

fn names(scope: &str, wanted: &str) -> bool {
    scope.split(' ').any(|one| one == wanted)
}

/// That somebody is signed in is what every client asks for. What they are called is for those whose registration has it.
fn may_learn(identity: &str, limit: Option<&str>) -> bool {
    identity != PROFILE || limit.is_none_or(|limit| names(limit, identity))
}

fn listed<'a>(scopes: impl Iterator<Item = &'a str>) -> Option<String> {
    let scopes: Vec<_> = scopes.collect();
    (!scopes.is_empty()).then(|| scopes.join(" "))
}
