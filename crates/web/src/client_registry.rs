//! Registered clients: products and programs that are no devices, known by their own certificates.
//!
//! By `tls_client_auth` (RFC 8705 section 2.1) a client is known by one value of its certificate's subject and by the
//! CA that it registered: the same subject from another CA is somebody else, also when that one is trusted for another
//! client. By `self_signed_tls_client_auth` (section 2.2) it is known by its JWKS. In both cases nothing but the leaf
//! is looked at, and a certificate of this installation has to be in good standing in the ledger too.
//!
//! Clients of the configuration are there from the start; those of the ledger come and go while the server runs.

use crate::{CertificateKeys, ClientCas, PeerCertificate, ServerContext, TrustVerdict, leaf, subject};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tegata_core::client_registration::{ClientCa, ClientMethod, JwksLocation};
use tegata_core::subject::SubjectRule;
use tegata_core::{
    ClientRegistration, ClientSignIn, DeviceId, Refusal, Thumbprint, Timestamp, UnfitRegistration,
};
use thiserror::Error;
use tokio::sync::Notify;

/// A client as it was registered.
#[derive(Debug)]
pub struct RegisteredClient {
    /// What it calls itself.
    pub client_id: String,
    /// Who wrote its registration.
    pub by: Registrant,
    /// How it is known.
    pub method: ClientAuthentication,
    /// Whether it may use `client_credentials`.
    pub client_credentials: bool,
    /// The products it may ask tokens for.
    pub audiences: Vec<String>,
    /// What of them it may ask for, separated by spaces.
    pub scope: String,
    /// The products whose tokens it may introspect, whoever holds them.
    pub introspects: Vec<String>,
    /// Whether its tokens are bound to a key of its own, by which it signs a proof for each request (RFC 9449 section 5.2).
    /// Where tokens are asked for, that is beside the certificate and never in its place.
    pub dpop_bound_access_tokens: bool,
    /// How people come to it from a sign-in.
    pub sign_in: ClientSignIn,
}

/// Who registered a client: whose word it is that its servers are where it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Registrant {
    /// The operator, in the configuration.
    Configuration,
    /// The operator, in the ledger.
    Operator,
    /// The client itself, by an initial access token (RFC 7591).
    Itself,
}

/// How a registered client authenticates.
#[derive(Debug)]
pub enum ClientAuthentication {
    /// `tls_client_auth`: by the subject of a certificate under a trusted CA (RFC 8705 section 2.1).
    TlsClientAuth {
        /// What the certificate must say.
        subject: SubjectRule,
        /// Who must have issued it.
        issuers: ClientIssuers,
    },
    /// `self_signed_tls_client_auth`, by certificates or keys that may be replaced at any time.
    SelfSigned(ClientKeys),
    /// `none`: a page in a browser, which has no credential of its own. What it is given belongs to the device that it runs on.
    Public,
}

/// What a client vouches for itself with.
#[derive(Debug, Default)]
pub struct ClientKeys {
    known: RwLock<Arc<CertificateKeys>>,
    /// A certificate came that is not among them.
    wanted: Notify,
}

/// Who issues a client's certificates.
#[derive(Debug)]
pub enum ClientIssuers {
    /// This installation: the certificate is in the ledger.
    Own,
    /// The CAs that the operator names.
    Of(Arc<ClientCas>),
}

/// All registered clients, by name.
#[derive(Debug, Default)]
pub struct ClientRegistry {
    configured: ClientMap,
    /// Those of the ledger. A name of the configuration is never theirs.
    stored: ArcSwap<ClientMap>,
}

type ClientMap = HashMap<String, Arc<RegisteredClient>>;

/// A registration that cannot be served.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RegistrationError {
    /// Two clients of one name.
    #[error("the client {0} is registered twice")]
    Twice(String),
    /// A name that no client can have.
    #[error("{0:?} cannot be a client_id: use visible ASCII characters, and not the form of a device's")]
    Name(String),
    /// A product that is not configured.
    #[error("the client {0} names the product {1}, which is not configured")]
    Product(String, String),
}

/// A registered client that has just proved who it is.
#[derive(Clone, Debug)]
pub struct RecognizedClient {
    /// The registration by which the client was recognized.
    pub registration: Arc<RegisteredClient>,
    /// The certificate that the client presented.
    pub certificate: PeerCertificate,
    /// When its certificate ends.
    pub not_after: Timestamp,
}

impl ClientAuthentication {
    /// `self_signed_tls_client_auth` with these certificates or keys.
    pub fn self_signed(keys: CertificateKeys) -> Self {
        Self::SelfSigned(ClientKeys { known: RwLock::new(Arc::new(keys)), wanted: Notify::new() })
    }
}

