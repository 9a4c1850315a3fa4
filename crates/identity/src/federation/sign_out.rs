//! Whoever signs out here signs out at the provider, too (OIDC RP-Initiated Logout).

use super::callback::ID_TOKENS;
use crate::service::IdentityService;
use crate::session::SessionHolder;
use tegata_core::Language;

impl IdentityService {
    /// Where the browser goes for it: nothing where the session was not begun at a provider that is there still. A sign-out
    /// here waits for none, and fails for none.
    pub(crate) async fn sign_out_at_provider(
        &self,
        by: &SessionHolder,
        language: Language,
    ) -> Option<String> {
        let own = &by.session;
        let begun = self.rows(&by.holder).provider_session(&own.id).await.ok().flatten()?;
        let provider = self.providers().of_tenant(&own.tenant)?;
        if provider.configured().issuer != begun.issuer {
            return None;
        }
        let id_token = match begun.id_token {
            Some(sealed) => self.unsealed(ID_TOKENS, own.person.as_str(), &sealed).await.ok().flatten(),
            None => None,
        };
        let id_token = id_token.as_ref().and_then(|token| std::str::from_utf8(token).ok());
        let back = self.provider_addresses().post_logout_redirect;
        provider.sign_out_url(id_token, &back, language, by.at).await
    }
}
