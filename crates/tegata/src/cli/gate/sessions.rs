//! `tegata gate --session`: browsers at the product.

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::sync::Arc;
use tegata_core::{Entropy, HttpOrigin};
use tegata_gate::session::{BrowserSessions, RequiredSignIn, SessionConfig, SessionKeys, SessionLimits};
use tegata_gate::{Gate, trust_from_pem_file};
use tegata_installation::Failure;
use tegata_net::WatchedFiles;

#[derive(Args)]
pub struct SessionOptions {
    /// Let browsers in by a session: a person must sign in, or with =device the device is enough
    #[arg(long, value_name = "WHO", num_args = 0..=1, require_equals = true, default_missing_value = "person")]
    session: Option<SessionOf>,
    /// The keys that seal sessions, made if there is no such file. All gates of a product need the same
    #[arg(long, value_name = "FILE", requires = "session")]
    session_key: Option<PathBuf>,
    /// Where browsers reach the product, where that is not the audience
    #[arg(long, value_name = "URL", requires = "session")]
    origin: Option<HttpOrigin>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SessionOf {
    Person,
    Device,
}

/// What other options say of the product.
#[derive(Clone, Copy)]
pub struct SessionProduct<'a> {
    pub audience: &'a str,
    /// Whether tokens need scopes.
    pub wants_scopes: bool,
    pub client_ca: &'a Option<PathBuf>,
}

/// Sessions whose files have been read.
pub struct OpenedSessions {
    sessions: Arc<BrowserSessions>,
    keys: PathBuf,
    client_ca: PathBuf,
    /// Watched since before they were read.
    watched: WatchedFiles,
}

impl SessionOptions {
    /// The sessions, if they are wanted.
    pub fn open(
        &self,
        product: SessionProduct<'_>,
        gate: &Gate,
        entropy: &dyn Entropy,
    ) -> Result<Option<OpenedSessions>, Failure> {
        let Some(who) = self.session else { return Ok(None) };
        if product.wants_scopes {
            return Err(Failure::misuse(
                "--scope is about access tokens, and a session has none: do without one of --scope and --session",
            ));
        }
        let needed = |what: &Option<PathBuf>, why: &str| what.clone().ok_or_else(|| Failure::misuse(why));
        let keys = needed(&self.session_key, "--session needs --session-key FILE, which the gate makes")?;
        let why = "--session needs --client-ca PEM, the chain of the devices: root and issuing CA";
        let client_ca = needed(product.client_ca, why)?;
        let origin = self.origin(product.audience)?;
        // Made before it is watched, so that it is no news.
        let read = SessionKeys::read_or_make(&keys, entropy).map_err(Failure::misuse)?;
        let watched = WatchedFiles::new(vec![keys.clone(), client_ca.clone()]);
        let config = SessionConfig {
            origin,
            requires: match who {
                SessionOf::Person => RequiredSignIn::Person,
                SessionOf::Device => RequiredSignIn::Device,
            },
            limits: SessionLimits::default(),
            client_ca: trust_from_pem_file(&client_ca).map_err(Failure::misuse)?,
            keys: read,
        };
        let sessions = BrowserSessions::new(gate.clone(), config).map_err(Failure::misuse)?;
        Ok(Some(OpenedSessions { sessions, keys, client_ca, watched }))
    }

    /// Browsers keep the session's cookie on HTTPS alone.
    fn origin(&self, audience: &str) -> Result<HttpOrigin, Failure> {
        let origin = match &self.origin {
            Some(origin) => origin.clone(),
            None => HttpOrigin::parse(audience).map_err(|error| {
                Failure::misuse(format!(
                    "--session needs --origin URL, where browsers reach the product: the audience is no origin ({error})"
                ))
            })?,
        };
        if origin.is_https() { Ok(origin) } else { Err(Failure::misuse("--origin begins with https://")) }
    }
}

impl OpenedSessions {
    pub fn sessions(&self) -> Arc<BrowserSessions> {
        Arc::clone(&self.sessions)
    }
}

/// Takes up keys and CAs that are replaced while the gate runs.
pub async fn follow(opened: Option<OpenedSessions>) {
    let Some(OpenedSessions { sessions, keys, client_ca, watched }) = opened else {
        return std::future::pending().await;
    };
    let take_over = || {
        let read = SessionKeys::read(&keys).map_err(|error| error.to_string())?;
        let trust = trust_from_pem_file(&client_ca).map_err(|error| error.to_string())?;
        sessions.set_keys(read);
        sessions.set_client_ca(trust);
        Ok::<_, String>(())
    };
    watched.follow(take_over).await;
}