impl ClientRegistry {
    /// Builds the registry from what the operator configured.
    ///
    /// # Errors
    /// [`RegistrationError`] says what cannot be served.
    pub fn new(
        registrations: impl IntoIterator<Item = RegisteredClient>,
        is_product: impl Fn(&str) -> bool,
    ) -> Result<Self, RegistrationError> {
        let mut configured = HashMap::new();
        for registration in registrations {
            registration.check(&is_product)?;
            let name = registration.client_id.clone();
            if configured.insert(name.clone(), Arc::new(registration)).is_some() {
                return Err(RegistrationError::Twice(name));
            }
        }
        Ok(Self { configured, stored: ArcSwap::default() })
    }

    /// Other clients of the ledger than before, from the next request on.
    pub fn replace_stored(&self, clients: impl IntoIterator<Item = Arc<RegisteredClient>>) {
        let by_name = |client: Arc<RegisteredClient>| (client.client_id.clone(), client);
        self.stored.store(Arc::new(clients.into_iter().map(by_name).collect()));
    }

    /// Whether the configuration has a client of this name.
    pub fn is_configured(&self, client_id: &str) -> bool {
        self.configured.contains_key(client_id)
    }

    /// Other certificates or keys for a client by `self_signed_tls_client_auth`, from the next request on.
    pub fn replace_keys(&self, client_id: &str, keys: CertificateKeys) {
        let client = self.get(client_id);
        if let Some(own) = client.as_deref().and_then(RegisteredClient::own_keys) {
            *own.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        }
    }

