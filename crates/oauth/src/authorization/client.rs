//! Who asks for a code, and where the answer may go.

use crate::authorization_server::AuthorizationServer;
use crate::error::OAuthError;
use crate::form::FormParameters;
use crate::product::ProductAudience;
use std::sync::Arc;
use tegata_core::{DeviceId, Refusal};
use tegata_web::{Problem, RegisteredClient};

use super::answer::ReturnAddress;

/// Where every gate that serves browsers takes its codes.
const GATE_CALLBACK: &str = "/.tegata/callback";

/// Who asks. It has not proved to be that: whoever redeems the code does.
pub(crate) enum RequestingClient {
    /// A client that somebody registered.
    Registered(Arc<RegisteredClient>),
    /// A gate, for whatever product it stands before.
    Gate(DeviceId),
}

impl AuthorizationServer {
    /// The client of this name, if it may have codes at all.
    pub(crate) async fn requesting_client(&self, name: Option<&str>) -> Result<RequestingClient, Problem> {
        let unknown = || Problem::from(Refusal::ClientUnknown);
        let name = name.ok_or_else(unknown)?;
        if let Some(registered) = self.clients().get(name) {
            return Ok(RequestingClient::Registered(registered));
        }
        let id = DeviceId::parse(name).ok_or_else(unknown)?;
        if self.context.ledger.is_gate(&id).await? { Ok(RequestingClient::Gate(id)) } else { Err(unknown()) }
    }
}

impl RequestingClient {
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::Registered(client) => &client.client_id,
            Self::Gate(id) => id.as_str(),
        }
    }

    /// Whether its tokens are bound to a key of its own.
    pub(crate) fn is_dpop_bound(&self) -> bool {
        match self {
            Self::Registered(client) => client.dpop_bound_access_tokens,
            Self::Gate(_) => false,
        }
    }

    /// Where the answer to a request goes.
    ///
    /// # Errors
    /// [`Refusal::RedirectUnregistered`]: then it goes nowhere.
    pub(crate) fn address(
        &self,
        tokens: &AuthorizationServer,
        form: &FormParameters,
    ) -> Result<ReturnAddress, Problem> {
        let unregistered = || Problem::from(Refusal::RedirectUnregistered);
        let redirect_uri = form.get("redirect_uri").ok_or_else(unregistered)?;
        let is_registered = match self {
            Self::Registered(client) => client.sign_in.has_redirect(redirect_uri),
            Self::Gate(_) => tokens.products().iter().any(|product| is_at_gate(redirect_uri, product)),
        };
        if !is_registered {
            return Err(unregistered());
        }
        Ok(ReturnAddress {
            redirect_uri: redirect_uri.to_owned(),
            state: form.get("state").map(str::to_owned),
        })
    }

    /// The product that the code is to be for: the one that is named, the client's first, or the default.
    pub(crate) fn audience<'a>(
        &self,
        tokens: &'a AuthorizationServer,
        form: &FormParameters,
    ) -> Result<&'a str, OAuthError> {
        let names_one = form.get("resource").or(form.get("audience")).is_some();
        match self {
            Self::Registered(client) => {
                let audience = match client.audiences.first() {
                    Some(first) if !names_one => tokens.product(first).ok_or(Refusal::ProductUnknown)?,
                    _ => tokens.product(tokens.product_named(form)?).ok_or(Refusal::ProductUnknown)?,
                };
                let audience = audience.audience.as_str();
                if client.audiences.iter().any(|allowed| allowed == audience) {
                    Ok(audience)
                } else {
                    Err(OAuthError::invalid_target("The client is not registered for this product"))
                }
            }
            Self::Gate(_) => {
                let product = tokens.product(tokens.product_named(form)?).ok_or(Refusal::ProductUnknown)?;
                if form.get("redirect_uri").is_some_and(|address| is_at_gate(address, product)) {
                    Ok(&product.audience)
                } else {
                    Err(OAuthError::invalid_target(
                        "The product is not served at the address of redirect_uri",
                    ))
                }
            }
        }
    }

    /// What of a product the client may ask for; all of it where there is no such limit.
    pub(crate) fn scope_limit(&self) -> Option<&str> {
        match self {
            Self::Registered(client) => Some(&client.scope),
            Self::Gate(_) => None,
        }
    }
}

/// Whether it is the callback of a gate before this product: at the origin of its name, or at another of its own.
fn is_at_gate(redirect_uri: &str, product: &ProductAudience) -> bool {
    let Some(origin) = redirect_uri.strip_suffix(GATE_CALLBACK) else { return false };
    product.served_at().any(|own| own == origin)
}
