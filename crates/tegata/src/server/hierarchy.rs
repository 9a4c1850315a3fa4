//! The CAs as the ledger has them, and a server that keeps up with it: a ceremony takes effect within a second, without
//! a restart.

use arc_swap::ArcSwap;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use tegata_ca::{
    CertificateProfile, Issuer, IssuerAssignment, IssuerEndpoints, IssuerSet, IssuingCa, RoleProfiles,
};
use tegata_core::{Clock, IssuerId, TenantId, Timestamp};
use tegata_installation::{Config, Failure, FailureContext, KeyRing, anchors};
use tegata_storage::{IssuerKind, IssuerState, Ledger, StoredIssuer};
use tegata_web::TrustedIssuers;

/// The CAs of an installation, opened.
pub struct Hierarchy {
    config: Config,
    ledger: Ledger,
    ring: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    issuers: ArcSwap<Vec<StoredIssuer>>,
    silos: Mutex<HashSet<TenantId>>,
    authorities: Arc<IssuerSet>,
    /// The last fault of each CA that cannot be used, so that it is logged once.
    faults: Mutex<HashMap<IssuerId, String>>,
}

impl Hierarchy {
    /// Opens every CA of ours. The root key is not needed.
    ///
    /// # Errors
    /// [`Failure`] when there is no CA, or the key of an active one cannot be used: better no server than one that
    /// refuses every enrollment. A CA that rests, has ended or past its own end does not stop the start: its last lists
    /// are served.
    pub async fn open(
        config: Config,
        ledger: Ledger,
        ring: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, Failure> {
        let hierarchy = Self {
            config,
            ledger,
            ring,
            clock,
            issuers: ArcSwap::default(),
            silos: Mutex::default(),
            authorities: Arc::new(IssuerSet::new(Vec::new(), HashSet::new())),
            faults: Mutex::default(),
        };
        hierarchy.catch_up().await?;
        hierarchy.must_issue()?;
        Ok(Arc::new(hierarchy))
    }

    /// The CAs that work and publish.
    pub fn authorities(&self) -> &Arc<IssuerSet> {
        &self.authorities
    }

    /// A CA's certificate, whatever became of it: certificates name the place where it is served.
    pub fn certificate(&self, id: &IssuerId) -> Option<Vec<u8>> {
        let issuers = self.issuers.load();
        issuers.iter().find(|issuer| issuer.id == *id).map(|issuer| issuer.certificate.clone())
    }

    /// Whose certificates the device listener takes for ours.
    pub fn trusted_issuers(&self) -> Result<TrustedIssuers, Failure> {
        let issuers = self.issuers.load();
        let of_kind = |kind| {
            issuers
                .iter()
                .filter(move |issuer| issuer.kind == kind && issuer.is_trusted())
                .map(|issuer| issuer.certificate.as_slice())
        };
        TrustedIssuers::new(
            of_kind(IssuerKind::Root),
            of_kind(IssuerKind::Issuing),
            of_kind(IssuerKind::Foreign),
        )
        .doing("an issuing CA cannot be trusted")
    }

    /// Takes over what the ledger says. Gives whether the CAs are others than before.
    pub async fn catch_up(&self) -> Result<bool, Failure> {
        const WHAT: &str = "cannot read the CAs";
        let issuers = self.ledger.issuers().await.doing(WHAT)?;
        let silos: HashSet<_> = self.ledger.silos().await.doing(WHAT)?.into_iter().collect();
        let changed = **self.issuers.load() != issuers;
        let moved = *lock(&self.silos) != silos;
        // Keys that could not be used are tried again: a token comes back.
        let incomplete = !lock(&self.faults).is_empty();
        if changed || moved || incomplete {
            let posts = self.posts(&issuers).await;
            self.authorities.replace(posts, silos.clone());
            *lock(&self.silos) = silos;
        }
        if changed {
            anchors::write(&self.config, &issuers);
            self.issuers.store(Arc::new(issuers));
        }
        Ok(changed)
    }

    /// Every CA of ours that can sign its lists, oldest first. Those that ended still say what they took back: their
    /// certificates may be looked at by somebody who does not ask the root.
    async fn posts(&self, issuers: &[StoredIssuer]) -> Vec<IssuerAssignment> {
        let mut posts = Vec::new();
        for issuer in issuers.iter().filter(|issuer| issuer.kind == IssuerKind::Issuing) {
            match self.authority(issuer).await {
                Ok(authority) => {
                    lock(&self.faults).remove(&issuer.id);
                    let is_active = issuer.state == IssuerState::Active;
                    posts.push(IssuerAssignment { authority, tenant: issuer.tenant.clone(), is_active });
                }
                Err(error) => self.complain(issuer, &error),
            }
        }
        posts
    }

    /// One that is known goes on as it is. A new one publishes before it works: no certificate names a list that is not
    /// there.
    async fn authority(&self, issuer: &StoredIssuer) -> Result<Arc<IssuingCa>, Failure> {
        let now = self.clock.now();
        if let Some(known) = self.authorities.get(&issuer.id)
            && known.issuer().not_after() >= now
        {
            return Ok(known);
        }
        let list = self.ledger.crl(&issuer.id, 0).await.doing("cannot read the published list")?;
        let authority = Arc::new(self.open_authority(issuer, list.map(|list| list.der))?);
        if let Err(error) = authority.publish_crls(now).await {
            tracing::warn!(issuer = %issuer.id, %error, "its lists come later");
        }
        Ok(authority)
    }

    fn open_authority(&self, issuer: &StoredIssuer, list: Option<Vec<u8>>) -> Result<IssuingCa, Failure> {
        let now = self.clock.now();
        must_live(issuer, now)?;
        let signer = self.ring.signer(&KeyRing::issuing(&issuer.id))?;
        let loaded = Issuer::load(issuer.id.clone(), issuer.certificate.clone(), signer, now)
            .doing("the issuing CA cannot be used")?;
        let public = &self.config.public.url;
        let endpoints = IssuerEndpoints::new(public, &issuer.id, issuer.shards).map_err(Failure::misuse)?;
        let endpoints = match list {
            Some(list) => endpoints.as_published(public, &issuer.id, &list),
            None => endpoints,
        };
        let profile = |name| profile(&self.config, name);
        let profiles = RoleProfiles { device: profile("device.toml")?, gate: profile("gate.toml")? };
        let installation = self.config.installation.name.clone();
        Ok(IssuingCa::new(loaded, endpoints, profiles, installation, self.ledger.clone()))
    }

    /// Loudly where something is missing now, quietly where a CA has ended and its key is allowed to be gone.
    fn complain(&self, issuer: &StoredIssuer, error: &Failure) {
        let text = error.to_string();
        let known = lock(&self.faults).insert(issuer.id.clone(), text.clone());
        if known.as_ref() == Some(&text) {
            return;
        }
        let state = issuer.state.as_str();
        if issuer.is_trusted() {
            tracing::error!(issuer = %issuer.id, state, error = text, "a CA signs no more lists; its last ones are served");
        } else {
            tracing::info!(issuer = %issuer.id, state, reason = text, "an ended CA signs no more lists");
        }
    }

    /// At the start only: what runs goes on.
    fn must_issue(&self) -> Result<(), Failure> {
        let issuers = self.issuers.load();
        let mut ours = issuers.iter().filter(|issuer| issuer.kind == IssuerKind::Issuing).peekable();
        if ours.peek().is_none() {
            return Err(Failure::wrong(NO_CA));
        }
        let now = self.clock.now();
        for issuer in ours.filter(|issuer| issuer.state == IssuerState::Active) {
            if let Some(fault) = lock(&self.faults).get(&issuer.id)
                && must_live(issuer, now).is_ok()
            {
                return Err(Failure::wrong(fault));
            }
        }
        Ok(())
    }
}

const NO_CA: &str =
    "the ledger has no issuing CA: `tegata init` makes an installation with one, `tegata ceremony` adds one";

/// A CA past its own end signs nothing, whatever its key.
fn must_live(issuer: &StoredIssuer, now: Timestamp) -> Result<(), Failure> {
    let not_after = not_after(&issuer.certificate);
    match not_after.filter(|end| *end < now) {
        Some(end) => Err(Failure::wrong(format!("the CA {} ended at {end}", issuer.id))),
        None => Ok(()),
    }
}

fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Timestamp::from_seconds(certificate.validity().not_after.timestamp()))
}

fn profile(config: &Config, name: &str) -> Result<CertificateProfile, Failure> {
    let (file, text) = config.profile_text(name)?;
    CertificateProfile::parse(&file, &text).map_err(Failure::misuse)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
