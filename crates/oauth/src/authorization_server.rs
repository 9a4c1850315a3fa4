//! The authorization server: what the OAuth endpoints share.

use crate::dpop::DpopVerifier;
use crate::error::OAuthError;
use crate::form::FormParameters;
use crate::metadata::MetadataDocuments;
use crate::product::{ProductAudience, check_products};
use crate::rules::{ConfigurationError, RefreshRules, RegistrationRules, TokenRules};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::claims::LONGEST_LIFETIME;
use tegata_core::{Refusal, SiteId, TenantId, Timestamp};
use tegata_federation::IdentityProviders;
use tegata_signals::{SignalIssuer, Signals, StatusLists};
use tegata_storage::CertificateHolder;
use tegata_web::{ClientRegistry, OpenInstallationSecret, ServiceContext};

/// The authorization server. Requests share it.
pub struct AuthorizationServer {
    pub(crate) context: ServiceContext,
    pub(crate) issuer: Arc<SignalIssuer>,
    pub(crate) lifetime: Duration,
    pub(crate) documents: MetadataDocuments,
    pub(crate) refresh: RefreshRules,
    pub(crate) people: IdentityProviders,
    pub(crate) dpop: DpopVerifier,
    pub(crate) registration: Option<RegistrationRules>,
    status_lists: Arc<StatusLists>,
    products: Vec<ProductAudience>,
    clients: Arc<ClientRegistry>,
}

impl AuthorizationServer {
    /// Puts an authorization server together from its configuration. From the secret of the installation come the nonces that
    /// proofs repeat.
    ///
    /// # Errors
    /// [`ConfigurationError`] says what cannot be served.
    pub fn new(
        signals: &Signals,
        clients: Arc<ClientRegistry>,
        products: Vec<ProductAudience>,
        rules: impl Into<TokenRules>,
        secret: OpenInstallationSecret,
    ) -> Result<Arc<Self>, ConfigurationError> {
        let TokenRules { lifetime, refresh, people, registration } = rules.into();
        check_products(&products)?;
        if !(Duration::from_secs(1)..=LONGEST_LIFETIME).contains(&lifetime) {
            return Err(ConfigurationError::Lifetime);
        }
        refresh.check(lifetime)?;
        let issuer = signals.issuer().clone();
        let context = issuer.service_context();
        let dpop = DpopVerifier::new(&context.addresses.device, secret);
        let documents = MetadataDocuments::new(&context.addresses, &products, registration.is_some());
        Ok(Arc::new(Self {
            context,
            issuer,
            lifetime,
            documents,
            refresh,
            people,
            dpop,
            registration,
            status_lists: signals.status_lists().clone(),
            products,
            clients,
        }))
    }

    /// The clients that the operator registered, which are not devices.
    pub fn clients(&self) -> &ClientRegistry {
        &self.clients
    }

    pub(crate) fn shared_clients(&self) -> Arc<ClientRegistry> {
        self.clients.clone()
    }

    pub(crate) fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, Refusal> {
        self.issuer.sign(typ, claims)
    }

    /// The status lists that tokens refer to.
    pub(crate) fn status_lists(&self) -> &Arc<StatusLists> {
        &self.status_lists
    }

    pub(crate) fn issuer(&self) -> &str {
        self.issuer.url()
    }

    /// The product that a device's request is for, if the device may ask for it.
    pub(crate) async fn audience_for(
        &self,
        form: &FormParameters,
        device: &CertificateHolder,
    ) -> Result<&str, OAuthError> {
        let audience = self.product_named(form)?;
        self.check_license(audience, device).await?;
        Ok(audience)
    }

    /// Whether the product is one, and is licensed where the device stands. The ledger itself is asked: whoever was told
    /// "granted" or "withdrawn" is never told otherwise. The installation's own devices try all products.
    pub(crate) async fn check_license(
        &self,
        audience: &str,
        device: &CertificateHolder,
    ) -> Result<(), OAuthError> {
        self.check_license_at(audience, &device.tenant, &device.site).await
    }

    /// [`Self::check_license`], where a device stands.
    pub(crate) async fn check_license_at(
        &self,
        audience: &str,
        tenant: &TenantId,
        site: &SiteId,
    ) -> Result<(), OAuthError> {
        let product = self.product(audience).ok_or(Refusal::ProductUnknown)?;
        if !product.licensed || tenant.is_system() {
            return Ok(());
        }
        let ledger = &self.context.ledger;
        if ledger.is_licensed(audience, tenant, site).await? {
            Ok(())
        } else {
            Err(Refusal::ProductNotLicensed.into())
        }
    }

    /// The product that a request names, or the default one. Whether the asker may have it is another question.
    pub(crate) fn product_named(&self, form: &FormParameters) -> Result<&str, OAuthError> {
        let mut resources = form.all("resource");
        let (resource, another) = (resources.next(), resources.next());
        if another.is_some() {
            return Err(OAuthError::invalid_target("A token is for one resource"));
        }
        let wanted = match (resource, form.get("audience")) {
            (Some(resource), Some(audience)) if resource != audience => {
                return Err(OAuthError::invalid_target("resource and audience name different products"));
            }
            (resource, audience) => resource.or(audience),
        };
        let found = self.products.iter().find(|product| match wanted {
            Some(wanted) => product.audience == wanted,
            None => product.default,
        });
        found.map(|product| product.audience.as_str()).ok_or(match wanted {
            Some(_) => Refusal::ProductUnknown.into(),
            None => OAuthError::invalid_target("Name the product by resource or audience"),
        })
    }

    pub(crate) fn products(&self) -> &[ProductAudience] {
        &self.products
    }

    pub(crate) fn product(&self, audience: &str) -> Option<&ProductAudience> {
        self.products.iter().find(|product| product.audience == audience)
    }

    pub(crate) fn knows_product(&self, audience: &str) -> bool {
        self.product(audience).is_some()
    }

    pub(crate) fn scopes_of(&self, audience: &str) -> &[String] {
        self.product(audience).map_or(&[], |product| &product.scopes)
    }

    pub(crate) fn fresh_at(&self, now: Timestamp) -> Result<Timestamp, Refusal> {
        self.issuer.fresh_at(now)
    }
}
