//! The canary as a device: its keys and certificates live in memory and nowhere else.

use super::own_listeners::OwnListeners;
use super::trust::CanaryTrust;
use crate::client::{self, EnrolledCertificate};
use http::Uri;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tegata_ca::LocalKey;
use tegata_core::encoding::{base64, from_base64};
use tegata_core::id::InvitationCode;
use tegata_core::{Clock, DeviceId, Serial, Thumbprint, Timestamp};
use tegata_installation::{Failure, FailureContext};
use tegata_net::HttpsClient;
use tegata_net::client::Destinations;
use tegata_web::InstallationAddresses;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The canary's device with its certificate. Each request has a connection of its own.
pub struct CanaryDevice {
    pub device: DeviceId,
    pub serial: Serial,
    pub thumbprint: Thumbprint,
    /// The certificate in DER.
    pub certificate: Vec<u8>,
    /// The CA that issued it, DER.
    pub issuer: Vec<u8>,
    pub not_after: Timestamp,
    client: HttpsClient,
}

/// How the canary reaches the listeners.
pub struct CanaryConnector<'a> {
    pub addresses: &'a InstallationAddresses,
    pub trust: &'a CanaryTrust,
    pub own: OwnListeners,
    pub clock: Arc<dyn Clock>,
}

impl CanaryConnector<'_> {
    /// Turns an invitation into a certificate, as a machine does.
    pub async fn enroll(&self, code: &InvitationCode) -> Result<CanaryDevice, Failure> {
        let anonymous = self.client(self.own.portal, None)?;
        let portal = &self.addresses.portal;
        let code = code.reveal();
        client::post(&anonymous, format!("{portal}/api/v1/invitations/open?lang=en"), json!({"code": code}))
            .await?;
        let key = LocalKey::generate().doing("cannot make a key")?;
        let body = json!({"code": code, "csr": base64(&client::request(&key)?)});
        let answer = client::post(&anonymous, format!("{portal}/api/v1/enrollments?lang=en"), body).await?;
        let holder = self.holder(&answer, &key)?;
        let body = json!({"code": code, "thumbprint": holder.thumbprint});
        client::post(&anonymous, format!("{portal}/api/v1/deliveries?lang=en"), body).await?;
        Ok(holder)
    }

    /// The next generation, by the present one.
    pub async fn renew(&self, old: &CanaryDevice) -> Result<CanaryDevice, Failure> {
        let device = &self.addresses.device;
        let key = LocalKey::generate().doing("cannot make a key")?;
        let body = json!({"csr": base64(&client::request(&key)?)});
        let answer = client::post(&old.client, format!("{device}/api/v1/renewals?lang=en"), body).await?;
        self.holder(&answer, &key)
    }

    /// Whether the device listener lets it in.
    pub async fn probe(&self, holder: &CanaryDevice) -> Result<(), Failure> {
        let uri = self.at("/probe")?;
        let seen: Value = holder.client.get_json(&uri).await.doing("the probe")?;
        if seen["device"] == holder.device.as_str() {
            Ok(())
        } else {
            Err(Failure::wrong("the probe sees another device"))
        }
    }

    /// A token for the default product; nothing when it is refused.
    pub async fn token(&self, holder: &CanaryDevice) -> Result<Option<String>, Failure> {
        let form = format!("grant_type=client_credentials&client_id={}", holder.device);
        let (status, answer) = self.form(holder, "/oauth/token", form).await?;
        match status {
            200 => Ok(answer["access_token"].as_str().map(str::to_owned)),
            400..500 => Ok(None),
            other => Err(Failure::wrong(format!("the token endpoint answers {other}"))),
        }
    }

    /// Whether a token is active, as introspection says to its device.
    pub async fn is_active(&self, asking: &CanaryDevice, token: &str) -> Result<bool, Failure> {
        let form = format!("client_id={}&token={token}", asking.device);
        let (status, answer) = self.form(asking, "/oauth/introspect", form).await?;
        match (status, answer["active"].as_bool()) {
            (200, Some(active)) => Ok(active),
            _ => Err(Failure::wrong(format!("introspection answers {status}"))),
        }
    }

    async fn form(&self, holder: &CanaryDevice, path: &str, form: String) -> Result<(u16, Value), Failure> {
        let answer = holder.client.post_form(&self.at(path)?, form).await;
        let (status, body) = answer.doing("the device listener cannot be reached")?;
        Ok((status.as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
    }

    fn at(&self, path: &str) -> Result<Uri, Failure> {
        format!("{}{path}", self.addresses.device).parse().doing("the device address is not a URL")
    }

    fn holder(&self, answer: &[u8], key: &[u8]) -> Result<CanaryDevice, Failure> {
        let EnrolledCertificate { device, serial, thumbprint, certificate, chain, .. } =
            client::read(answer)?;
        let decoded =
            |text: &String| from_base64(text).ok_or_else(|| Failure::wrong("an answer is not base64"));
        let certificate = decoded(&certificate)?;
        let chain: Vec<_> = chain.iter().map(decoded).collect::<Result<_, _>>()?;
        let not_after =
            X509Certificate::from_der(&certificate).doing("the certificate")?.1.validity().not_after;
        let der = [&certificate].into_iter().chain(&chain).map(|der| CertificateDer::from(der.clone()));
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
        let client = self.client(self.own.device, Some((der.collect(), private)))?;
        Ok(CanaryDevice {
            device,
            serial,
            thumbprint,
            issuer: chain.into_iter().next().unwrap_or_default(),
            not_after: Timestamp::from_seconds(not_after.timestamp()),
            certificate,
            client,
        })
    }

    fn client(
        &self,
        at: SocketAddr,
        identity: Option<tegata_net::tls::IdentityFiles>,
    ) -> Result<HttpsClient, Failure> {
        HttpsClient::new(self.trust.read()?, self.clock.clone(), identity, Destinations::At(at))
            .map_err(Failure::wrong)
    }
}