    /// Until a client by `self_signed_tls_client_auth` has presented a certificate that is not known: it may be in the
    /// set by now. Strangers can bring that about as often as they like.
    pub async fn keys_wanted(&self, client_id: &str) {
        let client = self.get(client_id);
        match client.as_deref().and_then(RegisteredClient::own_keys) {
            Some(own) => own.wanted.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the certificate is the registered client's of this name at the time of the request.
    ///
    /// # Errors
    /// The [`Refusal`] to show.
    pub async fn recognize<L: Sync>(
        &self,
        client_id: &str,
        context: &ServerContext<L>,
        certificate: Option<&PeerCertificate>,
        now: Timestamp,
    ) -> Result<RecognizedClient, Refusal> {
        let registration = self.get(client_id).ok_or(Refusal::NotThisClient)?;
        registration.recognize(context, certificate, now).await
    }

    /// Whether pages of this origin may send requests from browsers.
    pub fn has_origin(&self, origin: &str) -> bool {
        let is_of = |client: &Arc<RegisteredClient>| client.sign_in.origins.iter().any(|own| own == origin);
        self.configured.values().any(is_of) || self.stored.load().values().any(is_of)
    }

    /// The client of this name.
    pub fn get(&self, client_id: &str) -> Option<Arc<RegisteredClient>> {
        self.configured.get(client_id).cloned().or_else(|| self.stored.load().get(client_id).cloned())
    }
}

impl RegisteredClient {
    /// A client of the ledger. `cas` are those that the configuration names for all clients. One whose keys are elsewhere has
    /// none until somebody has fetched them.
    ///
    /// # Errors
    /// [`UnfitRegistration`] says what cannot be served.
    pub fn of_the_ledger(
        registration: &ClientRegistration,
        by: Registrant,
        cas: Option<&Arc<ClientCas>>,
    ) -> Result<Self, UnfitRegistration> {
        let unfit =
            |why: String| UnfitRegistration::Metadata(format!("client {}: {why}", registration.client_id));
        let method = match &registration.method {
            ClientMethod::TlsClientAuth { subject, ca } => {
                let issuers = match ca {
                    ClientCa::Own => ClientIssuers::Own,
                    ClientCa::Shared => ClientIssuers::Of(cas.cloned().ok_or_else(|| {
                        unfit("the installation trusts no CA of clients: [clients] ca".into())
                    })?),
                    ClientCa::File(..) => return Err(unfit("files belong to tegata.toml".into())),
                };
                ClientAuthentication::TlsClientAuth { subject: subject.clone(), issuers }
            }
            ClientMethod::SelfSigned(JwksLocation::Inline(jwks)) => {
                let keys = CertificateKeys::from_jwks(&jwks.to_string());
                ClientAuthentication::self_signed(keys.map_err(|error| unfit(format!("jwks: {error}")))?)
            }
            ClientMethod::SelfSigned(JwksLocation::At(_)) => {
                ClientAuthentication::self_signed(CertificateKeys::default())
            }
            ClientMethod::SelfSigned(JwksLocation::File(_)) => {
                return Err(unfit("files belong to tegata.toml".into()));
            }
            ClientMethod::Public => ClientAuthentication::Public,
        };
        Ok(Self::with(registration, by, method))
    }

    /// A client that is known by `method`.
    pub fn with(registration: &ClientRegistration, by: Registrant, method: ClientAuthentication) -> Self {
        Self {
            client_id: registration.client_id.clone(),
            by,
            method,
            client_credentials: registration.client_credentials,
            audiences: registration.audiences.clone(),
            scope: registration.scope.clone(),
            introspects: registration.introspects.clone(),
            dpop_bound_access_tokens: registration.dpop_bound_access_tokens,
            sign_in: registration.sign_in.clone(),
        }
    }

    /// The certificates and keys that it vouches for itself with by now.
    pub fn certificate_keys(&self) -> Option<CertificateKeys> {
        self.own_keys().map(|own| (*own.now()).clone())
    }

    /// Whether it has no credential of its own.
    pub fn is_public(&self) -> bool {
        matches!(self.method, ClientAuthentication::Public)
    }

    /// Whether it stands in the ledger, and may be removed while the server runs.
    pub fn is_stored(&self) -> bool {
        self.by != Registrant::Configuration
    }

    fn own_keys(&self) -> Option<&ClientKeys> {
        match &self.method {
            ClientAuthentication::SelfSigned(own) => Some(own),
            ClientAuthentication::TlsClientAuth { .. } | ClientAuthentication::Public => None,
        }
    }

    /// Whether it can be served: a device's identifier is a client of its own, and no registration can stand in for one.
    ///
    /// # Errors
    /// [`RegistrationError`] says what speaks against it.
    pub fn check(&self, is_product: &impl Fn(&str) -> bool) -> Result<(), RegistrationError> {
        let name = &self.client_id;
        let readable = !name.is_empty() && name.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
        if !readable || DeviceId::parse(name).is_some() {
            return Err(RegistrationError::Name(name.clone()));
        }
        let named = self.audiences.iter().chain(&self.introspects);
        match named.into_iter().find(|audience| !is_product(audience)) {
            Some(unknown) => Err(RegistrationError::Product(name.clone(), unknown.clone())),
            None => Ok(()),
        }
    }

    /// Whether a certificate that a token is bound to may still be the client's.
    pub fn may_hold(&self, certificate: &Thumbprint) -> bool {
        match &self.method {
            ClientAuthentication::TlsClientAuth { .. } => true,
            ClientAuthentication::Public => false,
            ClientAuthentication::SelfSigned(own) => own.now().may_contain(certificate),
        }
    }

    /// Whether the presented certificate is this client's at the time of the request.
    ///
    /// # Errors
    /// [`Refusal::NotThisClient`] if it is not one that the client registered; what else speaks against it otherwise.
    pub async fn recognize<L: Sync>(
        self: &Arc<Self>,
        context: &ServerContext<L>,
        presented: Option<&PeerCertificate>,
        now: Timestamp,
    ) -> Result<RecognizedClient, Refusal> {
        let certificate = presented.ok_or(Refusal::NoCertificate)?;
        let not_after = leaf::in_force(&certificate.der, now)?;
        if certificate.path == TrustVerdict::Trusted {
            context.caller(Some(certificate), now).await?;
        }
        match &self.method {
            ClientAuthentication::TlsClientAuth { subject, issuers } => {
                issuers.judge(certificate, now)?;
                if !subject::matches(subject, &certificate.der) {
                    return Err(Refusal::NotThisClient);
                }
            }
            ClientAuthentication::SelfSigned(own) => {
                if !own.now().contains(&certificate.der) {
                    own.wanted.notify_one();
                    return Err(Refusal::NotThisClient);
                }
                if !leaf::may_be_a_client(&certificate.der) {
                    return Err(Refusal::NotThisClient);
                }
            }
            ClientAuthentication::Public => return Err(Refusal::NotThisClient),
        }
        Ok(RecognizedClient { registration: Arc::clone(self), certificate: certificate.clone(), not_after })
    }
}

impl ClientKeys {
    fn now(&self) -> Arc<CertificateKeys> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientIssuers {
    fn judge(&self, certificate: &PeerCertificate, now: Timestamp) -> Result<(), Refusal> {
        match self {
            Self::Own if certificate.path == TrustVerdict::Trusted => Ok(()),
            Self::Own => Err(Refusal::ForeignCertificate),
            Self::Of(cas) => cas.judge(&certificate.der, now),
        }
    }
}
