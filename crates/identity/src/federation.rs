//! People of a tenant's own OpenID provider: they are sent there from the sign-in page, and come back with a code.
//!
//! | to learn about | read |
//! |---|---|
//! | who is offered which way in | this file |
//! | the way there | [`start`], [`begun`] |
//! | the way back, and whose account it is | [`callback`], [`account`] |
//! | the end of a session, here and there | [`sign_out`], [`backchannel_logout`] |
//!
//! Between the two ways the ledger keeps nothing: what was begun lies sealed in a cookie of the browser, for its device alone.

mod account;
pub(crate) mod backchannel_logout;
mod begun;
pub(crate) mod callback;
pub(crate) mod sign_out;
pub(crate) mod start;

use crate::service::{IdentityService, refusal};
use crate::sign_in_page::SignInView;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Refusal;
use tegata_core::encoding::percent_encoded;
use tegata_federation::Provider;
use tegata_storage::{CertificateHolder, SignInAccounts, SignInPolicy};

/// How far the clock of a provider may be away.
const LEEWAY: Duration = Duration::from_secs(10);

const START: &str = "/sign-in/provider";
const CALLBACK: &str = "/sign-in/provider/callback";
const SIGNED_OUT: &str = "/sign-in";
const BACKCHANNEL_LOGOUT: &str = "/backchannel-logout";

/// The addresses that whoever runs a provider registers for this installation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderAddresses {
    /// `redirect_uris`: where a sign-in comes back.
    pub redirect: String,
    /// `post_logout_redirect_uris`: where a sign-out does.
    pub post_logout_redirect: String,
    /// `backchannel_logout_uri`: the provider reaches it without a certificate.
    pub backchannel_logout: String,
    /// `jwks_uri`, for a client that proves itself by `private_key_jwt`.
    pub jwks: String,
}

/// How somebody may sign in on a device.
pub(crate) struct WaysIn {
    policy: SignInPolicy,
    pub(crate) provider: Option<OfferedProvider>,
}

/// The provider of a device's tenant, whose people may sign in there.
pub(crate) struct OfferedProvider(Arc<Provider>);

impl ProviderAddresses {
    /// Those of an installation whose portal and device listener are at these addresses.
    pub fn at(portal: &str, device: &str) -> Self {
        Self {
            redirect: format!("{device}{CALLBACK}"),
            post_logout_redirect: format!("{device}{SIGNED_OUT}"),
            backchannel_logout: format!("{portal}{BACKCHANNEL_LOGOUT}"),
            jwks: format!("{portal}/.well-known/jwks.json"),
        }
    }
}

impl IdentityService {
    /// How the people of a device's tenant may sign in.
    pub(crate) async fn ways_in(&self, holder: &CertificateHolder) -> Result<WaysIn, Refusal> {
        let policy = self.rows(holder).sign_in_policy(&holder.tenant).await.map_err(refusal)?;
        let provider = self.providers().of_tenant(&holder.tenant).cloned();
        let provider = provider.filter(|_| policy.accounts != SignInAccounts::Local).map(OfferedProvider);
        Ok(WaysIn { policy, provider })
    }

    /// Whether people sign in at a provider and nowhere else, and it is known which.
    pub(crate) async fn is_only_provider(&self, holder: &CertificateHolder) -> Result<bool, Refusal> {
        let ways = self.ways_in(holder).await?;
        Ok(ways.is_local_closed() && ways.provider.is_some())
    }

    pub(crate) fn provider_addresses(&self) -> ProviderAddresses {
        let addresses = &self.context.addresses;
        ProviderAddresses::at(&addresses.portal, &addresses.device)
    }
}

impl WaysIn {
    /// Whether accounts here are for emergencies alone.
    pub(crate) fn is_local_closed(&self) -> bool {
        self.policy.accounts == SignInAccounts::Provider
    }

    /// What to say where people have to sign in at a provider, and nobody has said which.
    pub(crate) fn missing(&self) -> Option<Refusal> {
        (self.is_local_closed() && self.provider.is_none()).then_some(Refusal::ProviderMissing)
    }
}

impl SignInView<'_> {
    /// Where a sign-in at the provider begins. A language can be added with `&`.
    pub(crate) fn start_path(&self) -> String {
        let hint = Some(self.login).filter(|login| !login.is_empty());
        let hint = hint.map(|login| format!("&login_hint={}", percent_encoded(login))).unwrap_or_default();
        let max_age = self.max_age.map(|seconds| format!("&max_age={seconds}")).unwrap_or_default();
        format!("{START}?next={}{hint}{max_age}", percent_encoded(self.next))
    }
}
