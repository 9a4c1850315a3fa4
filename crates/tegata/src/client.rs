//! A client of the enrollment API: what `tegata enroll` and `tegata renew` do, and the canary of a server.
//!
//! | to learn about | read |
//! |---|---|
//! | requests and their refusals | here |
//! | an invitation's link | [`link`] |
//! | a folder with a certificate and its key | [`folder`], [`previous`] |
//! | a token that comes with a certificate | [`token`] |

pub mod folder;
pub mod link;
pub mod previous;
pub mod token;

use http::{StatusCode, Uri};
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;
use tegata_ca::LocalKey;
use tegata_core::{DeviceId, Refusal, Serial, Thumbprint};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_net::HttpsClient;
use tegata_net::client::Destinations;
use tegata_net::tls::{self, IdentityFiles};

/// Longer than a gate's: a person waits here, over a shop's line and to a server that many enroll at, and nobody is let in
/// or kept out meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where Debian keeps the CAs that the system trusts.
pub const SYSTEM_TRUST: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A certificate handed over.
#[derive(Deserialize)]
pub struct EnrolledCertificate {
    pub device: DeviceId,
    pub generation: u32,
    pub serial: Serial,
    pub thumbprint: Thumbprint,
    pub certificate: String,
    pub chain: Vec<String>,
}

#[derive(Deserialize)]
struct ServerProblem {
    title: String,
    code: String,
    detail: String,
}

/// A client that trusts what is in `tls_ca`, or what the system trusts, and presents `identity`.
pub fn connect(
    tls_ca: Option<&Path>,
    identity: Option<IdentityFiles>,
    system: &SystemContext,
) -> Result<HttpsClient, Failure> {
    let file = tls_ca.unwrap_or(Path::new(SYSTEM_TRUST));
    let trust = tls::trust_from_pem_file(file).map_err(Failure::misuse)?;
    let client = HttpsClient::new(trust, system.clock.clone(), identity, Destinations::Anywhere)
        .map_err(Failure::wrong)?;
    Ok(client.with_patience(PATIENCE))
}

/// Posts JSON; a refusal becomes a failure that says its code.
pub async fn post(client: &HttpsClient, url: String, body: serde_json::Value) -> Result<Vec<u8>, Failure> {
    attempt(client, &url, &body).await?.map_err(|refusal| refusal.0)
}

/// The refusal of a server as a failure, and its code.
pub struct RefusedRequest(pub Failure, Option<String>);

impl RefusedRequest {
    fn of(status: StatusCode, answer: &[u8]) -> Self {
        match serde_json::from_slice::<ServerProblem>(answer) {
            Ok(ServerProblem { title, code, detail }) => {
                Self(Failure::wrong(format!("{code}: {title}. {detail}")), Some(code))
            }
            Err(_) => Self(Failure::wrong(format!("the server answers {status}")), None),
        }
    }

    /// Whether it is this one.
    pub fn is(&self, refusal: Refusal) -> bool {
        self.1.as_deref() == Some(refusal.code())
    }
}

/// Posts JSON and gives a refusal back to the caller, which can do something about it.
pub async fn attempt(
    client: &HttpsClient,
    url: &str,
    body: &serde_json::Value,
) -> Result<Result<Vec<u8>, RefusedRequest>, Failure> {
    let uri: Uri = url.parse().doing("the address is not a URL")?;
    let (status, answer) =
        client.post_json(&uri, body.to_string().into_bytes()).await.doing("the server cannot be reached")?;
    Ok(if status.is_success() { Ok(answer.to_vec()) } else { Err(RefusedRequest::of(status, &answer)) })
}

/// Reads the JSON of an answer.
pub fn read<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer).doing("the server's answer cannot be read")
}

/// A certificate request for a key.
pub fn request(pkcs8: &[u8]) -> Result<Vec<u8>, Failure> {
    let key = LocalKey::from_pkcs8(pkcs8).doing("cannot use the key")?;
    tegata_ca::csr::request_for(&key).doing("cannot sign the request")
}
