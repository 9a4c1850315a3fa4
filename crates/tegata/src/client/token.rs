//! The access token that may come with a certificate, kept beside the certificate that it is bound to.

use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tegata_ca::secret;
use tegata_core::{Thumbprint, Timestamp};
use tegata_installation::{Failure, FailureContext};

/// What the server answers beside the certificate.
#[derive(Deserialize)]
pub struct RenewalTokenResponse {
    token: Option<GivenToken>,
    token_error: Option<RefusedToken>,
}

#[derive(Deserialize)]
struct GivenToken {
    access_token: String,
    token_type: String,
    expires_in: u32,
    resource: String,
    scope: Option<String>,
}

/// Why no token came.
#[derive(Deserialize, Serialize)]
pub struct RefusedToken {
    pub error: String,
    #[serde(default)]
    pub error_description: String,
}

/// What has become of a token.
pub enum CompanionToken {
    Kept { file: PathBuf, resource: String, expires_at: Timestamp, access_token: String },
    Refused(RefusedToken),
}

/// Keeps a token in the folder of its certificate. It is a secret: nobody else may read the file. Nothing where none was asked for.
pub fn keep(
    answer: RenewalTokenResponse,
    folder: &Path,
    certificate: &Thumbprint,
    now: Timestamp,
) -> Result<Option<CompanionToken>, Failure> {
    let given = match answer {
        RenewalTokenResponse { token: Some(given), .. } => given,
        RenewalTokenResponse { token_error, .. } => return Ok(token_error.map(CompanionToken::Refused)),
    };
    let file = path(folder);
    let expires_at = now.plus(Duration::from_secs(given.expires_in.into()));
    let kept = json!({
        "access_token": given.access_token, "token_type": given.token_type, "resource": given.resource,
        "scope": given.scope, "expires_at": expires_at, "thumbprint": certificate,
    });
    let fresh = file.with_extension("new");
    remove(&fresh)?;
    secret::write_private_file(&fresh, kept.to_string().as_bytes()).doing("cannot write the token")?;
    fs::rename(&fresh, &file).doing("cannot put the token in place")?;
    let GivenToken { resource, access_token, .. } = given;
    Ok(Some(CompanionToken::Kept { file, resource, expires_at, access_token }))
}

/// Takes away the token of the certificate before: it fits no other.
pub fn forget(folder: &Path) -> Result<(), Failure> {
    remove(&path(folder))
}

fn path(folder: &Path) -> PathBuf {
    folder.join("token.json")
}

fn remove(file: &Path) -> Result<(), Failure> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).doing(format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}
