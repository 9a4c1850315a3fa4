//! The access token that `tegata renew --token` asks for, kept beside the certificate that it is bound to.

use crate::failure::{Failure, FailureContext};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tegata_ca::secret;
use tegata_core::{Thumbprint, Timestamp};

/// Whether a token is wanted, and what becomes of it. It is a secret: it goes to a file, and to standard output only
/// when that is asked for as well.
#[derive(clap::Args)]
pub struct CompanionOptions {
    /// Ask for an access token that is bound to the new certificate, and keep it in DIR/token.json
    #[arg(long)]
    token: bool,
    /// The product that the token is for, where it is not the first
    #[arg(long, value_name = "PRODUCT", requires = "token")]
    resource: Option<String>,
    /// What of the product the token is good for, with spaces in between
    #[arg(long, requires = "token")]
    scope: Option<String>,
    /// Put the token into the JSON on standard output as well
    #[arg(long, requires_all = ["token", "json"])]
    show_token: bool,
}

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

#[derive(Deserialize, Serialize)]
pub struct RefusedToken {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl CompanionOptions {
    /// The member of the request.
    pub fn wish(&self) -> Option<Value> {
        self.token.then(|| json!({"resource": self.resource, "scope": self.scope}))
    }

    /// Keeps a token in the folder of its certificate. Gives what is printed about it.
    pub fn keep(
        &self,
        answer: RenewalTokenResponse,
        folder: &Path,
        certificate: &Thumbprint,
        now: Timestamp,
    ) -> Result<Option<TokenNotice>, Failure> {
        let given = match answer {
            RenewalTokenResponse { token: Some(given), .. } => given,
            RenewalTokenResponse { token_error, .. } => return Ok(token_error.map(TokenNotice::Refused)),
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
        let shown = self.show_token.then_some(given.access_token);
        Ok(Some(TokenNotice::Kept { file, resource: given.resource, expires_at, shown }))
    }
}

/// What the user is told of a token.
pub enum TokenNotice {
    Kept { file: PathBuf, resource: String, expires_at: Timestamp, shown: Option<String> },
    Refused(RefusedToken),
}

impl TokenNotice {
    /// Adds it to the JSON output.
    pub fn add_to(&self, told: &mut Value) {
        match self {
            Self::Kept { file, resource, expires_at, shown } => {
                told["token"] = json!({"file": file, "resource": resource, "expires_at": expires_at});
                if let Some(token) = shown {
                    told["token"]["access_token"] = json!(token);
                }
            }
            Self::Refused(refused) => told["token_error"] = json!(refused),
        }
    }

    /// Prints it in words, for output without `--json`.
    pub fn print(&self) {
        match self {
            Self::Kept { file, resource, expires_at, .. } => {
                outln!("a token for {resource} until {expires_at} is in {}", file.display());
            }
            Self::Refused(RefusedToken { error, error_description }) => {
                errln!("the certificate is renewed, and no token came with it: {error}, {error_description}");
            }
        }
    }
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
